//! What a limiter shows of itself.

use super::{Limiter, LimiterStats};
use crate::domain::{Time, Tokens};

impl Limiter {
    /// What could be taken now.
    pub fn available(&mut self, now: Time) -> Tokens {
        let now = self.tick(now);
        if self.blocked > now { Tokens::ZERO } else { Tokens::from_micros(self.state.rule().available(now)) }
    }

    /// What of the capacity is taken: permits in flight, or what counts in the window or is missing in the bucket.
    pub fn in_use(&mut self, now: Time) -> Tokens {
        let now = self.tick(now);
        let available = self.state.rule().available(now);
        Tokens::from_micros(self.config.capacity().micros().saturating_sub(available))
    }

    /// Tokens in leases (for `concurrency`: in permits) that have not ended.
    pub fn leased(&mut self, now: Time) -> Tokens {
        self.tick(now);
        Tokens::from_micros(u64::try_from(self.state.rule().leases().leased()).unwrap_or(u64::MAX))
    }

    /// How many requests wait for their slot.
    pub fn waiting(&mut self, now: Time) -> usize {
        let now = self.tick(now);
        self.waiting.advance(now);
        self.waiting.len()
    }

    /// Counts a request; `throttled` if it was refused or has to wait.
    pub fn count_request(&mut self, throttled: bool) {
        self.stats.total_requests += 1;
        self.stats.throttled_requests += u64::from(throttled);
    }

    /// What was asked of it.
    #[must_use]
    pub fn stats(&self) -> LimiterStats {
        self.stats
    }

    /// How many distinct clients were seen in the last minute, or up to one before.
    pub fn live_clients(&mut self, now: Time) -> u32 {
        let now = now.max(self.now);
        self.clients.live(now)
    }
}
