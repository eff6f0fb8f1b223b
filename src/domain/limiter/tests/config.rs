//! What is accepted as a configuration.

use std::time::Duration;

use crate::domain::{
    Seconds, Tokens,
    invalid::InvalidConfig,
    limiter::{LimiterConfig, LimiterSpec, config::micros_per_second},
};

fn parse(json: &str) -> Result<LimiterConfig, InvalidConfig> {
    LimiterConfig::try_from(serde_json::from_str::<LimiterSpec>(json).expect("a spec"))
}

#[test]
fn absent_fields_take_the_defaults_of_the_seed() {
    let config = parse("{}").unwrap();
    let lease_seconds = Seconds::whole(5);
    assert_eq!(config, LimiterConfig::TokenBucket { requests_per_second: 5.0, burst_size: 5, lease_seconds });
    let slow = parse(r#"{"requests_per_second": 0.5}"#).unwrap();
    assert_eq!(slow.capacity(), Tokens::ONE);
    let gpu = parse(r#"{"algorithm": "concurrency", "limit": 2}"#).unwrap();
    assert_eq!(gpu.lease(), Duration::from_mins(1));
}

#[test]
fn a_rejection_names_the_field() {
    for (json, field) in [
        (r#"{"requests_per_second": 0}"#, "requests_per_second"),
        (r#"{"requests_per_second": -1}"#, "requests_per_second"),
        (r#"{"requests_per_second": 1e300}"#, "requests_per_second"),
        (r#"{"burst_size": 0}"#, "burst_size"),
        (r#"{"limit": 5}"#, "limit"),
        (r#"{"period_seconds": 5}"#, "period_seconds"),
        (r#"{"algorithm": "sliding_window", "limit": 1}"#, "period_seconds"),
        (r#"{"algorithm": "sliding_window", "period_seconds": 1}"#, "limit"),
        (r#"{"algorithm": "sliding_window", "limit": 0, "period_seconds": 1}"#, "limit"),
        (r#"{"algorithm": "fixed_window", "limit": 1, "period_seconds": 0}"#, "period_seconds"),
        (r#"{"algorithm": "fixed_window", "limit": 1, "period_seconds": 1, "burst_size": 1}"#, "burst_size"),
        (r#"{"algorithm": "concurrency", "limit": 1, "period_seconds": 1}"#, "period_seconds"),
        (r#"{"algorithm": "concurrency", "limit": 1, "lease_seconds": 3601}"#, "lease_seconds"),
        (r#"{"algorithm": "concurrency", "limit": 100001}"#, "limit"),
    ] {
        assert_eq!(parse(json).unwrap_err().field, field, "{json}");
    }
    for bad in [f64::NAN, f64::INFINITY, -0.1] {
        let spec = LimiterSpec { requests_per_second: Some(bad), ..LimiterSpec::default() };
        assert!(LimiterConfig::try_from(spec).is_err());
        let spec = LimiterSpec { lease_seconds: Some(bad), ..LimiterSpec::default() };
        assert!(LimiterConfig::try_from(spec).is_err());
    }
    assert!(serde_json::from_str::<LimiterSpec>(r#"{"rps": 5}"#).unwrap_err().to_string().contains("rps"));
}

#[test]
fn what_is_answered_parses_to_the_same_configuration() {
    for json in [
        r#"{"requests_per_second": 0.1}"#,
        r#"{"algorithm": "sliding_window", "limit": 10, "period_seconds": 0.1}"#,
        r#"{"algorithm": "fixed_window", "limit": 10, "period_seconds": 86400, "lease_seconds": 0.3}"#,
        r#"{"algorithm": "concurrency", "limit": 2}"#,
    ] {
        let config = parse(json).unwrap();
        let stored = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<LimiterConfig>(&stored).unwrap(), config, "{stored}");
    }
}

#[test]
fn the_rate_is_never_rounded_up() {
    assert_eq!(micros_per_second(1e-6), 1);
    assert_eq!(micros_per_second(1.9e-6), 1);
    assert_eq!(micros_per_second(1.001), 1_001_000);
    assert_eq!(micros_per_second(0.29), 290_000);
    assert_eq!(micros_per_second(1e6), 1_000_000_000_000);
}
