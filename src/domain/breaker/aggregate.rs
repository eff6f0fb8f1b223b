//! Outcomes of calls that a client admitted by itself, while it knew the breaker to be closed.
//!
//! What matters is their order, not each of them: runs of equal outcomes say the same in less. Within a run the
//! slow ones count last.

use std::time::Duration;

use super::{
    Breaker, BreakerConfig, Cause, Client, Counting, Journal, Metrics, Outcome, State, transition::Why,
};
use crate::domain::{time::Time, window::Span};

/// The most equal outcomes that are looked at one by one.
const ONE_BY_ONE: u32 = 10_000;

/// Equal outcomes, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// How the calls ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u32,
    /// How many of them were slow.
    pub slow: u32,
    /// How long they took together.
    pub duration: Duration,
}

/// What one client has done since its last aggregate.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate<'a> {
    /// The generation in which the calls were admitted.
    pub generation: u64,
    /// Who sends: a client, or one life of it.
    pub sender: u64,
    /// Ascends with each aggregate of the sender; one that was there counts nothing.
    pub sequence: u64,
    /// Calls that the client turned away, in whatever generation.
    pub rejected: u32,
    /// The outcomes, in their order.
    pub runs: &'a [Run],
}

/// What became of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// It counts, as far as the breaker stayed closed under it.
    Recorded,
    /// It was there before. Nothing changed.
    Duplicate,
    /// The breaker has changed its state since the calls were admitted. Only the number of calls counts.
    StaleGeneration,
}

impl Breaker {
    /// Takes the outcomes of calls that a client admitted by itself in a generation that was closed.
    pub fn absorb(
        &mut self,
        now: Time,
        client: Client<'_>,
        aggregate: &Aggregate<'_>,
        journal: &mut Journal,
    ) -> Absorbed {
        self.advance(now, journal);
        if !self.senders.is_news(aggregate.sender, aggregate.sequence, now) {
            return Absorbed::Duplicate;
        }
        if !matches!(self.state, State::Disabled(_)) {
            self.metrics.rejected(aggregate.rejected.into());
            self.metrics.admitted(aggregate.runs.iter().map(|run| u64::from(run.count)).sum());
        }
        if aggregate.generation != self.generation {
            return Absorbed::StaleGeneration;
        }
        for run in aggregate.runs {
            if !self.absorb_run(now, client, run, journal) {
                break;
            }
        }
        match self.state {
            // It was told of a generation in which nobody may admit by himself.
            State::HalfOpen(_) | State::Open(_) | State::ForcedOpen(_)
                if aggregate.generation == self.generation && !aggregate.runs.is_empty() =>
            {
                Absorbed::StaleGeneration
            }
            _ => Absorbed::Recorded,
        }
    }

    /// Whether outcomes after these still count.
    fn absorb_run(&mut self, now: Time, client: Client<'_>, run: &Run, journal: &mut Journal) -> bool {
        let slow = run.slow.min(run.count);
        let parts = [(run.count - slow, false), (slow, true)];
        match &mut self.state {
            State::Closed(counting) => {
                count(&mut self.metrics, run);
                for (calls, slow) in parts {
                    let outcome = (run.outcome, slow);
                    if let Some(cause) = absorb_equal(counting, &self.config, now, client, outcome, calls) {
                        self.open(now, 0, Why::of(cause), journal);
                        return false;
                    }
                }
                true
            }
            State::MetricsOnly { counting, .. } => {
                count(&mut self.metrics, run);
                for (calls, slow) in parts.into_iter().filter(|(calls, _)| *calls > 0) {
                    counting.record(&self.config, now, client, (run.outcome, slow), calls);
                }
                true
            }
            State::Disabled(_) | State::HalfOpen(_) | State::Open(_) | State::ForcedOpen(_) => false,
        }
    }
}

fn count(metrics: &mut Metrics, run: &Run) {
    metrics.finished_all(run.outcome, run.count.into(), run.slow.into(), run.duration);
}

/// How many equal outcomes are looked at one by one, so that it opens by the same rule and with the same counts as if each
/// had come alone: once they are all that a window of calls holds, and enough in a row, further ones say nothing new. In a
/// window of time each may be the one that makes the rate.
fn singly(config: &BreakerConfig) -> u32 {
    let held = match &config.window {
        None => 1,
        Some(rules) => match rules.span {
            Span::Calls(size) => size,
            Span::Seconds(_) => ONE_BY_ONE,
        },
    };
    held.max(config.failure_threshold).min(ONE_BY_ONE)
}

/// Counts equal outcomes as if one came after another; why the breaker opens, if it does.
fn absorb_equal(
    counting: &mut Counting,
    config: &BreakerConfig,
    now: Time,
    client: Client<'_>,
    outcome: (Outcome, bool),
    mut calls: u32,
) -> Option<Cause> {
    let is_plain = outcome == (Outcome::Success, false);
    let mut singly = if is_plain { 1 } else { singly(config) };
    while calls > 0 {
        let failures = counting.record(config, now, client, outcome, 1)?;
        if let Some(cause) = counting.verdict(config, failures) {
            return Some(cause);
        }
        calls -= 1;
        singly = singly.saturating_sub(1);
        // Once there are enough calls for a rate, one of the rates only falls with each further equal outcome and the
        // other only rises, as consecutive failures do: what the last one says, one of them says.
        if calls > 0 && singly == 0 && !counting.lacks_calls(config) {
            let failures = counting.record(config, now, client, outcome, calls)?;
            return counting.verdict(config, failures);
        }
    }
    None
}
