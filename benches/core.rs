//! Decisions of the core, without HTTP: `cargo bench --bench core`.

use std::{sync::Arc, time::Duration};

use divan::{Bencher, black_box, counter::BytesCount};
use fuseboard::domain::{
    Time, Tokens,
    breaker::{Breaker, BreakerConfig, Client, Outcome},
    exposition::{self, Format, Writer},
    limiter::{Limiter, LimiterConfig, LimiterSpec},
    scan::{ScanLimits, Scanner},
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

/// Bodies of backups, about 10 MB each.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// Many small objects of numbers and short strings.
    Trades,
    /// The same as Python's `json.dumps` writes it with an indent.
    Indented,
    /// Text of some kilobytes in each string.
    LongTexts,
    /// A third of the text is not ASCII.
    Cyrillic,
    /// Arrays and objects, 100 deep.
    Nested,
    /// A key for each small value.
    ManyKeys,
}

const BODIES: [Body; 6] =
    [Body::Trades, Body::Indented, Body::LongTexts, Body::Cyrillic, Body::Nested, Body::ManyKeys];

fn body(kind: Body) -> String {
    let part = |i: u32| {
        let (price, size) =
            (f64::from(i.wrapping_mul(7919) % 1_000_003) / 97.0, f64::from(i.wrapping_mul(31) % 9973) / 1e4);
        let side = if i.wrapping_mul(2_654_435_761) % 5 < 2 { "sell" } else { "buy" };
        let (id, time) = (i.wrapping_mul(48_271) % 1_000_003, 1_700_000_000 + u64::from(i) * 37);
        match kind {
            Body::Trades => format!(
                r#"{{"id":{id},"symbol":"BTC/USD","side":"{side}","price":{price:.2},"amount":{size},"time":{time},"fee":null,"maker":{}}}"#,
                i.is_multiple_of(3)
            ),
            Body::Indented => format!(
                "\n      {{\n        \"id\": {id},\n        \"symbol\": \"BTC/USD\",\n        \"side\": \"{side}\",\n        \"price\": {price:.2},\n        \"tags\": [\n          \"a\",\n          {size}\n        ]\n      }}"
            ),
            Body::LongTexts => {
                format!("\"{}\\n\"", "A line of a log, as long as they are. ".repeat(50 + i as usize % 100))
            }
            Body::Cyrillic => format!("{{\"note\":\"{}\"}}", "Сделка закрыта, прибыль 12.5 ".repeat(3)),
            Body::Nested => format!("{}{id}{}", r#"{"a":["#.repeat(50), "]}".repeat(50)),
            Body::ManyKeys => unreachable!(),
        }
    };
    let mut data = String::from("{\"trades\":[");
    if matches!(kind, Body::ManyKeys) {
        let members: Vec<_> =
            (0..100_000).map(|i| format!("\"position_{i}\":{{\"size\":{i},\"open\":true}}")).collect();
        data = format!("{{{}}}", members.join(","));
    } else {
        for i in 0.. {
            data += &part(i);
            if data.len() > 10_000_000 {
                break;
            }
            data.push(',');
        }
        data += "]}";
    }
    format!(r#"{{"backup_type":"bench","data":{data},"labels":{{}}}}"#)
}

/// Reading a body in frames of 64 KiB.
#[divan::bench(args = BODIES, sample_count = 20)]
fn scan_body(bencher: Bencher, kind: Body) {
    let body = body(kind);
    let limits = ScanLimits { depth: 128, envelope: 1 << 16, documents: 1 << 20, key: 255 };
    bencher.counter(BytesCount::of_str(&body)).bench_local(|| {
        let mut scanner = Scanner::new("data", limits);
        let mut length = 0;
        for frame in body.as_bytes().chunks(1 << 16) {
            scanner.feed(frame, &mut |bytes| length += bytes.len()).unwrap_or_else(|e| unreachable!("{e}"));
        }
        (scanner.finish().map(|scanned| scanned.length), length)
    });
}

/// The same with the whole body in memory, by `serde_json`.
#[divan::bench(args = BODIES, sample_count = 20)]
fn scan_body_with_serde_json(bencher: Bencher, kind: Body) {
    let body = body(kind);
    bencher.counter(BytesCount::of_str(&body)).bench_local(|| {
        serde_json::from_slice::<&serde_json::value::RawValue>(body.as_bytes()).map(|raw| raw.get().len())
    });
}

fn roomy() -> Capacity {
    let most = 100_000;
    Capacity::new(SeriesLimits { max_metrics: most, max_series_per_metric: most, max_series: most })
}

fn push(family: &mut Family, document: &str, scratch: &mut String, capacity: &Capacity) -> bool {
    let spec: Option<SampleSpec<'_>> = serde_json::from_str(document).ok();
    let Some(spec) = spec else { return false };
    let Ok(sample) = Sample::checked(&spec, scratch) else { return false };
    family.record(&sample, Time::from_nanos(0), None, capacity).is_ok()
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
        family.record(&sample, Time::from_nanos(0), None, &capacity).is_ok()
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
