//! How many distinct clients use a limiter.

use std::{collections::HashSet, mem, time::Duration};

use foldhash::fast::RandomState;

use crate::domain::Time;

const SPAN: Duration = Duration::from_mins(1);
const MAX_CLIENTS: usize = 10_000;

/// Clients seen lately, in two generations: at least the last minute, at most the last two.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    current: HashSet<u64, RandomState>,
    previous: HashSet<u64, RandomState>,
    /// When the current generation began.
    since: Time,
    /// The last one seen, in this generation.
    last: Option<u64>,
    /// How many there were before a restart, which come back one after another.
    before: u32,
}

impl Clients {
    pub(super) fn new(now: Time) -> Self {
        Self { current: HashSet::default(), previous: HashSet::default(), since: now, last: None, before: 0 }
    }

    /// After a restart: so many are expected back.
    pub(super) fn expecting(now: Time, before: u32) -> Self {
        Self { before, ..Self::new(now) }
    }

    pub(super) fn seen(&mut self, now: Time, client: u64) {
        self.advance(now);
        if self.last == Some(client) {
            return;
        }
        self.previous.remove(&client);
        if self.len() < MAX_CLIENTS {
            self.current.insert(client);
        }
        self.last = Some(client);
    }

    pub(super) fn live(&mut self, now: Time) -> u32 {
        self.advance(now);
        self.known()
    }

    /// As of the last time that somebody was seen or counted.
    pub(super) fn known(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX).max(self.before)
    }

    fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    fn advance(&mut self, now: Time) {
        let age = now.since(self.since);
        if age < SPAN {
            return;
        }
        self.previous = mem::take(&mut self.current);
        self.before = 0;
        if age >= SPAN * 2 {
            self.previous = HashSet::default();
        }
        self.since = now;
        self.last = None;
    }
}
