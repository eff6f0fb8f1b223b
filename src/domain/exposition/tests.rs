use super::*;

pub(super) fn read(text: &str) -> Vec<MetricFamily> {
    parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn refused(text: impl AsRef<[u8]>) -> String {
    parse(text.as_ref(), &Limits::default()).unwrap_err().to_string()
}

pub(super) fn written(families: &[MetricFamily], format: Format) -> String {
    let mut text = String::new();
    let mut writer = Writer::new(&mut text, format);
    for family in families {
        writer.family(family);
    }
    writer.finish();
    text
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.to_vec()).unwrap()
}

#[test]
fn what_expfmt_takes() {
    let text = r#"
minimal_metric 1.234
another_metric -3e3 103948
# Even that:
no_labels{} 3
# HELP line for non-existing metric will be ignored.
	 # HELP name two-line\n doc  str\\ing
  # TYPE	name   CounTer
name {labelname = "val1",basename="base\"v\\al\nue" ,} NaN -7
name{labelname="val2"}-Inf
# HELP
# TYPE name
#TYPE untouched
#
# UNIT name seconds
colon:name+1
"#;
    let families = read(text);
    let names: Vec<_> = families.iter().map(|f| (&*f.name, f.kind)).collect();
    let untyped = MetricType::Untyped;
    assert_eq!(
        names,
        [
            ("minimal_metric", untyped),
            ("another_metric", untyped),
            ("no_labels", untyped),
            ("name", MetricType::Counter),
            ("colon:name", untyped)
        ]
    );
    assert_eq!(families[1].metrics[0].timestamp_ms, Some(103_948));
    assert_eq!(families[1].metrics[0].value, MetricValue::Number(-3000.0));
    let name = &families[3];
    assert_eq!(name.help.as_deref(), Some("two-line\n doc  str\\ing"));
    assert_eq!(name.metrics[0].labels, labels(&[("basename", "base\"v\\al\nue"), ("labelname", "val1")]));
    assert_eq!(name.metrics[0].timestamp_ms, Some(-7));
    assert_eq!(name.metrics[1].value, MetricValue::Number(f64::NEG_INFINITY));
    assert_eq!(families[4].metrics[0].value, MetricValue::Number(1.0));
    for nothing in ["", "\n", "\n\n \t", "# just a comment\n", "# TYPE a counter\n# HELP b c\n"] {
        assert_eq!(read(nothing), []);
    }
    let bytes = b"# \xff\n#\xff\n#   HELPS \xff\na 1\n";
    assert_eq!(parse(bytes, &Limits::default()).unwrap().len(), 1);
}

#[test]
fn parts_of_histograms_and_summaries_find_together() {
    let text = r#"# TYPE h histogram
# HELP h_count help of h
h_bucket{le="1",a="x"} 2
h_bucket{a="x",le="+Inf"} 3.5
h_bucket{le="0.5"} 0
h_sum{a="x"} 4
h_count{a="x"} 3 5
# TYPE s summary
s{quantile="0.5"} 7
s{quantile="0.9"} NaN
s_sum 1
s_count 2
s_bucket{le="1"} 1
# TYPE c_count counter
c_count 1
# TYPE c summary
c_count 2
c{quantile="1"} 2
"#;
    let error = refused(text);
    assert_eq!(error, "line 17: the same sample came before", "c_count is a family of its own");
    let families = read(&text.replace("c_count 2\n", ""));
    let names: Vec<_> = families.iter().map(|f| (&*f.name, f.kind.as_str())).collect();
    assert_eq!(
        names,
        [
            ("h", "histogram"),
            ("s", "summary"),
            ("s_bucket", "untyped"),
            ("c_count", "counter"),
            ("c", "summary")
        ]
    );
    assert_eq!(families[0].help.as_deref(), Some("help of h"));
    let with_a = Metric {
        labels: labels(&[("a", "x")]),
        value: MetricValue::Histogram(Histogram {
            buckets: vec![(1.0, 2.0), (f64::INFINITY, 3.5)],
            sum: Some(4.0),
            count: Some(3.0),
        }),
        timestamp_ms: Some(5),
    };
    let without = Metric {
        labels: LabelSet::default(),
        value: MetricValue::Histogram(Histogram { buckets: vec![(0.5, 0.0)], sum: None, count: None }),
        timestamp_ms: None,
    };
    assert_eq!(families[0].metrics, [with_a, without]);
    let MetricValue::Summary(summary) = &families[1].metrics[0].value else { panic!("{families:?}") };
    assert_eq!((summary.sum, summary.count, summary.quantiles.len()), (Some(1.0), Some(2.0), 2));
}

