//! What holds for every policy and all backups.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// Near two changes of the clock in Berlin, a change of the year in the middle of a week, and a date that St. John's had
/// twice.
const CENTERS: [i64; 5] = [1_774_746_000, 1_761_440_400, 1_767_225_600, 1_193_542_230, 1_700_000_000];

fn spec() -> impl Strategy<Value = RetentionSpec> {
    let count = || prop_oneof![2 => Just(None), 1 => Just(Some(0)), 4 => (1..6_u32).prop_map(Some)];
    let zone = prop::sample::select(vec![
        None,
        Some("UTC"),
        Some("Europe/Berlin"),
        Some("America/St_Johns"),
        Some("Australia/Lord_Howe"),
        Some("Pacific/Apia"),
    ]);
    let days = prop::sample::select(vec![None, None, Some(0.5), Some(1.0), Some(30.0), Some(365.25)]);
    (count(), count(), count(), count(), count(), count(), days, zone).prop_map(
        |(last, hourly, daily, weekly, monthly, yearly, retention_days, timezone)| RetentionSpec {
            keep_last: last,
            keep_hourly: hourly,
            keep_daily: daily,
            keep_weekly: weekly,
            keep_monthly: monthly,
            keep_yearly: yearly,
            retention_days,
            timezone: timezone.map(str::to_owned),
        },
    )
}

/// Backups seconds to years apart, some at the same time, and a now among or after them.
fn backups() -> impl Strategy<Value = (Vec<Candidate>, Timestamp)> {
    let span = prop_oneof![
        Just(0_i64),
        -3..3_i64,
        -9_000..9_000_i64,
        -1_000_000..1_000_000_i64,
        -200_000_000..0_i64
    ];
    let flag = |weight| prop::bool::weighted(weight);
    let one = (span, flag(0.4), flag(0.1), flag(0.2));
    let now = prop_oneof![3 => Just(1_000_001_i64), 1 => -9_000..9_000_i64, 1 => Just(-200_000_001_i64)];
    (prop::sample::select(&CENTERS[..]), prop::collection::vec(one, 0..40), now).prop_map(
        |(center, raw, now)| {
            let at = |span| Timestamp::from_second(center + span).unwrap();
            let candidate = |(id, (span, verified, pinned, corrupt))| Candidate {
                id,
                at: at(span),
                verified,
                pinned,
                corrupt,
            };
            ((0..).zip(raw).map(candidate).collect(), at(now))
        },
    )
}

fn policy(spec: &RetentionSpec) -> RetentionPolicy {
    spec.clone().try_into().unwrap()
}

fn kept(decisions: &[Decision]) -> BTreeSet<i64> {
    decisions.iter().filter(|decision| decision.keep).map(|decision| decision.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 }))]

    #[test]
    fn decides_like_the_model(spec in spec(), (all, now) in backups()) {
        for decision in plan(&policy(&spec), &all, now) {
            let own = all.iter().find(|candidate| candidate.id == decision.id).unwrap();
            let wanted = model::reasons(&spec, &all, own, now);
            prop_assert_eq!(decision.keep, !wanted.is_empty());
            let texts: BTreeSet<String> =
                decision.reasons.iter().filter(|reason| **reason != Reason::NoRule).map(ToString::to_string).collect();
            prop_assert_eq!(texts.len() + usize::from(!decision.keep), decision.reasons.len());
            prop_assert_eq!(texts, wanted);
        }
    }

    /// So it can be done bit by bit, and doing it again does nothing.
    #[test]
    fn deleting_some_of_what_goes_changes_nothing_for_the_others(
        spec in spec(), (all, now) in backups(), spared in prop::collection::hash_set(0..40_i64, 0..40),
    ) {
        let policy = policy(&spec);
        let first = plan(&policy, &all, now);
        let stays = |decision: &Decision| decision.keep || spared.contains(&decision.id);
        let left: BTreeSet<_> = first.iter().filter(|one| stays(one)).map(|one| one.id).collect();
        let left: Vec<_> = all.iter().filter(|one| left.contains(&one.id)).copied().collect();
        let stayed: Vec<_> = first.into_iter().filter(stays).collect();
        prop_assert_eq!(plan(&policy, &left, now), stayed);
    }

    #[test]
    fn a_larger_number_never_deletes_more(
        spec in spec(), more in prop::array::uniform6(0..3_u32), (all, now) in backups(),
    ) {
        // From no rule at all to one is the exception: without a rule everything stays.
        prop_assume!(policy(&spec).has_rules());
        let [last, hourly, daily, weekly, monthly, yearly] = more;
        let larger = RetentionSpec {
            keep_last: Some(spec.keep_last.unwrap_or(0) + last),
            keep_hourly: Some(spec.keep_hourly.unwrap_or(0) + hourly),
            keep_daily: Some(spec.keep_daily.unwrap_or(0) + daily),
            keep_weekly: Some(spec.keep_weekly.unwrap_or(0) + weekly),
            keep_monthly: Some(spec.keep_monthly.unwrap_or(0) + monthly),
            keep_yearly: Some(spec.keep_yearly.unwrap_or(0) + yearly),
            retention_days: spec.retention_days.map(|days| days + f64::from(last)),
            ..spec.clone()
        };
        let (before, after) = (plan(&policy(&spec), &all, now), plan(&policy(&larger), &all, now));
        prop_assert!(kept(&before).is_subset(&kept(&after)));
    }

    #[test]
    fn the_last_good_one_stays_and_nothing_is_never_left(spec in spec(), (all, now) in backups()) {
        let kept = kept(&plan(&policy(&spec), &all, now));
        prop_assert_eq!(kept.is_empty(), all.is_empty());
        let past = || all.iter().filter(|one| one.at <= now);
        let good = past().filter(|one| one.verified && !one.corrupt).max_by_key(|one| (one.at, one.id));
        prop_assert!(good.is_none_or(|one| kept.contains(&one.id)));
        let whole = past().filter(|one| !one.corrupt).count();
        prop_assert!(whole == 0 || past().any(|one| !one.corrupt && kept.contains(&one.id)));
        prop_assert!(all.iter().all(|one| kept.contains(&one.id) || !one.pinned && one.at <= now));
    }

    #[test]
    fn what_is_pinned_damaged_or_in_the_future_takes_no_place(spec in spec(), (all, now) in backups()) {
        let takes_places = |one: &&Candidate| !one.pinned && !one.corrupt && one.at <= now;
        let alone: Vec<_> = all.iter().filter(takes_places).copied().collect();
        let with_all = kept(&plan(&policy(&spec), &all, now));
        let mut without = plan(&policy(&spec), &alone, now);
        // The one that stays in any case may be another if there are less to choose from.
        let only_last_resort = |decision: &Decision| {
            decision.reasons.iter().all(|reason| matches!(reason, Reason::NewestVerified | Reason::NewestOfAll))
        };
        without.retain(|decision| !only_last_resort(decision));
        prop_assert!(kept(&without).is_subset(&with_all));
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        spec in spec(), (all, now) in backups(), shuffled in any::<prop::sample::Index>(),
    ) {
        let mut other = all.clone();
        other.reverse();
        let middle = shuffled.index(all.len().max(1));
        other.rotate_left(middle);
        prop_assert_eq!(plan(&policy(&spec), &all, now), plan(&policy(&spec), &other, now));
    }
}
