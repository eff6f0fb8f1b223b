//! What is counted while calls pass freely.

use serde::{Deserialize, Serialize};

use super::{
    config::BreakerConfig,
    metrics::Outcome,
    reporters::{Client, Reporters},
    transition::Cause,
};
use crate::domain::{
    time::Time,
    window::{Sample, Window, WindowCounts},
};

/// Counts of one generation; nothing is allocated before there is something to remember.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counting {
    pub(super) in_flight: u32,
    tally: Option<Box<Tally>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    reporters: Reporters,
    window: Option<Window>,
}

impl Counting {
    pub(super) fn enter(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    pub(super) fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Counts so many equal outcomes. If they say something about the dependency: the consecutive failures of their
    /// client after failures, zero after successes.
    pub(super) fn record(
        &mut self,
        config: &BreakerConfig,
        now: Time,
        client: Client<'_>,
        (outcome, slow): (Outcome, bool),
        times: u32,
    ) -> Option<u32> {
        let failed = match outcome {
            Outcome::Ignored => return None,
            Outcome::Success if self.tally.is_none() && config.window.is_none() => return None,
            Outcome::Success => false,
            Outcome::Failure => true,
        };
        let tally = self.tally.get_or_insert_default();
        if let Some(rules) = &config.window {
            let who = (config.min_reporters > 1).then_some(client.hash);
            let window = tally.window.get_or_insert_with(|| Window::new(rules.span));
            window.record(now, who, Sample { failed, slow }, times);
        }
        if failed {
            return Some(tally.reporters.failures(client, now, times));
        }
        tally.reporters.success(client.hash);
        Some(0)
    }

    /// Whether there are fewer calls in the window than a rate takes.
    pub(super) fn lacks_calls(&self, config: &BreakerConfig) -> bool {
        let Some(rules) = &config.window else { return false };
        let window = self.tally.as_ref().and_then(|tally| tally.window.as_ref());
        window.map_or(0, |window| window.counts().total) < rules.minimum_calls
    }

    /// Whether the call just recorded, after which its client has failed `failures` times, trips the breaker.
    pub(super) fn verdict(&mut self, config: &BreakerConfig, failures: u32) -> Option<Cause> {
        let tally = self.tally.as_deref_mut()?;
        let enough = config.min_reporters as usize;
        if failures >= config.failure_threshold
            && (enough <= 1 || tally.reporters.at_least(config.failure_threshold) >= enough)
        {
            return Some(Cause::FailureThreshold);
        }
        let rules = config.window.as_ref()?;
        let window = tally.window.as_mut()?;
        let counts = window.counts();
        if counts.total < rules.minimum_calls {
            return None;
        }
        // rate >= threshold: resilience4j CircuitBreakerMetrics
        if counts.failure_rate() >= rules.failure_rate.get()
            && (enough <= 1 || window.failing_clients() >= enough)
        {
            return Some(Cause::FailureRate);
        }
        if counts.slow_call_rate() >= rules.slow_call_rate.get()
            && (enough <= 1 || window.slow_clients() >= enough)
        {
            return Some(Cause::SlowCallRate);
        }
        None
    }

    pub(super) fn reporters(&self) -> Option<&Reporters> {
        self.tally.as_ref().map(|tally| &tally.reporters)
    }

    pub(super) fn window_counts(&self, now: Time) -> WindowCounts {
        let window = self.tally.as_ref().and_then(|tally| tally.window.as_ref());
        window.map_or_else(WindowCounts::default, |window| window.counts_at(now))
    }

    /// Drops the window unless `config` has one of the same span.
    pub(super) fn fit(&mut self, config: &BreakerConfig) {
        let span = config.window.as_ref().map(|rules| rules.span);
        self.retain_window(|window| Some(window.span()) == span);
    }

    pub(super) fn retain_window(&mut self, keep: impl FnOnce(&Window) -> bool) {
        if let Some(tally) = &mut self.tally {
            tally.window.take_if(|window| !keep(window));
        }
    }

    pub(super) fn shift(&mut self, nanos: i64) {
        if let Some(tally) = &mut self.tally {
            tally.reporters.shift(nanos);
            if let Some(window) = &mut tally.window {
                window.shift(nanos);
            }
        }
    }
}
