//! The board as Alertmanager's clients see it: alerts with who is told of them, groups, and the routes as its configuration.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};

use super::{
    AppError, Board,
    alerts::{ExternalAlert, external::RESOLVE_TIMEOUT},
    definitions::Resource,
    routes::RouteCell,
    silences::Mutes,
};
use crate::domain::{
    LabelSet, Name,
    alert::AlertLevel,
    label_set::is_label_name,
    notify::{Labelled, Matchers, RouteSpec, Routing, fingerprint},
};

/// The most bytes of labels, annotations and address of an alert: all that fire are kept in memory.
const LARGEST_ALERT: usize = 32 << 10;

/// Stands in the configuration for telling every receiver.
const EVERYBODY: &str = "(every receiver)";

/// Which alerts a client wants to see.
#[derive(Clone, Debug)]
pub struct AlertQuery {
    /// Those that are neither silenced nor muted.
    pub active: bool,
    /// Those that are silenced.
    pub silenced: bool,
    /// Those that a maintenance window covers.
    pub muted: bool,
    /// Those whose labels fulfil all of these.
    pub filter: Vec<Matchers>,
    /// Those of which a receiver with such a name is told.
    pub receiver: Option<Regex>,
}

/// An alert, and what Alertmanager would know of it.
#[derive(Clone, Debug)]
pub struct RoutedAlert {
    /// The alert.
    pub seen: Labelled,
    /// The number of its labels.
    pub fingerprint: String,
    /// Who is told.
    pub receivers: Vec<String>,
    /// The silences that keep it from being told.
    pub silenced_by: Vec<String>,
    /// The maintenance windows that do.
    pub muted_by: Vec<String>,
    /// When it is over, unless it is seen again.
    pub ends_at: Timestamp,
}

/// Alerts that are told together.
#[derive(Clone, Debug)]
pub struct AlertGroup {
    /// The labels that they share.
    pub labels: LabelSet,
    /// Who is told.
    pub receiver: String,
    /// The alerts.
    pub alerts: Vec<RoutedAlert>,
}

/// An alert as somebody sends it.
#[derive(Clone, Debug, Default)]
pub struct SentAlert {
    /// What tells it apart.
    pub labels: BTreeMap<String, String>,
    /// What is said of it.
    pub annotations: BTreeMap<String, String>,
    /// When it began.
    pub starts_at: Option<Timestamp>,
    /// When it is over.
    pub ends_at: Option<Timestamp>,
    /// A page for people.
    pub generator_url: Option<String>,
}

impl SentAlert {
    fn bytes(&self) -> usize {
        let pairs = self.labels.iter().chain(&self.annotations);
        pairs.map(|(name, value)| name.len() + value.len()).sum::<usize>()
            + self.generator_url.as_ref().map_or(0, String::len)
    }
}

impl AlertQuery {
    fn wants(&self, alert: &RoutedAlert) -> bool {
        let is_silenced = !alert.silenced_by.is_empty();
        let is_muted = !alert.muted_by.is_empty();
        let is_told = |receiver: &Regex| alert.receivers.iter().any(|name| receiver.is_match(name));
        (self.silenced || !is_silenced)
            && (self.muted || !is_muted)
            && (self.active || is_silenced || is_muted)
            && self.filter.iter().all(|matchers| matchers.matches(&alert.seen.labels))
            && self.receiver.as_ref().is_none_or(is_told)
    }
}

impl Board {
    /// The alerts that fire, in the order of their fingerprints.
    #[must_use]
    pub fn routed_alerts(&self, query: &AlertQuery) -> Vec<RoutedAlert> {
        let (routing, mutes) = (self.routing(), self.mutes());
        let firing = self.alerts.firing();
        let seen = firing.iter().map(|alert| self.routed(&Labelled::new(alert), &routing, &mutes));
        let mut alerts: Vec<_> = seen.filter(|alert| query.wants(alert)).collect();
        alerts.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        alerts
    }

