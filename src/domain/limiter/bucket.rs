//! Token bucket: over any span `t`, at most `burst + rate * t` tokens are spent.
//!
//! The level counts in units of 1e-15 tokens, so that a nanosecond brings a whole number of them and nothing drifts.
//! Tokens that are promised but may be spent later (leases, reserved slots) leave the level at once, and until
//! they end the bucket refills only up to `burst` less the promised: otherwise it could be full *and* they could be spent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    config::{LimiterConfig, micros_per_second},
    holds::{Hold, Holds},
    rule::{Rule, Slot},
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
    /// When the last hold ends, and the level then.
    #[serde(skip)]
    tail: Option<(Time, i128)>,
}

fn units(micros: u64) -> i128 {
    i128::from(micros) * UNITS_PER_MICRO
}

fn burst_units(burst_size: u32) -> i128 {
    i128::from(burst_size) * MICROS_PER_TOKEN * UNITS_PER_MICRO
}

impl Bucket {
    pub(super) fn new(requests_per_second: f64, burst_size: u32, now: Time) -> Self {
        let burst = burst_units(burst_size);
        let rate = micros_per_second(requests_per_second);
        Self { rate, burst, level: burst, at: now, holds: Holds::default(), tail: None }
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
        let nanos = i128::from(to.as_nanos()) - i128::from(from.as_nanos());
        if nanos <= 0 { level } else { (level + i128::from(self.rate) * nanos).min(cap) }
    }

    /// When `level` at `from`, uncapped, reaches `need`.
    fn reaches(&self, level: i128, from: Time, need: i128) -> Time {
        if level >= need {
            return from;
        }
        let rate = i128::from(self.rate);
        let nanos = (need - level + rate - 1) / rate;
        Time::from_nanos(i64::try_from(i128::from(from.as_nanos()).saturating_add(nanos)).unwrap_or(i64::MAX))
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
        self.level -= units(micros);
        self.holds.insert(Hold { until, micros, id, counted: until });
    }
}

impl Rule for Bucket {
    fn advance(&mut self, now: Time) {
        while let Some(until) = self.holds.first_until().filter(|until| *until <= now) {
            let until = until.max(self.at);
            self.level = self.refilled(self.level, self.at, until, self.cap());
            self.at = until;
            self.holds.pop_ended(until);
        }
        if self.holds.is_empty() {
            self.tail = None;
        }
        if now > self.at {
            self.level = self.refilled(self.level, self.at, now, self.cap());
            self.at = now;
        }
    }

    fn ready(&mut self, now: Time, earliest: Time, micros: u64) -> Slot {
        let need = units(micros);
        if self.level >= need {
            return Slot::At(earliest.max(now));
        }
        let (last, last_level) = self.tail();
        if last_level < need {
            return Slot::At(self.reaches(last_level, last, need).max(earliest));
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
        Slot::At(self.reaches(level, from, need).max(earliest))
    }

    fn grant(&mut self, now: Time, at: Time, micros: u64, _hold: u64, _lease: Duration) {
        if at > now {
            self.hold(at, micros, None);
        } else {
            self.level -= units(micros);
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
        self.level += units(back);
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
            self.level = (self.level - units(micros)).max(self.level.min(0));
            self.tail = None;
        }
    }

    fn consume_all(&mut self, now: Time, until: Time, _lease: Duration) {
        self.holds.clear();
        self.tail = None;
        self.level = 0;
        // Nothing flows in while all of it may still be spent.
        self.at = until.max(now);
    }

    fn reconfigure(&mut self, config: &LimiterConfig) -> bool {
        let LimiterConfig::TokenBucket { requests_per_second, burst_size, .. } = *config else {
            return false;
        };
        self.rate = micros_per_second(requests_per_second);
        self.burst = burst_units(burst_size);
        self.level = self.level.min(self.cap());
        self.tail = None;
        true
    }

    fn shift(&mut self, nanos: i64) {
        self.at = self.at.shifted(nanos);
        self.holds.shift(nanos);
        self.tail = None;
    }
}
