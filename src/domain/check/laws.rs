//! What holds for every history.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    world::{Op, SECOND, World, config, name, op, spec, status, wall},
    *,
};

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(debug_assertions) { 512 } else { 20_000 })
}

fn history() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..100)
}

fn is_running(world: &World) -> bool {
    world.check.view(world.time()).running && world.check.config().kind().is_active()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn each_change_is_reported_once(spec in spec(), ops in history()) {
        let mut world = World::new(&spec);
        let mut shown = world.check.standing();
        for op in &ops {
            let before = world.journal.len();
            world.step(op);
            world.look();
            for (number, change) in (before as u64 + 1..).zip(&world.journal[before..]) {
                prop_assert_eq!(change.from, shown);
                prop_assert_ne!(change.from, change.to);
                prop_assert_eq!(change.number, number);
                prop_assert!(change.at <= world.time());
                shown = change.to;
            }
            prop_assert_eq!(world.check.standing(), shown);
            prop_assert!(world.journal.is_sorted_by_key(|change| change.at));
        }
    }

    #[test]
    fn it_does_not_matter_who_looks_when(spec in spec(), ops in history()) {
        let (mut watched, mut ignored) = (World::new(&spec), World::new(&spec));
        for op in &ops {
            ignored.step(op);
            let then = watched.now;
            watched.step(op);
            let now = watched.now;
            for part in 0..=4 {
                watched.now = then + (now - then) / 4 * part;
                watched.look();
            }
            watched.now = ignored.now.max(now);
            ignored.now = watched.now;
        }
        watched.look();
        ignored.look();
        prop_assert_eq!(watched.journal, ignored.journal);
        prop_assert_eq!(watched.check.save(), ignored.check.save());
    }

    #[test]
    fn a_restart_changes_nothing(
        spec in spec(),
        ops in prop::collection::vec((op(), any::<bool>(), -9..9_i64), 1..60),
    ) {
        let (mut restarted, mut steady) = (World::new(&spec), World::new(&spec));
        for (op, restarts, shift) in &ops {
            if *restarts && !is_running(&steady) {
                restarted.restart(shift * 1000 * SECOND);
                steady.look();
            }
            restarted.step(op);
            steady.step(op);
            prop_assert_eq!(restarted.now, steady.now);
            restarted.look();
            steady.look();
            prop_assert_eq!(restarted.check.standing(), steady.check.standing());
            prop_assert_eq!(restarted.check.message(), steady.check.message());
            let next = |world: &World| world.check.next_change().map(|at| at.shifted(-world.shift));
            prop_assert_eq!(next(&restarted), next(&steady));
            let run = |world: &World| world.check.next_run().map(|at| at.shifted(-world.shift));
            prop_assert_eq!(run(&restarted), run(&steady));
        }
        prop_assert_eq!(restarted.story(), steady.story());
    }

    #[test]
    fn nothing_wedges(spec in spec(), ops in history(), restart in any::<bool>()) {
        let mut world = World::new(&spec);
        world.live(&ops);
        if restart {
            world.restart(-SECOND);
        }
        for _ in 0..spec.success_threshold.unwrap_or(1) {
            if let Some(due) = world.check.next_run() {
                world.now = world.now.max(due.as_nanos() - world.shift);
                let begun = world.tokens.len();
                world.step(&Op::Begin);
                prop_assert_eq!(world.tokens.len(), begun + 1, "a run that is due begins");
            }
            world.live(&[Op::Push(Status::Green), Op::Signal(Signal::Exit(0)), Op::Finish(0, Status::Green)]);
        }
        prop_assert_eq!(world.check.standing(), Standing::fresh(Status::Green));
    }

    #[test]
    fn thresholds_are_never_skipped(
        failure in 1..5_usize,
        success in 1..5_usize,
        results in prop::collection::vec(status(), 1..60),
    ) {
        let mut world = World::new(&CheckSpec {
            failure_threshold: Some(u32::try_from(failure).unwrap()),
            success_threshold: Some(u32::try_from(success).unwrap()),
            ..CheckSpec::default()
        });
        for (n, result) in (1..).zip(&results) {
            let before = world.check.standing().status;
            world.step(&Op::Push(*result));
            let ends = |most: usize, wanted: fn(&Status) -> bool| {
                n >= most && results[n - most..n].iter().all(wanted)
            };
            let (failed, succeeded) =
                (ends(failure, |s| *s == Status::Red), ends(success, |s| *s != Status::Red));
            let expected = match (before, *result) {
                (Status::Red, _) if !succeeded => Status::Red,
                (_, Status::Red) if !failed => before,
                (_, result) => result,
            };
            prop_assert_eq!(world.check.standing(), Standing::fresh(expected));
        }
    }

    #[test]
    fn stale_is_what_is_too_old(spec in spec(), ops in history()) {
        let mut world = World::new(&spec);
        for op in &ops {
            world.step(op);
            world.look();
            let config = world.check.config().clone();
            let span = match &config.source {
                Source::Push { stale_after } => stale_after.get(),
                Source::Active(active) => active.stale_after.get(),
                Source::Heartbeat(heartbeat) => {
                    heartbeat.late_at(Time::from_nanos(0)).since(Time::from_nanos(0))
                }
            };
            let view = world.check.view(world.time());
            let is_fault = matches!(config.source, Source::Heartbeat(_)) && view.last.is_none();
            if !is_fault {
                prop_assert_eq!(view.standing.stale, view.age.is_none_or(|age| age >= span));
            }
            if view.standing.stale && config.kind() == CheckKind::Heartbeat {
                prop_assert_eq!(view.standing.status, Status::Red, "silence is a failure");
            }
        }
    }

    #[test]
    fn a_stale_token_changes_nothing(spec in spec(), ops in history(), pick in 0..20_usize) {
        let mut world = World::new(&spec);
        world.live(&ops);
        world.look();
        let is_latest = pick == 0 && is_running(&world);
        if let Some(token) = world.token(pick).filter(|_| !is_latest) {
            let (check, journal) = (world.check.save(), world.journal.clone());
            let seen = Observation::new(Status::Green, "late");
            prop_assert!(!world.check.finish(token, world.time(), wall(0), seen, &mut world.journal));
            prop_assert!(!world.check.cancel(token));
            prop_assert_eq!(world.check.save(), check);
            prop_assert_eq!(world.journal, journal);
        }
    }

    #[test]
    fn runs_keep_their_turn(
        interval in 1..100_u32,
        jitter in 0..=5_u32,
        late in prop::collection::vec(prop_oneof![4 => Just(0.0), 1 => 0.0..5.0], 2..40),
    ) {
        let (interval, jitter) = (f64::from(interval), f64::from(jitter) / 10.0);
        let spec = CheckSpec {
            kind: CheckKind::Breaker,
            breaker: Some(name("a")),
            interval_seconds: Some(interval),
            jitter: Some(jitter),
            ..CheckSpec::default()
        };
        let mut world = World::new(&spec);
        let (mut begun, mut was_late) = (None, true);
        for late in late {
            let due = world.check.next_run().unwrap();
            world.now = due.after(Duration::from_secs_f64(late * interval)).as_nanos();
            world.step(&Op::Begin);
            prop_assert_eq!(world.check.begin(world.time()), None, "one at a time");
            world.step(&Op::Finish(0, Status::Green));
            prop_assert!(world.check.next_run().unwrap() > world.time() || late > 0.0, "no two for one turn");
            if let Some(begun) = begun.filter(|_| !was_late && late == 0.0) {
                let gap = world.time().since(begun).as_secs_f64() / interval;
                prop_assert!((0.999 - jitter..=1.001 + jitter).contains(&gap), "{}", gap);
            }
            let next = world.check.next_run().unwrap().since(world.time()).as_secs_f64() / interval;
            prop_assert!(next <= 1.001 + jitter, "soon enough: {}", next);
            was_late = late > 0.0 || begun.is_none();
            begun = Some(world.time());
        }
    }

    #[test]
    fn jitter_does_not_add_up(runs in 2..60_u32, jitter in 0..=5_u32) {
        let jitter = f64::from(jitter) / 10.0;
        let spec = CheckSpec {
            kind: CheckKind::Breaker,
            breaker: Some(name("a")),
            interval_seconds: Some(10.0),
            jitter: Some(jitter),
            ..CheckSpec::default()
        };
        let mut world = World::new(&spec);
        world.live(&[Op::Begin, Op::Finish(0, Status::Green), Op::ToRun]);
        let second = world.now;
        for _ in 0..runs {
            world.live(&[Op::Begin, Op::Finish(0, Status::Green), Op::ToRun]);
        }
        let turns = Duration::from_nanos((world.now - second).unsigned_abs()).as_secs_f64() / 10.0;
        prop_assert!((turns - f64::from(runs)).abs() <= jitter + 1e-6, "{} turns", turns);
    }

    #[test]
    fn what_is_configured_is_answered(spec in spec()) {
        let config = config(&spec);
        let answered = CheckSpec::from(&*config);
        prop_assert_eq!(&*world::config(&answered), &*config);
        let json = serde_json::to_string(&*config).unwrap();
        prop_assert_eq!(&serde_json::from_str::<CheckConfig>(&json).unwrap(), &*config);
    }

    #[test]
    fn another_configuration_leaves_nothing_stuck(spec in spec(), other in spec(), ops in history()) {
        let mut world = World::new(&spec);
        world.live(&ops);
        let now = world.time();
        world.check.reconfigure(config(&other), now, &mut world.journal);
        let saved = world.check.save();
        world.check = Check::restore(&name("kraken"), config(&other), saved.clone(), now, 0, &mut world.journal);
        prop_assert_eq!(world.check.save(), saved, "nothing is left to do");
        prop_assert!(world.check.next_change().is_none_or(|at| at > now));
        if spec.kind != other.kind {
            prop_assert_eq!(world.check.standing(), Standing::UNKNOWN);
        }
    }

    #[test]
    fn no_time_is_too_strange(
        spec in spec(),
        times in prop::collection::vec(
            prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), any::<i64>()], 1..30),
    ) {
        let mut check = Check::new(&name("a"), config(&spec), Time::from_nanos(times[0]));
        let journal = &mut Journal::new();
        for raw in times {
            let (now, wall) = (Time::from_nanos(raw), wall(0));
            let _ = check.push(now, wall, Observation::new(Status::Green, ""), journal);
            let _ = check.signal(now, wall, Signal::Start, "", journal);
            let _ = check.signal(now, wall, Signal::Success, "", journal);
            if let Some(token) = check.begin(now) {
                check.finish(token, now, wall, Observation::failed("", ""), journal);
            }
            let _ = (check.view(now), check.next_run(), check.next_change());
            check = Check::restore(&name("a"), config(&spec), check.save(), now, raw, journal);
        }
    }
}
