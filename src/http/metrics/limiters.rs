//! Limiters and retry policies.

use super::family::{Family, write_all};
use crate::{
    app::{Board, definitions::Resource},
    domain::exposition::{MetricType, Writer},
};

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn limiters(board: &Board, out: &mut Writer<'_>) {
    const R4J: &str = "resilience4j_ratelimiter";
    let mut available = Family::new(
        "fuseboard_limiter_available_tokens",
        MetricType::Gauge,
        "Tokens that could be taken now.",
    );
    let mut in_use =
        Family::new("fuseboard_limiter_in_use_tokens", MetricType::Gauge, "Tokens held by leases and calls.");
    let mut waiting =
        Family::new("fuseboard_limiter_waiting", MetricType::Gauge, "Reservations whose time has not come.");
    let mut requests =
        Family::new("fuseboard_limiter_requests_total", MetricType::Counter, "Requests for tokens.");
    let mut throttled = Family::new(
        "fuseboard_limiter_throttled_total",
        MetricType::Counter,
        "Requests refused or made to wait.",
    );
    let mut blocked =
        Family::new("fuseboard_limiter_blocked_seconds", MetricType::Gauge, "Rest of a penalty.");
    let mut clients =
        Family::new("fuseboard_limiter_clients", MetricType::Gauge, "Clients seen in the last minute.");
    let mut r_available = Family::new(
        &format!("{R4J}_available_permissions"),
        MetricType::Gauge,
        "The number of available permissions",
    );
    let mut r_waiting =
        Family::new(&format!("{R4J}_waiting_threads"), MetricType::Gauge, "The number of waiting threads");
    let now = board.clock.now();
    for name in board.limiters.names() {
        let Some(cell) = board.limiters.get(name.as_str()) else { continue };
        let view = cell.view(now);
        let name = cell.name().as_str();
        available.add("fuseboard_limiter_available_tokens", name, None, view.available_tokens);
        in_use.add("fuseboard_limiter_in_use_tokens", name, None, view.in_use);
        waiting.add("fuseboard_limiter_waiting", name, None, view.waiting as f64);
        requests.add("fuseboard_limiter_requests_total", name, None, view.total_requests as f64);
        throttled.add("fuseboard_limiter_throttled_total", name, None, view.throttled_requests as f64);
        blocked.add(
            "fuseboard_limiter_blocked_seconds",
            name,
            None,
            view.blocked_seconds.unwrap_or_default(),
        );
        clients.add("fuseboard_limiter_clients", name, None, f64::from(view.live_clients));
        r_available.add(&format!("{R4J}_available_permissions"), name, None, view.available_tokens.floor());
        r_waiting.add(&format!("{R4J}_waiting_threads"), name, None, view.waiting as f64);
    }
    let families =
        [available, in_use, waiting, requests, throttled, blocked, clients, r_available, r_waiting];
    write_all(&families, out);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn retry_policies(board: &Board, out: &mut Writer<'_>) {
    let mut attempts = Family::new(
        "fuseboard_retry_attempts_total",
        MetricType::Counter,
        "Attempts by what became of them.",
    );
    let mut budget = Family::new(
        "fuseboard_retry_budget_remaining",
        MetricType::Gauge,
        "Retries that would be granted now.",
    );
    let now = board.clock.now();
    for name in board.retry_policies.names() {
        let Some(cell) = board.retry_policies.get(name.as_str()) else { continue };
        let view = cell.view(now);
        let name = cell.name().as_str();
        for (kind, count) in
            [("first", view.total_calls), ("retry", view.total_retries), ("refused", view.refused_retries)]
        {
            attempts.add("fuseboard_retry_attempts_total", name, Some(("kind", kind)), count as f64);
        }
        budget.add("fuseboard_retry_budget_remaining", name, None, view.budget_remaining as f64);
    }
    write_all(&[attempts, budget], out);
}
