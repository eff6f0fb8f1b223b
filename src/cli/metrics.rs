//! `fuseboard metrics`: push, list, show, delete.

mod read;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fuseboard::domain::label_set::is_metric_name;
use reqwest::Method;
use serde_json::{Value, json};

use self::read::Lines;
use super::{
    api::{self, Api, ApiArgs},
    complain, finite, items, label, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Samples of one request.
const BATCH: usize = 1_000;

/// Flags of `fuseboard metrics`.
#[derive(Debug, Args)]
pub struct MetricsArgs {
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
    /// Push a number, or with `-` all lines of standard input; exit 1 if any is refused
    Push(PushArgs),
    /// List all series
    List {
        /// Only metrics whose names begin so
        #[arg(long)]
        prefix: Option<String>,
    },
    /// Show a metric with its series
    Show {
        /// Its name
        #[arg(value_parser = metric_name)]
        name: String,
    },
    /// Forget a metric with its series
    Delete {
        /// Its name
        #[arg(value_parser = metric_name)]
        name: String,
    },
}

#[derive(Debug, Args)]
struct PushArgs {
    /// The metric's name; `-` for lines `name{label="value"} number` on standard input, in Prometheus' text format. What
    /// they say of types counts more than --type; a counter's number is added to it
    name: String,
    /// The number; of a counter, what to add [default: 1]; of a timer, seconds
    #[arg(allow_hyphen_values = true, value_parser = finite)]
    value: Option<f64>,
    /// What the metric is
    #[arg(long = "type", value_name = "TYPE", default_value = "gauge", value_parser = ["counter", "gauge", "timer"])]
    kind: String,
    /// What to do to a gauge [default: set]
    #[arg(long, value_parser = ["set", "increment", "decrement"])]
    op: Option<String>,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Forget the series so many seconds after its last sample
    #[arg(long, value_name = "SECONDS", value_parser = finite)]
    ttl: Option<f64>,
    /// What the metric is about
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
}

fn metric_name(text: &str) -> Result<String, String> {
    if is_metric_name(text) {
        return Ok(text.to_owned());
    }
    Err("a name is made of a-z A-Z 0-9 _ : and does not start with a digit".to_owned())
}

impl PushArgs {
    /// The samples to push, as on the wire.
    fn samples(&self) -> Result<Vec<Value>, String> {
        if self.name != "-" {
            let sample = json!({ "name": self.name, "type": self.kind, "op": self.op, "value": self.value,
                "help": self.about });
            return Ok(vec![self.finished(sample, Vec::new())]);
        }
        if self.value.is_some() || self.op.is_some() || self.about.is_some() {
            return Err("a number, --op and --about are for one metric, not for lines".to_owned());
        }
        let lines = Lines::read(std::io::stdin().lock(), &self.kind)?;
        Ok(lines.0.into_iter().map(|line| self.finished(line.sample, line.labels)).collect())
    }

    /// With the labels of the line, those of the command, and the time to live.
    fn finished(&self, mut sample: Value, own: Vec<(String, String)>) -> Value {
        let labels = own.into_iter().chain(self.labels.iter().cloned());
        sample["labels"] = labels.map(|(name, value)| (name, Value::from(value))).collect();
        sample["ttl_seconds"] = json!(self.ttl);
        sample
    }
}

/// Does it.
pub fn run(args: &MetricsArgs) -> ExitCode {
    api::run(&args.api, async |api| match &args.action {
        Action::Push(push) => push_all(&api, &push.samples()?, args.json).await,
        Action::List { prefix } => {
            let query: Vec<_> = prefix.iter().map(|prefix| ("prefix", prefix.clone())).collect();
            let view = api.ask(Method::GET, "/v1/metrics", &query, None).await?;
            say(&if args.json { view.to_string() } else { listed(&view) });
            Ok(ExitCode::SUCCESS)
        }
        Action::Show { name } => {
            let view = api.ask(Method::GET, &format!("/v1/metrics/{name}"), &[], None).await?;
            say(&if args.json { view.to_string() } else { shown(&view) });
            Ok(ExitCode::SUCCESS)
        }
        Action::Delete { name } => {
            api.send(Method::DELETE, &format!("/v1/metrics/{name}"), &[], None).await?;
            Ok(ExitCode::SUCCESS)
        }
    })
}

async fn push_all(api: &Api, samples: &[Value], as_json: bool) -> Result<ExitCode, String> {
    let mut is_refused = false;
    for batch in samples.chunks(BATCH) {
        let answer = api.ask(Method::POST, "/v1/metrics", &[], Some(&json!({ "samples": batch }))).await?;
        let rejected = answer["rejected"].as_array().map(Vec::as_slice).unwrap_or_default();
        is_refused |= !rejected.is_empty();
        if as_json {
            say(&answer.to_string());
            continue;
        }
        for one in rejected {
            let place = one["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            let name = place.and_then(|place| batch.get(place)).map(|sample| &sample["name"]);
            let name = name.and_then(Value::as_str).unwrap_or_default();
            complain(
                &Cell::new(format!("{name}: {}", one["message"].as_str().unwrap_or("refused"))).into_text(),
            );
        }
        for alert in items(&answer["alerts"]) {
            let text = |field: &str| alert[field].as_str().unwrap_or_default().to_owned();
            say(&Cell::new(format!("alert ({}): {}", text("level"), text("message"))).into_text());
        }
    }
    Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn listed(view: &Value) -> String {
    let mut rows = Vec::new();
    for (section, kind) in [("counters", "counter"), ("gauges", "gauge"), ("timers", "timer")] {
        for (series, value) in view[section].as_object().into_iter().flatten() {
            rows.push(vec![Cell::new(series), Cell::new(kind), number(value)]);
        }
    }
    table(&["SERIES", "TYPE", "VALUE"], &rows, is_colourful())
}

fn shown(view: &Value) -> String {
    let text = |field: &str| view[field].as_str().unwrap_or_default();
    let mut head = format!("{}  {}  as {} for Prometheus", text("name"), text("type"), text("exposed_as"));
    if let Some(help) = view["help"].as_str() {
        head = format!("{head}\n{help}");
    }
    let head: Vec<_> = head.lines().map(|line| Cell::new(line).into_text()).collect();
    let rows: Vec<_> = items(&view["series"]).map(row).collect();
    format!("{}\n\n{}", head.join("\n"), table(&["LABELS", "VALUE", "UPDATED", "TTL"], &rows, is_colourful()))
}

fn row(series: &Value) -> Vec<Cell> {
    let labels = series["labels"].as_object().into_iter().flatten();
    let labels: Vec<_> =
        labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("?"))).collect();
    let is_overflow = series["labels"]["overflow"] == "true";
    let labels = Cell::new(labels.join(" "));
    vec![
        if is_overflow { labels.painted(Paint::Warn) } else { labels },
        number(&series["value"]),
        Cell::of(&series["updated_at"]),
        Cell::new(series["ttl_seconds"].as_f64().map(|ttl| format!("{ttl} s")).unwrap_or_default()),
    ]
}

/// A number to its last digit; of a timer, what one asks first.
fn number(value: &Value) -> Cell {
    match value {
        Value::Object(timer) => {
            let part = |field: &str| timer.get(field).and_then(Value::as_f64).unwrap_or_default();
            Cell::new(format!(
                "{} times, mean {:.3} s, p95 {:.3} s, max {:.3} s",
                part("count"),
                part("mean"),
                part("p95"),
                part("max")
            ))
        }
        value => Cell::new(value.as_f64().map(|number| number.to_string()).unwrap_or_default()),
    }
}
