//! Examples of documents and judgements.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{world::config, *};
use crate::domain::StateName;

pub(super) fn spec(json: Value) -> CheckSpec {
    serde_json::from_value(json).unwrap()
}

fn refused(json: &Value) -> &'static str {
    match CheckSpec::deserialize(json).map(CheckConfig::try_from) {
        Ok(Err(error)) => error.field,
        other => panic!("{json}: {other:?}"),
    }
}

pub(super) fn http(extra: &Value) -> Value {
    let mut spec = json!({"kind": "http", "url": "https://example.com/"});
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    spec
}

#[test]
fn the_documents_of_the_design_are_taken() {
    for json in [
        json!({"kind": "http", "url": "https://api.kraken.com/0/public/SystemStatus", "interval_seconds": 30,
            "timeout_seconds": 2, "failure_threshold": 3, "success_threshold": 2, "critical": true}),
        json!({"kind": "heartbeat", "interval_seconds": 86400, "grace_seconds": 3600}),
        json!({"kind": "push", "stale_after_seconds": 120}),
        json!({"kind": "push"}),
        json!({"kind": "tcp", "address": "[::1]:5432", "send": "PING\r\n", "expect_contains": "PONG"}),
        json!({"kind": "breaker", "breaker": "kraken_api"}),
        json!({"kind": "metric", "metric_name": "portfolio_drawdown", "metric_labels": {"strategy": "ma"},
            "red_if": {"comparison": ">", "threshold": 0.15}, "yellow_if": {"comparison": ">", "threshold": 0.1}}),
        http(
            &json!({"expected_status": [204, "2xx", "300-399"], "json_pointer": "/a~1b/0", "json_equals": null}),
        ),
    ] {
        let config = config(&spec(json));
        let answered = serde_json::to_value(config.view()).unwrap();
        assert_eq!(*config, CheckConfig::try_from(spec(answered)).unwrap());
    }
    assert_eq!(CheckConfig::push(), *config(&spec(json!({"kind": "push"}))));
}

#[test]
fn defaults_are_those_that_the_documentation_names() {
    let http = CheckSpec::from(&*config(&spec(http(&json!({"interval_seconds": 1})))));
    assert_eq!((http.timeout_seconds, http.stale_after_seconds), (Some(1.0), Some(4.0)));
    assert_eq!((http.jitter, http.critical), (Some(0.1), Some(true)));
    assert_eq!(serde_json::to_value(http.expected_status).unwrap(), json!("200-299"));
    for (interval, grace) in [(1.0, 1.0), (60.0, 6.0), (86_400.0, 3600.0)] {
        let spec = spec(json!({"kind": "heartbeat", "interval_seconds": interval}));
        assert_eq!(CheckSpec::from(&*config(&spec)).grace_seconds, Some(grace));
    }
}

#[test]
fn what_is_refused_is_named() {
    let bad = [
        (json!({"kind": "heartbeat"}), "interval_seconds"),
        (json!({"kind": "heartbeat", "interval_seconds": 60, "grace_seconds": 0.5}), "grace_seconds"),
        (json!({"kind": "push", "interval_seconds": 60}), "interval_seconds"),
        (json!({"kind": "push", "url": "https://a.b"}), "url"),
        (json!({"kind": "push", "stale_after_seconds": 0}), "stale_after_seconds"),
        (json!({"kind": "push", "failure_threshold": 0}), "failure_threshold"),
        (json!({"kind": "push", "labels": {"0": "x"}}), "labels"),
        (json!({"kind": "push", "labels": {"a": "x\u{0}"}}), "labels"),
        (json!({"kind": "http"}), "url"),
        (json!({"kind": "http", "url": "ftp://a.b"}), "url"),
        (json!({"kind": "http", "url": "https://u:p@a.b"}), "url"),
        (json!({"kind": "http", "url": "nonsense"}), "url"),
        (json!({"kind": "http", "url": "http://a.b:0/"}), "url"),
        (http(&json!({"interval_seconds": 0.9})), "interval_seconds"),
        (http(&json!({"timeout_seconds": 61})), "timeout_seconds"),
        (http(&json!({"slow_seconds": 3})), "slow_seconds"),
        (http(&json!({"jitter": 0.6})), "jitter"),
        (http(&json!({"expected_status": 99})), "expected_status"),
        (http(&json!({"expected_status": "6xx"})), "expected_status"),
        (http(&json!({"expected_status": "299-200"})), "expected_status"),
        (http(&json!({"expected_status": []})), "expected_status"),
        (http(&json!({"json_pointer": "a"})), "json_pointer"),
        (http(&json!({"json_pointer": "/a~2"})), "json_pointer"),
        (http(&json!({"method": "HEAD", "body_contains": "x"})), "body_contains"),
        (http(&json!({"headers": {"a b": "x"}})), "headers"),
        (http(&json!({"headers": {"A": "x\r\nB: y"}})), "headers"),
        (http(&json!({"headers": {"A": "1", "a": "2"}})), "headers"),
        (http(&json!({"headers": {"Transfer-Encoding": "chunked"}})), "headers"),
        (http(&json!({"headers": {"Authorization": "[redacted]"}})), "headers"),
        (http(&json!({"max_response_bytes": 0})), "max_response_bytes"),
        (json!({"kind": "tcp"}), "address"),
        (json!({"kind": "tcp", "address": "example.com"}), "address"),
        (json!({"kind": "tcp", "address": "example.com:0"}), "address"),
        (json!({"kind": "tcp", "address": "::1:80"}), "address"),
        (json!({"kind": "breaker"}), "breaker"),
        (json!({"kind": "metric", "metric_name": "a"}), "red_if"),
        (json!({"kind": "metric", "red_if": {"comparison": ">", "threshold": 1}}), "metric_name"),
    ];
    for (json, field) in bad {
        assert_eq!(refused(&json), field, "{json}");
    }
    let bad = [json!({}), json!({"kind": "ping"}), json!({"kind": "push", "intervall": 1})];
    for json in bad {
        assert!(serde_json::from_value::<CheckSpec>(json).is_err());
    }
}

