//! What a limiter grants after a restart.

use std::time::Duration;

use super::examples::{at, config, limiter, tokens};
use crate::domain::{
    Time, Tokens,
    limiter::{Limiter, LimiterConfig, Mark, SavedLimiter},
};

const DAILY: &str = r#"{"algorithm": "sliding_window", "limit": 80, "period_seconds": 86400}"#;
const SHORT: &str = r#"{"requests_per_second": 1, "burst_size": 5}"#;

fn crash(config: LimiterConfig, saved: Option<SavedLimiter>, mark: Option<Mark>, now: Time) -> Limiter {
    Limiter::restore(config, saved, mark, now, 0, 0, false)
}

fn take(limiter: &mut Limiter, now: Time, count: u32) {
    limiter.acquire(now, tokens(count), Duration::ZERO, 1).expect("granted");
}

#[test]
fn a_clean_stop_loses_nothing_and_time_goes_on() {
    let mut bucket = limiter(SHORT);
    take(&mut bucket, at(0.0), 5);
    bucket.penalize(at(0.0), Duration::from_secs(1));
    let saved = bucket.save();
    let shift = -1_000_000_000_000;
    let now = at(2.0).shifted(shift);
    let mut again = Limiter::restore(config(SHORT), Some(saved), None, now, shift, 0, true);
    assert_eq!(again.available(now), tokens(2));
    assert_eq!(again.stats(), bucket.stats());
}

#[test]
fn a_short_limiter_counts_as_empty_after_a_crash() {
    let bucket = limiter(SHORT);
    let mut again = crash(config(SHORT), Some(bucket.save()), None, at(3.0));
    assert_eq!(again.available(at(3.0)), Tokens::ZERO);
    assert_eq!(again.available(at(5.0)), tokens(2));
}

#[test]
fn a_long_limiter_loses_at_most_what_its_mark_allowed() {
    let mut daily = limiter(DAILY);
    assert_eq!(daily.mark_needed(at(0.0)), None);
    take(&mut daily, at(0.0), 3);
    let mark = daily.mark_needed(at(0.0)).expect("the first grant needs one");
    assert_eq!(mark.granted_ceiling, 13_000_000, "an eighth of the limit further");
    daily.mark_saved(mark);
    take(&mut daily, at(1.0), 10);
    assert_eq!(daily.mark_needed(at(1.0)), None, "within the slack");
    let saved = daily.save();
    let mut again = crash(config(DAILY), Some(saved), Some(mark), at(2.0));
    assert_eq!(again.available(at(2.0)), tokens(67), "saved after the last grant: nothing is unknown");
    let mut again = crash(config(DAILY), None, Some(mark), at(2.0));
    assert_eq!(again.available(at(2.0)), tokens(67));
    take(&mut again, at(2.0), 1);
    assert!(again.mark_needed(at(2.0)).is_some());
    assert_eq!(crash(config(DAILY), None, None, at(2.0)).available(at(2.0)), tokens(80));
}

