//! The probes of a half-open breaker: exactly so many, whatever becomes of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{config::BreakerConfig, metrics::Outcome};
use crate::domain::time::Time;

/// Permits that are out, and calls that succeeded. Together never more than `half_open_max_calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HalfOpen {
    reopened: u32,
    /// When the first permit was given.
    began: Option<Time>,
    leases: Vec<Lease>,
    /// The calls themselves, not their number, so that one reported again is recognised.
    succeeded: Vec<u64>,
}

/// A permit, valid before its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    /// `None`: given after the last snapshot before a crash, to a call that is not known.
    call: Option<u64>,
    deadline: Time,
}

impl HalfOpen {
    pub(super) fn new(reopened: u32) -> Self {
        Self { reopened, began: None, leases: Vec::new(), succeeded: Vec::new() }
    }

    pub(super) fn reopened(&self) -> u32 {
        self.reopened
    }

    pub(super) fn succeeded(&self) -> usize {
        self.succeeded.len()
    }

    /// Permits that are out at `now`.
    pub(super) fn outstanding(&self, now: Time) -> usize {
        self.leases.iter().filter(|lease| lease.deadline > now).count()
    }

    /// Takes back the permits whose time is over.
    pub(super) fn reclaim(&mut self, now: Time) {
        self.leases.retain(|lease| lease.deadline > now);
    }

    /// Gives a permit, if one is left.
    pub(super) fn enter(&mut self, now: Time, call: u64, deadline: Time, most: u32) {
        if self.leases.len().saturating_add(self.succeeded.len()) < most as usize {
            self.began.get_or_insert(now);
            self.leases.push(Lease { call: Some(call), deadline });
        }
    }

    /// Ends a call; `false` if it held no valid permit.
    pub(super) fn finish(&mut self, now: Time, call: u64, outcome: Outcome) -> bool {
        let known = self.leases.iter().position(|lease| lease.call == Some(call));
        let found = known.or_else(|| {
            let again = self.succeeded.contains(&call);
            let unknown = |lease: &Lease| lease.call.is_none() && lease.deadline > now;
            if again { None } else { self.leases.iter().position(unknown) }
        });
        let Some(index) = found else { return false };
        if self.leases.get(index).is_none_or(|lease| lease.deadline <= now) {
            return false;
        }
        // An ignored call that is not known may have given its permit back before the crash; what is held
        // for the unknown ones then stays until its lease ends, so that there are never too many.
        if outcome != Outcome::Ignored || known.is_some() {
            self.leases.swap_remove(index);
        }
        if outcome == Outcome::Success {
            self.succeeded.push(call);
        }
        true
    }

    /// Takes back the permit of a call.
    pub(super) fn give_back(&mut self, call: u64) {
        self.leases.retain(|lease| lease.call != Some(call));
    }

    /// When the state has lasted too long.
    pub(super) fn times_out(&self, config: &BreakerConfig) -> Option<Time> {
        Some(self.began?.after(config.half_open_timeout?))
    }

    /// If no permit is left at `now`: when one will be, should no outcome arrive.
    pub(super) fn full_until(&self, now: Time, config: &BreakerConfig) -> Option<Time> {
        let most = config.half_open_max_calls as usize;
        let used = self.outstanding(now).saturating_add(self.succeeded.len());
        let surplus = used.checked_sub(most)?;
        let mut ends: Vec<Time> =
            self.leases.iter().map(|lease| lease.deadline).filter(|end| *end > now).collect();
        // More than one too many only after the configuration has become narrower.
        let free = if surplus < ends.len() { *ends.select_nth_unstable(surplus).1 } else { now };
        match self.times_out(config) {
            Some(end) if end <= free => Some(end.after(config.open_wait(self.reopened.saturating_add(1)))),
            _ => Some(free),
        }
    }

    /// After a crash: permits given since the snapshot are not known, so all that were possible count as
    /// given just now. Known ones stay counted even if the configuration has become narrower since.
    pub(super) fn assume_full(&mut self, now: Time, config: &BreakerConfig) {
        let possible = (config.half_open_max_calls as usize).saturating_sub(self.succeeded.len());
        self.reclaim(now);
        let latest = self.leases.iter().map(|lease| lease.deadline).max().unwrap_or(now);
        let lease = Lease { call: None, deadline: latest.max(now.after(config.call_timeout)) };
        self.leases = vec![lease; possible.max(self.leases.len())];
        self.began.get_or_insert(now);
    }

    /// Moves all times, and mends those that no clock could have given.
    pub(super) fn shift(&mut self, nanos: i64, now: Time, longest: Duration) {
        self.began = self.began.map(|began| began.shifted(nanos).min(now));
        for lease in &mut self.leases {
            lease.deadline = lease.deadline.shifted(nanos).min(now.after(longest));
        }
    }
}
