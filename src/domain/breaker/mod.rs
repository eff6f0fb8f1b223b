//! The circuit breaker: state and time in, decision and transitions out.
//!
//! Data lives in the state that it belongs to. Every transition starts a new generation: counts and
//! windows begin empty, and whatever was allowed before can no longer move the breaker. Calls while
//! closed allocate nothing once their window is full.

use std::{sync::Arc, time::Duration};

use crate::domain::time::Time;

mod aggregate;
mod config;
mod control;
mod counting;
mod half_open;
mod limits;
mod metrics;
mod reporters;
mod saved;
mod senders;
mod state;
mod timers;
mod transition;
mod view;

pub use aggregate::{Absorbed, Aggregate, Run};
pub use config::{BreakerConfig, BreakerSpec, WindowKind, WindowSpec};
pub use control::SetStateError;
pub use metrics::{Metrics, Outcome};
pub use reporters::Client;
pub use saved::SavedBreaker;
pub use state::StateName;
pub use transition::{Cause, Journal, Transition};
pub use view::{BreakerView, Reporter};

use counting::Counting;
use senders::Senders;
use state::{Place, State, Wait};
use transition::Why;

/// One circuit breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: Arc<BreakerConfig>,
    generation: u64,
    changed_at: Time,
    metrics: Metrics,
    state: State,
    /// The consecutive failures that opened it, until it closes.
    tripped_with: u32,
    senders: Senders,
}

/// A call may not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What stands in the way.
    pub reason: RefusedReason,
    /// When to ask again; `None` if nothing but an operator will change the answer. An outcome or an operator
    /// may change it earlier.
    pub retry_after: Option<Duration>,
}

/// Why a call may not enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedReason {
    /// The breaker is open, or forced open.
    Open,
    /// Half open, and every permit is in use.
    HalfOpenFull,
}

/// Leave to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The generation that the call belongs to, to be given back with its outcome.
    pub generation: u64,
    /// The instant at which the permit is no longer valid.
    pub deadline: Time,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It counts (in `disabled`, it is accepted and counts nothing).
    Recorded,
    /// The breaker has changed its state since the call entered. Nothing changed.
    StaleGeneration,
    /// The call holds no permit any more: its lease ran out, or it was reported before. Nothing changed.
    Expired,
}

impl Breaker {
    /// A closed breaker of generation 1.
    #[must_use]
    pub fn new(config: Arc<BreakerConfig>, now: Time) -> Self {
        let state = State::default();
        Self {
            config,
            generation: 1,
            changed_at: now,
            metrics: Metrics::default(),
            state,
            tripped_with: 0,
            senders: Senders::default(),
        }
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Arc<BreakerConfig> {
        &self.config
    }

    /// The state as of the last [`advance`](Self::advance).
    #[must_use]
    pub fn state(&self) -> StateName {
        self.state.name()
    }

    /// One more than the number of transitions.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Counts since the breaker was made or reset.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics
    }

    /// Whether a call may enter. Counts nothing, so several breakers can be asked before any is entered.
    ///
    /// # Errors
    /// [`Refused`] while open or forced open, and while half open with every permit in use.
    pub fn check(&mut self, now: Time, journal: &mut Journal) -> Result<(), Refused> {
        self.advance(now, journal);
        if let State::HalfOpen(probes) = &mut self.state {
            probes.reclaim(now);
        }
        self.refusal(now).map_or(Ok(()), Err)
    }

    /// Commits a call that [`check`](Self::check) has just allowed at the same `now`; `call` is its unique id.
    ///
    /// If `check` would have refused, the permit is void: its outcome will be [`Reported::Expired`].
    pub fn enter(&mut self, now: Time, call: u64) -> Permit {
        let permit = Permit { generation: self.generation, deadline: now.after(self.config.call_timeout) };
        match &mut self.state {
            State::Closed(counting) | State::MetricsOnly { counting, .. } => counting.enter(),
            State::HalfOpen(probes) => {
                probes.reclaim(now);
                probes.enter(now, call, permit.deadline, self.config.half_open_max_calls);
            }
            State::Disabled(_) => return permit,
            State::Open(_) | State::ForcedOpen(_) => {}
        }
        self.metrics.admitted(1);
        permit
    }