#[test]
fn what_may_be_used_in_the_future_is_bounded_by_the_horizon() {
    let mut bucket = limiter(r#"{"requests_per_second": 1, "burst_size": 5, "lease_seconds": 30}"#);
    bucket.lease(at(0.0), tokens(5), tokens(5), (7, 1), Duration::MAX).unwrap();
    let mark = bucket.mark_needed(at(0.0)).expect("a lease needs a horizon");
    assert_eq!(mark.horizon, at(32.0));
    bucket.mark_saved(mark);
    assert_eq!(bucket.release(at(0.0), 7, tokens(5)), Some(tokens(5)));
    bucket.lease(at(1.5), tokens(5), tokens(5), (8, 1), Duration::MAX).unwrap();
    assert_eq!(bucket.mark_needed(at(1.5)), None, "within the slack");
    let mut again = crash(bucket.config().clone(), None, Some(mark), at(3.0));
    assert_eq!(again.available(at(32.0)), Tokens::ZERO);
    assert_eq!(again.available(at(33.0)), Tokens::ONE);
}

#[test]
fn one_lease_does_not_close_a_daily_limit_for_a_day() {
    let mut daily = limiter(DAILY);
    daily.lease(at(0.0), tokens(5), tokens(5), (7, 1), Duration::MAX).unwrap();
    let mark = daily.mark_needed(at(0.0)).unwrap();
    daily.mark_saved(mark);
    let mut again = crash(config(DAILY), None, Some(mark), at(1.0));
    assert_eq!(again.available(at(1.0)), tokens(80 - 15));
    assert_eq!(again.available(at(7.0 + 86_399.0)), tokens(80 - 15), "used at the horizon at the latest");
    assert_eq!(again.available(at(7.0 + 86_400.0)), tokens(80));
}

#[test]
fn the_same_configuration_changes_nothing() {
    let mut bucket = limiter(SHORT);
    take(&mut bucket, at(0.0), 4);
    let before = serde_json::to_string(&bucket.save()).unwrap();
    bucket.reconfigure(config(SHORT), at(9.0));
    assert_eq!(serde_json::to_string(&bucket.save()).unwrap(), before);
}

#[test]
fn a_change_there_and_back_frees_nothing() {
    let minute = r#"{"algorithm": "sliding_window", "limit": 5, "period_seconds": 60}"#;
    let second = r#"{"algorithm": "sliding_window", "limit": 5, "period_seconds": 1}"#;
    for [json, other] in [[minute, second], [second, minute]] {
        for [json, other] in [
            [json.to_owned(), other.to_owned()],
            [json.replace("sliding", "fixed"), other.replace("sliding", "fixed")],
        ] {
            let mut window = limiter(&json);
            take(&mut window, at(0.0), 5);
            window.reconfigure(config(&other), at(0.5));
            assert_eq!(window.available(at(0.5)), Tokens::ZERO);
            window.reconfigure(config(&json), at(0.6));
            assert_eq!(window.available(at(0.6)), Tokens::ZERO);
            assert_eq!(window.available(at(121.0)), tokens(5));
        }
    }
}

#[test]
fn a_limiter_that_was_short_at_the_last_save_counts_as_closed() {
    let mut window = limiter(r#"{"algorithm": "sliding_window", "limit": 5, "period_seconds": 1}"#);
    take(&mut window, at(0.0), 5);
    let long = config(r#"{"algorithm": "sliding_window", "limit": 5, "period_seconds": 60}"#);
    window.reconfigure(long.clone(), at(0.1));
    let mark = window.mark_needed(at(0.1)).expect("stored with the configuration");
    for saved in [None, Some(window.save())] {
        assert_eq!(crash(long.clone(), saved, Some(mark), at(0.2)).available(at(0.2)), Tokens::ZERO);
    }
}

#[test]
fn after_a_crash_a_limiter_that_becomes_long_stays_closed_through_the_next_one() {
    let short = config(r#"{"algorithm": "sliding_window", "limit": 50, "period_seconds": 1}"#);
    let long = config(r#"{"algorithm": "sliding_window", "limit": 50, "period_seconds": 60}"#);
    let mut window = crash(short.clone(), None, None, at(0.0));
    window.reconfigure(long.clone(), at(0.1));
    let mark = window.mark_needed(at(0.1)).expect("stored with the configuration");
    assert_eq!(crash(long.clone(), None, Some(mark), at(0.2)).available(at(60.1)), Tokens::ZERO);
    // Neither is it open when the crash came between the save and the change.
    let saved = Limiter::new(short, at(0.0), 0).save();
    assert_eq!(crash(long, Some(saved), None, at(0.2)).available(at(60.1)), Tokens::ZERO);
}

#[test]
fn a_rate_that_was_lowered_while_unsaved_counts_as_lowered_from_the_save_on() {
    let mut bucket = limiter(r#"{"requests_per_second": 10, "burst_size": 1000}"#);
    take(&mut bucket, at(0.0), 1000);
    bucket.mark_saved(bucket.mark_needed(at(0.0)).unwrap());
    let saved = bucket.save();
    let after = |rate: u32| {
        let json = format!(r#"{{"requests_per_second": {rate}, "burst_size": 1000}}"#);
        crash(config(&json), Some(saved.clone()), None, at(90.0)).available(at(90.0))
    };
    assert_eq!(after(1), Tokens::ZERO);
    assert_eq!(after(10), tokens(900 - 125), "less the slack of the mark");
    assert_eq!(after(50), tokens(900 - 125), "a raised one as raised at the crash");
}

#[test]
fn under_a_longer_period_what_counts_goes_on_to_count() {
    let second = r#"{"algorithm": "sliding_window", "limit": 5, "period_seconds": 1}"#;
    let mut window = limiter(second);
    take(&mut window, at(0.0), 2);
    window.lease(at(0.0), tokens(3), tokens(3), (7, 1), Duration::MAX).unwrap();
    window.reconfigure(config(&second.replace(": 1}", ": 60}")), at(0.5));
    assert_eq!(window.available(at(59.9)), Tokens::ZERO);
    assert_eq!(window.available(at(60.0)), tokens(2));
    assert_eq!(window.available(at(65.0)), tokens(5), "the lease from its end on");
}
