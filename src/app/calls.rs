//! Guarded calls: the limiters and the breaker decide together, and outcomes come back.

mod aggregates;
mod outcomes;
mod wire;

use std::{sync::Arc, time::Duration};

pub use self::{
    aggregates::{AggregateAnswer, AggregateReport, RunReport, Session},
    wire::{CallAsk, CallDecision, DenyReason, LimiterAsk, OutcomeAnswer, OutcomeRefusal, OutcomeReport},
};
use parking_lot::MutexGuard;

use super::{
    AppError, Board,
    breakers::BreakerCell,
    call_table::Call,
    definitions::{Resource, not_found},
    limiters::{LimiterCell, Marks, pause, refusal},
};
use crate::domain::{
    Name, Time, Tokens,
    breaker::RefusedReason,
    limiter::{Denied, Limiter, LimiterAlgorithm, common_instant},
};

/// The most limiters that one call may name.
pub const MAX_LIMITERS: usize = 16;
/// The lease of a call that entered no breaker.
const LEASE_WITHOUT_BREAKER: Duration = Duration::from_secs(60);

/// The resources that a call names, found.
#[derive(Debug)]
pub struct CallTargets {
    breaker: Option<Arc<BreakerCell>>,
    limiters: Vec<(Arc<LimiterCell>, Tokens)>,
}

/// A resource that a call names and that does not exist.
#[derive(Debug)]
pub enum Missing {
    /// No such breaker.
    Breaker(String),
    /// No such limiter.
    Limiter(String),
}

impl From<Missing> for AppError {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Breaker(name) => not_found::<BreakerCell>(&name),
            Missing::Limiter(name) => not_found::<LimiterCell>(&name),
        }
    }
}

impl Board {
    /// Finds what a call names.
    pub fn call_targets(&self, ask: &CallAsk<'_>) -> Result<CallTargets, Missing> {
        let breaker = match ask.breaker {
            Some(name) if !self.breakers_enabled() => {
                self.breakers.get(name).ok_or_else(|| Missing::Breaker(name.to_owned()))?;
                None
            }
            Some(name) => Some(self.breakers.get(name).ok_or_else(|| Missing::Breaker(name.to_owned()))?),
            None => None,
        };
        let mut limiters = Vec::with_capacity(ask.limiters.len());
        for LimiterAsk { name, tokens } in ask.limiters {
            let name = name.as_str();
            let cell = self.limiters.get(name).ok_or_else(|| Missing::Limiter(name.to_owned()))?;
            limiters.push((cell, *tokens));
        }
        Ok(CallTargets { breaker, limiters })
    }

