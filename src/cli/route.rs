//! `fuseboard route`: who is told of which alerts.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    api::{self, ApiArgs},
    definition::Resource,
    items,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard route`.
#[derive(Debug, Args)]
pub struct RouteArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print the server's JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Resource,
}

/// Does it.
pub fn run(args: &RouteArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        args.action.run(&api, "/v1/routes", args.json, rendered).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn rendered(routes: &[Value]) -> String {
    let heads = ["NAME", "MATCHERS", "RECEIVER", "GROUPED BY", "MISSING"];
    let all = |list: &Value| items(list).filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let row = |route: &Value| {
        let config = &route["config"];
        vec![
            Cell::of(&route["name"]),
            Cell::new(all(&config["matchers"])),
            Cell::of(&config["receiver"]),
            Cell::new(all(&config["group_by"])),
            Cell::new(all(&route["missing_receivers"])).painted(Paint::Bad),
        ]
    };
    table(&heads, &routes.iter().map(row).collect::<Vec<_>>(), is_colourful())
}
