//! How all of it is: reports from memory, and runs that somebody waits for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Board,
    checks::{CheckCell, view::HealthCheck},
};
use crate::domain::{
    Name,
    check::Labels,
    health::{Standing, Status, overall},
};

/// Which checks to report on.
#[derive(Clone, Debug, Default)]
pub struct HealthFilter {
    /// These; all, if absent. One that nobody knows is red.
    pub checks: Option<BTreeSet<Name>>,
    /// Only those that have these labels.
    pub labels: Labels,
    /// Of those, list only the ones that show one of these; the overall status is that of all.
    pub statuses: Option<Vec<Status>>,
}

/// A report, as the seed has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthReport {
    /// Red if a critical check is red; else yellow if one is yellow, stale, or red without being critical; else green.
    pub overall_status: Status,
    /// When the report was made.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// The checks by name.
    pub checks: BTreeMap<String, HealthCheck>,
}

impl HealthFilter {
    /// Only the checks of these names.
    #[must_use]
    pub fn of(checks: impl IntoIterator<Item = Name>) -> Self {
        Self { checks: Some(checks.into_iter().collect()), ..Self::default() }
    }
}

impl Board {
    /// The checks that are meant, and the names that nobody knows.
    fn health_select(&self, filter: &HealthFilter) -> (Vec<Arc<CheckCell>>, Vec<Name>) {
        let (mut cells, mut unknown) = (Vec::new(), Vec::new());
        match &filter.checks {
            None => cells = self.checks.all(),
            Some(names) => {
                for name in names {
                    match self.checks.get(name.as_str()) {
                        Some(cell) => cells.push(cell),
                        None => unknown.push(name.clone()),
                    }
                }
            }
        }
        if !filter.labels.is_empty() {
            cells.retain(|cell| cell.shared_config().labels.contain(&filter.labels));
        }
        (cells, unknown)
    }

    /// How the checks are, from memory.
    #[must_use]
    pub fn health(&self, filter: &HealthFilter) -> HealthReport {
        let (cells, unknown) = self.health_select(filter);
        let seen = cells.iter().map(|cell| {
            cell.refresh(self);
            cell.health(self)
        });
        let all: Vec<HealthCheck> = seen.chain(unknown.iter().map(nobody_knows)).collect();
        let standings =
            all.iter().map(|check| (Standing { status: check.status, stale: check.stale }, check.critical));
        let overall_status = overall(standings);
        let wanted = |check: &HealthCheck| {
            filter.statuses.as_ref().is_none_or(|statuses| statuses.contains(&check.status))
        };
        let checks = all.into_iter().filter(wanted).map(|check| (check.name.clone(), check)).collect();
        HealthReport { overall_status, timestamp: self.clock.wall(), checks }
    }

    /// How all of it is, and nothing else.
    #[must_use]
    pub fn health_overall(&self) -> Status {
        overall(self.checks.all().iter().map(|cell| {
            cell.refresh(self);
            cell.standing()
        }))
    }

    /// Runs what the board runs of these checks, each from now on, and reports on all of them once the runs have
    /// ended; at the latest after `timeout`, with what is known then.
    pub async fn health_run(self: &Arc<Self>, filter: &HealthFilter, timeout: Duration) -> HealthReport {
        let (cells, _) = self.health_select(filter);
        let runs: Vec<_> =
            cells.iter().filter_map(|cell| cell.hasten(self).map(|number| (cell, number))).collect();
        self.start_runs();
        let all = join_all(runs.into_iter().map(|(cell, number)| cell.ended(number)));
        // Those that did not end in time show what they showed before, with its age.
        drop(tokio::time::timeout(timeout, all).await);
        self.health(filter)
    }
}

fn nobody_knows(name: &Name) -> HealthCheck {
    HealthCheck {
        name: name.as_str().to_owned(),
        status: Status::Red,
        message: "there is no such check".to_owned(),
        timestamp: None,
        details: serde_json::Map::new(),
        error: None,
        stale: true,
        age_seconds: None,
        critical: true,
        changed_at: None,
    }
}
