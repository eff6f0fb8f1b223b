//! Too much at once: what is over the bounds is refused or waits, and probes answer throughout.

use std::{path::PathBuf, time::Duration};

use futures_util::{FutureExt, future::join_all};
use reqwest::Method;
use serde_json::json;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use crate::{
    raw::{Raw, eventually, within},
    support::{TestServer, assert_problem},
};

#[tokio::test]
async fn more_requests_than_allowed_are_shed_and_the_others_finish() {
    let board = TestServer::start_with(|config| config.max_requests_in_flight = 2).await;
    let half =
        |name| format!("PUT /v1/breakers/{name} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{{");
    let mut held = [Raw::sending(&board, &half("a")).await, Raw::sending(&board, &half("b")).await];
    let telemetry = &board.board.telemetry;
    eventually("two requests in flight", async || telemetry.requests_in_flight.get() == 2).await;
    for (method, path) in
        [(Method::PUT, "/v1/breakers/c"), (Method::POST, "/v1/calls"), (Method::GET, "/nowhere")]
    {
        let response = board.send(method, path, Some(json!({}))).await;
        assert_eq!(response.headers()["retry-after"], "1", "{path}");
        assert_problem(response, 503, "overloaded", path).await;
    }
    for probe in ["/livez", "/readyz", "/healthz", "/readyz/storage"] {
        assert_eq!(board.get(probe).await, "ok", "{probe}");
    }
    for raw in &mut held {
        raw.send("}").await;
        assert_eq!(raw.reply().await.status, 201, "what was let in is served");
    }
    assert_eq!(board.put("/v1/breakers/c", json!({})).await.0, 201);
    assert_eq!(board.get("/v1/breakers").await["items"].as_array().unwrap().len(), 3);
    let metrics = board.get("/metrics").await;
    assert!(metrics.as_str().unwrap().contains("\nfuseboard_http_requests_shed_total 3\n"));
}

#[tokio::test]
async fn more_writes_than_may_wait_are_refused_at_once() {
    let mut db = PathBuf::new();
    let board = TestServer::start_with(|config| {
        config.max_queued_writes = 1;
        db.clone_from(&config.db);
    })
    .await;
    let mut other = SqliteConnectOptions::new().filename(&db).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let writes = (0..8).map(|i| format!("/v1/breakers/b{i}"));
    let refused = join_all(writes.map(async |path| {
        let response = board.send(Method::PUT, &path, Some(json!({}))).await;
        assert_eq!(response.headers()["retry-after"], "1", "{path}");
        assert_problem(response, 503, "storage_unavailable", &path).await["detail"].to_string()
    }))
    .await;
    let full = refused.iter().filter(|detail| detail.contains("too many writes are waiting")).count();
    assert!(full >= 4, "one or two run, one waits, the others are refused: {refused:?}");
    drop(other);
    eventually("the disk", async || board.put("/v1/breakers/b", json!({})).await.0 == 201).await;
    assert_eq!(board.get("/v1/breakers").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn more_connections_than_allowed_wait_and_are_served_later() {
    let board = TestServer::start_with(|config| config.max_connections = 1).await;
    let get = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut first = Raw::sending(&board, get).await;
    assert_eq!(first.reply().await.status, 200);
    let mut second = Raw::sending(&board, get).await;
    let mut waiting = Box::pin(second.reply());
    for _ in 0..3 {
        first.send(get).await;
        assert_eq!(first.reply().await.status, 200, "the first one goes on");
        assert!(waiting.as_mut().now_or_never().is_none(), "there is no room yet");
    }
    assert_eq!(board.board.telemetry.connections.get(), 1);
    drop(first);
    assert_eq!(waiting.await.status, 200);
}

#[tokio::test]
async fn a_full_server_stops_when_asked() {
    let board = TestServer::start_with(|config| {
        config.max_connections = 1;
        config.drain = Duration::from_millis(100);
    })
    .await;
    let _held = Raw::sending(&board, "GET /livez HTTP/1.1\r\n").await;
    eventually("the connection", async || board.board.telemetry.connections.get() == 1).await;
    let board = within("the stop", board.restart()).await;
    assert_eq!(board.get("/livez").await, "ok");
}
