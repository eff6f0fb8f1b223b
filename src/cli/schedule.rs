//! `fuseboard schedule`: list, show, run, runs, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, Api, ApiArgs},
    definition::Definition,
    document, items, name, print, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard schedule`.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
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
    /// List schedules: when they run next, and how they ran last
    List,
    /// Show a schedule: its next runs, the last one, its configuration
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Run a schedule now; exit 1 if the run fails
    Run {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Seconds to wait for the end of the run, at most 25; 0 only begins it
        #[arg(long, default_value_t = 25.0, value_name = "SECONDS")]
        wait: f64,
        /// Who asks, for the history [default: the token's name]
        #[arg(long)]
        actor: Option<String>,
    },
    /// List the runs of a schedule, newest first
    Runs {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Only of this status: running, succeeded, failed or missed
        #[arg(long)]
        status: Option<String>,
        /// How many at most, up to 1000
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u16,
        /// Only the run of this number, with its output
        #[arg(long, value_name = "NUMBER", conflicts_with_all = ["status", "limit"])]
        id: Option<u64>,
    },
    #[command(flatten)]
    Definition(Definition),
}

/// Does it.
pub fn run(args: &ScheduleArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        match &args.action {
            Action::List => {
                let schedules = api.list("/v1/schedules", &[]).await?;
                print(args.json, &Value::from(schedules), |list| print_schedules(items(list)));
            }
            Action::Show { name } => {
                let schedule = api.ask(Method::GET, &format!("/v1/schedules/{name}"), &[], None).await?;
                print(args.json, &schedule, show);
            }
            Action::Run { name, wait, actor } => {
                return begin(&api, args.json, name, *wait, actor.as_deref()).await;
            }
            Action::Runs { name, id: Some(id), .. } => {
                let run = api.ask(Method::GET, &format!("/v1/schedules/{name}/runs/{id}"), &[], None).await?;
                print(args.json, &run, show_run);
            }
            Action::Definition(definition) => {
                let declared = definition.apply(&api, "/v1/schedules").await?;
                if let Some(schedule) = declared {
                    print(args.json, &schedule, |schedule| print_schedules([schedule]));
                }
            }
            Action::Runs { name, status, limit, id: None } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(status.clone().map(|status| ("status", status)));
                let path = format!("/v1/schedules/{name}/runs");
                let page = api.ask(Method::GET, &path, &query, None).await?;
                print(args.json, &page["items"], |list| print_runs(items(list)));
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn begin(
    api: &Api,
    as_json: bool,
    name: &Name,
    wait: f64,
    actor: Option<&str>,
) -> Result<ExitCode, String> {
    let query = [("wait_seconds", wait.to_string())];
    let body = actor.map_or(json!({}), |actor| json!({ "actor": actor }));
    let path = format!("/v1/schedules/{name}/run");
    let run = api.ask(Method::POST, &path, &query, Some(&body)).await?;
    print(as_json, &run, show_run);
    Ok(if run["status"] == "failed" { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn show_run(run: &Value) {
    print_runs([run]);
    if !run["output"].is_null() {
        document(&run["output"]);
    }
}

fn show(schedule: &Value) {
    print_schedules([schedule]);
    let upcoming: Vec<_> =
        items(&schedule["upcoming"]).map(|time| vec![Cell::new(""), Cell::of(time)]).collect();
    if !upcoming.is_empty() {
        say(&format!("\n{}", table(&["", "UPCOMING"], &upcoming, false)));
    }
    let last = Some(&schedule["last_run"]).filter(|last| !last.is_null());
    // The last one may be one of those that go on.
    let others = items(&schedule["running"]).filter(|run| last.is_none_or(|last| last["id"] != run["id"]));
    let runs: Vec<_> = others.chain(last).collect();
    if !runs.is_empty() {
        say("");
        print_runs(runs);
    }
    say("");
    document(&schedule["config"]);
}

fn print_schedules<'a>(schedules: impl IntoIterator<Item = &'a Value>) {
    let heads = ["NAME", "WHEN", "ACTION", "NEXT RUN", "LAST RUN", "STATUS", "RUNNING"];
    let row = |schedule: &Value| {
        let (config, last) = (&schedule["config"], &schedule["last_run"]);
        let next = if config["enabled"] == false {
            Cell::new("disabled").painted(Paint::Warn)
        } else {
            Cell::of(&schedule["next_run_at"])
        };
        vec![
            Cell::of(&schedule["name"]),
            timing(config),
            Cell::of(&config["action"]["kind"]),
            next,
            Cell::of(&last["scheduled_for"]),
            status(last),
            Cell::new(items(&schedule["running"]).count().to_string()),
        ]
    };
    let rows: Vec<_> = schedules.into_iter().map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}

fn print_runs<'a>(runs: impl IntoIterator<Item = &'a Value>) {
    let heads = ["ID", "SCHEDULED FOR", "TRIGGER", "STATUS", "FINISHED", "MISSED", "ACTOR", "OUTPUT"];
    let row = |run: &Value| {
        let (missed, output) = (&run["missed"], &run["output"]);
        let count = missed["count"].as_u64();
        vec![
            Cell::of(&run["id"]),
            Cell::of(&run["scheduled_for"]),
            Cell::of(&run["trigger"]),
            status(run),
            Cell::of(&run["finished_at"]),
            Cell::new(count.map_or_else(String::new, |count| {
                format!("{count} ({})", missed["reason"].as_str().unwrap_or_default())
            })),
            Cell::of(&run["actor"]),
            outcome(output),
        ]
    };
    let rows: Vec<_> = runs.into_iter().map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}

/// What came out of a run, in short: of checks, how all of them were.
fn outcome(output: &Value) -> Cell {
    match (output.get("message").or(output.get("reason")), output["overall_status"].as_str()) {
        (Some(said), _) => Cell::of(said),
        (None, Some(overall)) => Cell::new(format!("checks are {overall}")),
        (None, None) => Cell::new(""),
    }
}

fn status(run: &Value) -> Cell {
    let cell = Cell::of(&run["status"]);
    match run["status"].as_str() {
        Some("succeeded") => cell.painted(Paint::Good),
        Some("missed") => cell.painted(Paint::Warn),
        Some("failed") => cell.painted(Paint::Bad),
        _ => cell,
    }
}

fn timing(config: &Value) -> Cell {
    match (config["cron"].as_str(), config["timezone"].as_str()) {
        (Some(cron), Some(zone)) => Cell::new(format!("{cron} {zone}")),
        _ => Cell::new(format!("every {} s", config["interval_seconds"])),
    }
}
