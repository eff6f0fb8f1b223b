use std::time::Duration;

use super::{
    Classify, ClientError, Guard, HttpStatus, Outcome, Reason, Settings, Verdict,
    local::Local,
    outbox::{Outbox, Report, cut},
    presence::Presence,
    wire::Decision,
};
use crate::domain::{Time, breaker::BreakerSpec, limiter::LimiterSpec};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Time {
    Time::from_nanos(1_000_000_000_000).after(SECOND * u32::try_from(seconds).unwrap())
}

fn breaker(threshold: u32, timeout: f64) -> Guard {
    let spec = BreakerSpec {
        failure_threshold: Some(threshold),
        timeout_seconds: Some(timeout),
        half_open_max_calls: Some(1),
        ..BreakerSpec::default()
    };
    Guard::new().breaker("b", spec).unwrap()
}

fn bucket(rate: f64, burst: u32) -> Guard {
    let spec =
        LimiterSpec { requests_per_second: Some(rate), burst_size: Some(burst), ..LimiterSpec::default() };
    Guard::new().limiter("l", spec).unwrap()
}

fn told(json: serde_json::Value) -> Decision {
    serde_json::from_value(json).unwrap()
}

fn reason(local: &Local, guard: &Guard, now: Time) -> Option<Reason> {
    local.begin(&guard.0, now).err().map(|refused| {
        assert!(refused.is_local);
        refused.reason
    })
}

fn fail(local: &Local, guard: &Guard, now: Time) {
    let (permit, _) = local.begin(&guard.0, now).unwrap();
    local.end(permit, Outcome::Failure, SECOND, now);
}

#[test]
fn a_local_breaker_keeps_the_rule() {
    let (local, guard) = (Local::new(1), breaker(2, 10.0));
    fail(&local, &guard, at(0));
    fail(&local, &guard, at(0));
    assert_eq!(reason(&local, &guard, at(9)), Some(Reason::BreakerOpen));
    let (trial, _) = local.begin(&guard.0, at(10)).unwrap();
    assert_eq!(reason(&local, &guard, at(10)), Some(Reason::HalfOpenFull));
    local.end(trial, Outcome::Success, SECOND, at(11));
    assert_eq!(reason(&local, &guard, at(11)), None);
}

#[test]
fn it_goes_on_from_what_the_board_said() {
    let (local, guard) = (Local::new(1), breaker(5, 60.0));
    let open =
        told(serde_json::json!({"allowed": false, "breaker_state": "open", "retry_after_seconds": 7.0}));
    local.follow(&guard.0, &open, at(0));
    assert_eq!(reason(&local, &guard, at(6)), Some(Reason::BreakerOpen));
    drop(local.begin(&guard.0, at(7)).unwrap());
    assert_eq!(reason(&local, &guard, at(7)), Some(Reason::HalfOpenFull), "one trial, as declared");
    let closed = told(serde_json::json!({"allowed": true, "call_id": "c", "breaker_state": "closed"}));
    local.follow(&guard.0, &closed, at(8));
    assert_eq!(reason(&local, &guard, at(8)), None, "the board wins");
}

#[test]
fn failures_that_the_board_counted_count_when_it_is_gone() {
    let (local, guard) = (Local::new(1), breaker(3, 60.0));
    let closed = told(serde_json::json!({"allowed": true, "call_id": "c", "breaker_state": "closed"}));
    for _ in 0..2 {
        local.follow(&guard.0, &closed, at(0));
        local.tally(&guard.0.breaker.as_ref().unwrap().name, Outcome::Failure, SECOND, at(0));
    }
    assert_eq!(reason(&local, &guard, at(1)), None);
    fail(&local, &guard, at(1));
    assert_eq!(reason(&local, &guard, at(1)), Some(Reason::BreakerOpen));
}

#[test]
fn a_share_is_spent_evenly_and_begins_empty() {
    let (local, guard) = (Local::new(1), bucket(10.0, 10));
    let share = told(serde_json::json!({"allowed": true, "call_id": "c", "fallback_share": 2.0}));
    local.follow(&guard.0, &share, at(0));
    assert_eq!(reason(&local, &guard, at(0)), Some(Reason::RateLimited));
    let granted = (0..100).filter(|tenth| {
        let now = at(0).after(Duration::from_millis(100 * tenth));
        local.begin(&guard.0, now).is_ok()
    });
    assert_eq!(granted.count(), 19, "two a second, none at the beginning");
    let patient = guard.max_wait(SECOND);
    let (_, wait) = local.begin(&patient.0, at(10)).unwrap();
    let (_, next) = local.begin(&patient.0, at(10)).unwrap();
    assert_eq!(next, wait + SECOND / 2, "waiters get slots of their own");
}

