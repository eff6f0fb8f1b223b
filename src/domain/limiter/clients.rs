//! How many distinct clients use a limiter.

use std::{collections::HashSet, mem, time::Duration};

use foldhash::fast::RandomState;

use crate::domain::Time;

const SPAN: Duration = Duration::from_mins(1);
const MAX_CLIENTS: usize = 10_000;
/// So many are remembered over a restart.
const MAX_SAVED: usize = 1000;

/// Clients seen lately, in two generations: at least the last minute, at most the last two.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    current: HashSet<u64, RandomState>,
    previous: HashSet<u64, RandomState>,
    /// When the current generation began.
    since: Time,
    /// The last one seen, in this generation.
    last: Option<u64>,
    /// How many there are besides, whose names were not saved.
    strangers: usize,
}

impl Clients {
    pub(super) fn new(now: Time) -> Self {
        Self {
            current: HashSet::default(),
            previous: HashSet::default(),
            since: now,
            last: None,
            strangers: 0,
        }
    }

    /// After a restart: those who were there before are expected back.
    pub(super) fn expecting(now: Time, before: Vec<u64>, strangers: usize) -> Self {
        Self {
            previous: before.into_iter().take(MAX_SAVED).collect(),
            strangers: strangers.min(MAX_CLIENTS),
            ..Self::new(now)
        }
    }

    /// Nobody was seen from `gone` until `now`; they still count as live. Who they are, as far as that is remembered, and
    /// how many.
    pub(super) fn lose_sight(&mut self, gone: Time, now: Time) -> (Vec<u64>, u32) {
        self.advance(gone);
        let seen = mem::take(&mut self.current);
        self.previous.extend(seen);
        self.since = self.since.max(now);
        self.last = None;
        (self.known(), u32::try_from(self.len()).unwrap_or(u32::MAX))
    }

    /// How many are not among the known.
    pub(super) fn strangers(&self) -> usize {
        self.len().saturating_sub(MAX_SAVED)
    }

    /// Those of the last minutes, as far as that many are saved.
    pub(super) fn known(&self) -> Vec<u64> {
        let mut known: Vec<u64> =
            self.current.iter().chain(&self.previous).copied().take(MAX_SAVED).collect();
        known.sort_unstable();
        known
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
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn len(&self) -> usize {
        self.current.len() + self.previous.len() + self.strangers
    }

    fn advance(&mut self, now: Time) {
        let age = now.since(self.since);
        if age < SPAN {
            return;
        }
        self.previous = mem::take(&mut self.current);
        if age >= SPAN * 2 {
            self.previous = HashSet::default();
        }
        self.strangers = 0;
        self.since = now;
        self.last = None;
    }
}
