//! What of a limiter outlives the server, so that no crash lets it grant more than its limit.
//!
//! Grants never wait for the disk one by one. Instead a crash is answered with the worst that can have happened
//! since the limiter was last saved. For a *short* limiter (all of it is back within [`SHORT_SECONDS`]) that is
//! everything, which costs at most that long. For a *long* one it is what the last durable [`Mark`] allowed. What
//! may be used in the future (leases, reserved slots) is bounded by the mark's horizon.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Limiter, LimiterConfig, LimiterStats, absent::Absent, clients::Clients, holds::Slots, rule::State,
};
use crate::domain::{Time, Tokens};

/// Below, a crash may count as having granted everything.
const SHORT_SECONDS: f64 = 10.0;
/// How much further than needed a horizon lies, so that not every lease moves it.
const HORIZON_SLACK: Duration = Duration::from_secs(2);

/// What a limiter may have granted without being saved. Answer nothing that needs a mark before it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Millionths of a token that it may have granted, ever.
    #[serde(with = "super::text")]
    pub granted_ceiling: u128,
    /// The last instant at which something granted may be used.
    pub horizon: Time,
}

impl Mark {
    /// Nothing was granted.
    pub const NONE: Self = Self { granted_ceiling: 0, horizon: Time::MIN };

    fn merged(self, other: Self) -> Self {
        Self {
            granted_ceiling: self.granted_ceiling.max(other.granted_ceiling),
            horizon: self.horizon.max(other.horizon),
        }
    }
}

/// A limiter as it is stored: complete.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedLimiter {
    config: LimiterConfig,
    state: State,
    blocked: Time,
    waiting: Slots,
    obligations: Time,
    #[serde(with = "super::text")]
    granted: u128,
    mark: Mark,
    stats: LimiterStats,
    /// Who used it lately, and how many more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clients: Vec<u64>,
    #[serde(default)]
    strangers: usize,
    #[serde(default)]
    away: Absent,
    /// When the server was there.
    #[serde(default)]
    alive: Option<Time>,
}

impl SavedLimiter {
    /// The mark that was durable when it was saved.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// The server was there then, too, though this limiter had no reason to be saved.
    pub fn alive_at(&mut self, at: Time) {
        self.alive = self.alive.max(Some(at));
    }

    fn shift(&mut self, nanos: i64) {
        self.alive = self.alive.map(|at| at.shifted(nanos));
        self.away.shift(nanos);
        self.state.rule_mut().shift(nanos);
        self.blocked = self.blocked.shifted(nanos);
        self.waiting.shift(nanos);
        self.obligations = self.obligations.shifted(nanos);
        self.mark.horizon = self.mark.horizon.shifted(nanos);
    }
}

impl Limiter {
    /// The mark that must be durable before what was granted last is answered; [`Limiter::mark_saved`] then. Ask
    /// after every grant, lease and change of the configuration; almost always it is None.
    #[must_use]
    pub fn mark_needed(&self, now: Time) -> Option<Mark> {
        let mut mark = self.mark;
        if self.obligations > now.max(self.now) && self.obligations > mark.horizon {
            mark.horizon = self.obligations.after(HORIZON_SLACK);
        }
        if self.granted > mark.granted_ceiling && is_long(&self.config) {
            let slack = (self.config.capacity().micros() / 8).max(Tokens::ONE.micros());
            mark.granted_ceiling = self.granted.saturating_add(u128::from(slack));
        }
        (mark != self.mark).then_some(mark)
    }

    /// Whether granting that much would need a higher ceiling than the one on disk.
    #[must_use]
    pub fn exceeds_ceiling(&self, tokens: Tokens) -> bool {
        let after = self.granted.saturating_add(u128::from(tokens.micros()));
        tokens > Tokens::ZERO && after > self.mark.granted_ceiling && is_long(&self.config)
    }

