//! Metrics as `GET /v1/metrics` shows them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Family, family::Cells, held::Series, timer::Timer};
use crate::domain::{LabelSet, Seconds, Time};

/// Values by series: `name`, or `name{a="b"}` if there are labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct MetricsView {
    /// Totals.
    pub counters: BTreeMap<String, f64>,
    /// Values.
    pub gauges: BTreeMap<String, f64>,
    /// What was observed.
    pub timers: BTreeMap<String, TimerView>,
}

/// What a timer has seen, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TimerView {
    /// How often.
    pub count: u64,
    /// All together.
    pub sum: f64,
    /// On average.
    pub mean: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The median. Quantiles are within 1.6 % while values lie within a factor of 16, 3.2 % within 256, and so on.
    pub p50: f64,
    /// What 95 % are not greater than.
    pub p95: f64,
    /// What 99 % are not greater than.
    pub p99: f64,
}

/// One series, for whoever wants to know all of it.
#[derive(Clone, Copy, Debug)]
pub struct SeriesShown<'a> {
    /// Its labels.
    pub labels: &'a LabelSet,
    /// A counter's total, a gauge's value, what a timer has seen last.
    pub value: f64,
    /// What a timer has seen.
    pub timer: Option<TimerView>,
    /// When its last sample came.
    pub at: Time,
    /// How long it lives after that; as long as the board if none.
    pub ttl: Option<Seconds>,
}

impl Family {
    /// Shows all series that are not over.
    pub fn each_shown(&self, now: Time, mut look: impl FnMut(SeriesShown<'_>)) {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => series.each_live(now, |labels, held| {
                look(SeriesShown { labels, value: held.value, timer: None, at: held.at, ttl: held.ttl });
            }),
            Cells::Timers(_, series) => series.each_live(now, |labels, held| {
                let (value, timer) = (held.value.last, Some(held.value.view()));
                look(SeriesShown { labels, value, timer, at: held.at, ttl: held.ttl });
            }),
        }
    }
}

impl MetricsView {
    /// Adds a metric.
    pub fn add(&mut self, family: &Family, now: Time) {
        match &family.cells {
            Cells::Counters(series) => add(&mut self.counters, family, series, now, |total| *total),
            Cells::Gauges(series) => add(&mut self.gauges, family, series, now, |value| *value),
            Cells::Timers(_, series) => add(&mut self.timers, family, series, now, Timer::view),
        }
    }
}

fn add<V, T>(
    to: &mut BTreeMap<String, T>,
    family: &Family,
    series: &Series<V>,
    now: Time,
    view: impl Fn(&V) -> T,
) {
    for (labels, value, _) in series.live(now) {
        let key = if labels.is_empty() {
            family.name.to_string()
        } else {
            format!("{}{{{}}}", family.name, labels.as_str())
        };
        to.insert(key, view(value));
    }
}
