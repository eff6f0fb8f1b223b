//! Limiters: how many requests may pass.
//!
//! A grant is for exactly one instant (`at`), a lease for any instant until it ends; whatever those who hold them
//! do, the limit holds. A refusal consumes nothing. A refusal's `retry_after` is honest: then the same request is
//! granted if nobody else acts, and a nanosecond before it is not.

mod absent;
mod bucket;
mod clients;
mod concurrency;
mod config;
mod durable;
mod figures;
mod fixed;
mod holds;
mod rule;
mod sliding;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::{
    absent::Absent,
    clients::Clients,
    holds::Slots,
    rule::{Slot, State},
};
use super::{Time, Tokens};

pub use self::{
    config::{LimiterAlgorithm, LimiterConfig, LimiterSpec},
    durable::{Mark, SavedLimiter},
    rule::Spend,
};

/// The most leases and waiting requests of one limiter.
pub const MAX_HOLDS: usize = 10_000;

/// Why a limiter refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Not within the wait that was allowed.
    Later {
        /// When the same request is granted if nobody else acts.
        retry_after: Duration,
    },
    /// Too many are in flight.
    Concurrency {
        /// When enough of their leases have ended; earlier if they give back.
        retry_after: Duration,
    },
    /// More than could ever be granted.
    NeverFits,
    /// [`MAX_HOLDS`] leases and waiting requests are out.
    TooManyWaiters {
        /// When the first of them ends.
        retry_after: Duration,
    },
}

/// A batch of tokens that a client may spend on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// How many.
    pub tokens: Tokens,
    /// The last instant at which they may be spent.
    pub until: Time,
}

/// What was asked of a limiter since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimiterStats {
    /// All requests.
    pub total_requests: u64,
    /// Those that were refused or had to wait.
    pub throttled_requests: u64,
}

/// The earliest instant at which all of so many limiters can grant. `ready` tells of each when it can, not before an
/// instant: what suits one of them may be taken at another.
pub fn common_instant<E>(
    now: Time,
    limiters: usize,
    mut ready: impl FnMut(usize, Time) -> Result<Time, E>,
) -> Result<Time, E> {
    let mut at = now;
    loop {
        let before = at;
        for i in 0..limiters {
            at = ready(i, at)?;
        }
        if at == before || limiters == 1 {
            return Ok(at);
        }
    }
}

/// The state of one limiter.
#[derive(Clone, Debug)]
pub struct Limiter {
    config: LimiterConfig,
    state: State,
    /// The latest instant that it was told: time never goes back, however the callers' readings interleave.
    now: Time,
    wall_offset_nanos: i64,
    /// Nobody is granted anything before.
    blocked: Time,
    waiting: Slots,
    /// The last instant at which something granted may still be used.
    obligations: Time,
    /// Millionths of a token ever granted.
    granted: u128,
    mark: Mark,
    stats: LimiterStats,
    clients: Clients,
    absent: Absent,
}

impl Limiter {
    /// A limiter that has granted nothing yet. Wall time is `now + wall_offset_nanos`; fixed windows start at
    /// multiples of their period in it.
    #[must_use]
    pub fn new(config: LimiterConfig, now: Time, wall_offset_nanos: i64) -> Self {
        Self {
            state: State::new(&config, now, wall_offset_nanos),
            config,
            now,
            wall_offset_nanos,
            blocked: Time::MIN,
            waiting: Slots::default(),
            obligations: Time::MIN,
            granted: 0,
            mark: Mark::NONE,
            stats: LimiterStats::default(),
            clients: Clients::new(now),
            absent: Absent::default(),
        }
    }

    /// What it limits.
    #[must_use]
    pub fn config(&self) -> &LimiterConfig {
        &self.config
    }

    /// Goes on under another configuration with everything that is consumed: a change never frees anything. Under
    /// another algorithm it starts with everything consumed. Store the [`Limiter::mark_needed`] afterwards in the
    /// transaction that stores the configuration.
    pub fn reconfigure(&mut self, config: LimiterConfig, now: Time) {
        if config == self.config {
            return;
        }
        let now = self.tick(now);
        if !self.state.rule_mut().reconfigure(&config) {
            self.state = State::new(&config, now, self.wall_offset_nanos);
            let until = self.obligations.max(self.absent.until).max(now);
            self.absent = Absent::default();
            let rule = self.state.rule_mut();
            rule.advance(now);
            rule.consume_all(now, until, config.lease());
        }
        if durable::is_long(&config) && !durable::is_long(&self.config) {
            // No mark bounds what it granted while it was short: a save from before must count as closed.
            let granted = self.granted.max(self.mark.granted_ceiling);
            self.granted = granted.saturating_add(u128::from(config.capacity().micros()));
        }
        self.config = config;
        if let State::Concurrency(rule) = &self.state
            && let Some(last) = rule::Rule::leases(rule).last_until()
        {
            // After a crash permits count for the lease; those of a longer one need the horizon.
            self.obligations = self.obligations.max(last.before(self.config.lease()));
        }
    }

    /// The first instant from `not_before` on at which the tokens (more than 0) could be granted, given all that is
    /// promised already. For `concurrency` there must be room now.
    pub fn ready_at(&mut self, now: Time, not_before: Time, tokens: Tokens) -> Result<Time, Denied> {
        self.ready_within(now, not_before, tokens, Duration::MAX)
    }

