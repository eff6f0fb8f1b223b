//! No absence of the server makes a fleet spend more than the limit.

use proptest::prelude::*;

use super::{
    fleet::{Fleet, Step},
    laws::{
        SECOND, WALL, aligned_windows_hold, bucket, concurrency, fixed, flights_hold, nanos, sliding,
        spans_hold, windows_hold,
    },
};
use crate::domain::limiter::LimiterConfig;

fn client() -> std::ops::Range<usize> {
    0..4
}

fn call() -> impl Strategy<Value = Step> {
    let max_wait = prop_oneof![4 => Just(0), 1 => nanos()];
    (client(), max_wait).prop_map(|(client, max_wait)| Step::Call { client, max_wait })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => nanos().prop_map(Step::Wait),
        16 => call(),
        3 => (client(), 1..5u64, nanos())
            .prop_map(|(client, wanted, span)| Step::Lease { client, wanted: wanted * 1_000_000, span }),
        3 => (client(), 0..5u64)
            .prop_map(|(client, unused)| Step::Release { client, unused: unused * 1_000_000 }),
        1 => Just(Step::Snapshot),
        2 => any::<bool>().prop_map(|clean| Step::Stop { clean }),
        1 => Just(Step::Freeze),
        2 => prop_oneof![Just(0), -5 * SECOND..5 * SECOND].prop_map(|shift| Step::Start { shift }),
        2 => client().prop_map(Step::Return),
        1 => client().prop_map(Step::Die),
    ]
}

/// The server goes while clients call, for long enough that they spend alone, and some of them come back before others.
fn absence() -> impl Strategy<Value = Vec<Step>> {
    let calls = |most| prop::collection::vec(call(), 1..most);
    let away = prop_oneof![Just(Step::Stop { clean: true }), Just(Step::Freeze)];
    let wait = (0..14 * SECOND).prop_map(Step::Wait);
    let back = prop::collection::vec(client().prop_map(Step::Return), 0..3);
    (away, calls(6), wait, calls(20), back, calls(12)).prop_map(|(away, lost, wait, alone, back, calls)| {
        let mut steps = vec![away];
        steps.extend(lost);
        steps.push(wait);
        steps.extend(alone);
        steps.push(Step::Start { shift: 0 });
        steps.extend(back);
        steps.extend(calls);
        steps
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = prop_oneof![12 => step().prop_map(|step| vec![step]), 1 => absence()];
    prop::collection::vec(some, 1..60).prop_map(|some| some.concat())
}

fn run(config: LimiterConfig, clients: usize, steps: &[Step]) -> Fleet {
    let mut fleet = Fleet::new(config, clients, 7 * SECOND + 3, WALL);
    for step in steps {
        fleet.run(step);
    }
    fleet.end();
    fleet
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bucket_keeps_burst_and_rate(
        steps in steps(),
        clients in 1..5usize,
        burst in 4..9u32,
        rate in prop_oneof![Just(0.5), Just(0.7), Just(1.0), Just(3.0), Just(10.0), Just(0.333_333)],
        lease in prop_oneof![Just(0.7), Just(2.0)],
    ) {
        let fleet = run(bucket(rate, burst, lease), clients, &steps);
        spans_hold(&fleet.spent, burst, super::super::config::micros_per_second(rate));
    }

    #[test]
    fn a_sliding_window_keeps_its_limit(
        steps in steps(),
        clients in 1..5usize,
        limit in 4..9u32,
        period in prop_oneof![Just(1i64), Just(2), Just(11)],
        lease in prop_oneof![Just(0.7), Just(2.0)],
    ) {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let fleet = run(sliding(limit, period as f64, lease), clients, &steps);
        windows_hold(&fleet.spent, limit, period * SECOND);
    }

    #[test]
    fn a_fixed_window_keeps_its_limit(
        steps in steps(),
        clients in 1..5usize,
        limit in 4..9u32,
        period in prop_oneof![Just(1i64), Just(2), Just(11)],
        lease in prop_oneof![Just(0.7), Just(2.0)],
    ) {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let fleet = run(fixed(limit, period as f64, lease), clients, &steps);
        aligned_windows_hold(&fleet.spent, limit, period * SECOND);
    }

    #[test]
    fn no_more_than_the_limit_are_in_flight(
        steps in steps(),
        clients in 1..5usize,
        limit in 4..9u32,
        lease in prop_oneof![Just(0.7), Just(2.0), Just(12.0)],
    ) {
        let fleet = run(concurrency(limit, lease), clients, &steps);
        flights_hold(&fleet.flights, limit);
    }
}
