//! What is known of pushed metrics as a whole.

use super::family::{Family, write_all};
use crate::{
    app::Board,
    domain::exposition::{MetricType, Writer},
};

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn write(board: &Board, out: &mut Writer<'_>) {
    let (figures, limits) = (board.series.figures(), board.series.limits());
    let one = |name: &str, kind, help: &str, value: f64| {
        let mut family = Family::new(name, kind, help);
        family.add_labelled(&[], value);
        family
    };
    let gauge = |name, help, value: usize| one(name, MetricType::Gauge, help, value as f64);
    let counter = |name, help, value: u64| one(name, MetricType::Counter, help, value as f64);
    let mut rejected = Family::new(
        "fuseboard_pushed_samples_rejected_total",
        MetricType::Counter,
        "Samples that do not count, by reason; cardinality_limit: there are as many series as there may be.",
    );
    for (code, count) in &figures.rejected {
        rejected.add_labelled(&[("code", code.as_str())], *count as f64);
    }
    let families = [
        gauge("fuseboard_pushed_metrics", "Metrics that clients have pushed.", figures.metrics),
        gauge("fuseboard_pushed_metrics_limit", "How many there may be.", limits.max_metrics),
        gauge(
            "fuseboard_pushed_series",
            "Their series, without those of overflows.",
            figures.capacity.series,
        ),
        gauge("fuseboard_pushed_series_limit", "How many there may be.", limits.max_series),
        counter("fuseboard_pushed_samples_total", "Samples that count.", figures.accepted),
        counter(
            "fuseboard_pushed_samples_folded_total",
            "Samples that went to a series overflow=\"true\" because there was no room for one of their own.",
            figures.capacity.folded,
        ),
        rejected,
    ];
    write_all(&families, out);
}
