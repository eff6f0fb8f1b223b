//! What is sent: Alertmanager's document for webhooks, and what other receivers make of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Flush, Labelled, fingerprint};
use crate::domain::{LabelSet, Name, text::hex};

/// Characters of a subject.
const LONGEST_SUBJECT: usize = 200;
/// Alerts that a text for people has; it says how many there are besides.
const MOST_TOLD: usize = 50;

type Map = BTreeMap<String, String>;

/// A notification: the body of Alertmanager's webhook, version 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Always 4.
    pub version: String,
    /// Which group it is about.
    pub group_key: String,
    /// How many alerts were left out.
    pub truncated_alerts: u64,
    /// `firing` if any of the alerts is, else `resolved`.
    pub status: String,
    /// Who is told.
    pub receiver: String,
    /// The labels by which the group is one.
    pub group_labels: Map,
    /// The labels that all alerts share.
    pub common_labels: Map,
    /// The annotations that all alerts share.
    pub common_annotations: Map,
    /// Where this board is.
    #[serde(rename = "externalURL")]
    pub external_url: String,
    /// The alerts.
    pub alerts: Vec<DocumentAlert>,
}

/// An alert of a notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentAlert {
    /// `firing` or `resolved`.
    pub status: String,
    /// What tells it apart.
    pub labels: Map,
    /// What is said of it.
    pub annotations: Map,
    /// When it fired.
    pub starts_at: String,
    /// When it was resolved; the year 1 while it fires.
    pub ends_at: String,
    /// Where it was raised.
    #[serde(rename = "generatorURL")]
    pub generator_url: String,
    /// The number of its labels.
    pub fingerprint: String,
}

impl DocumentAlert {
    /// The end of what goes on: Go's zero time, as Alertmanager sends it.
    pub const NO_END: &'static str = "0001-01-01T00:00:00Z";

    /// An alert of a board that is found under `external_url`.
    #[must_use]
    pub fn new(seen: &Labelled, external_url: &str) -> Self {
        let own = || match external_url.trim_end_matches('/') {
            "" => String::new(),
            base => format!("{base}/v1/alerts/{}", seen.alert.id),
        };
        let end = seen.alert.resolved_at.filter(|_| !seen.is_firing());
        Self {
            status: if seen.is_firing() { "firing" } else { "resolved" }.to_owned(),
            labels: map(&seen.labels),
            annotations: map(&seen.annotations()),
            starts_at: seen.alert.started_at.to_string(),
            ends_at: end.map_or_else(|| Self::NO_END.to_owned(), |end| end.to_string()),
            generator_url: seen.alert.generator_url.clone().unwrap_or_else(own),
            fingerprint: fingerprint(&seen.labels),
        }
    }

    fn is_firing(&self) -> bool {
        self.status == "firing"
    }

    fn summary(&self) -> &str {
        let said = self.annotations.get("summary").or_else(|| self.annotations.get("description"));
        said.or_else(|| self.labels.get("alertname")).map_or("", String::as_str)
    }

    /// `name (severity, a=b)`.
    fn title(&self) -> String {
        let name = self.labels.get("alertname").map_or("alert", String::as_str);
        let mut rest: Vec<_> = self.labels.get("severity").cloned().into_iter().collect();
        let others =
            self.labels.iter().filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"));
        rest.extend(others.map(|(name, value)| format!("{name}={value}")));
        if rest.is_empty() { name.to_owned() } else { format!("{name} ({})", rest.join(", ")) }
    }
}

impl Document {
    /// What a flush tells, with at most so many alerts.
    #[must_use]
    pub fn new(flush: &Flush, external_url: &str, most: usize) -> Self {
        let all: Vec<_> = flush.alerts.iter().map(|seen| DocumentAlert::new(seen, external_url)).collect();
        Self::of(flush.key.key.clone(), &flush.key.receiver, map(&flush.labels), external_url, all, most)
    }

    /// Of its parts.
    #[must_use]
    pub fn of(
        group_key: String,
        receiver: &Name,
        group_labels: Map,
        external_url: &str,
        mut alerts: Vec<DocumentAlert>,
        most: usize,
    ) -> Self {
        let is_firing = alerts.iter().any(DocumentAlert::is_firing);
        let (common_labels, common_annotations) =
            (common(alerts.iter().map(|a| &a.labels)), common(alerts.iter().map(|a| &a.annotations)));
        let truncated = alerts.len().saturating_sub(most);
        alerts.truncate(most);
        Self {
            version: "4".to_owned(),
            group_key,
            truncated_alerts: truncated as u64,
            status: if is_firing { "firing" } else { "resolved" }.to_owned(),
            receiver: receiver.as_str().to_owned(),
            group_labels,
            common_labels,
            common_annotations,
            external_url: external_url.to_owned(),
            alerts,
        }
    }

