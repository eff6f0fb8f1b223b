//! A sample as it comes over the wire.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};

use crate::domain::{
    schema::{SeriesLabelName, SeriesLabelValue},
    text::Text,
};

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Only grows; summed over clients.
    Counter,
    /// Goes up and down; the last one to set it wins.
    Gauge,
    /// How long things took: counted in buckets, over all clients.
    Timer,
}

impl MetricKind {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Timer => "timer",
        }
    }
}

/// What a sample does to its series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SampleOp {
    /// Adds to a counter or gauge.
    Increment,
    /// Gives a gauge its value.
    Set,
    /// Takes from a gauge.
    Decrement,
    /// Adds what was seen to a timer.
    Observe,
}

impl SampleOp {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Increment => "increment",
            Self::Set => "set",
            Self::Decrement => "decrement",
            Self::Observe => "observe",
        }
    }
}

/// One number of a metric.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSpec<'a> {
    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, at most 200 characters; not `fuseboard_…` or `resilience4j_…`.
    #[serde(borrow)]
    #[schema(value_type = String, pattern = "^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$")]
    pub name: Text<'a>,
    /// `counter`, `gauge` or `timer`.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// `counter`: `increment` (default). `gauge`: `set` (default), `increment`, `decrement`. `timer`: `observe`
    /// (default).
    #[serde(default)]
    pub op: Option<SampleOp>,
    /// A finite number; not negative for counters and timers, which take seconds. Default 1 for `increment` and
    /// `decrement`.
    #[serde(default)]
    pub value: Option<f64>,
    /// At most 32. A name is `[a-zA-Z_][a-zA-Z0-9_]*`, at most 128 characters, not `__…`, `le` or `quantile`; a value at
    /// most 256 bytes; all together, as Prometheus reads them, at most 4096. An empty value is no label, as in Prometheus.
    #[serde(borrow, default)]
    #[schema(value_type = Option<std::collections::BTreeMap<SeriesLabelName, SeriesLabelValue>>)]
    pub labels: Option<SampleLabels<'a>>,
    /// What the metric is about. At most 1024 characters. The first one given stays.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub help: Option<Text<'a>>,
    /// Forget the series so long after its last sample. Greater than 0, at most ten years. A sample without it leaves the
    /// series the one that it has. The series of the overflow stays.
    #[serde(default)]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub ttl_seconds: Option<f64>,
}

/// Labels of a sample in the order of their names, as they came: maybe one twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleLabels<'a>(Vec<(Text<'a>, Text<'a>)>);

impl<'a> SampleLabels<'a> {
    /// Labels in any order.
    #[must_use]
    pub fn new(mut pairs: Vec<(Text<'a>, Text<'a>)>) -> Self {
        // Sorted here, so that whoever checks them needs no memory.
        pairs.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        Self(pairs)
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for SampleLabels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = SampleLabels<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(SampleLabels::new(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}