    /// The groups in which alerts are told, in the order of labels and receivers.
    #[must_use]
    pub fn alert_groups(&self, query: &AlertQuery) -> Vec<AlertGroup> {
        let (routing, mutes) = (self.routing(), self.mutes());
        let mut groups = Vec::new();
        self.notifications.each_group(|(key, group)| {
            let receiver = key.receiver.as_str();
            if query.receiver.as_ref().is_some_and(|wanted| !wanted.is_match(receiver)) {
                return;
            }
            let seen = group.firing().map(|seen| self.routed(seen, &routing, &mutes));
            let mut alerts: Vec<_> = seen.filter(|alert| query.wants(alert)).collect();
            alerts.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
            if !alerts.is_empty() {
                groups.push(AlertGroup {
                    labels: group.labels.clone(),
                    receiver: receiver.to_owned(),
                    alerts,
                });
            }
        });
        groups.sort_by(|a, b| (&a.labels, &a.receiver).cmp(&(&b.labels, &b.receiver)));
        groups
    }

    fn routed(&self, seen: &Labelled, routing: &Routing, mutes: &Mutes) -> RoutedAlert {
        let mut receivers: Vec<_> =
            routing.targets(&seen.labels).iter().map(|target| target.receiver.as_str().to_owned()).collect();
        receivers.dedup();
        let soon = || self.clock.wall().checked_add(RESOLVE_TIMEOUT).unwrap_or(Timestamp::MAX);
        RoutedAlert {
            fingerprint: fingerprint(&seen.labels),
            receivers,
            silenced_by: mutes.silences(&seen.labels).map(str::to_owned).collect(),
            muted_by: mutes.windows(&seen.labels).map(|name| name.as_str().to_owned()).collect(),
            ends_at: seen.alert.ends_at.unwrap_or_else(soon),
            seen: seen.clone(),
        }
    }

