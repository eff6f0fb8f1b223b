use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    raw::eventually,
    support::{TestServer, assert_problem},
};

/// The events `check.changed` of a check, oldest first.
pub async fn changes(board: &TestServer, check: &str) -> Vec<Value> {
    let page = board.get(&format!("/v1/events?resource=check&kind=check.changed&name={check}")).await;
    let mut changes: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|event| event["data"].clone()).collect();
    changes.reverse();
    changes
}

fn causes(changes: &[Value]) -> Vec<String> {
    changes
        .iter()
        .map(|change| {
            let stale = if change["stale"] == true { " stale" } else { "" };
            format!("{}{stale}: {}", change["to"].as_str().unwrap(), change["cause"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_push_creates_a_check_and_turns_stale() {
    let board = TestServer::start().await;
    let push = json!({ "status": "green", "message": "engine importable", "details": { "version": 3 } });
    let view = board.post("/v1/checks/backtest/results", push).await;
    assert_eq!(
        (&view["kind"], &view["status"], &view["stale"]),
        (&json!("push"), &json!("green"), &json!(false))
    );
    assert_eq!(view["config"]["stale_after_seconds"], 300.0);
    board.advance(299.0);
    assert_eq!(board.get("/v1/checks/backtest").await["stale"], false);
    board.advance(1.0);
    let view = board.get("/v1/checks/backtest").await;
    assert_eq!(
        (&view["stale"], &view["status"], &view["age_seconds"]),
        (&json!(true), &json!("green"), &json!(300.0))
    );
    assert_eq!(view["message"], "no result for 300 s; the last one: engine importable");
    let push = json!({ "status": "red", "error": "no module", "duration_seconds": 0.5 });
    let view = board.post("/v1/checks/backtest/results", push).await;
    assert_eq!((&view["error"], &view["duration_seconds"]), (&json!("no module"), &json!(0.5)));
    let wanted = ["green: result", "green stale: stale", "red: result"];
    assert_eq!(causes(&changes(&board, "backtest").await), wanted, "exactly one event for each change");
    let first = board.get("/v1/checks/backtest/results?limit=1").await;
    assert_eq!(
        (&first["items"][0]["status"], &first["items"][0]["error"]),
        (&json!("red"), &json!("no module"))
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = board.get(&format!("/v1/checks/backtest/results?limit=1&cursor={cursor}")).await;
    assert_eq!(second["items"][0]["details"], json!({ "version": 3 }));
    assert_eq!(
        (&second["items"][0]["message"], &second["next_cursor"]),
        (&json!("engine importable"), &json!(null))
    );
}

#[tokio::test]
async fn thresholds_count_results_in_a_row() {
    let board = TestServer::start().await;
    let spec = json!({ "failure_threshold": 2, "success_threshold": 2, "kind": "push" });
    assert_eq!(board.put("/v1/checks/c", spec).await.0, 201);
    let mut seen = Vec::new();
    for status in ["green", "green", "red", "yellow", "red", "red", "green", "green"] {
        let view = board.post("/v1/checks/c/results", json!({ "status": status })).await;
        seen.push(view["status"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, ["red", "green", "green", "yellow", "yellow", "red", "red", "green"]);
}

#[tokio::test]
async fn put_is_conditional_and_delete_takes_the_results_along() {
    let board = TestServer::start().await;
    assert_eq!(board.put("/v1/checks/c", json!({ "kind": "push" })).await.0, 201);
    assert_eq!(board.put("/v1/checks/c", json!({ "kind": "push", "critical": false })).await.0, 200);
    let response = board.send(Method::GET, "/v1/checks/c", None).await;
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let put = |tag: &str| {
        let request = board.http.put(format!("{}/v1/checks/c", board.url)).header("if-match", tag);
        request.json(&json!({ "kind": "push" })).send()
    };
    assert_eq!(put("\"0000000000000000\"").await.unwrap().status(), 412);
    assert_eq!(put(&tag).await.unwrap().status(), 200);
    board.post("/v1/checks/c/results", json!({ "status": "green" })).await;
    assert_eq!(board.get("/v1/checks/c/results").await["items"].as_array().unwrap().len(), 1);
    board.post("/v1/checks/c/results", json!({ "status": "green" })).await;
    assert_eq!(board.delete("/v1/checks/c").await, 204);
    assert_eq!(board.delete("/v1/checks/c").await, 404);
    assert_problem(board.send(Method::GET, "/v1/checks/c/results", None).await, 404, "not_found", "gone")
        .await;
    board.put("/v1/checks/c", json!({ "kind": "push" })).await;
    assert_eq!(board.get("/v1/checks/c/results").await["items"], json!([]), "another check of the same name");
}

#[tokio::test]
async fn a_breaker_check_follows_its_breaker_at_once() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 1, "timeout_seconds": 10 })).await;
    board.put("/v1/checks/c", json!({ "kind": "breaker", "breaker": "b", "interval_seconds": 3600 })).await;
    let status = async || board.get("/v1/checks/c").await["status"].clone();
    assert_eq!(status().await, "green");
    board.fail("b", "a", 1).await;
    assert_eq!(status().await, "red");
    board.advance(10.0);
    assert_eq!(status().await, "yellow", "half open");
    let probe = board.enter("b", "a").await;
    board.report(&probe, "success").await;
    // Nobody looks at the check: the step of the board does.
    eventually("the event", async || changes(&board, "c").await.len() == 4).await;
    assert_eq!(
        causes(&changes(&board, "c").await),
        ["green: result", "red: result", "yellow: result", "green: result"]
    );
    assert_eq!(board.delete("/v1/breakers/b").await, 204);
    assert_eq!(board.get("/v1/checks/c").await["message"], "there is no such breaker");
}

#[tokio::test]
async fn a_metric_that_was_never_sent_is_red() {
    let board = TestServer::start().await;
    let rule = json!({ "comparison": ">", "threshold": 0.15 });
    board.put("/v1/checks/m", json!({ "kind": "metric", "metric_name": "drawdown", "red_if": rule })).await;
    eventually("a run", async || board.get("/v1/checks/m").await["message"] == "no data").await;
    assert_eq!(board.get("/v1/checks/m").await["status"], "red");
}

#[tokio::test]
async fn the_board_runs_checks_on_its_interval_and_one_that_cannot_connect_is_red() {
    let board = TestServer::start().await;
    // Nobody listens there: the port was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let spec =
        json!({ "kind": "tcp", "address": format!("127.0.0.1:{port}"), "interval_seconds": 30, "jitter": 0 });
    let (_, view) = board.put("/v1/checks/t", spec).await;
    assert_eq!(
        (&view["status"], &view["stale"], &view["message"]),
        (&json!("red"), &json!(true), &json!("no result yet"))
    );
    let runs = async || board.get("/v1/checks/t/results").await["items"].as_array().unwrap().len();
    eventually("the first run", async || runs().await == 1).await;
    let view = board.get("/v1/checks/t").await;
    assert_eq!(
        (&view["status"], &view["stale"], &view["message"]),
        (&json!("red"), &json!(false), &json!("no connection"))
    );
    assert!(view["error"].is_string(), "{view}");
    for run in 2..5 {
        board.advance(30.0);
        eventually("another run", async || runs().await == run).await;
    }
    assert_eq!(causes(&changes(&board, "t").await), ["red: result"]);
}

#[tokio::test]
async fn statuses_and_heartbeats_go_on_after_a_crash_and_a_restart() {
    let board = TestServer::start().await;
    board
        .put("/v1/checks/job", json!({ "kind": "heartbeat", "interval_seconds": 60, "grace_seconds": 10 }))
        .await;
    board
        .put("/v1/checks/bot", json!({ "kind": "push", "stale_after_seconds": 100, "failure_threshold": 2 }))
        .await;
    for status in ["green", "red"] {
        board.post("/v1/checks/bot/results", json!({ "status": status })).await;
    }
    let key = board.get("/v1/checks/job").await["ping_url"].clone();
    // The ping is the last thing that is waited for: with it, what came before is on disk, or what follows fails.
    board.board.save_changed().await.unwrap();
    assert_eq!(board.get("/ping/job").await, "OK\n");
    let board = board.crash().await;
    assert_eq!(board.get("/v1/checks/job").await["ping_url"], key, "the crontab need not be changed");
    let bot = board.get("/v1/checks/bot").await;
    assert_eq!(
        (&bot["status"], &bot["consecutive_failures"], &bot["changes"]),
        (&json!("green"), &json!(1), &json!(1))
    );
    board.advance(69.0);
    assert_eq!(board.get("/v1/checks/job").await["status"], "green");
    let board = board.restart().await;
    assert_eq!(board.get("/v1/checks/job").await["status"], "green");
    board.advance(1.0);
    let job = board.get("/v1/checks/job").await;
    assert_eq!((&job["status"], &job["stale"]), (&json!("red"), &json!(true)), "{job}");
    let wanted = ["green: result", "red stale: late"];
    assert_eq!(causes(&changes(&board, "job").await), wanted, "one event for each change");
    board.advance(30.0);
    let board = board.restart().await;
    assert_eq!(causes(&changes(&board, "bot").await), ["green: result", "green stale: stale"]);
    assert_eq!(causes(&changes(&board, "job").await), wanted);
    assert_eq!(board.get("/v1/checks/bot/results").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_happens_while_the_server_is_away_is_told_afterwards_with_its_time() {
    let board = TestServer::start().await;
    board
        .put("/v1/checks/job", json!({ "kind": "heartbeat", "interval_seconds": 60, "grace_seconds": 10 }))
        .await;
    assert_eq!(board.get("/ping/job").await, "OK\n");
    let begun = board.clock.wall();
    let clock = board.clock.clone();
    let board = {
        let stopping = board.crash();
        clock.advance(std::time::Duration::from_secs(500));
        stopping.await
    };
    let page = board.get("/v1/events?kind=check.changed").await;
    assert_eq!(page["items"][0]["data"]["cause"], "late");
    let at: jiff::Timestamp = page["items"][0]["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at.duration_since(begun).as_secs(), 70, "when it was due, not when it was seen");
}

#[tokio::test]
async fn looking_makes_no_work_for_the_disk_and_a_restart_is_no_change() {
    let board = TestServer::start().await;
    board.put("/v1/checks/new", json!({ "kind": "push" })).await;
    board.put("/v1/checks/job", json!({ "kind": "heartbeat", "interval_seconds": 60 })).await;
    board.put("/v1/breakers/b", json!({})).await;
    board.put("/v1/checks/c", json!({ "kind": "breaker", "breaker": "b", "interval_seconds": 3600 })).await;
    board.put("/v1/gates/g", json!({ "checks": ["c"] })).await;
    eventually("the first run", async || board.get("/v1/checks/c").await["status"] == "green").await;
    while board.board.flush_results().await.unwrap() > 0 {}
    while board.board.save_changed().await.unwrap() > 0 {}
    board.board.journal.durable(board.board.journal.last()).await.unwrap();
    // The steps of the board may be writing the same.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let commits = || board.board.store.writer.health().take_commits().len();
    commits();
    for _ in 0..10 {
        for path in
            ["/v1/checks", "/v1/checks/c", "/v1/checks/c/results", "/v1/health", "/health", "/metrics"]
        {
            board.send(Method::GET, path, None).await;
        }
        assert_eq!(board.post("/v1/gates/g/evaluate", json!({})).await["allowed"], true);
    }
    board.board.save_changed().await.unwrap();
    assert_eq!(commits(), 0);
    let since = async |board: &TestServer| {
        let items = board.get("/v1/checks").await["items"].clone();
        items.as_array().unwrap().iter().map(|check| check["changed_at"].clone()).collect::<Vec<_>>()
    };
    let before = since(&board).await;
    board.advance(10.0);
    let board = board.crash().await;
    assert_eq!(since(&board).await, before);
    assert_eq!(changes(&board, "new").await.len(), 0);
}

#[tokio::test]
async fn results_are_kept_up_to_a_number_and_an_age() {
    let board = TestServer::start_with(|config| {
        config.limits.max_results_per_check = 5;
        config.limits.check_results_retention = std::time::Duration::from_secs(1000);
    })
    .await;
    for status in ["green", "yellow"].repeat(6) {
        board.post("/v1/checks/busy/results", json!({ "status": status })).await;
    }
    board.post("/v1/checks/calm/results", json!({ "status": "green" })).await;
    let count = async |check: &str| {
        board.get(&format!("/v1/checks/{check}/results")).await["items"].as_array().unwrap().len()
    };
    assert_eq!((count("busy").await, count("calm").await), (12, 1));
    board.board.prune().await.unwrap();
    assert_eq!((count("busy").await, count("calm").await), (5, 1), "the newest stay");
    board.advance(1000.1);
    board.post("/v1/checks/calm/results", json!({ "status": "green" })).await;
    board.board.prune().await.unwrap();
    assert_eq!((count("busy").await, count("calm").await), (0, 1));
}

#[tokio::test]
async fn secrets_of_checks_are_not_shown() {
    let board = TestServer::start().await;
    let spec = json!({ "kind": "http", "url": "http://127.0.0.1:9/", "interval_seconds": 3600,
        "headers": { "Authorization": "Bearer hunter2", "Accept": "text/plain" } });
    let (status, view) = board.put("/v1/checks/c", spec.clone()).await;
    assert_eq!((status, &view["config"]["headers"]["authorization"]), (201, &json!("[redacted]")));
    board.put("/v1/checks/job", json!({ "kind": "heartbeat", "interval_seconds": 60 })).await;
    let key = board.get("/v1/checks/job").await["ping_url"].as_str().unwrap().to_owned();
    assert_eq!(board.get(&key).await, "OK\n");
    let shown = [
        board.get("/v1/checks").await.to_string(),
        board.get("/v1/events").await.to_string(),
        board.get("/v1/health").await.to_string(),
    ]
    .join("\n");
    assert!(!shown.contains("hunter2"));
    let events = board.get("/v1/events").await.to_string();
    assert!(!events.contains(&key["/ping/".len()..]), "an event names the check, not its key");
    // A view put back is refused rather than stored.
    let (status, problem) = board.put("/v1/checks/c", view["config"].clone()).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("headers")));
}

#[tokio::test]
async fn more_checks_than_allowed_are_refused() {
    let board = TestServer::start_with(|config| config.limits.max_checks = 1).await;
    board.post("/v1/checks/a/results", json!({ "status": "green" })).await;
    let response = board.send(Method::POST, "/v1/checks/b/results", Some(json!({ "status": "green" }))).await;
    assert_problem(response, 507, "limit_reached", "second").await;
}
