//! What a timer has seen.

use serde::{Deserialize, Serialize};

use super::{Buckets, TimerView, sketch::Sketch};

/// Everything observed of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Timer {
    pub(super) count: u64,
    pub(super) sum: f64,
    min: f64,
    max: f64,
    pub(super) last: f64,
    /// By bucket; the last one has no bound.
    pub(super) counts: Vec<u64>,
    sketch: Sketch,
}

impl Timer {
    pub(super) fn new(buckets: &Buckets) -> Self {
        let counts = vec![0; buckets.bounds().len() + 1];
        Self { count: 0, sum: 0.0, min: 0.0, max: 0.0, last: 0.0, counts, sketch: Sketch::default() }
    }

    /// Adds seconds, which are finite and not negative.
    pub(super) fn observe(&mut self, seconds: f64, buckets: &Buckets) {
        if let Some(count) = self.counts.get_mut(buckets.place(seconds)) {
            *count = count.saturating_add(1);
        }
        self.min = if self.count == 0 { seconds } else { self.min.min(seconds) };
        self.max = self.max.max(seconds);
        self.count = self.count.saturating_add(1);
        self.sum = finite(self.sum + seconds);
        self.last = seconds;
        self.sketch.add(seconds);
    }

    /// As many counts as the buckets ask for, whatever was saved.
    pub(super) fn fit(&mut self, buckets: &Buckets) {
        self.counts.resize(buckets.bounds().len() + 1, 0);
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    pub(super) fn view(&self) -> TimerView {
        TimerView {
            count: self.count,
            sum: self.sum,
            mean: self.sum / self.count.max(1) as f64,
            min: self.min,
            max: self.max,
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
        }
    }

    /// Between two values, in proportion, as numpy's default does. The least and the greatest are exact.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is from 0 to the count; a float finds its neighbourhood"
    )]
    fn quantile(&self, quantile: f64) -> f64 {
        let rank = self.count.saturating_sub(1) as f64 * quantile;
        let (below, above) = (self.at(rank.floor() as u64), self.at(rank.ceil() as u64));
        below + (above - below) * rank.fract()
    }

    fn at(&self, rank: u64) -> f64 {
        match rank {
            0 => self.min,
            rank if rank + 1 >= self.count => self.max,
            rank => self.sketch.at(rank).clamp(self.min, self.max),
        }
    }
}

/// The nearest finite number: JSON has no other.
pub(super) fn finite(value: f64) -> f64 {
    value.clamp(f64::MIN, f64::MAX)
}
