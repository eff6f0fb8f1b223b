//! What holds for every history.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::{
    world::{Op, World, caps, history, steady},
    *,
};
use crate::domain::exposition::{Format, MetricFamily, MetricValue};

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(debug_assertions) { 96 } else { 10_000 })
}

fn pushed(samples: &[Value], name: &str) -> (u64, f64) {
    let values = samples.iter().filter(|sample| sample["name"] == name);
    values.fold((0, 0.0), |(count, sum), sample| (count + 1, sum + sample["value"].as_f64().unwrap()))
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

/// Counters and gauges by series; of timers, how often and how much.
fn numbers(families: &[MetricFamily]) -> BTreeMap<String, (f64, f64)> {
    let mut all = BTreeMap::new();
    for family in families {
        for metric in &family.metrics {
            let key = format!("{} {} {:?}", family.name, family.kind.as_str(), metric.labels);
            let value = match &metric.value {
                MetricValue::Number(value) => (*value, 0.0),
                MetricValue::Histogram(histogram) => {
                    assert!(histogram.buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
                    assert_eq!(histogram.buckets.last().map(|last| last.1), histogram.count);
                    (histogram.count.unwrap(), histogram.sum.unwrap())
                }
                MetricValue::Summary(_) => panic!("nothing is a summary"),
            };
            assert!(all.insert(key, value).is_none());
        }
    }
    all
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn totals_are_right_whatever_the_caps(samples in steady(), mut limits in caps()) {
        limits.max_metrics += 3;
        let mut world = World::new(limits);
        for sample in &samples {
            let recorded = world.push(sample);
            prop_assert!(recorded.is_ok() || sample["type"] == "gauge", "{:?}", recorded);
        }
        let view = world.view();
        let total: f64 = view.counters.values().sum();
        prop_assert!(same(total, pushed(&samples, "counter_x").1));
        let count: u64 = view.timers.values().map(|timer| timer.count).sum();
        let sum: f64 = view.timers.values().map(|timer| timer.sum).sum();
        let (expected, seconds) = pushed(&samples, "timer_x");
        prop_assert!(count == expected && same(sum, seconds));
    }

    #[test]
    fn the_order_of_clients_does_not_matter(samples in steady()) {
        let (mut one, mut other) = (World::roomy(), World::roomy());
        let is_gauge = |sample: &&Value| sample["type"] == "gauge";
        for sample in samples.iter().filter(|sample| !is_gauge(sample)) {
            one.push(sample).unwrap();
        }
        for sample in samples.iter().rev().filter(|sample| !is_gauge(sample)) {
            other.push(sample).unwrap();
        }
        prop_assert_eq!(one.view(), other.view());
    }

    #[test]
    fn caps_hold_and_room_comes_back(ops in history(), limits in caps()) {
        let mut world = World::new(limits);
        for op in &ops {
            let changes = |world: &World| world.catalog.iter().map(|family| family.borrow().changes()).sum::<u64>();
            let before = (world.capacity.figures(), changes(&world));
            let outcome = world.step(op);
            let after = world.capacity.figures();
            match outcome {
                Some(Ok(recorded)) => prop_assert_eq!(after.folded, before.0.folded + u64::from(recorded.folded)),
                Some(Err(rejection)) => {
                    let is_full = rejection.code == RejectionCode::CardinalityLimit;
                    prop_assert_eq!(after.refused, before.0.refused + u64::from(is_full));
                    prop_assert_eq!(changes(&world), before.1);
                }
                None => {}
            }
            prop_assert!(after.series <= limits.max_series);
            prop_assert!(world.catalog.len() <= limits.max_metrics);
            for family in world.catalog.iter() {
                prop_assert!(family.borrow().len() <= limits.max_series_per_metric + 1);
            }
        }
        for family in world.catalog.iter() {
            family.borrow_mut().clear(&world.capacity);
        }
        prop_assert_eq!(world.capacity.figures().series, 0);
    }

    #[test]
    fn it_does_not_matter_when_what_is_over_is_swept(ops in history()) {
        let (mut tidy, mut lazy) = (World::roomy(), World::roomy());
        for op in ops.iter().filter(|op| !matches!(op, Op::Sweep)) {
            tidy.step(op);
            lazy.step(op);
            // Not of metrics: an empty one keeps its type until it is dropped.
            for family in tidy.catalog.iter() {
                family.borrow_mut().sweep(tidy.now, &tidy.capacity);
            }
            prop_assert_eq!(tidy.view(), lazy.view());
        }
    }

    #[test]
    fn a_restart_changes_nothing(ops in history(), limits in caps()) {
        let (mut restarted, mut steady) = (World::new(limits), World::new(limits));
        let mut shift = 0;
        for op in &ops {
            let outcome = restarted.step(op);
            if let Op::Restart(by) = op {
                shift += by;
            } else {
                prop_assert_eq!(outcome, steady.step(op));
            }
            prop_assert_eq!(restarted.now, steady.now.shifted(shift));
            prop_assert_eq!(restarted.view(), steady.view());
            prop_assert_eq!(restarted.text(Format::Text), steady.text(Format::Text));
            prop_assert_eq!(restarted.capacity.figures().series, steady.capacity.figures().series);
        }
    }

    #[test]
    fn prometheus_sees_what_the_view_shows(ops in history(), limits in caps()) {
        let mut world = World::new(limits);
        for op in &ops {
            world.step(op);
        }
        let (view, exposed) = (world.view(), numbers(&world.exposed()));
        let shown = view.counters.len() + view.gauges.len() + view.timers.len();
        prop_assert_eq!(exposed.len(), shown);
        for (key, total) in &view.counters {
            let (name, labels) = key.split_at(key.find('{').unwrap_or(key.len()));
            let labels = if labels.is_empty() { "{}" } else { labels };
            let name = name.strip_suffix("_total").unwrap_or(name);
            let seen = exposed.get(&format!("{name}_total counter {labels}"));
            prop_assert!(seen.is_some_and(|seen| same(seen.0, *total)), "{} in {:?}", key, exposed);
        }
        let text = world.text(Format::OpenMetrics);
        let mut names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        for line in &mut names {
            *line = line.split(' ').next().unwrap_or_default();
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), all, "{}", text);
        prop_assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn quantiles_are_near_and_in_order(mut values in prop::collection::vec(0.1..1.5_f64, 1..300)) {
        let mut timer = timer::Timer::new(&Buckets::default());
        for value in &values {
            timer.observe(*value, &Buckets::default());
        }
        values.sort_by(f64::total_cmp);
        let view = timer.view();
        prop_assert!(view.min <= view.p50 && view.p50 <= view.p95 && view.p95 <= view.p99 && view.p99 <= view.max);
        prop_assert!(same(view.min, values[0]) && same(view.max, values[values.len() - 1]));
        prop_assert!(same(view.mean * f64::from(u32::try_from(values.len()).unwrap()), view.sum));
        for (percent, seen) in [(50, view.p50), (95, view.p95), (99, view.p99)] {
            let rank = (values.len() - 1) * percent;
            let (below, above) = (values[rank / 100], values[rank.div_ceil(100)]);
            let part = f64::from(u32::try_from(rank % 100).unwrap()) / 100.0;
            let exact = below + (above - below) * part;
            prop_assert!((seen - exact).abs() <= exact / 64.0 + 1e-12, "{} for {}", seen, exact);
        }
    }
}
