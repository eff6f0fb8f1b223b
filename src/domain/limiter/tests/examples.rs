//! Examples of single promises, and extremes.

use std::time::Duration;

use proptest::prelude::*;

use crate::domain::{
    Time, Tokens,
    limiter::{Denied, Limiter, LimiterConfig, LimiterStats, MAX_HOLDS, common_instant},
};

const NO_WAIT: Duration = Duration::ZERO;
const LONG_WAIT: Duration = Duration::from_secs(1_000_000);

pub(super) fn config(json: &str) -> LimiterConfig {
    serde_json::from_str(json).expect("a limiter")
}

pub(super) fn at(seconds: f64) -> Time {
    Time::from_nanos(0).after(Duration::from_secs_f64(seconds))
}

pub(super) fn limiter(json: &str) -> Limiter {
    Limiter::new(config(json), at(0.0), 0)
}

pub(super) fn tokens(count: u32) -> Tokens {
    Tokens::whole(count)
}

fn wait_of(limiter: &mut Limiter, now: Time) -> f64 {
    limiter.acquire(now, Tokens::ONE, LONG_WAIT, 0).expect("granted").since(now).as_secs_f64()
}

fn later(seconds: f64) -> Denied {
    Denied::Later { retry_after: Duration::from_secs_f64(seconds) }
}

