//! Checks: live cells, results that are sent, signals of jobs.
//!
//! `checks/` has the rest: [`runs`] what the board does by itself, [`results`] the history, [`pings`] the keys of
//! heartbeats, [`view`] what clients see.

mod history;
pub mod pings;
mod probe;
pub mod results;
mod run;
pub mod runs;
pub mod tally;
pub mod view;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{AppError, Board, Limits, definitions::Resource};
use crate::{
    app::registry::Registry,
    domain::{
        Name, Time,
        check::{Check, CheckConfig, CheckSpec, Journal as Changes, Observation, RunToken, Signal},
    },
    store::{StoreError, sqlite::states},
};
use pings::PingKey;
use tally::Tally;

/// Pings that may come at once; further ones come one a second.
const PING_BURST: u32 = 20;
const PING_PERIOD: Duration = Duration::from_secs(1);

/// One live check.
#[derive(Debug)]
pub struct CheckCell {
    name: Name,
    key: PingKey,
    dirty: AtomicBool,
    /// Whether it waits for its turn to run.
    queued: AtomicBool,
    /// Told whenever a run has ended.
    ended: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    check: Check,
    /// When the board's timer will look at it next.
    wake: Option<Time>,
    /// When the pings so far would have come, one a period.
    pinged: Time,
    tally: Tally,
    flight: Option<RunToken>,
    /// Runs begun since the start of the server, those ended, and how many somebody waits for.
    begun: u64,
    finished: u64,
    wanted: u64,
}

impl Resource for CheckCell {
    const KIND: &'static str = "check";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_checks;
    type Spec = CheckSpec;
    type Config = CheckConfig;

    fn spec(config: &CheckConfig) -> CheckSpec {
        config.into()
    }

    fn shown(config: &CheckConfig) -> CheckSpec {
        config.view()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.checks
    }

    fn create(board: &Board, name: Name, config: CheckConfig) -> Self {
        let check = Check::new(&name, Arc::new(config), board.clock.now());
        Self::new(board, name, check)
    }

    fn created(self: &Arc<Self>, board: &Board) {
        // So that it is known from when on nothing was known.
        self.touch(board);
        self.resume(board);
    }

    fn removed(&self, board: &Board) {
        board.pings.remove(self.key);
        board.results.forget(&self.name);
        board.own_check(&self.name, None, "");
    }

    fn reconfigure(self: &Arc<Self>, board: &Board, config: CheckConfig) {
        self.touch(board);
        self.with(board, |check, now, changes| check.reconfigure(Arc::new(config), now, changes));
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> CheckConfig {
        self.inner.lock().check.config().as_ref().clone()
    }
}

impl CheckCell {
    /// A cell around a check.
    #[must_use]
    pub fn new(board: &Board, name: Name, check: Check) -> Self {
        let mut tally = Tally::default();
        if let Some(last) = check.last() {
            tally.look(last);
        }
        let inner = Inner {
            check,
            wake: None,
            pinged: Time::MIN,
            tally,
            flight: None,
            begun: 0,
            finished: 0,
            wanted: 0,
        };
        Self {
            key: board.pings.add(&name),
            name,
            dirty: AtomicBool::new(false),
            queued: AtomicBool::new(false),
            ended: Notify::new(),
            inner: Mutex::new(inner),
        }
    }

    /// Reads the check as it is, without bringing it up to date.
    pub(super) fn peek<T>(&self, read: impl FnOnce(&Check) -> T) -> T {
        read(&self.inner.lock().check)
    }

    /// Goes with time from here on.
    pub(super) fn resume(self: &Arc<Self>, board: &Board) {
        self.arm(board, &mut self.inner.lock());
    }

    /// Works on the check under its lock; records what changed in the board's journal before letting go, so that the
    /// order of the history is the order of the changes.
    fn with<T>(self: &Arc<Self>, board: &Board, work: impl FnOnce(&mut Check, Time, &mut Changes) -> T) -> T {
        self.with_inner(board, |inner, now, changes| work(&mut inner.check, now, changes))
    }

    fn with_inner<T>(
        self: &Arc<Self>,
        board: &Board,
        work: impl FnOnce(&mut Inner, Time, &mut Changes) -> T,
    ) -> T {
        let mut inner = self.inner.lock();
        // Read under the lock, so that what happens later is never earlier.
        let now = board.clock.now();
        let mut changes = Changes::new();
        let result = work(&mut inner, now, &mut changes);
        if !changes.is_empty() {
            self.touch(board);
            board.record_check_changes(&self.name, &changes);
        }
        self.arm(board, &mut inner);
        result
    }

