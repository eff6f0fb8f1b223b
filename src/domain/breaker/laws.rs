//! What holds for every history, checked against the [`Model`](super::model).

use proptest::prelude::*;

use super::{
    history::{op, outcome, spec, state_name},
    world::{World, config},
    *,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 20_000 }))]

    #[test]
    fn behaves_like_the_model(
        spec in spec(),
        start in -5_000_000_000..5_000_000_000_i64,
        ops in prop::collection::vec(op(), 1..120),
    ) {
        World::new(spec, start).live(&ops);
    }

    #[test]
    fn nothing_wedges(spec in spec(), ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::new(spec, 0);
        world.live(&ops);
        let World { now, mut breaker, .. } = world;
        let mut now = Time::from_nanos(now);
        let journal = &mut Journal::new();
        let stays = breaker.state().is_override() && breaker.next_timer().is_none();
        for id in 1_000_000..1_000_020 {
            if stays || breaker.state() == StateName::Closed {
                break;
            }
            match breaker.check(now, journal) {
                Ok(()) => {
                    let permit = breaker.enter(now, id);
                    let client = Client { hash: 9, name: "healthy" };
                    breaker.report(now, permit.generation, id, client, Outcome::Success, Duration::ZERO, journal);
                    if let Some(due) = breaker.next_timer().filter(|_| breaker.state().is_override()) {
                        now = due;
                    }
                }
                Err(refused) => now = now.after(refused.retry_after.unwrap()),
            }
            breaker.advance(now, journal);
        }
        prop_assert!(stays || breaker.state() == StateName::Closed, "{breaker:?}");
    }

    #[test]
    fn healthy_clients_hide_no_failing_one(
        threshold in 1..10_u32,
        noise in prop::collection::vec((1..4_u64, any::<bool>()), 0..40),
    ) {
        let spec = BreakerSpec { failure_threshold: Some(threshold), ..BreakerSpec::default() };
        let mut breaker = Breaker::new(config(&spec), Time::from_nanos(0));
        let journal = &mut Journal::new();
        let mut say = |hash, outcome| {
            let client = Client { hash, name: "c" };
            breaker.report(Time::from_nanos(1), 1, 0, client, outcome, Duration::ZERO, journal);
            breaker.state()
        };
        let mut state = StateName::Closed;
        let mut failures = 0;
        for (client, ill) in noise.into_iter().chain((0..10).map(|_| (1, true))) {
            if ill && failures < threshold {
                failures += 1;
                state = say(0, Outcome::Failure);
            }
            state = if state == StateName::Closed { say(client, Outcome::Success) } else { state };
        }
        prop_assert_eq!(state, StateName::Open);
    }

    #[test]
    fn no_time_is_too_strange(
        spec in spec(),
        times in prop::collection::vec(
            prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()], 1..30),
        ops in prop::collection::vec((state_name(), any::<bool>(), outcome()), 30),
    ) {
        let mut breaker = Breaker::new(config(&spec), Time::from_nanos(times[0]));
        let journal = &mut Journal::new();
        for (id, (raw, (target, set, outcome))) in times.into_iter().zip(ops).enumerate() {
            let (now, id) = (Time::from_nanos(raw), id as u64);
            if set {
                let ttl = target.is_override().then_some(Duration::MAX);
                let _ = breaker.set_state(now, target, ttl, "", "", journal);
            }
            let _ = breaker.check(now, journal);
            let permit = breaker.enter(now, id);
            let client = Client { hash: id, name: "c" };
            breaker.report(now, permit.generation, id, client, outcome, Duration::MAX, journal);
            let _ = breaker.view(now);
            let saved = breaker.save();
            breaker = Breaker::restore(config(&spec), saved, now, raw, id.is_multiple_of(2));
        }
    }
}
