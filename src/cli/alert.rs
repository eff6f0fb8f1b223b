//! `fuseboard alert`: list, show, ack, check, delete, clear, threshold.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    api::{self, Api, ApiArgs},
    definition::Definition,
    document, finite, items, label, name, print, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Flags of `fuseboard alert`.
#[derive(Debug, Args)]
pub struct AlertArgs {
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
    /// List alerts, newest first
    List {
        /// Only in this state: firing or resolved
        #[arg(long, value_parser = ["firing", "resolved"])]
        state: Option<String>,
        /// Only of this level: info, warning, error or critical
        #[arg(long, value_parser = ["info", "warning", "error", "critical"])]
        level: Option<String>,
        /// Only on this metric
        #[arg(long, value_name = "NAME")]
        metric: Option<String>,
        /// Only of this threshold
        #[arg(long, value_name = "ID")]
        threshold: Option<String>,
        /// Only those that fired then or later, such as 2026-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// How many at most, up to 1000
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u16,
    },
    /// Show an alert and what happened to it
    Show {
        /// Its number
        id: i64,
    },
    /// Note that you have seen an alert
    Ack {
        /// Its number
        id: i64,
        /// What there is to say
        #[arg(long)]
        comment: Option<String>,
        /// Who says it [default: the token's name]
        #[arg(long)]
        actor: Option<String>,
    },
    /// Check a value: exit 1 if it is reason for an alert
    Check {
        /// The metric
        metric: String,
        /// Its value
        #[arg(allow_negative_numbers = true, value_parser = finite)]
        value: f64,
        /// A label of the series
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
    },
    /// Delete alerts that are over
    Delete {
        /// Their numbers
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
    /// Delete all alerts that are over, or those that the flags choose
    Clear(ClearArgs),
    /// Thresholds
    #[command(subcommand)]
    Threshold(ThresholdAction),
}

#[derive(Debug, Subcommand)]
enum ThresholdAction {
    /// List thresholds
    List {
        /// Only those that look at this metric
        #[arg(long, value_name = "NAME")]
        metric: Option<String>,
    },
    /// Show a threshold
    Show {
        /// Its id
        #[arg(value_parser = name)]
        id: Name,
    },
    /// Declare a threshold, such as: fuseboard alert threshold add drawdown '>' 0.15
    Add(AddArgs),
    /// By the document: put and delete
    #[command(flatten)]
    Definition(Definition),
}

#[derive(Debug, Args)]
struct ClearArgs {
    /// Only on this metric
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Only of this threshold
    #[arg(long, value_name = "ID")]
    threshold: Option<String>,
    /// Only of this level
    #[arg(long, value_parser = ["info", "warning", "error", "critical"])]
    level: Option<String>,
    /// Only those that fired then or later, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those that fired before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl ClearArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("metric_name", &self.metric),
            ("threshold_id", &self.threshold),
            ("level", &self.level),
            ("since", &self.since),
            ("until", &self.until),
        ];
        given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }
}

#[derive(Debug, Args)]
struct AddArgs {
    /// The metric
    metric: String,
    /// How a value breaches it
    #[arg(value_parser = [">", "<", ">=", "<=", "==", "!="])]
    comparison: String,
    /// What values are compared with
    #[arg(allow_negative_numbers = true, value_parser = finite)]
    threshold: f64,
    /// Its id [default: made from the definition]
    #[arg(long, value_parser = name)]
    id: Option<Name>,
    /// How grave it is
    #[arg(long, value_parser = ["info", "warning", "error", "critical"])]
    level: Option<String>,
    /// The message, as for Python's str.format: 'too high: {value:.2%}'
    #[arg(long, value_name = "TEMPLATE")]
    message: Option<String>,
    /// Seconds for which a value must breach it
    #[arg(long = "for", value_name = "SECONDS", value_parser = finite)]
    wait: Option<f64>,
    /// Seconds for which values must be well again
    #[arg(long, value_name = "SECONDS", value_parser = finite)]
    keep_firing_for: Option<f64>,
    /// Only series with this label
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
}

fn object(labels: &[(String, String)]) -> Value {
    labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>().into()
}

