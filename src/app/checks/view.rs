//! A check as clients see it.

use std::sync::Arc;

use foldhash::HashSet;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{CheckCell, tally::Tally};
use crate::{
    app::Board,
    domain::{
        Name,
        check::{Active, Check, CheckConfig, CheckKind, CheckSpec, Observation, Probe, Source},
        gate::CheckFact,
        health::{Standing, Status},
    },
};

/// A check as answered by `GET /v1/checks/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckAnswer {
    /// The check's name.
    pub name: Name,
    /// Where its results come from.
    pub kind: CheckKind,
    /// What it shows; `stale` says whether that still holds.
    pub status: Status,
    /// Too long ago to rely on, or never known.
    pub stale: bool,
    /// What there is to say.
    pub message: String,
    /// Whether red here makes the whole red.
    pub critical: bool,
    /// When it began to show this.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// How many times it has changed what it shows.
    pub changes: u64,
    /// When the last result came; null before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<Timestamp>,
    /// How old the last result is.
    pub age_seconds: Option<f64>,
    /// The status of the last result; thresholds may have `status` differ.
    pub last_status: Option<Status>,
    /// Details of the last result.
    pub details: Map<String, Value>,
    /// What went wrong, if the last result says so.
    pub error: Option<String>,
    /// How long the last result took; of a heartbeat, how long the job ran.
    pub duration_seconds: Option<f64>,
    /// Red results in a row, up to the last.
    pub consecutive_failures: u32,
    /// Other results in a row, up to the last.
    pub consecutive_successes: u32,
    /// Whether a run is in flight, or a job has started and not ended.
    pub running: bool,
    /// When the board runs it next; null if it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run_at: Option<Timestamp>,
    /// When the awaited ping is late, or was; null before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub late_at: Option<Timestamp>,
    /// For heartbeats: where the job pings without a token, relative to this server. Left out unless the caller may
    /// write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
    /// The configuration, every field filled; values of headers that look like secrets are `[redacted]`.
    pub config: CheckSpec,
}

/// What `/metrics` shows of a check.
#[derive(Clone, Copy, Debug)]
pub struct CheckFigures {
    /// Its kind.
    pub kind: CheckKind,
    /// What it shows.
    pub status: Status,
    /// Whether that no longer holds.
    pub stale: bool,
    /// For heartbeats with an awaited ping: how late it is, in seconds; 0 if it is not.
    pub late_seconds: Option<f64>,
    /// Counts since the start of the server.
    pub tally: Tally,
}

/// A check in a report of all.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthCheck {
    /// The check's name.
    pub name: String,
    /// What it shows; `stale` says whether that still holds.
    pub status: Status,
    /// What there is to say.
    pub message: String,
    /// When the last result came; null before the first.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<Timestamp>,
    /// Details of the last result.
    pub details: Map<String, Value>,
    /// What went wrong, if the last result says so.
    pub error: Option<String>,
    /// Too long ago to rely on, or never known.
    pub stale: bool,
    /// How old the last result is.
    pub age_seconds: Option<f64>,
    /// Whether red here makes the whole red.
    pub critical: bool,
    /// When it began to show this.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
}

impl CheckCell {
    /// Brings it up to date: with the clock, and with the breaker that it looks at.
    pub fn refresh(self: &Arc<Self>, board: &Board) {
        self.with(board, Check::advance);
        self.glance(board, false);
    }

    /// What clients see. `with_key`: they may see where to ping without a token.
    #[must_use]
    pub fn view(self: &Arc<Self>, board: &Board, with_key: bool) -> CheckAnswer {
        self.refresh(board);
        let inner = self.inner.lock();
        let (check, clock) = (&inner.check, &board.clock);
        let view = check.view(clock.now());
        let config = check.config();
        let last = view.last.map(|last| &last.observation);
        CheckAnswer {
            name: self.name.clone(),
            kind: config.kind(),
            status: view.standing.status,
            stale: view.standing.stale,
            message: view.message.into_owned(),
            critical: config.critical,
            changed_at: clock.wall_at(view.since),
            changes: view.changes,
            timestamp: view.last.map(|last| last.timestamp),
            age_seconds: view.age.map(|age| age.as_secs_f64()),
            last_status: last.map(Observation::status),
            details: last.map(|last| last.details().clone()).unwrap_or_default(),
            error: last.and_then(|last| last.error()).map(str::to_owned),
            duration_seconds: last.and_then(Observation::duration).map(|span| span.as_secs_f64()),
            consecutive_failures: view.consecutive_failures,
            consecutive_successes: view.consecutive_successes,
            running: view.running,
            next_run_at: view.next_run.map(|at| clock.wall_at(at)),
            late_at: view.late_at.map(|at| clock.wall_at(at)),
            ping_url: (with_key && config.kind() == CheckKind::Heartbeat)
                .then(|| format!("/ping/{}", self.key)),
            config: config.view(),
        }
    }

    pub(in crate::app) fn health(self: &Arc<Self>, board: &Board) -> HealthCheck {
        let inner = self.inner.lock();
        let view = inner.check.view(board.clock.now());
        let last = view.last.map(|last| &last.observation);
        HealthCheck {
            name: self.name.as_str().to_owned(),
            status: view.standing.status,
            message: view.message.into_owned(),
            timestamp: view.last.map(|last| last.timestamp),
            details: last.map(|last| last.details().clone()).unwrap_or_default(),
            error: last.and_then(|last| last.error()).map(str::to_owned),
            stale: view.standing.stale,
            age_seconds: view.age.map(|age| age.as_secs_f64()),
            critical: inner.check.config().critical,
            changed_at: Some(board.clock.wall_at(view.since)),
        }
    }

    /// What it shows as of the last look, and whether it is critical.
    pub(in crate::app) fn standing(&self) -> (Standing, bool) {
        let inner = self.inner.lock();
        (inner.check.standing(), inner.check.config().critical)
    }

    pub(in crate::app) fn fact(self: &Arc<Self>, board: &Board) -> CheckFact {
        self.refresh(board);
        let inner = self.inner.lock();
        CheckFact {
            name: self.name.clone(),
            standing: inner.check.standing(),
            critical: inner.check.config().critical,
            message: inner.check.message().into_owned(),
        }
    }

    /// Reads the configuration without copying it.
    pub(in crate::app) fn shared_config(&self) -> Arc<CheckConfig> {
        Arc::clone(self.inner.lock().check.config())
    }

    /// For `/metrics`.
    #[must_use]
    pub fn figures(self: &Arc<Self>, board: &Board) -> CheckFigures {
        self.refresh(board);
        let inner = self.inner.lock();
        let now = board.clock.now();
        let (standing, late_at) = (inner.check.standing(), inner.check.view(now).late_at);
        CheckFigures {
            kind: inner.check.config().kind(),
            status: standing.status,
            stale: standing.stale,
            late_seconds: late_at.map(|at| now.since(at).as_secs_f64()),
            tally: inner.tally,
        }
    }

    pub(super) fn looks_at_any(&self, breakers: &HashSet<Name>) -> bool {
        match &self.inner.lock().check.config().source {
            Source::Active(Active { probe: Probe::Breaker(name), .. }) => breakers.contains(name),
            _ => false,
        }
    }
}
