//! What clients see of a breaker.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    clock::Clock,
    domain::{
        Name, Time,
        breaker::{Breaker, BreakerSpec, StateName},
    },
};

/// A breaker as answered by `GET /v1/breakers/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreakerView {
    /// The breaker's name.
    pub name: Name,
    /// Its present state.
    pub state: StateName,
    /// Lifetime counters, until a reset.
    pub metrics: BreakerMetrics,
    /// The largest number of consecutive failures of one client; while it is not closed again, those that opened it.
    pub failure_count: u32,
    /// The number of consecutive failures that opens it.
    pub threshold: u32,
    /// Share of failures in the window; null below `minimum_calls` or without a window.
    pub failure_rate: Option<f64>,
    /// Share of slow calls in the window; null likewise.
    pub slow_call_rate: Option<f64>,
    /// Grows by one with every transition.
    pub generation: u64,
    /// When the present state began.
    #[schema(value_type = String, format = DateTime)]
    pub state_changed_at: Timestamp,
    /// When a refused call may try again; null if it is not refused now or nobody knows.
    pub retry_after_seconds: Option<f64>,
    /// Calls that have entered and neither reported nor expired.
    pub in_flight: u32,
    /// Clients with consecutive failures, the worst first.
    pub reporters: Vec<ReporterView>,
    /// The configuration, every field filled.
    pub config: BreakerSpec,
}

/// Counters of a breaker.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct BreakerMetrics {
    /// Calls that asked, rejected ones included.
    pub total_calls: u64,
    /// Reported successes.
    pub success_calls: u64,
    /// Reported failures.
    pub failure_calls: u64,
    /// Calls that were refused.
    pub rejected_calls: u64,
    /// Outcomes that count neither way.
    pub ignored_calls: u64,
    /// Recorded calls slower than `slow_call_seconds`.
    pub slow_calls: u64,
    /// Successes in all calls; 0 when there were none.
    pub success_rate: f64,
}

impl From<&crate::domain::breaker::Metrics> for BreakerMetrics {
    fn from(m: &crate::domain::breaker::Metrics) -> Self {
        Self {
            total_calls: m.total_calls,
            success_calls: m.success_calls,
            failure_calls: m.failure_calls,
            rejected_calls: m.rejected_calls,
            ignored_calls: m.ignored_calls,
            slow_calls: m.slow_calls,
            success_rate: m.success_rate(),
        }
    }
}

/// A client with consecutive failures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReporterView {
    /// The client's name.
    pub client: String,
    /// Its failures in a row.
    pub failures: u32,
}

impl BreakerView {
    pub(super) fn of(name: &Name, breaker: &Breaker, now: Time, clock: &Clock) -> Self {
        let view = breaker.view(now);
        let mut reporters: Vec<_> = view
            .reporters
            .into_iter()
            .map(|reporter| ReporterView { client: reporter.client, failures: reporter.failures })
            .collect();
        reporters.sort_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.client.cmp(&b.client)));
        Self {
            name: name.clone(),
            state: view.state,
            metrics: (&view.metrics).into(),
            failure_count: view.failure_count.max(view.tripped_with),
            threshold: breaker.config().failure_threshold(),
            failure_rate: view.failure_rate,
            slow_call_rate: view.slow_call_rate,
            generation: view.generation,
            state_changed_at: clock.wall_at(view.state_changed_at),
            retry_after_seconds: view.retry_after.map(|d| d.as_secs_f64()),
            in_flight: view.in_flight,
            reporters,
            config: breaker.config().as_ref().into(),
        }
    }
}
