//! `[metrics]`: what clients may push.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ConfigError;
use crate::{
    app::metrics::MetricRules,
    domain::{
        Seconds,
        invalid::InvalidConfig,
        series::{Buckets, BucketsSpec, SeriesLimits},
    },
};

/// `[metrics]`: pushed metrics. Caps are read at the start, the rest also on SIGHUP; what is there stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    /// Metrics, that is, names.
    pub max_metrics: Option<usize>,
    /// Series of one metric. Beyond it, counters and timers go on in a series `overflow="true"`; gauges are refused.
    pub max_series_per_metric: Option<usize>,
    /// Series of all metrics.
    pub max_series: Option<usize>,
    /// How long series live after their last sample, if it does not say so; for ever if left out.
    pub ttl_seconds: Option<Seconds>,
    /// Upper bounds of timers' buckets in seconds: a list, or `{ start, factor, count }`.
    pub buckets: Option<BucketsSpec>,
    /// Those of single timers, by name.
    pub timer_buckets: BTreeMap<String, BucketsSpec>,
}

impl MetricsSection {
    pub(super) fn limits(&self) -> SeriesLimits {
        let defaults = SeriesLimits::default();
        SeriesLimits {
            max_metrics: self.max_metrics.unwrap_or(defaults.max_metrics),
            max_series_per_metric: self.max_series_per_metric.unwrap_or(defaults.max_series_per_metric),
            max_series: self.max_series.unwrap_or(defaults.max_series),
        }
    }

    pub(super) fn rules(&self) -> Result<MetricRules, ConfigError> {
        if self.ttl_seconds.is_some_and(Seconds::is_zero) {
            return Err(ConfigError("[metrics] ttl_seconds must be more than 0".to_owned()));
        }
        let wrong = |key: &str| {
            let key = key.to_owned();
            move |error: InvalidConfig| ConfigError(format!("[metrics] {key}: {}", error.message))
        };
        let buckets = self.buckets.clone().map(Buckets::try_from).transpose().map_err(wrong("buckets"))?;
        let buckets_of = self.timer_buckets.iter().map(|(name, spec)| {
            let buckets = Buckets::try_from(spec.clone()).map_err(wrong(&format!("timer_buckets.{name}")))?;
            Ok((name.clone(), buckets))
        });
        Ok(MetricRules {
            buckets: buckets.unwrap_or_default(),
            buckets_of: buckets_of.collect::<Result<_, _>>()?,
            ttl: self.ttl_seconds,
        })
    }
}
