//! `fuseboard maintenance-window`: when nobody is told of which alerts.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    definition::ResourceArgs,
    items,
    table::{Cell, Paint, is_colourful, table},
};

/// Does it.
pub fn run(args: &ResourceArgs) -> ExitCode {
    args.run("/v1/maintenance-windows", rendered)
}

fn rendered(windows: &[Value]) -> String {
    let heads = ["NAME", "STATE", "OPENS", "CLOSES", "MATCHERS", "COMMENT"];
    let row = |window: &Value| {
        let config = &window["config"];
        let state = if window["is_open"] == true {
            Cell::new("open").painted(Paint::Warn)
        } else if config["enabled"] == false {
            Cell::new("disabled")
        } else {
            Cell::new("closed")
        };
        let matchers = items(&config["matchers"]).filter_map(Value::as_str).collect::<Vec<_>>();
        vec![
            Cell::of(&window["name"]),
            state,
            Cell::of(&window["opens_at"]),
            Cell::of(&window["closes_at"]),
            Cell::new(matchers.join(" ")),
            Cell::of(&config["comment"]),
        ]
    };
    table(&heads, &windows.iter().map(row).collect::<Vec<_>>(), is_colourful())
}
