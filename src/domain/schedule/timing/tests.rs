//! Daylight saving against Python's zoneinfo, and laws that hold for every time.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Tehran",
];

fn cron(pattern: &str, zone: &str) -> Timing {
    Timing::Cron { cron: Cron::parse(pattern).unwrap(), zone: Zone::parse(zone).unwrap() }
}

fn every(seconds: f64) -> Timing {
    Timing::Interval(Seconds::try_from(seconds).unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|_| format!("{}:00Z", text.trim_end_matches('Z')).parse().unwrap())
}

/// Every instant later than `from` and not later than `until`.
fn due(timing: &Timing, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let next = |time: &Timestamp| timing.next_after(*time).filter(|next| *next <= until);
    std::iter::successors(next(&from), next).collect()
}

#[test]
fn daylight_saving_cases_agree_with_zoneinfo() {
    let lines: Vec<_> = include_str!("oracle.txt").lines().collect();
    assert!(lines.len() > 150);
    for line in lines {
        let [zone, pattern, from, until, expected] = line.split(';').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let expected: Vec<_> = expected.split_whitespace().map(at).collect();
        assert_eq!(due(&cron(pattern, zone), at(from), at(until)), expected, "{zone} {pattern} after {from}");
    }
}

#[test]
fn a_skipped_time_is_due_right_after_the_change_and_a_repeated_one_at_its_first_coming() {
    let nightly = cron("30 2 * * *", "Europe/Berlin");
    let march = due(&nightly, at("2024-03-30T00:00Z"), at("2024-04-01T12:00Z"));
    assert_eq!(march, ["2024-03-30T01:30Z", "2024-03-31T01:00Z", "2024-04-01T00:30Z"].map(at));
    let october = due(&nightly, at("2024-10-26T12:00Z"), at("2024-10-28T12:00Z"));
    assert_eq!(october, ["2024-10-27T00:30Z", "2024-10-28T01:30Z"].map(at));
    // Asked in the middle of the second coming, it is the next day's turn.
    assert_eq!(nightly.next_after(at("2024-10-27T01:10Z")), Some(at("2024-10-28T01:30Z")));
}

#[test]
fn every_hour_and_every_quarter_go_by_elapsed_time_all_year() {
    for zone in ZONES {
        // Where the clock changes by half an hour, the hour on it is half an hour off for elapsed time, too.
        let whole = !matches!(zone, "Australia/Lord_Howe" | "Asia/Tehran" | "Asia/Kathmandu");
        let (from, until) = (at("2024-01-01T00:00Z"), at("2025-01-01T00:00Z"));
        assert_eq!(due(&cron("*/15 * * * *", zone), from, until).len(), 366 * 24 * 4, "{zone}");
        if whole {
            assert_eq!(due(&cron("@hourly", zone), from, until).len(), 366 * 24, "{zone}");
        }
    }
}

#[test]
fn a_daily_schedule_is_due_once_on_every_day_of_ten_years() {
    for zone in ZONES {
        for pattern in ["0 2 * * *", "30 2 * * *", "15 0 * * *", "0 0 * * *", "45 1 * * *", "0 3 * * *"] {
            let rules = Zone::parse(zone).unwrap().rules().clone();
            let start = rules.to_timestamp(date(2007, 1, 1).at(0, 0, 0, 0)).unwrap();
            let until = rules.to_timestamp(date(2017, 1, 1).at(0, 0, 0, 0)).unwrap();
            let before = Timestamp::from_second(start.as_second() - 1).unwrap();
            let instants =
                due(&cron(pattern, zone), before, Timestamp::from_second(until.as_second() - 1).unwrap());
            let days: Vec<_> = instants.iter().map(|time| rules.to_datetime(*time).date()).collect();
            let mut expected: Vec<_> = date(2007, 1, 1).series(jiff::ToSpan::days(1)).take(3653).collect();
            // The day that Samoa left out.
            expected.retain(|day| zone != "Pacific/Apia" || *day != date(2011, 12, 30));
            assert_eq!(days, expected, "{pattern} in {zone}");
        }
    }
}

#[test]
fn intervals_are_multiples_since_the_epoch_whenever_one_looks() {
    assert_eq!(every(3600.0).next_after(at("2024-05-05T10:20:30Z")), Some(at("2024-05-05T11:00Z")));
    assert_eq!(every(3600.0).next_after(at("2024-05-05T11:00Z")), Some(at("2024-05-05T12:00Z")));
    assert_eq!(every(1.5).next_after(Timestamp::from_second(-1).unwrap()), Some(Timestamp::UNIX_EPOCH));
    assert_eq!(every(1.5).next_after(Timestamp::UNIX_EPOCH).map(Timestamp::as_millisecond), Some(1500));
    assert_eq!(every(3600.0).next_after(Timestamp::MAX), None);
    assert_eq!(cron("@hourly", "UTC").next_after(Timestamp::MAX), None);
    assert_eq!(cron("@daily", "UTC").next_after(Timestamp::MAX), None);
    assert!(
        cron("@daily", "Europe/Berlin").next_after(Timestamp::MIN).is_none_or(|next| next > Timestamp::MIN)
    );
}

