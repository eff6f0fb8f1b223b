//! What an operator does to a breaker.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    Breaker, BreakerConfig, Cause, Journal, Metrics, State, StateName, Why, counting::Counting,
    half_open::HalfOpen, state::Override,
};
use crate::domain::time::Time;

/// The state cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetStateError {
    /// No such transition.
    IllegalTransition {
        /// The state of the breaker.
        from: StateName,
        /// The state that was asked for.
        to: StateName,
    },
    /// Only overrides end by themselves.
    TtlNotAllowed,
}

impl fmt::Display for SetStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IllegalTransition { from, to } => {
                write!(f, "a breaker cannot go from {} to {}", from.as_str(), to.as_str())
            }
            Self::TtlNotAllowed => f.write_str("only forced_open, disabled and metrics_only can have a ttl"),
        }
    }
}

impl std::error::Error for SetStateError {}

impl Breaker {
    /// Sets the state. An override remembers the state before it, through other overrides too, and with a
    /// `ttl` returns to it. Setting closed, open or half open where it is already changes nothing.
    ///
    /// # Errors
    /// From closed to half open; a `ttl` for a state that is no override.
    pub fn set_state(
        &mut self,
        now: Time,
        target: StateName,
        ttl: Option<Duration>,
        actor: &str,
        reason: &str,
        journal: &mut Journal,
    ) -> Result<(), SetStateError> {
        self.advance(now, journal);
        if ttl.is_some() && !target.is_override() {
            return Err(SetStateError::TtlNotAllowed);
        }
        let from = self.state.name();
        if from == StateName::Closed && target == StateName::HalfOpen {
            return Err(SetStateError::IllegalTransition { from, to: target });
        }
        if from == target && !target.is_override() {
            return Ok(());
        }
        let why = Why { actor, reason, ..Why::of(Cause::Manual) };
        let previous = self.state.place();
        let over = Override { until: ttl.map(|ttl| now.max(self.changed_at).after(ttl)), previous };
        let next = match target {
            StateName::Closed => State::default(),
            StateName::Open => {
                self.open(now, 0, why, journal);
                return Ok(());
            }
            StateName::HalfOpen => State::HalfOpen(Box::new(HalfOpen::new(previous.reopened()))),
            StateName::ForcedOpen => State::ForcedOpen(over),
            StateName::Disabled => State::Disabled(over),
            StateName::MetricsOnly => State::MetricsOnly { over, counting: Counting::default() },
        };
        self.transition(next, now, why, journal);
        Ok(())
    }

    /// Back to closed with all counts at zero, whatever the state. Always a transition, so that nothing
    /// from before can touch what follows.
    pub fn reset(&mut self, now: Time, actor: &str, reason: &str, journal: &mut Journal) {
        self.advance(now, journal);
        let why = Why { actor, reason, ..Why::of(Cause::Reset) };
        self.transition(State::default(), now, why, journal);
        self.metrics = Metrics::default();
    }

    /// Puts another configuration in force.
    ///
    /// The state stays, with its generation. A changed window starts empty; an open breaker keeps its end,
    /// but waits no longer from now than it would under `config`; permits keep their lease. A half-open
    /// breaker that satisfies `config` already closes.
    pub fn reconfigure(&mut self, config: Arc<BreakerConfig>, now: Time, journal: &mut Journal) {
        self.advance(now, journal);
        let tracked = self.config.min_reporters > 1 || config.min_reporters <= 1;
        let keeps_window = config.window == self.config.window && tracked;
        self.config = config;
        if let Some(counting) = self.state.counting_mut() {
            counting.retain_window(|_| keeps_window);
        }
        self.bound_wait(now);
        self.advance(now, journal);
    }

    /// No wait lasts longer from `now` than the configuration asks for.
    pub(super) fn bound_wait(&mut self, now: Time) {
        let config = &self.config;
        if let Some(wait) = self.state.wait_mut() {
            wait.until = wait.until.min(now.max(self.changed_at).after(config.open_wait(wait.reopened)));
        }
    }
}
