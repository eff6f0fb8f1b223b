//! An alert as receivers see it: all that tells it apart is a label.

use std::sync::Arc;

use crate::domain::{
    LabelSet,
    alert::{Alert, AlertSource},
};

/// Stands between the parts of a fingerprint: no label has it (`prometheus/common`, `model.SeparatorByte`).
const SEPARATOR: u8 = 255;

/// An alert with its labels.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The alert.
    pub alert: Arc<Alert>,
    /// `alertname`, `severity` and its own.
    pub labels: LabelSet,
}

impl Labelled {
    /// With the labels that the alert has for receivers.
    #[must_use]
    pub fn new(alert: &Arc<Alert>) -> Self {
        // Names of metrics may hold more than those of labels, but this is a value.
        let one = |name: &str, value: &str| LabelSet::from_pairs(vec![(name, value)]).unwrap_or_default();
        let level = one("severity", alert.level.as_str());
        let name = match alert.metric_name.as_str() {
            // From outside, an alert may have none.
            "" => LabelSet::default(),
            name => one("alertname", name),
        };
        let labels = match alert.source {
            AlertSource::Threshold => alert.labels.overlaid(&level),
            // Who sends alerts may have words of his own for how grave they are.
            AlertSource::External => level.overlaid(&alert.labels),
        };
        Self { alert: Arc::clone(alert), labels: labels.overlaid(&name) }
    }

    /// Whether it goes on.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.alert.is_firing()
    }

    /// Whether somebody outside has said it in other words, from which the message was taken.
    fn is_said_otherwise(&self) -> bool {
        let Alert { message, annotations, metric_name, source, .. } = &*self.alert;
        *source == AlertSource::External
            && (message == metric_name
                || ["description", "message"]
                    .iter()
                    .any(|word| annotations.get(word).as_deref() == Some(message)))
    }

    /// What is said of it: the message as `summary`, and the value.
    #[must_use]
    pub fn annotations(&self) -> LabelSet {
        let mut said = Vec::new();
        if !self.alert.message.is_empty() && !self.is_said_otherwise() {
            said.push(("summary", self.alert.message.clone()));
        }
        if let Some(value) = self.alert.value {
            said.push(("value", value.to_string()));
        }
        LabelSet::from_pairs(said).unwrap_or_default().overlaid(&self.alert.annotations)
    }
}

/// The number that Alertmanager knows labels by: FNV-1a over names and values in the order of names
/// (`prometheus/common`, `model.LabelSet.Fingerprint`), as 16 hexadecimal digits.
#[must_use]
pub fn fingerprint(labels: &LabelSet) -> String {
    fingerprint_of(labels.iter())
}

/// The same for pairs in the order of names.
pub fn fingerprint_of<'a, V: AsRef<str>>(pairs: impl Iterator<Item = (&'a str, V)>) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes.iter().chain(&[SEPARATOR]) {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for (name, value) in pairs {
        add(name.as_bytes());
        add(value.as_ref().as_bytes());
    }
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_prometheus_own() {
        let labels = |pairs: &[(&str, &str)]| LabelSet::from_pairs(pairs.to_vec()).unwrap();
        // What Alertmanager 0.25.0 says of an alert with these labels.
        let known = [("alertname", "disk \"full\""), ("job", "node"), ("severity", "critical")];
        assert_eq!(fingerprint(&labels(&known)), "2d2694db83ee2569");
        let (a, b) = (labels(&[("a", "bc")]), labels(&[("ab", "c")]));
        assert_ne!(fingerprint(&a), fingerprint(&b), "parts do not run into each other");
    }
}
