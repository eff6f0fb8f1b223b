//! The budget holds for every history; examples document the rest.

use proptest::prelude::*;

use super::*;
use crate::domain::Seconds;

fn config(json: &str) -> RetryPolicyConfig {
    serde_json::from_str(json).expect("a policy")
}

fn second(seconds: f64) -> Time {
    Time::from_nanos(0).after(Duration::from_secs_f64(seconds))
}

#[test]
fn absent_fields_take_their_defaults_and_rejections_name_the_field() {
    let policy = config("{}");
    assert_eq!(policy.max_attempts, 3);
    assert_eq!(policy.max_delay_seconds, Seconds::whole(60));
    assert_eq!(policy.jitter, Jitter::Full);
    let stored = serde_json::to_string(&policy).unwrap();
    assert_eq!(config(&stored), policy);
    for (json, field) in [
        (r#"{"max_attempts": 0}"#, "max_attempts"),
        (r#"{"max_attempts": 1001}"#, "max_attempts"),
        (r#"{"initial_delay_seconds": -1}"#, "initial_delay_seconds"),
        (r#"{"max_delay_seconds": 1e300}"#, "max_delay_seconds"),
        (r#"{"exponential_base": 0.9}"#, "exponential_base"),
        (r#"{"budget_ratio": 1.1}"#, "budget_ratio"),
        (r#"{"budget_min_per_second": -0.5}"#, "budget_min_per_second"),
        (r#"{"budget_window_seconds": 0}"#, "budget_window_seconds"),
    ] {
        let spec: RetryPolicySpec = serde_json::from_str(json).unwrap();
        assert_eq!(RetryPolicyConfig::try_from(spec).unwrap_err().field, field);
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let spec = RetryPolicySpec { budget_ratio: Some(bad), ..RetryPolicySpec::default() };
        assert!(RetryPolicyConfig::try_from(spec).is_err());
    }
}

#[test]
fn delays_grow_to_the_maximum_and_never_overflow() {
    let json = r#"{"max_attempts": 1000, "jitter": "none", "budget_min_per_second": 1000000}"#;
    let mut policy = RetryPolicy::new(config(json), second(0.0));
    let mut delay = |attempt| policy.attempt(second(0.0), attempt, None, 0.5).delay;
    assert_eq!(delay(1), Duration::ZERO);
    assert_eq!([delay(2), delay(3), delay(4)], [1, 2, 4].map(Duration::from_secs));
    assert_eq!([delay(8), delay(1000)], [60, 60].map(Duration::from_secs));
    for jitter in [Jitter::None, Jitter::Full, Jitter::Equal] {
        for initial_delay_seconds in [Seconds::ZERO, Seconds::whole(1)] {
            let config =
                RetryPolicyConfig { jitter, initial_delay_seconds, exponential_base: 100.0, ..config("{}") };
            for random in [0.0, 0.999_999, f64::NAN, f64::INFINITY, -3.0, 7.0] {
                assert!(config.delay(u32::MAX, random) <= Duration::from_mins(1));
            }
        }
    }
}

#[test]
fn jitter_spreads_and_the_upstream_is_heard() {
    let full = config(r#"{"initial_delay_seconds": 8}"#);
    assert_eq!(full.delay(2, 0.25), Duration::from_secs(2));
    let equal = config(r#"{"initial_delay_seconds": 8, "jitter": "equal"}"#);
    assert_eq!(equal.delay(2, 0.25), Duration::from_secs(5));
    let mut policy = RetryPolicy::new(full, second(0.0));
    assert_eq!(
        policy.attempt(second(0.0), 2, Some(Duration::from_secs(90)), 0.0).delay,
        Duration::from_secs(90)
    );
}

#[test]
fn refusals_consume_nothing_and_say_why() {
    let mut policy = RetryPolicy::new(config(r#"{"budget_min_per_second": 0}"#), second(0.0));
    for _ in 0..9 {
        policy.attempt(second(0.0), 1, None, 0.0);
    }
    assert!(policy.attempt(second(0.0), 2, None, 0.0).allowed);
    let refused = policy.attempt(second(0.0), 2, None, 0.0);
    assert_eq!((refused.allowed, refused.reason), (false, Some(Refusal::BudgetExhausted)));
    assert_eq!(policy.budget_remaining(second(0.0)), 0);
    policy.attempt(second(0.0), 1, None, 0.0);
    assert_eq!(policy.budget_remaining(second(0.0)), 1);
    assert_eq!(policy.attempt(second(0.0), 4, None, 0.0).reason, Some(Refusal::AttemptsExhausted));
    assert_eq!(policy.attempt(second(0.0), u32::MAX, None, 0.0).reason, Some(Refusal::AttemptsExhausted));
    assert!(policy.attempt(second(0.0), 3, None, 0.0).allowed);
    assert_eq!(policy.stats(), RetryStats { calls: 10, retries: 2, refused: 3 });
}

#[test]
fn a_share_is_the_decimal_that_was_meant() {
    let json = r#"{"budget_min_per_second": 0, "budget_ratio": 0.29}"#;
    let mut policy = RetryPolicy::new(config(json), second(0.0));
    for _ in 0..100 {
        policy.attempt(second(0.0), 1, None, 0.0);
    }
    assert_eq!(policy.budget_remaining(second(0.0)), 29);
}

#[test]
fn extremes_do_not_panic() {
    for now in [Time::MIN, Time::from_nanos(0), Time::MAX] {
        let mut policy = RetryPolicy::new(config("{}"), now);
        for later in [Time::MAX, Time::MIN, now] {
            policy.attempt(later, u32::MAX, Some(Duration::MAX), f64::NAN);
            policy.attempt(later, 0, None, 0.0);
            policy = RetryPolicy::restore(config("{}"), Some(policy.save()), later, i64::MIN);
        }
    }
}

proptest! {
    #[test]
    fn the_share_is_never_exceeded(
        steps in prop::collection::vec((0..1_500u64, 1..4u32, 0..40u32), 1..300),
        ratio in prop_oneof![Just(0.0), Just(0.1), Just(0.2), Just(1.0)],
        least in prop_oneof![Just(0.0), Just(0.3), Just(1.0)],
    ) {
        let config = RetryPolicyConfig { budget_ratio: ratio, budget_min_per_second: least, ..config("{}") };
        let mut policy = RetryPolicy::new(config.clone(), Time::from_nanos(0));
        let (mut now, mut history) = (Time::from_nanos(0), Vec::<(Time, bool)>::new());
        for (millis, attempt, event) in steps {
            now = now.after(Duration::from_millis(millis));
            if event == 0 {
                // A clean restart under another zero.
                let saved = serde_json::to_string(&policy.save()).unwrap();
                let saved = serde_json::from_str(&saved).unwrap();
                policy = RetryPolicy::restore(config.clone(), Some(saved), now.shifted(777), 777);
                let saved = policy.save();
                policy = RetryPolicy::restore(config.clone(), Some(saved), now, -777);
            }
            let before = policy.budget_remaining(now);
            let answer = policy.attempt(now, attempt, None, 0.5);
            if attempt > 1 {
                prop_assert_eq!(answer.allowed, before >= 1);
            }
            if !answer.allowed {
                prop_assert_eq!(policy.budget_remaining(now), before);
                continue;
            }
            history.push((now, attempt > 1));
            if attempt > 1 {
                let start = now.before(Duration::from_secs(10));
                let inside = |retry| history.iter().filter(|(at, is)| *is == retry && *at > start).count();
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let (calls, retries) = (inside(false) as f64, inside(true) as f64);
                prop_assert!(retries <= ratio * calls + least * 10.0 + 1e-9, "{retries} of {calls}");
            }
        }
        // After a window in which nothing happened the whole minimum is there again.
        now = now.after(Duration::from_secs(11));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let whole = (least * 10.0) as u64;
        prop_assert_eq!(policy.budget_remaining(now), whole);
    }
}
