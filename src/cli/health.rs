//! `fuseboard health`: how the checks are.

use std::{fmt::Write, process::ExitCode};

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::{
    api::{self, ApiArgs},
    table::{Cell, is_colourful},
};

/// Flags of `fuseboard health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// The checks to report on; all, if none is named
    #[arg(value_name = "CHECK")]
    checks: Vec<String>,
}

/// Prints the report. The exit status is 1 if all of it is red, 2 if the server can't be asked, else 0.
pub fn run(args: &HealthArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        let query: Vec<_> =
            (!args.checks.is_empty()).then(|| ("checks", args.checks.join(","))).into_iter().collect();
        let report = api.ask(Method::GET, "/v1/health", &query, None).await?;
        if args.json {
            super::say(&serde_json::to_string_pretty(&report).unwrap_or_default());
        } else {
            super::say(render(&report, is_colourful()).trim_end());
        }
        Ok(ExitCode::from(u8::from(report["overall_status"] == "red")))
    })
}

/// A status in capitals, padded, in its colour.
pub fn paint(status: &str, colours: bool) -> String {
    coloured(&format!("{:<6}", status.to_uppercase()), status, colours)
}

/// A word in the colour of a status.
pub fn coloured(word: &str, status: &str, colours: bool) -> String {
    let code = match status {
        "green" => 32,
        "yellow" => 33,
        _ => 31,
    };
    if colours { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
}

/// Text from anywhere, safe to print.
pub fn plain(text: &str) -> String {
    Cell::new(text).into_text()
}

/// The report, a line for each check.
pub fn render(report: &Value, colours: bool) -> String {
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    let overall = text(&report["overall_status"]);
    let word = coloured(&overall.to_uppercase(), &overall, colours);
    let mut out = format!("Health: {word}  {}\n", text(&report["timestamp"]));
    let Some(checks) = report["checks"].as_object() else { return out };
    let width = checks.keys().map(String::len).max().unwrap_or_default();
    for (name, check) in checks {
        let status = paint(&text(&check["status"]), colours);
        let mut notes = Vec::new();
        if check["stale"] == true {
            notes.push("stale".to_owned());
        }
        if check["critical"] == false {
            notes.push("not critical".to_owned());
        }
        if let Some(age) = check["age_seconds"].as_f64() {
            notes.push(format!("{} ago", span(age)));
        }
        let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
        // Writing to a String does not fail.
        let _ = writeln!(out, "  {status}  {:<width$}  {}{notes}", plain(name), text(&check["message"]));
        if let Some(error) = check["error"].as_str() {
            let _ = writeln!(out, "          {:width$}  {}", "", plain(error));
        }
    }
    out
}

/// A span for people.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_report_is_a_line_for_each_check() {
        let report = json!({ "overall_status": "red", "timestamp": "2027-01-15T08:00:00Z", "checks": {
            "backtest": { "status": "green", "message": "engine importable", "age_seconds": 12.0, "error": null,
                "stale": false, "critical": true },
            "risk": { "status": "red", "message": "late\u{1b}[2J", "age_seconds": 7300.0, "error": "no\nping",
                "stale": true, "critical": false },
            "new": { "status": "red", "message": "no result yet", "age_seconds": null, "error": null,
                "stale": true, "critical": true } } });
        let wanted = "\
Health: RED  2027-01-15T08:00:00Z
  GREEN   backtest  engine importable  (12 s ago)
  RED     new       no result yet  (stale)
  RED     risk      late\\u{1b}[2J  (stale, not critical, 2 h ago)
                    no\\nping
";
        assert_eq!(render(&report, false), wanted);
        let coloured = render(&report, true);
        assert!(coloured.starts_with("Health: \u{1b}[31mRED\u{1b}[0m  "), "{coloured:?}");
        assert!(coloured.contains("  \u{1b}[32mGREEN \u{1b}[0m  backtest"), "{coloured:?}");
    }
}
