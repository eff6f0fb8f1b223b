//! `fuseboard check`: list, show, results, run, push, ping, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, Api, ApiArgs},
    definition::Definition,
    document, finite, health, items, name, print, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
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
    /// List checks
    List,
    /// Show a check, its latest results and its configuration
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// List the results of a check, newest first
    Results {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// How many at most, up to 1000
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u16,
    },
    /// Run checks now; exit 1 if all of it is red
    Run {
        /// Their names; all, if none is named
        #[arg(value_parser = name, value_name = "NAME")]
        names: Vec<Name>,
        /// Seconds to wait for the runs, at most 25
        #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = finite)]
        wait: f64,
    },
    /// Send a result of a check that is pushed
    Push {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// How it is
        #[arg(value_parser = ["green", "yellow", "red"])]
        status: String,
        /// In a sentence
        message: Option<String>,
        /// What went wrong
        #[arg(long)]
        error: Option<String>,
        /// What else is of interest: an object in JSON
        #[arg(long, value_name = "JSON", value_parser = object)]
        details: Option<Value>,
        /// How long it took to find out
        #[arg(long, value_name = "SECONDS", value_parser = finite)]
        duration: Option<f64>,
    },
    /// Tell a heartbeat that its job is done
    Ping {
        /// The check's name
        #[arg(value_parser = name)]
        name: Name,
        /// That it has begun instead
        #[arg(long, conflicts_with_all = ["fail", "status"])]
        start: bool,
        /// That it has failed instead
        #[arg(long, conflicts_with = "status")]
        fail: bool,
        /// With which exit status it has ended: 0 is done, all others are failures
        #[arg(long, value_name = "STATUS")]
        status: Option<u8>,
    },
    #[command(flatten)]
    Definition(Definition),
}

fn object(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).ok().filter(Value::is_object).ok_or_else(|| "not an object in JSON".to_owned())
}

/// Does it.
pub fn run(args: &CheckArgs) -> ExitCode {
    api::run(&args.api, async |api| act(&api, args.json, &args.action).await)
}

async fn act(api: &Api, as_json: bool, action: &Action) -> Result<ExitCode, String> {
    match action {
        Action::List => {
            let list = api.list("/v1/checks", &[]).await?;
            print(as_json, &Value::from(list), |list| say(&rendered(items(list))));
        }
        Action::Show { name } => {
            let mut check = api.ask(Method::GET, &format!("/v1/checks/{name}"), &[], None).await?;
            check["results"] = results(api, name, 10).await?;
            print(as_json, &check, show);
        }
        Action::Results { name, limit } => {
            print(as_json, &results(api, name, *limit).await?, |list| say(&history(list)));
        }
        Action::Run { names, wait } => {
            let names = Some(names).filter(|names| !names.is_empty());
            let body = json!({ "checks": names, "timeout_seconds": wait });
            let report = api.ask(Method::POST, "/v1/health/run", &[], Some(&body)).await?;
            print(as_json, &report, |report| say(health::render(report, is_colourful()).trim_end()));
            return Ok(ExitCode::from(u8::from(report["overall_status"] == "red")));
        }
        Action::Push { name, status, message, error, details, duration } => {
            let body = json!({
                "status": status, "message": message, "error": error, "details": details,
                "duration_seconds": duration,
            });
            let path = format!("/v1/checks/{name}/results");
            let check = api.ask(Method::POST, &path, &[], Some(&body)).await?;
            print(as_json, &check, |check| say(&rendered([check])));
        }
        Action::Ping { name, start, fail, status } => {
            let signal = match (start, fail, status) {
                (true, _, _) => "/start".to_owned(),
                (_, true, _) => "/fail".to_owned(),
                (_, _, Some(status)) => format!("/{status}"),
                _ => String::new(),
            };
            api.send(Method::POST, &format!("/ping/{name}{signal}"), &[], None).await?;
        }
        Action::Definition(definition) => {
            if let Some(check) = definition.apply(api, "/v1/checks").await? {
                print(as_json, &check, |check| {
                    say(&rendered([check]));
                    if let Some(url) = check["ping_url"].as_str() {
                        say(&Cell::new(format!("\npinged without a token at {url}")).into_text());
                    }
                });
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn results(api: &Api, name: &Name, limit: u16) -> Result<Value, String> {
    let path = format!("/v1/checks/{name}/results");
    Ok(api.ask(Method::GET, &path, &[("limit", limit.to_string())], None).await?["items"].take())
}

fn show(check: &Value) {
    say(&rendered([check]));
    if items(&check["results"]).next().is_some() {
        say(&format!("\n{}", history(&check["results"])));
    }
    say("");
    document(&check["config"]);
}

fn rendered<'a>(checks: impl IntoIterator<Item = &'a Value>) -> String {
    let heads = ["NAME", "STATUS", "KIND", "CRITICAL", "SINCE", "LAST RESULT", "NEXT RUN", "SAYS"];
    let row = |check: &Value| {
        let said = if check["error"].is_null() { &check["message"] } else { &check["error"] };
        vec![
            Cell::of(&check["name"]),
            if check["stale"] == true {
                Cell::new("stale").painted(Paint::Warn)
            } else {
                status(&check["status"])
            },
            Cell::of(&check["kind"]),
            Cell::new(if check["critical"] == true { "yes" } else { "no" }),
            Cell::of(&check["changed_at"]),
            Cell::of(&check["timestamp"]),
            Cell::of(&check["next_run_at"]),
            Cell::of(said),
        ]
    };
    table(&heads, &checks.into_iter().map(row).collect::<Vec<_>>(), is_colourful())
}

fn history(results: &Value) -> String {
    let row = |result: &Value| {
        vec![
            Cell::of(&result["timestamp"]),
            status(&result["status"]),
            Cell::of(&result["duration_seconds"]),
            Cell::of(&result["message"]),
            Cell::of(&result["error"]),
        ]
    };
    let rows: Vec<_> = items(results).map(row).collect();
    table(&["AT", "STATUS", "SECONDS", "MESSAGE", "ERROR"], &rows, is_colourful())
}

fn status(status: &Value) -> Cell {
    let cell = Cell::of(status);
    match status.as_str() {
        Some("green") => cell.painted(Paint::Good),
        Some("yellow") => cell.painted(Paint::Warn),
        _ => cell.painted(Paint::Bad),
    }
}
