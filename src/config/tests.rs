use super::*;

#[test]
fn the_example_file_loads() {
    let file = File::parse(include_str!("../../fuseboard.toml")).unwrap();
    let declared = file.declarations().unwrap();
    assert!(declared.breakers_enabled);
    assert!(!declared.breakers.is_empty() && !declared.limiters.is_empty());
    assert!(!declared.checks.is_empty() && !declared.gates.is_empty());
    assert!(!declared.seed_checks.is_empty());
    assert!(!declared.schedules.is_empty() && !declared.thresholds.is_empty());
}

#[test]
fn the_seeds_sections_load() {
    let file = File::parse(
        r#"
        [resilience]
        circuit_breaker_enabled = true
        circuit_breaker_threshold = 7
        circuit_breaker_timeout = 30
        [resilience.rate_limits]
        kraken = 10
        binance = 15
        coinbasepro = 8
        default = 5
        [resilience.circuit_breaker.kraken_api]
        timeout_seconds = 60
        half_open_max_calls = 2
        [health_checks]
        enabled = true
        interval_seconds = 60
        alert_on_failure = true
        checks = ["backtest", "exchange"]
        [backup]
        enabled = true
        interval_hours = 24
        retention_days = 30
        compress = true
        [monitoring]
        log_level = "INFO"
        log_format = "json"
        metrics_enabled = true
        "#,
    )
    .unwrap();
    let declared = file.declarations().unwrap();
    let (name, breaker) = &declared.breakers[0];
    assert_eq!(name.as_str(), "kraken_api");
    assert_eq!((breaker.failure_threshold, breaker.timeout_seconds), (Some(7), Some(60.0)));
    assert_eq!(declared.limiters.len(), 4);
    let (name, check) = &declared.seed_checks[0];
    assert_eq!((name.as_str(), check.stale_after_seconds), ("backtest", Some(180.0)));
    assert!(declared.checks_enabled);
}

#[test]
fn mistakes_are_named() {
    for (text, wanted) in [
        ("[servr]\n", "did you mean `server`?"),
        ("\n[server]\nlistn = '127.0.0.1:1'\n", "line 3: unknown field `listn`"),
        ("[server]\nlisten = 'nowhere'\n", "line 2"),
        ("[breakers.a]\nfailure_treshold = 3\n", "did you mean `failure_threshold`?"),
        ("[schedules.a]\ncorn = '@daily'\n", "did you mean `cron`?"),
        ("[metrics]\nmax_serie = 3\n", "did you mean `max_series`?"),
        ("x = ", "line 1"),
    ] {
        let error = File::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    for (text, wanted) in [
        ("[breakers.a]\nfailure_threshold = 0\n", "[breakers.a] failure_threshold: "),
        ("[breakers.\"a b\"]\n", "[breakers] \"a b\": a name is"),
        (
            "[limiters.a]\nalgorithm = 'sliding_window'\nlimit = 0\nperiod_seconds = 1\n",
            "[limiters.a] limit: ",
        ),
        ("[checks.a]\nkind = 'http'\n", "[checks.a] url: "),
        ("[checks.a]\nkind = 'push'\nurl = 'http://x'\n", "[checks.a] url: does not apply"),
        ("[gates.a]\n", "[gates.a] checks: "),
        ("[health_checks]\nchecks = ['a b']\n", "[health_checks] \"a b\": a name is"),
        ("[health_checks]\ninterval_seconds = 0\nchecks = ['a']\n", "[health_checks] interval_seconds must"),
        ("[gates.evaluate]\nchecks = ['a']\n", "[gates.evaluate]: the name is taken"),
        ("[schedules.a]\ncron = '61 * * * *'\naction = { kind = 'run_checks' }\n", "[schedules.a] cron: "),
        ("[limiters.a]\n[resilience.rate_limits]\na = 1\n", "declared twice"),
        ("[metrics]\nbuckets = [1, 1]\n", "[metrics] buckets: must be"),
        ("[metrics]\nttl_seconds = 0\n", "[metrics] ttl_seconds must"),
        (
            "[metrics.timer_buckets]\na = { start = 0, factor = 2, count = 3 }\n",
            "[metrics] timer_buckets.a: must be",
        ),
    ] {
        let error = File::parse(text).unwrap().declarations().unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn networks_are_checked() {
    let build = |text| Config::build(&ServeArgs::default(), &File::parse(text).unwrap());
    let config = build(
        "[outbound]\nallow = ['10.0.0.0/8', '169.254.169.254']\ndeny = ['10.9.0.0/16']\nallow_only = true\n",
    );
    let policy = config.unwrap().outbound;
    for (address, may) in
        [("10.0.0.1", true), ("169.254.169.254", true), ("10.9.0.1", false), ("1.1.1.1", false)]
    {
        assert_eq!(policy.check(address.parse().unwrap()).is_ok(), may, "{address}");
    }
    for (text, wanted) in [
        ("[outbound]\nallow = ['10.0.0.0/33']\n", "[outbound] allow: \"10.0.0.0/33\" is not a network"),
        ("[outbound]\ndeny = ['example.com']\n", "[outbound] deny: \"example.com\" is not a network"),
        ("[outbound]\ndeny = ['10.0.0.1/8']\n", "[outbound] deny: "),
    ] {
        let error = build(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
    for (text, wanted) in [
        ("[outbound]\nalow = []\n", "did you mean `allow`?"),
        ("[outbound]\nallow = '10.0.0.0/8'\n", "line 2: "),
    ] {
        let error = File::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?}: {error}");
    }
}

#[test]
fn flags_win_over_the_file_and_secrets_do_not_print() {
    let file = File::parse("[server]\nlisten = '127.0.0.1:1'\ndb = 'file.db'\n").unwrap();
    let args = ServeArgs {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
        token: Some("hunter2".into()),
        ..ServeArgs::default()
    };
    let config = Config::build(&args, &file).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.db, PathBuf::from("file.db"));
    for (limits, wanted) in [
        ("max_check_runs = 0", "[limits] max_check_runs must"),
        ("check_results_retention_days = -1", "[limits] check_results_retention_days must"),
    ] {
        let file = File::parse(&format!("[limits]\n{limits}\n")).unwrap();
        let error = Config::build(&args, &file).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    assert!(!format!("{config:?}").contains("hunter2"));
}
