use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn the_sliding_window_is_exact_and_its_retry_after_honest() {
    let board = TestServer::start().await;
    let config = json!({ "algorithm": "sliding_window", "limit": 3, "period_seconds": 1 });
    board.put("/v1/limiters/hard", config).await;
    for step in [0.0, 0.25, 0.25] {
        board.advance(step);
        assert_eq!(board.post("/v1/limiters/hard/acquire", json!({})).await["allowed"], true);
    }
    let refused = board.post("/v1/limiters/hard/acquire", json!({})).await;
    assert_eq!((&refused["allowed"], &refused["retry_after_seconds"]), (&json!(false), &json!(0.5)));
    board.advance(0.499);
    assert_eq!(board.post("/v1/limiters/hard/acquire", json!({})).await["allowed"], false);
    board.advance(0.001);
    assert_eq!(board.post("/v1/limiters/hard/acquire", json!({})).await["allowed"], true);
    assert_eq!(board.post("/v1/limiters/hard/acquire", json!({})).await["allowed"], false);
}

#[tokio::test]
async fn waiters_get_distinct_slots_in_order() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 10, "burst_size": 1 })).await;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let granted = board.post("/v1/limiters/l/acquire", json!({ "max_wait_seconds": 0.3 })).await;
        waits.push(granted["wait_seconds"].as_f64().unwrap());
    }
    assert_eq!(waits, [0.0, 0.1, 0.2, 0.3]);
    let refused = board.post("/v1/limiters/l/acquire", json!({ "max_wait_seconds": 0.3 })).await;
    assert_eq!((&refused["allowed"], &refused["retry_after_seconds"]), (&json!(false), &json!(0.1)));
}

#[tokio::test]
async fn a_peek_takes_nothing_and_what_never_fits_is_invalid() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 2 })).await;
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({ "tokens": 0 })).await["remaining"], 2.0);
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({ "tokens": 2 })).await["allowed"], true);
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({ "tokens": 0 })).await["allowed"], false);
    let (status, problem) =
        board.ask(reqwest::Method::POST, "/v1/limiters/l/acquire", Some(json!({ "tokens": 3 }))).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("tokens")));
}

#[tokio::test]
async fn a_lease_is_debited_and_its_rest_comes_back() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 10 })).await;
    let lease = board.post("/v1/limiters/l/lease", json!({ "tokens": 20, "client": "a" })).await;
    assert_eq!((&lease["allowed"], &lease["tokens"]), (&json!(true), &json!(10.0)));
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({})).await["allowed"], false);
    let release = json!({ "lease_id": lease["lease_id"], "unused_tokens": 4 });
    assert_eq!(board.post("/v1/limiters/l/release", release.clone()).await["returned_tokens"], 4.0);
    assert_eq!(board.post("/v1/limiters/l/release", release).await["released"], false);
    assert_eq!(board.get("/v1/limiters/l").await["available_tokens"], 4.0);
}

#[tokio::test]
async fn a_penalty_makes_everybody_wait_and_is_an_event() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 10 })).await;
    board.post("/v1/limiters/l/penalize", json!({ "retry_after_seconds": 30, "reason": "429" })).await;
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({})).await["retry_after_seconds"], 30.0);
    let events = board.get("/v1/events?kind=limiter.penalized").await;
    assert_eq!(events["items"][0]["data"]["reason"], "429");
    board.advance(30.0);
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({})).await["allowed"], true);
}

#[tokio::test]
async fn a_batch_decides_each_by_itself() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 1 })).await;
    let items = json!({ "items": [{ "limiter": "l" }, { "limiter": "l" }, { "limiter": "nope" }] });
    let answer = board.post("/v1/acquires", items).await;
    assert_eq!(answer["items"][0]["allowed"], true);
    assert_eq!(answer["items"][1]["reason"], "rate_limited");
    assert!(answer["items"][2]["error"].as_str().unwrap().contains("nope"));
}
