//! What every algorithm answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    bucket::Bucket,
    concurrency::Concurrency,
    config::{LimiterConfig, MAX_LIMIT},
    fixed::FixedWindow,
    holds::Holds,
    sliding::SlidingWindow,
};
use crate::domain::{Time, Tokens};

/// As much as the largest limiter has: whoever counts that stays closed, even if its limit is raised meanwhile.
pub(super) const EVERYTHING: u64 = MAX_LIMIT as u64 * 1_000_000;

/// Tokens that were spent without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    /// When.
    pub at: Time,
    /// How many.
    pub tokens: Tokens,
}

/// When a request fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// It can be granted for that instant.
    At(Time),
    /// It cannot wait; at that instant there will be room.
    Full(Time),
}

/// An algorithm. Tokens are in millionths; every method but `reconfigure`, `shift` and `leases` wants `advance(now)`
/// first, and `now` never goes back.
pub(super) trait Rule {
    /// Lets time pass.
    fn advance(&mut self, now: Time);
    /// The first instant from `earliest` (>= `now`) on at which the tokens fit, given all that is promised.
    fn ready(&mut self, now: Time, earliest: Time, micros: u64) -> Slot;
    /// Takes the tokens for use at exactly `at`.
    fn grant(&mut self, now: Time, at: Time, micros: u64, hold: u64, lease: Duration);
    /// What fits now.
    fn available(&self, now: Time) -> u64;
    /// Takes the tokens for use until the instant that is returned.
    fn lease(&mut self, now: Time, micros: u64, id: u64, lease: Duration) -> Time;
    /// Ends a lease or permit; what was given back.
    fn release(&mut self, now: Time, id: u64, unused: u64) -> Option<u64>;
    /// Leases and permits.
    fn leases(&self) -> &Holds;
    /// Counts grants that nobody remembers, less than everything: made by `now`, used by `until` at the latest.
    fn consume(&mut self, now: Time, until: Time, micros: u64);
    /// Counts everything as granted, used by `until` (>= `now`) at the latest, permits for `lease` from then on.
    fn consume_all(&mut self, now: Time, until: Time, lease: Duration);
    /// Goes on under another configuration; false if that is another algorithm.
    fn reconfigure(&mut self, config: &LimiterConfig) -> bool;
    /// From now on a share of `each` (`token_bucket`: millionths of a token per second) belongs to each of so many
    /// clients, who may spend it without asking until `until`. Those of before are among them.
    fn set_aside(&mut self, now: Time, until: Time, each: u64, clients: u32);
    /// Counts what a client spent without asking; how much of it still counts. `aside` is what was set aside for him, if
    /// it was: no more is needed.
    fn settle(&mut self, now: Time, spends: &[Spend], aside: Option<u64>) -> u64;
    /// Moves all instants, after the zero of the clock changed.
    fn shift(&mut self, nanos: i64);
}

/// The state of one algorithm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    TokenBucket(Bucket),
    SlidingWindow(SlidingWindow),
    FixedWindow(FixedWindow),
    Concurrency(Concurrency),
}

impl State {
    pub(super) fn new(config: &LimiterConfig, now: Time, wall_offset_nanos: i64) -> Self {
        match *config {
            LimiterConfig::TokenBucket { requests_per_second, burst_size, .. } => {
                Self::TokenBucket(Bucket::new(requests_per_second, burst_size, now))
            }
            LimiterConfig::SlidingWindow { limit, period_seconds, .. } => {
                Self::SlidingWindow(SlidingWindow::new(limit, period_seconds.get()))
            }
            LimiterConfig::FixedWindow { limit, period_seconds, .. } => {
                Self::FixedWindow(FixedWindow::new(limit, period_seconds.get(), wall_offset_nanos))
            }
            LimiterConfig::Concurrency { limit, .. } => Self::Concurrency(Concurrency::new(limit)),
        }
    }

    pub(super) fn rule(&self) -> &dyn Rule {
        match self {
            Self::TokenBucket(rule) => rule,
            Self::SlidingWindow(rule) => rule,
            Self::FixedWindow(rule) => rule,
            Self::Concurrency(rule) => rule,
        }
    }

    pub(super) fn rule_mut(&mut self) -> &mut dyn Rule {
        match self {
            Self::TokenBucket(rule) => rule,
            Self::SlidingWindow(rule) => rule,
            Self::FixedWindow(rule) => rule,
            Self::Concurrency(rule) => rule,
        }
    }
}