/// Patterns of both kinds, dense enough that something happens near a change of the clock.
fn pattern() -> impl Strategy<Value = String> {
    let minute = prop_oneof![Just("*"), Just("*/15"), Just("0"), Just("30"), Just("10,40"), Just("45-59")];
    let hour =
        prop_oneof![Just("*"), Just("0-23"), Just("2"), Just("1-3"), Just("*/2"), Just("0,23"), Just("0-22")];
    let day = prop_oneof![8 => Just("* * *"), 1 => Just("L * *"), 1 => Just("* * 0"), 1 => Just("1,30 * 5")];
    (minute, hour, day).prop_map(|(minute, hour, day)| format!("{minute} {hour} {day}"))
}

/// The instants by trying every minute: the wall clock decides, the past is remembered.
fn tried(timing: &Timing, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let Timing::Cron { cron, zone } = timing else { panic!("cron") };
    let names = |wall: DateTime| cron.first_from(wall) == Some(wall);
    let mut seen = std::collections::HashSet::new();
    let mut before: Option<DateTime> = None;
    let mut found = Vec::new();
    let mut time = Timestamp::from_second(from.as_second() - 2 * 86_400).unwrap();
    while time <= until {
        let wall = zone.rules().to_datetime(time);
        let mut named = names(wall) && (cron.every_hour() || !seen.contains(&wall));
        if let Some(before) = before.filter(|_| !cron.every_hour()) {
            let skipped: Vec<_> =
                (1..240).map(|n| before + MINUTE * n).take_while(|skipped| *skipped < wall).collect();
            named |= skipped.len() <= 180 && skipped.iter().any(|time| names(*time) && !seen.contains(time));
        }
        seen.insert(wall);
        before = Some(wall);
        if named && time > from {
            found.push(time);
        }
        time += MINUTE;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn near_every_change_it_is_what_trying_every_minute_finds(
        zone in proptest::sample::select(&ZONES[..]), pattern in pattern(), year in 2000_i16..2035,
        nth in 0_usize..4, hours_before in 0_i64..40,
    ) {
        let timing = cron(&pattern, zone);
        let rules = Zone::parse(zone).unwrap().rules().clone();
        let january = rules.to_timestamp(date(year, 1, 1).at(0, 0, 0, 0)).unwrap();
        let change = rules.following(january).nth(nth).map_or(january, |change| change.timestamp());
        // Some tables end with a change of nothing, in the middle of a minute of 2038.
        let from = Timestamp::from_second(change.as_second() / 60 * 60 - 3600 * hours_before).unwrap();
        let until = Timestamp::from_second(from.as_second() + 3 * 86_400).unwrap();
        prop_assert_eq!(due(&timing, from, until), tried(&timing, from, until));
    }

    #[test]
    fn the_next_is_later_and_there_is_none_between(
        zone in proptest::sample::select(&ZONES[..]), pattern in pattern(), second in -2_000_000_000_i64..4_000_000_000,
        nanos in 0_i32..1_000_000_000, part in 0.0..1.0_f64, seconds in 1.0..100_000.0_f64, interval in any::<bool>(),
    ) {
        let timing = if interval { every(seconds) } else { cron(&pattern, zone) };
        let time = Timestamp::new(second, nanos).unwrap();
        let next = timing.next_after(time).unwrap();
        prop_assert!(next > time);
        let span = next.as_nanosecond() - time.as_nanosecond();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any point between will do")]
        let between = time.as_nanosecond() + ((span - 1) as f64 * part) as i128;
        let between = Timestamp::from_nanosecond(between.min(next.as_nanosecond() - 1)).unwrap();
        prop_assert_eq!(timing.next_after(between), Some(next));
        let following = timing.next_after(next).unwrap();
        prop_assert!(following.duration_since(next) >= SignedDuration::from_secs(1));
    }

    #[test]
    fn without_changes_of_the_clock_it_is_the_plain_pattern(
        zone in prop_oneof![Just("UTC"), Just("Asia/Kathmandu"), Just("Asia/Tokyo"), Just("Etc/GMT+12")],
        pattern in pattern(), second in 1_000_000_000_i64..3_000_000_000,
    ) {
        let timing = cron(&pattern, zone);
        let Timing::Cron { cron, zone } = &timing else { panic!("cron") };
        let time = Timestamp::from_second(second).unwrap();
        let wall = zone.rules().to_datetime(time);
        let mut tried = minute_of(wall) + MINUTE;
        while cron.first_from(tried) != Some(tried) {
            tried += MINUTE;
        }
        prop_assert_eq!(timing.next_after(time), zone.rules().to_timestamp(tried).ok());
    }
}
