//! How many series there may be.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Caps on what clients can make the board remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesLimits {
    /// Metrics: names.
    pub max_metrics: usize,
    /// Series of one metric.
    pub max_series_per_metric: usize,
    /// Series of all metrics.
    pub max_series: usize,
}

impl Default for SeriesLimits {
    fn default() -> Self {
        Self { max_metrics: 10_000, max_series_per_metric: 1_000, max_series: 100_000 }
    }
}

/// What all families share: how much room is left. The series of overflows take none; each metric has at most one.
#[derive(Debug, Default)]
pub struct Capacity {
    limits: SeriesLimits,
    series: AtomicUsize,
    folded: AtomicU64,
    refused: AtomicU64,
}

/// Figures of a [`Capacity`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapacityFigures {
    /// Series that take room.
    pub series: usize,
    /// Samples that went to a series of the overflow.
    pub folded: u64,
    /// Samples that were refused because there was no room.
    pub refused: u64,
}

impl Capacity {
    /// All room is left.
    #[must_use]
    pub fn new(limits: SeriesLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The caps.
    #[must_use]
    pub fn limits(&self) -> &SeriesLimits {
        &self.limits
    }

    /// How it stands.
    #[must_use]
    pub fn figures(&self) -> CapacityFigures {
        CapacityFigures {
            series: self.series.load(Relaxed),
            folded: self.folded.load(Relaxed),
            refused: self.refused.load(Relaxed),
        }
    }

    /// Room for one series, if there is any.
    pub(super) fn take(&self) -> bool {
        let most = self.limits.max_series;
        self.series.fetch_update(Relaxed, Relaxed, |used| (used < most).then_some(used + 1)).is_ok()
    }

    /// Room for what was there before, even beyond the cap.
    pub(super) fn take_back(&self, series: usize) {
        self.series.fetch_add(series, Relaxed);
    }

    pub(super) fn give_back(&self, series: usize) {
        self.series.fetch_sub(series, Relaxed);
    }

    pub(super) fn count_folded(&self) {
        self.folded.fetch_add(1, Relaxed);
    }

    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }
}
