//! Leases: tokens that a client spends by itself.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use utoipa::ToSchema;

use super::{LimiterCell, Marks, refusal};
use crate::{
    app::{AppError, Board},
    domain::{Name, Tokens, limiter::LimiterAlgorithm},
};

/// The answer to `lease`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leased {
    /// Whether a lease was granted.
    pub allowed: bool,
    /// To give the rest back; null if refused.
    pub lease_id: Option<String>,
    /// Tokens that the client may spend on its own; may be fewer than asked for.
    pub tokens: f64,
    /// Until when; unspent tokens are void then.
    pub expires_in_seconds: Option<f64>,
    /// When to ask again; null if allowed.
    pub retry_after_seconds: Option<f64>,
    /// Tokens per second that this client may spend on its own while it cannot reach the server.
    pub fallback_share: Option<f64>,
}

/// The answer to `release`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Released {
    /// Whether the lease was still running.
    pub released: bool,
    /// Tokens that others can use again.
    pub returned_tokens: f64,
    /// `unknown` if there is no such lease (any more).
    pub reason: Option<&'static str>,
}

/// A wish for a lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseAsk {
    /// How many tokens at most.
    pub wanted: Tokens,
    /// How few are still useful.
    pub least: Tokens,
    /// For how long, if shorter than the limiter's own span.
    pub span: Option<Duration>,
}

/// What a client wants of one limiter whose tokens it spends by itself.
#[derive(Clone, Copy, Debug)]
pub struct Renewal<'a> {
    /// Leases to end, each with what was not spent of it.
    pub releases: &'a [(&'a str, Tokens)],
    /// Tokens that it spent on its own while the server was away.
    pub spent: Tokens,
    /// What it wants next.
    pub lease: Option<LeaseAsk>,
}

/// The answer to a renewal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Renewed {
    /// The limiter.
    pub limiter: Name,
    /// How it counts. Permits of `concurrency` are for one call each and are better not leased ahead.
    pub algorithm: LimiterAlgorithm,
    /// What became of the leases to end, in order.
    pub released: Vec<Released>,
    /// How many of the tokens spent without asking count.
    pub debited_tokens: f64,
    /// The new lease, or when to ask again; null if none was asked for.
    pub lease: Option<Leased>,
    /// Tokens per second that this client may spend on its own while it cannot reach the server.
    pub fallback_share: Option<f64>,
}

impl Board {
    /// Debits a batch of tokens that one client then spends by itself.
    pub fn limiter_lease(
        &self,
        cell: &Arc<LimiterCell>,
        ask: LeaseAsk,
        client: Option<&str>,
        marks: &mut Marks,
    ) -> Result<Leased, AppError> {
        let now = self.clock.now();
        let client = self.clients.identify(client);
        let id = self.calls.fresh_id();
        let mut limiter = cell.lock(self);
        limiter.seen(now, client);
        let mut answer = Leased {
            allowed: false,
            lease_id: None,
            tokens: 0.0,
            expires_in_seconds: None,
            retry_after_seconds: None,
            fallback_share: limiter.fallback_share(now),
        };
        self.disk_bears(&limiter, ask.wanted)?;
        let wanted = ask.wanted.min(limiter.fair_lease(now, ask.least));
        let span = ask.span.unwrap_or(Duration::MAX);
        match limiter.lease_for(now, wanted, ask.least, (id, client), span) {
            Ok(lease) => {
                answer.allowed = true;
                answer.lease_id = Some(self.calls.encode(id).to_string());
                answer.tokens = lease.tokens.as_f64();
                answer.expires_in_seconds = Some(lease.until.since(now).as_secs_f64());
                if let Some(mark) = limiter.mark_needed(now) {
                    marks.push((Arc::clone(cell), mark));
                }
            }
            Err(denied) => {
                let (_, retry_after) = refusal(&denied, "min_tokens", limiter.config())?;
                answer.retry_after_seconds = Some(retry_after.as_secs_f64());
            }
        }
        Ok(answer)
    }

    /// Gives back a lease or a concurrency permit.
    #[must_use]
    pub fn limiter_release(&self, cell: &Arc<LimiterCell>, lease: &str, unused: Tokens) -> Released {
        let now = self.clock.now();
        let returned = self.calls.decode(lease).and_then(|id| cell.lock(self).release(now, id, unused));
        Released {
            released: returned.is_some(),
            returned_tokens: returned.unwrap_or_default().as_f64(),
            reason: returned.is_none().then_some("unknown"),
        }
    }

    /// Ends leases, counts what was spent without one, and leases anew: in that order, so that what comes back can be
    /// leased again.
    pub fn limiter_renew(
        &self,
        cell: &Arc<LimiterCell>,
        renewal: &Renewal<'_>,
        client: Option<&str>,
        marks: &mut Marks,
    ) -> Result<Renewed, AppError> {
        let end = |(id, unused): &(&str, Tokens)| self.limiter_release(cell, id, *unused);
        let released = renewal.releases.iter().map(end).collect();
        let now = self.clock.now();
        let mut limiter = cell.lock(self);
        limiter.seen(now, self.clients.identify(client));
        let debited = limiter.debit(now, renewal.spent);
        if let Some(mark) = limiter.mark_needed(now) {
            marks.push((Arc::clone(cell), mark));
        }
        let algorithm = limiter.config().algorithm();
        let fallback_share = limiter.fallback_share(now);
        drop(limiter);
        let lease = renewal.lease.map(|ask| self.limiter_lease(cell, ask, client, marks)).transpose()?;
        Ok(Renewed {
            limiter: cell.name.clone(),
            algorithm,
            released,
            debited_tokens: debited.as_f64(),
            lease,
            fallback_share,
        })
    }
}