    /// As programs need it. They know alerts by their labels: of those that go on, the end of an episode before, or of
    /// another threshold with equal labels, would close what is open. People are told both.
    #[must_use]
    pub fn for_programs(&self) -> Self {
        let going_on: BTreeSet<_> = self.alerts.iter().filter(|a| a.is_firing()).map(|a| &a.labels).collect();
        let holds = |alert: &&DocumentAlert| alert.is_firing() || !going_on.contains(&alert.labels);
        Self { alerts: self.alerts.iter().filter(holds).cloned().collect(), ..self.clone() }
    }

    /// The body for another Alertmanager. What fires holds until `valid_until` unless it is told again: without an end it
    /// would be over there after five minutes.
    #[must_use]
    pub fn for_alertmanager(&self, valid_until: Timestamp) -> Value {
        let alert = |alert: &DocumentAlert| {
            let mut body = json!({
                "labels": alert.labels, "annotations": alert.annotations, "startsAt": alert.starts_at,
                "endsAt": if alert.is_firing() { valid_until.to_string() } else { alert.ends_at.clone() },
            });
            if !alert.generator_url.is_empty() {
                body["generatorURL"] = Value::from(alert.generator_url.clone());
            }
            body
        };
        self.for_programs().alerts.iter().map(alert).collect()
    }

    /// The body for an incoming webhook of Slack.
    #[must_use]
    pub fn for_slack(&self, channel: Option<&str>) -> Value {
        let firing = self.status == "firing";
        let mut text = String::new();
        for alert in self.alerts.iter().take(MOST_TOLD) {
            let mark = if alert.is_firing() { ":fire:" } else { ":white_check_mark:" };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{mark} *{}*: {}", escaped(&alert.title()), escaped(alert.summary()));
        }
        text.push_str(&self.others());
        let title = escaped(&self.subject());
        let mut body = json!({
            "text": title,
            "attachments": [{
                "color": if firing { "danger" } else { "good" },
                "fallback": title, "text": text.trim_end(), "mrkdwn_in": ["text"],
            }],
        });
        if let Some(channel) = channel {
            body["channel"] = Value::from(channel);
        }
        body
    }

    /// `[FIRING:2, RESOLVED:1] name (severity)`, in one line.
    #[must_use]
    pub fn subject(&self) -> String {
        let firing = self.alerts.iter().filter(|alert| alert.is_firing()).count();
        let resolved = self.alerts.len() - firing;
        let mut counts = Vec::new();
        if firing > 0 {
            counts.push(format!("FIRING:{firing}"));
        }
        if resolved > 0 {
            counts.push(format!("RESOLVED:{resolved}"));
        }
        let about = if let [one] = &*self.alerts {
            one.title()
        } else {
            let labels = if self.group_labels.is_empty() { &self.common_labels } else { &self.group_labels };
            labels.values().cloned().collect::<Vec<_>>().join(" ")
        };
        let text = format!("[{}] {about}", counts.join(", "));
        let line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        line.take(LONGEST_SUBJECT).collect::<String>().trim_end().to_owned()
    }

    /// The text of a mail.
    #[must_use]
    pub fn for_mail(&self) -> String {
        let mut text = String::new();
        for alert in self.alerts.iter().take(MOST_TOLD) {
            let _ = writeln!(text, "{}: {}", alert.status.to_uppercase(), alert.title());
            let _ = writeln!(text, "  {}", alert.summary());
            let more = alert.annotations.iter().filter(|(name, _)| *name != "summary");
            for (name, value) in more {
                let _ = writeln!(text, "  {name}: {value}");
            }
            let _ = writeln!(text, "  started: {}", alert.starts_at);
            if !alert.is_firing() {
                let _ = writeln!(text, "  resolved: {}", alert.ends_at);
            }
            if !alert.generator_url.is_empty() {
                let _ = writeln!(text, "  source: {}", alert.generator_url);
            }
            text.push('\n');
        }
        text + &self.others()
    }

    fn others(&self) -> String {
        let others = self.alerts.len().saturating_sub(MOST_TOLD) as u64 + self.truncated_alerts;
        if others == 0 { String::new() } else { format!("and {others} more\n") }
    }
}

/// The header `Fuseboard-Signature` of a body that is sent at an instant.
#[must_use]
pub fn signature(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.as_second();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        // A key of any length is one.
        return String::new();
    };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes()))
}

fn map(labels: &LabelSet) -> Map {
    labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

fn common<'a>(mut maps: impl Iterator<Item = &'a Map>) -> Map {
    let mut shared = maps.next().cloned().unwrap_or_default();
    for map in maps {
        shared.retain(|name, value| map.get(name) == Some(value));
    }
    shared
}

