//! `fuseboard receiver`: list, show, test, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, ApiArgs},
    definition::Resource,
    name, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard receiver`.
#[derive(Debug, Args)]
pub struct ReceiverArgs {
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
    #[command(flatten)]
    Resource(Resource),
    /// Send a receiver a notification that is about nothing; exit 1 if it does not take it
    Test {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
}

/// Does it.
pub fn run(args: &ReceiverArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        match &args.action {
            Action::Resource(resource) => {
                resource.run(&api, "/v1/receivers", args.json, rendered).await?;
            }
            Action::Test { name } => {
                let path = format!("/v1/receivers/{name}/test");
                let result = api.ask(Method::POST, &path, &[], Some(&json!({}))).await?;
                let delivered = result["delivered"] == true;
                if args.json {
                    say(&result.to_string());
                } else if delivered {
                    say(&format!("delivered in {} s", Cell::of(&result["duration_seconds"]).into_text()));
                } else {
                    say(&format!("not delivered: {}", Cell::of(&result["error"]).into_text()));
                }
                return Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn rendered(receivers: &[Value]) -> String {
    let heads = ["NAME", "KIND", "WHERE", "PENDING"];
    let row = |receiver: &Value| {
        let config = &receiver["config"];
        let to = config["to"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let place = match config["url"].as_str() {
            Some(url) => Cell::new(url),
            None => Cell::new(to.collect::<Vec<_>>().join(" ")),
        };
        let pending = Cell::of(&receiver["pending_notifications"]);
        let waits = receiver["pending_notifications"] != 0;
        vec![
            Cell::of(&receiver["name"]),
            Cell::of(&receiver["kind"]),
            place,
            if waits { pending.painted(Paint::Warn) } else { pending },
        ]
    };
    table(&heads, &receivers.iter().map(row).collect::<Vec<_>>(), is_colourful())
}
