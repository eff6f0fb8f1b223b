//! What holds for every history. The model goes second by second and asks since when the threshold is breached, or not.

use std::time::Duration;

use proptest::prelude::*;

use super::{Changed, Series, Stage, Timing, Turn, Unseen};
use crate::domain::Time;

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 })
}

fn at(second: u64) -> Time {
    Time::from_nanos(0).after(Duration::from_secs(second))
}

fn timing() -> impl Strategy<Value = Timing> {
    let seconds = |most: u64| (0..=most).prop_map(Duration::from_secs);
    let unseen = prop_oneof![
        Just(Unseen::Keeps),
        (1..8_u64).prop_map(|s| Unseen::IsWell(Duration::from_secs(s))),
        (1..8_u64).prop_map(|s| Unseen::Breaches(Duration::from_secs(s))),
    ];
    (seconds(5), seconds(5), unseen).prop_map(|(wait, keep, unseen)| Timing { wait, keep, unseen })
}

/// Values: how many seconds after the one before, and whether they breach.
fn values() -> impl Strategy<Value = Vec<(u64, bool)>> {
    prop::collection::vec((0..6_u64, any::<bool>()), 0..30)
}

const TAIL: u64 = 20;

/// Second by second.
fn model(timing: &Timing, values: &[(u64, bool)]) -> Vec<(u64, Turn)> {
    let mut turns = Vec::new();
    let (mut breached, mut since, mut fires) = (false, 0, false);
    let (mut seen, mut unseen) = (0, false);
    let mut values = values.iter().scan(0, |at, (after, breaches)| {
        *at += after;
        Some((*at, *breaches))
    });
    let mut next = values.next();
    let (wait, keep) = (timing.wait.as_secs(), timing.keep.as_secs());
    let mut rest = TAIL;
    let mut now = 0;
    while rest > 0 {
        let mut judge = |breached: bool, since: u64| {
            if breached && !fires && now - since >= wait {
                fires = true;
                turns.push((now, Turn::Fired));
            } else if !breached && fires && now - since >= keep {
                fires = false;
                turns.push((now, Turn::Resolved));
            }
        };
        judge(breached, since);
        let meaning = match timing.unseen {
            Unseen::IsWell(after) if now - seen >= after.as_secs() => Some(false),
            Unseen::Breaches(after) if now - seen >= after.as_secs() => Some(true),
            _ => None,
        };
        if let Some(meaning) = meaning.filter(|_| !unseen) {
            unseen = true;
            if meaning != breached {
                (breached, since) = (meaning, now);
            }
            judge(breached, since);
        }
        while let Some((_, breaches)) = next.filter(|(at, _)| *at == now) {
            (seen, unseen) = (now, false);
            if breaches != breached {
                (breached, since) = (breaches, now);
            }
            judge(breached, since);
            next = values.next();
        }
        now += 1;
        rest = if next.is_some() { TAIL } else { rest - 1 };
    }
    turns
}

/// Looks at the series besides its values at each of `looks`, and stores and restores it at `restarts`.
fn run(timing: &Timing, values: &[(u64, bool)], looks: bool, restarts: bool) -> (Vec<Changed>, Series) {
    let mut series = Series::new(at(0));
    let mut changes = Vec::new();
    let mut now = 0;
    for (after, breaches) in values {
        for _ in 0..*after {
            now += 1;
            if looks {
                series.advance(timing, at(now), &mut changes);
            }
            if restarts {
                let json = serde_json::to_string(&series.stage()).unwrap();
                series = Series::restore(serde_json::from_str(&json).unwrap(), at(now), 0);
            }
        }
        series.observe(timing, *breaches, at(now), &mut changes);
    }
    series.advance(timing, at(now + TAIL - 1), &mut changes);
    (changes, series)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn it_does_what_the_model_does(timing in timing(), values in values()) {
        let (changes, _) = run(&timing, &values, false, false);
        let turns: Vec<_> = changes.iter().map(|change| (change.at, change.turn)).collect();
        let wanted: Vec<_> = model(&timing, &values).iter().map(|(second, turn)| (at(*second), *turn)).collect();
        prop_assert_eq!(turns, wanted);
    }

    #[test]
    fn it_does_not_matter_who_looks_when(timing in timing(), values in values()) {
        prop_assert_eq!(run(&timing, &values, true, false), run(&timing, &values, false, false));
    }

    #[test]
    fn a_restart_does_not_matter(timing in timing(), values in values()) {
        let timing = Timing { unseen: Unseen::Keeps, ..timing };
        let (changes, series) = run(&timing, &values, false, true);
        let (wanted, undisturbed) = run(&timing, &values, false, false);
        prop_assert_eq!(changes, wanted);
        prop_assert_eq!(series.stage(), undisturbed.stage());
    }

    #[test]
    fn it_fires_and_is_resolved_in_turn(timing in timing(), values in values()) {
        let (mut changes, mut series) = run(&timing, &values, false, false);
        prop_assert!(changes.is_sorted_by_key(|change| change.at));
        for (place, change) in changes.iter().enumerate() {
            let wanted = if place % 2 == 0 { Turn::Fired } else { Turn::Resolved };
            prop_assert_eq!(change.turn, wanted);
        }
        prop_assert_eq!(series.stage().is_firing(), changes.len() % 2 == 1);
        series.end(at(1000), &mut changes);
        prop_assert_eq!(changes.len() % 2, 0);
        prop_assert_eq!(series.stage(), Stage::Inactive);
    }
}