#[test]
fn waiters_of_a_bucket_get_distinct_slots_in_order() {
    let mut bucket = limiter(r#"{"requests_per_second": 10, "burst_size": 2}"#);
    let waits: Vec<_> = (0..6).map(|_| wait_of(&mut bucket, at(0.0))).collect();
    assert_eq!(waits, [0.0, 0.0, 0.1, 0.2, 0.3, 0.4]);
    assert_eq!(bucket.waiting(at(0.25)), 2);
    assert_eq!(bucket.acquire(at(0.25), Tokens::ONE, NO_WAIT, 0), Err(later(0.25)));
    assert_eq!(bucket.stats(), LimiterStats { total_requests: 7, throttled_requests: 5 });
}

#[test]
fn a_leased_token_never_comes_on_top_of_a_refilled_bucket() {
    let mut bucket = limiter(r#"{"requests_per_second": 1, "burst_size": 5, "lease_seconds": 60}"#);
    let lease = bucket.lease(at(0.0), tokens(4), Tokens::ONE, (9, 1), Duration::MAX).unwrap();
    assert_eq!((lease.tokens, lease.until), (tokens(4), at(60.0)));
    assert_eq!(bucket.available(at(59.0)), Tokens::ONE, "four may still be spent");
    assert_eq!(bucket.release(at(59.0), 9, tokens(100)), Some(tokens(4)), "no more than was leased");
    assert_eq!(bucket.release(at(59.0), 9, tokens(4)), None);
    assert_eq!(bucket.available(at(59.0)), tokens(5));
}

#[test]
fn a_sliding_window_counts_a_lease_until_its_end_plus_the_period() {
    let mut window = limiter(r#"{"algorithm": "sliding_window", "limit": 3, "period_seconds": 10}"#);
    window.lease(at(0.0), tokens(3), Tokens::ONE, (9, 1), Duration::MAX).unwrap();
    assert_eq!(window.acquire(at(1.0), Tokens::ONE, NO_WAIT, 0), Err(later(14.0)));
    assert_eq!(window.release(at(2.0), 9, tokens(1)), Some(tokens(1)));
    assert_eq!(window.available(at(2.0)), Tokens::ONE);
    assert_eq!(window.available(at(12.0)), tokens(3));
}

#[test]
fn a_fixed_window_follows_the_wall_clock_and_ends_its_leases() {
    let json = r#"{"algorithm": "fixed_window", "limit": 3, "period_seconds": 60, "lease_seconds": 30}"#;
    let mut window = Limiter::new(config(json), at(0.0), 50_000_000_000);
    let lease = window.lease(at(0.0), tokens(3), Tokens::ONE, (9, 1), Duration::MAX).unwrap();
    assert_eq!(lease.until, at(10.0).before(Duration::from_nanos(1)));
    let waits: Vec<_> = (0..4).map(|_| wait_of(&mut window, at(5.0))).collect();
    assert_eq!(waits, [5.0, 5.0, 5.0, 65.0]);
}

#[test]
fn a_fixed_window_finds_room_whatever_was_asked_before() {
    let mut window = limiter(r#"{"algorithm": "fixed_window", "limit": 3, "period_seconds": 10}"#);
    let ready = |window: &mut Limiter, from: f64, count| window.ready_at(at(0.0), at(from), tokens(count));
    window.grant(at(0.0), at(0.0), tokens(2), 0);
    window.grant(at(0.0), at(10.0), tokens(3), 0);
    assert_eq!(ready(&mut window, 0.0, 3), Ok(at(20.0)), "a large one");
    assert_eq!(ready(&mut window, 0.0, 1), Ok(at(0.0)), "a small one");
    assert_eq!(ready(&mut window, 10.0, 1), Ok(at(20.0)), "a small one for later");
    assert_eq!(ready(&mut window, 0.0, 1), Ok(at(0.0)), "a small one for now");
    let lease = window.lease(at(0.0), tokens(1), tokens(1), (9, 1), Duration::MAX).unwrap();
    assert_eq!(lease.until, at(5.0));
    assert_eq!(ready(&mut window, 0.0, 1), Ok(at(20.0)));
    assert_eq!(window.release(at(0.0), 9, tokens(1)), Some(tokens(1)));
    assert_eq!(ready(&mut window, 0.0, 1), Ok(at(0.0)), "what was given back");
}

#[test]
fn concurrency_never_waits_and_takes_back_by_lease() {
    let mut gpu = limiter(r#"{"algorithm": "concurrency", "limit": 2, "lease_seconds": 60}"#);
    assert_eq!(gpu.acquire(at(0.0), Tokens::ONE, LONG_WAIT, 1), Ok(at(0.0)));
    assert_eq!(gpu.acquire(at(1.0), Tokens::ONE, LONG_WAIT, 2), Ok(at(1.0)));
    let denied = gpu.acquire(at(10.0), Tokens::ONE, LONG_WAIT, 3);
    assert_eq!(denied, Err(Denied::Concurrency { retry_after: Duration::from_secs(50) }));
    assert_eq!(gpu.release(at(10.0), 2, Tokens::ZERO), Some(Tokens::ONE));
    assert_eq!((gpu.in_use(at(10.0)), gpu.leased(at(10.0))), (Tokens::ONE, Tokens::ONE));
    assert_eq!(gpu.available(at(60.0)), tokens(2));
    assert_eq!(gpu.release(at(60.0), 1, Tokens::ZERO), None, "its lease has ended");
}

#[test]
fn what_never_fits_is_said() {
    for json in [
        r#"{"burst_size": 3}"#,
        r#"{"algorithm": "sliding_window", "limit": 3, "period_seconds": 1}"#,
        r#"{"algorithm": "fixed_window", "limit": 3, "period_seconds": 1}"#,
        r#"{"algorithm": "concurrency", "limit": 3}"#,
    ] {
        let mut limiter = limiter(json);
        let more = Tokens::from_micros(3_000_001);
        assert_eq!(limiter.acquire(at(0.0), more, LONG_WAIT, 1), Err(Denied::NeverFits));
        assert_eq!(limiter.lease(at(0.0), more, more, (1, 1), Duration::MAX), Err(Denied::NeverFits));
        assert_eq!(
            limiter.lease(at(0.0), more, Tokens::ONE, (1, 1), Duration::MAX).map(|lease| lease.tokens),
            Ok(tokens(3))
        );
    }
}

#[test]
fn a_penalty_holds_for_everybody_and_is_never_shortened() {
    let mut bucket = limiter("{}");
    bucket.penalize(at(0.0), Duration::from_secs(30));
    bucket.penalize(at(0.0), Duration::from_secs(3));
    assert_eq!(bucket.blocked_until(at(29.0)), Some(at(30.0)));
    assert_eq!(bucket.peek(at(10.0)), Err(later(20.0)));
    assert_eq!(bucket.fallback_share(at(10.0)), None);
    assert_eq!(wait_of(&mut bucket, at(10.0)).to_bits(), 20f64.to_bits());
    assert_eq!(bucket.peek(at(30.0)), Ok(()));
}

#[test]
fn waiting_requests_are_bounded() {
    for json in [
        r#"{"requests_per_second": 10}"#,
        r#"{"algorithm": "sliding_window", "limit": 3, "period_seconds": 1}"#,
        r#"{"algorithm": "fixed_window", "limit": 3, "period_seconds": 1}"#,
    ] {
        let mut limiter = limiter(json);
        let mut last = at(0.0);
        while limiter.waiting(at(0.0)) < MAX_HOLDS {
            let slot = limiter.acquire(at(0.0), Tokens::ONE, LONG_WAIT, 0).unwrap();
            assert!(slot >= last);
            last = slot;
        }
        let Err(Denied::TooManyWaiters { retry_after }) = limiter.acquire(at(0.0), Tokens::ONE, LONG_WAIT, 0)
        else {
            panic!("unbounded")
        };
        assert!(limiter.acquire(at(0.0).after(retry_after), Tokens::ONE, LONG_WAIT, 0).is_ok());
        let denied = limiter.acquire(at(0.0).after(retry_after), Tokens::ONE, NO_WAIT, 0);
        assert!(matches!(denied, Err(Denied::Later { .. })), "{denied:?}");
    }
}

#[test]
fn fractions_of_tokens_do_not_fill_the_memory_and_stay_within_the_limit() {
    let mut window = limiter(r#"{"algorithm": "sliding_window", "limit": 1, "period_seconds": 1}"#);
    let mut grants = Vec::new();
    for step in 0..60_000i64 {
        let now = Time::from_nanos(step * 50_000);
        if window.acquire(now, Tokens::from_micros(60), NO_WAIT, 0).is_ok() {
            grants.push(step);
        }
    }
    for (first, start) in grants.iter().enumerate() {
        let inside = grants[first..].iter().take_while(|step| **step < start + 20_000).count();
        assert!(inside * 60 <= 1_000_000);
    }
    assert!(grants.len() > 49_000, "{}", grants.len());
    let entries = serde_json::to_value(window.save()).unwrap()["state"]["sliding_window"]["log"].clone();
    assert!(entries.as_array().unwrap().len() < 13_000);
}

#[test]
fn clients_share_what_there_is() {
    let mut bucket = limiter(r#"{"requests_per_second": 12}"#);
    (0..3).for_each(|client| bucket.seen(at(0.0), client));
    bucket.seen(at(1.0), 2);
    assert_eq!((bucket.live_clients(at(2.0)), bucket.fallback_share(at(2.0))), (3, Some(4.0)));
    bucket.seen(at(61.0), 2);
    assert_eq!(bucket.live_clients(at(61.0)), 3);
    bucket.seen(at(122.0), 2);
    assert_eq!(bucket.live_clients(at(122.0)), 1);
    (0..20_000).for_each(|client| bucket.seen(at(123.0), client));
    assert_eq!(bucket.live_clients(at(123.0)), 10_000);
    assert_eq!(bucket.live_clients(at(1000.0)), 0);
}

#[test]
fn time_never_goes_back() {
    let mut bucket = limiter(r#"{"requests_per_second": 1, "burst_size": 1}"#);
    assert_eq!(bucket.acquire(at(5.0), Tokens::ONE, NO_WAIT, 0), Ok(at(5.0)));
    assert!(bucket.acquire(at(4.0), Tokens::ONE, NO_WAIT, 0).is_err());
    assert_eq!(bucket.acquire(at(6.0), Tokens::ONE, NO_WAIT, 0), Ok(at(6.0)));
    assert_eq!(bucket.acquire(at(5.9), Tokens::ONE, Duration::from_secs(1), 0), Ok(at(7.0)));
}

proptest! {
    #[test]
    fn extremes_never_panic(
        which in 0..8usize,
        times in prop::collection::vec(prop_oneof![
            any::<i64>(), Just(i64::MIN), Just(i64::MAX), Just(i64::MAX - 1), Just(0)
        ], 1..12),
        micros in prop_oneof![any::<u64>(), Just(1), Just(1_000_000_000_000_000), Just(u64::MAX), Just(0)],
        span in prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), Just(Duration::from_nanos(1))],
        offset in any::<i64>(),
    ) {
        let config = config([
            r#"{"requests_per_second": 1e-6, "burst_size": 1000000000}"#,
            r#"{"requests_per_second": 1e6, "burst_size": 1}"#,
            r#"{"algorithm": "sliding_window", "limit": 1000000000, "period_seconds": 315360000}"#,
            r#"{"algorithm": "sliding_window", "limit": 1, "period_seconds": 1e-9, "lease_seconds": 3600}"#,
            r#"{"algorithm": "fixed_window", "limit": 1000000000, "period_seconds": 315360000}"#,
            r#"{"algorithm": "fixed_window", "limit": 1, "period_seconds": 1e-9, "lease_seconds": 3600}"#,
            r#"{"algorithm": "concurrency", "limit": 100000, "lease_seconds": 3600}"#,
            r#"{"algorithm": "concurrency", "limit": 1, "lease_seconds": 1e-9}"#,
        ][which]);
        let tokens = Tokens::from_micros(micros);
        let mut limiter = Limiter::new(config.clone(), Time::from_nanos(times[0]), offset);
        for (id, now) in (1..).zip(times.iter().map(|nanos| Time::from_nanos(*nanos))) {
            let _ = limiter.acquire(now, tokens, span, id);
            let _ = limiter.acquire(now, Tokens::ONE, span, id + 100);
            let _ = limiter.ready_at(now, Time::MAX, tokens);
            limiter.grant(now, now.after(span), Tokens::ONE, id + 200);
            let _ = limiter.lease(now, tokens, Tokens::ONE, (id + 300, 1), Duration::MAX);
            limiter.release(now, id + 300, tokens);
            let _ = (limiter.available(now), limiter.in_use(now), limiter.peek(now));
            if let Some(mark) = limiter.mark_needed(now) {
                limiter.mark_saved(mark);
            }
            let mut other = limiter.clone();
            other.reconfigure(self::config(r#"{"requests_per_second": 3}"#), now);
            other.penalize(now, span);
            let mut longer = limiter.clone();
            longer.reconfigure(self::config(r#"{"algorithm": "fixed_window", "limit": 7, "period_seconds": 3}"#), now);
            let _ = longer.acquire(now, tokens, span, id);
            for clean in [true, false] {
                let (saved, mark) = (limiter.save(), limiter.save().mark());
                let again = Limiter::restore(config.clone(), Some(saved), Some(mark), now, offset, offset, clean);
                let _ = again.clone().acquire(now, tokens, span, id);
            }
        }
    }
}

#[test]
fn an_instant_for_several_limiters_suits_all_of_them() {
    // One can every second second, the other every third.
    let ready = |i: usize, from: Time| {
        let every = [2, 3][i];
        Ok::<_, Denied>((0..).step_by(every).map(|n: i32| at(f64::from(n))).find(|at| *at >= from).unwrap())
    };
    assert_eq!(common_instant(at(1.0), 2, ready), Ok(at(6.0)));
    assert_eq!(common_instant(at(1.0), 1, ready), Ok(at(2.0)));
    assert_eq!(common_instant(at(1.0), 0, ready), Ok(at(1.0)));
}
