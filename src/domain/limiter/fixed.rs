//! Fixed window: no window that starts at a multiple of the period (UTC) admits more than the limit.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    config::LimiterConfig,
    holds::{Hold, Holds, nanos},
    rule::{EVERYTHING, Rule, Slot, Spend},
};
use crate::domain::Time;

/// How many sums from before a change are kept apart.
const MAX_CARRIED: usize = 64;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Used {
    /// Where the window ends; it does not belong to it.
    end: Time,
    micros: u64,
}

/// What is known about a request: from `earliest` on, nothing of at least `micros` fits before `at`.
#[derive(Clone, Copy, Debug)]
struct Hint {
    micros: u64,
    earliest: Time,
    at: Time,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FixedWindow {
    limit: u64,
    period: Duration,
    /// Wall time is steady time plus this.
    wall_offset_nanos: i64,
    /// The current and the future windows in which something is used, in order.
    windows: VecDeque<Used>,
    /// Counts in every window before `end`: from before a change of the period or a crash. In order.
    carried: Vec<Used>,
    leases: Holds,
    /// The shares of clients that may spend them without asking, in every window before `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aside: Option<Used>,
    /// The current window.
    #[serde(skip)]
    current: Option<(Time, Time)>,
    #[serde(skip)]
    hint: Option<Hint>,
}

impl FixedWindow {
    pub(super) fn new(limit: u32, period: Duration, wall_offset_nanos: i64) -> Self {
        Self {
            limit: u64::from(limit) * 1_000_000,
            period,
            wall_offset_nanos,
            windows: VecDeque::new(),
            carried: Vec::new(),
            leases: Holds::default(),
            aside: None,
            current: None,
            hint: None,
        }
    }

    /// Start and end of the window around `at`.
    fn window(&self, at: Time) -> (Time, Time) {
        if let Some((start, end)) = self.current
            && start <= at
            && at < end
        {
            return (start, end);
        }
        let period = i128::from(nanos(self.period).max(1));
        let steady = i128::from(at.as_nanos());
        let start = steady - (steady + i128::from(self.wall_offset_nanos)).rem_euclid(period);
        let clamped = |nanos: i128| {
            Time::from_nanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
        };
        (clamped(start), clamped(start + period))
    }

    fn place(&self, end: Time) -> usize {
        match self.windows.front() {
            Some(first) if first.end < end => self.windows.partition_point(|used| used.end < end),
            _ => 0,
        }
    }

    fn carried_at(&self, at: Time) -> u128 {
        let carried = self.carried.iter().chain(&self.aside);
        carried.filter(|used| used.end > at).map(|used| u128::from(used.micros)).sum()
    }

    fn used_at(&self, at: Time) -> u128 {
        let (_, end) = self.window(at);
        let own = self.windows.get(self.place(end)).filter(|used| used.end == end);
        own.map_or(0, |used| u128::from(used.micros)) + self.carried_at(at)
    }

    fn count(&mut self, end: Time, micros: u64) {
        let place = self.place(end);
        match self.windows.get_mut(place) {
            Some(used) if used.end == end => used.micros = used.micros.saturating_add(micros),
            _ => self.windows.insert(place, Used { end, micros }),
        }
    }

    /// Counts the tokens in every window before `end`.
    fn carry(&mut self, end: Time, micros: u64) {
        let place = self.carried.partition_point(|used| used.end < end);
        match self.carried.get_mut(place) {
            Some(used) if used.end == end => used.micros = used.micros.saturating_add(micros),
            _ => self.carried.insert(place, Used { end, micros }),
        }
        if self.carried.len() > MAX_CARRIED {
            // The first sum counts until the second ends.
            let first = self.carried.remove(0);
            if let Some(second) = self.carried.first_mut() {
                second.micros = second.micros.saturating_add(first.micros);
            }
        }
    }

    /// The last instant of the window around `at` (at least `now`).
    fn last_instant(&self, at: Time) -> Time {
        self.window(at).1.before(Duration::from_nanos(1))
    }
}

impl Rule for FixedWindow {
    fn advance(&mut self, now: Time) {
        if self.current.is_none_or(|(start, end)| now < start || end <= now) {
            self.current = Some(self.window(now));
            while self.windows.front().is_some_and(|used| used.end <= now) {
                self.windows.pop_front();
            }
        }
        if !self.carried.is_empty() {
            self.carried.retain(|used| used.end > now);
        }
        self.aside = self.aside.filter(|aside| aside.end > now);
        if !self.leases.is_empty() {
            self.leases.drop_ended(now);
        }
    }

