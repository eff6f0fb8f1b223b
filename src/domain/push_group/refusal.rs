//! Why a push is refused.

use std::fmt;

use crate::domain::exposition::MetricType;

/// A push that is refused. Nothing changed but the time of the group's last failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushRefusal {
    /// A sample has a time of its own. Prometheus would take old ones for new.
    Timestamp(Box<str>),
    /// The name is one of the board's own metrics.
    Reserved(Box<str>),
    /// Other series of that name are of another type.
    Type {
        /// The metric.
        name: Box<str>,
        /// What was pushed.
        pushed: MetricType,
        /// What there is.
        there: MetricType,
    },
    /// The parts of a histogram or summary would have the name of another metric.
    Collision {
        /// The histogram or summary.
        whole: Box<str>,
        /// The other metric.
        other: Box<str>,
    },
    /// A series comes twice in the push once it has the group's labels.
    Twice(Box<str>),
    /// Another group has the series.
    Taken(Box<str>),
    /// `le` of a histogram or `quantile` of a summary is a label of the group.
    EdgeLabel {
        /// The metric.
        name: Box<str>,
        /// The label.
        label: &'static str,
    },
    /// The metric cannot be summed.
    NoSum {
        /// The metric.
        name: Box<str>,
        /// Why not.
        reason: &'static str,
    },
    /// The group is summed and the push is not for that, or the other way round.
    Mode {
        /// Whether the group is summed.
        summed: bool,
    },
    /// There is no room.
    Full {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
}

impl fmt::Display for PushRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timestamp(name) => write!(f, "pushed metrics must not have timestamps: {name} has one"),
            Self::Reserved(name) => write!(f, "{name}: fuseboard_… are the board's own metrics"),
            Self::Type { name, pushed, there } => {
                let (pushed, there) = (pushed.as_str(), there.as_str());
                write!(f, "{name} was pushed as {pushed}, and is a {there} elsewhere")
            }
            Self::Collision { whole, other } => {
                write!(f, "the histogram or summary {whole} collides with the metric {other}")
            }
            Self::Twice(series) => write!(f, "{series} comes twice with the labels of the group"),
            Self::Taken(series) => write!(f, "{series} is a series of another group or of /v1/metrics"),
            Self::EdgeLabel { name, label } => {
                write!(f, "{name}: {label} cannot be a label of the group, because it tells its parts apart")
            }
            Self::NoSum { name, reason } => write!(f, "{name} cannot be summed: {reason}"),
            Self::Mode { summed: true } => f.write_str(
                "the group is summed over its pushers: push to /agg/metrics/…, or delete the group first",
            ),
            Self::Mode { summed: false } => f.write_str(
                "the group is not summed over its pushers: push to /metrics/…, or delete the group first",
            ),
            Self::Full { what, limit } => write!(f, "there are {limit} {what}, the most there may be"),
        }
    }
}

impl std::error::Error for PushRefusal {}
