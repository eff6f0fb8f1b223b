//! What there is to see of a breaker.

use std::time::Duration;

use super::{Breaker, Metrics, State, StateName, counting::Counting, reporters::Reporters};
use crate::domain::{time::Time, window::WindowCounts};

/// A breaker at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerView {
    /// The state.
    pub state: StateName,
    /// Counts since the breaker was made or reset.
    pub metrics: Metrics,
    /// The most consecutive failures of any client in this generation.
    pub failure_count: u32,
    /// The consecutive failures that opened it; 0 once it is closed.
    pub tripped_with: u32,
    /// Share of failed calls in the window; none below `minimum_calls`, without a window, and in states
    /// that do not count.
    pub failure_rate: Option<f64>,
    /// Share of slow calls in the window; none like `failure_rate`.
    pub slow_call_rate: Option<f64>,
    /// One more than the number of transitions.
    pub generation: u64,
    /// When the state began.
    pub state_changed_at: Time,
    /// If calls are refused: when to ask again, where that is known.
    pub retry_after: Option<Duration>,
    /// Calls of this generation that have neither been reported nor run out.
    pub in_flight: u32,
    /// Failing clients, most consecutive failures first.
    pub reporters: Vec<Reporter>,
    /// Calls in the window.
    pub buffered: WindowCounts,
}

/// A client that is failing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    /// Its name; empty for the anonymous one.
    pub client: String,
    /// Its consecutive failures.
    pub failures: u32,
}

impl Breaker {
    /// The breaker at `now`; [`advance`](Self::advance) to it first.
    #[must_use]
    pub fn view(&self, now: Time) -> BreakerView {
        let (failure_rate, slow_call_rate) = self.rates(now);
        BreakerView {
            state: self.state.name(),
            metrics: self.metrics,
            failure_count: self.failure_count(),
            tripped_with: self.tripped_with,
            failure_rate,
            slow_call_rate,
            generation: self.generation,
            state_changed_at: self.changed_at,
            retry_after: self.retry_after(now),
            in_flight: self.in_flight(now),
            reporters: self.reporters(),
            buffered: self.buffered(now),
        }
    }

    /// If calls are refused: when to ask again, where that is known.
    #[must_use]
    pub fn retry_after(&self, now: Time) -> Option<Duration> {
        self.refusal(now).and_then(|refused| refused.retry_after)
    }

    /// The most consecutive failures of any client.
    #[must_use]
    pub fn failure_count(&self) -> u32 {
        self.state.counting().and_then(Counting::reporters).map_or(0, Reporters::largest)
    }

    /// Share of failed and of slow calls in the window at `now`; none below `minimum_calls`.
    #[must_use]
    pub fn rates(&self, now: Time) -> (Option<f64>, Option<f64>) {
        let counts = self.buffered(now);
        match &self.config.window {
            Some(rules) if counts.total >= rules.minimum_calls => {
                (Some(counts.failure_rate()), Some(counts.slow_call_rate()))
            }
            _ => (None, None),
        }
    }

    pub(super) fn reporters(&self) -> Vec<Reporter> {
        self.state.counting().and_then(Counting::reporters).map_or_else(Vec::new, Reporters::list)
    }

    fn buffered(&self, now: Time) -> WindowCounts {
        self.state.counting().map_or_else(WindowCounts::default, |counting| counting.window_counts(now))
    }

    fn in_flight(&self, now: Time) -> u32 {
        match &self.state {
            State::Closed(counting) | State::MetricsOnly { counting, .. } => counting.in_flight,
            State::HalfOpen(probes) => u32::try_from(probes.outstanding(now)).unwrap_or(u32::MAX),
            State::Open(_) | State::ForcedOpen(_) | State::Disabled(_) => 0,
        }
    }
}
