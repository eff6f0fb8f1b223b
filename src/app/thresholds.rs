//! Thresholds: what turns numbers into alerts.

use super::{Board, alerts::AlertView};
use crate::domain::LabelSet;

/// A value that a series has now.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The metric.
    pub metric: &'a str,
    /// The labels of the series.
    pub labels: &'a LabelSet,
    /// The value.
    pub value: f64,
}

impl Board {
    /// Whether a threshold looks at the metric. Cheap.
    #[must_use]
    pub fn thresholds_watch(&self, _: &str) -> bool {
        false
    }

    /// Shows values to the thresholds that look at them. The alerts that this fired; they are on disk.
    pub async fn thresholds_observe(&self, _: &[Observed<'_>]) -> Vec<AlertView> {
        std::future::ready(Vec::new()).await
    }
}
