//! What an operator does to what is selected.

use serde_json::{Value, json};

use super::{Ui, Wish};
use crate::cli::top::{
    board::Board,
    cell::Tone,
    kind::Kind,
    prompt::{Post, Prompt},
};

/// What the board runs itself.
const RUNS: [&str; 4] = ["http", "tcp", "breaker", "metric"];

impl Ui {
    /// What keys act on.
    pub fn target(&self) -> Option<(Kind, &str)> {
        let open = self.detail.as_ref().map(|detail| &detail.entry);
        open.or_else(|| self.entries.get(self.at))?.target()
    }

    /// Keys that do something to what is selected, and what they do.
    pub fn acts(&self, board: &Board) -> Vec<(char, &'static str)> {
        let Some((kind, name)) = self.target().filter(|_| board.session.may_write()) else {
            return Vec::new();
        };
        let Some(item) = board.list(kind).get(name) else { return Vec::new() };
        let state = item.view["state"].as_str();
        let mut acts = match kind {
            Kind::Breaker => vec![('r', "reset"), ('t', "trip"), ('d', "disable"), ('m', "only count")],
            Kind::Limiter => vec![('p', "hold back")],
            Kind::Check if item.view["kind"].as_str().is_some_and(|kind| RUNS.contains(&kind)) => {
                vec![('x', "run")]
            }
            Kind::Schedule => vec![('x', "run")],
            Kind::Gate => vec![('x', "evaluate")],
            Kind::Check | Kind::Alert => Vec::new(),
        };
        let held = match state {
            Some("forced_open") => 't',
            Some("disabled") => 'd',
            Some("metrics_only") => 'm',
            _ => ' ',
        };
        acts.retain(|(key, _)| *key != held);
        if let Some((_, alert)) = alert_about(board, kind, name) {
            if alert["acknowledged"].is_null() {
                acts.push(('a', "acknowledge"));
            }
            acts.push(('s', "silence"));
        } else if own_metric(kind).is_some() {
            acts.push(('s', "silence"));
        }
        acts
    }

    /// A key was pressed that does something.
    pub(super) fn act(&mut self, letter: char, board: &Board) -> Option<Wish> {
        if !board.session.may_write() {
            self.say("this token may only read", Tone::Warn, board.now);
            return None;
        }
        let Some((kind, name)) = self.target().map(|(kind, name)| (kind, name.to_owned())) else {
            if letter == 's' {
                self.prompt = Some(Prompt::silence(&[]));
            }
            return None;
        };
        if !self.acts(board).iter().any(|(key, _)| *key == letter) {
            self.say(&format!("{letter} does nothing here"), Tone::Warn, board.now);
            return None;
        }
        self.prompt = Some(match letter {
            't' => Prompt::force(&name, "forced_open"),
            'd' => Prompt::force(&name, "disabled"),
            'm' => Prompt::force(&name, "metrics_only"),
            'r' => Prompt::reset(&name),
            'p' => Prompt::penalize(&name),
            'a' => {
                let (id, alert) = alert_about(board, kind, &name)?;
                Prompt::acknowledge(id, alert)
            }
            's' => silence(board, kind, &name),
            _ => return Some(Wish::Post(run(kind, &name))),
        });
        None
    }
}

/// The metric of the board's own alerts about resources of a kind, and the label that names them.
const fn own_metric(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Breaker => Some(("fuseboard_breaker_open", "breaker")),
        Kind::Check => Some(("fuseboard_check_red", "check")),
        Kind::Schedule => Some(("fuseboard_schedule_missed", "schedule")),
        Kind::Gate | Kind::Alert | Kind::Limiter => None,
    }
}

/// The alert that fires about a resource.
fn alert_about<'a>(board: &'a Board, kind: Kind, name: &str) -> Option<(&'a str, &'a Value)> {
    if kind == Kind::Alert {
        let (id, item) = board.items(Kind::Alert).find(|(id, _)| *id == name)?;
        return Some((id, &item.view));
    }
    let (metric, label) = own_metric(kind)?;
    let mut alerts = board.items(Kind::Alert).map(|(id, item)| (id, &item.view));
    alerts.find(|(_, view)| view["metric_name"] == metric && view["labels"][label] == name)
}

fn silence(board: &Board, kind: Kind, name: &str) -> Prompt {
    match (alert_about(board, kind, name), own_metric(kind)) {
        (Some((_, alert)), _) => {
            let pairs = alert["labels"].as_object().into_iter().flatten();
            let pairs = pairs.filter_map(|(label, value)| Some((label.as_str(), value.as_str()?)));
            let named = alert["metric_name"].as_str().filter(|name| !name.is_empty());
            let named = named.map(|name| ("alertname", name));
            Prompt::silence(&named.into_iter().chain(pairs).collect::<Vec<_>>())
        }
        (None, Some((metric, label))) => Prompt::silence(&[("alertname", metric), (label, name)]),
        (None, None) => Prompt::silence(&[]),
    }
}

fn run(kind: Kind, name: &str) -> Post {
    let (path, body, said) = match kind {
        Kind::Check => ("/v1/health/run".to_owned(), json!({ "checks": [name] }), format!("{name} was run")),
        Kind::Gate => (format!("/v1/gates/{name}/evaluate"), json!({}), format!("{name} was evaluated")),
        _ => (format!("/v1/schedules/{name}/run"), json!({}), format!("{name} runs")),
    };
    Post { path, body, about: Some((kind, name.to_owned())), said }
}
