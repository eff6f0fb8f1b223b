//! Examples of what the laws say, and what is refused.

use jiff::Timestamp;

use super::*;

fn policy(json: &str) -> RetentionPolicy {
    serde_json::from_str(json).expect("a policy")
}

fn backup(id: i64, at: &str) -> Candidate {
    Candidate { id, at: at.parse().unwrap(), verified: false, pinned: false, corrupt: false }
}

/// What becomes of each, oldest first: `id: reason, reason`, with `-` before the id of what goes.
fn planned(json: &str, all: &[Candidate], now: &str) -> Vec<String> {
    let now: Timestamp = now.parse().unwrap();
    let decisions = plan(&policy(json), all, now);
    let line = |decision: &Decision| {
        let reasons: Vec<_> = decision.reasons.iter().map(ToString::to_string).collect();
        format!("{}{}: {}", if decision.keep { "" } else { "-" }, decision.id, reasons.join(", "))
    };
    decisions.iter().rev().map(line).collect()
}

#[test]
fn rules_add_up_and_days_without_a_backup_take_no_place() {
    let all = [
        backup(1, "2026-10-01T02:00:00Z"),
        backup(2, "2026-11-01T02:00:00Z"),
        backup(3, "2026-11-20T02:00:00Z"),
        backup(4, "2026-11-24T02:00:00Z"),
        backup(5, "2026-11-24T14:00:00Z"),
    ];
    assert_eq!(
        planned(r#"{"keep_last": 2, "keep_daily": 3, "keep_yearly": 1}"#, &all, "2026-11-24T15:00:00Z"),
        [
            "-1: no rule keeps it",
            "2: daily 2026-11-01",
            "3: daily 2026-11-20",
            "4: last 2 of 2",
            "5: last 1 of 2, daily 2026-11-24, yearly 2026, newest",
        ]
    );
}

#[test]
fn the_calendar_is_that_of_the_zone() {
    // The first two are on the same day in universal time, in Berlin the second is in the next day, week, month and year.
    let all = [
        backup(1, "2023-12-31T22:30:00Z"),
        backup(2, "2023-12-31T23:30:00Z"),
        backup(3, "2026-10-25T00:30:00Z"),
        backup(4, "2026-10-25T01:30:00Z"),
    ];
    assert_eq!(
        planned(r#"{"keep_hourly": 9, "keep_weekly": 9, "keep_yearly": 9}"#, &all, "2026-11-24T00:00:00Z"),
        [
            "1: hourly 2023-12-31T22Z",
            "2: hourly 2023-12-31T23Z, weekly 2023-W52, yearly 2023",
            "3: hourly 2026-10-25T00Z",
            "4: hourly 2026-10-25T01Z, weekly 2026-W43, yearly 2026, newest",
        ]
    );
    let berlin = r#"{"keep_hourly": 9, "keep_weekly": 9, "keep_monthly": 9, "timezone": "europe/berlin"}"#;
    assert_eq!(
        planned(berlin, &all, "2026-11-24T00:00:00Z"),
        [
            "1: hourly 2023-12-31T23+01:00, weekly 2023-W52, monthly 2023-12",
            "2: hourly 2024-01-01T00+01:00, weekly 2024-W01, monthly 2024-01",
            "3: hourly 2026-10-25T02+02:00",
            "4: hourly 2026-10-25T02+01:00, weekly 2026-W43, monthly 2026-10, newest",
        ]
    );
}

#[test]
fn a_date_that_comes_twice_takes_one_place() {
    // In St. John's the clocks went back from 00:01 to 23:01 on 7 November 2010.
    let all = [
        backup(1, "2010-11-07T02:15:00Z"),
        backup(2, "2010-11-07T02:30:30Z"),
        backup(3, "2010-11-07T03:00:00Z"),
        backup(4, "2010-11-07T04:00:00Z"),
    ];
    assert_eq!(
        planned(r#"{"keep_daily": 9, "timezone": "America/St_Johns"}"#, &all, "2026-11-24T00:00:00Z"),
        [
            "-1: no rule keeps it",
            "-2: no rule keeps it",
            "3: daily 2010-11-06",
            "4: daily 2010-11-07, newest",
        ]
    );
}

#[test]
fn pinned_damaged_and_future_ones_take_nobodys_place() {
    let all = [
        Candidate { verified: true, ..backup(1, "2026-11-01T00:00:00Z") },
        backup(2, "2026-11-02T00:00:00Z"),
        backup(3, "2026-11-03T00:00:00Z"),
        Candidate { corrupt: true, ..backup(4, "2026-11-04T00:00:00Z") },
        backup(5, "2026-11-05T00:00:00Z"),
        Candidate { corrupt: true, verified: true, ..backup(6, "2026-11-06T00:00:00Z") },
        Candidate { pinned: true, ..backup(7, "2026-11-07T00:00:00Z") },
        Candidate { verified: true, ..backup(8, "2036-11-08T00:00:00Z") },
    ];
    assert_eq!(
        planned(r#"{"keep_last": 2}"#, &all, "2026-11-24T00:00:00Z"),
        [
            "1: newest verified",
            "-2: no rule keeps it",
            "3: last 2 of 2",
            "-4: no rule keeps it",
            "5: last 1 of 2",
            "6: last 1 of 2",
            "7: pinned",
            "8: in the future",
        ]
    );
}

#[test]
fn age_is_in_days_of_24_hours_and_what_is_as_old_goes() {
    let all = [
        backup(1, "2026-10-24T23:59:59Z"),
        backup(2, "2026-10-25T00:00:00Z"),
        backup(3, "2026-10-25T00:00:01Z"),
    ];
    let lines =
        planned(r#"{"retention_days": 30, "timezone": "Europe/Berlin"}"#, &all, "2026-11-24T00:00:00Z");
    assert_eq!(lines, ["-1: no rule keeps it", "-2: no rule keeps it", "3: younger than 30 days, newest"]);
    let lines = planned(r#"{"retention_days": 0.000001}"#, &all, "2026-11-24T00:00:00Z");
    assert_eq!(lines[2], "3: newest");
}

#[test]
fn what_was_made_just_now_is_not_in_the_future() {
    let all = [backup(1, "2026-11-23T00:00:00Z"), backup(2, "2026-11-24T00:00:00Z")];
    let lines = planned(r#"{"keep_last": 1}"#, &all, "2026-11-24T00:00:00Z");
    assert_eq!(lines, ["-1: no rule keeps it", "2: last 1 of 1, newest"]);
}

#[test]
fn without_a_rule_everything_stays() {
    let all = [backup(1, "2016-10-24T00:00:00Z"), backup(2, "2026-10-25T00:00:00Z")];
    for none in ["{}", r#"{"keep_last": 0, "keep_daily": 0, "timezone": "Asia/Tokyo"}"#] {
        assert_eq!(planned(none, &all, "2026-11-24T00:00:00Z"), ["1: no policy", "2: newest, no policy"]);
    }
}

#[test]
fn words_are_the_fields_of_the_policy() {
    let json = r#"{"keep_last": 1, "keep_hourly": 1, "keep_daily": 1, "keep_weekly": 1, "keep_monthly": 1,
                   "keep_yearly": 1, "retention_days": 1}"#;
    let all = [backup(1, "2026-11-24T00:00:00Z")];
    let decisions = plan(&policy(json), &all, "2026-11-24T01:00:00Z".parse().unwrap());
    let words: Vec<_> = decisions[0].reasons.iter().map(Reason::word).collect();
    assert_eq!(
        words,
        [
            "keep_last",
            "keep_hourly",
            "keep_daily",
            "keep_weekly",
            "keep_monthly",
            "keep_yearly",
            "retention_days",
            "newest"
        ]
    );
}

#[test]
fn policies_are_stored_whole_and_rejections_name_the_field() {
    let given = policy(r#"{"keep_daily": 7, "retention_days": 0.5, "timezone": "europe/berlin"}"#);
    let stored = serde_json::to_string(&given).unwrap();
    assert_eq!(policy(&stored), given);
    assert!(stored.contains(r#""keep_last":0"#) && stored.contains("Europe/Berlin"), "{stored}");
    for (json, field) in [
        (r#"{"keep_last": 100001}"#, "keep_last"),
        (r#"{"keep_hourly": 100001}"#, "keep_hourly"),
        (r#"{"keep_daily": 100001}"#, "keep_daily"),
        (r#"{"keep_weekly": 100001}"#, "keep_weekly"),
        (r#"{"keep_monthly": 100001}"#, "keep_monthly"),
        (r#"{"keep_yearly": 100001}"#, "keep_yearly"),
        (r#"{"retention_days": 0}"#, "retention_days"),
        (r#"{"retention_days": -1}"#, "retention_days"),
        (r#"{"retention_days": 36500.1}"#, "retention_days"),
        (r#"{"timezone": "Berlin"}"#, "timezone"),
    ] {
        let spec: RetentionSpec = serde_json::from_str(json).unwrap();
        assert_eq!(RetentionPolicy::try_from(spec).unwrap_err().field, field, "{json}");
    }
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(Days::try_from(bad).is_err());
    }
    for unknown in [r#"{"keep_lats": 1}"#, r#"{"keep_last": -1}"#, r#"{"keep_last": 1.5}"#] {
        assert!(serde_json::from_str::<RetentionSpec>(unknown).is_err(), "{unknown}");
    }
}
