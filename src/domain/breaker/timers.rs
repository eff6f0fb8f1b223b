//! What time does to a breaker.

use super::{Breaker, Cause, Journal, Place, State, Why, half_open::HalfOpen};
use crate::domain::time::Time;

impl Breaker {
    /// Makes the transitions that are due by `now`, each at the instant at which it was due, so that it
    /// does not matter when or how often this is called. Every operation begins with it.
    pub fn advance(&mut self, now: Time, journal: &mut Journal) {
        while let Some(due) = self.next_timer()
            && due <= now
        {
            self.fire(due, journal);
        }
    }

    /// When [`advance`](Self::advance) will have something to do, if nothing else happens before.
    #[must_use]
    pub fn next_timer(&self) -> Option<Time> {
        match &self.state {
            State::Closed(_) => None,
            State::Open(wait) => Some(wait.until),
            State::HalfOpen(probes) if self.is_proven(probes) => Some(self.changed_at),
            State::HalfOpen(probes) => probes.times_out(&self.config),
            State::ForcedOpen(over) | State::Disabled(over) | State::MetricsOnly { over, .. } => over.until,
        }
    }

    /// Each step leads away from an override, to half open without a permit, which has no timer, or to
    /// closed: it ends.
    fn fire(&mut self, due: Time, journal: &mut Journal) {
        match &self.state {
            State::Closed(_) => {}
            State::Open(wait) => {
                let next = State::HalfOpen(Box::new(HalfOpen::new(wait.reopened)));
                self.transition(next, due, Why::of(Cause::TimeoutElapsed), journal);
            }
            State::HalfOpen(probes) if self.is_proven(probes) => {
                self.transition(State::default(), due, Why::of(Cause::HalfOpenSuccess), journal);
            }
            State::HalfOpen(probes) => {
                let reopened = probes.reopened().saturating_add(1);
                self.open(due, reopened, Why::of(Cause::HalfOpenTimeout), journal);
            }
            State::ForcedOpen(_) | State::Disabled(_) | State::MetricsOnly { .. } => {
                let previous: Place = self.state.place();
                let why = Why::of(Cause::TtlElapsed);
                self.transition(previous.resumed(due), due, why, journal);
            }
        }
    }

    /// Enough probes succeeded already: so it is when fewer are asked for than before.
    fn is_proven(&self, probes: &HalfOpen) -> bool {
        probes.succeeded() >= self.config.half_open_successes as usize
    }
}
