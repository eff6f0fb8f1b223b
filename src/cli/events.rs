//! `fuseboard events`: what happened, and what happens.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{
    api::{self, Api, ApiArgs},
    complain, say,
    sse::Parser,
    table::Cell,
};

/// Flags of `fuseboard events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Go on with what happens from now on, until interrupted; a lost connection is made again
    #[arg(long, short)]
    follow: bool,
    /// Print one JSON document per line
    #[arg(long)]
    json: bool,
    /// Only of this kind, such as breaker.transition
    #[arg(long)]
    kind: Option<String>,
    /// Only about this kind of resource, such as breaker
    #[arg(long)]
    resource: Option<String>,
    /// Only about the resource of this name
    #[arg(long)]
    name: Option<String>,
    /// How many of the past to show
    #[arg(long, short = 'n', default_value_t = 20)]
    lines: u16,
}

/// Between attempts to connect again.
const RETRY: Duration = Duration::from_secs(1);

/// Does it.
pub fn run(args: &EventsArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        let mut query = Vec::new();
        for (key, value) in [("kind", &args.kind), ("resource", &args.resource), ("name", &args.name)] {
            query.extend(value.as_ref().map(|value| (key, value.clone())));
        }
        let mut last = None;
        if args.lines > 0 {
            let mut past = query.clone();
            past.push(("limit", args.lines.min(1000).to_string()));
            let page = api.ask(Method::GET, "/v1/events", &past, None).await?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            last = items.first().map(|event| event["id"].to_string());
            items.iter().rev().for_each(|event| print(event, args.json));
        }
        if args.follow {
            follow(&api, &query, last, args.json).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Only the first connection may fail for good.
async fn follow(
    api: &Api,
    query: &[(&str, String)],
    mut last: Option<String>,
    as_json: bool,
) -> Result<(), String> {
    let mut stream = api.stream("/v1/events", query, last.as_deref()).await?;
    loop {
        let mut parser = Parser::default();
        while let Ok(Some(bytes)) = stream.chunk().await {
            for message in parser.feed(&bytes)? {
                if !message.id.is_empty() {
                    last = Some(message.id);
                }
                if let Ok(event) = serde_json::from_str(&message.data) {
                    print(&event, as_json);
                }
            }
        }
        complain("the connection is lost; trying again");
        stream = loop {
            tokio::time::sleep(RETRY).await;
            if let Ok(stream) = api.stream("/v1/events", query, last.as_deref()).await {
                break stream;
            }
        };
    }
}

fn print(event: &Value, as_json: bool) {
    if as_json {
        say(&event.to_string());
        return;
    }
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let line = format!("{}  {:<22} {}  {}", text("at"), text("kind"), text("name"), event["data"]);
    say(&Cell::new(line).into_text());
}
