//! Metrics that clients push.

use std::{fmt::Write, time::Duration};

use fuseboard::{app::metrics::MetricRules, domain::series::SeriesLimits};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    gone::asks_again,
    raw::eventually,
    support::{TestServer, assert_problem},
};

async fn push(board: &TestServer, samples: Value) -> Value {
    board.post("/v1/metrics", json!({ "samples": samples })).await
}

/// Rejected samples: place and code.
fn rejected(answer: &Value) -> Vec<(u64, String)> {
    let all = answer["rejected"].as_array().unwrap().iter();
    all.map(|one| (one["index"].as_u64().unwrap(), one["code"].as_str().unwrap().to_owned())).collect()
}

async fn page(board: &TestServer) -> String {
    board.get("/metrics").await.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_batch_of_all_types_is_shown_as_json_and_to_prometheus() {
    let board = TestServer::start().await;
    let samples = json!([
        { "name": "backtests_completed", "type": "counter", "op": "increment", "value": 1 },
        { "name": "backtests_completed", "type": "counter" },
        { "name": "portfolio_drawdown", "type": "gauge", "op": "set", "value": 0.17, "labels": { "strategy": "ma" },
          "help": "How deep" },
        { "name": "backtest_duration", "type": "timer", "op": "observe", "value": 1.8 },
    ]);
    let answer = board.post("/v1/metrics", json!({ "samples": samples, "client": "bot-7" })).await;
    assert_eq!(answer, json!({ "accepted": 4, "rejected": [], "alerts": [] }));
    let view = board.get("/v1/metrics").await;
    assert_eq!(view["counters"], json!({ "backtests_completed": 2.0 }));
    assert_eq!(view["gauges"], json!({ "portfolio_drawdown{strategy=\"ma\"}": 0.17 }));
    let timer = &view["timers"]["backtest_duration"];
    for field in ["sum", "mean", "min", "max", "p50", "p95", "p99"] {
        assert_eq!(timer[field], 1.8, "{field}: {timer}");
    }
    assert_eq!(timer["count"], 1);
    let text = page(&board).await;
    for line in [
        "# TYPE backtests_completed_total counter\nbacktests_completed_total 2\n",
        "# HELP portfolio_drawdown How deep\n# TYPE portfolio_drawdown gauge\n\
         portfolio_drawdown{strategy=\"ma\"} 0.17\n",
        "backtest_duration_seconds_bucket{le=\"2.5\"} 1\n",
        "backtest_duration_seconds_sum 1.8\n",
        "fuseboard_pushed_metrics 3\n",
        "fuseboard_pushed_series 3\n",
        "fuseboard_pushed_samples_total 4\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("bot-7"), "a client is no label");
    let some = board.get("/v1/metrics?prefix=back").await;
    assert_eq!((&some["gauges"], some["counters"].as_object().unwrap().len()), (&json!({}), 1));
    let one = board.get("/v1/metrics?name=portfolio_drawdown").await;
    assert_eq!((&one["counters"], one["gauges"].as_object().unwrap().len()), (&json!({}), 1));
}

#[tokio::test]
async fn one_metric_is_shown_with_all_that_is_known_of_it_and_deleted() {
    let board = TestServer::start().await;
    let gauge = |value: f64, labels: Value, ttl: Value| json!([{ "name": "depth", "type": "gauge", "value": value, "labels": labels, "ttl_seconds": ttl, "help": "d" }]);
    push(&board, gauge(1.5, json!({ "q": "a\"b\n" }), Value::Null)).await;
    board.advance(5.0);
    push(&board, gauge(2.0, json!({}), json!(60))).await;
    assert_eq!(
        board.get("/v1/metrics/depth").await,
        json!({ "name": "depth", "type": "gauge", "help": "d", "exposed_as": "depth", "series": [
            { "labels": { "q": "a\"b\n" }, "value": 1.5, "updated_at": "2027-01-15T08:00:00Z", "ttl_seconds": null },
            { "labels": {}, "value": 2.0, "updated_at": "2027-01-15T08:00:05Z", "ttl_seconds": 60.0 },
        ] })
    );
    board.board.save_metrics().await.unwrap();
    assert_eq!(board.delete("/v1/metrics/depth").await, 204);
    let gone = board.send(Method::DELETE, "/v1/metrics/depth", None).await;
    assert_problem(gone, 404, "not_found", "deleted").await;
    assert_problem(board.send(Method::GET, "/v1/metrics/depth", None).await, 404, "not_found", "get").await;
    let board = board.crash().await;
    assert_eq!(board.get("/v1/metrics").await["gauges"], json!({}), "gone from the disk when it is answered");
    push(&board, json!([{ "name": "depth", "type": "counter" }])).await;
    let board = board.restart().await;
    assert_eq!(board.get("/v1/metrics/depth").await["type"], "counter", "the name is free for another type");
}

#[tokio::test]
async fn each_sample_is_judged_by_itself() {
    let board = TestServer::start().await;
    let samples = json!([
        { "name": "a", "type": "counter", "value": 2 },
        { "name": "a", "type": "gauge", "value": 2 },
        { "name": "b.c", "type": "counter" },
        { "name": "a", "type": "counter", "value": -1 },
        { "name": "a", "type": "counter", "op": "observe" },
        { "name": "fuseboard_x", "type": "counter" },
        { "name": "process_open_fds", "type": "gauge", "value": 1 },
        { "name": "a", "type": "counter", "labels": { "le": "1" } },
        { "name": "a", "type": "counter", "ttl_seconds": 0 },
        { "name": "a", "type": "counter", "value": 3 },
    ]);
    let answer = push(&board, samples).await;
    assert_eq!(answer["accepted"], 2);
    let wanted = [
        (1, "type_conflict"),
        (2, "invalid_name"),
        (3, "invalid_value"),
        (4, "invalid_op"),
        (5, "reserved_name"),
        (6, "name_conflict"),
        (7, "invalid_label"),
        (8, "invalid_ttl"),
    ];
    assert_eq!(rejected(&answer), wanted.map(|(index, code)| (index, code.to_owned())));
    assert_eq!(answer["rejected"][0]["message"], "type: the metric is a counter, not a gauge");
    assert_eq!(board.get("/v1/metrics").await["counters"], json!({ "a": 5.0 }));
    let text = page(&board).await;
    assert!(text.contains("fuseboard_pushed_samples_rejected_total{code=\"type_conflict\"} 1\n"), "{text}");
}

#[tokio::test]
async fn a_body_that_is_no_batch_changes_nothing() {
    let board = TestServer::start().await;
    let good = r#"{"name":"a","type":"counter"}"#;
    let many = format!("{{\"samples\":[{}]}}", vec![good; 10_001].join(","));
    for (body, status, field) in [
        (String::new(), 400, ""),
        (format!("{{\"samples\":[{good}"), 400, ""),
        ("{}".to_owned(), 422, "samples"),
        ("[]".to_owned(), 422, "body"),
        (format!("{{\"samples\":{good}}}"), 422, "samples"),
        (format!("{{\"samples\":[{good},[\"b\",\"counter\"]]}}"), 422, "samples[1]"),
        (format!("{{\"samples\":[{good},{{\"name\":\"b\"}}]}}"), 422, "samples[1].type"),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"histogram\"}}]}}"),
            422,
            "samples[1].type",
        ),
        (format!("{{\"samples\":[{good},{{\"name\":1,\"type\":\"gauge\"}}]}}"), 422, "samples[1].name"),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"gauge\",\"value\":\"1\"}}]}}"),
            422,
            "samples[1].value",
        ),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"gauge\",\"value\":NaN}}]}}"),
            422,
            "samples[1].value",
        ),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"gauge\",\"value\":-Infinity}}]}}"),
            422,
            "samples[1].value",
        ),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"gauge\",\"value\":1e999}}]}}"),
            422,
            "samples[1].value",
        ),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"gauge\",\"labels\":{{\"x\":1}}}}]}}"),
            422,
            "samples[1].labels.x",
        ),
        (
            format!("{{\"samples\":[{good},{{\"name\":\"b\",\"type\":\"gauge\",\"labels\":[]}}]}}"),
            422,
            "samples[1].labels",
        ),
        (r#"{"samples":[{"name":"b","type":"counter","valu":1}]}"#.to_owned(), 422, "samples[0].valu"),
        (format!("{{\"samples\":[{good}],\"client\":\"\"}}"), 422, "client"),
        (format!("{{\"samples\":[{good}],\"job\":\"x\"}}"), 422, "job"),
        (many, 422, "samples"),
    ] {
        let request = board.http.post(format!("{}/v1/metrics", board.url));
        let response =
            request.header("content-type", "application/json").body(body.clone()).send().await.unwrap();
        let code = if status == 400 { "bad_json" } else { "validation_failed" };
        let what = format!("{body:.90}");
        let problem = assert_problem(response, status, code, &what).await;
        if status == 422 {
            assert_eq!(problem["errors"][0]["field"], field, "{what}: {problem}");
        }
    }
    assert_eq!(board.get("/v1/metrics").await, json!({ "counters": {}, "gauges": {}, "timers": {} }));
    assert_problem(board.send(Method::PUT, "/v1/metrics", None).await, 405, "method_not_allowed", "PUT")
        .await;
    assert_problem(
        board.send(Method::GET, "/v1/metrics?nam=x", None).await,
        422,
        "validation_failed",
        "query",
    )
    .await;
    assert_eq!(push(&board, json!([])).await["accepted"], 0, "nothing is a batch, too");
}

