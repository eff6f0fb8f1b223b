//! Receivers that can be, and those that cannot.

use serde_json::json;

use super::*;
use crate::domain::InvalidConfig;

fn checked(json: serde_json::Value) -> Result<ReceiverConfig, InvalidConfig> {
    serde_json::from_value::<ReceiverSpec>(json).unwrap().try_into()
}

#[test]
fn each_kind_comes_back_and_shows_no_secret() {
    for json in [
        json!({ "kind": "webhook", "url": "https://a.test/hunter2?k=hunter2", "hmac_secret": "hunter2",
            "headers": { "authorization": "Bearer hunter2" } }),
        json!({ "kind": "alertmanager", "url": "http://a.test:9093" }),
        json!({ "kind": "slack", "url": "https://hooks.test/services/hunter2", "channel": "#ops" }),
        json!({ "kind": "email", "smtp_host": "mail.test", "smtp_username": "u", "smtp_password": "hunter2",
            "from": "Board <ops@a.test>", "to": ["b@a.test"] }),
    ] {
        let config = checked(json.clone()).unwrap();
        let spec = ReceiverSpec::from(&config);
        assert_eq!(ReceiverConfig::try_from(spec.clone()).unwrap(), config, "{json}");
        for text in [format!("{config:?} {spec:?}"), serde_json::to_string(&spec.clone().redacted()).unwrap()]
        {
            assert!(!text.contains("hunter2"), "{text}");
        }
        let shown = checked(serde_json::to_value(spec.redacted()).unwrap());
        assert!(json["kind"] == "alertmanager" || shown.is_err(), "what is shown is not taken: {json}");
    }
}

#[test]
fn nonsense_is_refused_by_its_field() {
    let mail = |more: serde_json::Value| {
        let mut json = json!({ "kind": "email", "smtp_host": "m", "from": "a@b.test", "to": ["c@d.test"] });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json
    };
    for (json, field) in [
        (json!({ "kind": "webhook" }), "url"),
        (json!({ "kind": "webhook", "url": "ftp://a" }), "url"),
        (json!({ "kind": "webhook", "url": "http://u:p@a/" }), "url"),
        (json!({ "kind": "webhook", "url": "http://a", "smtp_host": "m" }), "smtp_host"),
        (json!({ "kind": "slack", "url": "http://a", "hmac_secret": "x" }), "hmac_secret"),
        (json!({ "kind": "webhook", "url": "http://a", "hmac_secret": "" }), "hmac_secret"),
        (json!({ "kind": "webhook", "url": "http://a", "timeout_seconds": 0 }), "timeout_seconds"),
        (json!({ "kind": "webhook", "url": "http://a", "max_alerts": 0 }), "max_alerts"),
        (
            json!({ "kind": "webhook", "url": "http://a", "give_up_after_seconds": -1 }),
            "give_up_after_seconds",
        ),
        (json!({ "kind": "webhook", "url": "http://a", "headers": { "a b": "c" } }), "headers"),
        (json!({ "kind": "email" }), "smtp_host"),
        (mail(json!({ "smtp_host": "a b" })), "smtp_host"),
        (mail(json!({ "smtp_port": 0 })), "smtp_port"),
        (mail(json!({ "from": "nobody" })), "from"),
        (mail(json!({ "to": ["a@b.test\r\nbcc: x@y.test"] })), "to"),
        (mail(json!({ "to": [] })), "to"),
        (mail(json!({ "smtp_username": "u" })), "smtp_password"),
        (mail(json!({ "smtp_username": "u", "smtp_password": "p", "smtp_tls": "none" })), "smtp_password"),
    ] {
        assert_eq!(checked(json.clone()).unwrap_err().field, field, "{json}");
    }
}
