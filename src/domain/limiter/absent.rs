//! What clients may spend while the server is away, and what that costs the others when it is back.
//!
//! A client that loses the server goes on with its share, and tells what it has spent before it asks again. When the server
//! returns, the clients do not notice all at once. So the share of each belongs to it until then: from the instant at which
//! the server was last there, until the client asks again, or until all have surely noticed.
//!
//! - `token_bucket`: what flows in for a share is the client's. Who tells what it has spent gives back the rest.
//! - Windows: whole tokens in any window; for concurrency, permits. Those begin only when what the server granted last can
//!   no longer count ([`Limiter::fallback_after`]), so nothing is kept for an absence that was shorter.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Lease, Limiter, LimiterConfig,
    config::micros_per_second,
    rule::{Spend, State},
};
use crate::domain::{Time, Tokens};

/// After that long every client has noticed that the server is back: they look at least every five seconds.
pub(super) const NOTICED: Duration = Duration::from_secs(6);
/// For that long after it was frozen a server may find requests of clients that have given them up and went on alone.
const STALE: Duration = Duration::from_secs(2);
/// So long before its end may a server have turned clients away: while it drained.
const DRAINED: Duration = Duration::from_secs(30);

/// Clients that may be spending their share without asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Absent {
    /// Those that are known.
    clients: BTreeSet<u64>,
    /// What was set aside for each: millionths of a token, of a `token_bucket` in a second.
    share: u64,
    /// From then on nobody spends anything without asking.
    pub(super) until: Time,
    /// Before, who asks may still be spending.
    #[serde(default = "Absent::always")]
    fresh: Time,
}

impl Default for Absent {
    fn default() -> Self {
        Self { clients: BTreeSet::new(), share: 0, until: Time::MIN, fresh: Time::MIN }
    }
}

impl Absent {
    fn always() -> Time {
        Time::MIN
    }

    pub(super) fn shift(&mut self, nanos: i64) {
        self.fresh = self.fresh.shifted(nanos);
        self.until = self.until.shifted(nanos);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}

impl Limiter {
    /// Notes that the client uses this limiter, by asking. What it spent without asking it has told.
    pub fn seen(&mut self, now: Time, client: u64) {
        if !self.absent.is_empty() && now >= self.absent.fresh {
            self.back(now, client);
        }
        let now = now.max(self.now);
        self.clients.seen(now, client);
    }

    /// The client spends nothing without asking from now on, and spent nothing that it has not told.
    fn back(&mut self, now: Time, client: u64) {
        if self.absent.clients.remove(&client) {
            let now = self.tick(now);
            self.state.rule_mut().settle(now, &[], Some(self.absent.share));
        }
    }

    /// Counts tokens that a client spent without asking, while the server was away; how many still count. More than there
    /// is makes the others wait, but never in debt beyond the limit. The client is back with this.
    pub fn debit(&mut self, now: Time, client: u64, spends: &[Spend]) -> Tokens {
        if spends.is_empty() {
            return Tokens::ZERO;
        }
        let now = self.tick(now);
        let aside = self.absent.clients.remove(&client).then_some(self.absent.share);
        let mut spends: Vec<_> =
            spends.iter().map(|spend| Spend { at: spend.at.min(now), ..*spend }).collect();
        // Those first that count the longest.
        spends.sort_unstable_by_key(|spend| std::cmp::Reverse(spend.at));
        let micros = self.state.rule_mut().settle(now, &spends, aside);
        self.granted = self.granted.saturating_add(u128::from(micros));
        Tokens::from_micros(micros)
    }

