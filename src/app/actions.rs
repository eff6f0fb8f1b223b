//! What a run of a schedule does.

mod create_backup;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Board, backups::PruneAction, health::HealthFilter};
use crate::{
    domain::{
        Name,
        check::Labels,
        health::Status,
        schedule::{Action, Method, Outcome, Run, ScheduleConfig, Target},
    },
    outbound::{Fetch, OutboundError},
};

/// How much of a webhook's answer is kept.
const ANSWER_BYTES: usize = 8192;

/// How many ids of backups that are gone are kept.
const MAX_IDS: usize = 200;

/// How a run ended, and what came out of it.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) output: Option<Value>,
}

impl Done {
    /// It did what it should.
    pub(super) fn succeeded(output: Value) -> Self {
        Self { outcome: Outcome::Succeeded, output: Some(output) }
    }

    /// It did not.
    pub(super) fn failed(reason: &str, message: &str) -> Self {
        Self { outcome: Outcome::Failed, output: Some(json!({ "reason": reason, "message": message })) }
    }

    /// The server stops and it had no more time.
    pub(super) fn interrupted() -> Self {
        Self::failed("interrupted", "the server stopped while it ran")
    }
}

/// Does what the schedule says, within its timeout.
pub(super) async fn perform(board: &Arc<Board>, schedule: &Name, run: &Run, config: &ScheduleConfig) -> Done {
    let timeout = config.timeout.get();
    let work = AssertUnwindSafe(async {
        // Closed never: without a turn there is nothing to wait for either.
        let _slot = board.schedule_runs.slots.acquire().await;
        act(board, schedule, run, config).await
    });
    match tokio::time::timeout(timeout, work.catch_unwind()).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Done::failed("panicked", "a bug of the server; its log says more"),
        Err(_) => Done::failed("timeout", &format!("took longer than {} s", timeout.as_secs_f64())),
    }
}

async fn act(board: &Arc<Board>, schedule: &Name, run: &Run, config: &ScheduleConfig) -> Done {
    match &config.action {
        Action::RunChecks { checks, labels } => {
            // A little less than the run has: checks that hang are in the report, not in its way.
            board.run_checks_action(checks.as_deref(), labels, config.timeout.get().mul_f64(0.9)).await
        }
        Action::Webhook { target, method, body, expected_status } => {
            let told = json!({
                "schedule": schedule, "run_id": run.id, "scheduled_for": run.scheduled_for,
                "trigger": run.trigger, "body": body,
            });
            webhook(board, target, *method, &told, *expected_status).await
        }
        Action::CreateBackup { backup_type, source, labels } => {
            board.create_backup_action(schedule, backup_type, source, labels).await
        }
        Action::PruneBackups { backup_type } => board.prune_action(backup_type.as_ref()).await,
    }
}

impl Board {
    /// Runs checks: these, or all, and of them those with all the labels. The report is the run's output.
    pub(super) async fn run_checks_action(
        self: &Arc<Self>,
        checks: Option<&[Name]>,
        labels: &Labels,
        timeout: Duration,
    ) -> Done {
        let filter = HealthFilter {
            checks: checks.map(|names| names.iter().cloned().collect()),
            labels: labels.clone(),
            statuses: None,
        };
        let report = self.health_run(&filter, timeout).await;
        if report.checks.is_empty() {
            return Done::failed("no_checks", "there are no such checks on this server");
        }
        let outcome = match report.overall_status {
            Status::Green | Status::Yellow => Outcome::Succeeded,
            Status::Red => Outcome::Failed,
        };
        Done { outcome, output: serde_json::to_value(report).ok() }
    }
}

impl Board {
    /// Prunes backups of a type, or of all. How many went and stayed, and which went, is the run's output.
    async fn prune_action(self: &Arc<Self>, backup_type: Option<&Name>) -> Done {
        let pruned = match self.backups_prune(backup_type, false).await {
            Ok(pruned) => pruned,
            Err(error) => return Done::failed("storage", &error.to_string()),
        };
        let gone = pruned.items.iter().filter(|item| item.action == PruneAction::Delete);
        let ids: Vec<_> = gone.map(|item| &item.backup_id).take(MAX_IDS).collect();
        Done::succeeded(json!({
            "deleted": pruned.deleted, "kept": pruned.kept, "deleted_bytes": pruned.deleted_bytes,
            "backup_ids": ids, "omitted": pruned.deleted.saturating_sub(ids.len()),
        }))
    }
}

async fn webhook(
    board: &Board,
    target: &Target,
    method: Method,
    told: &Value,
    expected_status: Option<u16>,
) -> Done {
    let url = match target.url.parse() {
        Ok(url) => url,
        Err(error) => return Done::failed("url", &format!("the URL cannot be used: {error}")),
    };
    let (method, has_body) = match method {
        Method::Get => (axum::http::Method::GET, false),
        Method::Head => (axum::http::Method::HEAD, false),
        Method::Post => (axum::http::Method::POST, true),
        Method::Put => (axum::http::Method::PUT, true),
        Method::Patch => (axum::http::Method::PATCH, true),
        Method::Delete => (axum::http::Method::DELETE, true),
    };
    let mut headers: Vec<_> =
        target.headers.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    if has_body && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let fetch = Fetch {
        method,
        url,
        headers,
        body: if has_body { told.to_string().into() } else { bytes::Bytes::new() },
        timeout: target.timeout.get(),
        max_redirects: 0,
        verify_tls: true,
        max_response_bytes: ANSWER_BYTES,
    };
    let answer = match board.outbound.fetch(fetch).await {
        Ok(answer) => answer,
        Err(error) => return Done::failed(reason(&error), &error.to_string()),
    };
    let status = answer.status;
    let mut output = json!({
        "status": status,
        "body": String::from_utf8_lossy(&answer.body),
        "is_complete": answer.is_complete,
        "duration_seconds": answer.duration.as_secs_f64(),
    });
    if expected_status.map_or((200..300).contains(&status), |expected| expected == status) {
        return Done::succeeded(output);
    }
    let expected = expected_status.map_or("from 200 to 299".to_owned(), |expected| expected.to_string());
    output["reason"] = json!("unexpected_status");
    output["message"] = json!(format!("the answer was {status}, expected {expected}"));
    Done { outcome: Outcome::Failed, output: Some(output) }
}

fn reason(error: &OutboundError) -> &'static str {
    match error {
        OutboundError::Forbidden(..) => "forbidden",
        OutboundError::Resolve(..) => "resolve",
        OutboundError::Connect(_) => "connect",
        OutboundError::Tls(_) => "tls",
        OutboundError::Timeout(_) => "timeout",
        OutboundError::Broken(_) => "broken",
    }
}
