//! `fuseboard gate`: may I go? And list, show, put.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, ApiArgs},
    definition::Resource,
    health::{coloured, paint, plain},
    items,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard gate`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct GateArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The gate to ask
    #[arg(value_name = "NAME", group = "what", conflicts_with_all = ["checks", "breakers", "max_status"])]
    name: Option<String>,
    /// Without a gate: checks that must be well
    #[arg(long, value_delimiter = ',', value_name = "CHECK,…", group = "what")]
    checks: Vec<String>,
    /// Without a gate: breakers that must let pass
    #[arg(long, value_delimiter = ',', value_name = "BREAKER,…", group = "what")]
    breakers: Vec<String>,
    /// Without a gate: the worst status that passes, green or yellow
    #[arg(long, value_name = "STATUS", value_parser = ["green", "yellow"])]
    max_status: Option<String>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(flatten)]
    Resource(Resource),
}

/// Asks the gate. The exit status is 0 if it lets pass, 1 if not, 2 if it can't be asked.
pub fn run(args: &GateArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        if let Some(Action::Resource(resource)) = &args.action {
            resource.run(&api, "/v1/gates", args.json, rendered).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let verdict = match &args.name {
            Some(name) if is_one_segment(name) => {
                api.ask(Method::POST, &format!("/v1/gates/{name}/evaluate"), &[], None).await?
            }
            Some(name) => return Err(format!("{name:?} is not the name of a gate")),
            None => {
                let mut gate = json!({ "checks": args.checks, "breakers": args.breakers });
                if let Some(most) = &args.max_status {
                    gate["max_status"] = json!(most);
                }
                api.ask(Method::POST, "/v1/gates/evaluate", &[], Some(&gate)).await?
            }
        };
        if args.json {
            super::say(&serde_json::to_string_pretty(&verdict).unwrap_or_default());
        } else {
            super::say(render(&verdict, is_colourful()).trim_end());
        }
        Ok(ExitCode::from(u8::from(verdict["allowed"] != true)))
    })
}

fn is_one_segment(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
}

fn rendered(gates: &[Value]) -> String {
    let heads = ["NAME", "STATE", "OVERALL", "IN THE WAY", "PASSED", "REFUSED"];
    let row = |gate: &Value| {
        let verdict = &gate["verdict"];
        let state = if verdict["allowed"] == true {
            Cell::new("open").painted(Paint::Good)
        } else {
            Cell::new("closed").painted(Paint::Bad)
        };
        let blocking = items(&verdict["blocking"]).filter_map(|one| one["name"].as_str());
        vec![
            Cell::of(&gate["name"]),
            state,
            Cell::of(&verdict["overall_status"]),
            Cell::new(blocking.collect::<Vec<_>>().join(", ")),
            Cell::of(&gate["allowed_evaluations"]),
            Cell::of(&gate["refused_evaluations"]),
        ]
    };
    table(&heads, &gates.iter().map(row).collect::<Vec<_>>(), is_colourful())
}

fn render(verdict: &Value, colours: bool) -> String {
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    let (word, status) = if verdict["allowed"] == true { ("open", "green") } else { ("closed", "red") };
    let word = coloured(word, status, colours);
    let overall = text(&verdict["overall_status"]);
    let mut lines = vec![format!("Gate: {word}  (overall {overall})")];
    for blocking in verdict["blocking"].as_array().into_iter().flatten() {
        let (kind, name) = (text(&blocking["kind"]).replace('_', " "), text(&blocking["name"]));
        let status = paint(&text(&blocking["status"]), colours);
        lines.push(format!("  {status}  {kind} {name}: {}", text(&blocking["message"])));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_names_what_is_in_the_way() {
        let open = json!({ "allowed": true, "overall_status": "yellow", "blocking": [] });
        assert_eq!(render(&open, false), "Gate: open  (overall yellow)");
        assert_eq!(render(&open, true), "Gate: \u{1b}[32mopen\u{1b}[0m  (overall yellow)");
        let closed = json!({ "allowed": false, "overall_status": "red", "blocking": [
            { "kind": "check_labels", "name": "team=a", "status": "red", "message": "no check has these labels" }] });
        let wanted = "Gate: closed  (overall red)\n  RED     check labels team=a: no check has these labels";
        assert_eq!(render(&closed, false), wanted);
    }
}