    /// Permits for calls that a client let go alone and that still run: of those that were set aside for it, so there is room
    /// in any case. None if there are not so many.
    pub fn adopt(&mut self, now: Time, running: Tokens, (id, client): (u64, u64)) -> Option<Lease> {
        let now = self.tick(now);
        let is_kept = now < self.absent.until && self.absent.clients.contains(&client);
        let fits = is_kept && running.micros() <= self.absent.share;
        if running == Tokens::ZERO || !fits || !matches!(self.state, State::Concurrency(_)) {
            return None;
        }
        self.back(now, client);
        self.seen(now, client);
        let until = self.state.rule_mut().lease(now, running.micros(), id, self.config.lease());
        self.granted = self.granted.saturating_add(u128::from(running.micros()));
        Some(Lease { tokens: running, until })
    }

    /// The server was away from `gone` until `now`: those who used it lately may spend their share until they ask
    /// again, or until all have surely noticed.
    pub fn await_clients(&mut self, gone: Time, now: Time) {
        let gone = self.tick(gone);
        let (clients, count) = self.clients.lose_sight(gone, now);
        let noticed = now.max(gone).after(NOTICED);
        let share = self.share_of_each(count);
        let quiet = self.fallback_pause();
        // Whoever keeps quiet for longer than all of it has spent nothing.
        let nothing = count == 0 || noticed.after(DRAINED).since(gone) <= quiet;
        let until = match &self.state {
            State::Concurrency(_) => noticed.after(self.config.lease()),
            _ => noticed,
        };
        self.state.rule_mut().set_aside(gone, until, share, if nothing { 0 } else { count });
        self.absent = if nothing {
            Absent::default()
        } else {
            Absent { clients: clients.into_iter().collect(), share, until, fresh: Time::MIN }
        };
    }

    /// The same for a server that was frozen meanwhile: what it finds first was asked before the clients took it for away.
    pub fn await_clients_of_frozen(&mut self, gone: Time, now: Time) {
        self.await_clients(gone, now);
        self.absent.fresh = now.after(STALE);
    }

    /// How long a client keeps still after it has lost the server, before it spends its share: until then what was
    /// granted may still count.
    #[must_use]
    pub fn fallback_after(&mut self, now: Time) -> Duration {
        let now = self.tick(now);
        let promised = match &self.state {
            State::TokenBucket(bucket) => bucket.in_debt_for(),
            State::Concurrency(_) => Duration::ZERO,
            _ => self.obligations.since(now),
        };
        promised.saturating_add(self.fallback_pause())
    }

    /// The part of it that does not change.
    fn fallback_pause(&self) -> Duration {
        match &self.config {
            LimiterConfig::TokenBucket { .. } => Duration::ZERO,
            LimiterConfig::SlidingWindow { period_seconds, .. }
            | LimiterConfig::FixedWindow { period_seconds, .. } => period_seconds.get(),
            LimiterConfig::Concurrency { lease_seconds, .. } => lease_seconds.get(),
        }
    }

    /// What one client may spend on its own while it does not reach the server: tokens per second, for
    /// `concurrency` permits at once. None while nobody may spend anything.
    pub fn fallback_share(&mut self, now: Time) -> Option<f64> {
        if self.blocked_until(now).is_some() {
            return None;
        }
        let clients = self.live_clients(now).max(1);
        Some(match self.config {
            LimiterConfig::TokenBucket { requests_per_second, .. } => {
                requests_per_second / f64::from(clients)
            }
            // Whole tokens, evenly spaced: what is left over would make a window too full.
            LimiterConfig::SlidingWindow { limit, period_seconds, .. }
            | LimiterConfig::FixedWindow { limit, period_seconds, .. } => {
                let period = period_seconds.get().as_secs_f64();
                match limit / clients {
                    0 => 1.0 / (period * f64::from(clients.div_ceil(limit))),
                    whole => f64::from(whole) / period,
                }
            }
            LimiterConfig::Concurrency { limit, .. } => f64::from(limit) / f64::from(clients),
        })
    }