    /// Takes alerts that somebody sends. Those that cannot be are refused, the others taken.
    pub async fn alerts_receive(&self, sent: Vec<SentAlert>) -> Result<(), AppError> {
        let mut refused = None;
        let mut taken = Vec::new();
        for (at, alert) in sent.into_iter().enumerate() {
            match external(at, alert) {
                Ok(alert) => taken.push(alert),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        self.alert_raise_external(taken).await?;
        refused.map_or(Ok(()), Err)
    }

    /// The routes as Alertmanager's configuration, without how receivers are reached: JSON, and so YAML.
    #[must_use]
    pub fn alertmanager_config(&self) -> String {
        let mut cells = self.routes.all();
        cells.sort_by_cached_key(|cell| (cell.config().position, cell.name().clone()));
        let routes: Vec<_> = cells.iter().map(|cell| route(&RouteCell::spec(&cell.config()))).collect();
        let names = self.receivers.names();
        let names = names.iter().map(Name::as_str).chain([EVERYBODY]);
        let receivers: Vec<_> = names.map(|name| json!({ "name": name })).collect();
        let config = json!({
            "global": { "resolve_timeout": duration(RESOLVE_TIMEOUT) },
            "route": { "receiver": EVERYBODY, "group_by": ["alertname"], "routes": routes },
            "receivers": receivers,
        });
        serde_json::to_string_pretty(&config).unwrap_or_default()
    }
}

fn route(spec: &RouteSpec) -> Value {
    let mut route = json!({
        "matchers": spec.matchers, "continue": spec.goes_on.unwrap_or_default(),
        "routes": spec.routes.iter().map(self::route).collect::<Vec<_>>(),
    });
    let span = |seconds: Option<f64>| seconds.map(|s| duration(Duration::from_secs_f64(s)).into());
    for (key, value) in [
        ("receiver", spec.receiver.clone().map(Value::from)),
        ("group_by", spec.group_by.clone().map(Value::from)),
        ("group_wait", span(spec.group_wait_seconds)),
        ("group_interval", span(spec.group_interval_seconds)),
        ("repeat_interval", span(spec.repeat_interval_seconds)),
    ] {
        if let Some(value) = value {
            route[key] = value;
        }
    }
    route
}

/// As Prometheus writes them.
fn duration(span: Duration) -> String {
    let millis = span.as_millis();
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

/// What an alert is to the board. Its level is its `severity`; words of others for that are kept beside it.
fn external(at: usize, sent: SentAlert) -> Result<ExternalAlert, AppError> {
    let invalid = |field: &str, message: String| AppError::invalid(format!("[{at}].{field}"), message);
    if sent.bytes() > LARGEST_ALERT {
        let message = format!("with annotations and generatorURL there may be {LARGEST_ALERT} bytes of them");
        return Err(invalid("labels", message));
    }
    let mut labels = sent.labels;
    // As for Prometheus, an empty label is none.
    labels.retain(|_, value| !value.is_empty());
    if labels.is_empty() {
        return Err(invalid("labels", "must be at least one that is not empty".to_owned()));
    }
    if let (Some(start), Some(end)) = (sent.starts_at, sent.ends_at)
        && start > end
    {
        return Err(invalid("endsAt", "must not be before startsAt".to_owned()));
    }
    let name = labels.remove("alertname").unwrap_or_default();
    let level = match labels.get("severity").map(String::as_str) {
        Some("info") => AlertLevel::Info,
        Some("warning") | None => AlertLevel::Warning,
        Some("error") => AlertLevel::Error,
        Some("critical") => AlertLevel::Critical,
        Some(other) => nearest_level(other),
    };
    if labels.get("severity").is_some_and(|word| word == level.as_str()) {
        labels.remove("severity");
    }
    let set = |field: &str, pairs: BTreeMap<String, String>| {
        if let Some(bad) = pairs.keys().find(|name| !is_label_name(name)) {
            return Err(invalid(field, format!("{bad:?} is no label name")));
        }
        Ok(LabelSet::from_pairs(pairs.into_iter().collect()).unwrap_or_default())
    };
    let mut annotations = sent.annotations;
    let summary = annotations.remove("summary");
    let said =
        summary.or_else(|| annotations.get("description").or_else(|| annotations.get("message")).cloned());
    Ok(ExternalAlert {
        message: said.unwrap_or_else(|| name.clone()),
        name,
        labels: set("labels", labels)?,
        level,
        annotations: set("annotations", annotations)?,
        starts_at: sent.starts_at,
        ends_at: sent.ends_at,
        generator_url: sent.generator_url.filter(|url| !url.is_empty()),
    })
}

fn nearest_level(word: &str) -> AlertLevel {
    match word.to_ascii_lowercase().as_str() {
        "page" | "pager" | "crit" | "critical" | "fatal" | "emergency" | "alert" | "disaster" => {
            AlertLevel::Critical
        }
        "err" | "error" | "major" | "high" => AlertLevel::Error,
        "none" | "info" | "debug" | "notice" | "informational" | "low" => AlertLevel::Info,
        _ => AlertLevel::Warning,
    }
}

/// A pattern that must match the whole name of a receiver.
pub fn receiver_pattern(text: &str) -> Result<Regex, AppError> {
    regex::RegexBuilder::new(&format!("^(?:{text})$"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| AppError::invalid("receiver", "must be a regular expression"))
}

/// The matchers of parameters `filter`.
pub fn filters(texts: &[String]) -> Result<Vec<Matchers>, AppError> {
    let parse =
        |text: &String| Matchers::parse_list(text).map_err(|error| AppError::invalid("filter", error));
    texts.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> SentAlert {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        SentAlert { labels: map(labels), annotations: map(annotations), ..SentAlert::default() }
    }

    #[test]
    fn levels_are_severities_and_other_words_are_kept() {
        for (word, level, kept) in [
            ("critical", AlertLevel::Critical, ""),
            ("page", AlertLevel::Critical, "severity=\"page\""),
            ("none", AlertLevel::Info, "severity=\"none\""),
            ("Warning", AlertLevel::Warning, "severity=\"Warning\""),
            ("", AlertLevel::Warning, ""),
        ] {
            let alert = external(0, sent(&[("alertname", "x"), ("severity", word)], &[])).unwrap();
            assert_eq!((alert.level, alert.labels.as_str()), (level, kept), "{word}");
        }
    }

    #[test]
    fn the_message_is_the_summary_or_what_is_nearest_to_it() {
        let said = |annotations: &[(&str, &str)]| {
            external(0, sent(&[("alertname", "x")], annotations)).unwrap().message
        };
        assert_eq!(said(&[("summary", "s"), ("description", "d")]), "s");
        assert_eq!(said(&[("description", "d")]), "d");
        assert_eq!(said(&[]), "x");
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_place() {
        let error = external(3, sent(&[("a", "")], &[])).unwrap_err().to_string();
        assert!(error.starts_with("[3].labels"), "{error}");
        let error = external(0, sent(&[("a-b", "c")], &[])).unwrap_err().to_string();
        assert!(error.contains("a-b"), "{error}");
    }
}
