//! Upper bounds of a timer's buckets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::invalid::InvalidConfig;

/// Prometheus' default buckets, and some for what takes minutes.
const DEFAULT: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
const MOST: usize = 100;

/// Bounds as they are configured: a list, or how to work them out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum BucketsSpec {
    /// Seconds, ascending, greater than 0, 1 to 100 of them.
    Explicit(Vec<f64>),
    /// Each by a factor greater than the one before.
    Exponential(ExponentialSpec),
}

/// Bounds that grow by a factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExponentialSpec {
    /// The first, in seconds. Greater than 0.
    pub start: f64,
    /// Greater than 1.
    pub factor: f64,
    /// How many, 1 to 100.
    pub count: usize,
}

/// Upper bounds in seconds: finite, greater than 0, ascending, 1 to 100. Cheap to clone.
///
/// What is greater than the last has a bucket as well. They are what Prometheus sees; the quantiles of the JSON view
/// come from a finer sketch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BucketsSpec", into = "BucketsSpec")]
pub struct Buckets(Arc<[f64]>);

impl Buckets {
    /// The bounds.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        &self.0
    }

    /// Which bucket takes the value: that of the first bound that is not less. The one after the last has no bound.
    pub(super) fn place(&self, value: f64) -> usize {
        self.0.partition_point(|bound| *bound < value)
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

impl TryFrom<BucketsSpec> for Buckets {
    type Error = InvalidConfig;

    fn try_from(spec: BucketsSpec) -> Result<Self, InvalidConfig> {
        let bounds = match spec {
            BucketsSpec::Explicit(bounds) => bounds,
            BucketsSpec::Exponential(ExponentialSpec { start, factor, count }) => {
                let next = |bound: &f64| Some(bound * factor);
                std::iter::successors(Some(start), next).take(count.min(MOST + 1)).collect()
            }
        };
        let is_bound = |bound: &f64| bound.is_finite() && *bound > 0.0;
        let ascends = bounds.is_sorted_by(|a, b| a < b);
        if bounds.is_empty() || bounds.len() > MOST || !bounds.iter().all(is_bound) || !ascends {
            let message = format!(
                "must be 1 to {MOST} finite numbers greater than 0, each greater than the one before; \
                 or start > 0, factor > 1 and count"
            );
            return Err(InvalidConfig { field: "buckets", message });
        }
        Ok(Self(bounds.into()))
    }
}

impl From<Buckets> for BucketsSpec {
    fn from(buckets: Buckets) -> Self {
        Self::Explicit(buckets.0.to_vec())
    }
}
