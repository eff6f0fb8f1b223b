//! What a breaker can be told, as sent and as checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::{Ratio, fraction, ratio, span, whole};
use crate::domain::{invalid::InvalidConfig, window::Span};

/// Configuration of a circuit breaker. Every field is optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSpec {
    /// Consecutive failures of one client that count as an outage. Default 5, from 1 to 1000000.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub failure_threshold: Option<u32>,
    /// Seconds that an open breaker waits before it lets probes through. Default 60, more than 0.
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub timeout_seconds: Option<f64>,
    /// Factor by which the wait grows each time a probe fails. Default 1 (no growth), from 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    pub timeout_multiplier: Option<f64>,
    /// Longest wait in seconds, at least `timeout_seconds`. Default 3600 (or `timeout_seconds`, if that
    /// is longer) when the wait grows, else none.
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub timeout_max_seconds: Option<f64>,
    /// Calls that may be running or have succeeded while half open. Default 3, from 1 to 10000.
    #[schema(minimum = 1, maximum = 10_000)]
    pub half_open_max_calls: Option<u32>,
    /// Successes while half open that close the breaker. Default 1, from 1 to `half_open_max_calls`.
    #[schema(minimum = 1, maximum = 10_000)]
    pub half_open_successes: Option<u32>,
    /// Seconds after the first permit at which a breaker that is still half open opens again; without
    /// traffic it stays half open. More than 0. Default none.
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub half_open_timeout_seconds: Option<f64>,
    /// Seconds that a permit is valid; without an outcome by then it returns. Default 60, more than 0
    /// and at most 86400.
    #[schema(exclusive_minimum = 0, maximum = 86_400)]
    pub call_timeout_seconds: Option<f64>,
    /// Distinct clients that must report an outage before the breaker opens. Default 1, from 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    pub min_reporters: Option<u32>,
    /// Trip on the rate of failed or slow calls, too. Default none.
    #[serde(deserialize_with = "crate::domain::object::object_option")]
    pub window: Option<WindowSpec>,
}

/// Which calls the rates are taken over, and which rates trip the breaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WindowSpec {
    /// `count`: the last `size` calls. `time`: the calls of the last `size` seconds. Default `count`.
    pub kind: WindowKind,
    /// Calls (from 1 to 10000) or seconds (from 1 to 3600). Default 100.
    #[schema(minimum = 1, maximum = 10_000)]
    pub size: u32,
    /// Calls in the window below which there is no rate. Default 10, at most `size` for `count`; from 1 to
    /// `size` for `count`, to 1000000 for `time`.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub minimum_calls: Option<u32>,
    /// Share of failed calls at which the breaker opens. Default 0.5, more than 0 and at most 1.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    pub failure_rate: Option<f64>,
    /// Share of slow calls at which the breaker opens. Default 1, more than 0 and at most 1.
    #[schema(exclusive_minimum = 0, maximum = 1)]
    pub slow_call_rate: Option<f64>,
    /// Seconds; a call that takes longer is slow. Default 60, more than 0.
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub slow_call_seconds: Option<f64>,
}

impl Default for WindowSpec {
    fn default() -> Self {
        Self {
            kind: WindowKind::Count,
            size: 100,
            minimum_calls: None,
            failure_rate: None,
            slow_call_rate: None,
            slow_call_seconds: None,
        }
    }
}

/// What the size of a window counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// The last calls.
    #[default]
    Count,
    /// The calls of the last seconds.
    Time,
}

/// A checked configuration. Many breakers share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerConfig {
    pub(super) failure_threshold: u32,
    pub(super) timeout: Duration,
    pub(super) timeout_multiplier: Ratio,
    pub(super) timeout_max: Option<Duration>,
    pub(super) half_open_max_calls: u32,
    pub(super) half_open_successes: u32,
    pub(super) half_open_timeout: Option<Duration>,
    pub(super) call_timeout: Duration,
    pub(super) min_reporters: u32,
    pub(super) window: Option<WindowRules>,
}

/// Checked rules of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct WindowRules {
    pub(super) span: Span,
    pub(super) minimum_calls: u32,
    pub(super) failure_rate: Ratio,
    pub(super) slow_call_rate: Ratio,
    pub(super) slow_call: Duration,
}

impl BreakerConfig {
    /// Consecutive failures of one client that count as an outage.
    #[must_use]
    pub fn failure_threshold(&self) -> u32 {
        self.failure_threshold
    }

    /// How long an open breaker waits, the first time.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How long a permit is valid.
    #[must_use]
    pub fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    /// Calls that may be running or have succeeded while half open.
    #[must_use]
    pub fn half_open_max_calls(&self) -> u32 {
        self.half_open_max_calls
    }

    /// How long a breaker stays open that has opened again `reopened` times without closing.
    #[must_use]
    pub fn open_wait(&self, reopened: u32) -> Duration {
        let longest = self.timeout_max.unwrap_or(Duration::MAX);
        if reopened == 0 || self.timeout_multiplier == Ratio::ONE {
            return self.timeout.min(longest);
        }
        let growth = self.timeout_multiplier.get().powi(i32::try_from(reopened).unwrap_or(i32::MAX));
        Duration::try_from_secs_f64(self.timeout.as_secs_f64() * growth).unwrap_or(Duration::MAX).min(longest)
    }