/// Slack's three control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(status: &str, pairs: &[(&str, &str)], summary: &str) -> DocumentAlert {
        let labels: Map = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        DocumentAlert {
            status: status.to_owned(),
            labels,
            annotations: [("summary".to_owned(), summary.to_owned())].into(),
            starts_at: "2027-01-15T08:00:00Z".to_owned(),
            ends_at: if status == "firing" { DocumentAlert::NO_END } else { "2027-01-15T09:00:00Z" }
                .to_owned(),
            generator_url: String::new(),
            fingerprint: "0".to_owned(),
        }
    }

    fn document(alerts: Vec<DocumentAlert>, most: usize) -> Document {
        let receiver = Name::try_from("ops").unwrap();
        Document::of("{}:{}".to_owned(), &receiver, Map::new(), "http://board.test", alerts, most)
    }

    #[test]
    fn it_has_the_fields_of_alertmanagers_version_4_and_no_others() {
        let alerts = vec![
            alert("firing", &[("alertname", "x"), ("a", "1")], "<up> & \"down\""),
            alert("resolved", &[("alertname", "x"), ("a", "2")], "<up> & \"down\""),
        ];
        let document = document(alerts, 1);
        let body = serde_json::to_value(&document).unwrap();
        let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        let mut wanted = [
            "receiver",
            "status",
            "alerts",
            "groupLabels",
            "commonLabels",
            "commonAnnotations",
            "externalURL",
            "version",
            "groupKey",
            "truncatedAlerts",
        ];
        wanted.sort_unstable();
        assert_eq!(keys, wanted);
        assert_eq!(body["commonLabels"], json!({ "alertname": "x" }));
        assert_eq!((&body["truncatedAlerts"], &body["status"]), (&json!(1), &json!("firing")));
        assert_eq!(body["alerts"][0]["endsAt"], DocumentAlert::NO_END);
        assert_eq!(serde_json::from_value::<Document>(body).unwrap(), document);
    }

    #[test]
    fn other_receivers_get_their_own() {
        let alerts = vec![
            alert("firing", &[("alertname", "x"), ("severity", "error")], "<up>\nBcc: a@b.test"),
            alert("resolved", &[("alertname", "x")], "over"),
        ];
        let document = document(alerts, 10);
        let until = "2027-01-16T00:00:00Z".parse().unwrap();
        let body = document.for_alertmanager(until);
        assert_eq!(
            (&body[0]["endsAt"], &body[1]["endsAt"]),
            (&json!("2027-01-16T00:00:00Z"), &json!("2027-01-15T09:00:00Z"))
        );
        let body = document.for_slack(Some("#ops"));
        assert_eq!(body["channel"], "#ops");
        let text = body["attachments"][0]["text"].as_str().unwrap();
        assert!(text.starts_with(":fire: *x (error)*: &lt;up&gt;"), "{text}");
        assert_eq!(document.subject(), "[FIRING:1, RESOLVED:1] x");
        assert!(document.for_mail().contains("RESOLVED: x\n  over\n"), "{}", document.for_mail());
    }

    #[test]
    fn programs_are_not_told_the_end_of_what_goes_on() {
        let labels = [("alertname", "x"), ("severity", "error")];
        let document = document(
            vec![
                alert("firing", &labels, "again"),
                alert("resolved", &labels, "before"),
                alert("resolved", &[("alertname", "x")], "other"),
            ],
            10,
        );
        let said = |document: &Document| -> Vec<String> {
            document.alerts.iter().map(|alert| alert.summary().to_owned()).collect()
        };
        assert_eq!(said(&document.for_programs()), ["again", "other"]);
        let body = document.for_alertmanager("2027-01-16T00:00:00Z".parse().unwrap());
        assert_eq!(body.as_array().unwrap().len(), 2);
        assert!(document.for_mail().contains("RESOLVED: x (error)\n  before\n"));
    }

    #[test]
    fn a_subject_is_one_line() {
        let document = document(vec![alert("firing", &[("alertname", "x\r\nBcc: a@b.test")], "")], 10);
        assert_eq!(document.subject(), "[FIRING:1] x  Bcc: a@b.test");
    }

    #[test]
    fn signatures_are_hmac_sha256() {
        // What `printf 1.x | openssl dgst -sha256 -hmac Jefe` says.
        let known = "2f7ccbd0f043456ad29514b2d24a8aa345ec6673a5db1b44e91c8ac99d1841e3";
        let at = Timestamp::from_second(1).unwrap();
        assert_eq!(signature("Jefe", at, b"x"), format!("t=1,v1={known}"));
    }
}
