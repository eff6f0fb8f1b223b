//! `fuseboard retention`: which backups are kept.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    api::{self, ApiArgs},
    definition::Resource,
    table::{Cell, is_colourful, table},
};

/// Flags of `fuseboard retention`.
#[derive(Debug, Args)]
pub struct RetentionArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print the server's JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Resource,
}

/// Does it.
pub fn run(args: &RetentionArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        args.action.run(&api, "/v1/retention", args.json, rendered).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn rendered(rules: &[Value]) -> String {
    let heads = ["TYPE", "LAST", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY", "DAYS"];
    let fields = [
        "keep_last",
        "keep_hourly",
        "keep_daily",
        "keep_weekly",
        "keep_monthly",
        "keep_yearly",
        "retention_days",
    ];
    let row = |rule: &Value| {
        let kept = fields.map(|field| Cell::of(&rule["config"][field]));
        [vec![Cell::of(&rule["backup_type"])], kept.into()].concat()
    };
    table(&heads, &rules.iter().map(row).collect::<Vec<_>>(), is_colourful())
}
