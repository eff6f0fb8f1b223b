//! The families of checks and gates.

use super::{Family, write_all};
use crate::{app::Board, domain::health::Status};

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn checks(board: &Board, out: &mut String) {
    let mut status =
        Family::new("fuseboard_check_status", "gauge", "What the check shows: 0 green, 1 yellow, 2 red.");
    let mut stale = Family::new("fuseboard_check_stale", "gauge", "1 if the status no longer holds.");
    let mut duration =
        Family::new("fuseboard_check_duration_seconds", "gauge", "How long the last result took.");
    let mut results =
        Family::new("fuseboard_check_results_total", "counter", "Results since the start of the server.");
    for name in board.checks.names() {
        let Some(cell) = board.checks.get(name.as_str()) else { continue };
        let figures = cell.figures(board);
        let check = ("check", name.as_str());
        let labels = [check, ("kind", figures.kind.as_str())];
        status.add_labelled(&labels, f64::from(figures.status as u8));
        stale.add_labelled(&labels, f64::from(u8::from(figures.stale)));
        if let Some(seconds) = figures.duration_seconds {
            duration.add_labelled(&labels, seconds);
        }
        for (known, count) in Status::ALL.into_iter().zip(figures.results) {
            results.add_labelled(&[check, ("status", known.as_str())], count as f64);
        }
    }
    write_all(&[status, stale, duration, results], out);
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn gates(board: &Board, out: &mut String) {
    let mut evaluations = Family::new(
        "fuseboard_gate_evaluations_total",
        "counter",
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
