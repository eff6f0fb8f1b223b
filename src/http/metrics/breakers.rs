//! Breakers, also under resilience4j's names, so that existing dashboards work.

use super::family::{Family, write_all};
use crate::{
    app::{Board, definitions::Resource},
    domain::{
        breaker::StateName,
        exposition::{MetricType, Writer},
    },
};

#[expect(
    clippy::cast_precision_loss,
    clippy::too_many_lines,
    reason = "metrics are floats; it is one table of them"
)]
pub(super) fn write(board: &Board, out: &mut Writer<'_>) {
    const R4J: &str = "resilience4j_circuitbreaker";
    let mut state = Family::new(
        "fuseboard_breaker_state",
        MetricType::Gauge,
        "State of the breaker: 1 for the present one.",
    );
    let mut calls =
        Family::new("fuseboard_breaker_calls_total", MetricType::Counter, "Calls by what became of them.");
    let mut flight = Family::new(
        "fuseboard_breaker_in_flight",
        MetricType::Gauge,
        "Calls that entered and did not report yet.",
    );
    let mut failures = Family::new(
        "fuseboard_breaker_consecutive_failures",
        MetricType::Gauge,
        "Largest number of failures in a row.",
    );
    let mut generation =
        Family::new("fuseboard_breaker_transitions_total", MetricType::Counter, "Changes of state.");
    let mut r_state =
        Family::new(&format!("{R4J}_state"), MetricType::Gauge, "The states of the circuit breaker");
    let mut r_calls = Family::new(
        &format!("{R4J}_calls_seconds"),
        MetricType::Summary,
        "Total number of calls and their duration",
    );
    let mut r_buffered = Family::new(
        &format!("{R4J}_buffered_calls"),
        MetricType::Gauge,
        "The number of buffered calls in the window",
    );
    let mut r_slow = Family::new(
        &format!("{R4J}_slow_calls"),
        MetricType::Gauge,
        "The number of slow calls in the window",
    );
    let mut r_rate =
        Family::new(&format!("{R4J}_failure_rate"), MetricType::Gauge, "The failure rate, -1 if unknown");
    let mut r_slow_rate =
        Family::new(&format!("{R4J}_slow_call_rate"), MetricType::Gauge, "The slow call rate, -1 if unknown");
    let mut r_denied = Family::new(
        &format!("{R4J}_not_permitted_calls_total"),
        MetricType::Counter,
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
