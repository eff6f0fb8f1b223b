//! Breakers: live cells, views, manual state changes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AppError, Board, Limits,
    definitions::Resource,
    idempotency::{Answer, IdempotencyKey, StoredAnswer},
    journal::NewEvent,
    registry::Registry,
};
use crate::{
    clock::Clock,
    domain::{
        Name, Time,
        breaker::StateName,
        breaker::{Breaker, BreakerConfig, BreakerSpec, Journal as Transitions, SetStateError, Transition},
    },
};

/// One live breaker.
#[derive(Debug)]
pub struct BreakerCell {
    name: Name,
    dirty: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    breaker: Breaker,
    /// When the board's timer will look at it next.
    timer: Option<Time>,
}

impl Resource for BreakerCell {
    const KIND: &'static str = "breaker";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_breakers;
    type Spec = BreakerSpec;
    type Config = BreakerConfig;

    fn spec(config: &BreakerConfig) -> BreakerSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.breakers
    }

    fn create(board: &Board, name: Name, config: BreakerConfig) -> Self {
        Self::new(name, Breaker::new(board.shared_config(config), board.clock.now()))
    }

    fn reconfigure(self: &Arc<Self>, board: &Board, config: BreakerConfig) {
        let config = board.shared_config(config);
        self.with(board, None, |breaker, now, journal| breaker.reconfigure(config, now, journal));
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> BreakerConfig {
        self.inner.lock().breaker.config().as_ref().clone()
    }
}

/// Who was behind a change, for the history.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// The client whose outcome it was.
    pub client: Option<&'a str>,
    /// The error that the client reported.
    pub error: Option<&'a str>,
}

impl BreakerCell {
    /// A cell around a breaker.
    #[must_use]
    pub fn new(name: Name, breaker: Breaker) -> Self {
        Self { name, dirty: AtomicBool::new(false), inner: Mutex::new(Inner { breaker, timer: None }) }
    }

    /// Works on the breaker under its lock; records what it did in the board's journal before letting go, so
    /// that the order of the history is the order of the changes.
    pub fn with<T>(
        self: &Arc<Self>,
        board: &Board,
        origin: Option<Origin<'_>>,
        work: impl FnOnce(&mut Breaker, Time, &mut Transitions) -> T,
    ) -> T {
        self.with_at(board, board.clock.now(), origin, work)
    }

    /// Like [`BreakerCell::with`] at an instant that has been read already.
    pub(super) fn with_at<T>(
        self: &Arc<Self>,
        board: &Board,
        now: Time,
        origin: Option<Origin<'_>>,
        work: impl FnOnce(&mut Breaker, Time, &mut Transitions) -> T,
    ) -> T {
        let mut inner = self.inner.lock();
        let mut transitions = Transitions::new();
        let result = work(&mut inner.breaker, now, &mut transitions);
        self.after(board, &mut inner, &transitions, origin);
        result
    }

    /// Like [`BreakerCell::with`], but keeps the lock so that several resources can be decided together.
    pub(super) fn hold(&self) -> Held<'_> {
        Held { inner: self.inner.lock(), transitions: Transitions::new() }
    }

    fn after(
        self: &Arc<Self>,
        board: &Board,
        inner: &mut Inner,
        transitions: &Transitions,
        origin: Option<Origin<'_>>,
    ) {
        self.touch(board);
        if !transitions.is_empty() {
            for transition in transitions {
                board.record_transition(&self.name, transition, origin, None);
            }
        }
        if let Some(at) = inner.breaker.next_timer()
            && inner.timer != Some(at)
        {
            inner.timer = Some(at);
            board.timers.add(at, self);
        }
    }

    /// Ends a [`Held`] in the way of [`BreakerCell::with`].
    pub(super) fn settle(self: &Arc<Self>, board: &Board, mut held: Held<'_>) {
        let transitions = std::mem::take(&mut held.transitions);
        self.after(board, &mut held.inner, &transitions, None);
    }

    /// Marks the state as changed since the last snapshot.
    fn touch(self: &Arc<Self>, board: &Board) {
        if !self.dirty.load(Ordering::Relaxed) && !self.dirty.swap(true, Ordering::Relaxed) {
            board.dirty.breakers.lock().push(Arc::clone(self));
        }
    }

    /// Serialises the state for the store, and counts as saved from here on.
    #[must_use]
    pub fn save(&self) -> String {
        self.dirty.store(false, Ordering::Relaxed);
        serde_json::to_string(&self.inner.lock().breaker.save()).unwrap_or_default()
    }

    /// Moves on what has run out by now.
    pub fn advance(self: &Arc<Self>, board: &Board) {
        self.with(board, None, Breaker::advance);
    }

    /// What clients see.
    #[must_use]
    pub fn view(self: &Arc<Self>, board: &Board) -> BreakerView {
        self.with(board, None, |breaker, now, journal| {
            breaker.advance(now, journal);
            BreakerView::of(&self.name, breaker, now, &board.clock)
        })
    }

    /// Reads the breaker as it is, without moving its timers on. For metrics.
    pub fn peek<T>(&self, read: impl FnOnce(&Breaker) -> T) -> T {
        read(&self.inner.lock().breaker)
    }
}

/// A locked breaker in the middle of a decision.
pub(super) struct Held<'a> {
    inner: parking_lot::MutexGuard<'a, Inner>,
    transitions: Transitions,
}

