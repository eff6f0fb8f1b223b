//! How to retry: as it comes over the wire, and checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Seconds, invalid::InvalidConfig};

const MAX_ATTEMPTS: u32 = 1000;

/// How a delay is spread, so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Not at all.
    None,
    /// Anywhere from nothing to the whole delay.
    #[default]
    Full,
    /// Half the delay, and anywhere in the other half.
    Equal,
}

/// The configuration of a retry policy as it comes over the wire. Absent fields take their default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicySpec {
    /// Attempts of one call, the first included. Default 3, from 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub max_attempts: Option<u32>,
    /// Delay before the second attempt, in seconds. Default 1, from 0 to 315360000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 315_360_000)]
    pub initial_delay_seconds: Option<f64>,
    /// The longest delay before jitter, in seconds. Default 60, from 0 to 315360000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 315_360_000)]
    pub max_delay_seconds: Option<f64>,
    /// By how much the delay grows with each attempt. Default 2, from 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub exponential_base: Option<f64>,
    /// How delays are spread: `none`, `full` (default: from nothing to the whole delay) or `equal` (the upper half).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Jitter>,
    /// Retries of all clients together, as a share of their first attempts. Default 0.2, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub budget_ratio: Option<f64>,
    /// Retries per second that are allowed besides, however few the calls. Default 1, from 0 to 1000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub budget_min_per_second: Option<f64>,
    /// Over how long the budget counts, in seconds. Default 10, from 0.1 to 86400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.1, maximum = 86_400)]
    pub budget_window_seconds: Option<f64>,
}

/// A retry policy, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RetryPolicySpec", into = "RetryPolicySpec")]
pub struct RetryPolicyConfig {
    /// Attempts of one call, the first included.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    pub initial_delay_seconds: Seconds,
    /// The longest delay before jitter.
    pub max_delay_seconds: Seconds,
    /// By how much the delay grows with each attempt.
    pub exponential_base: f64,
    /// How delays are spread.
    pub jitter: Jitter,
    /// Retries as a share of first attempts.
    pub budget_ratio: f64,
    /// Retries per second that are allowed besides.
    pub budget_min_per_second: f64,
    /// Over how long the budget counts.
    pub budget_window_seconds: Seconds,
}

impl TryFrom<RetryPolicySpec> for RetryPolicyConfig {
    type Error = InvalidConfig;

    fn try_from(spec: RetryPolicySpec) -> Result<Self, InvalidConfig> {
        let max_attempts = spec.max_attempts.unwrap_or(3);
        if !(1..=MAX_ATTEMPTS).contains(&max_attempts) {
            let message = format!("must be a whole number from 1 to {MAX_ATTEMPTS}");
            return Err(InvalidConfig { field: "max_attempts", message });
        }
        let longest = Seconds::MAX;
        Ok(Self {
            max_attempts,
            initial_delay_seconds: seconds(
                "initial_delay_seconds",
                spec.initial_delay_seconds,
                1.0,
                0.0,
                longest,
            )?,
            max_delay_seconds: seconds("max_delay_seconds", spec.max_delay_seconds, 60.0, 0.0, longest)?,
            exponential_base: number("exponential_base", spec.exponential_base, 2.0, 1.0, 100.0)?,
            jitter: spec.jitter.unwrap_or_default(),
            budget_ratio: number("budget_ratio", spec.budget_ratio, 0.2, 0.0, 1.0)?,
            budget_min_per_second: number(
                "budget_min_per_second",
                spec.budget_min_per_second,
                1.0,
                0.0,
                1e6,
            )?,
            budget_window_seconds: seconds(
                "budget_window_seconds",
                spec.budget_window_seconds,
                10.0,
                0.1,
                86400.0,
            )?,
        })
    }
}

impl From<&RetryPolicyConfig> for RetryPolicySpec {
    fn from(config: &RetryPolicyConfig) -> Self {
        Self {
            max_attempts: Some(config.max_attempts),
            initial_delay_seconds: Some(config.initial_delay_seconds.into()),
            max_delay_seconds: Some(config.max_delay_seconds.into()),
            exponential_base: Some(config.exponential_base),
            jitter: Some(config.jitter),
            budget_ratio: Some(config.budget_ratio),
            budget_min_per_second: Some(config.budget_min_per_second),
            budget_window_seconds: Some(config.budget_window_seconds.into()),
        }
    }
}

impl From<RetryPolicyConfig> for RetryPolicySpec {
    fn from(config: RetryPolicyConfig) -> Self {
        Self::from(&config)
    }
}

fn number(
    field: &'static str,
    raw: Option<f64>,
    default: f64,
    least: f64,
    most: f64,
) -> Result<f64, InvalidConfig> {
    let raw = raw.unwrap_or(default);
    if (least..=most).contains(&raw) {
        // Not -0.0, which would be answered as such.
        return Ok(raw + 0.0);
    }
    Err(InvalidConfig { field, message: format!("must be a number from {least} to {most}") })
}

fn seconds(
    field: &'static str,
    raw: Option<f64>,
    default: f64,
    least: f64,
    most: f64,
) -> Result<Seconds, InvalidConfig> {
    let raw = number(field, raw, default, least, most)?;
    Seconds::try_from(raw).map_err(|error| InvalidConfig { field, message: error.to_string() })
}

impl RetryPolicyConfig {
    /// The delay before that attempt (from 2 on).
    pub(super) fn delay(&self, attempt: u32, random: f64) -> Duration {
        let (initial, most) = (f64::from(self.initial_delay_seconds), self.max_delay_seconds);
        let exponent = f64::from(attempt.saturating_sub(2));
        let grown = initial * self.exponential_base.powf(exponent);
        let whole = if initial == 0.0 {
            0.0
        } else if grown < f64::from(most) {
            grown
        } else {
            f64::from(most)
        };
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.0 };
        let spread = match self.jitter {
            Jitter::None => whole,
            Jitter::Full => random * whole,
            Jitter::Equal => whole / 2.0 + random * (whole / 2.0),
        };
        Duration::try_from_secs_f64(spread).unwrap_or(most.get())
    }
}
