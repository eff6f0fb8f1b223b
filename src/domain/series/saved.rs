//! A metric at rest: its head, and its series one by one.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    Buckets, Capacity, Family, MetricKind,
    family::Cells,
    held::{Held, Series},
    timer::Timer,
};
use crate::domain::{LabelSet, Seconds, Time};

/// What a metric is, without its series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedHead {
    kind: MetricKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    help: Option<Box<str>>,
    /// Of a timer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buckets: Option<Buckets>,
}

/// A series at rest. In JSON its value is exact, because all numbers are finite and read to the last digit.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedSeries<V> {
    /// Its labels.
    pub labels: LabelSet,
    /// When its last sample came.
    pub at: Time,
    /// How long it lives after that; as long as the board if none.
    pub ttl: Option<Seconds>,
    /// What it holds.
    pub value: V,
}

/// What a series holds.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum SavedValue<'a> {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a timer.
    Timer(SavedTimer<'a>),
}

/// What a timer has seen.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct SavedTimer<'a>(&'a Timer);

impl Family {
    /// All there is to restore the metric from, besides its series.
    #[must_use]
    pub fn head(&self) -> SavedHead {
        let buckets = match &self.cells {
            Cells::Timers(buckets, _) => Some(buckets.clone()),
            Cells::Counters(_) | Cells::Gauges(_) => None,
        };
        SavedHead { kind: self.kind(), help: self.help.clone(), buckets }
    }

    /// The series in some places, or those of them that changed after so many [`changes`](Self::changes). A series keeps its
    /// place as long as there are no [`removals`](Self::removals).
    pub fn save(
        &self,
        since: Option<u64>,
        places: Range<usize>,
        mut save: impl FnMut(SavedSeries<SavedValue<'_>>),
    ) {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => {
                save_some(series, since, places, |number| SavedValue::Number(*number), &mut save);
            }
            Cells::Timers(_, series) => {
                save_some(series, since, places, |timer| SavedValue::Timer(SavedTimer(timer)), &mut save);
            }
        }
    }

    /// How often series were removed.
    #[must_use]
    pub fn removals(&self) -> u64 {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => series.removals(),
            Cells::Timers(_, series) => series.removals(),
        }
    }

    /// The metric that was saved, without its series. Its buckets are those that it had.
    #[must_use]
    pub fn restored(name: &str, head: SavedHead) -> Self {
        let family = Self::new(name, head.kind, &head.buckets.unwrap_or_default());
        Self { help: head.help, ..family }
    }

    /// Puts a series back, by the clock of `now`. It takes room even beyond the caps.
    ///
    /// # Errors
    /// The value, which is JSON, is none of this metric's.
    pub fn put_back(
        &mut self,
        saved: SavedSeries<&str>,
        now: Time,
        capacity: &Capacity,
    ) -> Result<(), serde_json::Error> {
        let SavedSeries { labels, at, ttl, value } = saved;
        let at = at.min(now);
        match &mut self.cells {
            Cells::Counters(series) => {
                let held = Held { value: serde_json::from_str(value)?, at, ttl, changed: 0 };
                series.put_back(labels, held, true, capacity);
            }
            Cells::Gauges(series) => {
                let held = Held { value: serde_json::from_str(value)?, at, ttl, changed: 0 };
                series.put_back(labels, held, false, capacity);
            }
            Cells::Timers(buckets, series) => {
                let mut timer: Timer = serde_json::from_str(value)?;
                timer.fit(buckets);
                series.put_back(labels, Held { value: timer, at, ttl, changed: 0 }, true, capacity);
            }
        }
        Ok(())
    }
}

fn save_some<'a, V>(
    series: &'a Series<V>,
    since: Option<u64>,
    places: Range<usize>,
    value: impl Fn(&'a V) -> SavedValue<'a>,
    save: &mut impl FnMut(SavedSeries<SavedValue<'a>>),
) {
    let is_wanted = |held: &Held<V>| since.is_none_or(|since| held.changed > since);
    for (labels, held) in series.range(places).filter(|(_, held)| is_wanted(held)) {
        save(SavedSeries { labels: labels.clone(), at: held.at, ttl: held.ttl, value: value(&held.value) });
    }
}
