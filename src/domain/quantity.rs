//! Numbers that have passed their range check: seconds and tokens.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The number lies outside what the quantity can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange(pub(crate) &'static str);

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for OutOfRange {}

/// A span given in float seconds: finite, not negative, at most ten years. Exact to the nanosecond.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[schema(value_type = f64, minimum = 0, maximum = 315_360_000)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(Duration);

impl Seconds {
    /// No time.
    pub const ZERO: Self = Self(Duration::ZERO);
    /// The longest span, in seconds: ten years.
    pub const MAX: f64 = 315_360_000.0;

    /// That many whole seconds.
    #[must_use]
    pub const fn whole(seconds: u32) -> Self {
        Self(Duration::from_secs(seconds as u64))
    }

    /// The span.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Whether the span is empty.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl TryFrom<f64> for Seconds {
    type Error = OutOfRange;

    fn try_from(raw: f64) -> Result<Self, OutOfRange> {
        if !(0.0..=Self::MAX).contains(&raw) {
            return Err(OutOfRange("seconds must be a number from 0 to 315360000"));
        }
        let span =
            Duration::try_from_secs_f64(raw).map_err(|_| OutOfRange("seconds must be a finite number"))?;
        // What is more than no time stays so.
        Ok(Self(if raw > 0.0 { span.max(Duration::from_nanos(1)) } else { span }))
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0.as_secs_f64()
    }
}

impl From<Duration> for Seconds {
    fn from(span: Duration) -> Self {
        Self(span)
    }
}

/// A number of tokens, exact to a millionth: finite, not negative, at most a thousand million.
///
/// Kept as an integer, so that no history of additions drifts.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[schema(value_type = f64, minimum = 0, maximum = 1_000_000_000)]
#[serde(try_from = "f64", into = "f64")]
pub struct Tokens(u64);

impl Tokens {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// A single token.
    pub const ONE: Self = Self(1_000_000);
    /// The most tokens that one number may hold.
    pub const MAX: f64 = 1e9;

    /// From millionths of a token.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Millionths of a token.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// That many whole tokens.
    #[must_use]
    pub const fn whole(tokens: u32) -> Self {
        Self(tokens as u64 * 1_000_000)
    }

    /// As a float, for answers.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most 1e15, exact in a float")]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl TryFrom<f64> for Tokens {
    type Error = OutOfRange;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked just before")]
    fn try_from(raw: f64) -> Result<Self, OutOfRange> {
        if !(0.0..=Self::MAX).contains(&raw) {
            return Err(OutOfRange("tokens must be a number from 0 to 1000000000"));
        }
        let micros = (raw * 1e6).round() as u64;
        // A positive request that rounds to nothing would be a free one.
        Ok(Self(if raw > 0.0 { micros.max(1) } else { micros }))
    }
}

impl From<Tokens> for f64 {
    fn from(tokens: Tokens) -> Self {
        tokens.as_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_quantity() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE, 1e300] {
            assert!(Seconds::try_from(bad).is_err(), "{bad}");
            assert!(Tokens::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_positive_request_never_rounds_to_nothing() {
        assert_eq!(Tokens::try_from(1e-300).map(Tokens::micros), Ok(1));
        assert_eq!(Tokens::try_from(0.0).map(Tokens::micros), Ok(0));
        assert_eq!(Tokens::try_from(1.5).map(Tokens::as_f64), Ok(1.5));
        assert_eq!(Seconds::try_from(1e-300).map(Seconds::get), Ok(Duration::from_nanos(1)));
        assert_eq!(Seconds::try_from(0.0), Ok(Seconds::ZERO));
    }
}
