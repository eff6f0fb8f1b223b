//! Token bucket: over any span `t`, at most `burst + rate * t` tokens are spent.
//!
//! The level counts in units of 1e-15 tokens, so that a nanosecond brings a whole number of them and nothing drifts.
//! Tokens that are promised but may be spent later (leases, reserved slots) leave the level at once, and until
//! they end the bucket refills only up to `burst` less the promised: otherwise it could be full *and* they could be spent.
//!
//! While clients spend their shares without asking, what flows in for them does not flow in here ([`Aside`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    config::{LimiterConfig, micros_per_second},
    holds::{Hold, Holds},
    rule::{Rule, Slot, Spend},
};
use crate::domain::Time;

const UNITS_PER_MICRO: i128 = 1_000_000_000;
const MICROS_PER_TOKEN: i128 = 1_000_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// Units per nanosecond, which is millionths of a token per second.
    rate: u64,
    #[serde(with = "super::text")]
    burst: i128,
    /// Below zero while slots are reserved.
    #[serde(with = "super::text")]
    level: i128,
    /// When `level` was true, or will be: until then nothing flows in.
    at: Time,
    holds: Holds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aside: Option<Aside>,
    /// When the last hold ends, and the level then.
    #[serde(skip)]
    tail: Option<(Time, i128)>,
}

/// Clients that may spend their shares without asking: each has a bucket of its own, which holds one token.
///
/// Whatever they do with them, the level stays true: what they might have spent never flowed in. What they have not spent
/// comes back when they tell, by way of `full`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Aside {
    since: Time,
    /// From then on none of them spends anything without asking.
    until: Time,
    clients: u32,
    /// Units per nanosecond that flow to each of them.
    each: u64,
    /// The level if they had spent only what they have told.
    #[serde(with = "super::text")]
    full: i128,
}

impl Aside {
    fn rate(&self) -> u64 {
        self.each.saturating_mul(u64::from(self.clients))
    }

    fn saved(&self) -> i128 {
        i128::from(self.clients) * MICROS_PER_TOKEN * UNITS_PER_MICRO
    }

    /// What has flowed to that many of them.
    fn flowed(&self, clients: u32, now: Time) -> i128 {
        let nanos = i128::from(now.as_nanos()) - i128::from(self.since.as_nanos());
        i128::from(self.each) * i128::from(clients) * nanos.max(0)
    }
}

fn units(micros: u64) -> i128 {
    i128::from(micros) * UNITS_PER_MICRO
}

fn burst_units(burst_size: u32) -> i128 {
    i128::from(burst_size) * MICROS_PER_TOKEN * UNITS_PER_MICRO
}

/// A level after some time, at a rate, up to a cap.
fn flowed(level: i128, from: Time, to: Time, rate: u64, cap: i128) -> i128 {
    let nanos = i128::from(to.as_nanos()) - i128::from(from.as_nanos());
    if nanos <= 0 { level } else { (level + i128::from(rate) * nanos).min(cap).max(level) }
}

/// When a level reaches what is needed, at a rate.
fn later(level: i128, from: Time, need: i128, rate: u64) -> Time {
    if level >= need {
        return from;
    }
    let rate = i128::from(rate.max(1));
    let nanos = (need - level + rate - 1) / rate;
    Time::from_nanos(i64::try_from(i128::from(from.as_nanos()).saturating_add(nanos)).unwrap_or(i64::MAX))
}

impl Bucket {
    pub(super) fn new(requests_per_second: f64, burst_size: u32, now: Time) -> Self {
        let burst = burst_units(burst_size);
        let rate = micros_per_second(requests_per_second);
        Self { rate, burst, level: burst, at: now, holds: Holds::default(), aside: None, tail: None }
    }

    /// How far the level may rise while the holds last.
    fn cap(&self) -> i128 {
        self.burst - self.held()
    }

    fn held(&self) -> i128 {
        if self.holds.is_empty() {
            return 0;
        }
        i128::try_from(self.holds.micros()).unwrap_or(i128::MAX / UNITS_PER_MICRO) * UNITS_PER_MICRO
    }

