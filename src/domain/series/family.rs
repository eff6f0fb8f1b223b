//! One metric with its series.

use std::time::Duration;

use super::{
    Buckets, Capacity, MetricKind, Rejection, RejectionCode, Sample, Update,
    held::{Place, Series},
    timer::{Timer, finite},
};
use crate::domain::{LabelSet, Seconds, Time};

/// A metric: its type, its help and its series.
#[derive(Clone, Debug)]
pub struct Family {
    pub(super) name: Box<str>,
    pub(super) help: Option<Box<str>>,
    pub(super) changes: u64,
    pub(super) cells: Cells,
}

/// The series by what they are.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    Counters(Series<f64>),
    Gauges(Series<f64>),
    Timers(Buckets, Series<Timer>),
}

/// A sample that was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// What to compare to thresholds: the total of a counter, the value of a gauge, what a timer has just seen.
    pub value: f64,
    /// It went to the series of the overflow.
    pub folded: bool,
}

impl Family {
    /// A metric without series. `buckets` are for timers.
    #[must_use]
    pub fn new(name: &str, kind: MetricKind, buckets: &Buckets) -> Self {
        let cells = match kind {
            MetricKind::Counter => Cells::Counters(Series::default()),
            MetricKind::Gauge => Cells::Gauges(Series::default()),
            MetricKind::Timer => Cells::Timers(buckets.clone(), Series::default()),
        };
        Self { name: name.into(), help: None, changes: 0, cells }
    }

    /// Its name, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is about.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> MetricKind {
        match self.cells {
            Cells::Counters(_) => MetricKind::Counter,
            Cells::Gauges(_) => MetricKind::Gauge,
            Cells::Timers(..) => MetricKind::Timer,
        }
    }

    /// How often it has changed since it was made or restored.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many series it has. Those that are over count until the next [`sweep`](Self::sweep).
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => series.len(),
            Cells::Timers(_, series) => series.len(),
        }
    }

    /// Whether it has no series: then its owner may drop it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a sample of this metric. A series that begins with it lives as long as the sample says, or else `default_ttl`.
    ///
    /// Sums that leave the range of floats stay at its end.
    ///
    /// # Errors
    /// [`RejectionCode::TypeConflict`], and [`RejectionCode::CardinalityLimit`] for gauges. Nothing changed.
    pub fn record(
        &mut self,
        sample: &Sample<'_>,
        now: Time,
        default_ttl: Option<Seconds>,
        capacity: &Capacity,
    ) -> Result<Recorded, Rejection> {
        let kind = sample.update.kind();
        let folds = kind != MetricKind::Gauge;
        let (labels, ttl, change) = (sample.labels, sample.ttl, self.changes + 1);
        let place = Place { labels, now, ttl, default_ttl, change, folds, capacity };
        let recorded = match (&mut self.cells, sample.update) {
            (Cells::Counters(series), Update::Count(by)) => {
                let (total, folded) = series.at(place, || 0.0)?;
                *total = finite(*total + by);
                Recorded { value: *total, folded }
            }
            (Cells::Gauges(series), Update::Set(value)) => {
                let (gauge, folded) = series.at(place, || 0.0)?;
                *gauge = value;
                Recorded { value, folded }
            }
            (Cells::Gauges(series), Update::Shift(by)) => {
                let (gauge, folded) = series.at(place, || 0.0)?;
                *gauge = finite(*gauge + by);
                Recorded { value: *gauge, folded }
            }
            (Cells::Timers(buckets, series), Update::Observe(seconds)) => {
                let (timer, folded) = series.at(place, || Timer::new(buckets))?;
                timer.observe(seconds, buckets);
                Recorded { value: seconds, folded }
            }
            _ => return Err(self.type_conflict(kind)),
        };
        self.changes += 1;
        if self.help.is_none() {
            self.help = sample.help.map(Into::into);
        }
        Ok(recorded)
    }

    /// Forgets series that are over; how many.
    pub fn sweep(&mut self, now: Time, capacity: &Capacity) -> usize {
        let gone = match &mut self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => series.sweep(now, capacity),
            Cells::Timers(_, series) => series.sweep(now, capacity),
        };
        self.changes += u64::from(gone > 0);
        gone
    }

    /// No series is over before this: when to [`sweep`](Self::sweep) next.
    #[must_use]
    pub fn ends(&self) -> Time {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => series.ends(),
            Cells::Timers(_, series) => series.ends(),
        }
    }

    /// Gives its room back. For a family that is dropped with its series.
    pub fn clear(&mut self, capacity: &Capacity) {
        let roomy = match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => series.roomy(),
            Cells::Timers(_, series) => series.roomy(),
        };
        capacity.give_back(roomy);
        self.cells = match &self.cells {
            Cells::Counters(_) => Cells::Counters(Series::default()),
            Cells::Gauges(_) => Cells::Gauges(Series::default()),
            Cells::Timers(buckets, _) => Cells::Timers(buckets.clone(), Series::default()),
        };
        self.changes += 1;
    }

    /// The value of a series as a threshold sees it (of a timer, what it saw last), and how long ago its last sample
    /// came.
    #[must_use]
    pub fn latest(&self, labels: &LabelSet, now: Time) -> Option<(f64, Duration)> {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => {
                series.get(labels.as_str(), now).map(|(value, age)| (*value, age))
            }
            Cells::Timers(_, series) => {
                series.get(labels.as_str(), now).map(|(timer, age)| (timer.last, age))
            }
        }
    }

    /// Looks at all series as [`latest`](Self::latest) does.
    pub fn each_latest(&self, now: Time, mut look: impl FnMut(&LabelSet, f64, Duration)) {
        match &self.cells {
            Cells::Counters(series) | Cells::Gauges(series) => {
                series.live(now).for_each(|(labels, value, age)| look(labels, *value, age));
            }
            Cells::Timers(_, series) => {
                series.live(now).for_each(|(labels, timer, age)| look(labels, timer.last, age));
            }
        }
    }

    fn type_conflict(&self, kind: MetricKind) -> Rejection {
        let message = format!("type: the metric is a {}, not a {}", self.kind().as_str(), kind.as_str());
        Rejection::new(RejectionCode::TypeConflict, message)
    }
}
