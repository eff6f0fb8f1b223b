//! The series of one family.

use std::{ops::Range, time::Duration};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::{Capacity, OVERFLOW, Rejection, RejectionCode};
use crate::domain::{LabelSet, Seconds, Time};

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held<V> {
    pub(super) value: V,
    /// Of the last sample.
    pub(super) at: Time,
    /// How long it lives after that; as long as the board if none.
    pub(super) ttl: Option<Seconds>,
    /// Which change of the family was its last.
    pub(super) changed: u64,
}

impl<V> Held<V> {
    /// When it is forgotten.
    fn ends(&self) -> Time {
        self.ttl.map_or(Time::MAX, |ttl| self.at.after(ttl.get()))
    }

    fn is_over(&self, now: Time) -> bool {
        self.ttl.is_some() && self.ends() <= now
    }
}

/// Where a sample goes.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) labels: &'a str,
    pub(super) now: Time,
    pub(super) ttl: Option<Seconds>,
    /// The one that a new series gets without it.
    pub(super) default_ttl: Option<Seconds>,
    /// Which change of the family this is.
    pub(super) change: u64,
    /// Whether there is an overflow series, rather than a refusal.
    pub(super) folds: bool,
    pub(super) capacity: &'a Capacity,
}

/// Series by labels, in the order in which they came. A series that is over is as good as gone.
#[derive(Clone, Debug)]
pub(super) struct Series<V> {
    held: IndexMap<LabelSet, Held<V>, RandomState>,
    /// How many of them take room.
    roomy: usize,
    /// No series ends earlier.
    ends: Time,
    /// How often series were removed: then others have moved to their places.
    removals: u64,
}

impl<V> Default for Series<V> {
    fn default() -> Self {
        Self { held: IndexMap::default(), roomy: 0, ends: Time::MAX, removals: 0 }
    }
}

impl<V> Series<V> {
    /// The series of the place, or of the overflow (then true), with the time of the sample noted.
    pub(super) fn at(
        &mut self,
        place: Place<'_>,
        empty: impl Fn() -> V,
    ) -> Result<(&mut V, bool), Rejection> {
        let (number, is_folded) = match self.held.get_index_of(place.labels) {
            Some(number) => (number, false),
            None => self.settle(place, &empty)?,
        };
        // Whatever was sent for the overflow series, it holds what others need.
        let ttl = if is_folded || place.folds && place.labels == OVERFLOW { None } else { place.ttl };
        let held = &mut self.held[number];
        if held.is_over(place.now) {
            *held = Held { value: empty(), at: place.now, ttl: place.default_ttl, changed: 0 };
        }
        held.at = held.at.max(place.now);
        held.changed = place.change;
        held.ttl = ttl.or(held.ttl);
        self.ends = self.ends.min(held.ends());
        Ok((&mut held.value, is_folded))
    }

    /// Finds room for a series that is not there yet.
    #[cold]
    fn settle(&mut self, place: Place<'_>, empty: &impl Fn() -> V) -> Result<(usize, bool), Rejection> {
        let is_overflow = place.folds && place.labels == OVERFLOW;
        if is_overflow {
            return Ok((self.insert(OVERFLOW, place.now, None, empty()), false));
        }
        if self.has_room(place) {
            self.roomy += 1;
            return Ok((self.insert(place.labels, place.now, place.default_ttl, empty()), false));
        }
        if !place.folds {
            place.capacity.count_refused();
            return Err(self.full(place.capacity));
        }
        place.capacity.count_folded();
        let number = match self.held.get_index_of(OVERFLOW) {
            Some(number) => number,
            None => self.insert(OVERFLOW, place.now, None, empty()),
        };
        Ok((number, true))
    }

    fn has_room(&mut self, place: Place<'_>) -> bool {
        let most = place.capacity.limits().max_series_per_metric;
        if self.roomy < most && place.capacity.take() {
            return true;
        }
        self.sweep(place.now, place.capacity) > 0 && self.roomy < most && place.capacity.take()
    }

    fn full(&self, capacity: &Capacity) -> Rejection {
        let limits = capacity.limits();
        let message = if self.roomy < limits.max_series_per_metric {
            format!("there are {} series, the most there may be", limits.max_series)
        } else {
            format!("the metric has {} series, the most there may be", limits.max_series_per_metric)
        };
        Rejection::new(RejectionCode::CardinalityLimit, message)
    }

    fn insert(&mut self, labels: &str, now: Time, ttl: Option<Seconds>, value: V) -> usize {
        let held = Held { value, at: now, ttl, changed: 0 };
        self.held.insert_full(LabelSet::from_canonical(labels), held).0
    }

    /// Forgets what is over; how many series that were.
    pub(super) fn sweep(&mut self, now: Time, capacity: &Capacity) -> usize {
        if now < self.ends {
            return 0;
        }
        let before = self.held.len();
        self.held.retain(|_, held| !held.is_over(now));
        let gone = before - self.held.len();
        // The overflow series is never over, so that all of them took room.
        self.roomy = self.roomy.saturating_sub(gone);
        self.removals += u64::from(gone > 0);
        capacity.give_back(gone);
        self.ends = self.held.values().map(Held::ends).min().unwrap_or(Time::MAX);
        gone
    }

    /// No series is over before this.
    pub(super) fn ends(&self) -> Time {
        self.ends
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn roomy(&self) -> usize {
        self.roomy
    }

    /// What is not over: labels, value and how long ago the last sample came.
    pub(super) fn live(&self, now: Time) -> impl Iterator<Item = (&LabelSet, &V, Duration)> {
        self.held
            .iter()
            .filter(move |(_, held)| !held.is_over(now))
            .map(move |(labels, held)| (labels, &held.value, now.since(held.at)))
    }

    /// Looks at what is not over.
    pub(super) fn each_live(&self, now: Time, mut look: impl FnMut(&LabelSet, &Held<V>)) {
        self.held.iter().filter(|(_, held)| !held.is_over(now)).for_each(|(labels, held)| look(labels, held));
    }

    pub(super) fn get(&self, labels: &str, now: Time) -> Option<(&V, Duration)> {
        let held = self.held.get(labels).filter(|held| !held.is_over(now))?;
        Some((&held.value, now.since(held.at)))
    }

    pub(super) fn removals(&self) -> u64 {
        self.removals
    }

    /// What is in these places.
    pub(super) fn range(&self, places: Range<usize>) -> impl Iterator<Item = (&LabelSet, &Held<V>)> {
        self.held.get_range(places.start..places.end.min(self.held.len())).into_iter().flatten()
    }

    /// Puts in what was saved. It takes room whether there is any or not.
    pub(super) fn put_back(&mut self, labels: LabelSet, held: Held<V>, folds: bool, capacity: &Capacity) {
        let is_roomy = !(folds && labels.as_str() == OVERFLOW);
        self.ends = self.ends.min(held.ends());
        if self.held.insert(labels, held).is_none() && is_roomy {
            self.roomy += 1;
            capacity.take_back(1);
        }
    }
}
