//! Concurrency: no more than the limit are in flight at any instant; who does not give back loses it by lease.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    config::LimiterConfig,
    holds::{Hold, Holds},
    rule::{EVERYTHING, Rule, Slot, Spend},
};
use crate::domain::Time;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Concurrency {
    limit: u64,
    permits: Holds,
}

/// By what the shares of clients that may spend them without asking are held; others have smaller or larger numbers.
const ASIDE: u64 = u64::MAX / 2;

impl Concurrency {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit: u64::from(limit) * 1_000_000, permits: Holds::default() }
    }
}

impl Rule for Concurrency {
    fn advance(&mut self, now: Time) {
        self.permits.drop_ended(now);
    }

    fn ready(&mut self, now: Time, earliest: Time, micros: u64) -> Slot {
        let bearable = u128::from(self.limit.saturating_sub(micros));
        let mut held = self.permits.micros();
        if held <= bearable {
            return Slot::At(earliest.max(now));
        }
        let mut room = now;
        for permit in self.permits.iter() {
            if held <= bearable {
                break;
            }
            held -= u128::from(permit.micros);
            room = permit.until;
        }
        Slot::Full(room)
    }

    fn grant(&mut self, now: Time, at: Time, micros: u64, hold: u64, lease: Duration) {
        let until = at.max(now).after(lease);
        self.permits.insert(Hold { until, micros, id: Some(hold), counted: until });
    }

    fn available(&self, _now: Time) -> u64 {
        u64::try_from(u128::from(self.limit).saturating_sub(self.permits.micros())).unwrap_or(0)
    }

    fn lease(&mut self, now: Time, micros: u64, id: u64, lease: Duration) -> Time {
        self.grant(now, now, micros, id, lease);
        now.after(lease)
    }

    /// The whole permit comes back, used or not.
    fn release(&mut self, _now: Time, id: u64, _unused: u64) -> Option<u64> {
        self.permits.take(id).map(|permit| permit.micros)
    }

    fn leases(&self) -> &Holds {
        &self.permits
    }

    fn consume(&mut self, now: Time, until: Time, micros: u64) {
        let until = until.max(now);
        self.permits.insert(Hold { until, micros, id: None, counted: until });
    }

    fn consume_all(&mut self, now: Time, until: Time, lease: Duration) {
        let aside = self.permits.take(ASIDE);
        self.permits.clear();
        if let Some(aside) = aside {
            self.permits.insert(aside);
        }
        self.consume(now, until.max(now).after(lease), EVERYTHING);
    }

    fn reconfigure(&mut self, config: &LimiterConfig) -> bool {
        let LimiterConfig::Concurrency { limit, .. } = *config else { return false };
        self.limit = u64::from(limit) * 1_000_000;
        true
    }

    fn set_aside(&mut self, _now: Time, until: Time, each: u64, clients: u32) {
        self.permits.take(ASIDE);
        let micros = each.saturating_mul(u64::from(clients));
        if micros > 0 {
            self.permits.insert(Hold { until, micros, id: Some(ASIDE), counted: until });
        }
    }

    /// What is still in flight is not told but leased, with the same request.
    fn settle(&mut self, _now: Time, _spends: &[Spend], aside: Option<u64>) -> u64 {
        if let Some(share) = aside
            && let Some(mut all) = self.permits.take(ASIDE)
        {
            all.micros = all.micros.saturating_sub(share);
            if all.micros > 0 {
                self.permits.insert(all);
            }
        }
        0
    }

    fn shift(&mut self, nanos: i64) {
        self.permits.shift(nanos);
    }
}