/// Does it.
pub fn run(args: &AlertArgs) -> ExitCode {
    api::run(&args.api, async |api| match &args.action {
        Action::List { state, level, metric, threshold, since, limit } => {
            let given = [
                ("state", state),
                ("level", level),
                ("metric_name", metric),
                ("threshold_id", threshold),
                ("since", since),
            ];
            let mut query = vec![("limit", limit.to_string())];
            query.extend(given.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
            let page = api.ask(Method::GET, "/v1/alerts", &query, None).await?;
            print(args.json, &page["items"], |list| print_alerts(items(list)));
            Ok(ExitCode::SUCCESS)
        }
        Action::Show { id } => {
            let alert = api.ask(Method::GET, &format!("/v1/alerts/{id}"), &[], None).await?;
            let events = api.list(&format!("/v1/alerts/{id}/events"), &[]).await?;
            print(args.json, &alert, |alert| show(alert, &events));
            Ok(ExitCode::SUCCESS)
        }
        Action::Ack { id, comment, actor } => {
            let body = json!({ "comment": comment, "actor": actor });
            let path = format!("/v1/alerts/{id}/acknowledge");
            let alert = api.ask(Method::POST, &path, &[], Some(&body)).await?;
            print(args.json, &alert, |alert| print_alerts([alert]));
            Ok(ExitCode::SUCCESS)
        }
        Action::Check { metric, value, labels } => {
            let body = json!({ "metric_name": metric, "value": value, "labels": object(labels) });
            let answer = api.ask(Method::POST, "/v1/alerts/check", &[], Some(&body)).await?;
            print(args.json, &answer["alerts"], |list| print_alerts(items(list)));
            let is_well = answer["alerts"].as_array().is_none_or(Vec::is_empty);
            Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Action::Delete { ids } => {
            for id in ids {
                api.send(Method::DELETE, &format!("/v1/alerts/{id}"), &[], None).await?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Action::Clear(clear) => {
            let cleared = api.ask(Method::DELETE, "/v1/alerts", &clear.query(), None).await?;
            print(args.json, &cleared, |cleared| say(&format!("{} deleted", cleared["deleted"])));
            Ok(ExitCode::SUCCESS)
        }
        Action::Threshold(action) => thresholds(&api, args.json, action).await,
    })
}

async fn thresholds(api: &Api, as_json: bool, action: &ThresholdAction) -> Result<ExitCode, String> {
    match action {
        ThresholdAction::List { metric } => {
            let query: Vec<_> = metric.clone().map(|metric| ("metric_name", metric)).into_iter().collect();
            let list = api.list("/v1/thresholds", &query).await?;
            print(as_json, &Value::from(list), |list| print_thresholds(items(list)));
        }
        ThresholdAction::Show { id } => {
            let threshold = api.ask(Method::GET, &format!("/v1/thresholds/{id}"), &[], None).await?;
            print(as_json, &threshold, |threshold| {
                print_thresholds([threshold]);
                say("");
                document(&threshold["config"]);
            });
        }
        ThresholdAction::Add(add) => {
            let body = add.document();
            let threshold = match &add.id {
                Some(id) => api.ask(Method::PUT, &format!("/v1/thresholds/{id}"), &[], Some(&body)).await?,
                None => api.ask(Method::POST, "/v1/thresholds", &[], Some(&body)).await?,
            };
            print(as_json, &threshold, |threshold| print_thresholds([threshold]));
        }
        ThresholdAction::Definition(definition) => {
            let declared = definition.apply(api, "/v1/thresholds").await?;
            if let Some(threshold) = declared {
                print(as_json, &threshold, |threshold| print_thresholds([threshold]));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl AddArgs {
    fn document(&self) -> Value {
        let mut document = json!({
            "metric_name": self.metric, "comparison": self.comparison, "threshold": self.threshold,
        });
        let optional = [
            ("level", self.level.as_ref().map(|level| json!(level))),
            ("message_template", self.message.as_ref().map(|message| json!(message))),
            ("for_seconds", self.wait.map(|seconds| json!(seconds))),
            ("keep_firing_for_seconds", self.keep_firing_for.map(|seconds| json!(seconds))),
            ("labels", (!self.labels.is_empty()).then(|| object(&self.labels))),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                document[field] = value;
            }
        }
        document
    }
}

fn show(alert: &Value, events: &[Value]) {
    print_alerts([alert]);
    say("");
    let row = |event: &Value| {
        let said = &event["data"]["acknowledged"];
        let comment =
            if event["kind"] == "alert.acknowledged" { Cell::of(&said["comment"]) } else { Cell::new("") };
        let by = if event["kind"] == "alert.acknowledged" { Cell::of(&said["by"]) } else { Cell::new("") };
        vec![Cell::of(&event["at"]), Cell::of(&event["kind"]), by, comment]
    };
    let rows: Vec<_> = events.iter().map(row).collect();
    say(&table(&["AT", "WHAT", "WHO", "COMMENT"], &rows, false));
    say("");
    document(alert);
}

fn print_alerts<'a>(alerts: impl IntoIterator<Item = &'a Value>) {
    let heads = ["ID", "STATE", "LEVEL", "METRIC", "LABELS", "SINCE", "UNTIL", "SEEN BY", "MESSAGE"];
    let row = |alert: &Value| {
        vec![
            Cell::of(&alert["id"]),
            state(alert),
            level(alert),
            Cell::of(&alert["metric_name"]),
            Cell::new(labels(&alert["labels"])),
            Cell::of(&alert["started_at"]),
            Cell::of(&alert["resolved_at"]),
            Cell::of(&alert["acknowledged"]["by"]),
            Cell::of(&alert["message"]),
        ]
    };
    let rows: Vec<_> = alerts.into_iter().map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}

fn print_thresholds<'a>(thresholds: impl IntoIterator<Item = &'a Value>) {
    let heads = ["ID", "METRIC", "LABELS", "BREACHED BY", "FOR", "LEVEL", "PENDING", "FIRING"];
    let row = |threshold: &Value| {
        let config = &threshold["config"];
        let rule = format!("{} {}", config["comparison"].as_str().unwrap_or_default(), config["threshold"]);
        let rule = if threshold["enabled"] == false {
            Cell::new("disabled").painted(Paint::Warn)
        } else {
            Cell::new(rule)
        };
        let firing = Cell::of(&threshold["firing"]);
        vec![
            Cell::of(&threshold["id"]),
            Cell::of(&threshold["metric_name"]),
            Cell::new(labels(&config["labels"])),
            rule,
            Cell::new(format!("{} s", config["for_seconds"])),
            level(threshold),
            Cell::of(&threshold["pending"]),
            if threshold["firing"] == 0 { firing } else { firing.painted(Paint::Bad) },
        ]
    };
    let rows: Vec<_> = thresholds.into_iter().map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}

fn state(alert: &Value) -> Cell {
    let cell = Cell::of(&alert["state"]);
    cell.painted(if alert["state"] == "firing" { Paint::Bad } else { Paint::Good })
}

fn level(of: &Value) -> Cell {
    let cell = Cell::of(&of["level"]);
    match of["level"].as_str() {
        Some("warning") => cell.painted(Paint::Warn),
        Some("error" | "critical") => cell.painted(Paint::Bad),
        _ => cell,
    }
}

fn labels(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    let text: Vec<_> =
        pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    text.join(",")
}