    /// The same as it is set aside. Where there are more clients than tokens, each may spend one.
    fn share_of_each(&self, clients: u32) -> u64 {
        let clients = clients.max(1);
        match self.config {
            LimiterConfig::TokenBucket { requests_per_second, .. } => {
                micros_per_second(requests_per_second).div_ceil(u64::from(clients))
            }
            LimiterConfig::SlidingWindow { limit, .. }
            | LimiterConfig::FixedWindow { limit, .. }
            | LimiterConfig::Concurrency { limit, .. } => Tokens::whole((limit / clients).max(1)).micros(),
        }
    }
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
        window.await_clients(at(0.0), at(1.0));
        assert_eq!(window.available(at(1.0)), Tokens::try_from(1.0).unwrap());
        window.seen(at(2.0), 101);
        assert_eq!(window.available(at(2.0)), Tokens::try_from(4.0).unwrap());
        window.seen(at(2.5), 104);
        assert_eq!(window.available(at(2.5)), Tokens::try_from(4.0).unwrap(), "it was not there before");
        window.await_clients(at(2.5), at(3.0));
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

    fn limiter(json: &str, clients: &[u64]) -> Limiter {
        let mut limiter = Limiter::new(serde_json::from_str(json).unwrap(), at(0.0), 0);
        for client in clients {
            limiter.seen(at(0.0), *client);
        }
        limiter
    }

    fn spent(count: u32, seconds: f64) -> Spend {
        Spend { at: at(seconds), tokens: Tokens::whole(count) }
    }

    fn take(limiter: &mut Limiter, now: f64, count: u32) {
        limiter.acquire(at(now), Tokens::whole(count), Duration::ZERO, 1).unwrap();
    }