    fn ready(&mut self, _now: Time, earliest: Time, micros: u64) -> Slot {
        let bearable = u128::from(self.limit.saturating_sub(micros));
        let mut at = earliest;
        if let Some(hint) = self.hint
            && hint.micros <= micros
            && hint.earliest <= earliest
        {
            at = at.max(hint.at);
        }
        let (_, mut end) = self.window(at);
        let mut place = self.place(end);
        let asked = at;
        loop {
            let own = self.windows.get(place).filter(|used| used.end == end);
            let used = own.map_or(0, |used| u128::from(used.micros)) + self.carried_at(at);
            if used <= bearable {
                break;
            }
            // Only the end of a sum that counts here can make room.
            let own_end = own.map(|used| used.end);
            let carried_end = self.carried.iter().map(|used| used.end).find(|carried| *carried > at);
            let aside_end = self.aside.map(|aside| aside.end).filter(|end| *end > at);
            let ends = own_end.into_iter().chain(carried_end).chain(aside_end);
            let Some(next) = ends.min().filter(|next| *next > at) else {
                at = Time::MAX;
                break;
            };
            at = next;
            if next >= end {
                end = self.window(at).1;
                place = self.place(end);
            }
        }
        if at > asked {
            self.hint = Some(Hint { micros, earliest, at });
        }
        Slot::At(at)
    }

    fn grant(&mut self, now: Time, at: Time, micros: u64, _hold: u64, _lease: Duration) {
        let (_, end) = self.window(at.max(now));
        self.count(end, micros);
    }

    fn available(&self, now: Time) -> u64 {
        u64::try_from(u128::from(self.limit).saturating_sub(self.used_at(now))).unwrap_or(0)
    }

    fn lease(&mut self, now: Time, micros: u64, id: u64, lease: Duration) -> Time {
        let (_, end) = self.window(now);
        let until = now.after(lease).min(self.last_instant(now)).max(now);
        self.count(end, micros);
        self.leases.insert(Hold { until, micros, id: Some(id), counted: end });
        until
    }

    fn release(&mut self, _now: Time, id: u64, unused: u64) -> Option<u64> {
        let lease = self.leases.take(id)?;
        let place = self.place(lease.counted);
        let own = self.windows.get_mut(place).filter(|used| used.end == lease.counted);
        // After a change of the period it was carried over.
        let used = match own {
            Some(used) => used,
            None => match self.carried.iter_mut().find(|used| used.end == lease.counted) {
                Some(used) => used,
                None => return Some(0),
            },
        };
        let back = unused.min(lease.micros).min(used.micros);
        used.micros -= back;
        self.hint = None;
        Some(back)
    }

    fn leases(&self) -> &Holds {
        &self.leases
    }

    fn consume(&mut self, now: Time, until: Time, micros: u64) {
        let (_, end) = self.window(until.max(now));
        self.carry(end, micros);
    }

    fn consume_all(&mut self, now: Time, until: Time, _lease: Duration) {
        self.leases.clear();
        let (_, end) = self.window(until.max(now));
        self.carry(end, EVERYTHING);
    }

    fn reconfigure(&mut self, config: &LimiterConfig) -> bool {
        let LimiterConfig::FixedWindow { limit, period_seconds, .. } = *config else { return false };
        self.limit = u64::from(limit) * 1_000_000;
        self.hint = None;
        if self.period != period_seconds.get() {
            self.period = period_seconds.get();
            self.current = None;
            // What was used in an old window counts to the end of the new one in which the old one ends.
            let old: Vec<_> = self.carried.drain(..).chain(self.windows.drain(..)).collect();
            for used in old {
                self.carry(self.last_window_end(used.end), used.micros);
            }
            let mut leases = std::mem::take(&mut self.leases);
            leases.iter_mut_counted().for_each(|counted| *counted = self.last_window_end(*counted));
            self.leases = leases;
            self.aside = self.aside.map(|aside| Used { end: self.last_window_end(aside.end), ..aside });
        }
        true
    }

    fn set_aside(&mut self, _now: Time, until: Time, each: u64, clients: u32) {
        let micros = each.saturating_mul(u64::from(clients));
        // Up to the last instant at which it may be spent.
        self.aside = (micros > 0).then(|| Used { end: self.last_window_end(until), micros });
        self.hint = None;
    }

    fn settle(&mut self, now: Time, spends: &[Spend], aside: Option<u64>) -> u64 {
        if let (Some(share), Some(all)) = (aside, &mut self.aside) {
            all.micros = all.micros.saturating_sub(share);
            self.hint = None;
        }
        let (start, end) = self.window(now);
        let spent = spends.iter().filter(|spend| spend.at >= start);
        let micros = spent.fold(0u64, |sum, spend| sum.saturating_add(spend.tokens.micros())).min(self.limit);
        if micros > 0 {
            self.carry(end, micros);
        }
        micros
    }

    fn shift(&mut self, nanos: i64) {
        self.aside.iter_mut().for_each(|aside| aside.end = aside.end.shifted(nanos));
        self.wall_offset_nanos = self.wall_offset_nanos.saturating_sub(nanos);
        let own = self.windows.iter_mut().chain(&mut self.carried);
        own.for_each(|used| used.end = used.end.shifted(nanos));
        self.leases.shift(nanos);
        self.current = None;
        self.hint = None;
    }
}

impl FixedWindow {
    /// The end of the window that holds the last instant before `end`.
    fn last_window_end(&self, end: Time) -> Time {
        self.window(end.before(Duration::from_nanos(1))).1
    }
}
