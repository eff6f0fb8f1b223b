use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;

async fn renew(board: &TestServer, client: &str, item: Value) -> Value {
    let answer = board.post("/v1/leases", json!({ "client": client, "items": [item] })).await;
    answer["items"][0].clone()
}

async fn available(board: &TestServer) -> Value {
    board.get("/v1/limiters/l").await["available_tokens"].clone()
}

#[tokio::test]
async fn a_renewal_ends_what_was_and_leases_anew() {
    let board = TestServer::start().await;
    let config = json!({ "algorithm": "sliding_window", "limit": 10, "period_seconds": 1 });
    let first =
        renew(&board, "a", json!({ "limiter": "l", "tokens": 8, "lease_seconds": 0.25, "config": config }))
            .await;
    assert_eq!(first["lease"]["tokens"], 8.0, "{first}");
    assert_eq!(
        (&first["lease"]["expires_in_seconds"], &first["algorithm"]),
        (&json!(0.25), &json!("sliding_window"))
    );
    let release = json!([{ "lease_id": first["lease"]["lease_id"], "unused_tokens": 6 }]);
    let next = renew(&board, "a", json!({ "limiter": "l", "tokens": 8, "release": release })).await;
    assert_eq!(
        (&next["released"][0]["returned_tokens"], &next["lease"]["tokens"]),
        (&json!(6.0), &json!(8.0))
    );
    assert_eq!(next["lease"]["expires_in_seconds"], 5.0, "its own span");
    let again = renew(&board, "a", json!({ "limiter": "l", "tokens": 1, "release": release })).await;
    assert_eq!(
        (&again["released"][0]["reason"], &again["lease"]["allowed"]),
        (&json!("unknown"), &json!(false))
    );
    assert!(again["lease"]["retry_after_seconds"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_lease_that_nobody_ends_ends_by_itself() {
    let board = TestServer::start().await;
    board
        .put("/v1/limiters/l", json!({ "algorithm": "sliding_window", "limit": 10, "period_seconds": 1 }))
        .await;
    renew(&board, "a", json!({ "limiter": "l", "tokens": 10, "lease_seconds": 0.5 })).await;
    board.advance(1.49);
    assert_eq!(available(&board).await, 0.0, "it may have been spent at its last instant");
    board.advance(0.01);
    assert_eq!(available(&board).await, 10.0);
}

#[tokio::test]
async fn the_first_to_ask_does_not_get_all() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 100 })).await;
    for client in ["a", "b", "c", "d"] {
        renew(&board, client, json!({ "limiter": "l" })).await;
    }
    let ask = json!({ "limiter": "l", "tokens": 100 });
    assert_eq!(renew(&board, "a", ask.clone()).await["lease"]["tokens"], 25.0);
    assert_eq!(renew(&board, "b", ask.clone()).await["lease"]["tokens"], 19.0);
    let more = json!({ "limiter": "l", "tokens": 100, "min_tokens": 30 });
    assert_eq!(renew(&board, "c", more).await["lease"]["tokens"], 30.0, "what is needed comes first");
}

#[tokio::test]
async fn what_was_spent_without_asking_is_missing_for_all() {
    let board = TestServer::start().await;
    board
        .put("/v1/limiters/l", json!({ "algorithm": "sliding_window", "limit": 10, "period_seconds": 1 }))
        .await;
    let answer = renew(&board, "a", json!({ "limiter": "l", "spent_tokens": 4, "tokens": 20 })).await;
    assert_eq!((&answer["debited_tokens"], &answer["lease"]["tokens"]), (&json!(4.0), &json!(6.0)));
    let answer = renew(&board, "b", json!({ "limiter": "l", "spent_tokens": 1e6 })).await;
    assert_eq!(answer["debited_tokens"], 10.0, "no more than the limit");
    board.advance(6.01);
    assert_eq!(available(&board).await, 10.0, "and for no longer than if it had been asked for");
}