    #[test]
    fn what_flowed_into_a_bucket_for_the_absent_comes_back_when_they_tell() {
        let mut bucket = limiter(r#"{"requests_per_second": 1, "burst_size": 100}"#, &[101, 102]);
        take(&mut bucket, 0.0, 80);
        bucket.await_clients(at(10.0), at(40.0));
        assert_eq!(bucket.available(at(40.0)), Tokens::whole(30), "as when the server was last there");
        assert_eq!(bucket.debit(at(40.0), 101, &[spent(15, 39.0)]), Tokens::whole(15));
        assert_eq!(bucket.available(at(40.0)), Tokens::whole(30), "it spent all of its share");
        assert_eq!(bucket.available(at(42.0)), Tokens::whole(31), "half of the rate is the other's");
        bucket.seen(at(42.0), 102);
        assert_eq!(bucket.available(at(42.0)), Tokens::whole(20 + 42 - 15), "who spent nothing");
        assert_eq!(bucket.debit(at(42.0), 103, &[spent(7, 41.0)]), Tokens::whole(7), "nobody knew it");
        assert_eq!(bucket.available(at(42.0)), Tokens::whole(20 + 42 - 15 - 7));
    }

    #[test]
    fn a_request_from_before_a_freeze_is_no_return() {
        let mut bucket = limiter(r#"{"requests_per_second": 1, "burst_size": 100}"#, &[101, 102]);
        take(&mut bucket, 0.0, 80);
        bucket.await_clients_of_frozen(at(0.0), at(10.0));
        bucket.seen(at(10.0), 101);
        assert_eq!(bucket.available(at(10.0)), Tokens::whole(20), "its client has given it up");
        assert_eq!(bucket.debit(at(10.5), 102, &[spent(4, 9.0)]), Tokens::whole(4), "this is new");
        bucket.seen(at(12.0), 101);
        assert_eq!(bucket.available(at(12.0)), Tokens::whole(20 + 12 - 4));
    }

    #[test]
    fn who_does_not_come_back_may_have_spent_its_share() {
        let mut bucket = limiter(r#"{"requests_per_second": 1, "burst_size": 10}"#, &[101, 102]);
        take(&mut bucket, 0.0, 10);
        bucket.await_clients(at(0.0), at(1.0));
        bucket.seen(at(1.0), 101);
        assert_eq!(bucket.available(at(7.0)), Tokens::from_micros(3_500_000));
        assert_eq!(bucket.available(at(9.0)), Tokens::from_micros(5_500_000), "from then on all of the rate");
    }

    #[test]
    fn an_absence_that_is_shorter_than_a_window_keeps_nothing() {
        for algorithm in ["sliding_window", "fixed_window"] {
            let json = format!(r#"{{"algorithm": "{algorithm}", "limit": 10, "period_seconds": 3600}}"#);
            let mut window = limiter(&json, &[101, 102]);
            take(&mut window, 0.0, 3);
            window.await_clients(at(1.0), at(20.0));
            assert_eq!(window.available(at(20.0)), Tokens::whole(7), "{algorithm}");
            assert_eq!(window.fallback_after(at(20.0)), Duration::from_secs(3600));
        }
    }

    #[test]
    fn what_was_spent_in_a_fixed_window_counts_in_that_window() {
        let json = r#"{"algorithm": "fixed_window", "limit": 10, "period_seconds": 10}"#;
        let mut window = limiter(json, &[101, 102]);
        window.await_clients(at(0.0), at(25.0));
        assert_eq!(window.available(at(25.0)), Tokens::ZERO);
        let spends = [spent(4, 18.0), spent(2, 21.0)];
        assert_eq!(window.debit(at(25.0), 101, &spends), Tokens::whole(2), "those before are over");
        assert_eq!(window.available(at(25.0)), Tokens::whole(3), "five may be spent by the other");
        assert_eq!(window.available(at(30.5)), Tokens::whole(5), "in the next window, too");
        assert_eq!(window.available(at(40.0)), Tokens::whole(10));
    }

    #[test]
    fn calls_in_flight_without_a_permit_are_adopted() {
        let json = r#"{"algorithm": "concurrency", "limit": 4, "lease_seconds": 10}"#;
        let mut gpu = limiter(json, &[101, 102]);
        gpu.await_clients(at(0.0), at(20.0));
        assert_eq!(gpu.available(at(20.0)), Tokens::ZERO);
        assert!(gpu.adopt(at(20.0), Tokens::whole(3), (7, 101)).is_none(), "more than its share");
        let lease = gpu.adopt(at(20.0), Tokens::whole(1), (7, 101)).unwrap();
        assert_eq!((lease.tokens, lease.until), (Tokens::ONE, at(30.0)));
        assert_eq!(gpu.available(at(20.0)), Tokens::ONE, "the rest of its share");
        assert!(gpu.adopt(at(20.0), Tokens::whole(1), (8, 101)).is_none(), "it is back");
        assert_eq!(gpu.release(at(21.0), 7, Tokens::ZERO), Some(Tokens::ONE));
        gpu.seen(at(21.0), 102);
        assert_eq!(gpu.available(at(21.0)), Tokens::whole(4));
        gpu.await_clients(at(21.0), at(50.0));
        take(&mut gpu, 66.0, 4);
        assert!(gpu.adopt(at(66.0), Tokens::ONE, (9, 101)).is_none(), "its share is no longer kept");
    }

    #[test]
    fn clients_whose_names_are_not_known_have_their_shares_too() {
        let clients: Vec<_> = (0..1500).map(|client| client + 1000).collect();
        let mut window =
            limiter(r#"{"algorithm": "sliding_window", "limit": 2000, "period_seconds": 1}"#, &clients);
        let saved = serde_json::from_str(&serde_json::to_string(&window.save()).unwrap()).unwrap();
        let config = window.config().clone();
        let mut again = Limiter::restore(config, Some(saved), None, at(9.0), 0, 0, true);
        window.await_clients(at(0.0), at(9.0));
        for window in [&mut window, &mut again] {
            assert_eq!(window.available(at(9.0)), Tokens::whole(500));
            assert_eq!(window.live_clients(at(9.0)), 1500);
        }
    }
}