#[test]
fn a_share_of_a_window_keeps_the_window() {
    let spec = LimiterSpec {
        algorithm: Some(crate::domain::limiter::LimiterAlgorithm::SlidingWindow),
        limit: Some(10),
        period_seconds: Some(1.0),
        ..LimiterSpec::default()
    };
    let (local, guard) = (Local::new(1), Guard::new().limiter("l", spec).unwrap());
    let share = told(serde_json::json!({"allowed": true, "call_id": "c", "fallback_share": 10.0 / 3.0}));
    local.follow(&guard.0, &share, at(0));
    let granted: Vec<u64> = (0..5000)
        .filter(|milli| local.begin(&guard.0, at(0).after(Duration::from_millis(*milli))).is_ok())
        .collect();
    assert!(granted[0] >= 1000, "what the board granted last counts for a second: {granted:?}");
    assert!(granted.len() >= 11, "{granted:?}");
    assert!(granted.windows(4).all(|four| four[3] - four[0] >= 1000), "three clients, ten: {granted:?}");
}

#[test]
fn without_a_share_a_limit_is_divided_among_the_peers() {
    let (local, guard) = (Local::new(5), bucket(10.0, 10));
    let granted = (0..11).filter(|_| local.begin(&guard.0, at(0)).is_ok()).count();
    assert_eq!(granted, 2);
    let spec = LimiterSpec {
        algorithm: Some(crate::domain::limiter::LimiterAlgorithm::Concurrency),
        limit: Some(10),
        ..LimiterSpec::default()
    };
    let gpu = Guard::new().limiter("gpu", spec).unwrap();
    let (first, _) = local.begin(&gpu.0, at(0)).unwrap();
    drop(local.begin(&gpu.0, at(0)).unwrap());
    assert_eq!(reason(&local, &gpu, at(0)), Some(Reason::ConcurrencyFull));
    local.end(first, Outcome::Success, SECOND, at(0));
    assert_eq!(reason(&local, &gpu, at(0)), None);
}

#[test]
fn a_rate_is_no_number_of_permits() {
    let spec = LimiterSpec {
        algorithm: Some(crate::domain::limiter::LimiterAlgorithm::Concurrency),
        limit: Some(10),
        ..LimiterSpec::default()
    };
    let (local, guard) = (Local::new(1), bucket(10.0, 10).limiter("gpu", spec).unwrap());
    let told = told(serde_json::json!(
        {"allowed": true, "call_id": "c", "fallback_share": 10.0, "fallback_permits": 2.0}
    ));
    local.follow(&guard.0, &told, at(0));
    assert_eq!(reason(&local, &guard, at(0)), Some(Reason::RateLimited), "it begins empty");
    let tenth = |n: u64| at(0).after(Duration::from_millis(100 * n));
    let (first, _) = local.begin(&guard.0, tenth(1)).unwrap();
    let _second = local.begin(&guard.0, tenth(2)).unwrap();
    assert_eq!(reason(&local, &guard, tenth(3)), Some(Reason::ConcurrencyFull), "two at once");
    local.end(first, Outcome::Success, SECOND, tenth(3));
    assert_eq!(reason(&local, &guard, tenth(3)), None, "ten a second");
}

#[test]
fn nobody_waits_for_a_share_longer_than_it_allows() {
    let spec = LimiterSpec {
        algorithm: Some(crate::domain::limiter::LimiterAlgorithm::Concurrency),
        limit: Some(2),
        lease_seconds: Some(30.0),
        ..LimiterSpec::default()
    };
    let (local, gpu) = (Local::new(1), Guard::new().limiter("gpu", spec).unwrap());
    let told = told(serde_json::json!(
        {"allowed": true, "call_id": "c", "fallback_permits": 1.0, "fallback_after_seconds": 30.0}
    ));
    local.follow(&gpu.0, &told, at(0));
    let patient = gpu.clone().max_wait(10 * SECOND);
    let refused = local.begin(&patient.0, at(0)).unwrap_err();
    assert_eq!(refused.retry_after, Some(20 * SECOND), "others' calls may still run; it is told at once");
    assert_eq!(reason(&local, &gpu, at(29)), Some(Reason::RateLimited));
    let (_, wait) = local.begin(&patient.0, at(21)).unwrap();
    assert_eq!(wait, 9 * SECOND, "no longer than it allowed");
    assert_eq!(reason(&local, &gpu, at(30)), Some(Reason::ConcurrencyFull), "its share is one");
}

#[test]
fn a_silence_that_was_asked_for_outlasts_the_loss_of_the_server() {
    let (local, guard) = (Local::new(1), bucket(10.0, 10));
    local.penalize(&guard.0.limiters[0].name, 30 * SECOND, at(0));
    local.begin_afresh();
    assert_eq!(reason(&local, &guard, at(29)), Some(Reason::RateLimited));
    assert_eq!(reason(&local, &guard, at(30)), None);
}

#[test]
fn a_refused_call_burns_no_tokens() {
    let (local, guard) = (Local::new(1), breaker(1, 60.0));
    let spec = LimiterSpec { requests_per_second: Some(1.0), ..LimiterSpec::default() };
    let both = guard.limiter("l", spec).unwrap();
    fail(&local, &breaker(1, 60.0), at(0));
    assert_eq!(reason(&local, &both, at(0)), Some(Reason::BreakerOpen));
    assert_eq!(reason(&local, &bucket(1.0, 1), at(0)), None);
}

