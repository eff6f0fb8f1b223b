//! `fuseboard limiter`: list, show, penalize.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, ApiArgs},
    name, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard limiter`.
#[derive(Debug, Args)]
pub struct LimiterArgs {
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
    /// List limiters
    List,
    /// Show a limiter
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    /// Make everybody wait: the upstream has said so
    Penalize {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// How long
        seconds: f64,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Does it.
pub fn run(args: &LimiterArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        let views = match &args.action {
            Action::List => api.list("/v1/limiters", &[]).await?,
            Action::Show { name } => {
                vec![api.ask(Method::GET, &format!("/v1/limiters/{name}"), &[], None).await?]
            }
            Action::Penalize { name, seconds, reason } => {
                let body = json!({ "retry_after_seconds": seconds, "reason": reason });
                let path = format!("/v1/limiters/{name}/penalize");
                vec![api.ask(Method::POST, &path, &[], Some(&body)).await?]
            }
        };
        match (args.json, &args.action) {
            (true, Action::List) => say(&Value::from(views).to_string()),
            (true, _) => views.iter().for_each(|view| say(&view.to_string())),
            (false, _) => print(&views),
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn print(views: &[Value]) {
    let heads = ["NAME", "ALGORITHM", "RATE", "BURST", "FREE", "WAITING", "CLIENTS", "THROTTLED", "BLOCKED"];
    let rows: Vec<_> = views.iter().map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}

fn row(view: &Value) -> Vec<Cell> {
    let rate = view["requests_per_second"].as_f64().map(|rate| format!("{rate:.3}/s"));
    let free = view["available_tokens"].as_f64().unwrap_or_default();
    let throttled = view["throttle_rate"].as_f64().unwrap_or_default() * 100.0;
    let blocked = view["blocked_seconds"].as_f64().map(|seconds| format!("{seconds:.1} s"));
    let is_free = free >= 1.0 && blocked.is_none();
    vec![
        Cell::of(&view["name"]),
        Cell::of(&view["algorithm"]),
        Cell::new(rate.unwrap_or_default()),
        Cell::of(&view["burst_size"]),
        Cell::new(format!("{free:.3}")).painted(if is_free { Paint::Good } else { Paint::Warn }),
        Cell::of(&view["waiting"]),
        Cell::of(&view["live_clients"]),
        Cell::new(format!("{throttled:.0} %")),
        Cell::new(blocked.unwrap_or_default()).painted(Paint::Bad),
    ]
}
