//! Alerts and silences, as Prometheus and Alertmanager's clients send them.

use fuseboard::http::bodies;
use serde_json::Value;

/// Nothing of what is taken is lost: so many alerts with so many labels, so many matchers. Fields that we do not know are not looked
/// into, so a text that is no Unicode may be among them.
pub fn check(data: &[u8]) {
    let (alerts, silence) = (bodies::alerts(data), bodies::silence(data));
    let Ok(model) = serde_json::from_slice::<Value>(data) else { return };
    if let Ok(alerts) = alerts {
        let sent = model.as_array().expect("alerts are a list");
        assert_eq!(alerts.len(), sent.len());
        for (alert, sent) in alerts.iter().zip(sent) {
            let labels = sent["labels"].as_object().expect("an alert has labels");
            assert_eq!(alert.labels.len(), labels.len());
        }
    }
    if let Ok(silence) = silence {
        assert_eq!(Some(silence.matchers.iter().len()), model["matchers"].as_array().map(Vec::len));
    }
}
