//! A board's metrics, small enough to fill, for laws.

use std::{cell::RefCell, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    LabelSet, Seconds, Time,
    exposition::{Format, Limits, MetricFamily, Writer, parse},
};

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// A sample as it comes over the wire.
    Push(Value),
    Wait(u32),
    Sweep,
    /// Saves and restores under a clock with another zero.
    Restart(i64),
}

/// A metric with its series, as they are stored.
pub(super) type AtRest = (String, SavedHead, Vec<(LabelSet, Time, Option<Seconds>, String)>);

pub(super) struct World {
    pub(super) catalog: Catalog<RefCell<Family>>,
    pub(super) capacity: Capacity,
    pub(super) now: Time,
    limits: SeriesLimits,
}

impl World {
    pub(super) fn new(limits: SeriesLimits) -> Self {
        let catalog = Catalog::new(&["process_cpu_seconds_total"]);
        Self { catalog, capacity: Capacity::new(limits), now: Time::from_nanos(0), limits }
    }

    /// With caps that no test reaches.
    pub(super) fn roomy() -> Self {
        Self::new(SeriesLimits::default())
    }

    pub(super) fn push(&mut self, document: &Value) -> Result<Recorded, Rejection> {
        let text = document.to_string();
        let spec: SampleSpec<'_> = serde_json::from_str(&text).unwrap();
        let mut scratch = "left over".to_owned();
        let sample = Sample::checked(&spec, &mut scratch)?;
        let kind = sample.update.kind();
        let buckets = Buckets::default();
        let make = || RefCell::new(Family::new(sample.name, kind, &buckets));
        let family = self.catalog.get_or_insert(sample.name, kind, &self.capacity, make)?;
        family.borrow_mut().record(&sample, self.now, None, &self.capacity)
    }

    pub(super) fn step(&mut self, op: &Op) -> Option<Result<Recorded, Rejection>> {
        match op {
            Op::Push(document) => return Some(self.push(document)),
            Op::Wait(seconds) => self.now = self.now.after(Duration::from_secs(u64::from(*seconds))),
            Op::Sweep => self.sweep(),
            Op::Restart(shift) => self.restart(*shift),
        }
        None
    }

    pub(super) fn sweep(&mut self) {
        let mut empty = Vec::new();
        for family in self.catalog.iter() {
            let mut family = family.borrow_mut();
            family.sweep(self.now, &self.capacity);
            if family.is_empty() {
                empty.push(family.name().to_owned());
            }
        }
        for name in empty {
            self.catalog.remove(&name);
        }
    }

    fn restart(&mut self, shift: i64) {
        let json = serde_json::to_string(&self.saved()).unwrap();
        let saved: Vec<AtRest> = serde_json::from_str(&json).unwrap();
        assert_eq!(saved, self.saved());
        let mut next = Self::new(self.limits);
        next.now = self.now.shifted(shift);
        for (name, head, series) in saved {
            let mut family = Family::restored(&name, head);
            for (labels, at, ttl, value) in series {
                let saved = SavedSeries { labels, at: at.shifted(shift), ttl, value: value.as_str() };
                family.put_back(saved, next.now, &next.capacity).unwrap();
            }
            let kind = family.kind();
            next.catalog.insert(&name, kind, RefCell::new(family));
        }
        *self = next;
    }

    pub(super) fn saved(&self) -> Vec<AtRest> {
        let all = self.catalog.iter().map(|family| {
            let (family, mut series) = (family.borrow(), Vec::new());
            // In two parts, as a large one is saved.
            for places in [0..2, 2..usize::MAX] {
                family.save(None, places, |saved| {
                    let value = serde_json::to_string(&saved.value).unwrap();
                    series.push((saved.labels, saved.at, saved.ttl, value));
                });
            }
            (family.name().to_owned(), family.head(), series)
        });
        all.collect()
    }

    pub(super) fn view(&self) -> MetricsView {
        let mut view = MetricsView::default();
        self.catalog.iter().for_each(|family| view.add(&family.borrow(), self.now));
        view
    }

    pub(super) fn text(&self, format: Format) -> String {
        let mut text = String::new();
        let mut writer = Writer::new(&mut text, format);
        self.catalog.iter().for_each(|family| family.borrow().write(self.now, &mut writer));
        writer.finish();
        text
    }

    pub(super) fn exposed(&self) -> Vec<MetricFamily> {
        let text = self.text(Format::Text);
        parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    pub(super) fn latest(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = LabelSet::from_pairs(labels.to_vec()).unwrap();
        self.catalog.get(name)?.borrow().latest(&labels, self.now).map(|(value, _)| value)
    }
}

/// Names that come near each other in what Prometheus sees.
pub(super) fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "a_total",
        "a_total_total",
        "a_seconds",
        "a_seconds_sum",
        "a_count",
        "a_bucket",
        "a_created",
        "_total",
        "process_cpu_seconds",
        "b",
        "c",
    ])
}

fn labels() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        (0..6_u8).prop_map(|n| json!({ "n": n.to_string() })),
        (0..3_u8, "[\\\\\"\n,}x]{0,2}").prop_map(|(n, text)| json!({ "z": text, "a": n.to_string() })),
        Just(json!({ "overflow": "true" })),
    ]
}

/// Whole numbers, so that sums are exact in any order.
fn sample(names: impl Strategy<Value = &'static str>, ttl: bool) -> impl Strategy<Value = Value> {
    let what = prop::sample::select(vec![
        ("counter", "increment"),
        ("gauge", "set"),
        ("gauge", "increment"),
        ("gauge", "decrement"),
        ("timer", "observe"),
    ]);
    let ttl = prop::option::of(1..20_u8).prop_map(move |seconds| seconds.filter(|_| ttl));
    (names, what, labels(), 0..1000_u16, ttl).prop_map(|(name, (kind, op), labels, value, ttl)| {
        json!({ "name": name, "type": kind, "op": op, "labels": labels, "value": value, "ttl_seconds": ttl })
    })
}

/// Samples of metrics of one type each, without times to live.
pub(super) fn steady() -> impl Strategy<Value = Vec<Value>> {
    let name = prop::sample::select(vec!["counter_x", "gauge_x", "timer_x"]);
    let typed = |sample: Value| {
        let name = sample["name"].as_str().unwrap_or_default().to_owned();
        let kind = name.trim_end_matches("_x").to_owned();
        json!({ "name": name, "type": kind, "labels": sample["labels"], "value": sample["value"] })
    };
    prop::collection::vec(sample(name, false).prop_map(typed), 0..60)
}

pub(super) fn history() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        12 => sample(name(), true).prop_map(Op::Push),
        2 => (0..12_u32).prop_map(Op::Wait),
        1 => Just(Op::Sweep),
        1 => (-9..9_i64).prop_map(|shift| Op::Restart(shift * 1_000_000_000)),
    ];
    prop::collection::vec(op, 0..80)
}

pub(super) fn caps() -> impl Strategy<Value = SeriesLimits> {
    (1..8_usize, 1..5_usize, 1..12_usize).prop_map(|(max_metrics, max_series_per_metric, max_series)| {
        SeriesLimits { max_metrics, max_series_per_metric, max_series }
    })
}
