//! Changes by hand.

use std::{sync::Arc, time::Duration};

use super::{BreakerCell, BreakerView};
use crate::{
    app::{
        AppError, Board,
        idempotency::{Answer, IdempotencyKey, StoredAnswer},
    },
    domain::{
        Time,
        breaker::{Breaker, Journal as Transitions, SetStateError, StateName},
    },
};

/// A manual change of state.
#[derive(Clone, Debug)]
pub struct StateChange {
    /// The state to go to.
    pub target: StateName,
    /// For overrides: when the state before returns.
    pub ttl: Option<Duration>,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Board {
    /// A manual change of state. When this returns, the change is in force and on disk.
    pub async fn breaker_state_set(
        &self,
        name: &str,
        change: StateChange,
        key: Option<IdempotencyKey>,
    ) -> Result<Answer, AppError> {
        self.manual(name, key, |breaker, now, journal| {
            let StateChange { target, ttl, actor, reason } = &change;
            breaker.set_state(now, *target, *ttl, actor, reason, journal).map_err(|refusal| match refusal {
                SetStateError::IllegalTransition { from, to } => AppError::IllegalTransition { from, to },
                SetStateError::TtlNotAllowed => {
                    AppError::invalid("ttl_seconds", "applies only to forced_open, disabled and metrics_only")
                }
            })
        })
        .await
    }

    /// Closes the breaker and forgets its counts. When this returns, it is in force and on disk.
    pub async fn breaker_reset(
        &self,
        name: &str,
        actor: &str,
        reason: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Answer, AppError> {
        self.manual(name, key, |breaker, now, journal| {
            breaker.reset(now, actor, reason, journal);
            Ok(())
        })
        .await
    }

    async fn manual(
        &self,
        name: &str,
        key: Option<IdempotencyKey>,
        work: impl FnOnce(&mut Breaker, Time, &mut Transitions) -> Result<(), AppError>,
    ) -> Result<Answer, AppError> {
        let cell = self.find::<BreakerCell>(name)?;
        let (answer, id) = self.manual_now(&cell, key, work)?;
        // An unchanged breaker needs no write: what it is, was acknowledged before.
        if let Some(id) = id {
            self.journal.durable(id).await?;
        }
        Ok(answer)
    }

    fn manual_now(
        &self,
        cell: &Arc<BreakerCell>,
        key: Option<IdempotencyKey>,
        work: impl FnOnce(&mut Breaker, Time, &mut Transitions) -> Result<(), AppError>,
    ) -> Result<(Answer, Option<i64>), AppError> {
        let now = self.clock.now();
        let mut inner = cell.inner.lock();
        let mut transitions = Transitions::new();
        let result = work(&mut inner.breaker, now, &mut transitions);
        let view = BreakerView::of(&cell.name, &inner.breaker, now, &self.clock);
        let answer = Answer { status: 200, body: serde_json::to_vec(&view).unwrap_or_default().into() };
        // The answer is stored with the last event, which is the manual change; the ones before are timers.
        let last = transitions.pop();
        cell.after(self, &mut inner, &transitions, None);
        let id = last.map(|transition| {
            let stored = result.is_ok().then_some(key).flatten();
            let stored = stored.map(|key| StoredAnswer { key, answer: answer.clone() });
            self.record_transition(&cell.name, &transition, None, stored)
        });
        drop(inner);
        result.map(|()| (answer, id))
    }
}
