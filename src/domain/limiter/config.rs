//! What to limit: as it comes over the wire, and checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Seconds, Tokens,
    invalid::{InvalidConfig, invalid},
};

/// The most tokens of one limiter.
pub(super) const MAX_LIMIT: u32 = 1_000_000_000;
/// The most permits of one concurrency limiter: each is remembered on its own.
const MAX_PERMITS: u32 = 100_000;
const MIN_RATE: f64 = 1e-6;
const MAX_RATE: f64 = 1e6;
const DEFAULT_RATE: f64 = 5.0;
const MAX_LEASE: Seconds = Seconds::whole(3600);

/// How a limiter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimiterAlgorithm {
    /// A sustained rate with bursts.
    #[default]
    TokenBucket,
    /// No window of the period, wherever it starts, admits more than the limit.
    SlidingWindow,
    /// No window that starts at a multiple of the period (UTC) admits more than the limit.
    FixedWindow,
    /// No more than the limit are in flight at any instant.
    Concurrency,
}

/// The configuration of a limiter as it comes over the wire. Absent fields take their default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LimiterSpec {
    /// How to count: `token_bucket` (default), `sliding_window`, `fixed_window` or `concurrency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<LimiterAlgorithm>,
    /// Only for `token_bucket`: tokens per second that flow in, exact to a millionth. Default 5, from 0.000001
    /// to 1000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.000_001, maximum = 1_000_000)]
    pub requests_per_second: Option<f64>,
    /// Only for `token_bucket`: the most tokens that may be taken at once. Default is the whole part of
    /// `requests_per_second`, but at least 1; from 1 to 1000000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub burst_size: Option<u32>,
    /// For all but `token_bucket`, required there: tokens per window, or in flight at once. From 1 to 1000000000,
    /// for `concurrency` to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub limit: Option<u32>,
    /// For `sliding_window` and `fixed_window`, required there: length of the window in seconds. Greater than 0, at
    /// most 315360000 (ten years).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub period_seconds: Option<f64>,
    /// How long a leased batch of tokens, or a permit of `concurrency`, may be used, in seconds. Default 5, for
    /// `concurrency` 60; greater than 0, at most 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 3600)]
    pub lease_seconds: Option<f64>,
}

/// What to limit, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LimiterSpec", into = "LimiterSpec")]
pub enum LimiterConfig {
    /// A sustained rate with bursts: over any span `t`, at most `burst_size + requests_per_second * t`.
    TokenBucket {
        /// Tokens that flow in per second.
        requests_per_second: f64,
        /// The most tokens in the bucket.
        burst_size: u32,
        /// How long a leased batch may be spent.
        lease_seconds: Seconds,
    },
    /// No half-open window of the period admits more than the limit.
    SlidingWindow {
        /// Tokens per window.
        limit: u32,
        /// Length of the window.
        period_seconds: Seconds,
        /// How long a leased batch may be spent.
        lease_seconds: Seconds,
    },
    /// No window that starts at a multiple of the period admits more than the limit.
    FixedWindow {
        /// Tokens per window.
        limit: u32,
        /// Length of the window.
        period_seconds: Seconds,
        /// How long a leased batch may be spent; never beyond its window.
        lease_seconds: Seconds,
    },
    /// No more than the limit in flight.
    Concurrency {
        /// Permits at once.
        limit: u32,
        /// After how long a permit that nobody gave back is free again.
        lease_seconds: Seconds,
    },
}

impl LimiterConfig {
    /// How it counts.
    #[must_use]
    pub fn algorithm(&self) -> LimiterAlgorithm {
        match self {
            Self::TokenBucket { .. } => LimiterAlgorithm::TokenBucket,
            Self::SlidingWindow { .. } => LimiterAlgorithm::SlidingWindow,
            Self::FixedWindow { .. } => LimiterAlgorithm::FixedWindow,
            Self::Concurrency { .. } => LimiterAlgorithm::Concurrency,
        }
    }

    /// The most tokens that one request can ever get.
    #[must_use]
    pub fn capacity(&self) -> Tokens {
        match *self {
            Self::TokenBucket { burst_size: limit, .. }
            | Self::SlidingWindow { limit, .. }
            | Self::FixedWindow { limit, .. }
            | Self::Concurrency { limit, .. } => Tokens::whole(limit),
        }
    }

    /// How long a lease or permit may be used.
    #[must_use]
    pub fn lease(&self) -> Duration {
        match self {
            Self::TokenBucket { lease_seconds, .. }
            | Self::SlidingWindow { lease_seconds, .. }
            | Self::FixedWindow { lease_seconds, .. }
            | Self::Concurrency { lease_seconds, .. } => lease_seconds.get(),
        }
    }

    /// Tokens per second in the long run; none for `concurrency`, which does not count over time.
    #[must_use]
    pub fn sustained_rate(&self) -> Option<f64> {
        match self {
            Self::TokenBucket { requests_per_second, .. } => Some(*requests_per_second),
            Self::SlidingWindow { limit, period_seconds, .. }
            | Self::FixedWindow { limit, period_seconds, .. } => {
                Some(f64::from(*limit) / period_seconds.get().as_secs_f64())
            }
            Self::Concurrency { .. } => None,
        }
    }

    /// Seconds until a limiter from which everything was taken has everything again.
    pub(super) fn recovery_seconds(&self) -> f64 {
        match self {
            Self::TokenBucket { requests_per_second, burst_size, .. } => {
                f64::from(*burst_size) / requests_per_second
            }
            Self::SlidingWindow { period_seconds, .. } | Self::FixedWindow { period_seconds, .. } => {
                period_seconds.get().as_secs_f64()
            }
            Self::Concurrency { .. } => 0.0,
        }
    }
}

