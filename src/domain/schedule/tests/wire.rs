//! What comes over the wire: accepted, defaulted, given back, refused with its field.

use super::*;

fn check(json: &str) -> Result<ScheduleConfig, String> {
    let spec: ScheduleSpec = serde_json::from_str(json).map_err(|error| error.to_string())?;
    ScheduleConfig::try_from(spec).map_err(|error| error.to_string())
}

#[test]
fn the_documented_shape_is_understood_and_given_back_with_its_defaults() {
    let nightly = check(
        r#"{"cron": "0 2 * * *", "timezone": "Europe/Berlin", "action": {"kind": "create_backup",
            "backup_type": "scheduled", "source": {"kind": "board"}}, "misfire": "run_once"}"#,
    )
    .unwrap();
    let spec = ScheduleSpec::from(&nightly);
    assert_eq!(
        serde_json::to_value(&spec).unwrap(),
        json!({"cron": "0 2 * * *", "timezone": "Europe/Berlin", "action": {"kind": "create_backup",
            "backup_type": "scheduled", "source": {"kind": "board"}}, "misfire": "run_once",
            "misfire_grace_seconds": 60.0, "overlap": "forbid", "enabled": true, "timeout_seconds": 300.0,
            "retain_runs": 100})
    );
    let hourly = check(r#"{"cron": "@hourly", "action": {"kind": "run_checks"}}"#).unwrap();
    assert_eq!((hourly.misfire, hourly.timeout), (Misfire::Skip, crate::domain::Seconds::whole(300)));
}

#[test]
fn every_action_survives_the_way_to_the_disk_and_back() {
    for action in [
        r#"{"kind": "run_checks", "checks": ["kraken", "bot-7"], "labels": {"team": "a b"}}"#,
        r#"{"kind": "webhook", "url": "https://[::1]:8443/hook?x=%20", "body": {"a": [1, null, 2.5]}}"#,
        r#"{"kind": "webhook", "url": "HTTP://h_o-s.t", "method": "GET", "headers": {"Authorization": "Bearer x"},
            "timeout_seconds": 2, "expected_status": 204}"#,
        r#"{"kind": "create_backup", "source": {"kind": "http", "url": "http://bot:9000/state", "timeout_seconds": 5.5},
            "labels": {"bot": "7"}}"#,
        r#"{"kind": "prune_backups", "backup_type": "daily"}"#,
    ] {
        for timing in [r#""interval_seconds": 1.5"#, r#""cron": "@Daily", "timezone": "asia/kathmandu""#] {
            let config = check(&format!(r#"{{"action": {action}, {timing}, "description": "d"}}"#)).unwrap();
            let stored = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<ScheduleConfig>(&stored).unwrap(), config);
        }
    }
}

#[test]
fn the_value_of_a_header_does_not_print() {
    let config = check(
        r#"{"cron": "@daily", "action": {"kind": "webhook", "url": "http://h", "headers": {"Authorization": "geheim"}}}"#,
    );
    let printed = format!("{config:?}");
    assert!(printed.contains("Authorization") && !printed.contains("geheim"), "{printed}");
}

