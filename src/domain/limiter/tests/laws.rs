//! No history makes a limiter admit more than its limit.

use proptest::prelude::*;

use super::world::{Step, World};
use crate::domain::{Seconds, limiter::LimiterConfig};

pub(super) const SECOND: i64 = 1_000_000_000;
/// Wall time less steady time.
pub(super) const WALL: i64 = 1_700_000_000 * SECOND + 123_456_789;

pub(super) fn bucket(requests_per_second: f64, burst_size: u32, lease: f64) -> LimiterConfig {
    let lease_seconds = Seconds::try_from(lease).unwrap();
    LimiterConfig::TokenBucket { requests_per_second, burst_size, lease_seconds }
}

pub(super) fn sliding(limit: u32, period: f64, lease: f64) -> LimiterConfig {
    let (period_seconds, lease_seconds) =
        (Seconds::try_from(period).unwrap(), Seconds::try_from(lease).unwrap());
    LimiterConfig::SlidingWindow { limit, period_seconds, lease_seconds }
}

pub(super) fn fixed(limit: u32, period: f64, lease: f64) -> LimiterConfig {
    let (period_seconds, lease_seconds) =
        (Seconds::try_from(period).unwrap(), Seconds::try_from(lease).unwrap());
    LimiterConfig::FixedWindow { limit, period_seconds, lease_seconds }
}

pub(super) fn concurrency(limit: u32, lease: f64) -> LimiterConfig {
    LimiterConfig::Concurrency { limit, lease_seconds: Seconds::try_from(lease).unwrap() }
}

fn micros() -> impl Strategy<Value = u64> {
    prop_oneof![3 => (1..8u64).prop_map(|tokens| tokens * 1_000_000), 1 => 1..8_000_000u64]
}

/// Spans that meet the edges of periods and leases as well as odd ones.
pub(super) fn nanos() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => (0..30i64).prop_map(|tenths| tenths * SECOND / 10),
        2 => 0..3 * SECOND,
        1 => (0..3 * SECOND).prop_map(|nanos| nanos / 1_000_000),
        1 => (1..30i64).prop_map(|tenths| tenths * SECOND / 10 - 1),
    ]
}

fn steps(configs: usize) -> impl Strategy<Value = Vec<Step>> {
    let shift = || prop_oneof![Just(0), -5 * SECOND..5 * SECOND];
    let reconfigure = if configs > 1 {
        (0..configs).prop_map(Step::Reconfigure).boxed()
    } else {
        nanos().prop_map(Step::Wait).boxed()
    };
    let step = prop_oneof![
        6 => nanos().prop_map(Step::Wait),
        8 => (micros(), prop_oneof![Just(0), nanos()])
            .prop_map(|(micros, max_wait)| Step::Acquire { micros, max_wait }),
        2 => (micros(), nanos()).prop_map(|(micros, not_before)| Step::AcquireLater { micros, not_before }),
        4 => (micros(), micros(), any::<bool>(), nanos())
            .prop_map(|(wanted, min, early, span)| Step::Lease { wanted, min: min.min(wanted), early, span }),
        1 => micros().prop_map(Step::Debit),
        4 => (any::<usize>(), micros()).prop_map(|(which, unused)| Step::Release { which, unused }),
        1 => (1..SECOND).prop_map(Step::Penalize),
        1 => reconfigure,
        1 => Just(Step::Snapshot),
        1 => (nanos(), shift()).prop_map(|(down, shift)| Step::Crash { down, shift }),
        1 => (nanos(), shift()).prop_map(|(down, shift)| Step::CleanStop { down, shift }),
    ];
    prop::collection::vec(step, 1..80)
}

fn run(configs: Vec<LimiterConfig>, steps: &[Step]) -> World {
    let mut world = World::new(configs, 7 * SECOND + 3, WALL);
    for step in steps {
        world.run(step);
    }
    world.end();
    world
}

pub(super) fn spans_hold(spent: &[(i64, u64)], burst: u32, micros_per_second: u64) {
    for (first, (start, _)) in spent.iter().enumerate() {
        let mut sum = 0u128;
        for (at, micros) in &spent[first..] {
            sum += u128::from(*micros);
            let span = u128::try_from(at - start).unwrap();
            let most = u128::from(burst) * 1_000_000_000_000_000 + span * u128::from(micros_per_second);
            assert!(sum * 1_000_000_000 <= most, "{sum} in {span} ns from {start}: {spent:?}");
        }
    }
}

pub(super) fn windows_hold(spent: &[(i64, u64)], limit: u32, period: i64) {
    for (start, _) in spent {
        let inside = spent.iter().filter(|(at, _)| at >= start && *at < start + period);
        let sum: u64 = inside.map(|(_, micros)| micros).sum();
        assert!(sum <= u64::from(limit) * 1_000_000, "{sum} from {start}: {spent:?}");
    }
}

