//! Retry policies: back-off, and a budget of retries that a whole fleet shares.
//!
//! The budget is strict: when a retry is granted, the retries of the last `budget_window_seconds`, itself included,
//! are at most `budget_ratio` of the first attempts in the same span plus `budget_min_per_second` times the span.
//! Counts are kept in parts of a tenth of the window; the oldest part counts for retries and no longer for calls, so that
//! rounding never admits more.

mod config;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Time;

pub use self::config::{Jitter, RetryPolicyConfig, RetryPolicySpec};

/// Parts of a window.
const PARTS: usize = 10;
/// The budget counts in 1e-15 retries: a nanosecond of `budget_min_per_second` is a whole number of them.
const UNITS_PER_RETRY: u128 = 1_000_000_000_000_000;
const UNITS_PER_MILLIONTH: u128 = 1_000_000_000;

/// Why an attempt was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The call has had all its attempts.
    AttemptsExhausted,
    /// The fleet has spent its share of retries.
    BudgetExhausted,
}

/// The answer to who wants to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whether to try.
    pub allowed: bool,
    /// How long to wait before; zero if refused.
    pub delay: Duration,
    /// Why not.
    pub reason: Option<Refusal>,
}

/// What was asked of a policy since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryStats {
    /// First attempts.
    pub calls: u64,
    /// Retries that were allowed.
    pub retries: u64,
    /// Retries that were refused.
    pub refused: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    calls: u64,
    retries: u64,
}

/// A retry policy as it is stored.
///
/// After an unclean stop the counts of the time since are missing: the budget goes on from what was saved, so that
/// for one window as many retries may pass again as were granted after the save, never more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedRetryPolicy {
    config: RetryPolicyConfig,
    parts: Vec<Part>,
    since: Time,
    stats: RetryStats,
}

/// A retry policy and the counts of its window.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    config: RetryPolicyConfig,
    /// The current part first.
    parts: [Part; PARTS + 1],
    /// When the current part began.
    since: Time,
    stats: RetryStats,
}

impl RetryPolicy {
    /// A policy that has seen nothing yet.
    #[must_use]
    pub fn new(config: RetryPolicyConfig, now: Time) -> Self {
        Self { config, parts: [Part::default(); PARTS + 1], since: now, stats: RetryStats::default() }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &RetryPolicyConfig {
        &self.config
    }

    /// Whether and after which delay to make the attempt of that number (1 is the first try, which is always
    /// allowed). `retry_after` is what the upstream asked for; the delay is never shorter. `random` is from [0, 1).
    pub fn attempt(
        &mut self,
        now: Time,
        attempt: u32,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Attempt {
        self.advance(now);
        if attempt <= 1 {
            self.stats.calls += 1;
            self.parts[0].calls += 1;
            return Attempt { allowed: true, delay: Duration::ZERO, reason: None };
        }
        let refusal = if attempt > self.config.max_attempts {
            Some(Refusal::AttemptsExhausted)
        } else if self.units_left() < UNITS_PER_RETRY {
            Some(Refusal::BudgetExhausted)
        } else {
            None
        };
        if refusal.is_some() {
            self.stats.refused += 1;
            return Attempt { allowed: false, delay: Duration::ZERO, reason: refusal };
        }
        self.stats.retries += 1;
        self.parts[0].retries += 1;
        let delay = self.config.delay(attempt, random).max(retry_after.unwrap_or(Duration::ZERO));
        Attempt { allowed: true, delay, reason: None }
    }

    /// How many retries the budget would allow now.
    #[must_use]
    pub fn budget_remaining(&mut self, now: Time) -> u64 {
        self.advance(now);
        u64::try_from(self.units_left() / UNITS_PER_RETRY).unwrap_or(u64::MAX)
    }

    /// How many retries count against the budget now.
    #[must_use]
    pub fn budget_used(&mut self, now: Time) -> u64 {
        self.advance(now);
        self.window_retries()
    }

    /// What was asked of it.
    #[must_use]
    pub fn stats(&self) -> RetryStats {
        self.stats
    }

    /// Goes on under another configuration. Under another window all retries that still count do so for the whole
    /// of it, and the calls start anew.
    pub fn reconfigure(&mut self, config: RetryPolicyConfig, now: Time) {
        self.advance(now);
        if config.budget_window_seconds != self.config.budget_window_seconds {
            let retries = self.window_retries();
            self.parts = [Part::default(); PARTS + 1];
            self.parts[0].retries = retries;
            self.since = self.since.max(now);
        }
        self.config = config;
    }

    /// The state to store.
    #[must_use]
    pub fn save(&self) -> SavedRetryPolicy {
        SavedRetryPolicy {
            config: self.config.clone(),
            parts: self.parts.to_vec(),
            since: self.since,
            stats: self.stats,
        }
    }

    /// The policy after a restart; `shift_nanos` moves the saved instants to the clock of `now`.
    #[must_use]
    pub fn restore(
        config: RetryPolicyConfig,
        saved: Option<SavedRetryPolicy>,
        now: Time,
        shift_nanos: i64,
    ) -> Self {
        let mut policy = Self::new(config.clone(), now);
        let Some(saved) = saved else { return policy };
        policy.config = saved.config;
        policy.since = saved.since.shifted(shift_nanos);
        policy.stats = saved.stats;
        policy.parts.iter_mut().zip(saved.parts).for_each(|(part, saved)| *part = saved);
        policy.reconfigure(config, now);
        policy
    }

    fn advance(&mut self, now: Time) {
        let width = (self.config.budget_window_seconds.get().as_nanos() / PARTS_NANOS).max(1);
        let passed = now.since(self.since).as_nanos() / width;
        if passed == 0 {
            return;
        }
        match usize::try_from(passed) {
            Ok(passed) if passed <= PARTS => {
                self.parts.rotate_right(passed);
                self.parts[..passed].fill(Part::default());
            }
            _ => self.parts.fill(Part::default()),
        }
        let moved = u64::try_from(passed * width).unwrap_or(u64::MAX);
        self.since = self.since.after(Duration::from_nanos(moved));
    }

    fn window_retries(&self) -> u64 {
        self.parts.iter().map(|part| part.retries).sum()
    }

    fn units_left(&self) -> u128 {
        let calls: u64 = self.parts[..PARTS].iter().map(|part| part.calls).sum();
        let retries = self.window_retries();
        let window = self.config.budget_window_seconds.get().as_nanos();
        let share =
            u128::from(millionths(self.config.budget_ratio)) * UNITS_PER_MILLIONTH * u128::from(calls);
        let besides = u128::from(millionths(self.config.budget_min_per_second)) * window;
        (share + besides).saturating_sub(u128::from(retries) * UNITS_PER_RETRY)
    }
}

/// [`PARTS`], for spans.
const PARTS_NANOS: u128 = PARTS as u128;

/// The number, at most 1e6, in millionths; what is only the float's own error is the decimal that was meant.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 0 to 1e6")]
fn millionths(number: f64) -> u64 {
    let exact = number.clamp(0.0, 1e6) * 1e6;
    let near = exact.round();
    (if near - exact > exact * 1e-12 { near - 1.0 } else { near }) as u64
}
