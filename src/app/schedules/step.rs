//! How a schedule moves on: decide on a copy, store the copy and the rows in one transaction, then put it in place and
//! begin its runs. A crash before the transaction decides the same again; after it the runs count as interrupted.

use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{RunSummary, ScheduleCell};
use crate::{
    app::{
        AppError, Board,
        definitions::{Resource, not_found},
        idempotency::{Answer, IdempotencyKey},
        journal::NewEvent,
    },
    domain::schedule::{Decision, Outcome, Run, RunStatus, Schedule, ScheduleConfig},
    store::{
        StoreError,
        sqlite::{idempotency, runs, states},
    },
};

/// Schedules that move on at the same time; the others come right after.
const AT_ONCE: usize = 256;

/// Checks that an event names.
const NAMED: usize = 10;

/// What a step is for, besides what is due.
#[derive(Debug)]
pub enum Asked {
    /// Nothing else.
    Nothing,
    /// A run at once.
    Run {
        /// Who asks.
        actor: Option<String>,
    },
    /// The end of a run.
    End {
        /// Which.
        id: u64,
        /// How it ended.
        outcome: Outcome,
        /// What came out of it.
        output: Option<Value>,
    },
}

/// A step that is decided and not yet in force.
struct Step {
    next: Schedule,
    /// The declared configuration that it puts in force.
    wanted: Option<ScheduleConfig>,
    decisions: Vec<Decision>,
    /// The row that was asked for.
    asked: Option<Run>,
}

impl Step {
    fn rows(&self) -> impl Iterator<Item = &Run> {
        self.decisions.iter().map(Decision::row).chain(&self.asked)
    }
}

impl Board {
    /// Takes every decision that is due.
    pub async fn advance_schedules(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.schedule_runs.is_stopping() {
            return Ok(());
        }
        let now = self.clock.wall();
        let due: Vec<_> = self.schedules.all().into_iter().filter(|cell| cell.is_due(now)).collect();
        let mut steps = FuturesUnordered::new();
        let mut failed = None;
        let mut look = |done| match done {
            Ok(Err(AppError::Storage(error))) => failed = Some(error),
            Ok(_) => {}
            Err(broken) => tracing::error!(error = %broken, "a schedule could not move on"),
        };
        for cell in due {
            if steps.len() >= AT_ONCE
                && let Some(done) = steps.next().await
            {
                look(done);
            }
            let board = Arc::clone(self);
            steps.push(tokio::spawn(async move { board.schedule_step(&cell, Asked::Nothing, None).await }));
            // After a long downtime a decision takes milliseconds: others have their turn between two.
            tokio::task::yield_now().await;
        }
        while let Some(done) = steps.next().await {
            look(done);
        }
        failed.map_or(Ok(()), Err)
    }

    /// One step. When this returns, it is on disk and in force. The row that was asked for comes back; none if the run
    /// has ended already. The key's answer is 202 with that row.
    pub(in crate::app) async fn schedule_step(
        self: &Arc<Self>,
        cell: &Arc<ScheduleCell>,
        asked: Asked,
        key: Option<IdempotencyKey>,
    ) -> Result<Option<Run>, AppError> {
        let turn = Arc::clone(&cell.turn).lock_owned().await;
        if cell.gone.is_cancelled() {
            return Err(not_found::<ScheduleCell>(cell.name.as_str()));
        }
        let step = self.schedule_decide(cell, asked)?;
        if step.wanted.is_none() && step.rows().next().is_none() && !cell.is_unsaved() {
            cell.inner.lock().schedule = step.next;
            return Ok(None);
        }
        let name = cell.name.clone();
        let state = serde_json::to_string(&[(name.as_str(), step.next.save())]).map_err(StoreError::from)?;
        let rows = serde_json::to_string(&step.rows().collect::<Vec<_>>()).map_err(StoreError::from)?;
        let keep = step.next.config().retain_runs;
        let answer = key.zip(step.asked.as_ref().map(accepted));
        let (board, cell) = (Arc::clone(self), Arc::clone(cell));
        let created_at = self.clock.wall().as_second();
        let write = self.store.writer.write_then(
            move |connection| {
                Box::pin(async move {
                    states::states_put(connection, ScheduleCell::KIND, ScheduleCell::KIND, &state).await?;
                    runs::runs_put(connection, name.as_str(), &rows).await?;
                    runs::runs_prune(connection, name.as_str(), keep).await?;
                    if let Some((key, answer)) = answer {
                        let row = idempotency::AnswerRow {
                            fingerprint: key.fingerprint.to_vec(),
                            status: i64::from(answer.status),
                            body: answer.body.to_vec(),
                        };
                        idempotency::answer_put(connection, &key.key, &row, created_at).await?;
                    }
                    Ok(())
                })
            },
            move |()| {
                let asked = board.schedule_apply(&cell, step);
                // Kept until here also if nobody waits for the answer any more.
                drop(turn);
                asked
            },
        );
        Ok(write.await?)
    }

