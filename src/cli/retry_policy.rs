//! `fuseboard retry-policy`: list, show, attempt, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::answered,
    api::{self, ApiArgs},
    definition::Resource,
    finite, name,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard retry-policy`.
#[derive(Debug, Args)]
pub struct RetryPolicyArgs {
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
    /// Ask for an attempt; the answer says how long to wait before it; exit 1 if it is refused
    Attempt {
        /// The policy's name
        #[arg(value_parser = name)]
        name: Name,
        /// Its number; 1 is the first try, 2 the first retry
        attempt: u32,
        /// What the upstream's `Retry-After` said
        #[arg(long, value_name = "SECONDS", value_parser = finite)]
        retry_after: Option<f64>,
        /// Who asks
        #[arg(long)]
        client: Option<String>,
    },
}

/// Does it.
pub fn run(args: &RetryPolicyArgs) -> ExitCode {
    api::run(&args.api, async |api| match &args.action {
        Action::Resource(resource) => {
            resource.run(&api, "/v1/retry-policies", args.json, rendered).await?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Attempt { name, attempt, retry_after, client } => {
            let body = json!({ "attempt": attempt, "retry_after_seconds": retry_after, "client": client });
            let path = format!("/v1/retry-policies/{name}/attempts");
            Ok(answered(args.json, &api.ask(Method::POST, &path, &[], Some(&body)).await?, "allowed"))
        }
    })
}

fn rendered(policies: &[Value]) -> String {
    let heads =
        ["NAME", "ATTEMPTS", "FIRST DELAY", "MOST DELAY", "BUDGET LEFT", "CALLS", "RETRIES", "REFUSED"];
    let row = |policy: &Value| {
        let config = &policy["config"];
        let left = Cell::of(&policy["budget_remaining"]);
        vec![
            Cell::of(&policy["name"]),
            Cell::of(&config["max_attempts"]),
            Cell::new(format!("{} s", config["initial_delay_seconds"])),
            Cell::new(format!("{} s", config["max_delay_seconds"])),
            if policy["budget_remaining"] == 0 { left.painted(Paint::Bad) } else { left },
            Cell::of(&policy["total_calls"]),
            Cell::of(&policy["total_retries"]),
            Cell::of(&policy["refused_retries"]),
        ]
    };
    table(&heads, &policies.iter().map(row).collect::<Vec<_>>(), is_colourful())
}
