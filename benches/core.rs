//! Decisions of the core, without HTTP: `cargo bench --bench core`.

use std::{sync::Arc, time::Duration};

use divan::{Bencher, black_box};
use fuseboard::domain::{
    Time, Tokens,
    breaker::{Breaker, BreakerConfig, Client, Outcome},
    limiter::{Limiter, LimiterConfig, LimiterSpec},
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
