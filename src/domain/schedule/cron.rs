//! Cron patterns: which minutes of a wall clock a schedule names. Time zones come in with
//! [`Timing`](super::Timing).
//!
//! Five fields: minute, hour, day of the month, month, weekday (0 to 7, both ends Sunday), with `*`, lists, ranges, steps,
//! and names of months and weekdays. From croner come `L` (last day), `15W` (nearest working day), `FRI#2` and `FRI#L`
//! (second and last Friday), `?` for `*`, and `+` before the weekday: it must match as well as the day of the month.
//! Otherwise, when both day fields are restricted, either may match; one that begins with `*` does not count as restricted,
//! also with a step (Vixie cron, `DOM_STAR` and `DOW_STAR`).

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::{DateTime, date};

use crate::domain::InvalidConfig;

const MAX_LEN: usize = 256;
const FIELDS: [&str; 5] = ["minute", "hour", "day of the month", "month", "weekday"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A pattern that names at least one minute of some year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    source: String,
    pattern: Box<croner::Cron>,
    every_hour: bool,
}

impl Cron {
    /// Reads five fields or a nickname (`@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`).
    /// What can never fire, such as 30 February, is refused. Errors name the field `cron`.
    pub fn parse(raw: &str) -> Result<Self, InvalidConfig> {
        let source = raw.trim();
        if !source.is_ascii() || source.len() > MAX_LEN {
            return Err(invalid(format!("must be at most {MAX_LEN} ASCII characters")));
        }
        let pattern = Box::new(compile(&fields_of(source)?)?);
        let cron = Self {
            source: source.to_owned(),
            every_hour: pattern.pattern.hours.values().len() == 24,
            pattern,
        };
        // The calendar repeats every 400 years, and croner looks as far as the year 5000.
        if cron.first_from(date(4600, 1, 1).at(0, 0, 0, 0)).is_none() {
            return Err(invalid(format!("`{source}` never fires: no year has such a day")));
        }
        Ok(cron)
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether no hour is left out: such a schedule goes by elapsed time instead of by what clocks show.
    #[must_use]
    pub fn every_hour(&self) -> bool {
        self.every_hour
    }

    /// The first named minute at or after `wall`. None past the year 5000.
    #[must_use]
    pub fn first_from(&self, wall: DateTime) -> Option<DateTime> {
        self.pattern.find_next_occurrence(&wall, true).ok()
    }
}

fn fields_of(source: &str) -> Result<[String; 5], InvalidConfig> {
    if source.contains('=') {
        return Err(invalid("takes no variables; the zone goes into the field timezone".to_owned()));
    }
    let expanded = match source.strip_prefix('@') {
        None => source,
        Some(_) => NICKNAMES
            .iter()
            .find(|(nickname, _)| nickname.eq_ignore_ascii_case(source))
            .map(|(_, fields)| *fields)
            .ok_or_else(|| {
                invalid(format!("`{source}` is not one of {}", NICKNAMES.map(|n| n.0).join(", ")))
            })?,
    };
    let fields: Vec<String> = expanded.split_whitespace().map(str::to_ascii_uppercase).collect();
    fields.try_into().map_err(|given: Vec<String>| {
        invalid(format!(
            "has {} fields instead of five: minute, hour, day of the month, month, weekday; for seconds use interval_seconds",
            given.len()
        ))
    })
}

/// Each field by itself first, so that the message can tell which one is wrong.
fn compile(fields: &[String; 5]) -> Result<croner::Cron, InvalidConfig> {
    let parser = || CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed);
    for (position, field) in fields.iter().enumerate() {
        let wrong = |why: &str| invalid(format!("{} `{field}`: {why}", FIELDS[position]));
        check(position, field).map_err(&wrong)?;
        let mut alone = ["*"; 5];
        alone[position] = field;
        parser().build().parse(&alone.join(" ")).map_err(|error| wrong(&reason(error)))?;
    }
    let starred = [2, 4].iter().any(|&day| fields[day].starts_with(['*', '?']));
    parser().dom_and_dow(starred).build().parse(&fields.join(" ")).map_err(|error| invalid(reason(error)))
}

/// What croner lets pass and would misread: it replaces names wherever they stand (`1JAN` would be November), and takes
/// an empty list for one that names nothing.
fn check(position: usize, field: &str) -> Result<(), &'static str> {
    if field.split(',').any(str::is_empty) {
        return Err("an entry of the list is empty");
    }
    if position == 4 && field.trim_start_matches('+').split(',').any(|entry| entry == "L") {
        return Err("L needs a weekday, as in FRI#L");
    }
    let words = field.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    if words.into_iter().all(|word| is_word(position, word)) { Ok(()) } else { Err("is not understood") }
}

fn is_word(position: usize, word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(word)
        || match position {
            2 => matches!(word, "L" | "LW") || word.strip_suffix('W').is_some_and(digits),
            3 => MONTHS.contains(&word),
            4 => {
                let day = word.strip_suffix('L').unwrap_or(word);
                day.is_empty() || digits(day) || WEEKDAYS.contains(&day)
            }
            _ => false,
        }
}

fn reason(error: croner::errors::CronError) -> String {
    use croner::errors::CronError::{ComponentError, IllegalCharacters, InvalidPattern};
    match error {
        ComponentError(why) | IllegalCharacters(why) | InvalidPattern(why) => why,
        other => other.to_string(),
    }
}

fn invalid(message: String) -> InvalidConfig {
    InvalidConfig { field: "cron", message }
}

#[cfg(test)]
mod tests;