#[test]
fn secrets_do_not_show() {
    let headers =
        json!({"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "cookie": "s3cret", "Accept": "a/b"});
    let config = config(&spec(http(&json!({"headers": headers}))));
    let view = serde_json::to_string(&config.view()).unwrap();
    assert!(!view.contains("s3cret") && view.contains("a/b"), "{view}");
    assert!(!format!("{config:?}").contains("s3cret"));
    assert!(serde_json::to_string(&*config).unwrap().contains("Bearer s3cret"), "the stored one is whole");
    assert!(CheckConfig::try_from(config.view()).is_err(), "a view is not stored by mistake");
}

fn verdict(extra: &Value, status: u16, body: &str) -> (Status, String) {
    let config = config(&spec(http(extra)));
    let Source::Active(Active { probe: Probe::Http(probe), .. }) = &config.source else { panic!() };
    let seen = probe.judge(&HttpAnswer {
        status,
        body: body.as_bytes(),
        is_complete: true,
        duration: std::time::Duration::from_millis(700),
        certificate_expires_in: Some(std::time::Duration::from_secs(10 * 86_400)),
    });
    (seen.status(), seen.message().to_owned())
}

#[test]
fn an_answer_is_judged() {
    use Status::{Green, Red, Yellow};
    let cases = [
        (json!({}), 204, "", Green, "status 204"),
        (json!({}), 301, "", Red, "status 301, expected 200-299"),
        (json!({"expected_status": [301, "4xx"]}), 200, "", Red, "status 200, expected 301, 400-499"),
        (json!({"body_contains": "ok"}), 200, "all ok", Green, "status 200"),
        (json!({"body_contains": "ok"}), 200, "no", Red, r#"the answer does not contain "ok""#),
        (json!({"json_equals": {"a": 1}}), 200, r#"{"a": 1.0}"#, Green, "status 200"),
        (json!({"json_pointer": "/a", "json_equals": null}), 200, r#"{"a": null}"#, Green, "status 200"),
        (json!({"json_pointer": "/b"}), 200, r#"{"a": null}"#, Red, r#"the answer has nothing at "/b""#),
        (
            json!({"json_pointer": "/a", "json_equals": 2}),
            200,
            r#"{"a": "2"}"#,
            Red,
            r#""/a" of the answer is "2", expected 2"#,
        ),
        (json!({"json_pointer": ""}), 200, "<html>", Red, "the answer is not JSON"),
        (json!({"slow_seconds": 0.5}), 200, "", Yellow, "slower than 0.5 s"),
        (
            json!({"certificate_expires_within_seconds": 1e6}),
            200,
            "",
            Yellow,
            "the certificate ends in 10 days",
        ),
    ];
    for (extra, status, body, expected, message) in cases {
        assert_eq!(verdict(&extra, status, body), (expected, message.to_owned()));
    }
}

#[test]
fn a_metric_is_judged() {
    let config = config(&spec(json!({"kind": "metric", "metric_name": "dd", "max_age_seconds": 60,
        "red_if": {"comparison": ">", "threshold": 0.15}, "yellow_if": {"comparison": ">=", "threshold": 0.1}})));
    let Source::Active(Active { probe: Probe::Metric(probe), .. }) = &config.source else { panic!() };
    let judged = |value, age| {
        let seen = probe.judge(Some((value, std::time::Duration::from_secs(age))));
        (seen.status(), seen.message().to_owned())
    };
    assert_eq!(judged(0.05, 0), (Status::Green, "dd is 0.05".to_owned()));
    assert_eq!(judged(0.1, 0), (Status::Yellow, "dd is 0.1: yellow if >= 0.1".to_owned()));
    assert_eq!(judged(0.2, 60), (Status::Red, "dd is 0.2: red if > 0.15".to_owned()));
    assert_eq!(judged(0.05, 61), (Status::Red, "no data for more than 60 s".to_owned()));
    assert_eq!(judged(f64::NAN, 0).0, Status::Red);
    assert_eq!(probe.judge(None).message(), "no data");
    assert_eq!(judge_breaker(Some(StateName::HalfOpen)).status(), Status::Yellow);
    assert_eq!(judge_breaker(None).status(), Status::Red);
}

#[test]
fn a_push_is_bounded() {
    let push = |json: Value| serde_json::from_value::<CheckPush>(json).map(Observation::try_from);
    let good = json!({"status": "green", "message": "engine importable", "details": {}, "error": null});
    assert_eq!(push(good).unwrap().unwrap().message(), "engine importable");
    let deep = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"a": inner}));
    assert!(push(json!({"status": "red", "details": deep(16)})).unwrap().is_ok());
    let bad = [
        (json!({"status": "red", "message": "x".repeat(1025)}), "message"),
        (json!({"status": "red", "error": "x".repeat(8193)}), "error"),
        (json!({"status": "red", "details": {"a": "x".repeat(16_384)}}), "details"),
        (json!({"status": "red", "details": deep(17)}), "details"),
        (json!({"status": "red", "duration_seconds": -1}), "duration_seconds"),
    ];
    for (json, field) in bad {
        assert_eq!(push(json).unwrap().unwrap_err().field, field);
    }
    let bad = [json!({}), json!({"status": "blue"}), json!({"status": "red", "x": 1})];
    for json in bad {
        assert!(push(json).is_err());
    }
    assert!(push(json!({"status": "red", "details": [1]})).is_err());
}
