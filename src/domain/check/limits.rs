//! Range checks of configuration values.

use std::ops::RangeInclusive;

pub(super) use crate::domain::invalid::invalid;
use crate::domain::{Seconds, invalid::InvalidConfig, text::is_longer};

/// The value of a field without which the kind makes no sense.
pub(super) fn required<T>(field: &'static str, given: Option<T>, kind: &str) -> Result<T, InvalidConfig> {
    given.map_or_else(|| invalid(field, format!("is required for kind {kind}")), Ok)
}

pub(super) fn whole(
    field: &'static str,
    given: Option<u32>,
    default: u32,
    range: RangeInclusive<u32>,
) -> Result<u32, InvalidConfig> {
    let value = given.unwrap_or(default);
    if range.contains(&value) {
        return Ok(value);
    }
    invalid(field, format!("must be a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn seconds(
    field: &'static str,
    given: f64,
    range: RangeInclusive<f64>,
) -> Result<Seconds, InvalidConfig> {
    match Seconds::try_from(given) {
        Ok(span) if range.contains(&given) => Ok(span),
        _ => invalid(field, format!("must be a number from {} to {}", range.start(), range.end())),
    }
}

/// More than no time.
pub(super) fn span(field: &'static str, given: f64) -> Result<Seconds, InvalidConfig> {
    match Seconds::try_from(given) {
        Ok(span) if !span.is_zero() => Ok(span),
        _ => invalid(field, format!("must be a number greater than 0 and at most {}", Seconds::MAX)),
    }
}

/// A text of 1 to `most` characters.
pub(super) fn text(
    field: &'static str,
    given: Option<String>,
    most: usize,
) -> Result<Option<Box<str>>, InvalidConfig> {
    match given {
        Some(text) if text.is_empty() || is_longer(&text, most) => {
            invalid(field, format!("must be 1 to {most} characters long"))
        }
        given => Ok(given.map(String::into_boxed_str)),
    }
}
