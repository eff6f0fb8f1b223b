//! Silences: made, seen, ended, kept for a while.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    gone::asks_again,
    support::{TestServer, assert_problem},
};

async fn create(board: &TestServer, body: Value) -> Value {
    let (status, view) = board.ask(Method::POST, "/v1/silences", Some(body)).await;
    assert_eq!(status, 201, "{view}");
    view
}

#[tokio::test]
async fn a_silence_is_made_seen_ended_and_forgotten() {
    let board = TestServer::start().await;
    let body = json!({ "matchers": ["alertname=disk", "job=~\"node.*\""], "duration_seconds": 3600,
        "created_by": "ops", "comment": "moving disks" });
    let view = create(&board, body).await;
    assert_eq!(
        (&view["state"], &view["matchers"]),
        (&json!("active"), &json!(["alertname=\"disk\"", "job=~\"node.*\""]))
    );
    assert_eq!(view["ends_at"], "2027-01-15T09:00:00Z");
    let later = json!({ "matchers": ["a=b"], "starts_at": "2027-01-15T10:00:00Z", "ends_at": "2027-01-15T11:00:00Z" });
    board.advance(0.01);
    let pending = create(&board, later).await;
    assert_eq!((&pending["state"], &pending["created_by"]), (&json!("pending"), &json!("")));
    let path = format!("/v1/silences/{}", view["id"].as_str().unwrap());
    let board = board.crash().await;
    assert_eq!(board.get(&path).await, view, "it is on disk");
    let page = board.get("/v1/silences?limit=1").await;
    assert_eq!(page["items"], json!([pending]), "newest first");
    let page =
        board.get(&format!("/v1/silences?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&page["items"], &page["next_cursor"]), (&json!([view]), &json!(null)));
    assert_eq!(board.get("/v1/silences?state=active").await["items"], json!([view]));
    assert_eq!(board.delete(&path).await, 204);
    assert_eq!(board.get(&path).await["state"], "expired");
    assert_eq!(board.delete(&path).await, 204, "it is over already");
    let kinds: Vec<Value> = board.get("/v1/events?resource=silence").await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds[0], "silence.expired");
    board.advance(6.0 * 86_400.0);
    board.board.prune_notifications().await.unwrap();
    assert_eq!(board.get("/v1/silences").await["items"], json!([]));
    assert_eq!(board.delete(&path).await, 404);
    let board = board.crash().await;
    assert_eq!(board.get("/v1/silences").await["items"], json!([]));
}

#[tokio::test]
async fn alerts_say_what_keeps_them_from_being_told() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 1 })).await;
    board.fail("kraken", "a", 1).await;
    let path = "/v1/alerts?state=firing";
    let alert = board.get(path).await["items"][0].clone();
    assert_eq!((&alert["silenced_by"], &alert["muted_by"]), (&Value::Null, &Value::Null), "{alert}");
    let made = create(&board, json!({ "matchers": ["breaker=\"kraken\""], "duration_seconds": 60 })).await;
    create(&board, json!({ "matchers": ["breaker=\"binance\""], "duration_seconds": 60 })).await;
    let window = json!({ "starts_at": "2027-01-15T07:00:00Z", "ends_at": "2027-01-15T09:00:00Z",
        "matchers": ["severity=\"error\""] });
    board.put("/v1/maintenance-windows/move", window).await;
    let alert = board.get(path).await["items"][0].clone();
    assert_eq!((&alert["silenced_by"], &alert["muted_by"]), (&json!([made["id"]]), &json!(["move"])));
    assert_eq!(board.get(&format!("/v1/alerts/{}", alert["id"])).await, alert);
    board.advance(61.0);
    assert_eq!(board.get(path).await["items"][0]["silenced_by"], Value::Null, "it is over");
}

#[tokio::test]
async fn the_same_key_makes_one_silence() {
    let board = TestServer::start().await;
    let post = || {
        board
            .http
            .post(format!("{}/v1/silences", board.url))
            .header("idempotency-key", "once")
            .json(&json!({ "matchers": ["a=b"], "duration_seconds": 60 }))
    };
    let first: Value = post().send().await.unwrap().json().await.unwrap();
    let second: Value = post().send().await.unwrap().json().await.unwrap();
    assert_eq!(first, second);
    assert_eq!(board.get("/v1/silences").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_and_asks_again_makes_one_silence() {
    let board = TestServer::start().await;
    let body = json!({ "matchers": ["a=b"], "duration_seconds": 60 });
    let writer = board.board.store.writer.health();
    let answer = asks_again(&board, "/v1/silences", body, async || writer.depth() == 2).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(board.get("/v1/silences").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nonsense_is_refused_with_the_field() {
    let board = TestServer::start_with(|config| config.limits.max_silences = 1).await;
    for (body, field) in [
        (json!({}), "matchers"),
        (json!({ "matchers": [], "duration_seconds": 60 }), "matchers"),
        (json!({ "matchers": ["a"], "duration_seconds": 60 }), "matchers"),
        (json!({ "matchers": ["a=\"\""], "duration_seconds": 60 }), "matchers"),
        (json!({ "matchers": ["a=~\".*\""], "duration_seconds": 60 }), "matchers"),
        (json!({ "matchers": ["a=~\"[\""], "duration_seconds": 60 }), "matchers"),
        (json!({ "matchers": [5], "duration_seconds": 60 }), "matchers[0]"),
        (json!({ "matchers": ["a=b"] }), "ends_at"),
        (json!({ "matchers": ["a=b"], "duration_seconds": 0 }), "ends_at"),
        (json!({ "matchers": ["a=b"], "duration_seconds": -1 }), "duration_seconds"),
        (json!({ "matchers": ["a=b"], "ends_at": "2020-01-01T00:00:00Z" }), "ends_at"),
        (json!({ "matchers": ["a=b"], "ends_at": "soon" }), "ends_at"),
        (
            json!({ "matchers": ["a=b"], "ends_at": "2030-01-01T00:00:00Z", "duration_seconds": 1 }),
            "duration_seconds",
        ),
        (json!({ "matchers": ["a=b"], "duration_seconds": 60, "comment": "x".repeat(1025) }), "comment"),
        (json!({ "matchers": ["a=b"], "duration_seconds": 60, "coment": "x" }), "coment"),
    ] {
        let response = board.send(Method::POST, "/v1/silences", Some(body.clone())).await;
        let problem = assert_problem(response, 422, "validation_failed", &body.to_string()).await;
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    create(&board, json!({ "matchers": ["a=b"], "duration_seconds": 60 })).await;
    let body = json!({ "matchers": ["a=b"], "duration_seconds": 60 });
    let response = board.send(Method::POST, "/v1/silences", Some(body)).await;
    assert_problem(response, 507, "limit_reached", "one is the most").await;
    for (method, path, status, code) in [
        (Method::GET, "/v1/silences/nothing", 404, "not_found"),
        (Method::DELETE, "/v1/silences/nothing", 404, "not_found"),
        (Method::PUT, "/v1/silences/nothing", 405, "method_not_allowed"),
        (Method::GET, "/v1/silences?state=loud", 422, "validation_failed"),
    ] {
        assert_problem(board.send(method, path, None).await, status, code, path).await;
    }
}
