//! Groups of metrics that were pushed whole, as Pushgateway keeps them.
//!
//! A group is named by its labels (its [`GroupingKey`](super::GroupingKey)), and all its series have them. A push is taken
//! as a whole or not at all: Prometheus must be able to read all groups together on one page. What other groups have
//! is found by name and by series, so a push costs the same however much they store.
//!
//! A group can be *summed* over its pushers instead: counters, histograms, and the sums and counts of summaries of all of
//! them are added up (see `sources`). [`Groups`] is all of it without its lock.

mod body;
mod groups;
mod index;
mod refusal;
mod saved;
mod sources;
mod summed;
#[cfg(test)]
mod tests;
mod view;

pub use body::Body;
pub use groups::{Groups, Place, Stamp, Write};
pub use index::{GroupGuests, Pushed, ShownFamily};
pub use refusal::PushRefusal;
pub use saved::{Copied, SavedGroup};
pub use sources::{REMEMBERED, Totals};
pub use view::GroupView;

/// The metrics of each group that say when it was pushed to. Nobody can push them.
pub const PUSH_TIME: &str = "push_time_seconds";
/// The last push that was refused.
pub const PUSH_FAILURE_TIME: &str = "push_failure_time_seconds";

const INSTANCE: &str = "instance";

/// Caps on what clients can make the board remember by pushing groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLimits {
    /// Groups.
    pub max_groups: usize,
    /// Series of all groups: sets of labels.
    pub max_series: usize,
    /// About how many bytes all groups take, and what is remembered of the pushers of summed ones.
    pub max_bytes: usize,
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self { max_groups: 100_000, max_series: 200_000, max_bytes: 256 << 20 }
    }
}

/// What all groups take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Groups.
    pub groups: usize,
    /// Series.
    pub series: usize,
    /// Bytes, about.
    pub bytes: usize,
}
