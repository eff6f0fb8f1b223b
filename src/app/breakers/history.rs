//! Transitions go into the board's history.

use serde::Serialize;

use super::{BreakerCell, BreakerMetrics, Origin};
use crate::{
    app::{Board, definitions::Resource, idempotency::StoredAnswer, journal::NewEvent},
    domain::{
        Name,
        breaker::{StateName, Transition},
    },
};

/// A stored transition as the events carry it.
#[derive(Clone, Debug, Serialize)]
struct TransitionData<'a> {
    from: StateName,
    to: StateName,
    cause: crate::domain::breaker::Cause,
    actor: Option<&'a str>,
    reason: Option<&'a str>,
    generation: u64,
    metrics: BreakerMetrics,
    failure_count: u32,
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    reporters: &'a [String],
}

impl Board {
    pub(super) fn record_transition(
        &self,
        name: &Name,
        transition: &Transition,
        origin: Option<Origin<'_>>,
        answer: Option<StoredAnswer>,
    ) -> i64 {
        self.breaker_moved(name);
        let origin = origin.unwrap_or_default();
        let data = TransitionData {
            from: transition.from,
            to: transition.to,
            cause: transition.cause,
            actor: transition.actor.as_deref().or(origin.client),
            reason: transition.reason.as_deref().or(origin.error),
            generation: transition.generation,
            metrics: (&transition.metrics).into(),
            failure_count: transition.failure_count,
            failure_rate: transition.failure_rate,
            slow_call_rate: transition.slow_call_rate,
            reporters: &transition.reporters,
        };
        let at = self.clock.wall_at(transition.at);
        let id = self.journal.record(
            &NewEvent { at, kind: "breaker.transition", resource: BreakerCell::KIND, name },
            &data,
            answer,
        );
        let why = data.reason.unwrap_or(transition.cause.as_str());
        self.own_breaker(name, Some(transition.to), why);
        id
    }
}