    /// Counts a call that was turned away.
    pub fn reject(&mut self) {
        self.metrics.rejected(1);
    }

    /// Takes the outcome of a call that entered in `generation`.
    ///
    /// While closed, the caller sees to it that a call is reported once; while half open, the breaker does.
    #[expect(clippy::too_many_arguments, reason = "what a report says, each of its own type")]
    pub fn report(
        &mut self,
        now: Time,
        generation: u64,
        call: u64,
        client: Client<'_>,
        outcome: Outcome,
        duration: Duration,
        journal: &mut Journal,
    ) -> Reported {
        self.advance(now, journal);
        if generation != self.generation {
            return Reported::StaleGeneration;
        }
        let slow = self.config.is_slow(duration);
        match &mut self.state {
            State::Closed(counting) => {
                self.metrics.finished(outcome, slow, duration);
                counting.leave();
                let failures = counting.record(&self.config, now, client, (outcome, slow), 1);
                if let Some(cause) = failures.and_then(|failures| counting.verdict(&self.config, failures)) {
                    self.open(now, 0, Why::of(cause), journal);
                }
            }
            State::MetricsOnly { counting, .. } => {
                self.metrics.finished(outcome, slow, duration);
                counting.leave();
                counting.record(&self.config, now, client, (outcome, slow), 1);
            }
            State::HalfOpen(probes) => {
                let reopened = probes.reopened();
                if !probes.finish(now, call, outcome) {
                    return Reported::Expired;
                }
                let proven = probes.succeeded() >= self.config.half_open_successes as usize;
                self.metrics.finished(outcome, slow, duration);
                match outcome {
                    Outcome::Failure => {
                        let why = Why { reporter: Some(client.name), ..Why::of(Cause::HalfOpenFailure) };
                        self.open(now, reopened.saturating_add(1), why, journal);
                    }
                    Outcome::Success if proven => {
                        let why = Why::of(Cause::HalfOpenSuccess);
                        self.transition(State::default(), now, why, journal);
                    }
                    Outcome::Success | Outcome::Ignored => {}
                }
            }
            State::Disabled(_) => {}
            State::Open(_) | State::ForcedOpen(_) => return Reported::Expired,
        }
        Reported::Recorded
    }

    /// The lease of a call ran out: its permit returns, as neither success nor failure.
    pub fn expire(&mut self, generation: u64, call: u64) {
        if generation != self.generation {
            return;
        }
        match &mut self.state {
            State::Closed(counting) | State::MetricsOnly { counting, .. } => counting.leave(),
            State::HalfOpen(probes) => probes.give_back(call),
            State::Open(_) | State::ForcedOpen(_) | State::Disabled(_) => {}
        }
    }

    /// Why a call may not enter at `now`, if so.
    fn refusal(&self, now: Time) -> Option<Refused> {
        let (reason, free) = match &self.state {
            State::Closed(_) | State::Disabled(_) | State::MetricsOnly { .. } => return None,
            State::Open(wait) => (RefusedReason::Open, Some(wait.until)),
            State::ForcedOpen(over) => (RefusedReason::Open, over.next_chance()),
            State::HalfOpen(probes) => {
                (RefusedReason::HalfOpenFull, Some(probes.full_until(now, &self.config)?))
            }
        };
        Some(Refused { reason, retry_after: free.map(|free| free.since(now)) })
    }

    /// Opens at `at` for the time that this many reopenings ask for.
    fn open(&mut self, at: Time, reopened: u32, why: Why<'_>, journal: &mut Journal) {
        let at = at.max(self.changed_at);
        let until = at.after(self.config.open_wait(reopened));
        self.transition(State::Open(Wait { until, reopened }), at, why, journal);
    }
}

#[cfg(test)]
mod aggregate_laws;
#[cfg(test)]
mod history;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
