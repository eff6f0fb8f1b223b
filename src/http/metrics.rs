//! `/metrics`: the server's own metrics, and the state of breakers and limiters.

mod backups;
mod health;
mod schedules;

use std::fmt::Write;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{
    AppState,
    routing::{Routes, routes},
};
use crate::app::{Board, definitions::Resource};
use crate::domain::breaker::StateName;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(metrics))
}

/// Metrics in Prometheus' text format 0.0.4.
#[utoipa::path(get, path = "/metrics", tag = "metrics",
    responses((status = 200, description = "Metrics.", body = String, content_type = "text/plain")))]
async fn metrics(State(state): State<AppState>) -> Response {
    state.board.refresh_telemetry();
    let mut text = state.board.telemetry.render();
    breakers(&state.board, &mut text);
    limiters(&state.board, &mut text);
    retry_policies(&state.board, &mut text);
    health::checks(&state.board, &mut text);
    health::gates(&state.board, &mut text);
    schedules::write(&state.board, &mut text);
    backups::write(&state.board, &mut text);
    let mut response = text.into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// One metric family: its lines are collected apart, because a family must stand together. Without series it is
/// left out.
struct Family {
    name: String,
    head: String,
    series: String,
}

impl Family {
    fn new(name: &str, kind: &str, help: &str) -> Self {
        let head = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Self { name: name.to_owned(), head, series: String::new() }
    }

    fn write_to(&self, out: &mut String) {
        if !self.series.is_empty() {
            out.push_str(&self.head);
            out.push_str(&self.series);
        }
    }

    /// A series. Names of resources need no escaping: see `domain::Name`.
    fn add(&mut self, metric: &str, name: &str, label: Option<(&str, &str)>, value: f64) {
        // Writing to a String does not fail.
        let _ = match label {
            Some((key, label)) => {
                writeln!(self.series, "{metric}{{name=\"{name}\",{key}=\"{label}\"}} {value}")
            }
            None => writeln!(self.series, "{metric}{{name=\"{name}\"}} {value}"),
        };
    }

    /// A series of the family's own name. Neither names of resources nor our own words need escaping.
    fn add_labelled(&mut self, labels: &[(&str, &str)], value: f64) {
        self.add_suffixed("", labels, value);
    }

    /// A series of a histogram, whose name ends with `suffix`.
    fn add_suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        self.series.push_str(&self.name);
        self.series.push_str(suffix);
        for (n, (key, label)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            // Writing to a String does not fail.
            let _ = write!(self.series, "{before}{key}=\"{label}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.series, "{end} {value}");
    }
}

fn write_all(families: &[Family], out: &mut String) {
    for family in families {
        family.write_to(out);
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
fn breakers(board: &Board, out: &mut String) {
    const R4J: &str = "resilience4j_circuitbreaker";
    let mut state =
        Family::new("fuseboard_breaker_state", "gauge", "State of the breaker: 1 for the present one.");
    let mut calls = Family::new("fuseboard_breaker_calls_total", "counter", "Calls by what became of them.");
    let mut flight =
        Family::new("fuseboard_breaker_in_flight", "gauge", "Calls that entered and did not report yet.");
    let mut failures = Family::new(
        "fuseboard_breaker_consecutive_failures",
        "gauge",
        "Largest number of failures in a row.",
    );
    let mut generation = Family::new("fuseboard_breaker_transitions_total", "counter", "Changes of state.");
    let mut r_state = Family::new(&format!("{R4J}_state"), "gauge", "The states of the circuit breaker");
    let mut r_calls =
        Family::new(&format!("{R4J}_calls_seconds"), "summary", "Total number of calls and their duration");
    let mut r_buffered =
        Family::new(&format!("{R4J}_buffered_calls"), "gauge", "The number of buffered calls in the window");
    let mut r_slow =
        Family::new(&format!("{R4J}_slow_calls"), "gauge", "The number of slow calls in the window");
    let mut r_rate = Family::new(&format!("{R4J}_failure_rate"), "gauge", "The failure rate, -1 if unknown");
    let mut r_slow_rate =
        Family::new(&format!("{R4J}_slow_call_rate"), "gauge", "The slow call rate, -1 if unknown");
    let mut r_denied = Family::new(
        &format!("{R4J}_not_permitted_calls_total"),
        "counter",
        "Total number of calls not permitted",
    );
    let now = board.clock.now();
    for name in board.breakers.names() {
        let Some(cell) = board.breakers.get(name.as_str()) else { continue };
        let view = cell.peek(|breaker| breaker.view(now));
        let name = cell.name().as_str();
        for known in StateName::ALL {
            let value = f64::from(u8::from(known == view.state));
            state.add("fuseboard_breaker_state", name, Some(("state", known.as_str())), value);
            r_state.add(&format!("{R4J}_state"), name, Some(("state", known.as_str())), value);
        }
        let m = &view.metrics;
        for (outcome, count) in [
            ("success", m.success_calls),
            ("failure", m.failure_calls),
            ("ignored", m.ignored_calls),
            ("rejected", m.rejected_calls),
        ] {
            calls.add("fuseboard_breaker_calls_total", name, Some(("outcome", outcome)), count as f64);
        }
        flight.add("fuseboard_breaker_in_flight", name, None, f64::from(view.in_flight));
        failures.add("fuseboard_breaker_consecutive_failures", name, None, f64::from(view.failure_count));
        generation.add("fuseboard_breaker_transitions_total", name, None, view.generation as f64);
        for (kind, count, seconds) in [
            ("successful", m.success_calls, m.success_time.as_secs_f64()),
            ("failed", m.failure_calls, m.failure_time.as_secs_f64()),
            ("ignored", m.ignored_calls, 0.0),
        ] {
            let kind = Some(("kind", kind));
            r_calls.add(&format!("{R4J}_calls_seconds_count"), name, kind, count as f64);
            r_calls.add(&format!("{R4J}_calls_seconds_sum"), name, kind, seconds);
        }
        let w = view.buffered;
        for (kind, count, slow) in
            [("successful", w.total - w.failed, w.slow - w.slow_failed), ("failed", w.failed, w.slow_failed)]
        {
            r_buffered.add(&format!("{R4J}_buffered_calls"), name, Some(("kind", kind)), f64::from(count));
            r_slow.add(&format!("{R4J}_slow_calls"), name, Some(("kind", kind)), f64::from(slow));
        }
        let percent = |rate: Option<f64>| rate.map_or(-1.0, |rate| rate * 100.0);
        r_rate.add(&format!("{R4J}_failure_rate"), name, None, percent(view.failure_rate));
        r_slow_rate.add(&format!("{R4J}_slow_call_rate"), name, None, percent(view.slow_call_rate));
        let denied = format!("{R4J}_not_permitted_calls_total");
        r_denied.add(&denied, name, Some(("kind", "not_permitted")), m.rejected_calls as f64);
    }
    let families = [
        state,
        calls,
        flight,
        failures,
        generation,
        r_state,
        r_calls,
        r_buffered,
        r_slow,
        r_rate,
        r_slow_rate,
        r_denied,
    ];
    write_all(&families, out);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
fn limiters(board: &Board, out: &mut String) {
    const R4J: &str = "resilience4j_ratelimiter";
    let mut available =
        Family::new("fuseboard_limiter_available_tokens", "gauge", "Tokens that could be taken now.");
    let mut in_use =
        Family::new("fuseboard_limiter_in_use_tokens", "gauge", "Tokens held by leases and calls.");
    let mut waiting =
        Family::new("fuseboard_limiter_waiting", "gauge", "Reservations whose time has not come.");
    let mut requests = Family::new("fuseboard_limiter_requests_total", "counter", "Requests for tokens.");
    let mut throttled =
        Family::new("fuseboard_limiter_throttled_total", "counter", "Requests refused or made to wait.");
    let mut blocked = Family::new("fuseboard_limiter_blocked_seconds", "gauge", "Rest of a penalty.");
    let mut clients = Family::new("fuseboard_limiter_clients", "gauge", "Clients seen in the last minute.");
    let mut r_available =
        Family::new(&format!("{R4J}_available_permissions"), "gauge", "The number of available permissions");
    let mut r_waiting =
        Family::new(&format!("{R4J}_waiting_threads"), "gauge", "The number of waiting threads");
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
fn retry_policies(board: &Board, out: &mut String) {
    let mut attempts =
        Family::new("fuseboard_retry_attempts_total", "counter", "Attempts by what became of them.");
    let mut budget =
        Family::new("fuseboard_retry_budget_remaining", "gauge", "Retries that would be granted now.");
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
