//! What clients may spend while the server is away, and what that costs the others when it is back.
//!
//! A client that loses the server goes on with its share. When the server returns, the clients do not notice all at once.
//! So in a sliding window the shares of those who have not asked again are counted as leased for a while: otherwise
//! the first ones back would be granted what the others still spend.

use std::time::Duration;

use super::{
    Limiter, LimiterConfig,
    rule::{Rule, State},
};
use crate::domain::{Time, Tokens};

/// After that long every client has noticed that the server is back: they look at least every five seconds.
const NOTICED: Duration = Duration::from_secs(6);

impl Limiter {
    /// Notes that the client uses this limiter, by asking.
    pub fn seen(&mut self, now: Time, client: u64) {
        if !self.absent.is_empty() && self.absent.remove(&client) {
            let now = self.tick(now);
            self.state.rule_mut().release(now, lease_of(client), u64::MAX);
        }
        let now = now.max(self.now);
        self.clients.seen(now, client);
    }

    /// The server was away until now: those who used it lately may spend their share until they ask again, or until all
    /// have surely noticed.
    pub fn await_clients(&mut self, now: Time) {
        let now = self.tick(now);
        for gone in std::mem::take(&mut self.absent) {
            self.state.rule_mut().release(now, lease_of(gone), u64::MAX);
        }
        let clients = self.clients.lose_sight();
        let LimiterConfig::SlidingWindow { limit, .. } = self.config else { return };
        let State::SlidingWindow(rule) = &mut self.state else { return };
        let share = Tokens::ONE.micros() * u64::from(part(limit, self.clients.live(now)));
        if share > 0 {
            for client in clients {
                rule.lease(now, share, lease_of(client), NOTICED);
                self.absent.insert(client);
            }
        }
    }

    /// What one client may spend on its own while it does not reach the server: tokens per second, for
    /// `concurrency` permits at once. None while nobody may spend anything.
    pub fn fallback_share(&mut self, now: Time) -> Option<f64> {
        if self.blocked_until(now).is_some() {
            return None;
        }
        let clients = self.live_clients(now).max(1);
        if let LimiterConfig::SlidingWindow { limit, period_seconds, .. }
        | LimiterConfig::FixedWindow { limit, period_seconds, .. } = self.config
        {
            // Whole tokens, evenly spaced: what is left over would make a window too full.
            let period = period_seconds.get().as_secs_f64();
            return Some(match part(limit, clients) {
                0 => 1.0 / (period * f64::from(clients.div_ceil(limit))),
                whole => f64::from(whole) / period,
            });
        }
        let whole = self.config.sustained_rate().unwrap_or_else(|| self.config.capacity().as_f64());
        Some(whole / f64::from(clients))
    }
}

/// Leases have small numbers, clients large ones.
fn lease_of(client: u64) -> u64 {
    !client
}

fn part(limit: u32, clients: u32) -> u32 {
    limit / clients.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Seconds;

    fn at(seconds: f64) -> Time {
        Time::from_nanos(0).after(Duration::from_secs_f64(seconds))
    }

    fn window(limit: u32) -> Limiter {
        let (period_seconds, lease_seconds) = (Seconds::whole(1), Seconds::whole(5));
        let config = LimiterConfig::SlidingWindow { limit, period_seconds, lease_seconds };
        Limiter::new(config, at(0.0), 0)
    }

    #[test]
    fn the_shares_of_the_absent_are_kept_for_them() {
        let mut window = window(10);
        for client in [101, 102, 103] {
            window.seen(at(0.0), client);
        }
        assert_eq!(window.fallback_share(at(0.0)), Some(3.0));
        window.await_clients(at(1.0));
        assert_eq!(window.available(at(1.0)), Tokens::try_from(1.0).unwrap());
        window.seen(at(2.0), 101);
        assert_eq!(window.available(at(2.0)), Tokens::try_from(4.0).unwrap());
        window.seen(at(2.5), 104);
        assert_eq!(window.available(at(2.5)), Tokens::try_from(4.0).unwrap(), "it was not there before");
        window.await_clients(at(3.0));
        assert_eq!(window.available(at(3.0)), Tokens::try_from(2.0).unwrap(), "two for each of four");
        assert_eq!(window.available(at(9.9)), Tokens::try_from(2.0).unwrap(), "spent at the last instant");
        assert_eq!(
            window.available(at(10.1)),
            Tokens::try_from(10.0).unwrap(),
            "for those who do not come back"
        );
    }

    #[test]
    fn a_restart_knows_who_was_there() {
        let mut window = window(10);
        for client in [101, 102] {
            window.seen(at(0.0), client);
        }
        let text = serde_json::to_string(&window.save()).unwrap();
        let saved = serde_json::from_str(&text).unwrap();
        let config = window.config().clone();
        let mut window = Limiter::restore(config, Some(saved), None, at(9.0), 0, 0, false);
        assert_eq!(window.live_clients(at(9.0)), 2);
        window.seen(at(10.1), 101);
        assert_eq!(window.available(at(10.1)), Tokens::try_from(5.0).unwrap());
        assert_eq!(window.available(at(16.1)), Tokens::try_from(10.0).unwrap());
    }
}
