//! Whether this process was stopped for a while, in which clients took the server to be away.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use super::Board;
use crate::domain::Time;

/// Whoever stops this process for so long has made its clients go on without it.
const FREEZE: Duration = Duration::from_millis(750);
/// How exactly it is known when the process was last there.
const BEAT: Duration = Duration::from_millis(50);

/// When this process was last there.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Nanoseconds of the steady clock; 0 before the first beat.
    last: AtomicI64,
    returning: Mutex<()>,
}

impl Board {
    /// The process is there. Called all the time by a task, and before anything is granted: what clients spend before they
    /// notice that the server is back must be set aside before the first of them asks.
    pub fn beat(&self) {
        let now = self.clock.now();
        let last = Time::from_nanos(self.pulse.last.load(Ordering::Acquire));
        if now.since(last) < BEAT || self.clock.is_manual() {
            return;
        }
        if last.as_nanos() == 0 || now.since(last) <= FREEZE {
            self.pulse.last.fetch_max(now.as_nanos(), Ordering::AcqRel);
            return;
        }
        let _returning = self.pulse.returning.lock();
        let last = Time::from_nanos(self.pulse.last.load(Ordering::Acquire));
        let span = now.since(last);
        if span > FREEZE {
            tracing::warn!(seconds = span.as_secs_f64(), "the server was stopped for a while");
            self.await_clients(last);
            self.pulse.last.fetch_max(now.as_nanos(), Ordering::AcqRel);
        }
    }
}
