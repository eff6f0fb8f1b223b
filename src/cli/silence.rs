//! `fuseboard silence`: add, list, show, expire.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use fuseboard::domain::notify::Matcher;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{self, ApiArgs},
    name, print, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard silence`.
#[derive(Debug, Args)]
pub struct SilenceArgs {
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
    /// Silence alerts for a while; prints the silence's id
    Add {
        /// Which alerts: matchers on their labels, which must all match, such as `alertname=disk` or `job=~node.*`
        #[arg(required = true, value_parser = matcher, value_name = "MATCHER")]
        matchers: Vec<String>,
        /// How long: seconds, or such as 90m, 2h, 1d12h
        #[arg(long = "for", default_value = "1h", value_parser = span, value_name = "SPAN")]
        span: Duration,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
        /// Who [default: the token's name]
        #[arg(long)]
        by: Option<String>,
    },
    /// List silences, newest first; without --state those that are not over
    List {
        /// Only in this state: pending, active or expired
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a silence
    Show {
        /// Its id
        #[arg(value_parser = id)]
        id: String,
    },
    /// End silences
    Expire {
        /// Their ids
        #[arg(required = true, value_parser = id, value_name = "ID")]
        ids: Vec<String>,
    },
}

fn matcher(text: &str) -> Result<String, String> {
    Matcher::parse(text).map(|matcher| matcher.to_string())
}

/// A UUID is a name, and so it needs no escape in a path.
fn id(text: &str) -> Result<String, String> {
    name(text).map(|name| name.as_str().to_owned())
}

/// `90`, `90s`, `1h30m`.
pub fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no span, such as 90, 15m, 2h or 1d12h");
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[end] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(wrong()),
        };
        total = count.checked_mul(unit).and_then(|span| total.checked_add(span)).ok_or_else(wrong)?;
        rest = &rest[end + 1..];
    }
    if total == 0 { Err(wrong()) } else { Ok(Duration::from_secs(total)) }
}

/// Does it.
pub fn run(args: &SilenceArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        match &args.action {
            Action::Add { matchers, span, comment, by } => {
                let mut body = json!({
                    "matchers": matchers, "duration_seconds": span.as_secs(), "comment": comment,
                });
                if let Some(by) = by {
                    body["created_by"] = json!(by);
                }
                let silence = api.ask(Method::POST, "/v1/silences", &[], Some(&body)).await?;
                let id = silence["id"].as_str().unwrap_or_default();
                say(&if args.json { silence.to_string() } else { Cell::new(id).into_text() });
            }
            Action::List { state } => {
                let query: Vec<_> = state.clone().map(|state| ("state", state)).into_iter().collect();
                let mut silences = api.list("/v1/silences", &query).await?;
                if state.is_none() {
                    silences.retain(|silence| silence["state"] != "expired");
                }
                if args.json {
                    say(&Value::from(silences).to_string());
                } else {
                    say(&rendered(&silences));
                }
            }
            Action::Show { id } => {
                let silence = api.ask(Method::GET, &format!("/v1/silences/{id}"), &[], None).await?;
                print(args.json, &silence, |silence| say(&rendered(std::slice::from_ref(silence))));
            }
            Action::Expire { ids } => {
                for id in ids {
                    api.send(Method::DELETE, &format!("/v1/silences/{id}"), &[], None).await?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn rendered(silences: &[Value]) -> String {
    let heads = ["ID", "STATE", "MATCHERS", "STARTS", "ENDS", "BY", "COMMENT"];
    let row = |silence: &Value| {
        let matchers = silence["matchers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let state = Cell::of(&silence["state"]);
        vec![
            Cell::of(&silence["id"]),
            if silence["state"] == "active" { state.painted(Paint::Warn) } else { state },
            Cell::new(matchers.collect::<Vec<_>>().join(" ")),
            Cell::of(&silence["starts_at"]),
            Cell::of(&silence["ends_at"]),
            Cell::of(&silence["created_by"]),
            Cell::of(&silence["comment"]),
        ]
    };
    table(&heads, &silences.iter().map(row).collect::<Vec<_>>(), is_colourful())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_seconds_or_have_units() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("1h30m", 5400), ("1d12h", 129_600), ("2w", 1_209_600)]
        {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "soon", "h", "1x", "1h30", "-1h", "99999999999999999999w", "0s"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
