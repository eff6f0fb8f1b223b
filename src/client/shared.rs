//! What callers and the background task share.

use super::{
    Settings,
    local::Local,
    outbox::Outbox,
    presence::Presence,
    wire::{Failure, Wire},
};
use crate::{clock::Clock, domain::Time};

/// The most reports of one request.
const MOST_SENT: usize = 1000;

/// One client's state.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) wire: Wire,
    pub(super) presence: Presence,
    pub(super) outbox: Outbox,
    pub(super) local: Local,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Result<Self, super::ClientError> {
        Ok(Self {
            wire: Wire::new(&settings)?,
            name: settings.client,
            clock: Clock::system(),
            presence: Presence::new(),
            outbox: Outbox::new(),
            local: Local::new(settings.fallback_peers),
        })
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    /// There was no answer.
    pub(super) fn lost(&self, why: &str) {
        if self.presence.lost(self.now()) {
            self.local.begin_afresh();
            tracing::warn!(why, "the board is away, deciding locally");
        }
    }

    /// Sends what waits, until nothing does or the server is away.
    pub(super) async fn deliver(&self) {
        while self.deliver_some().await {}
    }

    /// Sends one request of what waits; whether more may wait.
    pub(super) async fn deliver_some(&self) -> bool {
        if self.presence.is_away() {
            return false;
        }
        self.deliver_penalties().await;
        let batch = self.outbox.take(MOST_SENT);
        if batch.reports.is_empty() {
            return false;
        }
        let body = serde_json::json!({ "items": batch.reports });
        match self.wire.post::<serde::de::IgnoredAny>("/v1/outcomes", &body).await {
            Ok(_) => batch.settled(),
            Err(Failure::Away(why)) => self.lost(&why),
            Err(Failure::Rejected(error)) => {
                // It would be refused again and again.
                tracing::warn!(%error, "outcomes are lost");
                batch.settled();
            }
        }
        true
    }

    async fn deliver_penalties(&self) {
        for (limiter, until) in self.outbox.take_penalties() {
            let left = until.since(self.now());
            if left.is_zero() {
                continue;
            }
            let body =
                serde_json::json!({ "retry_after_seconds": left.as_secs_f64(), "reason": "Retry-After" });
            let path = format!("/v1/limiters/{}/penalize", limiter.as_str());
            match self.wire.post::<serde::de::IgnoredAny>(&path, &body).await {
                Ok(_) => {}
                Err(Failure::Away(why)) => {
                    self.outbox.penalize(&limiter, until);
                    return self.lost(&why);
                }
                Err(Failure::Rejected(error)) => {
                    tracing::warn!(%error, limiter = limiter.as_str(), "a penalty is lost");
                }
            }
        }
    }
}
