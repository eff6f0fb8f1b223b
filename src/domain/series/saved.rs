//! A metric at rest.

use serde::{Deserialize, Serialize};

use super::{
    Buckets, Capacity, Family,
    family::Cells,
    held::{Held, Series},
    timer::Timer,
};
use crate::domain::{LabelSet, Time};

type Saved<V> = Vec<(LabelSet, Held<V>)>;

/// All that a metric is. In JSON it is exact, because all numbers are finite and read to the last digit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedFamily {
    name: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    help: Option<Box<str>>,
    changes: u64,
    series: SavedCells,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedCells {
    Counters(Saved<f64>),
    Gauges(Saved<f64>),
    Timers(Buckets, Saved<Timer>),
}

impl SavedFamily {
    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it had changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

impl Family {
    /// All there is to restore the metric from.
    #[must_use]
    pub fn save(&self) -> SavedFamily {
        let series = match &self.cells {
            Cells::Counters(series) => SavedCells::Counters(series.save()),
            Cells::Gauges(series) => SavedCells::Gauges(series.save()),
            Cells::Timers(buckets, series) => SavedCells::Timers(buckets.clone(), series.save()),
        };
        SavedFamily { name: self.name.clone(), help: self.help.clone(), changes: self.changes, series }
    }

    /// The metric that was saved, with all times moved by `shift_nanos` to the clock of `now`. Time went on while it was
    /// at rest. Its series take room even beyond the caps; its buckets are those that it had.
    #[must_use]
    pub fn restore(saved: SavedFamily, now: Time, shift_nanos: i64, capacity: &Capacity) -> Self {
        let times = (now, shift_nanos);
        let cells = match saved.series {
            SavedCells::Counters(series) => Cells::Counters(Series::restore(series, true, times, capacity)),
            SavedCells::Gauges(series) => Cells::Gauges(Series::restore(series, false, times, capacity)),
            SavedCells::Timers(buckets, mut series) => {
                for (_, held) in &mut series {
                    held.value.fit(&buckets);
                }
                Cells::Timers(buckets, Series::restore(series, true, times, capacity))
            }
        };
        Self { name: saved.name, help: saved.help, changes: saved.changes, cells }
    }
}
