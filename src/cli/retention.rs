//! `fuseboard retention`: which backups are kept.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    definition::ResourceArgs,
    table::{Cell, is_colourful, table},
};

/// Does it.
pub fn run(args: &ResourceArgs) -> ExitCode {
    args.run("/v1/retention", rendered)
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
