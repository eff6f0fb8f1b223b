//! Cron patterns and time zones.

use fuseboard::domain::schedule::cron::Cron;
use jiff::{ToSpan, civil::date};

/// What a pattern names comes at or after the moment that is asked for, and is what the next question finds, too. Its text says
/// all of it.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(cron) = Cron::parse(text) else { return };
    assert_eq!(Cron::parse(cron.as_str()).as_ref(), Ok(&cron));
    let day = data.iter().fold(0_i32, |sum, byte| sum + i32::from(*byte));
    let mut wall = date(2024, 2, 28).at(23, 59, 30, 1).saturating_add(day.days());
    for _ in 0..4 {
        let Some(first) = cron.first_from(wall) else { return };
        assert!(first >= wall, "{text:?} after {wall} is {first}");
        assert_eq!((first.second(), first.subsec_nanosecond()), (0, 0), "{text:?} names {first}");
        assert_eq!(cron.first_from(first), Some(first), "{text:?}");
        wall = first.saturating_add(1.minute());
    }
}