#[test]
fn what_expfmt_refuses() {
    for (text, error) in [
        ("bla 3.14\nblubber 42", "line 2: unexpected end of input stream: no newline at the end"),
        ("# comment", "line 1: unexpected end of input stream: no newline at the end"),
        ("metric{label=\"\\t\"} 3.14\n", "line 1: invalid escape sequence '\\t'"),
        ("metric{label=\"new\nline\"} 3.14\n", "line 1: the value has no closing quote on its line"),
        ("metric{@=\"bla\"} 3.14\n", "line 1: invalid label name for metric \"metric\""),
        ("metric{,} 3.14\n", "line 1: invalid label name for metric \"metric\""),
        ("metric{__name__=\"bla\"} 3.14\n", "line 1: label name \"__name__\" is reserved"),
        ("metric{label+=\"bla\"} 3.14\n", "line 1: expected '=' after label name, found '+'"),
        ("metric{label=bla} 3.14\n", "line 1: expected '\"' at start of label value, found 'b'"),
        ("metric{label\n", "line 1: expected '=' after label name, found the end of the line"),
        (
            "\n# TYPE metric summary\nmetric{quantile=\"bla\"} 3.14\n",
            "line 3: expected float as value for 'quantile' label, got \"bla\"",
        ),
        ("metric{label=\"bla\"+} 3.14\n", "line 1: unexpected end of the value of label \"label\""),
        ("metric{label=\"bla\"} 3.14 2.72\n", "line 1: expected integer as timestamp, got \"2.72\""),
        ("metric{label=\"bla\"} 3.14 2 3\n", "line 1: spurious string after timestamp: \" 3\""),
        ("metric{label=\"bla\"} blubb\n", "line 1: expected float as value, got \"blubb\""),
        ("metric{label=\"bla\"}\n", "line 1: expected float as value, got \"\""),
        ("metric 1 \n", "line 1: expected integer as timestamp, got \"\""),
        ("metric 1 2 \n", "line 1: spurious string after timestamp: \" \""),
        ("metric 1\r\n", "line 1: expected float as value, got \"1\\r\""),
        ("a 1\n# HELP a b\n# HELP a b\n", "line 3: second HELP line for metric name \"a\""),
        (
            "# TYPE a counter\n# TYPE a counter\n",
            "line 2: second TYPE line for metric name \"a\", or TYPE reported after samples",
        ),
        (
            "a 1\n# TYPE a counter\n",
            "line 2: second TYPE line for metric name \"a\", or TYPE reported after samples",
        ),
        ("# TYPE a bla\n", "line 1: unknown metric type \"bla\""),
        ("# TYPE a counter \n", "line 1: unknown metric type \"counter \""),
        ("# TYPE 1a counter\n", "line 1: invalid metric name in comment"),
        ("# HELP a-b c\n", "line 1: invalid metric name in comment"),
        ("# HELP a \\x\n", "line 1: invalid escape sequence '\\x'"),
        ("# HELP a b\\\n", "line 1: a backslash at the end of the line"),
        ("{label=\"bla\"} 3.14\n", "line 1: invalid metric name"),
        ("1a 1\n", "line 1: invalid metric name"),
        ("foo 1_2\n", "line 1: expected float as value, got \"1_2\""),
        ("foo 0x1p-3\n", "line 1: expected float as value, got \"0x1p-3\""),
        ("metric{label=\"bla\",label=\"bla\"} 3.14\n", "line 1: duplicate label names for metric \"metric\""),
        (
            "# TYPE s summary\n# TYPE s_sum gauge\n",
            "line 2: second TYPE line for metric name \"s\", or TYPE reported after samples",
        ),
    ] {
        assert_eq!(refused(text), error, "{text}");
    }
    assert_eq!(refused(b"metric{l=\"\xbd\"} 3.14\n"), "line 1: invalid UTF-8");
    assert_eq!(refused(b"# HELP a \xbd\n"), "line 1: invalid UTF-8");
    assert!(refused(format!("a {}\n", "x".repeat(1000))).len() < 120, "messages stay short");
}