#[test]
fn guards_are_checked_when_they_are_made() {
    let invalid = |result: Result<Guard, ClientError>| matches!(result, Err(ClientError::Invalid(_)));
    let spec = BreakerSpec { failure_threshold: Some(0), ..BreakerSpec::default() };
    assert!(invalid(Guard::new().breaker("b", spec)));
    assert!(invalid(Guard::new().breaker("no name", BreakerSpec::default())));
    for tokens in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(invalid(Guard::new().tokens("l", tokens, LimiterSpec::default())), "{tokens}");
    }
    assert!(invalid(bucket(1.0, 1).limiter("l", LimiterSpec::default())));
}

#[test]
fn settings_hide_the_token() {
    let settings = Settings { token: Some("hunter2".to_owned()), ..Settings::new("http://h") };
    assert!(!format!("{settings:?}").contains("hunter2"));
    for url in ["", "h", "ftp://h", "http://"] {
        assert!(super::Client::new(Settings::new(url)).is_err(), "{url}");
    }
}

#[test]
fn answers_are_judged_by_their_status() {
    let answer = |status: u16, retry: &str| {
        let answer = axum::http::Response::builder().status(status).header("retry-after", retry);
        HttpStatus.classify(&Ok::<_, ClientError>(answer.body(()).unwrap()))
    };
    assert_eq!(answer(200, "5"), Verdict::success());
    assert_eq!(answer(404, "5"), Verdict::success());
    assert_eq!(answer(500, "5"), Verdict::failure("status 500"));
    let slow_down = |status: &str, span| Verdict { retry_after: span, ..Verdict::failure(status) };
    assert_eq!(answer(429, "5"), slow_down("status 429", Some(5 * SECOND)));
    assert_eq!(answer(503, "soon"), slow_down("status 503", None));
    let error: Result<axum::http::Response<()>, _> = Err(ClientError::NoRuntime);
    assert_eq!(HttpStatus.classify(&error).outcome, Outcome::Failure);
}

#[test]
fn what_is_not_settled_returns() {
    let outbox = Outbox::new();
    let report = |id: &str, outcome| Report {
        call_id: id.to_owned(),
        outcome,
        duration_seconds: 0.0,
        error: None,
        told: None,
    };
    outbox.push(report("a", Outcome::Success), at(0));
    assert!(outbox.due() > Some(at(0)), "a success may wait for company");
    outbox.push(report("b", Outcome::Failure), at(0));
    assert_eq!(outbox.due(), Some(at(0)), "a failure may not");
    let ids = |most| {
        let batch = outbox.take(most);
        batch.reports.iter().map(|report| report.call_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(1), ["a"]);
    assert_eq!(ids(10), ["a", "b"], "the order is kept");
    outbox.take(10).settled();
    assert_eq!((ids(10).len(), outbox.due()), (0, None));
    for n in 0..10_100 {
        outbox.push(report(&n.to_string(), Outcome::Success), at(0));
    }
    assert_eq!(ids(1), ["100"], "the oldest are given up");
}

#[test]
fn errors_are_cut_between_characters() {
    assert_eq!(cut("x".repeat(2000)).len(), 1024);
    assert_eq!(cut("€".repeat(1000)).len(), 1023);
    assert_eq!(cut("short".to_owned()), "short");
}

#[test]
fn a_server_that_comes_and_goes_is_asked_less_often() {
    let presence = Presence::new();
    assert!(presence.lost(at(0)) && !presence.lost(at(0)), "it is news once");
    assert_eq!(presence.probe_in(at(0)), SECOND);
    presence.still_away(at(1));
    assert_eq!(presence.probe_in(at(1)), SECOND);
    let mut waits = Vec::new();
    for n in 0..4 {
        presence.back(at(10 + n));
        presence.lost(at(10 + n));
        waits.push(presence.probe_in(at(10 + n)).as_secs());
    }
    assert_eq!(waits, [2, 4, 5, 5]);
    presence.back(at(100));
    presence.lost(at(200));
    assert_eq!(presence.probe_in(at(200)), SECOND);
}

#[test]
fn all_that_was_spent_is_told_however_much() {
    let (local, guard) = (Local::new(1), bucket(1000.0, 5000));
    for milli in 0..2500 {
        local.begin(&guard.0, at(0).after(Duration::from_millis(milli))).unwrap();
    }
    let spent = local.take_spent();
    let entries = spent.values().next().unwrap();
    assert!(entries.len() <= 1000);
    assert_eq!(entries.iter().map(|(_, tokens)| tokens.micros()).sum::<u64>(), 2_500_000_000);
    assert_eq!(entries.last().unwrap().0, at(0).after(Duration::from_millis(2499)));
    assert!(entries.is_sorted_by_key(|(at, _)| *at));
    assert!(local.take_spent().is_empty(), "each once");
}
