use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn the_fleet_shares_one_retry_budget() {
    let board = TestServer::start().await;
    let config = json!({ "budget_ratio": 0.2, "budget_min_per_second": 0, "jitter": "none" });
    assert_eq!(board.put("/v1/retry-policies/p", config).await.0, 201);
    let ask = |attempt: u32| board.post("/v1/retry-policies/p/attempts", json!({ "attempt": attempt }));
    for _ in 0..10 {
        assert_eq!(ask(1).await["allowed"], true);
    }
    let retry = ask(2).await;
    assert_eq!((&retry["allowed"], &retry["delay_seconds"]), (&json!(true), &json!(1.0)));
    assert_eq!(ask(3).await["delay_seconds"], 2.0);
    assert_eq!(ask(2).await["reason"], "budget_exhausted");
    assert_eq!(ask(4).await["reason"], "attempts_exhausted");
    // Two of every ten calls, both used; they are free again with the window.
    let budget = async || {
        let view = board.get("/v1/retry-policies/p").await;
        (view["budget_used"].clone(), view["budget_remaining"].clone())
    };
    assert_eq!(budget().await, (json!(2), json!(0)));
    board.advance(12.0);
    assert_eq!(budget().await, (json!(0), json!(0)));
}

#[tokio::test]
async fn the_upstreams_retry_after_is_honoured() {
    let board = TestServer::start().await;
    let body = json!({ "attempt": 2, "retry_after_seconds": 17, "config": { "jitter": "none" } });
    assert_eq!(board.post("/v1/retry-policies/p/attempts", body).await["delay_seconds"], 17.0);
}
