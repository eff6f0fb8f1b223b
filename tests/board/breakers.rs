use reqwest::Method;
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_breaker_opens_after_its_threshold_waits_and_closes_again() {
    let board = TestServer::start().await;
    let (status, view) = board.put("/v1/breakers/kraken", json!({ "failure_threshold": 3 })).await;
    assert_eq!((status, &view["threshold"], &view["state"]), (201, &json!(3), &json!("closed")));
    board.fail("kraken", "a", 2).await;
    let call = board.enter("kraken", "a").await;
    board.report(&call, "success").await;
    board.fail("kraken", "a", 2).await;
    assert_eq!(board.state("kraken").await, "closed", "a success resets the count");
    board.fail("kraken", "a", 1).await;
    let refused = board.post("/v1/calls", json!({ "breaker": "kraken" })).await;
    assert_eq!(refused["allowed"], false);
    assert_eq!((&refused["reason"], &refused["denied_by"]), (&json!("breaker_open"), &json!("kraken")));
    assert_eq!(refused["retry_after_seconds"], 60.0);
    let count = async || board.get("/v1/breakers/kraken").await["failure_count"].clone();
    assert_eq!(count().await, 3, "what opened it is seen while it is open");
    board.advance(59.999);
    assert_eq!(board.post("/v1/calls", json!({ "breaker": "kraken" })).await["allowed"], false);
    board.advance(0.001);
    let probe = board.enter("kraken", "a").await;
    assert_eq!(board.state("kraken").await, "half_open");
    assert_eq!(count().await, 3);
    assert_eq!(board.report(&probe, "success").await["breaker_state"], "closed");
    assert_eq!(count().await, 0);
    let history = board.get("/v1/breakers/kraken/transitions").await;
    let causes: Vec<_> = history["items"].as_array().unwrap().iter().map(|t| t["cause"].clone()).collect();
    assert_eq!(causes, ["half_open_success", "timeout_elapsed", "failure_threshold"]);
    assert_eq!(history["items"][2]["actor"], "a");
}

#[tokio::test]
async fn half_open_lets_exactly_its_permits_pass_and_makes_one_event() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 1, "half_open_max_calls": 3 })).await;
    board.fail("b", "a", 1).await;
    board.advance(60.0);
    let asks = (0..100).map(|i| {
        let body = json!({ "breaker": "b", "client": format!("c{i}") });
        board.post("/v1/calls", body)
    });
    let answers = futures_util::future::join_all(asks).await;
    assert_eq!(answers.iter().filter(|a| a["allowed"] == true).count(), 3);
    assert!(answers.iter().filter(|a| a["allowed"] == false).all(|a| a["reason"] == "half_open_full"));
    let history = board.get("/v1/breakers/b/transitions").await;
    assert_eq!(history["items"].as_array().unwrap().iter().filter(|t| t["to"] == "half_open").count(), 1);
}

#[tokio::test]
async fn a_healthy_client_does_not_hide_a_failing_one_and_reporters_are_counted() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/one", json!({ "failure_threshold": 3 })).await;
    board.put("/v1/breakers/two", json!({ "failure_threshold": 3, "min_reporters": 2 })).await;
    for _ in 0..3 {
        for breaker in ["one", "two"] {
            board.fail(breaker, "sick", 1).await;
            if board.state(breaker).await == "closed" {
                let call = board.enter(breaker, "well").await;
                board.report(&call, "success").await;
            }
        }
    }
    assert_eq!(board.state("one").await, "open");
    assert_eq!(board.state("two").await, "closed", "one bad node does not poison the rest");
    board.fail("two", "also-sick", 3).await;
    assert_eq!(board.state("two").await, "open");
}

#[tokio::test]
async fn an_override_ends_and_illegal_changes_are_conflicts() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    let (status, problem) =
        board.ask(Method::POST, "/v1/breakers/b/state", Some(json!({ "target": "half_open" }))).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    let body = json!({ "target": "forced_open", "reason": "maintenance", "ttl_seconds": 900 });
    assert_eq!(board.post("/v1/breakers/b/state", body).await["state"], "forced_open");
    board.advance(899.0);
    assert_eq!(board.state("b").await, "forced_open");
    board.advance(1.0);
    assert_eq!(board.state("b").await, "closed");
    let (status, _) = board
        .ask(Method::POST, "/v1/breakers/b/state", Some(json!({ "target": "open", "ttl_seconds": 5 })))
        .await;
    assert_eq!(status, 422);
    board.post("/v1/breakers/b/state", json!({ "target": "open" })).await;
    assert_eq!(board.post("/v1/breakers/b/reset", json!({})).await["state"], "closed");
}

#[tokio::test]
async fn put_is_idempotent_and_conditional() {
    let board = TestServer::start().await;
    assert_eq!(board.put("/v1/breakers/b", json!({})).await.0, 201);
    assert_eq!(board.put("/v1/breakers/b", json!({ "failure_threshold": 9 })).await.0, 200);
    let response = board.send(Method::GET, "/v1/breakers/b", None).await;
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let put = |tag: &str| {
        board
            .http
            .put(format!("{}/v1/breakers/b", board.url))
            .header("if-match", tag)
            .json(&json!({ "failure_threshold": 4 }))
            .send()
    };
    assert_eq!(put("\"0000000000000000\"").await.unwrap().status(), 412);
    assert_eq!(board.get("/v1/breakers/b").await["threshold"], 9);
    assert_eq!(put(&tag).await.unwrap().status(), 200);
    assert_eq!(put(&tag).await.unwrap().status(), 412, "the tag is of the configuration before");
    assert_eq!(board.delete("/v1/breakers/b").await, 204);
    assert_eq!(board.delete("/v1/breakers/b").await, 404);
}

#[tokio::test]
async fn lists_have_pages() {
    let board = TestServer::start().await;
    for i in 0..5 {
        board.put(&format!("/v1/breakers/b{i}"), json!({})).await;
    }
    let first = board.get("/v1/breakers?limit=3").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = board.get(&format!("/v1/breakers?limit=3&cursor={cursor}")).await;
    assert_eq!((second["items"][0]["name"].as_str(), &second["next_cursor"]), (Some("b3"), &json!(null)));
}
