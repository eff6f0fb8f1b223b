use serde_json::{Value, json};

use super::{
    world::{Op, World},
    *,
};
use crate::domain::exposition::Format;

fn code(world: &mut World, document: &Value) -> RejectionCode {
    world.push(document).expect_err(&document.to_string()).code
}

#[test]
fn the_seed_s_shape() {
    let mut world = World::roomy();
    for _ in 0..3 {
        world.push(&json!({ "name": "backtests_completed", "type": "counter" })).unwrap();
    }
    let labels = json!({ "strategy": "ma", "a": "say \"hi\"", "empty": "" });
    for (op, value) in [("set", 0.25), ("increment", 0.5), ("decrement", 0.125)] {
        let gauge = json!({ "name": "portfolio_drawdown", "type": "gauge", "op": op, "value": value, "labels": labels });
        world.push(&gauge).unwrap();
    }
    for seconds in [2.0, 1.0] {
        let timer = json!({ "name": "backtest_duration", "type": "timer", "value": seconds, "help": "How long\na backtest takes" });
        assert_eq!(world.push(&timer), Ok(Recorded { value: seconds, folded: false }));
    }
    assert_eq!(
        serde_json::to_value(world.view()).unwrap(),
        json!({
            "counters": { "backtests_completed": 3.0 },
            "gauges": { "portfolio_drawdown{a=\"say \\\"hi\\\"\",strategy=\"ma\"}": 0.625 },
            "timers": { "backtest_duration": {
                "count": 2, "sum": 3.0, "mean": 1.5, "min": 1.0, "max": 2.0, "p50": 1.5, "p95": 1.95, "p99": 1.99
            } },
        })
    );
    let text = world.text(Format::Text);
    for line in [
        "# HELP backtest_duration_seconds How long\\na backtest takes\n# TYPE backtest_duration_seconds histogram\n",
        "backtest_duration_seconds_bucket{le=\"0.5\"} 0\nbacktest_duration_seconds_bucket{le=\"1\"} 1\n",
        "_bucket{le=\"300\"} 2\nbacktest_duration_seconds_bucket{le=\"+Inf\"} 2\nbacktest_duration_seconds_sum 3\n\
         backtest_duration_seconds_count 2\n",
        "# TYPE backtests_completed_total counter\nbacktests_completed_total 3\n",
        "# TYPE portfolio_drawdown gauge\nportfolio_drawdown{a=\"say \\\"hi\\\"\",strategy=\"ma\"} 0.625\n",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert_eq!(world.latest("backtests_completed", &[]), Some(3.0));
    assert_eq!(world.latest("backtest_duration", &[]), Some(1.0));
    assert_eq!(world.latest("backtest_duration", &[("a", "b")]), None);
}

#[test]
fn what_is_no_sample() {
    let world = &mut World::roomy();
    world.push(&json!({ "name": "taken", "type": "gauge", "value": 1 })).unwrap();
    let counter = |extra: Value| {
        let mut document = json!({ "name": "c", "type": "counter" });
        document.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        document
    };
    for name in ["", "_total", "1a", "a.b", "a-b", "ä", "a b", &"a".repeat(201)] {
        assert_eq!(code(world, &counter(json!({ "name": name }))), RejectionCode::InvalidName, "{name}");
    }
    let dotted = world.push(&counter(json!({ "name": "a.b-c" }))).unwrap_err();
    assert!(dotted.message.starts_with("name: ") && dotted.message.ends_with("a_b_c would do"), "{dotted}");
    for (extra, expected) in [
        (json!({ "name": "fuseboard_x" }), RejectionCode::ReservedName),
        (json!({ "name": "process_cpu_seconds" }), RejectionCode::NameConflict),
        (json!({ "name": "taken_total" }), RejectionCode::NameConflict),
        (json!({ "name": "taken" }), RejectionCode::TypeConflict),
        (json!({ "op": "decrement" }), RejectionCode::InvalidOp),
        (json!({ "op": "observe" }), RejectionCode::InvalidOp),
        (json!({ "type": "timer", "op": "increment" }), RejectionCode::InvalidOp),
        (json!({ "value": -1e-300 }), RejectionCode::InvalidValue),
        (json!({ "type": "timer", "value": -1 }), RejectionCode::InvalidValue),
        (json!({ "type": "timer" }), RejectionCode::InvalidValue),
        (json!({ "type": "gauge" }), RejectionCode::InvalidValue),
        (json!({ "help": "x".repeat(1025) }), RejectionCode::InvalidHelp),
        (json!({ "ttl_seconds": 0 }), RejectionCode::InvalidTtl),
        (json!({ "ttl_seconds": -1 }), RejectionCode::InvalidTtl),
        (json!({ "ttl_seconds": 1e300 }), RejectionCode::InvalidTtl),
        (json!({ "labels": { "__name__": "x" } }), RejectionCode::InvalidLabel),
        (json!({ "labels": { "le": "x" } }), RejectionCode::InvalidLabel),
        (json!({ "labels": { "quantile": "x" } }), RejectionCode::InvalidLabel),
        (json!({ "labels": { "a.b": "x" } }), RejectionCode::InvalidLabel),
        (json!({ "labels": { "": "x" } }), RejectionCode::InvalidLabel),
        (json!({ "labels": { "a": "x".repeat(257) } }), RejectionCode::InvalidLabel),
        (json!({ "labels": { "a".repeat(129): "x" } }), RejectionCode::InvalidLabel),
        (
            json!({ "labels": (0..16).map(|n| (format!("l{n}"), "x".repeat(256))).collect::<std::collections::BTreeMap<_, _>>() }),
            RejectionCode::InvalidLabel,
        ),
        (
            json!({ "labels": (0..33).map(|n| (format!("l{n}"), "x")).collect::<std::collections::BTreeMap<_, _>>() }),
            RejectionCode::InvalidLabel,
        ),
    ] {
        assert_eq!(code(world, &counter(extra.clone())), expected, "{extra}");
    }
    assert_eq!(world.view().counters.len(), 0);
    for text in [
        r#"{"name":"a","type":"counter","labels":{"x":1}}"#,
        r#"{"name":"a","type":"histogram"}"#,
        r#"{"name":"a","type":"counter","lables":{}}"#,
        r#"{"name":"a","type":"counter","value":"1"}"#,
    ] {
        assert!(serde_json::from_str::<SampleSpec<'_>>(text).is_err(), "{text}");
    }
    let twice: SampleSpec<'_> =
        serde_json::from_str(r#"{"name":"a","type":"counter","labels":{"x":"1","b":"","x":"1"}}"#).unwrap();
    let mut scratch = String::new();
    assert_eq!(Sample::checked(&twice, &mut scratch).map_err(|e| e.code), Err(RejectionCode::InvalidLabel));
}

#[test]
fn beyond_the_cap_counters_fold_and_gauges_are_refused() {
    let limits = SeriesLimits { max_metrics: 3, max_series_per_metric: 2, max_series: 3 };
    let world = &mut World::new(limits);
    let push = |world: &mut World, name: &str, kind: &str, n: u32| {
        world.push(&json!({ "name": name, "type": kind, "value": 1, "labels": { "n": n.to_string() } }))
    };
    for n in 0..5 {
        assert_eq!(push(world, "c", "counter", n).unwrap().folded, n >= 2);
    }
    assert_eq!(world.view().counters["c{overflow=\"true\"}"].to_bits(), 3.0_f64.to_bits());
    push(world, "g", "gauge", 0).unwrap();
    let refused = push(world, "g", "gauge", 1).unwrap_err();
    assert_eq!(refused.message, "there are 3 series, the most there may be");
    assert!(push(world, "t", "timer", 0).unwrap().folded, "a new metric counts, too");
    assert_eq!(
        code(world, &json!({ "name": "u", "type": "timer", "value": 1 })),
        RejectionCode::CardinalityLimit
    );
    assert_eq!(world.capacity.figures(), CapacityFigures { series: 3, folded: 4, refused: 2 });
    for labels in [json!({ "n": "new" }), json!({ "overflow": "true" })] {
        let brief = json!({ "name": "c", "type": "counter", "labels": labels, "ttl_seconds": 1 });
        world.push(&brief).unwrap();
    }
    world.step(&Op::Wait(9));
    assert_eq!(world.latest("c", &[("overflow", "true")]), Some(5.0), "what is folded stays");
}

#[test]
fn a_series_lives_as_long_as_it_is_fed() {
    let world = &mut World::roomy();
    let push = |world: &mut World, ttl: Option<u32>| {
        world.push(&json!({ "name": "c", "type": "counter", "ttl_seconds": ttl })).unwrap().value
    };
    push(world, Some(10));
    for _ in 0..3 {
        world.step(&Op::Wait(9));
        push(world, None);
    }
    assert_eq!(world.latest("c", &[]), Some(4.0));
    world.step(&Op::Wait(10));
    assert_eq!((world.latest("c", &[]), world.text(Format::Text)), (None, String::new()));
    assert!(push(world, None) < 1.5, "it begins anew");
    world.step(&Op::Wait(100));
    assert_eq!(world.latest("c", &[]), Some(1.0), "and for good");
    let ends = world.catalog.get("c").unwrap().borrow().ends();
    assert!(ends <= world.now, "a bound, moved by the next sweep");
    world.step(&Op::Sweep);
    assert_eq!(world.catalog.get("c").unwrap().borrow().ends(), crate::domain::Time::MAX);
}

#[test]
fn sums_stay_finite() {
    let world = &mut World::roomy();
    for (name, kind, op, value) in [
        ("c", "counter", "increment", f64::MAX),
        ("g", "gauge", "decrement", f64::MAX),
        ("t", "timer", "observe", f64::MAX),
    ] {
        for _ in 0..2 {
            world.push(&json!({ "name": name, "type": kind, "op": op, "value": value })).unwrap();
        }
    }
    let json = serde_json::to_string(&world.view()).unwrap();
    assert!(!json.contains("null"), "{json}");
    world.step(&Op::Restart(5));
}

#[test]
fn buckets_ascend() {
    let buckets = |text: &str| serde_json::from_str::<Buckets>(text);
    let ten = buckets(r#"{"start":0.5,"factor":2,"count":10}"#).unwrap();
    assert_eq!(ten.bounds()[..3], [0.5, 1.0, 2.0]);
    assert_eq!(ten.bounds().len(), 10);
    assert_eq!((ten.place(0.5), ten.place(0.6), ten.place(0.0), ten.place(1e9)), (0, 1, 0, 10));
    assert_eq!(buckets("[1, 2.5]").unwrap().bounds(), [1.0, 2.5]);
    for bad in [
        "[]",
        "[1,1]",
        "[2,1]",
        "[0,1]",
        "[-1]",
        r#"{"start":1,"factor":1,"count":3}"#,
        r#"{"start":1,"factor":2,"count":101}"#,
        r#"{"start":1,"factor":1e200,"count":3}"#,
        r#"{"start":1,"factor":2,"count":0}"#,
        r#"{"start":0,"factor":2,"count":3}"#,
    ] {
        assert!(buckets(bad).is_err(), "{bad}");
    }
}
