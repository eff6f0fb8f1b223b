//! Leases: tokens that a client spends by itself.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use utoipa::ToSchema;

use super::{LimiterCell, Marks, refusal};
use crate::{
    app::{AppError, Board, FieldError},
    domain::{
        Name, Time, Tokens,
        limiter::{Denied, Lease, Limiter, LimiterAlgorithm, Spend},
    },
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
    /// Tokens per second that this client may spend on its own while it cannot reach the server; for `concurrency`, calls
    /// at once.
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

impl LeaseAsk {
    /// One that makes sense: something is wanted, the least is a part of it, and it lasts.
    pub fn new(wanted: Tokens, least: Option<Tokens>, span: Option<Duration>) -> Result<Self, FieldError> {
        let wrong = |field: &str, message: &str| FieldError { field: field.into(), message: message.into() };
        if wanted == Tokens::ZERO {
            return Err(wrong("tokens", "must be more than 0"));
        }
        let least = least.unwrap_or(Tokens::ONE.min(wanted));
        if least > wanted || least == Tokens::ZERO {
            return Err(wrong("min_tokens", "must be more than 0 and at most tokens"));
        }
        if span.is_some_and(|span| span.is_zero()) {
            return Err(wrong("lease_seconds", "must be more than 0"));
        }
        Ok(Self { wanted, least, span })
    }
}

/// What a client wants of one limiter whose tokens it spends by itself.
#[derive(Clone, Copy, Debug)]
pub struct Renewal<'a> {
    /// Leases to end, each with what was not spent of it.
    pub releases: &'a [(&'a str, Tokens)],
    /// What it spent on its own while the server was away.
    pub spends: &'a [Spent],
    /// What it wants next.
    pub lease: Option<LeaseAsk>,
}

/// Tokens that a client spent on its own.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// How many.
    pub tokens: Tokens,
    /// How long ago.
    pub ago: Duration,
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
    /// Tokens per second that this client may spend on its own while it cannot reach the server; for `concurrency`, calls
    /// at once.
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
        self.beat();
        let (now, client) = (self.clock.now(), self.clients.identify(client));
        let mut limiter = cell.lock(self);
        limiter.seen(now, client);
        self.can_lease(&limiter, ask)?;
        let leased = self.lease(&mut limiter, now, ask, client)?;
        if leased.allowed
            && let Some(mark) = limiter.mark_needed(now)
        {
            marks.push((Arc::clone(cell), mark));
        }
        Ok(leased)
    }

    /// Gives back a lease or a concurrency permit.
    #[must_use]
    pub fn limiter_release(&self, cell: &Arc<LimiterCell>, lease: &str, unused: Tokens) -> Released {
        self.release(&mut cell.lock(self), self.clock.now(), lease, unused)
    }

    /// Ends leases, counts what was spent without one, and leases anew: in that order, so that what comes back can be
    /// leased again. If the new lease can never be, nothing is done.
    pub fn limiter_renew(
        &self,
        cell: &Arc<LimiterCell>,
        renewal: &Renewal<'_>,
        client: Option<&str>,
        marks: &mut Marks,
    ) -> Result<Renewed, AppError> {
        self.beat();
        let (now, client) = (self.clock.now(), self.clients.identify(client));
        let mut limiter = cell.lock(self);
        if let Some(ask) = renewal.lease {
            self.can_lease(&limiter, ask)?;
        }
        let end = |(id, unused): &(&str, Tokens)| self.release(&mut limiter, now, id, *unused);
        let released = renewal.releases.iter().map(end).collect();
        let spends: Vec<_> = renewal
            .spends
            .iter()
            .map(|spent| Spend { at: now.before(spent.ago), tokens: spent.tokens })
            .collect();
        // Before it counts as back: its share was set aside for just that.
        let adopted = renewal.lease.and_then(|ask| {
            let id = self.calls.fresh_id();
            limiter.adopt(now, ask.wanted, (id, client)).map(|lease| (id, lease))
        });
        let debited = limiter.debit(now, client, &spends);
        limiter.seen(now, client);
        let lease = match (renewal.lease, adopted) {
            (Some(_), Some((id, lease))) => Some(self.leased(&mut limiter, now, id, lease)),
            (Some(ask), None) => Some(self.lease(&mut limiter, now, ask, client)?),
            (None, _) => None,
        };
        if let Some(mark) = limiter.mark_needed(now) {
            marks.push((Arc::clone(cell), mark));
        }
        Ok(Renewed {
            limiter: cell.name.clone(),
            algorithm: limiter.config().algorithm(),
            released,
            debited_tokens: debited.as_f64(),
            lease,
            fallback_share: limiter.fallback_share(now),
        })
    }

    /// Whether there can be such a lease at all, now or later.
    fn can_lease(&self, limiter: &Limiter, ask: LeaseAsk) -> Result<(), AppError> {
        if ask.least > limiter.config().capacity() {
            return refusal(&Denied::NeverFits, "min_tokens", limiter.config()).map(drop);
        }
        self.disk_bears(limiter, ask.wanted)
    }

    fn lease(
        &self,
        limiter: &mut Limiter,
        now: Time,
        ask: LeaseAsk,
        client: u64,
    ) -> Result<Leased, AppError> {
        let id = self.calls.fresh_id();
        let wanted = ask.wanted.min(limiter.fair_lease(now, ask.least));
        let leased = limiter.lease(now, wanted, ask.least, (id, client), ask.span.unwrap_or(Duration::MAX));
        Ok(match leased {
            Ok(lease) => self.leased(limiter, now, id, lease),
            Err(denied) => Leased {
                allowed: false,
                lease_id: None,
                tokens: 0.0,
                expires_in_seconds: None,
                retry_after_seconds: Some(refusal(&denied, "min_tokens", limiter.config())?.1.as_secs_f64()),
                fallback_share: limiter.fallback_share(now),
            },
        })
    }

    fn leased(&self, limiter: &mut Limiter, now: Time, id: u64, lease: Lease) -> Leased {
        Leased {
            allowed: true,
            lease_id: Some(self.calls.encode(id).to_string()),
            tokens: lease.tokens.as_f64(),
            expires_in_seconds: Some(lease.until.since(now).as_secs_f64()),
            retry_after_seconds: None,
            fallback_share: limiter.fallback_share(now),
        }
    }

    fn release(&self, limiter: &mut Limiter, now: Time, lease: &str, unused: Tokens) -> Released {
        let returned = self.calls.decode(lease).and_then(|id| limiter.release(now, id, unused));
        Released {
            released: returned.is_some(),
            returned_tokens: returned.unwrap_or_default().as_f64(),
            reason: returned.is_none().then_some("unknown"),
        }
    }
}
