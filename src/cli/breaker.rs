//! `fuseboard breaker`: list, show, trip, reset, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, Api, ApiArgs},
    definition::Definition,
    finite, items, name, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard breaker`.
#[derive(Debug, Args)]
pub struct BreakerArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print the server's JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List breakers
    List {
        /// Only those in this state
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a breaker and its latest transitions
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Open a breaker by hand
    Trip {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Refuse calls so long, whatever happens; then the state of now returns
        #[arg(long = "for", value_name = "SECONDS", value_parser = finite, conflicts_with = "hold")]
        seconds: Option<f64>,
        /// Refuse calls until somebody resets it
        #[arg(long)]
        hold: bool,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let all calls pass, whatever happens
    Disable {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// For so long; until somebody resets it if left out
        #[arg(long = "for", value_name = "SECONDS", value_parser = finite)]
        seconds: Option<f64>,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Change a breaker's state to any that may follow, such as `half_open` to let a few calls try now
    Set {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// The state
        #[arg(value_parser = ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"])]
        state: String,
        /// Of `forced_open`, `disabled` and `metrics_only`: for so long; until somebody resets it if left out
        #[arg(long = "for", value_name = "SECONDS", value_parser = finite)]
        seconds: Option<f64>,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Close a breaker and forget its counts
    Reset {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// List the transitions of a breaker, newest first
    Transitions {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// How many at most, up to 1000
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u16,
    },
    #[command(flatten)]
    Definition(Definition),
}

/// Does it.
pub fn run(args: &BreakerArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        match &args.action {
            Action::List { state } => list(&api, state.as_deref(), args.json).await?,
            Action::Show { name } => show(&api, name, args.json).await?,
            Action::Trip { name, seconds, hold, reason } => {
                let target = if *hold || seconds.is_some() { "forced_open" } else { "open" };
                change(&api, name, target, *seconds, reason.as_deref(), args.json).await?;
            }
            Action::Disable { name, seconds, reason } => {
                change(&api, name, "disabled", *seconds, reason.as_deref(), args.json).await?;
            }
            Action::Set { name, state, seconds, reason } => {
                change(&api, name, state, *seconds, reason.as_deref(), args.json).await?;
            }
            Action::Transitions { name, limit } => {
                let items = transitions(&api, name, *limit).await?;
                super::print(args.json, &items, |list| say(&history(list)));
            }
            Action::Definition(definition) => {
                let declared = definition.apply(&api, "/v1/breakers").await?;
                if let Some(view) = declared {
                    print(&[view], args.json);
                }
            }
            Action::Reset { name, reason } => {
                let path = format!("/v1/breakers/{name}/reset");
                let view = api.ask(Method::POST, &path, &[], Some(&json!({ "reason": reason }))).await?;
                print(&[view], args.json);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn list(api: &Api, state: Option<&str>, as_json: bool) -> Result<(), String> {
    let mut items = api.list("/v1/breakers", &[]).await?;
    items.retain(|view| state.is_none_or(|wanted| view["state"] == wanted));
    if as_json {
        say(&Value::from(items).to_string());
    } else {
        print(&items, false);
    }
    Ok(())
}

async fn show(api: &Api, name: &Name, as_json: bool) -> Result<(), String> {
    let view = api.ask(Method::GET, &format!("/v1/breakers/{name}"), &[], None).await?;
    let transitions = transitions(api, name, 10).await?;
    if as_json {
        say(&json!({ "breaker": view, "transitions": transitions }).to_string());
        return Ok(());
    }
    print(std::slice::from_ref(&view), false);
    if items(&transitions).next().is_some() {
        say(&format!("\n{}", history(&transitions)));
    }
    Ok(())
}

async fn transitions(api: &Api, name: &Name, limit: u16) -> Result<Value, String> {
    let path = format!("/v1/breakers/{name}/transitions");
    let mut page = api.ask(Method::GET, &path, &[("limit", limit.to_string())], None).await?;
    Ok(page["items"].take())
}

fn history(transitions: &Value) -> String {
    let fields = ["at", "from", "to", "cause", "actor", "reason"];
    let rows: Vec<_> =
        items(transitions).map(|item| fields.iter().map(|field| Cell::of(&item[*field])).collect()).collect();
    table(&["AT", "FROM", "TO", "CAUSE", "ACTOR", "REASON"], &rows, is_colourful())
}

async fn change(
    api: &Api,
    name: &Name,
    target: &str,
    seconds: Option<f64>,
    reason: Option<&str>,
    as_json: bool,
) -> Result<(), String> {
    let body = json!({ "target": target, "ttl_seconds": seconds, "reason": reason });
    let view = api.ask(Method::POST, &format!("/v1/breakers/{name}/state"), &[], Some(&body)).await?;
    print(&[view], as_json);
    Ok(())
}

fn print(views: &[Value], as_json: bool) {
    if as_json {
        for view in views {
            say(&view.to_string());
        }
        return;
    }
    let rows: Vec<_> = views.iter().map(row).collect();
    let heads = ["NAME", "STATE", "SINCE", "FAILURES", "RATE", "CALLS", "RETRY IN"];
    say(&table(&heads, &rows, is_colourful()));
}

fn row(view: &Value) -> Vec<Cell> {
    let paint = match view["state"].as_str() {
        Some("closed") => Paint::Good,
        Some("open" | "forced_open") => Paint::Bad,
        _ => Paint::Warn,
    };
    let failures = format!("{} of {}", view["failure_count"], view["threshold"]);
    let rate = view["failure_rate"].as_f64().map(|rate| format!("{:.0} %", rate * 100.0));
    let retry = view["retry_after_seconds"].as_f64().map(|seconds| format!("{seconds:.1} s"));
    vec![
        Cell::of(&view["name"]),
        Cell::of(&view["state"]).painted(paint),
        Cell::of(&view["state_changed_at"]),
        Cell::new(failures),
        Cell::new(rate.unwrap_or_default()),
        Cell::of(&view["metrics"]["total_calls"]),
        Cell::new(retry.unwrap_or_default()),
    ]
}