pub(super) fn aligned_windows_hold(spent: &[(i64, u64)], limit: u32, period: i64) {
    for (start, _) in spent {
        let window = (start + WALL).div_euclid(period);
        let inside = spent.iter().filter(|(at, _)| (at + WALL).div_euclid(period) == window);
        let sum: u64 = inside.map(|(_, micros)| micros).sum();
        assert!(sum <= u64::from(limit) * 1_000_000, "{sum} from {start}: {spent:?}");
    }
}

pub(super) fn flights_hold(flights: &[(i64, i64, u64)], limit: u32) {
    for (start, ..) in flights {
        let inside = flights.iter().filter(|(from, to, _)| from <= start && start < to);
        let sum: u64 = inside.map(|(.., micros)| micros).sum();
        assert!(sum <= u64::from(limit) * 1_000_000, "{sum} at {start}: {flights:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bucket_keeps_burst_and_rate(
        steps in steps(1),
        burst in 1..9u32,
        rate in prop_oneof![Just(0.5), Just(0.7), Just(1.0), Just(3.0), Just(10.0), Just(0.333_333)],
        lease in prop_oneof![Just(0.7), Just(2.0)],
    ) {
        let world = run(vec![bucket(rate, burst, lease)], &steps);
        spans_hold(&world.spent, burst, super::super::config::micros_per_second(rate));
    }

    #[test]
    fn a_sliding_window_keeps_its_limit(
        steps in steps(1),
        limit in 1..9u32,
        period in prop_oneof![Just(1i64), Just(2), Just(11)],
        lease in prop_oneof![Just(0.7), Just(2.0)],
    ) {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let world = run(vec![sliding(limit, period as f64, lease)], &steps);
        windows_hold(&world.spent, limit, period * SECOND);
    }

    #[test]
    fn a_fixed_window_keeps_its_limit(
        steps in steps(1),
        limit in 1..9u32,
        period in prop_oneof![Just(1i64), Just(2), Just(11)],
        lease in prop_oneof![Just(0.7), Just(2.0)],
    ) {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let world = run(vec![fixed(limit, period as f64, lease)], &steps);
        aligned_windows_hold(&world.spent, limit, period * SECOND);
    }

    #[test]
    fn no_more_than_the_limit_are_in_flight(
        steps in steps(1),
        limit in 1..9u32,
        lease in prop_oneof![Just(0.7), Just(2.0), Just(12.0)],
    ) {
        let world = run(vec![concurrency(limit, lease)], &steps);
        flights_hold(&world.flights, limit);
    }

    #[test]
    fn changes_and_crashes_never_admit_more_than_the_larger_configuration(steps in steps(3)) {
        let world = run(vec![bucket(1.0, 4, 2.0), bucket(0.1, 3, 0.7), bucket(0.3, 7, 1.0)], &steps);
        spans_hold(&world.spent, 7, 1_000_000);
        let world = run(vec![sliding(4, 2.0, 2.0), sliding(6, 2.0, 0.7), sliding(3, 11.0, 0.7)], &steps);
        windows_hold(&world.spent, 6, 2 * SECOND);
        let world = run(vec![fixed(4, 2.0, 2.0), fixed(6, 2.0, 0.7), fixed(3, 2.0, 1.0)], &steps);
        aligned_windows_hold(&world.spent, 6, 2 * SECOND);
        let world = run(vec![concurrency(4, 12.0), concurrency(6, 0.7), concurrency(2, 2.0)], &steps);
        flights_hold(&world.flights, 6);
    }

    #[test]
    fn changes_of_the_algorithm_start_with_nothing(steps in steps(2)) {
        // In any two seconds: what the window admits, and what flows into the bucket.
        let world = run(vec![sliding(6, 2.0, 2.0), bucket(1.0, 4, 1.0)], &steps);
        windows_hold(&world.spent, 6 + 2, 2 * SECOND);
    }

    #[test]
    fn a_change_frees_nothing_at_once(before in steps(1), which in 0..4usize) {
        let pairs = [
            [bucket(2.0, 5, 2.0), bucket(50.0, 8, 1.0)],
            [sliding(5, 2.0, 2.0), sliding(5, 0.1, 1.0)],
            [fixed(5, 2.0, 2.0), fixed(5, 0.1, 1.0)],
            [fixed(5, 0.3, 2.0), fixed(5, 11.0, 1.0)],
        ];
        let [old, new] = pairs[which].clone();
        let mut world = World::new(vec![old, new.clone()], 0, 0);
        for step in &before {
            world.run(step);
        }
        let now = world.time();
        let was = world.limiter.available(now);
        world.limiter.reconfigure(new, now);
        prop_assert!(world.limiter.available(now) <= was);
    }
}
