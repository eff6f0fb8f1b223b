//! Thresholds: when a number is wrong, for how long it has to be, and what is said then.
//!
//! Each series of the metric has an episode of its own: `inactive`, `pending` while the value breaches the threshold and
//! not yet for long enough, `firing`, `recovering` while it is well again and not yet for long enough, and over.

mod config;
mod episode;
#[cfg(test)]
mod laws;
pub mod own;
#[cfg(test)]
mod tests;
mod value;

pub use config::{NoData, ThresholdConfig, ThresholdSpec};
pub use episode::{Changed, SavedSeries, Series, Stage, Timing, Turn, Unseen};
pub use value::ValueSpec;
