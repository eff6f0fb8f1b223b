//! Guarded calls: the limiters and the breaker decide together, and outcomes come back.

use std::{sync::Arc, time::Duration};

use parking_lot::MutexGuard;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppError, Board,
    breakers::{BreakerCell, Origin},
    call_table::{Absent, Call, CallId},
    definitions::{Resource, not_found},
    limiters::{LimiterCell, Marks, refusal},
    text::Text,
};
use crate::domain::{
    Name, Seconds, Time, Tokens,
    breaker::{Client, Outcome, RefusedReason, Reported, StateName},
    limiter::{Denied, Limiter, LimiterAlgorithm},
};

/// The most limiters that one call may name.
pub const MAX_LIMITERS: usize = 16;
/// The lease of a call that entered no breaker.
const LEASE_WITHOUT_BREAKER: Duration = Duration::from_secs(60);

/// Tokens of one limiter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimiterAsk<'a> {
    /// The limiter's name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// How many tokens; 1 if left out.
    #[serde(default = "one")]
    pub tokens: Tokens,
}

fn one() -> Tokens {
    Tokens::ONE
}

/// The outcome of an earlier call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeReport<'a> {
    /// Which call.
    #[serde(borrow)]
    pub call_id: Text<'a>,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took.
    #[serde(default = "no_time")]
    pub duration_seconds: Seconds,
    /// What went wrong, for the history.
    #[serde(borrow, default)]
    pub error: Option<Text<'a>>,
}

fn no_time() -> Seconds {
    Seconds::ZERO
}

/// What a call asks for.
#[derive(Debug)]
pub struct CallAsk<'a> {
    /// The breaker to enter.
    pub breaker: Option<&'a str>,
    /// The limiters to take tokens from.
    pub limiters: &'a [LimiterAsk<'a>],
    /// How long the caller is ready to sleep first.
    pub max_wait: Duration,
    /// Who calls.
    pub client: Option<&'a str>,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenyReason {
    /// The breaker is open, or forced open.
    BreakerOpen,
    /// The breaker is half-open and its permits are all out.
    HalfOpenFull,
    /// A limiter has no tokens within `max_wait_seconds`.
    RateLimited,
    /// A concurrency limiter has no free permit.
    ConcurrencyFull,
}

/// The answer to `POST /v1/calls`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallDecision {
    /// Whether to make the call.
    pub allowed: bool,
    /// The id under which to report the outcome; null if refused.
    #[schema(value_type = Option<String>)]
    pub call_id: Option<CallId>,
    /// The breaker's state after the decision; null without a breaker.
    pub breaker_state: Option<StateName>,
    /// How long to sleep before making the call; null if refused.
    pub wait_seconds: Option<f64>,
    /// Why it was refused; null if allowed.
    pub reason: Option<DenyReason>,
    /// The breaker or limiter that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<Name>,
    /// When the same call would be allowed, if nobody else acts; null if allowed or if nobody knows.
    pub retry_after_seconds: Option<f64>,
    /// The smallest fair share of the limiters named: tokens per second to spend while the server is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_share: Option<f64>,
    /// The answers to the `outcomes` of the request, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeAnswer>,
}

/// The answer to one reported outcome.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OutcomeAnswer {
    /// Whether it counted.
    pub recorded: bool,
    /// Why not; null if it counted.
    pub reason: Option<OutcomeRefusal>,
    /// The breaker's state afterwards; null if the call had no breaker or is not known.
    pub breaker_state: Option<StateName>,
}

