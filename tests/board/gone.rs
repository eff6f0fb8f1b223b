//! Clients that go away in the middle of a request, and ask again.

use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};

use crate::{raw::eventually, support::TestServer};

/// Sends a request with a key to a server whose disk takes nothing, lets its client go away when it is `on_its_way`, and sends
/// it again: the second answer, once the disk takes it, which must be that of the first.
pub async fn asks_again(
    board: &TestServer,
    path: &str,
    body: Value,
    on_its_way: impl AsyncFnMut() -> bool,
) -> Response {
    let ask = || {
        let url = format!("{}{path}", board.url);
        // A connection of its own, which ends with the request.
        reqwest::Client::new().post(url).header("idempotency-key", "once").json(&body).send()
    };
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let held = board.board.store.writer.submit(
        |_| {
            Box::pin(async move {
                drop(gate.await);
                Ok(())
            })
        },
        |()| (),
    );
    let first = tokio::spawn(ask());
    eventually("the request on its way", on_its_way).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    // The server sees that the connection is gone when it looks next.
    let flight = &board.board.telemetry.requests_in_flight;
    eventually("the end of the connection", async || flight.get() == 0).await;
    let second = tokio::spawn(ask());
    open.send(()).unwrap();
    held.unwrap().await.unwrap().unwrap();
    let answer = second.await.unwrap().unwrap();
    assert!(is_replayed(answer.headers()), "{path}: {:?}", answer.status());
    answer
}

fn is_replayed(headers: &HeaderMap) -> bool {
    headers.get("idempotency-replayed").is_some_and(|text| text == "true")
}

#[tokio::test]
async fn what_is_asked_again_with_its_key_is_done_once() {
    let limiter = json!({"requests_per_second": 0.001, "burst_size": 10});
    for (path, body) in [
        ("/v1/limiters/new/acquire", json!({"config": limiter})),
        ("/v1/calls", json!({"limiters": [{"name": "new"}], "config": {"limiters": {"new": limiter}}})),
        ("/v1/leases", json!({"items": [{"limiter": "new", "config": limiter, "spent_tokens": 1}]})),
        ("/v1/checks/new/results", json!({"status": "red"})),
    ] {
        let board = TestServer::start().await;
        let writer = board.board.store.writer.health();
        let answer = asks_again(&board, path, body, async || writer.depth() == 2).await;
        assert_eq!(answer.status(), 200, "{path}");
        if path.starts_with("/v1/checks") {
            let results = board.get("/v1/checks/new/results").await;
            assert_eq!(results["items"].as_array().unwrap().len(), 1);
        } else {
            assert_eq!(board.get("/v1/limiters/new").await["available_tokens"], 9.0, "{path}");
        }
    }
}