#[test]
fn what_is_out_of_range_is_refused_with_its_field() {
    let long = format!(r#""description": "{}""#, "x".repeat(1001));
    for (fields, field) in [
        (r#""cron": "0 0 30 2 *""#, "cron: "),
        (r#""cron": "@daily", "timezone": "Mars/Olympus""#, "timezone: "),
        (r#""description": "neither""#, "cron: "),
        (r#""cron": "@daily", "interval_seconds": 5"#, "interval_seconds: "),
        (r#""interval_seconds": 5, "timezone": "UTC""#, "timezone: "),
        (r#""interval_seconds": 0.999"#, "interval_seconds: "),
        (r#""interval_seconds": 1e300"#, "interval_seconds: "),
        (r#""cron": "@daily", "misfire_grace_seconds": 0.5"#, "misfire_grace_seconds: "),
        (r#""cron": "@daily", "misfire_grace_seconds": 86401"#, "misfire_grace_seconds: "),
        (r#""cron": "@daily", "timeout_seconds": 0"#, "timeout_seconds: "),
        (r#""cron": "@daily", "timeout_seconds": -1"#, "timeout_seconds: "),
        (r#""cron": "@daily", "retain_runs": 0"#, "retain_runs: "),
        (r#""cron": "@daily", "retain_runs": 10001"#, "retain_runs: "),
        (&format!(r#""cron": "@daily", {long}"#), "description: "),
        (r#""cron": "@daily", "misfire": "run_all""#, "unknown variant"),
        (r#""cron": "@daily", "tiemzone": "UTC""#, "unknown field `tiemzone`"),
    ] {
        let error = check(&format!(r#"{{"action": {{"kind": "run_checks"}}, {fields}}}"#)).unwrap_err();
        assert!(error.starts_with(field), "{fields}: {error}");
    }
}

#[test]
fn actions_that_cannot_be_carried_out_are_refused_with_their_field() {
    let webhook = |more: &str| format!(r#"{{"kind": "webhook", "url": "http://h", {more}}}"#);
    let url = |url: &str| format!(r#"{{"kind": "webhook", "url": "{url}"}}"#);
    let many: Vec<_> = (0..33).map(|n| format!(r#""h{n}": "x""#)).collect();
    for (action, field) in [
        (r#"{"kind": "run_checks", "checks": []}"#.to_owned(), "action.checks: "),
        (r#"{"kind": "run_checks", "checks": ["a b"]}"#.to_owned(), "action.checks: "),
        (r#"{"kind": "run_checks", "labels": {"": "x"}}"#.to_owned(), "action.labels: "),
        (r#"{"kind": "prune_backups", "backup_type": "/"}"#.to_owned(), "action.backup_type: "),
        (r#"{"kind": "prune_backups", "source": 1}"#.to_owned(), "unknown field `source`"),
        (r#"{"kind": "create_backup"}"#.to_owned(), "missing field `source`"),
        (
            r#"{"kind": "create_backup", "source": {"kind": "board", "url": "x"}}"#.to_owned(),
            "unknown field `url`",
        ),
        (
            r#"{"kind": "create_backup", "source": {"kind": "http", "url": "x"}}"#.to_owned(),
            "action.source.url: ",
        ),
        (r#"{"kind": "reboot"}"#.to_owned(), "unknown variant `reboot`"),
        (
            r#""run_checks""#.to_owned(),
            "invalid type: string \"run_checks\", expected an object with a `kind`",
        ),
        (
            r#"{"kind": "create_backup", "source": 1}"#.to_owned(),
            "invalid type: integer `1`, expected an object with a `kind`",
        ),
        (url("ftp://h"), "action.url: "),
        (url("//h"), "action.url: "),
        (url("http://"), "action.url: "),
        (url("http:///path"), "action.url: "),
        (url("http://a:b@h"), "action.url: "),
        (url("http://h:0"), "action.url: "),
        (url("http://h:99999"), "action.url: "),
        (url("http://[::1"), "action.url: "),
        (url("http://999.1.1.1/"), "action.url: "),
        (url("http://1.2.3.4.5/"), "action.url: "),
        (url("http://xn--a/"), "action.url: "),
        (url("http://h/a b"), "action.url: "),
        (url("http://h/#top"), "action.url: "),
        (url("http://h\\\\evil"), "action.url: "),
        (url(&format!("http://h/{}", "x".repeat(2048))), "action.url: "),
        (webhook(r#""headers": {"Host": "x"}"#), "action.headers: "),
        (webhook(r#""headers": {"a b": "x"}"#), "action.headers: "),
        (webhook(r#""headers": {"a": "x\r\nb: y"}"#), "action.headers: "),
        (webhook(&format!(r#""headers": {{{}}}"#, many.join(","))), "action.headers: "),
        (webhook(r#""method": "GET", "body": {}"#), "action.body: "),
        (webhook(&format!(r#""body": "{}""#, "x".repeat(65_536))), "action.body: "),
        (webhook(r#""method": "TRACE""#), "unknown variant `TRACE`"),
        (webhook(r#""timeout_seconds": 301"#), "action.timeout_seconds: "),
        (webhook(r#""expected_status": 99"#), "action.expected_status: "),
    ] {
        let error = check(&format!(r#"{{"cron": "@daily", "action": {action}}}"#)).unwrap_err();
        assert!(error.starts_with(field), "{action}: {error}");
    }
}
