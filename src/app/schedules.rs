//! Schedules: live cells, and how they look. How they move on is in `step`, what their runs do in `app::actions`.

mod restore;
pub mod runs;
mod step;

pub use restore::StoredSchedules;
pub(super) use restore::{read, restore};
pub(super) use step::{Asked, accepted};

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::{AppError, Board, Limits, definitions::Resource, registry::Registry};
use crate::domain::{
    Name,
    schedule::{Missed, Run, RunStatus, Schedule, ScheduleConfig, ScheduleSpec, Trigger},
};

/// How many of its next runs a schedule shows.
const UPCOMING: usize = 5;

/// One live schedule.
#[derive(Debug)]
pub struct ScheduleCell {
    name: Name,
    /// Held from a decision until it is on disk and in force.
    turn: Arc<tokio::sync::Mutex<()>>,
    inner: Mutex<Inner>,
    /// Set when it is deleted; its runs end then.
    gone: CancellationToken,
    /// Counts what has happened, for those who wait for the end of a run.
    moved: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    schedule: Schedule,
    /// Declared, but its state is not on disk yet.
    wanted: Option<ScheduleConfig>,
    history: History,
}

/// What is known of the runs so far.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The newest one.
    pub last: Option<RunSummary>,
    /// When the last one that began did so.
    pub begun_at: Option<Timestamp>,
    /// When the last one that succeeded ended.
    pub succeeded_at: Option<Timestamp>,
    /// Ended since the start of the server, by status.
    pub ended: BTreeMap<&'static str, u64>,
}

impl Resource for ScheduleCell {
    const KIND: &'static str = "schedule";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_schedules;
    type Spec = ScheduleSpec;
    type Config = ScheduleConfig;

    fn spec(config: &ScheduleConfig) -> ScheduleSpec {
        config.into()
    }

    fn shown(config: &ScheduleConfig) -> ScheduleSpec {
        Self::spec(config).redacted()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.schedules
    }

    fn create(board: &Board, name: Name, config: ScheduleConfig) -> Self {
        let schedule = Schedule::new(config.clone(), board.clock.wall(), board.schedule_runs.first_id());
        Self::new(name, schedule, Some(config), History::default())
    }

    fn reconfigure(self: &Arc<Self>, _: &Board, config: ScheduleConfig) {
        self.inner.lock().wanted = Some(config);
    }

    async fn settle(self: &Arc<Self>, board: &Arc<Board>) -> Result<(), AppError> {
        board.schedule_step(self, Asked::Nothing, None).await.map(drop)
    }

    fn removed(&self, board: &Board) {
        board.own_schedule(&self.name, false, String::new);
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> ScheduleConfig {
        let inner = self.inner.lock();
        inner.wanted.as_ref().unwrap_or_else(|| inner.schedule.config()).clone()
    }
}

/// A run without its output.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunSummary {
    /// Ascends, unique within the schedule.
    pub id: u64,
    /// The instant at which it was due; of several missed ones the latest; of a manual run when it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled_for: Timestamp,
    /// When it began. Null if it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended. Null while it runs and if it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// How it stands.
    pub status: RunStatus,
    /// What set it off.
    pub trigger: Trigger,
    /// Who asked for a manual run, if known.
    pub actor: Option<String>,
    /// Instants that had no run.
    pub missed: Option<Missed>,
}

impl From<&Run> for RunSummary {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id,
            scheduled_for: run.scheduled_for,
            started_at: run.started_at,
            finished_at: run.finished_at,
            status: run.status,
            trigger: run.trigger,
            actor: run.actor.clone(),
            missed: run.missed,
        }
    }
}

/// A schedule as answered by `GET /v1/schedules/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// The schedule's name.
    pub name: Name,
    /// When it runs next; null if it is disabled or never due again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
    /// When it will run next, up to five times.
    #[schema(value_type = Vec<String>)]
    pub upcoming: Vec<Timestamp>,
    /// The runs that go on.
    pub running: Vec<RunSummary>,
    /// The newest row of its history, missed ones included; null if there is none.
    pub last_run: Option<RunSummary>,
    /// The configuration, every field filled; secrets among its headers are `[redacted]`.
    pub config: ScheduleSpec,
}

impl ScheduleCell {
    /// A cell around a schedule; `wanted` if its declaration is on disk and its state is not.
    #[must_use]
    pub fn new(name: Name, schedule: Schedule, wanted: Option<ScheduleConfig>, history: History) -> Self {
        Self {
            name,
            turn: Arc::default(),
            inner: Mutex::new(Inner { schedule, wanted, history }),
            gone: CancellationToken::new(),
            moved: watch::Sender::new(0),
        }
    }

    /// Reads the schedule and what is known of its runs. For metrics.
    pub fn peek<T>(&self, read: impl FnOnce(&Schedule, &History) -> T) -> T {
        let inner = self.inner.lock();
        read(&inner.schedule, &inner.history)
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self) -> ScheduleView {
        let config = self.config();
        let inner = self.inner.lock();
        let next = inner.schedule.next_run_at();
        ScheduleView {
            name: self.name.clone(),
            next_run_at: next,
            upcoming: std::iter::successors(next, |time| config.timing.next_after(*time))
                .take(UPCOMING)
                .collect(),
            running: inner.schedule.running().map(RunSummary::from).collect(),
            last_run: inner.history.last.clone(),
            config: Self::shown(&config),
        }
    }

    /// Whether a run goes on.
    #[must_use]
    pub fn is_running(&self, id: u64) -> bool {
        self.inner.lock().schedule.running().any(|run| run.id == id)
    }

    /// Whether it was deleted.
    pub(super) fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    /// Tells when something has happened.
    pub(super) fn moved(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}

impl History {
    fn add(&mut self, row: &Run) {
        if self.last.as_ref().is_none_or(|last| last.id <= row.id) {
            self.last = Some(row.into());
        }
        match row.status {
            RunStatus::Running => self.begun_at = self.begun_at.max(row.started_at),
            RunStatus::Succeeded => self.succeeded_at = self.succeeded_at.max(row.finished_at),
            RunStatus::Failed | RunStatus::Missed => {}
        }
        if row.status != RunStatus::Running {
            *self.ended.entry(word(row.status)).or_default() += 1;
        }
    }
}

/// A status as it stands on the wire.
#[must_use]
pub const fn word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Missed => "missed",
    }
}

impl Board {
    /// Deletes a schedule, its state and its runs; those that go on are broken off. Their ids are not used again.
    pub async fn schedule_remove(
        self: &Arc<Self>,
        name: &str,
        precondition: super::definitions::Precondition,
    ) -> Result<(), AppError> {
        let cell = self.find::<ScheduleCell>(name)?;
        let board = Arc::clone(self);
        // Not broken off half-way when the client goes away: no step of this schedule may come after it.
        let removal = tokio::spawn(async move {
            let _turn = cell.turn.lock().await;
            if cell.gone.is_cancelled() {
                return Err(super::definitions::not_found::<ScheduleCell>(cell.name.as_str()));
            }
            board.schedule_runs.give_ids_from(cell.inner.lock().schedule.next_id());
            board.remove::<ScheduleCell>(cell.name.as_str(), precondition).await?;
            cell.gone.cancel();
            cell.moved.send_modify(|count| *count += 1);
            Ok(())
        });
        removal.await.unwrap_or_else(|_| Err(crate::store::StoreError::Closed.into()))
    }
}