#[tokio::test]
async fn what_was_spent_counts_once_under_one_key() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 100 })).await;
    for _ in 0..3 {
        let request = board.http.post(format!("{}/v1/leases", board.url)).header("idempotency-key", "k");
        let body = json!({ "client": "a", "items": [{ "limiter": "l", "spent_tokens": 30 }] });
        let answer: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["items"][0]["debited_tokens"], 30.0);
    }
    assert_eq!(available(&board).await, 70.0);
}

#[tokio::test]
async fn leases_and_debts_survive_a_crash() {
    let board = TestServer::start().await;
    let limit =
        json!({ "algorithm": "sliding_window", "limit": 10, "period_seconds": 20, "lease_seconds": 30 });
    board.put("/v1/limiters/l", limit).await;
    assert_eq!(renew(&board, "a", json!({ "limiter": "l", "tokens": 6 })).await["lease"]["tokens"], 6.0);
    assert_eq!(renew(&board, "b", json!({ "limiter": "l", "spent_tokens": 4 })).await["debited_tokens"], 4.0);
    let board = board.crash().await;
    assert_eq!(available(&board).await, 0.0);
    board.advance(49.0);
    assert!(
        available(&board).await.as_f64().unwrap() < 10.0,
        "the lease may have been spent at its last instant"
    );
    board.advance(4.0);
    assert_eq!(available(&board).await, 10.0);
}

#[tokio::test]
async fn shares_are_as_if_all_clients_of_before_were_there() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 100 })).await;
    let ask = json!({ "limiter": "l" });
    for client in ["a", "b", "c", "d"] {
        renew(&board, client, ask.clone()).await;
    }
    board.board.save_changed().await.unwrap();
    let board = board.crash().await;
    assert_eq!(renew(&board, "a", ask.clone()).await["fallback_share"], 25.0);
    board.advance(61.0);
    assert_eq!(renew(&board, "a", ask.clone()).await["fallback_share"], 100.0, "they did not come back");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_names_its_field() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 5 })).await;
    let bad = [
        (json!({ "limiter": "l", "tokens": 0 }), "items[0].tokens"),
        (json!({ "limiter": "l", "tokens": 1, "min_tokens": 2 }), "items[0].min_tokens"),
        (json!({ "limiter": "l", "tokens": 1, "min_tokens": 0 }), "items[0].min_tokens"),
        (json!({ "limiter": "l", "tokens": 1, "lease_seconds": 0 }), "items[0].lease_seconds"),
        (json!({ "limiter": "l", "release": vec![json!({ "lease_id": "x" }); 101] }), "items[0].release"),
    ];
    for (item, field) in bad {
        let (status, problem) = board.ask(Method::POST, "/v1/leases", Some(json!({ "items": [item] }))).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    for item in [
        json!({ "limiter": "l", "tokens": -1 }),
        json!({ "limiter": "l", "spent_tokens": -1 }),
        json!({ "limiter": "l", "spent_tokens": "many" }),
        json!({ "limiter": "l", "release": [["x", 1]] }),
        json!({ "limiter": "l", "more": 1 }),
        json!({ "tokens": 1 }),
        json!(["l", 1]),
    ] {
        let (status, problem) =
            board.ask(Method::POST, "/v1/leases", Some(json!({ "items": [item.clone()] }))).await;
        assert_eq!(status, 422, "{item}: {problem}");
    }
    for item in [
        json!({ "limiter": "nobody", "tokens": 1 }),
        json!({ "limiter": "no/name", "tokens": 1, "config": {} }),
        json!({ "limiter": "l", "tokens": 1000, "min_tokens": 1000, "spent_tokens": 2 }),
    ] {
        let answer = renew(&board, "a", item.clone()).await;
        assert!(answer["error"].is_string(), "{item}: {answer}");
    }
    assert_eq!(available(&board).await, 5.0, "nothing was taken");
}
