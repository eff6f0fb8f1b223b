//! When to look at which breaker or check again.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use crate::domain::Time;

/// A heap of due times. A time that no longer fits is harmless: the breaker or check decides by itself what is due,
/// so that a timer of an older generation moves nothing.
#[derive(Debug)]
pub struct Timers<C> {
    heap: Mutex<BinaryHeap<Reverse<Timer<C>>>>,
}

impl<C> Default for Timers<C> {
    fn default() -> Self {
        Self { heap: Mutex::default() }
    }
}

#[derive(Debug)]
struct Timer<C> {
    at: Time,
    cell: Weak<C>,
}

impl<C> PartialEq for Timer<C> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl<C> Eq for Timer<C> {}
impl<C> PartialOrd for Timer<C> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<C> Ord for Timer<C> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl<C> Timers<C> {
    /// Looks at `cell` at `at`.
    pub fn add(&self, at: Time, cell: &Arc<C>) {
        self.heap.lock().push(Reverse(Timer { at, cell: Arc::downgrade(cell) }));
    }

    /// Takes those whose time has come, each with that time.
    #[must_use]
    pub fn due(&self, now: Time) -> Vec<(Time, Arc<C>)> {
        let mut heap = self.heap.lock();
        let mut due = Vec::new();
        while heap.peek().is_some_and(|Reverse(timer)| timer.at <= now) {
            let Some(Reverse(Timer { at, cell })) = heap.pop() else { break };
            due.extend(cell.upgrade().map(|cell| (at, cell)));
        }
        due
    }

    /// How many are to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.lock().len()
    }
}
