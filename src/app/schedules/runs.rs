//! Runs of schedules: begun, ended, looked up. What they do is in `app::actions`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Asked, ScheduleCell, accepted, word};
use crate::{
    app::{
        AppError, Board,
        actions::{Done, perform},
        definitions::{Resource, not_found},
        idempotency::{Answer, IdempotencyKey},
    },
    domain::{
        Name,
        schedule::{Run, RunStatus, ScheduleConfig},
    },
    store::{StoreError, sqlite::runs},
};

/// Runs that act at the same time; others wait for their turn within their timeout.
pub const MAX_ACTING: usize = 256;
/// How long the end of a run waits before it is written again after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// How long interrupted runs may take to be recorded.
const RECORDING: Duration = Duration::from_secs(5);

/// The runs of all schedules.
#[derive(Debug)]
pub struct ScheduleRuns {
    /// A run acts only while it holds one.
    pub slots: Semaphore,
    tracker: TaskTracker,
    stopping: CancellationToken,
    interrupt: CancellationToken,
    first_id: AtomicU64,
}

impl Default for ScheduleRuns {
    fn default() -> Self {
        Self {
            slots: Semaphore::new(MAX_ACTING),
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            interrupt: CancellationToken::new(),
            first_id: AtomicU64::new(1),
        }
    }
}

impl ScheduleRuns {
    /// From where a new schedule numbers its runs: above all that a deleted one has given.
    #[must_use]
    pub fn first_id(&self) -> u64 {
        self.first_id.load(Ordering::SeqCst)
    }

    pub(in crate::app) fn give_ids_from(&self, id: u64) {
        self.first_id.fetch_max(id, Ordering::SeqCst);
    }

    /// From now on no run begins: what is due is for the next start.
    pub fn stop_beginning(&self) {
        self.stopping.cancel();
        self.tracker.close();
    }

    /// Whether no run begins any more.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// After [`ScheduleRuns::stop_beginning`]: gives the runs that go on this much time, then records them as interrupted.
    pub async fn drain(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_ok() {
            return;
        }
        tracing::warn!(runs = self.tracker.len(), "some runs of schedules did not finish in time");
        self.interrupt.cancel();
        drop(tokio::time::timeout(RECORDING, self.tracker.wait()).await);
    }
}

impl Board {
    /// Begins a run whose row is on disk.
    pub(super) fn run_begin(
        self: &Arc<Self>,
        cell: &Arc<ScheduleCell>,
        run: Run,
        config: Arc<ScheduleConfig>,
    ) {
        let (board, cell) = (Arc::clone(self), Arc::clone(cell));
        self.schedule_runs.tracker.spawn(async move {
            let done = tokio::select! {
                done = perform(&board, cell.name(), &run, &config) => done,
                () = cell.gone().cancelled() => return,
                () = board.schedule_runs.interrupt.cancelled() => Done::interrupted(),
            };
            board.run_end(&cell, run.id, done).await;
        });
    }

    /// Records the end of a run, however often that takes.
    async fn run_end(self: &Arc<Self>, cell: &Arc<ScheduleCell>, id: u64, done: Done) {
        loop {
            let Done { outcome, output } = done.clone();
            match self.schedule_step(cell, Asked::End { id, outcome, output }, None).await {
                Err(AppError::Storage(error)) => {
                    tracing::warn!(schedule = %cell.name(), run = id, %error, "the end of a run is not on disk yet");
                }
                // The schedule may have been deleted meanwhile, and its runs with it.
                _ => return,
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = cell.gone().cancelled() => return,
            }
        }
    }

    /// Begins a run by hand: 202 with its row, which is on disk.
    pub async fn schedule_run(
        self: &Arc<Self>,
        name: &str,
        actor: Option<String>,
        key: Option<IdempotencyKey>,
    ) -> Result<Answer, AppError> {
        let cell = self.find::<ScheduleCell>(name)?;
        // What is due comes first: the run that may stand in the way must be on disk before somebody is told of it.
        self.schedule_step(&cell, Asked::Nothing, None).await?;
        let run = self.schedule_step(&cell, Asked::Run { actor }, key).await?;
        run.as_ref().map(accepted).ok_or_else(|| not_found::<ScheduleCell>(name))
    }

    /// The run, once it has ended or `patience` is over.
    pub async fn run_wait(&self, name: &Name, id: u64, patience: Duration) -> Result<Run, AppError> {
        let cell = self.find::<ScheduleCell>(name.as_str())?;
        let mut moved = cell.moved();
        let ended = async {
            while cell.is_running(id) && !cell.gone().is_cancelled() {
                if moved.changed().await.is_err() {
                    return;
                }
            }
        };
        // Over or not, the row says how it stands.
        drop(tokio::time::timeout(patience, ended).await);
        self.run_find(name, id).await
    }

    /// A run by its number.
    pub async fn run_find(&self, name: &Name, id: u64) -> Result<Run, AppError> {
        self.find::<ScheduleCell>(name.as_str())?;
        let row = match i64::try_from(id) {
            Ok(id) => runs::run_get(&self.store.readers, name.as_str(), id).await?,
            Err(_) => None,
        };
        let row = row.ok_or_else(|| AppError::NotFound { resource: "run", name: id.to_string() })?;
        Ok(serde_json::from_str(&row).map_err(StoreError::from)?)
    }

    /// The runs of a schedule, newest first, and the cursor for the next page.
    pub async fn run_list(
        &self,
        name: &Name,
        status: Option<RunStatus>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<Run>, Option<i64>), AppError> {
        self.find::<ScheduleCell>(name.as_str())?;
        let most = i64::try_from(limit).unwrap_or(1000) + 1;
        let before = before.unwrap_or(i64::MAX);
        let status = status.map(word);
        let rows = runs::runs_before(&self.store.readers, name.as_str(), status, before, most).await?;
        let more = rows.len() > limit;
        let runs: Vec<Run> = rows
            .iter()
            .take(limit)
            .map(|row| serde_json::from_str(row))
            .collect::<Result<_, _>>()
            .map_err(StoreError::from)?;
        let next = runs.last().filter(|_| more).and_then(|run| i64::try_from(run.id).ok());
        Ok((runs, next))
    }
}
