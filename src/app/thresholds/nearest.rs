//! How far a threshold is from being breached.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::ThresholdCell;
use crate::{
    app::Board,
    domain::{LabelSet, threshold::ThresholdConfig},
};

/// A series that a threshold looks at.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NearestSeries {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value, as the threshold sees it.
    pub value: f64,
}

impl ThresholdCell {
    /// The series that is furthest beyond the threshold or, where none is, nearest to it. None if it looks at nothing.
    pub(super) fn nearest(self: &Arc<Self>, board: &Board) -> Option<NearestSeries> {
        let config = self.shared_config();
        if !config.is_enabled() {
            return None;
        }
        let mut nearest = None;
        // Those that are pushed, and those that were only asked about and breach it.
        board.metric_each_latest(config.metric_name(), |labels, value, age| {
            if config.is_fresh(age) {
                approach(&mut nearest, &config, labels, value);
            }
        });
        self.peek(|inner| {
            for (labels, held) in &inner.series {
                if let Some(value) = held.value {
                    approach(&mut nearest, &config, labels, value);
                }
            }
        });
        let (labels, value) = nearest?;
        let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        Some(NearestSeries { labels, value })
    }
}

fn approach(nearest: &mut Option<(LabelSet, f64)>, config: &ThresholdConfig, labels: &LabelSet, value: f64) {
    if !value.is_finite() || !config.matches(labels) {
        return;
    }
    let excess = |value| config.rule().excess(value);
    if nearest.as_ref().is_none_or(|(_, nearest)| excess(*nearest) < excess(value)) {
        *nearest = Some((labels.clone(), value));
    }
}