    fn refilled(&self, level: i128, from: Time, to: Time, cap: i128) -> i128 {
        match &self.aside {
            Some(aside) if from < aside.until => {
                let rate = self.rate.saturating_sub(aside.rate());
                let then = flowed(level, from, to.min(aside.until), rate, cap - aside.saved());
                flowed(then, aside.until, to, self.rate, cap)
            }
            _ => flowed(level, from, to, self.rate, cap),
        }
    }

    /// When `level` at `from` reaches `need`, which is at most `cap`.
    fn reaches(&self, level: i128, from: Time, need: i128, cap: i128) -> Time {
        if let Some(aside) = &self.aside
            && from < aside.until
        {
            let then = self.refilled(level, from, aside.until, cap);
            if then < need {
                return later(then, aside.until, need, self.rate);
            }
            return later(level, from, need, self.rate.saturating_sub(aside.rate()));
        }
        later(level, from, need, self.rate)
    }

    /// Lets tokens flow in until then.
    fn flow(&mut self, to: Time) {
        let cap = self.cap();
        self.level = self.refilled(self.level, self.at, to, cap);
        let (from, rate) = (self.at, self.rate);
        if let Some(aside) = &mut self.aside {
            aside.full = flowed(aside.full, from, to, rate, cap);
        }
        self.at = to;
    }

    /// Takes from the level, also from what it would be.
    fn take(&mut self, units: i128) {
        self.level -= units;
        self.aside.iter_mut().for_each(|aside| aside.full -= units);
    }

    /// How long until all that was promised is spent or over, and covered.
    pub(super) fn in_debt_for(&self) -> Duration {
        let covered = later(self.level, self.at, 0, self.rate);
        self.holds.last_until().map_or(covered, |last| last.max(covered)).since(self.at)
    }

    /// Takes what is gone in any case: as much of it as there is, so that nobody waits for longer than the bucket takes to
    /// fill.
    fn lose(&mut self, units: i128) {
        self.level -= units.min(self.level.max(0));
        self.tail = None;
    }

    fn tail(&mut self) -> (Time, i128) {
        if let Some(tail) = self.tail {
            return tail;
        }
        let (mut level, mut from, mut cap) = (self.level, self.at, self.cap());
        for hold in self.holds.iter() {
            level = self.refilled(level, from, hold.until, cap);
            from = from.max(hold.until);
            cap += units(hold.micros);
        }
        self.tail = Some((from, level));
        (from, level)
    }

    fn hold(&mut self, until: Time, micros: u64, id: Option<u64>) {
        let tail = if self.holds.is_empty() { Some((self.at, self.level)) } else { self.tail };
        self.tail = tail
            .filter(|(last, _)| until >= *last)
            .map(|(last, level)| (until, self.refilled(level, last, until, self.burst) - units(micros)));
        self.take(units(micros));
        self.holds.insert(Hold { until, micros, id, counted: until });
    }
}

impl Rule for Bucket {
    fn advance(&mut self, now: Time) {
        while let Some(until) = self.holds.first_until().filter(|until| *until <= now) {
            let until = until.max(self.at);
            self.flow(until);
            self.holds.pop_ended(until);
        }
        if self.holds.is_empty() {
            self.tail = None;
        }
        if now > self.at {
            self.flow(now);
        }
        self.aside = self.aside.filter(|aside| aside.until > now);
    }

    fn ready(&mut self, now: Time, earliest: Time, micros: u64) -> Slot {
        let need = units(micros);
        if self.level >= need {
            return Slot::At(earliest.max(now));
        }
        let (last, last_level) = self.tail();
        if last_level < need {
            return Slot::At(self.reaches(last_level, last, need, self.burst).max(earliest));
        }
        let (mut level, mut from, mut cap) = (self.level, self.at, self.cap());
        for hold in self.holds.iter() {
            let next = self.refilled(level, from, hold.until, cap);
            if next >= need {
                break;
            }
            level = next;
            from = from.max(hold.until);
            cap += units(hold.micros);
        }
        Slot::At(self.reaches(level, from, need, cap).max(earliest))
    }

