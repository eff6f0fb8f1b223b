//! What is accepted, what is refused and why; which minutes a pattern names, against a plain model.

use proptest::prelude::*;

use super::*;

fn first_days(raw: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
    let mut from = date(2024, 1, 1).at(0, 0, 0, 0);
    (0..count)
        .map(|_| {
            let found = cron.first_from(from).unwrap();
            from = found.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
            found.strftime("%m-%d %H:%M").to_string()
        })
        .collect()
}

#[test]
fn patterns_name_the_minutes_that_their_documentation_says() {
    for (raw, days) in [
        ("@hourly", ["01-01 00:00", "01-01 01:00", "01-01 02:00"]),
        ("@Daily", ["01-01 00:00", "01-02 00:00", "01-03 00:00"]),
        ("@midnight", ["01-01 00:00", "01-02 00:00", "01-03 00:00"]),
        ("@weekly", ["01-07 00:00", "01-14 00:00", "01-21 00:00"]),
        ("@monthly", ["01-01 00:00", "02-01 00:00", "03-01 00:00"]),
        (" 5  4\t* * * ", ["01-01 04:05", "01-02 04:05", "01-03 04:05"]),
        ("0 0 * jan-mar mon", ["01-01 00:00", "01-08 00:00", "01-15 00:00"]),
        ("0 0 ? * 7", ["01-07 00:00", "01-14 00:00", "01-21 00:00"]),
        ("0 0 * * SAT-SUN", ["01-06 00:00", "01-07 00:00", "01-13 00:00"]),
        ("0 0 L * *", ["01-31 00:00", "02-29 00:00", "03-31 00:00"]),
        ("0 0 15W * *", ["01-15 00:00", "02-15 00:00", "03-15 00:00"]),
        ("0 0 * * FRI#2", ["01-12 00:00", "02-09 00:00", "03-08 00:00"]),
        ("0 0 * * 5L", ["01-26 00:00", "02-23 00:00", "03-29 00:00"]),
        // Either day may match, both must after `+`, and `*/2` is no restriction.
        ("0 0 2 * WED", ["01-02 00:00", "01-03 00:00", "01-10 00:00"]),
        ("0 0 13 * +FRI", ["09-13 00:00", "12-13 00:00", "06-13 00:00"]),
        ("0 0 */2 * MON", ["01-01 00:00", "01-15 00:00", "01-29 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00", "02-29 00:00", "02-29 00:00"]),
    ] {
        assert_eq!(first_days(raw, 3), days, "{raw}");
    }
}

#[test]
fn what_never_fires_and_what_would_be_misread_is_refused_with_its_field() {
    let long = format!("{} * * * *", "1,".repeat(200));
    for (raw, part) in [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("* * * * * * *", "7 fields"),
        ("@reboot", "@hourly"),
        ("CRON_TZ=UTC 0 2 * * *", "timezone"),
        ("0 2 * * * \u{fc}", "ASCII"),
        (&long, "at most"),
        ("60 * * * *", "minute `60`"),
        ("* 24 * * *", "hour `24`"),
        ("* * 0 * *", "day of the month `0`"),
        ("* * 32 * *", "day of the month `32`"),
        ("* * * 13 *", "month `13`"),
        ("* * * * 8", "weekday `8`"),
        ("*/0 * * * *", "minute `*/0`"),
        ("5/15 * * * *", "minute `5/15`"),
        ("5-1 * * * *", "minute `5-1`"),
        (", * * * *", "empty"),
        ("1,,2 * * * *", "empty"),
        ("-1 * * * *", "minute `-1`"),
        ("99999999999 * * * *", "minute"),
        ("MON * * * *", "minute `MON`"),
        ("* * * 1JAN *", "month `1JAN`"),
        ("* * * JANUARY *", "month `JANUARY`"),
        ("* * * * SUNMON", "weekday `SUNMON`"),
        ("* * * * L", "FRI#L"),
        ("* * * * FRI#6", "weekday `FRI#6`"),
        ("* * L-3 * *", "day of the month `L-3`"),
        ("+1 * * * *", "minute `+1`"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 31 * +MON#1", "never fires"),
    ] {
        let error = Cron::parse(raw).expect_err(raw);
        assert_eq!(error.field, "cron");
        assert!(error.message.contains(part), "{raw}: {error}");
    }
}

#[test]
fn what_fires_rarely_is_accepted() {
    for raw in ["0 0 29 2 *", "0 0 29 2 +MON", "0 0 31 2,7 *", "0 0 30 2 MON"] {
        assert!(Cron::parse(raw).is_ok(), "{raw}");
    }
}

#[test]
fn only_a_pattern_with_all_hours_goes_by_elapsed_time() {
    for raw in ["@hourly", "*/15 * * * *", "0 */1 * * 1", "0 0-23 * * *", "7 0-11,12-23 1 * *"] {
        assert!(Cron::parse(raw).unwrap().every_hour(), "{raw}");
    }
    for raw in ["@daily", "* 0-22 * * *", "0 */2 * * *", "*/15 2 * * *"] {
        assert!(!Cron::parse(raw).unwrap().every_hour(), "{raw}");
    }
}

/// A field as text and as the values that it means.
fn field(low: u8, high: u8) -> impl Strategy<Value = (String, Vec<u8>)> {
    let all = move || (low..=high).collect::<Vec<_>>();
    prop_oneof![
        Just(("*".to_owned(), all())),
        (1..=high - low + 1)
            .prop_map(move |step| { (format!("*/{step}"), (low..=high).step_by(step.into()).collect()) }),
        (low..=high, low..=high).prop_map(|(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            (format!("{a}-{b}"), (a..=b).collect())
        }),
        proptest::collection::vec(low..=high, 1..4).prop_map(|values| {
            let text: Vec<_> = values.iter().map(u8::to_string).collect();
            (text.join(","), values)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_first_named_minute_is_what_trying_every_minute_finds(
        (minute, minutes) in field(0, 59), (hour, hours) in field(0, 23), (day, days) in field(1, 31),
        (weekday, weekdays) in field(0, 6), start in 0_i64..4_000_000,
    ) {
        let cron = Cron::parse(&format!("{minute} {hour} {day} * {weekday}")).unwrap();
        let either = !day.starts_with('*') && !weekday.starts_with('*');
        let names = |wall: DateTime| {
            let value = |number: i8| u8::try_from(number).unwrap();
            let on_day = days.contains(&value(wall.day()));
            let on_weekday = weekdays.contains(&value(wall.weekday().to_sunday_zero_offset()));
            let day_fits = if either { on_day || on_weekday } else { on_day && on_weekday };
            day_fits && minutes.contains(&value(wall.minute())) && hours.contains(&value(wall.hour()))
        };
        let mut wall = date(2020, 1, 1).at(0, 0, 0, 0) + jiff::SignedDuration::from_mins(start);
        let found = cron.first_from(wall);
        while !names(wall) {
            wall += jiff::SignedDuration::from_mins(1);
        }
        prop_assert_eq!(found, Some(wall));
    }

    #[test]
    fn no_text_makes_it_panic_or_hang(raw in "[-0-9*/,LW#+?A-Z@ ]{0,24}", any in "\\PC{0,40}") {
        for raw in [raw.as_str(), any.as_str()] {
            if let Ok(cron) = Cron::parse(raw) {
                prop_assert!(cron.first_from(date(2024, 1, 1).at(0, 0, 0, 0)).is_some());
            }
        }
    }
}