    /// The durable mark in force, if there ever was one.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        Some(self.mark).filter(|mark| *mark != Mark::NONE)
    }

    /// The mark is on disk.
    pub fn mark_saved(&mut self, mark: Mark) {
        self.mark = self.mark.merged(mark);
    }

    /// The state to store, from time to time and when the server stops. It may be older than the last mark.
    #[must_use]
    pub fn save(&self) -> SavedLimiter {
        SavedLimiter {
            config: self.config.clone(),
            state: self.state.clone(),
            blocked: self.blocked,
            waiting: self.waiting.clone(),
            obligations: self.obligations,
            granted: self.granted,
            mark: self.mark,
            stats: self.stats,
            clients: self.clients.known(),
            strangers: self.clients.strangers(),
            away: self.absent.clone(),
            alive: Some(self.now),
        }
    }

    /// The limiter after a restart. `saved` and `mark` are the last that reached the disk and `shift_nanos` moves
    /// their instants to the clock of `now`. `clean` if nothing was granted after `saved`; otherwise the worst is assumed
    /// (see the module). `config` may have changed since.
    #[must_use]
    pub fn restore(
        config: LimiterConfig,
        saved: Option<SavedLimiter>,
        mark: Option<Mark>,
        now: Time,
        shift_nanos: i64,
        wall_offset_nanos: i64,
        clean: bool,
    ) -> Self {
        let mut mark = mark.unwrap_or(Mark::NONE);
        mark.horizon = mark.horizon.shifted(shift_nanos);
        let clean = clean && saved.is_some();
        let mut long = is_long(&config);
        let mut limiter = Self::new(config.clone(), now, wall_offset_nanos);
        let mut gone = now;
        if let Some(mut saved) = saved {
            saved.shift(shift_nanos);
            gone = saved.alive.map_or(now, |at| at.min(now));
            long &= is_long(&saved.config);
            mark = mark.merged(saved.mark);
            limiter.take_over(saved, now);
        }
        limiter.mark = mark;
        if !clean {
            limiter.obligations = limiter.obligations.max(mark.horizon);
        }
        limiter.change_as_if_early(&config);
        limiter.await_clients(gone, now);
        limiter.reconfigure(config, now);
        limiter.tick(now);
        if !clean {
            limiter.assume_the_worst(now, long);
        }
        limiter
    }

    fn take_over(&mut self, saved: SavedLimiter, now: Time) {
        self.config = saved.config;
        self.state = saved.state;
        self.blocked = saved.blocked;
        self.waiting = saved.waiting;
        self.obligations = saved.obligations;
        self.granted = saved.granted;
        self.stats = saved.stats;
        self.clients = Clients::expecting(now, saved.clients, saved.strangers);
        self.absent = saved.away;
        self.now = saved.alive.map_or(now, |at| at.min(now));
    }

    /// Applies a configuration that changed at an unknown moment after the limiter was saved: at the moment that
    /// leaves less.
    fn change_as_if_early(&mut self, config: &LimiterConfig) {
        let frees_less_over_time = match (self.config.sustained_rate(), config.sustained_rate()) {
            (Some(before), Some(after)) if matches!(self.state, State::TokenBucket(_)) => after < before,
            _ => true,
        };
        if *config != self.config && frees_less_over_time && self.state.rule_mut().reconfigure(config) {
            self.config = config.clone();
        }
    }

    fn assume_the_worst(&mut self, now: Time, long: bool) {
        let until = self.mark.horizon.max(now);
        let unknown = self.mark.granted_ceiling.saturating_sub(self.granted);
        let lease = self.config.lease();
        let rule = self.state.rule_mut();
        match u64::try_from(unknown) {
            Ok(micros) if long && micros < self.config.capacity().micros() => {
                if micros > 0 {
                    rule.consume(now, until, micros);
                }
            }
            _ => rule.consume_all(now, until, lease),
        }
        self.granted = self.granted.max(self.mark.granted_ceiling);
    }
}

/// Whether it takes long until everything is available again.
pub(super) fn is_long(config: &LimiterConfig) -> bool {
    config.recovery_seconds() > SHORT_SECONDS
}