/// Why an outcome did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeRefusal {
    /// The call has reported before.
    Duplicate,
    /// The call's lease had run out.
    Expired,
    /// The breaker has changed its state since the call entered.
    StaleGeneration,
    /// There is no such call.
    Unknown,
}

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

    /// Takes the outcomes of calls, in order.
    #[must_use]
    pub fn call_outcomes(&self, reports: &[OutcomeReport<'_>]) -> Vec<OutcomeAnswer> {
        let now = self.clock.now();
        let take = |report| {
            let answer = self.take_outcome(report, now);
            self.telemetry.count_outcome(report.outcome, answer.reason);
            answer
        };
        reports.iter().map(take).collect()
    }

    fn take_outcome(&self, report: &OutcomeReport<'_>, now: Time) -> OutcomeAnswer {
        let Some(id) = self.calls.decode(report.call_id.as_str()) else {
            return OutcomeAnswer::refused(OutcomeRefusal::Unknown);
        };
        let call = match self.calls.take(id) {
            Ok(call) => call,
            Err(absent) => return OutcomeAnswer::refused(absent.into()),
        };
        for cell in call.holds.iter().flatten() {
            cell.lock(self).release(now, id, Tokens::ZERO);
        }
        let expired = call.deadline <= now;
        let Some((cell, generation)) = &call.breaker else {
            let reason = expired.then_some(OutcomeRefusal::Expired);
            return OutcomeAnswer { recorded: !expired, reason, breaker_state: None };
        };
        let name = self.clients.name_of(call.client);
        let origin = Origin { client: Some(&name), error: report.error.as_ref().map(Text::as_str) };
        cell.with_at(self, now, Some(origin), |breaker, now, transitions| {
            breaker.advance(now, transitions);
            let reported = if expired {
                breaker.expire(*generation, id);
                Reported::Expired
            } else {
                let client = Client { hash: call.client, name: &name };
                let duration = report.duration_seconds.get();
                breaker.report(now, *generation, id, client, report.outcome, duration, transitions)
            };
            let reason = match reported {
                Reported::Recorded => None,
                Reported::StaleGeneration => Some(OutcomeRefusal::StaleGeneration),
                Reported::Expired => Some(OutcomeRefusal::Expired),
            };
            OutcomeAnswer { recorded: reason.is_none(), reason, breaker_state: Some(breaker.state()) }
        })
    }

    /// Gives back the permits of calls that never reported.
    pub fn expire_calls(&self) {
        let now = self.clock.now();
        for (id, call) in self.calls.sweep(now) {
            self.telemetry.expired_calls.inc();
            for cell in call.holds.iter().flatten() {
                cell.lock(self).release(now, id, Tokens::ZERO);
            }
            if let Some((cell, generation)) = call.breaker {
                cell.with(self, None, |breaker, now, transitions| {
                    breaker.advance(now, transitions);
                    breaker.expire(generation, id);
                });
            }
        }
    }
}

/// The earliest instant within `max_wait` at which every limiter can grant its tokens; else who cannot, and why.
fn agree(
    locked: &mut [(MutexGuard<'_, Limiter>, Tokens)],
    now: Time,
    max_wait: Duration,
) -> Result<Time, (usize, Denied)> {
    let mut at = now;
    loop {
        let before = at;
        for (i, (limiter, tokens)) in locked.iter_mut().enumerate() {
            if *tokens == Tokens::ZERO {
                continue;
            }
            at = limiter.ready_within(now, at, *tokens, max_wait).map_err(|denied| (i, denied))?;
        }
        if at == before || locked.len() == 1 {
            return Ok(at);
        }
    }
}

impl CallDecision {
    fn undecided(locked: &mut [(MutexGuard<'_, Limiter>, Tokens)], now: Time) -> Self {
        let fallback_share =
            locked.iter_mut().filter_map(|(limiter, _)| limiter.fallback_share(now)).reduce(f64::min);
        Self {
            allowed: false,
            call_id: None,
            breaker_state: None,
            wait_seconds: None,
            reason: None,
            denied_by: None,
            retry_after_seconds: None,
            fallback_share,
            outcomes: Vec::new(),
        }
    }

    fn deny(&mut self, reason: DenyReason, by: Name, retry_after: Option<Duration>) {
        self.reason = Some(reason);
        self.denied_by = Some(by);
        self.retry_after_seconds = retry_after.map(|d| d.as_secs_f64());
    }
}

impl OutcomeAnswer {
    fn refused(reason: OutcomeRefusal) -> Self {
        Self { recorded: false, reason: Some(reason), breaker_state: None }
    }
}

impl From<Absent> for OutcomeRefusal {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Duplicate => Self::Duplicate,
            Absent::Expired => Self::Expired,
            Absent::Unknown => Self::Unknown,
        }
    }
}
