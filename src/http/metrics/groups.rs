//! What is known of groups of pushed metrics as a whole.

use super::family::{Family, write_all};
use crate::{
    app::Board,
    domain::exposition::{MetricType, Writer},
};

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn write(board: &Board, out: &mut Writer<'_>) {
    let figures = board.push_groups_figures();
    let (usage, limits) = (figures.usage, figures.limits);
    let one = |name: &str, kind, help: &str, value: f64| {
        let mut family = Family::new(name, kind, help);
        family.add_labelled(&[], value);
        family
    };
    let gauge = |name, help, value: usize| one(name, MetricType::Gauge, help, value as f64);
    let counter = |name, help, value: u64| one(name, MetricType::Counter, help, value as f64);
    let mut refused = Family::new(
        "fuseboard_pushes_refused_total",
        MetricType::Counter,
        "Pushes to groups that were refused, by reason.",
    );
    for (reason, count) in figures.refused {
        refused.add_labelled(&[("reason", reason.as_str())], count as f64);
    }
    let families = [
        gauge("fuseboard_push_groups", "Groups of pushed metrics.", usage.groups),
        gauge("fuseboard_push_groups_limit", "How many there may be.", limits.max_groups),
        gauge("fuseboard_push_group_series", "Series of all groups.", usage.series),
        gauge("fuseboard_push_group_series_limit", "How many there may be.", limits.max_series),
        gauge(
            "fuseboard_push_group_bytes",
            "About what all groups take, their pushers included.",
            usage.bytes,
        ),
        gauge("fuseboard_push_group_bytes_limit", "How much it may be.", limits.max_bytes),
        counter("fuseboard_push_groups_expired_total", "Groups that went at their time.", figures.expired),
        counter("fuseboard_pushes_total", "Pushes to groups that were taken.", figures.taken),
        refused,
    ];
    write_all(&families, out);
}