/// Millionths of a token per second. Rounds down, so that a limiter never admits more than it was told, but takes
/// what is only the float's own error as the decimal that was meant.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 1e-6 to 1e6 tokens")]
pub(super) fn micros_per_second(rate: f64) -> u64 {
    let exact = rate.clamp(MIN_RATE, MAX_RATE) * 1e6;
    let near = exact.round();
    let micros = if near - exact > exact * 1e-12 { near - 1.0 } else { near };
    micros.max(1.0) as u64
}

impl TryFrom<LimiterSpec> for LimiterConfig {
    type Error = InvalidConfig;

    fn try_from(spec: LimiterSpec) -> Result<Self, InvalidConfig> {
        let algorithm = spec.algorithm.unwrap_or_default();
        match algorithm {
            LimiterAlgorithm::TokenBucket => {
                absent("limit", "token_bucket takes burst_size", spec.limit.is_some())?;
                absent(
                    "period_seconds",
                    "token_bucket takes requests_per_second",
                    spec.period_seconds.is_some(),
                )?;
                let requests_per_second = rate(spec.requests_per_second.unwrap_or(DEFAULT_RATE))?;
                let burst_size = spec.burst_size.unwrap_or_else(|| default_burst(requests_per_second));
                Ok(Self::TokenBucket {
                    requests_per_second,
                    burst_size: count("burst_size", Some(burst_size), MAX_LIMIT)?,
                    lease_seconds: lease(spec.lease_seconds, Seconds::whole(5))?,
                })
            }
            LimiterAlgorithm::SlidingWindow | LimiterAlgorithm::FixedWindow => {
                no_bucket_fields(&spec, "a window takes limit and period_seconds")?;
                let limit = count("limit", spec.limit, MAX_LIMIT)?;
                let period_seconds = period(spec.period_seconds)?;
                let lease_seconds = lease(spec.lease_seconds, Seconds::whole(5))?;
                Ok(if algorithm == LimiterAlgorithm::SlidingWindow {
                    Self::SlidingWindow { limit, period_seconds, lease_seconds }
                } else {
                    Self::FixedWindow { limit, period_seconds, lease_seconds }
                })
            }
            LimiterAlgorithm::Concurrency => {
                no_bucket_fields(&spec, "concurrency takes limit")?;
                absent(
                    "period_seconds",
                    "concurrency does not count over time",
                    spec.period_seconds.is_some(),
                )?;
                Ok(Self::Concurrency {
                    limit: count("limit", spec.limit, MAX_PERMITS)?,
                    lease_seconds: lease(spec.lease_seconds, Seconds::whole(60))?,
                })
            }
        }
    }
}

impl From<&LimiterConfig> for LimiterSpec {
    fn from(config: &LimiterConfig) -> Self {
        let spec = Self {
            algorithm: Some(config.algorithm()),
            lease_seconds: Some(config.lease().as_secs_f64()),
            ..Self::default()
        };
        match *config {
            LimiterConfig::TokenBucket { requests_per_second, burst_size, .. } => {
                Self { requests_per_second: Some(requests_per_second), burst_size: Some(burst_size), ..spec }
            }
            LimiterConfig::SlidingWindow { limit, period_seconds, .. }
            | LimiterConfig::FixedWindow { limit, period_seconds, .. } => {
                Self { limit: Some(limit), period_seconds: Some(period_seconds.into()), ..spec }
            }
            LimiterConfig::Concurrency { limit, .. } => Self { limit: Some(limit), ..spec },
        }
    }
}

impl From<LimiterConfig> for LimiterSpec {
    fn from(config: LimiterConfig) -> Self {
        Self::from(&config)
    }
}

fn absent(field: &'static str, instead: &str, is_given: bool) -> Result<(), InvalidConfig> {
    if is_given { invalid(field, format!("does not apply: {instead}")) } else { Ok(()) }
}

fn no_bucket_fields(spec: &LimiterSpec, instead: &str) -> Result<(), InvalidConfig> {
    absent("requests_per_second", instead, spec.requests_per_second.is_some())?;
    absent("burst_size", instead, spec.burst_size.is_some())
}

fn rate(raw: f64) -> Result<f64, InvalidConfig> {
    if (MIN_RATE..=MAX_RATE).contains(&raw) {
        Ok(raw)
    } else {
        invalid("requests_per_second", "must be a number from 0.000001 to 1000000")
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a checked rate is at most 1e6")]
fn default_burst(rate: f64) -> u32 {
    (rate as u32).max(1)
}

fn count(field: &'static str, raw: Option<u32>, most: u32) -> Result<u32, InvalidConfig> {
    match raw {
        Some(count) if (1..=most).contains(&count) => Ok(count),
        Some(_) => invalid(field, format!("must be a whole number from 1 to {most}")),
        None => invalid(field, "is required for this algorithm"),
    }
}

fn period(raw: Option<f64>) -> Result<Seconds, InvalidConfig> {
    let Some(raw) = raw else { return invalid("period_seconds", "is required for this algorithm") };
    match Seconds::try_from(raw) {
        Ok(period) if !period.is_zero() => Ok(period),
        _ => invalid("period_seconds", "must be a number greater than 0 and at most 315360000"),
    }
}

fn lease(raw: Option<f64>, default: Seconds) -> Result<Seconds, InvalidConfig> {
    let Some(raw) = raw else { return Ok(default) };
    match Seconds::try_from(raw) {
        Ok(lease) if !lease.is_zero() && lease <= MAX_LEASE => Ok(lease),
        _ => invalid("lease_seconds", "must be a number greater than 0 and at most 3600"),
    }
}