    fn grant(&mut self, now: Time, at: Time, micros: u64, _hold: u64, _lease: Duration) {
        if at > now {
            self.hold(at, micros, None);
        } else {
            self.take(units(micros));
            // A cap may give back later what the level loses here: only a walk over the holds tells.
            self.tail = None;
        }
    }

    fn available(&self, _now: Time) -> u64 {
        u64::try_from(self.level.max(0) / UNITS_PER_MICRO).unwrap_or(u64::MAX)
    }

    fn lease(&mut self, now: Time, micros: u64, id: u64, lease: Duration) -> Time {
        let until = now.after(lease);
        self.hold(until, micros, Some(id));
        until
    }

    fn release(&mut self, _now: Time, id: u64, unused: u64) -> Option<u64> {
        let hold = self.holds.take(id)?;
        let back = unused.min(hold.micros);
        self.take(-units(back));
        self.tail = None;
        Some(back)
    }

    fn leases(&self) -> &Holds {
        &self.holds
    }

    fn consume(&mut self, now: Time, until: Time, micros: u64) {
        if until > now {
            self.hold(until, micros, None);
            self.tail = None;
        } else {
            self.lose(units(micros));
            self.aside.iter_mut().for_each(|aside| aside.full -= units(micros));
        }
    }

    fn consume_all(&mut self, now: Time, until: Time, _lease: Duration) {
        self.holds.clear();
        self.tail = None;
        self.level = 0;
        self.aside.iter_mut().for_each(|aside| aside.full = 0);
        // Nothing flows in while all of it may still be spent.
        self.at = until.max(now);
    }

    fn reconfigure(&mut self, config: &LimiterConfig) -> bool {
        let LimiterConfig::TokenBucket { requests_per_second, burst_size, .. } = *config else {
            return false;
        };
        self.rate = micros_per_second(requests_per_second);
        self.burst = burst_units(burst_size);
        let cap = self.cap();
        self.level = self.level.min(cap);
        self.aside.iter_mut().for_each(|aside| aside.full = aside.full.min(cap));
        self.tail = None;
        true
    }

    fn set_aside(&mut self, now: Time, until: Time, each: u64, clients: u32) {
        self.tail = None;
        let before = self.aside.take();
        if clients == 0 {
            return;
        }
        // Some of them may be spending since before.
        let (since, full) = before.map_or((now, self.level), |before| (before.since, before.full));
        let each = before.map_or(each, |before| before.each.max(each));
        let aside = Aside { since, until, clients, each, full };
        self.level = self.level.min((self.cap() - aside.saved()).max(0));
        self.aside = Some(aside);
    }

    fn settle(&mut self, now: Time, spends: &[Spend], aside: Option<u64>) -> u64 {
        let sum = |sum: u64, spend: &Spend| sum.saturating_add(spend.tokens.micros());
        let most = u64::try_from(self.burst / UNITS_PER_MICRO).unwrap_or(u64::MAX);
        let Some(mut told) = self.aside.filter(|told| aside.is_some() && told.clients > 0) else {
            // What was spent before that has all flowed in again.
            let memory = self.burst / i128::from(self.rate);
            let age = |spend: &Spend| i128::from(now.as_nanos()) - i128::from(spend.at.as_nanos());
            let micros = spends.iter().filter(|spend| age(spend) <= memory).fold(0, sum).min(most);
            self.consume(now, now, micros);
            return micros;
        };
        let micros = spends.iter().fold(0, sum);
        // What flowed to him is missing already. More than that he should not have spent.
        self.lose((units(micros) - told.flowed(1, now)).max(0));
        told.full -= units(micros);
        told.clients -= 1;
        let sure = told.full - told.flowed(told.clients, now);
        self.level = self.level.max(sure.min(self.cap() - told.saved()));
        self.aside = (told.clients > 0).then_some(told);
        micros.min(most)
    }

    fn shift(&mut self, nanos: i64) {
        for at in self.aside.iter_mut().flat_map(|aside| [&mut aside.since, &mut aside.until]) {
            *at = at.shifted(nanos);
        }
        self.at = self.at.shifted(nanos);
        self.holds.shift(nanos);
        self.tail = None;
    }
}
