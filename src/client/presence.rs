//! Whether the server is there: the client's own little breaker.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::domain::Time;

const PROBE: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(5);

/// Callers only read it; the background task alone asks a server that is away whether it is back.
///
/// A server that answers probes and fails calls would cost a caller its patience for each probe, so a loss soon after a
/// return doubles the time until the next probe.
#[derive(Debug)]
pub(super) struct Presence {
    away: watch::Sender<bool>,
    probing: Mutex<Probing>,
}

#[derive(Debug)]
struct Probing {
    interval: Duration,
    next: Time,
    back_at: Time,
}

impl Presence {
    pub(super) fn new() -> Self {
        let probing = Probing { interval: PROBE, next: Time::MIN, back_at: Time::MIN };
        Self { away: watch::Sender::new(false), probing: Mutex::new(probing) }
    }

    pub(super) fn is_away(&self) -> bool {
        *self.away.borrow()
    }

    /// Until the server is away; at once if it is.
    pub(super) async fn gone(&self) {
        drop(self.away.subscribe().wait_for(|away| *away).await);
    }

    /// Somebody got no answer; whether that is news.
    pub(super) fn lost(&self, now: Time) -> bool {
        let mut probing = self.probing.lock();
        let news = self.away.send_if_modified(|away| !std::mem::replace(away, true));
        if news {
            let relapse = now.since(probing.back_at) < probing.interval * 2 && probing.back_at > Time::MIN;
            probing.interval = if relapse { (probing.interval * 2).min(PROBE_MAX) } else { PROBE };
            probing.next = now.after(probing.interval);
        }
        news
    }

    /// How long until the next probe.
    pub(super) fn probe_in(&self, now: Time) -> Duration {
        self.probing.lock().next.since(now)
    }

    pub(super) fn still_away(&self, now: Time) {
        let mut probing = self.probing.lock();
        probing.next = now.after(probing.interval);
    }

    pub(super) fn back(&self, now: Time) {
        self.probing.lock().back_at = now;
        self.away.send_replace(false);
    }
}