#[tokio::test]
async fn a_repeated_push_counts_once() {
    let board = TestServer::start().await;
    let send = |value: u32| {
        let body = json!({ "samples": [{ "name": "a", "type": "counter", "value": value }] });
        let request = board.http.post(format!("{}/v1/metrics", board.url)).header("idempotency-key", "k");
        request.json(&body).send()
    };
    send(2).await.unwrap();
    let again = send(2).await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_problem(send(3).await.unwrap(), 422, "idempotency_mismatch", "another body").await;
    assert_eq!(board.get("/v1/metrics").await["counters"]["a"], 2.0);
}

#[tokio::test]
async fn a_push_whose_client_goes_away_while_its_alert_is_written_counts_once() {
    let board = TestServer::start().await;
    let threshold = json!({ "metric_name": "a", "threshold": 0 });
    assert_eq!(board.put("/v1/thresholds/some", threshold).await.0, 201);
    let body = json!({ "samples": [{ "name": "a", "type": "counter" }] });
    let counted = async || board.get("/v1/metrics").await["counters"]["a"] == 1.0;
    asks_again(&board, "/v1/metrics", body, counted).await;
    assert!(counted().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_many_clients_are_all_counted() {
    let board = TestServer::start().await;
    let clients = (0..64).map(|client| {
        let (http, url) = (board.http.clone(), format!("{}/v1/metrics", board.url));
        tokio::spawn(async move {
            for _ in 0..20 {
                let sample = json!({ "name": "hits", "type": "counter" });
                let body = json!({ "samples": vec![sample; 50], "client": format!("c{client}") });
                assert_eq!(http.post(&url).json(&body).send().await.unwrap().status(), 200);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    assert_eq!(board.get("/v1/metrics").await["counters"]["hits"], 64_000.0);
}

#[tokio::test]
async fn a_hundred_thousand_values_of_a_label_take_no_more_room_than_there_is() {
    let board = TestServer::start().await;
    for batch in 0..10 {
        let mut body = "{\"samples\":[".to_owned();
        for n in 0..10_000 {
            let comma = if n == 0 { "" } else { "," };
            let user = batch * 10_000 + n;
            write!(body, "{comma}{{\"name\":\"c\",\"type\":\"counter\",\"labels\":{{\"user\":\"{user}\"}}}}")
                .unwrap();
        }
        body += "]}";
        let request = board.http.post(format!("{}/v1/metrics", board.url)).body(body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["accepted"], 10_000);
    }
    let view = board.get("/v1/metrics").await;
    let counters = view["counters"].as_object().unwrap();
    let total: f64 = counters.values().map(|total| total.as_f64().unwrap()).sum();
    assert_eq!((counters.len(), total), (1001, 100_000.0));
    assert_eq!(view["counters"]["c{overflow=\"true\"}"], 99_000.0);
    let gauges: Vec<_> = (0..1_500)
        .map(|n| json!({ "name": "g", "type": "gauge", "value": n, "labels": { "user": n.to_string() } }))
        .collect();
    let answer = push(&board, gauges.into()).await;
    assert_eq!((&answer["accepted"], rejected(&answer).len()), (&json!(1000), 500));
    assert_eq!(answer["rejected"][0]["code"], "cardinality_limit");
    let text = page(&board).await;
    for line in [
        "fuseboard_pushed_series 2000\n",
        "fuseboard_pushed_series_limit 100000\n",
        "fuseboard_pushed_samples_folded_total 99000\n",
        "fuseboard_pushed_samples_rejected_total{code=\"cardinality_limit\"} 500\n",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[tokio::test]
async fn a_metric_that_finds_no_room_for_its_first_series_leaves_nothing_behind() {
    let limits = SeriesLimits { max_metrics: 2, max_series_per_metric: 5, max_series: 1 };
    let board = TestServer::start_with(|config| config.limits.series = limits).await;
    let gauge = |name: &str| json!([{ "name": name, "type": "gauge", "value": 1 }]);
    push(&board, gauge("a")).await;
    for name in ["b", "c", "d"] {
        let answer = push(&board, gauge(name)).await;
        let message = &answer["rejected"][0]["message"];
        assert_eq!(message, "there are 1 series, the most there may be", "{name} has not taken a name");
    }
    assert_eq!(board.delete("/v1/metrics/a").await, 204);
    assert_eq!(push(&board, gauge("b")).await["accepted"], 1, "the room came back");
}

#[tokio::test]
async fn series_are_forgotten_after_their_time() {
    let board = TestServer::start().await;
    let brief = json!([
        { "name": "brief", "type": "gauge", "value": 1, "ttl_seconds": 10 },
        { "name": "both", "type": "counter", "labels": { "a": "1" }, "ttl_seconds": 10 },
        { "name": "both", "type": "counter" },
    ]);
    push(&board, brief.clone()).await;
    board.board.save_metrics().await.unwrap();
    board.advance(10.0);
    assert_eq!(board.get("/v1/metrics").await["gauges"], json!({}), "over at once, not with the next sweep");
    board.board.sweep_metrics();
    board.board.save_metrics().await.unwrap();
    assert_eq!(rows(&board).await, ["both "], "nor is it on disk");
    assert!(page(&board).await.contains("fuseboard_pushed_series 1\n"));
    push(&board, json!([{ "name": "brief", "type": "counter" }])).await;
    board
        .board
        .series
        .set_rules(MetricRules { ttl: Some(5.0.try_into().unwrap()), ..MetricRules::default() });
    push(&board, json!([{ "name": "new", "type": "counter" }, { "name": "both", "type": "counter" }])).await;
    board.advance(5.0);
    let counters = json!({ "brief": 1.0, "both": 2.0 });
    assert_eq!(board.get("/v1/metrics").await["counters"], counters, "a default is for new series");
}

/// Saved series: metric and labels.
async fn rows(board: &TestServer) -> Vec<String> {
    let all =
        "SELECT name || ' ' || labels FROM series JOIN metrics ON metrics.id = series.metric ORDER BY 1";
    sqlx::query_scalar(all).fetch_all(&board.board.store.readers).await.unwrap()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let board = TestServer::start().await;
    let labels = json!({ "path": "a\\b\"c\td\ne", "\u{5f}x": "ä€😀\u{1}\r" });
    let samples = json!([
        { "name": "c", "type": "counter", "value": 0.1, "labels": labels, "help": "with\ttabs\nand \"more\"" },
        { "name": "c", "type": "counter", "value": 0.2, "labels": labels },
        { "name": "g", "type": "gauge", "value": f64::MIN },
        { "name": "t", "type": "timer", "value": 0.3, "ttl_seconds": 100.5 },
        { "name": "t", "type": "timer", "value": 5e-324 },
    ]);
    assert_eq!(push(&board, samples).await["rejected"], json!([]));
    board.advance(1.0);
    let (view, timer) = (board.get("/v1/metrics").await, board.get("/v1/metrics/t").await);
    let board = board.restart().await;
    assert_eq!(board.get("/v1/metrics").await, view, "after a clean stop");
    assert_eq!(board.get("/v1/metrics/t").await, timer);
    let text = page(&board).await;
    // What is saved in time survives a crash.
    push(&board, json!([{ "name": "c", "type": "counter" }])).await;
    assert_eq!(board.board.save_metrics().await.unwrap(), 1, "one of them has changed");
    assert_eq!(board.board.save_metrics().await.unwrap(), 0);
    push(&board, json!([{ "name": "c", "type": "counter" }])).await;
    let board = board.crash().await;
    assert_eq!(board.get("/v1/metrics").await["counters"]["c"], 1.0, "but what came later");
    assert_eq!(board.get("/v1/metrics").await["timers"], view["timers"]);
    assert!(text.contains("c_total{_x=") && page(&board).await.contains("# HELP c_total with\ttabs\\nand"));
    board.advance(100.0);
    assert_eq!(board.get("/v1/metrics").await["timers"], json!({}), "time went on");
}

#[tokio::test]
async fn a_large_metric_is_saved_in_parts_and_only_what_changed() {
    let limits = SeriesLimits { max_series_per_metric: 6_000, ..SeriesLimits::default() };
    let board = TestServer::start_with(|config| config.limits.series = limits).await;
    let sample =
        |n: usize| json!({ "name": "big", "type": "gauge", "value": n, "labels": { "n": n.to_string() } });
    push(&board, (0..5_001).map(sample).collect()).await;
    assert_eq!(board.board.save_metrics().await.unwrap(), 5_001);
    push(&board, json!([sample(4_999), sample(0)])).await;
    assert_eq!(board.board.save_metrics().await.unwrap(), 2);
    let view = board.get("/v1/metrics").await;
    let board = board.crash().await;
    assert_eq!(board.get("/v1/metrics").await, view);
}

#[tokio::test]
async fn a_clock_with_another_zero_moves_all_times() {
    let board = TestServer::start().await;
    push(&board, json!([{ "name": "t", "type": "gauge", "value": 1, "ttl_seconds": 100 }])).await;
    board.advance(40.0);
    board.board.save_metrics().await.unwrap();
    // As another boot would have left it, whose clock was an hour ahead.
    let origin = "UPDATE board SET value = json_set(value, '$.boot', 'another', '$.steady', (value ->> 'steady') + 3600000000000)
                  WHERE key = 'origin'";
    let times = "UPDATE series SET at = at + 3600000000000";
    let write = board.board.store.writer.write(move |connection| {
        Box::pin(async move {
            sqlx::query(origin).execute(&mut *connection).await?;
            sqlx::query(times).execute(connection).await?;
            Ok(())
        })
    });
    write.await.unwrap();
    let before = board.get("/v1/metrics/t").await["series"][0]["updated_at"].clone();
    // Twice: what was moved is moved once.
    let board = board.crash().await.crash().await;
    assert_eq!(board.get("/v1/metrics/t").await["series"][0]["updated_at"], before);
    board.advance(59.0);
    assert_eq!(board.get("/v1/metrics").await["gauges"]["t"], 1.0);
    board.advance(1.0);
    assert_eq!(board.get("/v1/metrics").await["gauges"], json!({}));
}

#[tokio::test]
async fn checks_look_at_what_was_pushed() {
    let board = TestServer::start().await;
    let rule = |comparison: &str, threshold: f64| json!({ "comparison": comparison, "threshold": threshold });
    let spec = json!({ "kind": "metric", "metric_name": "drawdown", "metric_labels": { "strategy": "ma" },
        "red_if": rule(">", 0.15), "yellow_if": rule(">", 0.1), "max_age_seconds": 30, "interval_seconds": 3600 });
    board.put("/v1/checks/m", spec).await;
    let status = async || {
        let view = board.get("/v1/checks/m").await;
        format!("{} {}", view["status"].as_str().unwrap(), view["message"].as_str().unwrap())
    };
    let drawdown = async |value: f64, labels: Value| {
        push(&board, json!([{ "name": "drawdown", "type": "gauge", "value": value, "labels": labels }]))
            .await;
    };
    drawdown(0.01, json!({})).await;
    drawdown(0.01, json!({ "strategy": "ma", "venue": "x" })).await;
    eventually("a look", async || status().await == "red no data").await;
    for (value, wanted) in [(0.05, "green"), (0.12, "yellow"), (0.2, "red")] {
        drawdown(value, json!({ "strategy": "ma" })).await;
        let said = status().await;
        assert!(said.starts_with(wanted), "{value}: {said}");
    }
    drawdown(0.05, json!({ "strategy": "ma" })).await;
    board.advance(31.0);
    assert_eq!(status().await, "red no data for more than 30 s");
    drawdown(0.05, json!({ "strategy": "ma" })).await;
    assert!(status().await.starts_with("green"));
    assert_eq!(board.delete("/v1/metrics/drawdown").await, 204);
    assert_eq!(status().await, "red no data");
}

#[tokio::test]
async fn buckets_are_those_of_the_configuration() {
    let board = TestServer::start_with(|config| {
        let text = "[metrics]\nbuckets = [1, 10]\n[metrics.timer_buckets]\nquick = { start = 0.5, factor = 2, count = 2 }\n";
        config.declarations.metrics =
            fuseboard::config::File::parse(text).unwrap().declarations().unwrap().metrics;
    })
    .await;
    let both = json!([{ "name": "slow", "type": "timer", "value": 3 }, { "name": "quick", "type": "timer", "value": 3 }]);
    push(&board, both).await;
    let bounds = async |board: &TestServer, name: &str| {
        let text = page(board).await;
        let start = format!("{name}_seconds_bucket{{le=\"");
        let bounds =
            text.lines().filter_map(|line| line.strip_prefix(&start)?.split('"').next().map(str::to_owned));
        bounds.collect::<Vec<_>>()
    };
    assert_eq!(bounds(&board, "slow").await, ["1", "10", "+Inf"]);
    assert_eq!(bounds(&board, "quick").await, ["0.5", "1", "+Inf"]);
    let board = board.restart().await;
    assert_eq!(bounds(&board, "slow").await, ["1", "10", "+Inf"], "a timer keeps the buckets that it had");
    push(&board, json!([{ "name": "another", "type": "timer", "value": 3 }])).await;
    assert_eq!(bounds(&board, "another").await.len(), 15);
}

#[tokio::test]
async fn an_idle_board_with_metrics_makes_no_work_for_the_disk() {
    let board = TestServer::start().await;
    push(
        &board,
        json!([{ "name": "a", "type": "counter", "ttl_seconds": 5 }, { "name": "b", "type": "counter" }]),
    )
    .await;
    while board.board.save_metrics().await.unwrap() > 0 {}
    tokio::time::sleep(Duration::from_millis(50)).await;
    let commits = || board.board.store.writer.health().take_commits().len();
    commits();
    for path in ["/v1/metrics", "/v1/metrics/a", "/metrics"].repeat(3) {
        board.send(Method::GET, path, None).await;
        board.board.sweep_metrics();
        board.board.save_metrics().await.unwrap();
    }
    assert_eq!(commits(), 0);
}

/// Exit status and output of a command with standard input.
async fn run_with(url: &str, args: &[&str], input: &str) -> (i32, String) {
    let (mut command, input) = (crate::cli::fuseboard(url, args), input.to_owned());
    let done = tokio::task::spawn_blocking(move || {
        use std::{io::Write, process::Stdio};
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    let done = done.await.unwrap();
    (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
}

#[tokio::test]
async fn numbers_are_pushed_listed_shown_and_deleted_on_the_command_line() {
    let board = TestServer::start().await;
    let run = async |args: &[&str]| crate::cli::run(&board.url, args).await;
    let push =
        ["metrics", "push", "drawdown", "-0.5", "--label", "strategy=ma", "--label", "a=x=y", "--ttl", "60"];
    assert_eq!(run(&push).await, (0, String::new()));
    assert_eq!(run(&["metrics", "push", "done", "--type", "counter", "--about", "What is done"]).await.0, 0);
    assert_eq!(run(&["metrics", "push", "done", "2", "--type", "counter"]).await.0, 0);
    assert_eq!(run(&["metrics", "push", "took", "1.5", "--type", "timer"]).await.0, 0);
    assert_eq!(run(&["metrics", "push", "level", "3"]).await.0, 0);
    assert_eq!(run(&["metrics", "push", "level", "1", "--op", "decrement"]).await.0, 0);
    let view = board.get("/v1/metrics").await;
    assert_eq!(view["gauges"], json!({ "drawdown{a=\"x=y\",strategy=\"ma\"}": -0.5, "level": 2.0 }));
    assert_eq!((&view["counters"]["done"], &view["timers"]["took"]["sum"]), (&json!(3.0), &json!(1.5)));

    let (status, said) = run(&["metrics", "push", "done", "1"]).await;
    assert_eq!((status, said.as_str()), (1, "fuseboard: done: type: the metric is a counter, not a gauge\n"));
    assert_eq!(run(&["metrics", "push", "level"]).await.0, 1, "a gauge needs a number");
    for wrong in [
        &["metrics", "push", "a", "x"][..],
        &["metrics", "push", "done", "nan", "--type", "counter"],
        &["metrics", "push", "a", "1", "--ttl", "inf"],
        &["metrics", "push", "a", "1", "--type", "histogram"],
        &["metrics", "push", "a", "1", "--label", "x"],
        &["metrics", "show", "a/../b"],
        &["metrics", "show", "nothing"],
        &["metrics", "delete", "nothing"],
    ] {
        assert_eq!(run(wrong).await.0, 2, "{wrong:?}");
    }

    let (_, said) = run(&["metrics", "list"]).await;
    assert_eq!(said.lines().count(), 5, "{said}");
    let done: Vec<_> = said.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(done, ["done", "counter", "3"]);
    assert!(said.contains("timer    1 times, mean 1.500 s"), "{said}");
    let (_, said) = run(&["metrics", "list", "--json", "--prefix", "dr"]).await;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["gauges"].as_object().unwrap().len(), 1);
    let (_, said) = run(&["metrics", "show", "drawdown"]).await;
    assert!(said.starts_with("drawdown  gauge  as drawdown for Prometheus\n\nLABELS"), "{said}");
    assert!(said.contains("a=x=y strategy=ma  -0.5   2027-01-15T08:00:00Z  60 s"), "{said}");
    let (_, said) = run(&["metrics", "show", "done"]).await;
    assert!(said.starts_with("done  counter  as done_total for Prometheus\nWhat is done\n\n"), "{said}");
    let (_, said) = run(&["metrics", "show", "done", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["series"][0]["value"], 3.0);
    assert_eq!(run(&["metrics", "delete", "done"]).await, (0, String::new()));
    assert_eq!(run(&["metrics", "show", "done"]).await.0, 2);
}

#[tokio::test]
async fn lines_of_standard_input_are_pushed() {
    let board = TestServer::start().await;
    let lines = "plain 1\nplain{path=\"a\\\\b\\\"c\"} 2.5e3\n# HELP c What is counted\n# TYPE c counter\nc 3\n\
                 # TYPE g gauge\ng -1";
    let args = ["metrics", "push", "-", "--type", "timer", "--label", "host=h"];
    for _ in 0..2 {
        assert_eq!(run_with(&board.url, &args, lines).await, (0, String::new()));
    }
    let view = board.get("/v1/metrics").await;
    assert_eq!(view["counters"], json!({ "c{host=\"h\"}": 6.0 }));
    assert_eq!(view["gauges"], json!({ "g{host=\"h\"}": -1.0 }));
    assert_eq!(view["timers"]["plain{host=\"h\",path=\"a\\\\b\\\"c\"}"]["sum"], 5000.0);
    assert_eq!(board.get("/v1/metrics/c").await["help"], "What is counted");
    let many: Vec<_> = (0..2_500).map(|n| format!("many{{n=\"{n}\"}} {n}\n")).collect();
    let (status, said) = run_with(&board.url, &["metrics", "push", "-"], &many.concat()).await;
    assert_eq!((status, said.lines().count()), (1, 1_500), "what is beyond the cap is told");
    for (wrong, why) in [
        ("a b\n", "line 1"),
        ("a 1 1700000000000\n", "time stamp"),
        ("a NaN\n", "NaN"),
        ("# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n", "/metrics/job/"),
    ] {
        let (status, said) = run_with(&board.url, &["metrics", "push", "-"], wrong).await;
        assert!(status == 2 && said.contains(why), "{wrong}: {said}");
    }
    assert_eq!(run_with(&board.url, &["metrics", "push", "-"], "").await.0, 0);
}
