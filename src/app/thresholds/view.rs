//! A threshold as clients see it.

use std::sync::{Arc, atomic::Ordering};

use serde::Serialize;
use utoipa::ToSchema;

use super::{ThresholdCell, nearest::NearestSeries};
use crate::{
    app::Board,
    domain::{
        Name,
        alert::AlertLevel,
        threshold::{Stage, ThresholdSpec},
    },
};

/// A threshold as answered by `GET /v1/thresholds/{id}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ThresholdView {
    /// Its id.
    pub id: Name,
    /// The metric that it looks at.
    pub metric_name: String,
    /// How grave its alerts are.
    pub level: AlertLevel,
    /// Whether it looks at anything.
    pub enabled: bool,
    /// Whether it is one of the board's own, as it was made.
    pub built_in: bool,
    /// Series that breach it, and not yet for long enough.
    pub pending: usize,
    /// Alerts that are firing.
    pub firing: usize,
    /// The series that is furthest beyond it or, if none is, nearest to it; null if it looks at none.
    pub nearest: Option<NearestSeries>,
    /// The definition, every field filled.
    pub config: ThresholdSpec,
}

impl ThresholdCell {
    /// What clients see.
    #[must_use]
    pub fn view(self: &Arc<Self>, board: &Board) -> ThresholdView {
        board.advance_thresholds();
        let (pending, firing) = self.count();
        let nearest = self.nearest(board);
        self.peek(|inner| ThresholdView {
            id: self.name.clone(),
            metric_name: inner.config.metric_name().to_owned(),
            level: inner.config.level(),
            enabled: inner.config.is_enabled(),
            built_in: self.is_preset.load(Ordering::Relaxed),
            pending,
            firing,
            nearest,
            config: (&*inner.config).into(),
        })
    }

    fn count(&self) -> (usize, usize) {
        self.peek(|inner| {
            let mut counts = (0, 0);
            for held in inner.series.values() {
                match held.series.stage() {
                    Stage::Pending { .. } => counts.0 += 1,
                    stage if stage.is_firing() => counts.1 += 1,
                    _ => {}
                }
            }
            counts
        })
    }

    /// The metric and the level, to choose by.
    #[must_use]
    pub fn is_about(&self, metric: Option<&str>, level: Option<AlertLevel>) -> bool {
        self.peek(|inner| {
            metric.is_none_or(|metric| metric == inner.config.metric_name())
                && level.is_none_or(|level| level == inner.config.level())
        })
    }
}
