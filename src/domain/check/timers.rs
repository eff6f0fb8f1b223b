//! What time does to a check.

use super::{Cause, Check, Journal, Mode, Source, Standing};
use crate::domain::Time;

impl Check {
    /// Makes the changes that are due by `now`, each at the instant at which it was due, so that it does not matter
    /// when or how often this is called. Every operation begins with it.
    pub fn advance(&mut self, now: Time, journal: &mut Journal) {
        while let Some(due) = self.next_change()
            && due <= now
        {
            self.fire(due, journal);
        }
    }

    /// When [`advance`](Self::advance) will have something to do, if nothing else happens before.
    #[must_use]
    pub fn next_change(&self) -> Option<Time> {
        match (&self.mode, &self.config.source) {
            (Mode::Heartbeat(beats), Source::Heartbeat(heartbeat)) => beats.next_fault(heartbeat),
            _ => self.stale_at().filter(|_| !self.standing.stale),
        }
    }

    /// When the last result no longer holds. A heartbeat is late instead.
    pub(super) fn stale_at(&self) -> Option<Time> {
        let stale_after = match &self.config.source {
            Source::Push { stale_after } => stale_after,
            Source::Active(active) => &active.stale_after,
            Source::Heartbeat(_) => return None,
        };
        self.last.as_ref().map(|last| last.at.after(stale_after.get()))
    }

    /// Each step leads to a fault that is graver, or to stale: it ends.
    fn fire(&mut self, due: Time, journal: &mut Journal) {
        let (cause, stale) = match (&mut self.mode, &self.config.source) {
            (Mode::Heartbeat(beats), Source::Heartbeat(heartbeat)) => {
                let fault = beats.fail(heartbeat, due);
                self.tally.fail();
                (fault.cause(), fault.is_silence())
            }
            _ => (Cause::Stale, true),
        };
        self.show(Standing { status: self.tally.status(), stale }, due, cause, journal);
    }
}
