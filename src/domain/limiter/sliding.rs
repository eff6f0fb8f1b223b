//! Sliding window: no half-open window of the period, wherever it starts, admits more than the limit.
//!
//! A log of what counts until when. A grant counts from the moment it is made (a reserved slot in the future
//! included) until its use plus the period; a lease until its end plus the period.

use std::{collections::VecDeque, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    config::LimiterConfig,
    holds::{Hold, Holds, nanos},
    rule::{EVERYTHING, Rule, Slot, Spend},
};
use crate::domain::Time;

/// Exact up to that many tokens; above, and when fractions of tokens fill the log, entries share instants.
const EXACT_LIMIT: u64 = 4096 * 1_000_000;
const EXACT_ENTRIES: usize = 8192;
/// Instants per period that entries share then.
const STEPS: i64 = 4096;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Entry {
    /// Counts before that instant, not at it.
    until: Time,
    micros: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SlidingWindow {
    limit: u64,
    period: Duration,
    /// Sorted, each instant once.
    log: VecDeque<Entry>,
    /// Sum of the log.
    #[serde(with = "super::text")]
    used: u128,
    leases: Holds,
    /// The shares of clients that may spend them without asking; they stand in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aside: Option<Entry>,
}

impl SlidingWindow {
    pub(super) fn new(limit: u32, period: Duration) -> Self {
        let limit = u64::from(limit) * 1_000_000;
        Self { limit, period, log: VecDeque::new(), used: 0, leases: Holds::default(), aside: None }
    }

    /// Counts the tokens until `last_use` plus the period; under which instant of the log.
    fn count(&mut self, last_use: Time, micros: u64) -> Time {
        let until = self.coalesced(last_use.after(self.period));
        self.insert(until, micros);
        until
    }

    fn coalesced(&self, until: Time) -> Time {
        if self.limit <= EXACT_LIMIT && self.log.len() < EXACT_ENTRIES {
            return until;
        }
        let step = (nanos(self.period) / STEPS).max(1);
        let over = until.as_nanos().rem_euclid(step);
        if over == 0 { until } else { Time::from_nanos(until.as_nanos().saturating_add(step - over)) }
    }

    fn insert(&mut self, until: Time, micros: u64) {
        self.used += u128::from(micros);
        let place = match self.log.back_mut() {
            Some(last) if last.until > until => self.log.partition_point(|entry| entry.until < until),
            _ => self.log.len(),
        };
        let before = if place == self.log.len() { place.wrapping_sub(1) } else { place };
        match self.log.get_mut(before) {
            Some(entry) if entry.until == until => {
                entry.micros = entry.micros.saturating_add(micros);
            }
            _ => self.log.insert(place, Entry { until, micros }),
        }
    }

    /// When that much has run out.
    fn first_to_go(&self, excess: u128) -> Option<Time> {
        let mut gone = 0;
        let last = self.log.iter().find(|entry| {
            gone += u128::from(entry.micros);
            gone >= excess
        });
        last.map(|entry| entry.until)
    }

    /// When no more than that is left: the same, from the other end, for a long queue of waiting requests.
    fn last_to_go(&self, bearable: u128) -> Option<Time> {
        let mut left = 0;
        let last = self.log.iter().rev().find(|entry| {
            left += u128::from(entry.micros);
            left > bearable
        });
        last.map(|entry| entry.until)
    }

    /// Takes a lease out of the log.
    fn remove(&mut self, counted: Time, micros: u64) {
        let place = self.log.partition_point(|entry| entry.until < counted);
        let Some(entry) = self.log.get_mut(place).filter(|entry| entry.until == counted) else { return };
        let gone = micros.min(entry.micros);
        entry.micros -= gone;
        if entry.micros == 0 {
            self.log.remove(place);
        }
        self.used -= u128::from(gone);
    }
}

impl Rule for SlidingWindow {
    fn advance(&mut self, now: Time) {
        while let Some(entry) = self.log.front()
            && entry.until <= now
        {
            self.used -= u128::from(entry.micros);
            self.log.pop_front();
        }
        if !self.leases.is_empty() {
            self.leases.drop_ended(now);
        }
        self.aside = self.aside.filter(|aside| aside.until > now);
    }

    fn ready(&mut self, _now: Time, earliest: Time, micros: u64) -> Slot {
        let bearable = u128::from(self.limit.saturating_sub(micros));
        if self.used <= bearable {
            return Slot::At(earliest);
        }
        let ready = if self.used - bearable <= bearable {
            self.first_to_go(self.used - bearable)
        } else {
            self.last_to_go(bearable)
        };
        Slot::At(ready.map_or(earliest, |ready| ready.max(earliest)))
    }

    fn grant(&mut self, now: Time, at: Time, micros: u64, _hold: u64, _lease: Duration) {
        self.count(at.max(now), micros);
    }

    fn available(&self, _now: Time) -> u64 {
        u64::try_from(u128::from(self.limit).saturating_sub(self.used)).unwrap_or(0)
    }

    fn lease(&mut self, now: Time, micros: u64, id: u64, lease: Duration) -> Time {
        let until = now.after(lease);
        let counted = self.count(until, micros);
        self.leases.insert(Hold { until, micros, id: Some(id), counted });
        until
    }

    fn release(&mut self, now: Time, id: u64, unused: u64) -> Option<u64> {
        let lease = self.leases.take(id)?;
        let back = unused.min(lease.micros);
        self.remove(lease.counted, lease.micros);
        let spent = lease.micros - back;
        if spent > 0 {
            // Under a period that was longer when it was leased, it keeps counting for as long as it did.
            let extra = lease.counted.since(lease.until.after(self.period));
            let until = self.coalesced(now.after(self.period).after(extra));
            self.insert(until, spent);
        }
        Some(back)
    }

    fn leases(&self) -> &Holds {
        &self.leases
    }

    fn consume(&mut self, now: Time, until: Time, micros: u64) {
        self.count(until.max(now), micros);
    }

    fn consume_all(&mut self, now: Time, until: Time, _lease: Duration) {
        self.leases.clear();
        self.count(until.max(now), EVERYTHING);
    }

    fn reconfigure(&mut self, config: &LimiterConfig) -> bool {
        let LimiterConfig::SlidingWindow { limit, period_seconds, .. } = *config else { return false };
        self.limit = u64::from(limit) * 1_000_000;
        // A shorter period frees nothing that counts already, or a PUT there and back would grant twice.
        let longer = period_seconds.get().saturating_sub(self.period);
        if !longer.is_zero() {
            self.log.iter_mut().for_each(|entry| entry.until = entry.until.after(longer));
            self.leases.iter_mut_counted().for_each(|counted| *counted = counted.after(longer));
            self.aside.iter_mut().for_each(|aside| aside.until = aside.until.after(longer));
        }
        self.period = period_seconds.get();
        true
    }

    fn set_aside(&mut self, _now: Time, until: Time, each: u64, clients: u32) {
        if let Some(before) = self.aside.take() {
            self.remove(before.until, before.micros);
        }
        let micros = each.saturating_mul(u64::from(clients));
        if micros > 0 {
            // It may be spent at the last instant.
            self.aside = Some(Entry { until: self.count(until, micros), micros });
        }
    }

    fn settle(&mut self, now: Time, spends: &[Spend], aside: Option<u64>) -> u64 {
        if let (Some(share), Some(all)) = (aside, &mut self.aside) {
            let back = share.min(all.micros);
            all.micros -= back;
            let counted = all.until;
            self.remove(counted, back);
        }
        let period = self.period;
        let still = spends.iter().filter(|spend| spend.at.after(period) > now);
        let mut left = self.limit;
        for spend in still {
            let micros = spend.tokens.micros().min(left);
            left -= micros;
            if micros > 0 {
                self.count(spend.at.min(now), micros);
            }
        }
        self.limit - left
    }

    fn shift(&mut self, nanos: i64) {
        self.aside.iter_mut().for_each(|aside| aside.until = aside.until.shifted(nanos));
        self.log.iter_mut().for_each(|entry| entry.until = entry.until.shifted(nanos));
        self.leases.shift(nanos);
    }
}
