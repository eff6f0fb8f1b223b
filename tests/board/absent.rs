//! What clients spend on their own while the server is away.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{process::Process, support::TestServer};

async fn renew(board: &TestServer, client: &str, item: Value) -> Value {
    let answer = board.post("/v1/leases", json!({ "client": client, "items": [item] })).await;
    answer["items"][0].clone()
}

async fn available(board: &TestServer) -> Value {
    board.get("/v1/limiters/l").await["available_tokens"].clone()
}

/// A server that was stopped and started while `a` and `b` used its limiter `l`.
async fn away(config: Value) -> TestServer {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", config).await;
    for client in ["a", "b"] {
        renew(&board, client, json!({ "limiter": "l" })).await;
    }
    board.advance(20.0);
    board.restart().await
}

fn window() -> Value {
    json!({ "algorithm": "sliding_window", "limit": 10, "period_seconds": 1 })
}

#[tokio::test]
async fn what_was_spent_counts_from_when_it_was_spent() {
    let board = away(window()).await;
    assert_eq!(available(&board).await, 0.0, "half of it is for each of those who were there");
    let spent = json!([{ "tokens": 3, "seconds_ago": 0.4 }, { "tokens": 2, "seconds_ago": 9 }]);
    let told = renew(&board, "a", json!({ "limiter": "l", "spent": spent })).await;
    assert_eq!(told["debited_tokens"], 3.0, "what was spent before the last second counts no more");
    assert_eq!(available(&board).await, 2.0);
    board.advance(0.6);
    assert_eq!(available(&board).await, 5.0, "as if it had been asked for");
    board.post("/v1/limiters/l/acquire", json!({ "tokens": 0, "client": "b" })).await;
    assert_eq!(available(&board).await, 10.0, "who asks without telling has spent nothing");
}

#[tokio::test]
async fn who_never_comes_back_is_waited_for_until_it_must_have_noticed() {
    let board = away(window()).await;
    board.advance(6.99);
    assert_eq!(available(&board).await, 0.0, "spent at the last instant");
    board.advance(0.02);
    assert_eq!(available(&board).await, 10.0);
}

#[tokio::test]
async fn what_flowed_for_the_absent_comes_back_with_them() {
    for crash in [false, true] {
        let board = TestServer::start().await;
        board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 100 })).await;
        for client in ["a", "b"] {
            board.post("/v1/limiters/l/acquire", json!({ "tokens": 30, "client": client })).await;
        }
        board.board.save_changed().await.unwrap();
        let board = if crash { board.crash().await } else { board.restart().await };
        let before = available(&board).await.as_f64().unwrap();
        board.advance(4.0);
        assert_eq!(
            available(&board).await,
            before,
            "all that flows in may be spent by them (crash: {crash})"
        );
        let spent = json!([{ "tokens": 2, "seconds_ago": 0.1 }]);
        renew(&board, "a", json!({ "limiter": "l", "spent": spent })).await;
        renew(&board, "b", json!({ "limiter": "l", "spent": [] })).await;
        assert_eq!(available(&board).await, before + 2.0, "four have come, two were spent (crash: {crash})");
    }
}

#[tokio::test]
async fn calls_that_still_run_become_permits() {
    let gpu = json!({ "algorithm": "concurrency", "limit": 4, "lease_seconds": 10 });
    let board = away(gpu).await;
    assert_eq!(available(&board).await, 0.0);
    let told = renew(&board, "a", json!({ "limiter": "l", "tokens": 2, "min_tokens": 2 })).await;
    assert_eq!((&told["lease"]["allowed"], &told["lease"]["tokens"]), (&json!(true), &json!(2.0)), "{told}");
    assert_eq!(available(&board).await, 0.0, "the others are for the other");
    renew(&board, "b", json!({ "limiter": "l" })).await;
    assert_eq!(available(&board).await, 2.0);
    let release = json!([{ "lease_id": told["lease"]["lease_id"] }]);
    renew(&board, "a", json!({ "limiter": "l", "release": release })).await;
    assert_eq!(available(&board).await, 4.0);
}

