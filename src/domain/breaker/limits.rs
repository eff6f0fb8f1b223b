//! Range checks of configuration values.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

use crate::domain::{invalid::InvalidConfig, quantity::Seconds};

/// A positive, finite number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Ratio(f64);

impl Ratio {
    pub(super) const HALF: Self = Self(0.5);
    pub(super) const ONE: Self = Self(1.0);

    pub(super) const fn get(self) -> f64 {
        self.0
    }
}

// Sound because the number is never NaN nor zero.
impl Eq for Ratio {}

impl Hash for Ratio {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A count from 1 to `most`, which `named` tells the reader.
pub(super) fn whole(
    field: &'static str,
    given: Option<u32>,
    default: u32,
    most: u32,
    named: &str,
) -> Result<u32, InvalidConfig> {
    let value = given.unwrap_or(default);
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(InvalidConfig { field, message: format!("must be from 1 to {named}") })
    }
}

/// More than no time, in seconds.
pub(super) fn span(field: &'static str, given: Option<f64>) -> Result<Option<Duration>, InvalidConfig> {
    given
        .map(|raw| match Seconds::try_from(raw) {
            Ok(seconds) if !seconds.is_zero() => Ok(seconds.get()),
            _ => Err(InvalidConfig {
                field,
                message: format!("must be a number of seconds more than 0 and at most {}", Seconds::MAX),
            }),
        })
        .transpose()
}

/// A factor from 1 to 100.
pub(super) fn ratio(field: &'static str, given: Option<f64>) -> Result<Option<Ratio>, InvalidConfig> {
    within(field, given, |raw| (1.0..=100.0).contains(&raw), "must be a number from 1 to 100")
}

/// More than nothing, at most everything.
pub(super) fn fraction(field: &'static str, given: Option<f64>) -> Result<Option<Ratio>, InvalidConfig> {
    within(field, given, |raw| raw > 0.0 && raw <= 1.0, "must be a number more than 0 and at most 1")
}

fn within(
    field: &'static str,
    given: Option<f64>,
    allowed: fn(f64) -> bool,
    message: &str,
) -> Result<Option<Ratio>, InvalidConfig> {
    match given {
        Some(raw) if !allowed(raw) => Err(InvalidConfig { field, message: message.to_owned() }),
        given => Ok(given.map(Ratio)),
    }
}
