//! The families of checks and gates.

use super::family::{Family, write_all};
use crate::{
    app::{
        Board,
        checks::tally::{DURATION_BUCKETS, Tally},
    },
    domain::{
        exposition::{Format, MetricType, Writer},
        health::Status,
    },
};

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn checks(board: &Board, out: &mut Writer<'_>) {
    let gauge = |name: &str, help: &str| Family::new(name, MetricType::Gauge, help);
    let mut status = gauge("fuseboard_check_status", "What the check shows: 1 for the present status.");
    let mut stale = gauge("fuseboard_check_stale", "1 if the status no longer holds.");
    let mut success = gauge(
        "fuseboard_check_last_success_timestamp_seconds",
        "When the last result came that was not red.",
    );
    let mut late = gauge("fuseboard_check_late_seconds", "How late an awaited ping is; 0 if it is not.");
    let mut results = Family::new(
        "fuseboard_check_results_total",
        MetricType::Counter,
        "Results since the start of the server.",
    );
    let mut durations =
        Family::new("fuseboard_check_duration_seconds", MetricType::Histogram, "How long results took.");
    for name in board.checks.names() {
        let Some(cell) = board.checks.get(name.as_str()) else { continue };
        let figures = cell.figures(board);
        let check = ("check", name.as_str());
        let labels = [check, ("kind", figures.kind.as_str())];
        for known in Status::ALL {
            let is_present = known == figures.status;
            let labels = [labels[0], labels[1], ("status", known.as_str())];
            status.add_labelled(&labels, f64::from(u8::from(is_present)));
        }
        stale.add_labelled(&labels, f64::from(u8::from(figures.stale)));
        if let Some(at) = figures.tally.last_success {
            success.add_labelled(&labels, at.as_millisecond() as f64 / 1000.0);
        }
        if let Some(seconds) = figures.late_seconds {
            late.add_labelled(&labels, seconds);
        }
        for (known, count) in Status::ALL.into_iter().zip(figures.tally.results) {
            results.add_labelled(&[check, ("status", known.as_str())], count as f64);
        }
        histogram(&mut durations, out.format(), name.as_str(), &figures.tally);
    }
    write_all(&[status, stale, success, late, results, durations], out);
}

/// Checks whose results take no time of their own, such as most pushes, have no histogram.
#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
fn histogram(family: &mut Family, format: Format, check: &str, tally: &Tally) {
    let total: u64 = tally.durations.iter().sum();
    if total == 0 {
        return;
    }
    let mut below = 0;
    let bounds = DURATION_BUCKETS.iter().chain([&f64::INFINITY]);
    for (bound, count) in bounds.zip(tally.durations) {
        below += count;
        let bound = format.bound(*bound);
        family.add_suffixed("_bucket", &[("check", check), ("le", &bound)], below as f64);
    }
    family.add_suffixed("_sum", &[("check", check)], tally.duration_sum);
    family.add_suffixed("_count", &[("check", check)], total as f64);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn gates(board: &Board, out: &mut Writer<'_>) {
    let mut evaluations = Family::new(
        "fuseboard_gate_evaluations_total",
        MetricType::Counter,
        "Answers of gates since the start of the server; those without a name have an empty one.",
    );
    let mut add = |gate: &str, record: crate::app::gates::Record| {
        for (allowed, count) in [("true", record.allowed), ("false", record.refused)] {
            evaluations.add_labelled(&[("gate", gate), ("allowed", allowed)], count as f64);
        }
    };
    for name in board.gates.names() {
        let Some(cell) = board.gates.get(name.as_str()) else { continue };
        add(name.as_str(), cell.record());
    }
    add("", board.ad_hoc.record());
    evaluations.write_to(out);
}
