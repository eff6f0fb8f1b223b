//! What happens by itself: one supervised loop per step. A step is idempotent; one that fails or panics is
//! counted, logged and tried again with the next tick.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::MissedTickBehavior;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::{Board, journal},
    store::StoreError,
};

/// From one check of the database file to the next.
const DATABASE_CHECKS: Duration = Duration::from_hours(24);
/// The same after one that could not be done.
const DATABASE_RETRY: Duration = Duration::from_secs(60);

/// Starts all tasks; they end when `stop` is cancelled.
pub fn start(board: &Arc<Board>, tracker: &TaskTracker, stop: &CancellationToken) {
    let every = |name, period, step: fn(Arc<Board>) -> StepFuture| {
        tracker.spawn(repeat(name, period, Arc::clone(board), stop.clone(), step));
    };
    every("timers", Duration::from_millis(100), |board| {
        Box::pin(async move {
            board.advance_timers();
            Ok(())
        })
    });
    tracker.spawn(notice_freezes(Arc::clone(board), stop.clone()));
    tracker.spawn(check_database(Arc::clone(board), stop.clone()));
    every("checks", Duration::from_millis(100), |board| {
        Box::pin(async move {
            board.advance_checks();
            Ok(())
        })
    });
    every("check_results", Duration::from_secs(1), |board| {
        Box::pin(async move {
            while board.flush_results().await? > 0 {}
            Ok(())
        })
    });
    every("expire_calls", Duration::from_millis(500), |board| {
        Box::pin(async move {
            board.expire_calls();
            Ok(())
        })
    });
    every("snapshot", Duration::from_secs(1), |board| {
        Box::pin(async move { board.save_changed().await.map(drop) })
    });
    every("thresholds", Duration::from_millis(100), |board| {
        Box::pin(async move { board.step_thresholds().await })
    });
    every("external_alerts", Duration::from_secs(1), |board| {
        Box::pin(async move { board.expire_external_alerts() })
    });
    every("metrics", Duration::from_secs(1), |board| {
        Box::pin(async move {
            board.sweep_metrics();
            board.save_metrics().await.map(drop)
        })
    });
    every("push_groups", Duration::from_secs(1), |board| {
        Box::pin(async move {
            board.sweep_push_groups();
            board.save_push_groups().await.map(drop)
        })
    });
    every("tokens", Duration::from_secs(2), |board| Box::pin(async move { board.tokens_load().await }));
    every("probe_disk", Duration::from_secs(1), |board| Box::pin(async move { board.probe_disk().await }));
    every("schedules", Duration::from_secs(1), |board| {
        Box::pin(async move { board.advance_schedules().await })
    });
    every("prune", Duration::from_secs(30), |board| {
        Box::pin(async move {
            board.prune().await?;
            board.prune_alerts().await
        })
    });
    every("notifications", Duration::from_secs(1), |board| {
        Box::pin(async move { board.advance_notifications().await })
    });
    every("prune_notifications", Duration::from_secs(60), |board| {
        Box::pin(async move { board.prune_notifications().await })
    });
    every("automatic_backup", Duration::from_secs(10), |board| {
        Box::pin(async move { board.backup_automatically().await })
    });
    every("verify_backups", Duration::from_secs(10), |board| {
        Box::pin(async move { board.verify_backups().await })
    });
    // One after the other, so that an idle server needs no connection for each.
    every("tend_backups", Duration::from_secs(1), |board| {
        Box::pin(async move {
            let done =
                [board.prune_backups().await, board.sweep_backups().await, board.reseal_backups().await];
            done.into_iter().collect()
        })
    });
    every("delete_objects", Duration::from_secs(5), |board| {
        Box::pin(async move { board.delete_objects().await })
    });
    tracker.spawn(flush(Arc::clone(board), stop.clone()));
}

/// Finds out that the process was stopped for a while, in which clients took the server to be away.
async fn notice_freezes(board: Arc<Board>, stop: CancellationToken) {
    if board.clock.is_manual() {
        return;
    }
    loop {
        board.beat();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks at the database as a whole after a start, and once a day. A stop does not wait for it.
async fn check_database(board: Arc<Board>, stop: CancellationToken) {
    let checks = async {
        loop {
            let done = supervise("check_database", &board, board.check_database()).await;
            tokio::time::sleep(if done { DATABASE_CHECKS } else { DATABASE_RETRY }).await;
        }
    };
    tokio::select! {
        () = checks => {}
        () = stop.cancelled() => {}
    }
}

type StepFuture = std::pin::Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

async fn repeat(
    name: &'static str,
    period: Duration,
    board: Arc<Board>,
    stop: CancellationToken,
    step: fn(Arc<Board>) -> StepFuture,
) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The start has its own work; nothing is due before one period.
    ticks.reset();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        supervise(name, &board, step(Arc::clone(&board))).await;
    }
}

async fn supervise(
    name: &'static str,
    board: &Board,
    step: impl Future<Output = Result<(), StoreError>>,
) -> bool {
    let problem = match AssertUnwindSafe(step).catch_unwind().await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "panicked".to_owned(),
    };
    board.telemetry.task_failures.with_label_values(&[name]).inc();
    tracing::warn!(task = name, error = problem, "a background step failed; it is tried again");
    false
}

/// Events go to the disk as soon as there are any.
async fn flush(board: Arc<Board>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = board.journal.woken() => {}
            () = stop.cancelled() => return,
        }
        loop {
            board.journal.gathered().await;
            let step = async { board.flush_journal().await.map(drop) };
            let done = supervise("journal", &board, step).await;
            if board.journal.backlog().0 == 0 {
                break;
            }
            if !done {
                tokio::select! {
                    () = tokio::time::sleep(journal::RETRY) => {}
                    () = stop.cancelled() => return,
                }
            }
        }
    }
}
