//! Tokens that were handed out and may be spent later: leases, permits and reserved slots.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use crate::domain::Time;

/// Tokens that are out until an instant.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    /// The last instant at which they may be spent.
    pub(super) until: Time,
    /// Millionths of a token.
    pub(super) micros: u64,
    /// By what it is released; a reserved slot has none.
    pub(super) id: Option<u64>,
    /// Under which instant the algorithm counts them, where it counts elsewhere.
    pub(super) counted: Time,
}

/// Holds in the order in which they end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Hold>", into = "Vec<Hold>")]
pub(super) struct Holds {
    queue: VecDeque<Hold>,
    until_by_id: HashMap<u64, Time, RandomState>,
    micros: u128,
}

impl Holds {
    pub(super) fn insert(&mut self, hold: Hold) {
        let place = if self.queue.back().is_none_or(|last| last.until <= hold.until) {
            self.queue.len()
        } else {
            self.queue.partition_point(|other| other.until <= hold.until)
        };
        self.queue.insert(place, hold);
        self.micros += u128::from(hold.micros);
        if let Some(id) = hold.id {
            self.until_by_id.insert(id, hold.until);
        }
    }

    /// Removes the hold of that id.
    pub(super) fn take(&mut self, id: u64) -> Option<Hold> {
        let until = self.until_by_id.remove(&id)?;
        let first = self.queue.partition_point(|hold| hold.until < until);
        let place = first + self.queue.range(first..).position(|hold| hold.id == Some(id))?;
        let hold = self.queue.remove(place)?;
        self.micros -= u128::from(hold.micros);
        Some(hold)
    }

    /// Removes the first hold that has ended by `now`.
    pub(super) fn pop_ended(&mut self, now: Time) -> Option<Hold> {
        if self.queue.front()?.until > now {
            return None;
        }
        let hold = self.queue.pop_front()?;
        self.micros -= u128::from(hold.micros);
        if let Some(id) = hold.id
            && self.until_by_id.get(&id) == Some(&hold.until)
        {
            self.until_by_id.remove(&id);
        }
        Some(hold)
    }

    pub(super) fn drop_ended(&mut self, now: Time) {
        while self.pop_ended(now).is_some() {}
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.queue.iter()
    }

    pub(super) fn iter_mut_counted(&mut self) -> impl Iterator<Item = &mut Time> {
        self.queue.iter_mut().map(|hold| &mut hold.counted)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// How many can be released by id.
    pub(super) fn released_by_id(&self) -> usize {
        self.until_by_id.len()
    }

    /// Millionths of a token in those that can be released by id.
    pub(super) fn leased(&self) -> u128 {
        self.queue.iter().filter(|hold| hold.id.is_some()).map(|hold| u128::from(hold.micros)).sum()
    }

    /// Millionths of a token in all holds.
    pub(super) fn micros(&self) -> u128 {
        self.micros
    }

    pub(super) fn first_until(&self) -> Option<Time> {
        self.queue.front().map(|hold| hold.until)
    }

    pub(super) fn last_until(&self) -> Option<Time> {
        self.queue.back().map(|hold| hold.until)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn shift(&mut self, nanos: i64) {
        for hold in &mut self.queue {
            hold.until = hold.until.shifted(nanos);
            hold.counted = hold.counted.shifted(nanos);
        }
        for until in self.until_by_id.values_mut() {
            *until = until.shifted(nanos);
        }
    }
}

impl From<Vec<Hold>> for Holds {
    fn from(list: Vec<Hold>) -> Self {
        let mut holds = Self::default();
        for hold in list {
            holds.insert(hold);
        }
        holds
    }
}

impl From<Holds> for Vec<Hold> {
    fn from(holds: Holds) -> Self {
        holds.queue.into()
    }
}

/// The slots of those who wait, earliest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Slots(VecDeque<Time>);

impl Slots {
    pub(super) fn insert(&mut self, at: Time) {
        let place = if self.0.back().is_none_or(|last| *last <= at) {
            self.0.len()
        } else {
            self.0.partition_point(|other| *other <= at)
        };
        self.0.insert(place, at);
    }

    /// Forgets the slots that have come.
    pub(super) fn advance(&mut self, now: Time) {
        while self.0.front().is_some_and(|at| *at <= now) {
            self.0.pop_front();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn first(&self) -> Option<Time> {
        self.0.front().copied()
    }

    pub(super) fn shift(&mut self, nanos: i64) {
        for at in &mut self.0 {
            *at = at.shifted(nanos);
        }
    }
}

/// The span as whole nanoseconds that fit an instant.
pub(super) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
