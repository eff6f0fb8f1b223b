use reqwest::Method;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn an_open_breaker_burns_no_tokens_and_a_denied_token_enters_no_breaker() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 2 })).await;
    let ask = json!({ "breaker": "b", "limiters": [{ "name": "l", "tokens": 1 }] });
    board.post("/v1/breakers/b/state", json!({ "target": "forced_open" })).await;
    assert_eq!(board.post("/v1/calls", ask.clone()).await["reason"], "breaker_open");
    assert_eq!(board.get("/v1/limiters/l").await["available_tokens"], 2.0);
    board.post("/v1/breakers/b/reset", json!({})).await;
    for _ in 0..2 {
        assert_eq!(board.post("/v1/calls", ask.clone()).await["allowed"], true);
    }
    let denied = board.post("/v1/calls", ask.clone()).await;
    assert_eq!((&denied["reason"], &denied["denied_by"]), (&json!("rate_limited"), &json!("l")));
    assert_eq!(denied["retry_after_seconds"], 1.0);
    let breaker = board.get("/v1/breakers/b").await;
    assert_eq!((&breaker["metrics"]["total_calls"], &breaker["in_flight"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn duplicate_late_stale_and_unknown_outcomes_move_nothing() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 2, "call_timeout_seconds": 10 })).await;
    let call = board.enter("b", "a").await;
    assert_eq!(board.report(&call, "failure").await["recorded"], true);
    let again = board.report(&call, "failure").await;
    assert_eq!((&again["recorded"], &again["reason"]), (&json!(false), &json!("duplicate")));
    let late = board.enter("b", "a").await;
    board.advance(10.0);
    assert_eq!(board.report(&late, "failure").await["reason"], "expired");
    let stale = board.enter("b", "a").await;
    board.post("/v1/breakers/b/reset", json!({})).await;
    assert_eq!(board.report(&stale, "failure").await["reason"], "stale_generation");
    assert_eq!(board.report("0123456789abcdef0123456789abcdef", "failure").await["reason"], "unknown");
    let view = board.get("/v1/breakers/b").await;
    assert_eq!((&view["state"], &view["metrics"]["failure_calls"]), (&json!("closed"), &json!(0)));
}

#[tokio::test]
async fn a_client_that_dies_gives_its_permit_back() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/gpu", json!({ "algorithm": "concurrency", "limit": 1 })).await;
    let ask = json!({ "limiters": [{ "name": "gpu" }] });
    assert_eq!(board.post("/v1/calls", ask.clone()).await["allowed"], true);
    let full = board.post("/v1/calls", ask.clone()).await;
    assert_eq!(full["reason"], "concurrency_full");
    let wait = full["retry_after_seconds"].as_f64().unwrap();
    board.advance(wait - 0.001);
    assert_eq!(board.post("/v1/calls", ask.clone()).await["allowed"], false);
    board.advance(0.001);
    assert_eq!(board.post("/v1/calls", ask).await["allowed"], true);
}

#[tokio::test]
async fn outcomes_ride_along_and_come_in_batches() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 2 })).await;
    let (one, two, three) =
        (board.enter("b", "a").await, board.enter("b", "a").await, board.enter("b", "a").await);
    let batch = json!({ "items": [{ "call_id": one, "outcome": "success", "duration_seconds": 0.1 },
                                  { "call_id": "x", "outcome": "success" }] });
    let answers = board.post("/v1/outcomes", batch).await;
    assert_eq!(
        (&answers["items"][0]["recorded"], &answers["items"][1]["reason"]),
        (&json!(true), &json!("unknown"))
    );
    let ask = json!({ "breaker": "b", "client": "a", "outcomes": [
        { "call_id": two, "outcome": "failure", "error": "boom" }, { "call_id": three, "outcome": "failure", "error": "boom" }] });
    let refused = board.post("/v1/calls", ask).await;
    assert_eq!(
        (&refused["reason"], &refused["outcomes"][1]["breaker_state"]),
        (&json!("breaker_open"), &json!("open"))
    );
    assert_eq!(board.get("/v1/breakers/b/transitions").await["items"][0]["reason"], "boom");
}

#[tokio::test]
async fn first_use_creates_and_never_changes() {
    let board = TestServer::start().await;
    let ask = |threshold| {
        json!({ "breaker": "new", "limiters": [{ "name": "fresh" }],
            "config": { "breaker": { "failure_threshold": threshold }, "limiters": { "fresh": { "requests_per_second": 3 } } } })
    };
    assert_eq!(board.post("/v1/calls", ask(7)).await["allowed"], true);
    assert_eq!(board.post("/v1/calls", ask(1)).await["allowed"], true);
    assert_eq!(board.get("/v1/breakers/new").await["threshold"], 7);
    assert_eq!(board.get("/v1/limiters/fresh").await["burst_size"], 3.0);
}

#[tokio::test]
async fn strict_turns_refusals_into_statuses() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 0.5, "burst_size": 1 })).await;
    board.post("/v1/breakers/b/state", json!({ "target": "open" })).await;
    let response = board.send(Method::POST, "/v1/calls?strict=true", Some(json!({ "breaker": "b" }))).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()),
        (503, "60")
    );
    board.post("/v1/limiters/l/acquire", json!({})).await;
    let response = board.send(Method::POST, "/v1/limiters/l/acquire?strict=true", Some(json!({}))).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "2"));
    assert!(response.headers().contains_key("ratelimit"));
}

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer_and_another_body_is_refused() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 5 })).await;
    let acquire = |tokens: u32| {
        board
            .http
            .post(format!("{}/v1/limiters/l/acquire", board.url))
            .header("idempotency-key", "k1")
            .json(&json!({ "tokens": tokens }))
            .send()
    };
    let first = acquire(2).await.unwrap().text().await.unwrap();
    let again = acquire(2).await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.text().await.unwrap(), first);
    assert_eq!(acquire(1).await.unwrap().status(), 422);
    assert_eq!(board.get("/v1/limiters/l").await["available_tokens"], 3.0);
}

#[tokio::test]
async fn shares_of_rates_and_of_permits_are_told_apart() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/fast", json!({ "requests_per_second": 100 })).await;
    board.put("/v1/limiters/slow", json!({ "requests_per_second": 10 })).await;
    board.put("/v1/limiters/gpu", json!({ "algorithm": "concurrency", "limit": 2 })).await;
    let ask = async |names: &[&str]| {
        let limiters: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        let answer = board.post("/v1/calls", json!({ "client": "a", "limiters": limiters })).await;
        (answer["fallback_share"].as_f64(), answer["fallback_permits"].as_f64())
    };
    assert_eq!(ask(&["fast", "slow", "gpu"]).await, (Some(10.0), Some(2.0)));
    assert_eq!(ask(&["fast"]).await, (Some(100.0), None));
    assert_eq!(ask(&["gpu"]).await, (None, Some(2.0)));
}
