//! Metrics that clients push one number at a time: counters, gauges and timers, by name and labels.
//!
//! A metric's type is that of its first sample. What does not fit under the caps is never lost without a word: counters
//! and timers go on in one series of their metric, `{overflow="true"}`, so that totals stay right; gauges are refused,
//! because a gauge of everybody's says nothing.
//!
//! Locks belong to whoever owns this: a [`Catalog`] finds a [`Family`] by name and changes only when a metric comes or
//! goes; a family has its series and is changed by each sample; [`Capacity`] is shared by all of them and needs no lock.

mod buckets;
mod capacity;
mod catalog;
mod exposed;
mod family;
mod held;
#[cfg(test)]
mod laws;
mod rejection;
mod sample;
mod saved;
mod sketch;
mod spec;
#[cfg(test)]
mod tests;
mod timer;
mod view;
#[cfg(test)]
mod world;

pub use buckets::{Buckets, BucketsSpec, ExponentialSpec};
pub use capacity::{Capacity, CapacityFigures, SeriesLimits};
pub use catalog::Catalog;
pub use exposed::exposed_name;
pub use family::{Family, Recorded};
pub use rejection::{Rejection, RejectionCode};
pub use sample::{Sample, Update, label_set};
pub use saved::{SavedHead, SavedSeries, SavedTimer, SavedValue};
pub use spec::{MetricKind, SampleLabels, SampleOp, SampleSpec};
pub use view::{MetricsView, SeriesShown, TimerView};

/// The labels of the series that takes what is beyond the caps.
pub const OVERFLOW: &str = "overflow=\"true\"";