    /// Checks all, then commits all: a refusal by one consumes nothing of the others.
    pub fn call_begin(
        &self,
        ask: &CallAsk<'_>,
        mut targets: CallTargets,
        marks: &mut Marks,
    ) -> Result<CallDecision, AppError> {
        self.beat();
        if self.calls.len() >= self.limits.max_calls_in_flight {
            return Err(AppError::Overloaded { retry_after: Duration::from_secs(1) });
        }
        // One order for everybody, so that two calls with the same limiters never wait for each other.
        targets.limiters.sort_unstable_by_key(|(cell, _)| Arc::as_ptr(cell).addr());
        if targets.limiters.windows(2).any(|pair| Arc::ptr_eq(&pair[0].0, &pair[1].0)) {
            return Err(AppError::invalid("limiters", "names the same limiter twice"));
        }
        let client = self.clients.identify(ask.client);
        let mut locked: Vec<(MutexGuard<'_, Limiter>, Tokens)> =
            targets.limiters.iter().map(|(cell, tokens)| (cell.lock(self), *tokens)).collect();
        for (limiter, tokens) in &locked {
            self.disk_bears(limiter, *tokens)?;
        }
        let mut held = targets.breaker.as_ref().map(|cell| cell.hold());
        let now = self.clock.now();
        for (limiter, _) in &mut locked {
            limiter.seen(now, client);
        }

        let mut decision = CallDecision::undecided(&mut locked, now);
        if let (Some(cell), Some(held)) = (&targets.breaker, &mut held) {
            let (breaker, transitions) = held.parts();
            let verdict = breaker.check(now, transitions);
            decision.breaker_state = Some(breaker.state());
            if let Err(refused) = verdict {
                breaker.reject();
                let reason = match refused.reason {
                    RefusedReason::Open => DenyReason::BreakerOpen,
                    RefusedReason::HalfOpenFull => DenyReason::HalfOpenFull,
                };
                decision.deny(reason, cell.name().clone(), refused.retry_after);
            }
        }
        let mut never_fits = None;
        if decision.reason.is_none() {
            match agree(&mut locked, now, ask.max_wait) {
                Ok(at) => self.commit(&targets, &mut locked, held.as_mut(), client, (now, at), &mut decision),
                Err((culprit, denied)) => {
                    let (limiter, _) = &mut locked[culprit];
                    match refusal(&denied, "limiters", limiter.config()) {
                        Ok((reason, retry_after)) => {
                            limiter.count_request(true);
                            let name = targets.limiters[culprit].0.name().clone();
                            decision.deny(reason, name, Some(retry_after));
                        }
                        Err(error) => never_fits = Some(error),
                    }
                }
            }
        }
        for ((limiter, _), (cell, _)) in locked.iter().zip(&targets.limiters) {
            if decision.allowed
                && let Some(mark) = limiter.mark_needed(now)
            {
                marks.push((Arc::clone(cell), mark));
            }
        }
        drop(locked);
        if let (Some(cell), Some(held)) = (&targets.breaker, held) {
            cell.settle(self, held);
        }
        if let Some(error) = never_fits {
            return Err(error);
        }
        self.telemetry.count_decision(decision.reason);
        Ok(decision)
    }

    fn commit(
        &self,
        targets: &CallTargets,
        locked: &mut [(MutexGuard<'_, Limiter>, Tokens)],
        held: Option<&mut super::breakers::Held<'_>>,
        client: u64,
        (now, at): (Time, Time),
        decision: &mut CallDecision,
    ) {
        let id = self.calls.fresh_id();
        let mut holds = Vec::new();
        let mut deadline = at.after(LEASE_WITHOUT_BREAKER);
        for ((limiter, tokens), (cell, _)) in locked.iter_mut().zip(&targets.limiters) {
            if *tokens == Tokens::ZERO {
                continue;
            }
            limiter.grant(now, at, *tokens, id);
            limiter.count_request(at > now);
            if limiter.config().algorithm() == LimiterAlgorithm::Concurrency {
                deadline = deadline.max(at.after(limiter.config().lease()));
                holds.push(Arc::clone(cell));
            }
        }
        let mut breaker = None;
        if let (Some(cell), Some(held)) = (&targets.breaker, held) {
            let permit = held.parts().0.enter(at, id);
            deadline = permit.deadline;
            breaker = Some((Arc::clone(cell), permit.generation));
        }
        let holds = (!holds.is_empty()).then(|| holds.into_boxed_slice());
        self.calls.insert(id, Call { breaker, deadline, client, holds });
        decision.allowed = true;
        decision.call_id = Some(self.calls.encode(id));
        decision.wait_seconds = Some(at.since(now).as_secs_f64());
    }
}

/// The earliest instant within `max_wait` at which every limiter can grant its tokens; else who cannot, and why.
fn agree(
    locked: &mut [(MutexGuard<'_, Limiter>, Tokens)],
    now: Time,
    max_wait: Duration,
) -> Result<Time, (usize, Denied)> {
    common_instant(now, locked.len(), |i, at| match &mut locked[i] {
        (_, Tokens::ZERO) => Ok(at),
        (limiter, tokens) => limiter.ready_within(now, at, *tokens, max_wait).map_err(|denied| (i, denied)),
    })
}

impl CallDecision {
    fn undecided(locked: &mut [(MutexGuard<'_, Limiter>, Tokens)], now: Time) -> Self {
        let (mut fallback_share, mut fallback_permits) = (None, None);
        let mut fallback_after = Duration::ZERO;
        for (limiter, _) in locked {
            fallback_after = fallback_after.max(limiter.fallback_after(now));
            let share = limiter.fallback_share(now);
            let least: &mut Option<f64> = match limiter.config().algorithm() {
                LimiterAlgorithm::Concurrency => &mut fallback_permits,
                _ => &mut fallback_share,
            };
            *least = least.iter().copied().chain(share).reduce(f64::min);
        }
        Self {
            allowed: false,
            call_id: None,
            breaker_state: None,
            wait_seconds: None,
            reason: None,
            denied_by: None,
            retry_after_seconds: None,
            fallback_share,
            fallback_permits,
            fallback_after_seconds: pause(fallback_after),
            outcomes: Vec::new(),
        }
    }

    fn deny(&mut self, reason: DenyReason, by: Name, retry_after: Option<Duration>) {
        self.reason = Some(reason);
        self.denied_by = Some(by);
        self.retry_after_seconds = retry_after.map(|d| d.as_secs_f64());
    }
}
