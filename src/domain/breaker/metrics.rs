//! Counts over the life of a breaker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Success,
    /// It failed in a way that speaks of the dependency.
    Failure,
    /// It says nothing about the dependency, such as a cancelled call.
    Ignored,
}

/// Counts since the breaker was made or reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// Admitted and rejected calls.
    pub total_calls: u64,
    /// Calls that were reported as successes.
    pub success_calls: u64,
    /// Calls that were reported as failures.
    pub failure_calls: u64,
    /// Calls that were turned away.
    pub rejected_calls: u64,
    /// Calls that were reported as ignored.
    pub ignored_calls: u64,
    /// Successes and failures that were slow; only counted with a window.
    pub slow_calls: u64,
    /// Sum of the durations of successes.
    #[serde(default)]
    pub success_time: Duration,
    /// Sum of the durations of failures.
    #[serde(default)]
    pub failure_time: Duration,
}

impl Metrics {
    /// Successes per call, rejected ones included; 0.0 without calls.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for display")]
    pub fn success_rate(&self) -> f64 {
        if self.total_calls == 0 { 0.0 } else { self.success_calls as f64 / self.total_calls as f64 }
    }

    pub(super) fn admitted(&mut self, calls: u64) {
        self.total_calls = self.total_calls.saturating_add(calls);
    }

    pub(super) fn rejected(&mut self, calls: u64) {
        self.total_calls = self.total_calls.saturating_add(calls);
        self.rejected_calls = self.rejected_calls.saturating_add(calls);
    }

    pub(super) fn finished(&mut self, outcome: Outcome, slow: bool, duration: Duration) {
        self.finished_all(outcome, 1, slow.into(), duration);
    }

    /// So many calls with this outcome, some of them slow, which took so long together.
    pub(super) fn finished_all(&mut self, outcome: Outcome, calls: u64, slow: u64, duration: Duration) {
        match outcome {
            Outcome::Success => self.success_time = self.success_time.saturating_add(duration),
            Outcome::Failure => self.failure_time = self.failure_time.saturating_add(duration),
            Outcome::Ignored => {}
        }
        let count = match outcome {
            Outcome::Success => &mut self.success_calls,
            Outcome::Failure => &mut self.failure_calls,
            Outcome::Ignored => &mut self.ignored_calls,
        };
        *count = count.saturating_add(calls);
        if outcome != Outcome::Ignored {
            self.slow_calls = self.slow_calls.saturating_add(slow);
        }
    }
}
