//! Runs by the board itself: each when it is due, many at once, none twice.
//!
//! A run has a place of its own while it lasts, and there are so many places. What is due without finding one waits in
//! line, once. So a peer that hangs holds one place until the probe's timeout, and nothing piles up behind it.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::HashSet;
use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{CheckCell, run::Run};
use crate::{
    app::{Board, timers::Timers},
    domain::{Name, check::Observation},
};

/// What is running and what waits to run.
#[derive(Debug)]
pub struct Runs {
    pub(super) timers: Timers<CheckCell>,
    pub(super) ready: Mutex<VecDeque<Arc<CheckCell>>>,
    places: Arc<Semaphore>,
    most: usize,
    enabled: AtomicBool,
    /// Breakers that have changed their state since the checks on them last looked.
    moved: Mutex<HashSet<Name>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Runs {
    /// With room for so many at once.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            timers: Timers::default(),
            ready: Mutex::default(),
            places: Arc::new(Semaphore::new(most)),
            most,
            enabled: AtomicBool::new(true),
            moved: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Whether checks run by themselves.
    #[must_use]
    pub fn are_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// How many are in flight, and how many wait for a place.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        (self.most.saturating_sub(self.places.available_permits()), self.ready.lock().len())
    }

    /// Looks that are to come, those that a later one has made needless included.
    #[must_use]
    pub fn looks(&self) -> usize {
        self.timers.len()
    }

    /// Puts a check in line, unless it stands there already.
    pub(super) fn enqueue(&self, cell: &Arc<CheckCell>) {
        if !cell.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().push_back(Arc::clone(cell));
        }
    }

    fn next(&self) -> Option<Arc<CheckCell>> {
        self.ready.lock().pop_front()
    }
}

impl Board {
    /// Switches runs by the board itself on or off. Off, results turn stale; what is asked for still runs.
    pub fn set_checks_enabled(&self, enabled: bool) {
        let before = self.runs.enabled.swap(enabled, Ordering::Relaxed);
        if enabled && !before {
            for cell in self.checks.all() {
                cell.arm(self, &mut cell.inner.lock());
            }
        }
    }

    /// A breaker has another state: the checks on it look with the next step. It may be locked.
    pub(in crate::app) fn breaker_moved(&self, name: &Name) {
        if !self.checks.is_empty() {
            self.runs.moved.lock().insert(name.clone());
        }
    }

    /// Does what is due: turns what is stale or late, begins runs.
    pub fn advance_checks(self: &Arc<Self>) {
        let moved = std::mem::take(&mut *self.runs.moved.lock());
        if !moved.is_empty() {
            for cell in self.checks.all() {
                if cell.looks_at_any(&moved) {
                    cell.glance(self, false);
                }
            }
        }
        for (at, cell) in self.runs.timers.due(self.clock.now()) {
            cell.wake(self, at);
        }
        self.start_runs();
    }

    /// Begins as many waiting runs as there are free places.
    pub(in crate::app) fn start_runs(self: &Arc<Self>) {
        while let Ok(place) = Arc::clone(&self.runs.places).try_acquire_owned() {
            let Some(first) = self.runs.next() else { return };
            let board = Arc::clone(self);
            self.runs.tasks.spawn(async move {
                let mut next = Some(first);
                while let Some(cell) = next {
                    if board.run(&cell).await.is_none() {
                        break;
                    }
                    next = board.runs.next();
                }
                drop(place);
            });
        }
    }

    /// None if the server stops.
    async fn run(&self, cell: &Arc<CheckCell>) -> Option<()> {
        let Some(run) = Run::begin(self, cell) else { return Some(()) };
        let config = Arc::clone(&run.config);
        let probe = AssertUnwindSafe(self.probe(&config)).catch_unwind();
        let seen = tokio::select! {
            seen = probe => seen,
            () = self.runs.stop.cancelled() => return None,
        };
        run.finish(seen.unwrap_or_else(|_| {
            Observation::failed("the server has a bug; see its log", "the probe panicked")
        }));
        Some(())
    }

    /// Ends what is running, without results.
    pub async fn stop_runs(&self) {
        self.runs.stop.cancel();
        self.runs.tasks.close();
        self.runs.tasks.wait().await;
    }
}