#[tokio::test]
async fn a_caller_without_a_name_loses_nothing() {
    for config in [window(), json!({ "requests_per_second": 1, "burst_size": 10 })] {
        let board = TestServer::start().await;
        board.put("/v1/limiters/l", config.clone()).await;
        board.post("/v1/limiters/l/acquire", json!({ "tokens": 10 })).await;
        board.advance(20.0);
        let board = board.restart().await;
        let all = board.post("/v1/limiters/l/acquire", json!({ "tokens": 10 })).await;
        assert_eq!(all["allowed"], true, "{config}");
    }
}

#[tokio::test]
async fn the_pause_before_a_share_is_told() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/bucket", json!({ "requests_per_second": 1, "burst_size": 1 })).await;
    board
        .put("/v1/limiters/window", json!({ "algorithm": "fixed_window", "limit": 9, "period_seconds": 7 }))
        .await;
    board
        .put("/v1/limiters/gpu", json!({ "algorithm": "concurrency", "limit": 2, "lease_seconds": 30 }))
        .await;
    let acquire = async |name: &str, ask: Value| {
        let answer = board.post(&format!("/v1/limiters/{name}/acquire"), ask).await;
        answer["fallback_after_seconds"].clone()
    };
    assert_eq!(acquire("bucket", json!({})).await, Value::Null, "nothing is promised");
    assert_eq!(acquire("bucket", json!({ "max_wait_seconds": 5 })).await, 1.0, "a slot is");
    assert_eq!(acquire("window", json!({})).await, 7.0);
    assert_eq!(acquire("gpu", json!({})).await, 30.0);
    let ask = json!({ "limiters": [{ "name": "window" }, { "name": "gpu" }] });
    assert_eq!(board.post("/v1/calls", ask).await["fallback_after_seconds"], 30.0, "the longest");
}

#[tokio::test]
async fn what_cannot_have_been_spent_is_refused() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 5 })).await;
    let one = json!({ "tokens": 1, "seconds_ago": 0 });
    for spent in [
        json!(one),
        json!([1]),
        json!([[1, 0]]),
        json!([{ "tokens": 1 }]),
        json!([{ "seconds_ago": 1 }]),
        json!([{ "tokens": -1, "seconds_ago": 0 }]),
        json!([{ "tokens": 1, "seconds_ago": -1 }]),
        json!([{ "tokens": "1", "seconds_ago": 0 }]),
        json!([{ "tokens": 1, "seconds_ago": 1e300 }]),
        json!([{ "tokens": 1, "seconds_ago": 0, "more": 1 }]),
        json!(vec![one.clone(); 1001]),
    ] {
        let body = json!({ "items": [{ "limiter": "l", "spent": spent }] });
        let (status, problem) = board.ask(Method::POST, "/v1/leases", Some(body)).await;
        assert_eq!(status, 422, "{problem}");
    }
    assert_eq!(available(&board).await, 5.0);
    let most = json!(vec![one; 1000]);
    let told = renew(&board, "a", json!({ "limiter": "l", "spent": most })).await;
    assert_eq!(told["debited_tokens"], 5.0, "no more than there can be");
}

/// A bucket that takes an hour to fill tells, for as long as it may take, that something was set aside.
#[tokio::test]
async fn a_server_that_was_stopped_sets_aside_what_was_spent_meanwhile() {
    let dir = TempDir::new().unwrap();
    let server = Process::run(Process::command(&dir.path().join("board.db")).args(["--log", "error"]));
    let http = reqwest::Client::new();
    let acquire = async |ask: Value| -> Value {
        let url = format!("{}/v1/limiters/l/acquire", server.url);
        http.post(url).json(&ask).send().await.unwrap().json().await.unwrap()
    };
    let config = json!({ "requests_per_second": 0.001, "burst_size": 10 });
    http.put(format!("{}/v1/limiters/l", server.url)).json(&config).send().await.unwrap();
    for client in ["a", "b"] {
        assert_eq!(acquire(json!({ "tokens": 0, "client": client })).await["remaining"], 10.0);
    }
    server.freeze();
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.thaw();
    let answer = acquire(json!({ "tokens": 9, "client": "c" })).await;
    assert_eq!(answer["allowed"], false, "each of the two may have spent one: {answer}");
    assert!(answer["remaining"].as_f64().unwrap() < 9.0, "{answer}");
}