#[test]
fn what_expfmt_would_drop_or_mix_up() {
    for (text, error) in [
        ("a 1\na 2\n", "line 2: the same sample came before"),
        ("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n", "line 2: the same sample came before"),
        ("# TYPE h histogram\nh_sum 1\nh_sum 1\n", "line 3: the same sample came before"),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\n",
            "line 3: the same sample came before",
        ),
        ("# TYPE h histogram\nh_bucket 1\n", "line 2: the label le is missing, or NaN"),
        ("# TYPE h histogram\nh_bucket{le=\"NaN\"} 1\n", "line 2: the label le is missing, or NaN"),
        ("# TYPE h histogram\nh_bucket{le=\"1\"} -1\n", "line 2: a count must not be -1"),
        ("# TYPE h histogram\nh_count NaN\n", "line 2: a count must not be NaN"),
        ("# TYPE h histogram\nh{le=\"1\"} 1\n", "line 2: a histogram has only _bucket, _sum and _count"),
        (
            "# TYPE h histogram\nh_sum{le=\"1\"} 1\n",
            "line 2: le and quantile have no place in a _sum or _count",
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\",le=\"2\"} 1\n",
            "line 2: duplicate label names for metric \"h\"",
        ),
        ("# TYPE s summary\ns 1\n", "line 2: the label quantile is missing, or NaN"),
    ] {
        assert_eq!(refused(text), error, "{text}");
    }
}

#[test]
fn bounds_hold() {
    let limits = Limits { line_bytes: 40, name_bytes: 8, labels: 2, samples: 2 };
    let refused = |text: &str| parse(text.as_bytes(), &limits).unwrap_err().to_string();
    let most = "# TYPE a gauge\na{b=\"1\",c=\"2\"} 1\nabcdefgh 1\n";
    assert!(parse(most.as_bytes(), &limits).is_ok());
    assert_eq!(refused(&format!("{most}a 3\n")), "line 4: more than 2 samples");
    assert_eq!(refused("# HELP a x\n# HELP b x\n# HELP c x\n"), "line 3: more than 2 metrics");
    assert_eq!(refused("a{b=\"1\",c=\"2\",d=\"3\"} 1\n"), "line 1: more than 2 labels");
    assert_eq!(refused("abcdefghi 1\n"), "line 1: the name \"abcdefghi\" is longer than 8 bytes");
    assert_eq!(refused(&format!("# {}\n", "x".repeat(40))), "line 1: longer than 40 bytes");
}

#[test]
fn openmetrics_has_its_own_ways() {
    let families = read(
        "# HELP c_total say \"hi\"\n# TYPE c_total counter\nc_total{a=\"b\"} 3 -1500\n# TYPE odd counter\nodd 1\nu 2\n\
         # TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"0.5\"} 0\nh_count 2\nh_sum 4 1234\n",
    );
    assert_eq!(
        written(&families, Format::OpenMetrics),
        "# HELP c say \\\"hi\\\"\n# TYPE c counter\nc_total{a=\"b\"} 3 -1.500\n# TYPE odd unknown\nodd 1\n\
         # TYPE u unknown\nu 2\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1 1.234\nh_bucket{le=\"0.5\"} 0 1.234\n\
         h_bucket{le=\"+Inf\"} 2 1.234\nh_sum 4 1.234\nh_count 2 1.234\n# EOF\n"
    );
    assert!(
        written(&families, Format::Text)
            .starts_with("# HELP c_total say \"hi\"\n# TYPE c_total counter\nc_total{a=\"b\"} 3 -1500\n")
    );
    assert_eq!(written(&[], Format::OpenMetrics), "# EOF\n");
}
