//! What the board runs by itself: it sees what is there, waits for nobody, and piles nothing up.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, sync::Semaphore};

use crate::{
    peer::{Peer, closed, ok, read_request},
    raw::{eventually, within},
    support::TestServer,
};

/// Answers after a while.
async fn slow(delay: Duration) -> Peer {
    Peer::doing(move |mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(delay).await;
        drop(stream.write_all(ok("fine").as_bytes()).await);
    })
    .await
}

/// Answers once it is let, and to as many as are.
async fn holding(gate: Arc<Semaphore>) -> Peer {
    Peer::doing(move |mut stream| {
        let gate = Arc::clone(&gate);
        async move {
            read_request(&mut stream).await;
            gate.acquire().await.unwrap().forget();
            drop(stream.write_all(ok("fine").as_bytes()).await);
        }
    })
    .await
}

/// Takes connections, and says nothing.
async fn hanging() -> Peer {
    Peer::doing(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

fn http(peer: &Peer) -> Value {
    json!({ "kind": "http", "url": peer.url("/"), "interval_seconds": 10, "timeout_seconds": 10 })
}

async fn put(board: &TestServer, name: &str, spec: Value) {
    let (status, view) = board.put(&format!("/v1/checks/{name}"), spec).await;
    assert_eq!(status, 201, "{view}");
}

/// The check once it has a result.
async fn result(board: &TestServer, name: &str) -> Value {
    let path = format!("/v1/checks/{name}");
    eventually("a result", async || !board.get(&path).await["timestamp"].is_null()).await;
    board.get(&path).await
}

#[tokio::test]
async fn http_and_tcp_checks_see_what_is_there() {
    let board = TestServer::start().await;
    let peer = Peer::answering(|request| {
        if request.starts_with("POST /state") { ok(r#"{"state": {"ok": true}}"#) } else { ok("hello") }
    })
    .await;
    let url = |path: &str| peer.url(path);
    put(
        &board,
        "json",
        json!({ "kind": "http", "url": url("/state"), "method": "POST", "body": "{}",
        "headers": { "X-Api-Key": "hunter2" }, "json_pointer": "/state/ok", "json_equals": true }),
    )
    .await;
    put(&board, "text", json!({ "kind": "http", "url": url("/"), "body_contains": "bye" })).await;
    put(&board, "status", json!({ "kind": "http", "url": url("/"), "expected_status": "5xx" })).await;
    put(&board, "tcp", json!({ "kind": "tcp", "address": peer.address.to_string() })).await;
    put(
        &board,
        "said",
        json!({ "kind": "tcp", "address": peer.address.to_string(),
        "send": "GET / HTTP/1.1\r\n\r\n", "expect_contains": "hello" }),
    )
    .await;
    put(&board, "nobody", json!({ "kind": "http", "url": format!("http://{}/", closed().await) })).await;
    put(&board, "forbidden", json!({ "kind": "http", "url": "http://169.254.169.254/latest/" })).await;
    for (name, status, message) in [
        ("json", "green", "status 200"),
        ("text", "red", "the answer does not contain \"bye\""),
        ("status", "red", "status 200, expected 500-599"),
        ("tcp", "green", "connected"),
        ("said", "green", "connected"),
        ("nobody", "red", "no connection"),
        ("forbidden", "red", "the address is not allowed"),
    ] {
        let view = result(&board, name).await;
        assert_eq!(
            (view["status"].as_str(), view["message"].as_str()),
            (Some(status), Some(message)),
            "{view}"
        );
    }
    assert!(peer.requests().iter().any(|request| request.contains("x-api-key: hunter2")));
}

#[tokio::test]
async fn slow_and_hanging_probes_hold_nobody_up_and_do_not_pile_up() {
    let board = TestServer::start_with(|config| config.limits.max_check_runs = 60).await;
    let hanging = hanging().await;
    let gate = Arc::new(Semaphore::new(0));
    let peer = holding(Arc::clone(&gate)).await;
    // Probes have the machine's time: none ends by itself while this test goes on.
    let patient = |peer: &Peer| json!({ "kind": "http", "url": peer.url("/"), "interval_seconds": 60, "timeout_seconds": 60 });
    put(&board, "hanging", patient(&hanging)).await;
    for i in 0..50 {
        put(&board, &format!("slow{i}"), patient(&peer)).await;
    }
    let load = || board.board.runs.load();
    eventually("all to run", async || load() == (51, 0)).await;
    for path in ["/livez", "/v1/health"].repeat(10) {
        within(path, board.get(path)).await;
    }
    assert_eq!(load(), (51, 0), "answers came while all probes went on");
    // Turn after turn comes while the runs of the first go on.
    for _ in 0..20 {
        board.advance(60.0);
        board.board.advance_checks();
        assert_eq!(load(), (51, 0));
    }
    gate.add_permits(1000);
    for i in [0, 49] {
        assert_eq!(result(&board, &format!("slow{i}")).await["status"], "green");
    }
    assert_eq!(board.get("/v1/checks/hanging").await["message"], "no result yet");
    within("a stop", board.restart()).await;
}

#[tokio::test]
async fn what_finds_no_place_waits_in_line_and_is_not_forgotten() {
    let board = TestServer::start_with(|config| config.limits.max_check_runs = 2).await;
    let hanging = hanging().await;
    put(&board, "hanging", http(&hanging)).await;
    eventually("the hanging one", async || board.board.runs.load() == (1, 0)).await;
    let peer = slow(Duration::from_millis(20)).await;
    for i in 0..20 {
        put(&board, &format!("c{i}"), http(&peer)).await;
    }
    for i in 0..20 {
        assert_eq!(result(&board, &format!("c{i}")).await["status"], "green");
        assert!(board.board.runs.load().0 <= 2);
    }
}

#[tokio::test]
async fn a_run_on_demand_is_shared_and_bounded() {
    let board = TestServer::start().await;
    let peer = Peer::answering(|_| ok("fine")).await;
    let spec = json!({ "kind": "http", "url": peer.url("/"), "interval_seconds": 3600 });
    put(&board, "quick", spec).await;
    result(&board, "quick").await;
    board.advance(5.0);
    let asks = (0..10).map(|_| board.post("/v1/health/run", json!({ "checks": ["quick"] })));
    for report in join_all(asks).await {
        assert_eq!(report["checks"]["quick"]["age_seconds"], 0.0, "{report}");
    }
    assert!((2..=4).contains(&peer.requests().len()), "{} requests", peer.requests().len());
    let hanging = hanging().await;
    put(&board, "hanging", http(&hanging)).await;
    let report = within("an answer", board.post("/v1/health/run", json!({ "timeout_seconds": 0.05 }))).await;
    assert_eq!(report["checks"]["hanging"]["message"], "no result yet");
    // A check that is deleted in flight leaves nothing behind.
    assert_eq!(board.delete("/v1/checks/hanging").await, 204);
    assert_eq!(board.get("/v1/health").await["overall_status"], "green");
}

#[tokio::test]
async fn switched_off_nothing_runs_by_itself() {
    let board = TestServer::start_with(|config| config.declarations.checks_enabled = false).await;
    let peer = Peer::answering(|_| ok("fine")).await;
    put(&board, "c", http(&peer)).await;
    for _ in 0..5 {
        board.advance(10.0);
        board.board.advance_checks();
    }
    assert_eq!(board.board.runs.load(), (0, 0));
    assert!(peer.requests().is_empty());
    let report = board.post("/v1/health/run", json!({})).await;
    assert_eq!(report["checks"]["c"]["status"], "green", "what is asked for runs");
    board.advance(31.0);
    board.board.set_checks_enabled(true);
    eventually("a run of its own", async || peer.requests().len() == 2).await;
}

#[tokio::test]
async fn looks_at_checks_do_not_pile_up() {
    let board = TestServer::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let spec = json!({ "kind": "tcp", "address": format!("127.0.0.1:{port}"), "interval_seconds": 10 });
    board.put("/v1/checks/c", spec).await;
    let runs = async || board.get("/v1/checks/c/results?limit=1000").await["items"].as_array().unwrap().len();
    let mut most = 0;
    for run in 1..100 {
        eventually("a run", async || runs().await >= run).await;
        most = most.max(board.board.runs.looks());
        board.advance(10.0);
    }
    // The next run, and when each of the last results would have turned stale.
    assert!(most <= 6, "{most} looks at one check");
}
