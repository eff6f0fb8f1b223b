//! `fuseboard limiter`: list, show, penalize, acquire, lease, release, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::answered,
    api::{self, ApiArgs},
    definition::Definition,
    finite, name, say,
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
        #[arg(value_parser = finite)]
        seconds: f64,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
    /// Take tokens; exit 1 if they are refused
    Acquire {
        /// The limiter's name
        #[arg(value_parser = name)]
        name: Name,
        /// How many; 0 takes nothing and tells whether one could be taken now
        #[arg(default_value_t = 1.0, value_parser = finite)]
        tokens: f64,
        /// Reserve them, if they will be there within so many seconds; the answer says how long to sleep
        #[arg(long = "wait", value_name = "SECONDS", value_parser = finite)]
        wait: Option<f64>,
        /// Who asks, for fair shares
        #[arg(long)]
        client: Option<String>,
    },
    /// Take tokens to be spent by and by; exit 1 if they are refused
    Lease {
        /// The limiter's name
        #[arg(value_parser = name)]
        name: Name,
        /// How many at most
        #[arg(value_parser = finite)]
        tokens: f64,
        /// Fewer are no use
        #[arg(long, value_name = "TOKENS", value_parser = finite)]
        least: Option<f64>,
        /// For so many seconds
        #[arg(long = "for", value_name = "SECONDS", value_parser = finite)]
        seconds: Option<f64>,
        /// Who asks, for fair shares
        #[arg(long)]
        client: Option<String>,
    },
    /// Give a lease or a permit back; exit 1 if there is none of that id
    Release {
        /// The limiter's name
        #[arg(value_parser = name)]
        name: Name,
        /// The id that `lease` or `acquire` gave
        lease_id: String,
        /// Tokens that were not spent
        #[arg(long, value_name = "TOKENS", value_parser = finite)]
        unused: Option<f64>,
    },
    #[command(flatten)]
    Definition(Definition),
}

/// Does it.
pub fn run(args: &LimiterArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        let post = async |name: &Name, verb: &str, body: Value| {
            api.ask(Method::POST, &format!("/v1/limiters/{name}/{verb}"), &[], Some(&body)).await
        };
        let views = match &args.action {
            Action::List => api.list("/v1/limiters", &[]).await?,
            Action::Show { name } => {
                vec![api.ask(Method::GET, &format!("/v1/limiters/{name}"), &[], None).await?]
            }
            Action::Penalize { name, seconds, reason } => {
                vec![
                    post(name, "penalize", json!({ "retry_after_seconds": seconds, "reason": reason }))
                        .await?,
                ]
            }
            Action::Definition(definition) => {
                definition.apply(&api, "/v1/limiters").await?.into_iter().collect()
            }
            Action::Acquire { name, tokens, wait, client } => {
                let body = json!({ "tokens": tokens, "max_wait_seconds": wait, "client": client });
                return Ok(answered(args.json, &post(name, "acquire", body).await?, "allowed"));
            }
            Action::Lease { name, tokens, least, seconds, client } => {
                let body = json!({
                    "tokens": tokens, "min_tokens": least, "lease_seconds": seconds, "client": client,
                });
                return Ok(answered(args.json, &post(name, "lease", body).await?, "allowed"));
            }
            Action::Release { name, lease_id, unused } => {
                let body = json!({ "lease_id": lease_id, "unused_tokens": unused });
                return Ok(answered(args.json, &post(name, "release", body).await?, "released"));
            }
        };
        match (args.json, &args.action) {
            (true, Action::List) => say(&Value::from(views).to_string()),
            (true, _) => views.iter().for_each(|view| say(&view.to_string())),
            (false, _) if views.is_empty() && !matches!(args.action, Action::List) => {}
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