    /// Like [`Limiter::ready_at`], refused unless the instant is at most `max_wait` from now.
    pub fn ready_within(
        &mut self,
        now: Time,
        not_before: Time,
        tokens: Tokens,
        max_wait: Duration,
    ) -> Result<Time, Denied> {
        let now = self.tick(now);
        if tokens > self.config.capacity() {
            return Err(Denied::NeverFits);
        }
        let earliest = now.max(not_before).max(self.blocked);
        let at = match self.state.rule_mut().ready(now, earliest, tokens.micros()) {
            Slot::At(at) => at,
            Slot::Full(room) => {
                let retry_after = room.max(earliest.before(max_wait)).since(now);
                return Err(Denied::Concurrency { retry_after });
            }
        };
        if at > now {
            if at == Time::MAX {
                return Err(Denied::Later { retry_after: at.since(now) });
            }
            if at > now.after(max_wait) {
                return Err(Denied::Later { retry_after: at.before(max_wait).since(now) });
            }
        }
        if at > now || matches!(self.state, State::Concurrency(_)) {
            self.room_for_a_hold(now)?;
        }
        Ok(at)
    }

    /// Commits a grant that will be used at exactly `at`, which came from [`Limiter::ready_at`] in this very state,
    /// asked with a `not_before` of at least the slots of the other limiters of the call. `hold` is by what a permit
    /// of `concurrency` is released.
    pub fn grant(&mut self, now: Time, at: Time, tokens: Tokens, hold: u64) {
        let now = self.tick(now);
        let at = at.max(now);
        self.state.rule_mut().grant(now, at, tokens.micros(), hold, self.config.lease());
        self.granted = self.granted.saturating_add(u128::from(tokens.micros()));
        if at > now {
            self.waiting.insert(at);
            self.obligations = self.obligations.max(at);
        }
    }

    /// Grants the tokens for use at exactly the instant that is returned, at most `max_wait` from now, and counts
    /// the request.
    pub fn acquire(
        &mut self,
        now: Time,
        tokens: Tokens,
        max_wait: Duration,
        hold: u64,
    ) -> Result<Time, Denied> {
        let now = self.tick(now);
        let ready = self.ready_within(now, now, tokens, max_wait);
        self.count_request(ready != Ok(now));
        let at = ready?;
        self.grant(now, at, tokens, hold);
        Ok(at)
    }

    /// Whether one token could be taken now; takes nothing.
    pub fn peek(&mut self, now: Time) -> Result<(), Denied> {
        self.ready_within(now, now, Tokens::ONE, Duration::ZERO).map(|_| ())
    }

    /// Lends as many tokens as there are now, at most `wanted`, at least `min` (and more than none), and counts the
    /// request. They may be spent until the lease ends, its last instant included: after `span`, or the limiter's own if
    /// that is shorter.
    pub fn lease(
        &mut self,
        now: Time,
        wanted: Tokens,
        min: Tokens,
        (id, client): (u64, u64),
        span: Duration,
    ) -> Result<Lease, Denied> {
        let now = self.tick(now);
        self.seen(now, client);
        let min = min.max(Tokens::from_micros(1));
        let ready = self.ready_within(now, now, min, Duration::ZERO).and_then(|_| self.room_for_a_hold(now));
        self.count_request(ready.is_err());
        ready?;
        let rule = self.state.rule_mut();
        let micros = wanted.micros().min(rule.available(now)).max(min.micros());
        let until = rule.lease(now, micros, id, span.min(self.config.lease()));
        self.granted = self.granted.saturating_add(u128::from(micros));
        if !matches!(self.state, State::Concurrency(_)) {
            self.obligations = self.obligations.max(until);
        }
        Ok(Lease { tokens: Tokens::from_micros(micros), until })
    }

    /// How much one client may lease at once, at least `min`: an equal part of what there is, so that the first to ask
    /// does not take all.
    pub fn fair_lease(&mut self, now: Time, min: Tokens) -> Tokens {
        let clients = u64::from(self.live_clients(now).max(1));
        let part = self.available(now).micros().div_ceil(clients);
        // Whole tokens: nobody can use a part of one.
        Tokens::from_micros(part.next_multiple_of(Tokens::ONE.micros())).max(min)
    }

    /// Ends a lease or a permit early; what was given back (at most the lease; a permit as a whole). None if the id
    /// is unknown, has ended or was released already.
    pub fn release(&mut self, now: Time, id: u64, unused: Tokens) -> Option<Tokens> {
        let now = self.tick(now);
        self.state.rule_mut().release(now, id, unused.micros()).map(Tokens::from_micros)
    }

    /// Grants nothing before `now + retry_after`; never shortens an earlier penalty. Slots that were promised stay.
    pub fn penalize(&mut self, now: Time, retry_after: Duration) {
        let now = self.tick(now);
        self.blocked = self.blocked.max(now.after(retry_after));
    }

    /// Until when nobody is granted anything, if that is still to come.
    #[must_use]
    pub fn blocked_until(&self, now: Time) -> Option<Time> {
        (self.blocked > now.max(self.now)).then_some(self.blocked)
    }

    fn room_for_a_hold(&mut self, now: Time) -> Result<(), Denied> {
        let leases = self.state.rule().leases();
        let (out, most) = if matches!(self.state, State::Concurrency(_)) {
            let permits = usize::try_from(self.config.capacity().micros() / 1_000_000).unwrap_or(MAX_HOLDS);
            (leases.len(), permits.max(MAX_HOLDS))
        } else {
            self.waiting.advance(now);
            (self.waiting.len() + leases.released_by_id(), MAX_HOLDS)
        };
        if out < most {
            return Ok(());
        }
        let first = self.waiting.first().into_iter().chain(leases.first_until()).min();
        Err(Denied::TooManyWaiters { retry_after: first.unwrap_or(now).since(now) })
    }

    fn tick(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.state.rule_mut().advance(self.now);
        self.now
    }
}