    /// Whether a call that took `duration` is slow. Without a window none is.
    pub(super) fn is_slow(&self, duration: Duration) -> bool {
        self.window.as_ref().is_some_and(|rules| duration > rules.slow_call)
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            timeout: Duration::from_secs(60),
            timeout_multiplier: Ratio::ONE,
            timeout_max: None,
            half_open_max_calls: 3,
            half_open_successes: 1,
            half_open_timeout: None,
            call_timeout: Duration::from_secs(60),
            min_reporters: 1,
            window: None,
        }
    }
}

impl TryFrom<BreakerSpec> for BreakerConfig {
    type Error = InvalidConfig;

    fn try_from(spec: BreakerSpec) -> Result<Self, InvalidConfig> {
        let defaults = Self::default();
        let timeout = span("timeout_seconds", spec.timeout_seconds)?.unwrap_or(defaults.timeout);
        let timeout_multiplier = ratio("timeout_multiplier", spec.timeout_multiplier)?.unwrap_or(Ratio::ONE);
        let timeout_max = match span("timeout_max_seconds", spec.timeout_max_seconds)? {
            Some(longest) if longest < timeout => {
                return Err(invalid("timeout_max_seconds", "must be at least timeout_seconds"));
            }
            None if timeout_multiplier > Ratio::ONE => Some(timeout.max(Duration::from_secs(3600))),
            given => given,
        };
        let half_open_max_calls = whole("half_open_max_calls", spec.half_open_max_calls, 3, 10_000, "10000")?;
        let call_timeout =
            span("call_timeout_seconds", spec.call_timeout_seconds)?.unwrap_or(defaults.call_timeout);
        if call_timeout > Duration::from_secs(86_400) {
            return Err(invalid("call_timeout_seconds", "must be at most 86400"));
        }
        Ok(Self {
            failure_threshold: whole("failure_threshold", spec.failure_threshold, 5, 1_000_000, "1000000")?,
            timeout,
            timeout_multiplier,
            timeout_max,
            half_open_max_calls,
            half_open_successes: whole(
                "half_open_successes",
                spec.half_open_successes,
                1,
                half_open_max_calls,
                "half_open_max_calls",
            )?,
            half_open_timeout: span("half_open_timeout_seconds", spec.half_open_timeout_seconds)?,
            call_timeout,
            min_reporters: whole("min_reporters", spec.min_reporters, 1, 1000, "1000")?,
            window: spec.window.map(WindowRules::try_from).transpose()?,
        })
    }
}

impl TryFrom<WindowSpec> for WindowRules {
    type Error = InvalidConfig;

    fn try_from(spec: WindowSpec) -> Result<Self, InvalidConfig> {
        let (span_of, most, most_minimum, named) = match spec.kind {
            WindowKind::Count => (Span::Calls(spec.size), 10_000, spec.size, "window.size"),
            WindowKind::Time => (Span::Seconds(spec.size), 3600, 1_000_000, "1000000"),
        };
        whole("window.size", Some(spec.size), 0, most, if most == 3600 { "3600" } else { "10000" })?;
        let minimum_calls =
            whole("window.minimum_calls", spec.minimum_calls, most_minimum.min(10), most_minimum, named)?;
        Ok(Self {
            span: span_of,
            minimum_calls,
            failure_rate: fraction("window.failure_rate", spec.failure_rate)?.unwrap_or(Ratio::HALF),
            slow_call_rate: fraction("window.slow_call_rate", spec.slow_call_rate)?.unwrap_or(Ratio::ONE),
            slow_call: span("window.slow_call_seconds", spec.slow_call_seconds)?
                .unwrap_or(Duration::from_secs(60)),
        })
    }
}

impl From<&BreakerConfig> for BreakerSpec {
    /// The specification with every default filled in; checking it gives the same configuration.
    fn from(config: &BreakerConfig) -> Self {
        Self {
            failure_threshold: Some(config.failure_threshold),
            timeout_seconds: Some(config.timeout.as_secs_f64()),
            timeout_multiplier: Some(config.timeout_multiplier.get()),
            timeout_max_seconds: config.timeout_max.map(|longest| longest.as_secs_f64()),
            half_open_max_calls: Some(config.half_open_max_calls),
            half_open_successes: Some(config.half_open_successes),
            half_open_timeout_seconds: config.half_open_timeout.map(|bound| bound.as_secs_f64()),
            call_timeout_seconds: Some(config.call_timeout.as_secs_f64()),
            min_reporters: Some(config.min_reporters),
            window: config.window.as_ref().map(WindowSpec::from),
        }
    }
}

impl From<&WindowRules> for WindowSpec {
    fn from(rules: &WindowRules) -> Self {
        let (kind, size) = match rules.span {
            Span::Calls(size) => (WindowKind::Count, size),
            Span::Seconds(size) => (WindowKind::Time, size),
        };
        Self {
            kind,
            size,
            minimum_calls: Some(rules.minimum_calls),
            failure_rate: Some(rules.failure_rate.get()),
            slow_call_rate: Some(rules.slow_call_rate.get()),
            slow_call_seconds: Some(rules.slow_call.as_secs_f64()),
        }
    }
}

fn invalid(field: &'static str, message: &str) -> InvalidConfig {
    InvalidConfig { field, message: message.to_owned() }
}

#[cfg(test)]
mod tests;
