use proptest::prelude::*;

use super::*;

fn refused(spec: BreakerSpec) -> &'static str {
    BreakerConfig::try_from(spec).map(|_| ()).unwrap_err().field
}

#[test]
fn defaults() {
    assert_eq!(BreakerConfig::try_from(BreakerSpec::default()), Ok(BreakerConfig::default()));
    let filled = BreakerSpec::from(&BreakerConfig::default());
    assert_eq!((filled.failure_threshold, filled.timeout_seconds), (Some(5), Some(60.0)));
    let grown = BreakerSpec { timeout_multiplier: Some(2.0), ..BreakerSpec::default() };
    let filled = BreakerSpec::from(&BreakerConfig::try_from(grown).unwrap());
    assert_eq!(filled.timeout_max_seconds, Some(3600.0));
    let small = WindowSpec { size: 4, ..WindowSpec::default() };
    assert_eq!(WindowSpec::from(&WindowRules::try_from(small).unwrap()).minimum_calls, Some(4));
}

#[test]
fn strange_numbers_are_refused() {
    let strange = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, -0.0, 1e300];
    for bad in strange {
        let some = Some(bad);
        let base = BreakerSpec::default;
        assert_eq!(refused(BreakerSpec { timeout_seconds: some, ..base() }), "timeout_seconds");
        assert_eq!(refused(BreakerSpec { timeout_multiplier: some, ..base() }), "timeout_multiplier");
        assert_eq!(refused(BreakerSpec { timeout_max_seconds: some, ..base() }), "timeout_max_seconds");
        let spec = BreakerSpec { half_open_timeout_seconds: some, ..base() };
        assert_eq!(refused(spec), "half_open_timeout_seconds");
        assert_eq!(refused(BreakerSpec { call_timeout_seconds: some, ..base() }), "call_timeout_seconds");
        let windowed = |window| refused(BreakerSpec { window: Some(window), ..base() });
        let base = WindowSpec::default;
        assert_eq!(windowed(WindowSpec { slow_call_seconds: some, ..base() }), "window.slow_call_seconds");
        assert_eq!(windowed(WindowSpec { failure_rate: some, ..base() }), "window.failure_rate");
        assert_eq!(windowed(WindowSpec { slow_call_rate: some, ..base() }), "window.slow_call_rate");
    }
}

#[test]
fn counts_out_of_range_are_refused() {
    for (spec, field) in [
        (BreakerSpec { failure_threshold: Some(0), ..BreakerSpec::default() }, "failure_threshold"),
        (BreakerSpec { failure_threshold: Some(u32::MAX), ..BreakerSpec::default() }, "failure_threshold"),
        (BreakerSpec { half_open_max_calls: Some(10_001), ..BreakerSpec::default() }, "half_open_max_calls"),
        (BreakerSpec { half_open_successes: Some(4), ..BreakerSpec::default() }, "half_open_successes"),
        (BreakerSpec { min_reporters: Some(1001), ..BreakerSpec::default() }, "min_reporters"),
        (
            BreakerSpec { call_timeout_seconds: Some(86_401.0), ..BreakerSpec::default() },
            "call_timeout_seconds",
        ),
        (BreakerSpec { timeout_max_seconds: Some(59.0), ..BreakerSpec::default() }, "timeout_max_seconds"),
    ] {
        assert_eq!(refused(spec), field);
    }
    let sized = |kind, size, minimum_calls| {
        let window = WindowSpec { kind, size, minimum_calls, ..WindowSpec::default() };
        refused(BreakerSpec { window: Some(window), ..BreakerSpec::default() })
    };
    assert_eq!(sized(WindowKind::Count, 0, None), "window.size");
    assert_eq!(sized(WindowKind::Count, 10_001, None), "window.size");
    assert_eq!(sized(WindowKind::Time, 3601, None), "window.size");
    assert_eq!(sized(WindowKind::Count, 5, Some(6)), "window.minimum_calls");
    assert_eq!(sized(WindowKind::Time, 5, Some(0)), "window.minimum_calls");
}

#[test]
fn unknown_fields_are_refused() {
    assert!(serde_json::from_str::<BreakerSpec>(r#"{"failure_treshold": 5}"#).is_err());
    assert!(serde_json::from_str::<BreakerSpec>(r#"{"window": {"sise": 5}}"#).is_err());
    let spec: BreakerSpec = serde_json::from_str(r#"{"window": {"kind": "time", "size": 60}}"#).unwrap();
    assert_eq!(spec.window.map(|window| (window.kind, window.size)), Some((WindowKind::Time, 60)));
}

proptest! {
    #[test]
    fn what_is_shown_can_be_sent(
        wait in 1e-9..3e8_f64,
        growth in 1.0..100.0_f64,
        lease in 1e-9..86_400.0_f64,
        rate in 1e-9..1.0_f64,
    ) {
        let window = WindowSpec {
            failure_rate: Some(rate), slow_call_seconds: Some(wait), ..WindowSpec::default()
        };
        let spec = BreakerSpec {
            timeout_seconds: Some(wait),
            timeout_multiplier: Some(growth),
            half_open_timeout_seconds: Some(wait),
            call_timeout_seconds: Some(lease),
            window: Some(window),
            ..BreakerSpec::default()
        };
        let config = BreakerConfig::try_from(spec).unwrap();
        prop_assert_eq!(BreakerConfig::try_from(BreakerSpec::from(&config)), Ok(config));
    }
}
