//! Random histories.

use proptest::prelude::*;

use super::{model::nanos, *};

#[derive(Clone, Debug)]
pub(super) enum Op {
    Wait(i64),
    /// To this many nanoseconds before the next timer.
    ToTimer(i64),
    Call {
        client: u64,
        then: Option<(Outcome, f64)>,
    },
    Report {
        pick: usize,
        outcome: Outcome,
        seconds: f64,
    },
    Expire(usize),
    Set {
        target: StateName,
        ttl: Option<f64>,
    },
    Reset,
    Reconfigure(BreakerSpec),
    Snapshot,
    Reload,
    Crash,
}

pub(super) fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![4 => Just(Outcome::Failure), 4 => Just(Outcome::Success), 1 => Just(Outcome::Ignored)]
}

fn seconds() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, 0.5, 1.0, 2.0, 5.0])
}

fn window() -> impl Strategy<Value = WindowSpec> {
    let kind = prop_oneof![Just(WindowKind::Count), Just(WindowKind::Time)];
    let rate = || prop::option::of(prop::sample::select(vec![0.1, 0.3, 0.5, 0.7, 1.0]));
    (kind, 1..8_u32, 1..8_u32, rate(), rate()).prop_map(
        |(kind, size, least, failure_rate, slow_call_rate)| WindowSpec {
            kind,
            size,
            minimum_calls: Some(least.min(size)),
            failure_rate,
            slow_call_rate,
            slow_call_seconds: Some(1.0),
        },
    )
}

pub(super) fn spec() -> impl Strategy<Value = BreakerSpec> {
    let half = (1..4_u32).prop_flat_map(|most| (Just(most), 1..=most));
    let timeouts = (seconds(), 1..3_u32, prop::option::of(6.0..20.0));
    let bound = prop::option::of(prop::sample::select(vec![1.0, 4.0, 9.0]));
    let lease = prop::sample::select(vec![0.5, 2.0, 6.0]);
    (1..5_u32, timeouts, half, bound, lease, 1..3_u32, prop::option::of(window())).prop_map(
        |(failure_threshold, (wait, growth, longest), (most, least), bound, lease, min_reporters, window)| {
            let spec = BreakerSpec {
                failure_threshold: Some(failure_threshold),
                timeout_seconds: Some(wait.max(0.25)),
                timeout_multiplier: Some(growth.into()),
                timeout_max_seconds: longest,
                half_open_max_calls: Some(most),
                half_open_successes: Some(least),
                half_open_timeout_seconds: bound,
                call_timeout_seconds: Some(lease),
                min_reporters: Some(min_reporters),
                window,
            };
            BreakerSpec::from(&BreakerConfig::try_from(spec).unwrap())
        },
    )
}

pub(super) fn state_name() -> impl Strategy<Value = StateName> {
    use StateName::{Closed, Disabled, ForcedOpen, HalfOpen, MetricsOnly, Open};
    prop::sample::select(vec![Closed, Open, HalfOpen, HalfOpen, ForcedOpen, Disabled, MetricsOnly])
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let then = prop::option::of((outcome(), seconds()));
    prop_oneof![
        3 => seconds().prop_map(|s| Op::Wait(nanos(s))),
        3 => (0..2_i64).prop_map(Op::ToTimer),
        16 => (0..4_u64, then).prop_map(|(client, then)| Op::Call { client, then }),
        6 => (any::<usize>(), outcome(), seconds())
            .prop_map(|(pick, outcome, seconds)| Op::Report { pick, outcome, seconds }),
        2 => any::<usize>().prop_map(Op::Expire),
        2 => (state_name(), prop::option::of(seconds())).prop_map(|(target, ttl)| Op::Set { target, ttl }),
        1 => Just(Op::Reset),
        1 => spec().prop_map(Op::Reconfigure),
        1 => Just(Op::Snapshot),
        1 => Just(Op::Reload),
        1 => Just(Op::Crash),
    ]
}
