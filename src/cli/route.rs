//! `fuseboard route`: who is told of which alerts.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    definition::ResourceArgs,
    items,
    table::{Cell, Paint, is_colourful, table},
};

/// Does it.
pub fn run(args: &ResourceArgs) -> ExitCode {
    args.run("/v1/routes", rendered)
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
