//! A server to test.

use std::{sync::Arc, time::Duration};

use fuseboard::{
    app::Board,
    clock::Clock,
    config::{Config, ServeArgs},
    server::Server,
};
use jiff::Timestamp;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

/// A running server with a manual clock.
pub struct TestServer {
    pub url: String,
    pub clock: Clock,
    pub board: Arc<Board>,
    pub http: reqwest::Client,
    dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Status and body of an answer.
pub type Answer = (u16, Value);

impl TestServer {
    pub async fn start() -> Self {
        let clock = Clock::manual(Timestamp::from_second(1_800_000_000).unwrap());
        Self::start_in(TempDir::new().unwrap(), clock, |_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::manual(Timestamp::from_second(1_800_000_000).unwrap());
        Self::start_in(TempDir::new().unwrap(), clock, change).await
    }

    pub async fn start_in(dir: TempDir, clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
        let args = ServeArgs {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            db: Some(dir.path().join("board.db")),
            ..ServeArgs::default()
        };
        let mut config = Config::load(&args).unwrap();
        config.shutdown_delay = Duration::ZERO;
        config.token = None;
        change(&mut config);
        let server = Box::pin(Server::start(config, clock.clone())).await.unwrap();
        let url = format!("http://{}", server.address().unwrap());
        let board = Arc::clone(&server.board);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            server.run(async move { drop(stopped.await) }).await.unwrap();
        });
        Self { url, clock, board, http: reqwest::Client::new(), dir, stop: Some(stop), task }
    }

    /// Stops cleanly and starts again on the same database and clock.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// Like `restart`, with another configuration.
    pub async fn restart_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let Self { clock, board, http, dir, stop, task, .. } = self;
        drop((board, http));
        drop(stop);
        task.await.unwrap();
        Self::start_in(dir, clock, change).await
    }

    /// Starts again as after `kill -9`: from a copy of the database as it is on disk at this moment.
    pub async fn crash(self) -> Self {
        self.crash_with(|_| {}).await
    }

    /// Like `crash`, with another configuration.
    pub async fn crash_with(self, change: impl FnOnce(&mut Config)) -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["board.db", "board.db-wal"] {
            drop(std::fs::copy(self.dir.path().join(name), dir.path().join(name)));
        }
        Self::start_in(dir, self.clock.clone(), change).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let response = self.send(method, path, body).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PUT, path, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, body) = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn delete(&self, path: &str) -> u16 {
        self.send(Method::DELETE, path, None).await.status().as_u16()
    }

    pub fn advance(&self, seconds: f64) {
        self.clock.advance(Duration::from_secs_f64(seconds));
    }

    /// Enters a breaker; the call's id.
    pub async fn enter(&self, breaker: &str, client: &str) -> String {
        let decision = self.post("/v1/calls", json!({ "breaker": breaker, "client": client })).await;
        assert_eq!(decision["allowed"], true, "{decision}");
        decision["call_id"].as_str().unwrap().to_owned()
    }

    pub async fn report(&self, call: &str, outcome: &str) -> Value {
        self.post(
            &format!("/v1/calls/{call}/outcome"),
            json!({ "outcome": outcome, "duration_seconds": 0.1 }),
        )
        .await
    }

    /// Lets `times` calls of a client fail.
    pub async fn fail(&self, breaker: &str, client: &str, times: usize) {
        for _ in 0..times {
            let call = self.enter(breaker, client).await;
            self.report(&call, "failure").await;
        }
    }

    pub async fn state(&self, breaker: &str) -> String {
        self.get(&format!("/v1/breakers/{breaker}")).await["state"].as_str().unwrap().to_owned()
    }
}

/// Checks that an answer is a problem as promised.
pub async fn assert_problem(response: Response, status: u16, code: &str, what: &str) -> Value {
    assert_eq!(response.status(), StatusCode::from_u16(status).unwrap(), "{what}");
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/problem+json", "{what}");
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)), "{what}: {body}");
    for field in ["type", "title", "detail", "instance"] {
        assert!(body[field].is_string(), "{what}: {field}: {body}");
    }
    body
}