    fn schedule_decide(&self, cell: &ScheduleCell, asked: Asked) -> Result<Step, AppError> {
        let now = self.clock.wall();
        let (mut next, mut wanted) = {
            let inner = cell.inner.lock();
            (inner.schedule.clone(), inner.wanted.clone())
        };
        let mut decisions = Vec::new();
        if self.schedule_runs.is_stopping() {
            // What is due from now on is for the next start.
            wanted = None;
        } else {
            decisions = next.due(now);
            if let Some(config) = &wanted {
                next.replace(config.clone(), now);
            }
        }
        let asked = match asked {
            Asked::Nothing => None,
            Asked::Run { .. } if self.schedule_runs.is_stopping() => {
                return Err(AppError::Overloaded { retry_after: std::time::Duration::from_secs(5) });
            }
            Asked::Run { actor } => Some(
                next.run_now(now, actor).map_err(|still| AppError::StillRunning { run_id: still.run_id })?,
            ),
            Asked::End { id, outcome, output } => next.finish(id, now, outcome, output),
        };
        Ok(Step { next, wanted, decisions, asked })
    }

    /// On the writer's task, in the order of commits.
    fn schedule_apply(self: &Arc<Self>, cell: &Arc<ScheduleCell>, step: Step) -> Option<Run> {
        let config = Arc::clone(step.next.config());
        {
            let mut inner = cell.inner.lock();
            for row in step.rows() {
                inner.history.add(row);
            }
            inner.schedule = step.next;
            // A later declaration has a step of its own.
            if inner.wanted == step.wanted {
                inner.wanted = None;
            }
        }
        for row in step.decisions.iter().map(Decision::row).chain(&step.asked) {
            self.record_run(cell, row);
            if row.status == RunStatus::Running {
                self.run_begin(cell, row.clone(), Arc::clone(&config));
            }
        }
        cell.moved.send_modify(|count| *count += 1);
        step.asked
    }

    /// Records what became of a run as an event.
    pub(in crate::app) fn record_run(&self, cell: &ScheduleCell, row: &Run) {
        let kind = match row.status {
            RunStatus::Running => "schedule.run_started",
            RunStatus::Succeeded => "schedule.run_succeeded",
            RunStatus::Failed => "schedule.run_failed",
            RunStatus::Missed => "schedule.run_missed",
        };
        let said = |field: &str| row.output.as_ref().and_then(|output| output.get(field)?.as_str());
        let data = match row.status {
            RunStatus::Failed => {
                let red = row.output.as_ref().and_then(red_checks);
                let reason = said("reason").or(red.is_some().then_some("red"));
                let message = said("message").or(red.as_deref());
                json!({ "run": RunSummary::from(row), "reason": reason, "message": message })
            }
            _ => json!({ "run": RunSummary::from(row) }),
        };
        let event = NewEvent { at: self.clock.wall(), kind, resource: ScheduleCell::KIND, name: cell.name() };
        self.journal.record(&event, &data, None);
        self.own_run(cell.name(), row);
    }
}

impl ScheduleCell {
    /// Whether there is something to decide or to store. If not, the schedule only learns the time.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        if inner.wanted.is_some() || inner.schedule.next_run_at().is_some_and(|next| next <= now) {
            return true;
        }
        // Nothing can be due before its next run; a clock that was set back is noticed here.
        inner.schedule.due(now);
        false
    }

    fn is_unsaved(&self) -> bool {
        self.inner.lock().wanted.is_some()
    }
}

/// What a report of health says of a run that failed for it.
fn red_checks(output: &Value) -> Option<String> {
    let checks = output.get("checks")?.as_object()?;
    let red = checks.iter().filter(|(_, check)| check["status"] == "red" && check["critical"] != false);
    let mut names: Vec<_> = red.map(|(name, _)| name.as_str()).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let and_more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(format!("red: {}{and_more}", names.join(", ")))
}

/// The answer to somebody who asked for a run.
pub(in crate::app) fn accepted(run: &Run) -> Answer {
    Answer { status: 202, body: serde_json::to_vec(run).unwrap_or_default().into() }
}