impl Held<'_> {
    pub(super) fn parts(&mut self) -> (&mut Breaker, &mut Transitions) {
        (&mut self.inner.breaker, &mut self.transitions)
    }
}

/// A breaker as answered by `GET /v1/breakers/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreakerView {
    /// The breaker's name.
    pub name: Name,
    /// Its present state.
    pub state: StateName,
    /// Lifetime counters, until a reset.
    pub metrics: MetricsView,
    /// The largest number of consecutive failures of one client; while it is not closed again, those that opened it.
    pub failure_count: u32,
    /// The number of consecutive failures that opens it.
    pub threshold: u32,
    /// Share of failures in the window; null below `minimum_calls` or without a window.
    pub failure_rate: Option<f64>,
    /// Share of slow calls in the window; null likewise.
    pub slow_call_rate: Option<f64>,
    /// Grows by one with every transition.
    pub generation: u64,
    /// When the present state began.
    #[schema(value_type = String, format = DateTime)]
    pub state_changed_at: Timestamp,
    /// When a refused call may try again; null if it is not refused now or nobody knows.
    pub retry_after_seconds: Option<f64>,
    /// Calls that have entered and neither reported nor expired.
    pub in_flight: u32,
    /// Clients with consecutive failures, the worst first.
    pub reporters: Vec<ReporterView>,
    /// The configuration, every field filled.
    pub config: BreakerSpec,
}

/// Counters of a breaker.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct MetricsView {
    /// Calls that asked, rejected ones included.
    pub total_calls: u64,
    /// Reported successes.
    pub success_calls: u64,
    /// Reported failures.
    pub failure_calls: u64,
    /// Calls that were refused.
    pub rejected_calls: u64,
    /// Outcomes that count neither way.
    pub ignored_calls: u64,
    /// Recorded calls slower than `slow_call_seconds`.
    pub slow_calls: u64,
    /// Successes in all calls; 0 when there were none.
    pub success_rate: f64,
}

impl From<&crate::domain::breaker::Metrics> for MetricsView {
    fn from(m: &crate::domain::breaker::Metrics) -> Self {
        Self {
            total_calls: m.total_calls,
            success_calls: m.success_calls,
            failure_calls: m.failure_calls,
            rejected_calls: m.rejected_calls,
            ignored_calls: m.ignored_calls,
            slow_calls: m.slow_calls,
            success_rate: m.success_rate(),
        }
    }
}

/// A client with consecutive failures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReporterView {
    /// The client's name.
    pub client: String,
    /// Its failures in a row.
    pub failures: u32,
}

impl BreakerView {
    fn of(name: &Name, breaker: &Breaker, now: Time, clock: &Clock) -> Self {
        let view = breaker.view(now);
        let mut reporters: Vec<_> = view
            .reporters
            .into_iter()
            .map(|reporter| ReporterView { client: reporter.client, failures: reporter.failures })
            .collect();
        reporters.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.client.cmp(&b.client)));
        Self {
            name: name.clone(),
            state: view.state,
            metrics: (&view.metrics).into(),
            failure_count: view.failure_count.max(view.tripped_with),
            threshold: breaker.config().failure_threshold(),
            failure_rate: view.failure_rate,
            slow_call_rate: view.slow_call_rate,
            generation: view.generation,
            state_changed_at: clock.wall_at(view.state_changed_at),
            retry_after_seconds: view.retry_after.map(|d| d.as_secs_f64()),
            in_flight: view.in_flight,
            reporters,
            config: breaker.config().as_ref().into(),
        }
    }
}

/// A stored transition as the events carry it.
#[derive(Clone, Debug, Serialize)]
struct TransitionData<'a> {
    from: StateName,
    to: StateName,
    cause: crate::domain::breaker::Cause,
    actor: Option<&'a str>,
    reason: Option<&'a str>,
    generation: u64,
    metrics: MetricsView,
    failure_count: u32,
    failure_rate: Option<f64>,
    slow_call_rate: Option<f64>,
    reporters: &'a [String],
}

impl Board {
    fn record_transition(
        &self,
        name: &Name,
        transition: &Transition,
        origin: Option<Origin<'_>>,
        answer: Option<StoredAnswer>,
    ) -> i64 {
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
        self.journal.record(
            &NewEvent { at, kind: "breaker.transition", resource: BreakerCell::KIND, name },
            &data,
            answer,
        )
    }

    /// Moves the breakers on whose timers have run out.
    pub fn advance_timers(&self) {
        for cell in self.timers.due(self.clock.now()) {
            cell.advance(self);
        }
    }

    /// A manual change of state. When this returns, the change is in force and on disk.
    pub async fn breaker_state_set(
        &self,
        name: &str,
        change: StateChange<'_>,
        key: Option<IdempotencyKey>,
    ) -> Result<Answer, AppError> {
        self.manual(name, key, |breaker, now, journal| {
            breaker.set_state(now, change.target, change.ttl, change.actor, change.reason, journal).map_err(
                |refusal| match refusal {
                    SetStateError::IllegalTransition { from, to } => AppError::IllegalTransition { from, to },
                    SetStateError::TtlNotAllowed => AppError::invalid(
                        "ttl_seconds",
                        "applies only to forced_open, disabled and metrics_only",
                    ),
                },
            )
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

/// A manual change of state.
#[derive(Clone, Copy, Debug)]
pub struct StateChange<'a> {
    /// The state to go to.
    pub target: StateName,
    /// For overrides: when the state before returns.
    pub ttl: Option<Duration>,
    /// Who asked.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
}
