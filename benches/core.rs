//! Decisions of the core, without HTTP: `cargo bench --bench core`.

use std::{sync::Arc, time::Duration};

use divan::{Bencher, black_box};
use fuseboard::domain::{
    Time, Tokens,
    breaker::{Breaker, BreakerConfig, Client, Outcome},
    exposition::{self, Format, Writer},
    limiter::{Limiter, LimiterConfig, LimiterSpec},
    series::{Buckets, Capacity, Family, MetricKind, Sample, SampleSpec, SeriesLimits},
};

fn main() {
    divan::main();
}

/// A permit and the report of its success, breaker closed.
#[divan::bench]
fn breaker_permit_and_report(bencher: Bencher) {
    let mut breaker = Breaker::new(Arc::new(BreakerConfig::default()), Time::from_nanos(0));
    let mut journal = Vec::new();
    let client = Client { hash: 7, name: "bench" };
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1000;
        let at = Time::from_nanos(now);
        let allowed = breaker.check(at, &mut journal).is_ok();
        let permit = breaker.enter(at, 1);
        let duration = Duration::from_millis(1);
        black_box(breaker.report(at, permit.generation, 1, client, Outcome::Success, duration, &mut journal));
        allowed
    });
}

fn acquire(bencher: Bencher, spec: LimiterSpec) {
    let config = LimiterConfig::try_from(spec).unwrap_or_else(|e| unreachable!("{e}"));
    let mut limiter = Limiter::new(config, Time::from_nanos(0), 0);
    let mut now = 0;
    bencher.bench_local(|| {
        now += 1_000_000;
        limiter.acquire(Time::from_nanos(now), Tokens::ONE, Duration::ZERO, 0).is_ok()
    });
}

#[divan::bench]
fn token_bucket_acquire(bencher: Bencher) {
    acquire(bencher, LimiterSpec { requests_per_second: Some(1000.0), ..LimiterSpec::default() });
}

#[divan::bench]
fn sliding_window_acquire(bencher: Bencher) {
    let algorithm = serde_json::from_str("\"sliding_window\"").ok();
    let spec =
        LimiterSpec { algorithm, limit: Some(100), period_seconds: Some(1.0), ..LimiterSpec::default() };
    acquire(bencher, spec);
}

fn roomy() -> Capacity {
    let most = 100_000;
    Capacity::new(SeriesLimits { max_metrics: most, max_series_per_metric: most, max_series: most })
}

fn push(family: &mut Family, document: &str, scratch: &mut String, capacity: &Capacity) -> bool {
    let spec: Option<SampleSpec<'_>> = serde_json::from_str(document).ok();
    let Some(spec) = spec else { return false };
    let Ok(sample) = Sample::checked(&spec, scratch) else { return false };
    family.record(&sample, Time::from_nanos(0), capacity).is_ok()
}

/// A family with ten thousand series of two labels.
fn ten_thousand(kind: MetricKind, capacity: &Capacity) -> Family {
    let mut family = Family::new("bench_queue_depth", kind, &Buckets::default());
    for n in 0..10_000 {
        let kind = kind.as_str();
        let labels = format!(r#"{{"kind":"bench","shard":"s{n:05}"}}"#);
        let document = format!(
            r#"{{"name":"bench_queue_depth","type":"{kind}","value":{},"labels":{labels}}}"#,
            f64::from(n) / 8.0
        );
        assert!(push(&mut family, &document, &mut String::new(), capacity));
    }
    family
}

/// A sample for one of ten thousand series that are there, without reading its JSON.
#[divan::bench(args = ["counter", "timer"])]
fn metric_push(bencher: Bencher, kind: &str) {
    let capacity = roomy();
    let kind = if kind == "counter" { MetricKind::Counter } else { MetricKind::Timer };
    let mut family = ten_thousand(kind, &capacity);
    let document = format!(
        r#"{{"name":"bench_queue_depth","type":"{}","value":0.25,"labels":{{"kind":"bench","shard":"s05000"}}}}"#,
        kind.as_str()
    );
    let spec: SampleSpec<'_> = serde_json::from_str(&document).unwrap_or_else(|e| unreachable!("{e}"));
    let mut scratch = String::new();
    bencher.bench_local(|| {
        let sample = Sample::checked(&spec, &mut scratch).unwrap_or_else(|e| unreachable!("{e}"));
        family.record(&sample, Time::from_nanos(0), &capacity).is_ok()
    });
}

/// The same, with its JSON.
#[divan::bench]
fn metric_push_json(bencher: Bencher) {
    let capacity = roomy();
    let mut family = ten_thousand(MetricKind::Counter, &capacity);
    let document = r#"{"name":"bench_queue_depth","type":"counter","value":1,"labels":{"kind":"bench","shard":"s05000"}}"#;
    let mut scratch = String::new();
    bencher.bench_local(|| push(&mut family, black_box(document), &mut scratch, &capacity));
}

fn text_of(family: &Family) -> String {
    let mut text = String::new();
    family.write(Time::from_nanos(0), &mut Writer::new(&mut text, Format::Text));
    text
}

#[divan::bench]
fn metrics_text_of_10_000_gauges(bencher: Bencher) {
    let family = ten_thousand(MetricKind::Gauge, &roomy());
    bencher.bench_local(|| text_of(black_box(&family)));
}

#[divan::bench]
fn metrics_parse_10_000_gauges(bencher: Bencher) {
    let text = text_of(&ten_thousand(MetricKind::Gauge, &roomy()));
    let limits = exposition::Limits::default();
    bencher.bench_local(|| exposition::parse(black_box(text.as_bytes()), &limits).is_ok());
}
