//! `fuseboard notification`: list, show, retry.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, ApiArgs},
    document, items, name, print, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard notification`.
#[derive(Debug, Args)]
pub struct NotificationArgs {
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
    /// List notifications, newest first
    List {
        /// Only in this state: pending, delivered or dead
        #[arg(long)]
        state: Option<String>,
        /// Only for this receiver
        #[arg(long, value_parser = name)]
        receiver: Option<Name>,
        /// How many at most, up to 1000
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u16,
    },
    /// Show a notification and what it says
    Show {
        /// Its number
        id: i64,
    },
    /// Try notifications again that are dead or wait for their next attempt
    Retry {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}

/// Does it.
pub fn run(args: &NotificationArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        match &args.action {
            Action::List { state, receiver, limit } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(state.clone().map(|state| ("state", state)));
                query.extend(receiver.as_ref().map(|name| ("receiver", name.as_str().to_owned())));
                let page = api.ask(Method::GET, "/v1/notifications", &query, None).await?;
                print(args.json, &page["items"], list);
            }
            Action::Show { id } => {
                let one = api.ask(Method::GET, &format!("/v1/notifications/{id}"), &[], None).await?;
                print(args.json, &one, |one| {
                    list(&json!([one]));
                    say("");
                    document(&one["body"]);
                });
            }
            Action::Retry { ids } => {
                let mut retried = Vec::new();
                for id in ids {
                    let path = format!("/v1/notifications/{id}/retry");
                    retried.push(api.ask(Method::POST, &path, &[], Some(&json!({}))).await?);
                }
                print(args.json, &Value::from(retried), list);
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn list(notifications: &Value) {
    let heads = ["ID", "STATE", "RECEIVER", "ALERTS", "CREATED", "ATTEMPTS", "NEXT ATTEMPT", "LAST ERROR"];
    let row = |notification: &Value| {
        let state = Cell::of(&notification["state"]);
        vec![
            Cell::of(&notification["id"]),
            match notification["state"].as_str() {
                Some("delivered") => state.painted(Paint::Good),
                Some("dead") => state.painted(Paint::Bad),
                _ => state.painted(Paint::Warn),
            },
            Cell::of(&notification["receiver"]),
            Cell::new(format!(
                "{} {}",
                notification["alert_count"],
                notification["status"].as_str().unwrap_or_default()
            )),
            Cell::of(&notification["created_at"]),
            Cell::of(&notification["attempts"]),
            Cell::of(&notification["next_attempt_at"]),
            Cell::of(&notification["last_error"]),
        ]
    };
    let rows: Vec<_> = items(notifications).map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}
