//! When to look at which breaker again.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use super::breakers::BreakerCell;
use crate::domain::Time;

/// A heap of due times. A time that no longer fits is harmless: the breaker decides by itself what is due, so
/// that a timer of an older generation moves nothing.
#[derive(Debug, Default)]
pub struct Timers {
    heap: Mutex<BinaryHeap<Reverse<Timer>>>,
}

#[derive(Debug)]
struct Timer {
    at: Time,
    cell: Weak<BreakerCell>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Timers {
    /// Looks at `cell` at `at`.
    pub fn add(&self, at: Time, cell: &Arc<BreakerCell>) {
        self.heap.lock().push(Reverse(Timer { at, cell: Arc::downgrade(cell) }));
    }

    /// Takes the breakers whose time has come.
    #[must_use]
    pub fn due(&self, now: Time) -> Vec<Arc<BreakerCell>> {
        let mut heap = self.heap.lock();
        let mut due = Vec::new();
        while heap.peek().is_some_and(|Reverse(timer)| timer.at <= now) {
            due.extend(heap.pop().and_then(|Reverse(timer)| timer.cell.upgrade()));
        }
        due
    }
}
