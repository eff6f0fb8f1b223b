//! Breakers: live cells, views, manual state changes.

mod history;
mod manual;
mod view;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

pub use self::{
    manual::StateChange,
    view::{BreakerMetrics, BreakerView, ReporterView},
};
use super::{Board, Limits, definitions::Resource, registry::Registry};
use crate::domain::{
    Name, StateName, Time,
    breaker::{Breaker, BreakerConfig, BreakerSpec, Journal as Transitions},
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

    fn created(self: &Arc<Self>, board: &Board) {
        self.touch(board);
    }

    fn removed(&self, board: &Board) {
        board.own_breaker(&self.name, None, "");
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
        self.look(board, |breaker, now| BreakerView::of(&self.name, breaker, now, &board.clock))
    }

    /// Its state, as of now.
    #[must_use]
    pub fn state(self: &Arc<Self>, board: &Board) -> StateName {
        self.look(board, |breaker, _| breaker.state())
    }

    /// Reads the breaker as of now. Whoever only looks makes no work for the disk.
    pub(super) fn look<T>(self: &Arc<Self>, board: &Board, read: impl FnOnce(&Breaker, Time) -> T) -> T {
        let now = board.clock.now();
        let mut inner = self.inner.lock();
        let mut transitions = Transitions::new();
        inner.breaker.advance(now, &mut transitions);
        if !transitions.is_empty() {
            self.after(board, &mut inner, &transitions, None);
        }
        read(&inner.breaker, now)
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

impl Board {
    /// Moves the breakers on whose timers have run out.
    pub fn advance_timers(&self) {
        for (_, cell) in self.timers.due(self.clock.now()) {
            cell.advance(self);
        }
    }
}