    /// Like [`with_inner`](Self::with_inner), for work that takes a result; the error is that it did not.
    fn take<T, E>(
        self: &Arc<Self>,
        board: &Board,
        work: impl FnOnce(&mut Inner, Time, &mut Changes) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with_inner(board, |inner, now, changes| {
            let taken = work(inner, now, changes)?;
            self.touch(board);
            if let Some(last) = inner.check.last() {
                inner.tally.add(last);
                board.results.add(&self.name, last);
            }
            Ok(taken)
        })
    }

    /// Has the board's timer look at the check when there is something to do. One outstanding look is enough: when its
    /// time has come, this is asked again. An earlier one takes its place; what is left of it in the heap is dropped there
    /// when its time comes.
    fn arm(self: &Arc<Self>, board: &Board, inner: &mut Inner) {
        let waits = self.queued.load(Ordering::Relaxed) || inner.flight.is_some();
        let run = (!waits && board.runs.are_enabled()).then(|| inner.check.next_run()).flatten();
        let Some(at) = run.into_iter().chain(inner.check.next_change()).min() else { return };
        if inner.wake.is_none_or(|wake| at < wake) {
            inner.wake = Some(at);
            board.runs.timers.add(at, self);
        }
    }

    /// Marks the state as changed since the last snapshot.
    fn touch(self: &Arc<Self>, board: &Board) {
        if !self.dirty.load(Ordering::Relaxed) && !self.dirty.swap(true, Ordering::Relaxed) {
            board.dirty.checks.lock().push(Arc::clone(self));
        }
    }

    /// Serialises the state for the store, and counts as saved from here on. On the writer's task, so that no older
    /// state is written after a newer one.
    #[must_use]
    pub fn save(&self) -> String {
        self.dirty.store(false, Ordering::Relaxed);
        serde_json::to_string(&self.inner.lock().check.save()).unwrap_or_default()
    }

    fn push(self: &Arc<Self>, board: &Board, observation: Observation) -> Result<(), AppError> {
        let wall = board.clock.wall();
        self.take(board, |inner, now, changes| inner.check.push(now, wall, observation, changes)).map_err(
            |wrong| AppError::WrongKind { name: self.name.clone(), kind: wrong.kind, wanted: "push" },
        )
    }

    fn signal(self: &Arc<Self>, board: &Board, signal: Signal, log: &str) -> Result<(), AppError> {
        self.admit_ping(board)?;
        let wall = board.clock.wall();
        let result = if signal.is_result() {
            self.take(board, |inner, now, changes| inner.check.signal(now, wall, signal, log, changes))
        } else {
            self.touch(board);
            self.with(board, |check, now, changes| check.signal(now, wall, signal, log, changes))
        };
        result.map_err(|wrong| AppError::WrongKind {
            name: self.name.clone(),
            kind: wrong.kind,
            wanted: "heartbeat",
        })
    }

    /// A key that got around must not keep the disk busy.
    fn admit_ping(&self, board: &Board) -> Result<(), AppError> {
        let mut inner = self.inner.lock();
        let now = board.clock.now();
        let next = inner.pinged.max(now).after(PING_PERIOD);
        let retry_after = next.since(now.after(PING_PERIOD * PING_BURST));
        if !retry_after.is_zero() {
            return Err(AppError::TooOften { retry_after });
        }
        inner.pinged = next;
        Ok(())
    }
}

impl Board {
    /// Takes a result from the process that knows; for a name that nobody declared, a push check is created.
    pub async fn check_push(
        self: &Arc<Self>,
        name: Name,
        observation: Observation,
    ) -> Result<Arc<CheckCell>, AppError> {
        let cell = self.find_or_declare::<CheckCell>(&name, Some(CheckSpec::default())).await?;
        cell.push(self, observation)?;
        Ok(cell)
    }

    /// Takes what a job says. When this returns, it is on disk: no restart makes a job late that was on time.
    pub async fn check_ping(
        self: &Arc<Self>,
        cell: &Arc<CheckCell>,
        signal: Signal,
        log: &str,
    ) -> Result<(), AppError> {
        cell.signal(self, signal, log)?;
        let event = self.journal.last();
        tokio::try_join!(self.check_save(cell), self.flush_results(), self.journal.durable(event))?;
        Ok(())
    }

    async fn check_save(&self, cell: &Arc<CheckCell>) -> Result<(), StoreError> {
        let saved = Arc::clone(cell);
        let written = self.store.writer.write(move |connection| {
            Box::pin(async move {
                let rows = format!("[[\"{}\",{}]]", saved.name, saved.save());
                states::states_put(connection, CheckCell::KIND, CheckCell::KIND, &rows).await
            })
        });
        written.await.inspect_err(|_| cell.touch(self))
    }
}
