//! What holds for every text.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    tests::{read, written},
    *,
};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        (-1000..1000_i32).prop_map(f64::from),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY)
    ]
}

fn count() -> impl Strategy<Value = f64> {
    prop_oneof![(0..1_000_000_u32).prop_map(f64::from), Just(f64::INFINITY), 0.0..1e18]
}

/// Bounds or quantiles, each once. NaN is none.
fn edges(value: impl Strategy<Value = f64>) -> impl Strategy<Value = Vec<(f64, f64)>> {
    let edge = prop_oneof![(-5..5_i32).prop_map(f64::from), -1e9..1e9, Just(f64::NEG_INFINITY)];
    prop::collection::vec((edge, value), 0..4).prop_map(|mut edges| {
        edges.sort_by(|a, b| a.0.total_cmp(&b.0));
        edges.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
        edges
    })
}

fn value(kind: MetricType) -> BoxedStrategy<MetricValue> {
    let parts = || (prop::option::of(number()), count());
    match kind {
        MetricType::Histogram => (edges(count()), parts())
            .prop_map(|(mut buckets, (sum, count))| {
                buckets.push((f64::INFINITY, count));
                MetricValue::Histogram(Histogram { buckets, sum, count: Some(count) })
            })
            .boxed(),
        MetricType::Summary => (edges(number()), parts())
            .prop_map(|(quantiles, (sum, count))| {
                MetricValue::Summary(Summary { quantiles, sum, count: Some(count) })
            })
            .boxed(),
        _ => number().prop_map(MetricValue::Number).boxed(),
    }
}

fn kind() -> impl Strategy<Value = MetricType> {
    prop::sample::select(vec![
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::Summary,
        MetricType::Untyped,
    ])
}

fn metrics(kind: MetricType) -> impl Strategy<Value = Vec<Metric>> {
    let text = prop_oneof![any::<String>(), "[\\\\\"n\n ,=}]{0,5}"];
    let labels = prop::collection::btree_map("[xyz]", text, 0..3);
    prop::collection::btree_map(labels, (value(kind), any::<Option<i64>>()), 1..4).prop_map(|metrics| {
        let metric = |(labels, (value, timestamp_ms)): (BTreeMap<_, _>, _)| {
            let labels = LabelSet::from_pairs(labels.iter().collect()).unwrap();
            Metric { labels, value, timestamp_ms }
        };
        metrics.into_iter().map(metric).collect()
    })
}

fn families() -> impl Strategy<Value = Vec<MetricFamily>> {
    let help = prop::option::of(prop_oneof!["[a-z][ -~]{0,20}", "[^ \t\r][\\\\n\n\"]{0,6}"]);
    let family = kind().prop_flat_map(move |kind| (Just(kind), help.clone(), metrics(kind)));
    prop::collection::btree_map("[a-d:]{1,3}", family, 0..4).prop_map(|families| {
        let family = |(name, (kind, help, metrics)): (String, (_, Option<String>, _))| MetricFamily {
            name: name.into(),
            help: help.map(Into::into),
            kind,
            metrics,
        };
        families.into_iter().map(family).collect()
    })
}

/// Pieces that the format is made of, in any order.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "# ",
        "#",
        "TYPE ",
        "HELP ",
        "a",
        "a_sum",
        "a_bucket",
        "a_count",
        " ",
        "\t",
        "{",
        "}",
        "le",
        "quantile",
        "=",
        "\"",
        "\\",
        "n",
        ",",
        "1",
        "-",
        "+Inf",
        "NaN",
        "\n",
        "\n",
        "histogram\n",
        "summary\n",
        "counter",
        "ä",
        "{le=\"1\"}",
        " 1\n",
        "# TYPE a histogram\n",
        "\r",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn reads_what_it_writes(families in families()) {
        let text = written(&families, Format::Text);
        // NaN is not equal to itself, and 0 to -0.
        let shown = |families: &[MetricFamily]| format!("{families:?}").replace("-0.0", "0.0");
        prop_assert_eq!(shown(&read(&text)), shown(&families), "{}", text);
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200), soup in soup()) {
        let _ = parse(&bytes, &Limits::default());
        let parsed = parse(soup.as_bytes(), &Limits::default());
        if let Ok(families) = parsed {
            let text = written(&families, Format::Text);
            let again = written(&read(&text), Format::Text);
            prop_assert_eq!(text, again, "{}", soup);
            written(&families, Format::OpenMetrics);
        }
    }

    #[test]
    fn a_cut_text_is_an_error_or_ends_with_a_line(families in families(), part in 0..100_usize) {
        let text = written(&families, Format::Text);
        let end = text.len() * part / 100;
        let cut = &text.as_bytes()[..end];
        if end > 0 && !cut.ends_with(b"\n") {
            prop_assert!(parse(cut, &Limits::default()).is_err());
        }
    }
}
