//! The Rust client against real servers: shared decisions, the tower layer, cancellation, and the server away.

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse};
use fuseboard::{
    client::{
        Client, ClientError, EnterError, Guard, GuardError, GuardLayer, OnUnavailable, Outcome, Reason,
        Settings, Verdict,
    },
    clock::Clock,
    domain::{
        Time,
        breaker::BreakerSpec,
        limiter::{LimiterAlgorithm, LimiterSpec},
    },
};
use serde_json::json;
use tempfile::TempDir;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    peer::{Peer, ok},
    process::Process,
    support::TestServer,
};

/// Longer than any answer on a busy machine.
const PATIENT: Duration = Duration::from_secs(20);

/// The client waits by the system's clock, whatever the server's is.
fn now() -> Time {
    Clock::system().now()
}

fn client(url: &str, name: &str) -> Client {
    let settings = Settings {
        client: name.to_owned(),
        timeout: PATIENT,
        connect_timeout: PATIENT,
        ..Settings::new(url)
    };
    Client::new(settings).unwrap()
}

fn breaker(threshold: u32) -> Guard {
    let spec = BreakerSpec {
        failure_threshold: Some(threshold),
        half_open_max_calls: Some(1),
        ..BreakerSpec::default()
    };
    Guard::new().breaker("kraken_api", spec).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, EnterError>) -> (Reason, bool) {
    match result {
        Err(EnterError::Refused(refused)) => (refused.reason, refused.is_local),
        other => panic!("{other:?}"),
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let comes_true = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENT, comes_true).await.expect(what);
}

/// An upstream over HTTP that answers as it is told.
struct Upstream {
    url: String,
    status: Arc<AtomicU16>,
    requests: Arc<AtomicU32>,
}

impl Upstream {
    async fn start() -> Self {
        let (status, requests) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU32::new(0)));
        let router = Router::new()
            .fallback(async |State((status, requests)): State<(Arc<AtomicU16>, Arc<AtomicU32>)>| {
                requests.fetch_add(1, Ordering::SeqCst);
                let status = StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap();
                (status, [("retry-after", "30")], "told").into_response()
            })
            .with_state((Arc::clone(&status), Arc::clone(&requests)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, status, requests }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn request(&self) -> reqwest::Request {
        reqwest::Client::new().get(&self.url).build().unwrap()
    }
}

#[tokio::test]
async fn an_outage_that_one_client_sees_stops_all() {
    let (server, upstream) = (TestServer::start().await, Upstream::start().await);
    let (one, other) = (client(&server.url, "one"), client(&server.url, "other"));
    let mut kraken = GuardLayer::new(one.clone(), breaker(5)).layer(reqwest::Client::new());
    assert_eq!(kraken.ready().await.unwrap().call(upstream.request()).await.unwrap().status(), 200);
    upstream.answer(503);
    for _ in 0..5 {
        let answer = kraken.ready().await.unwrap().call(upstream.request()).await.unwrap();
        assert_eq!(answer.status(), 503, "the answer is the upstream's");
    }
    let error = kraken.ready().await.unwrap().call(upstream.request()).await.unwrap_err();
    assert_eq!(error.refused().unwrap().reason, Reason::BreakerOpen);
    assert_eq!(upstream.requests.load(Ordering::SeqCst), 6, "the seventh never left");
    assert_eq!(refusal(other.enter(&breaker(5)).await), (Reason::BreakerOpen, false));

    server.advance(60.0);
    upstream.answer(200);
    assert!(kraken.ready().await.unwrap().call(upstream.request()).await.is_ok());
    one.flush().await;
    assert_eq!(server.state("kraken_api").await, "closed");
    other.enter(&breaker(5)).await.unwrap().success();
    other.flush().await;
    let metrics = &server.get("/v1/breakers/kraken_api").await["metrics"];
    assert_eq!(metrics["failure_calls"], 5);
    assert_eq!(metrics["success_calls"], 3);
}

#[tokio::test]
async fn what_exists_is_not_changed() {
    let server = TestServer::start().await;
    server.put("/v1/breakers/kraken_api", json!({ "failure_threshold": 1 })).await;
    let client = client(&server.url, "one");
    let call = client.enter(&breaker(5)).await.unwrap();
    assert!(call.is_shared());
    call.report(Outcome::Failure, Some("x".repeat(5000))).await;
    assert_eq!(server.state("kraken_api").await, "open");
}

#[tokio::test]
async fn an_asked_for_silence_is_everybodys() {
    let (server, upstream) = (TestServer::start().await, Upstream::start().await);
    let spec = LimiterSpec { requests_per_second: Some(100.0), ..LimiterSpec::default() };
    let guard = Guard::new().limiter("kraken_api", spec).unwrap();
    let (one, other) = (client(&server.url, "one"), client(&server.url, "other"));
    let mut kraken = GuardLayer::new(one, guard.clone()).layer(reqwest::Client::new());
    upstream.answer(429);
    kraken.ready().await.unwrap().call(upstream.request()).await.unwrap();
    let Err(EnterError::Refused(refused)) = other.enter(&guard).await else { panic!("it may go") };
    assert_eq!(refused.reason, Reason::RateLimited);
    assert!(refused.retry_after.unwrap() > Duration::from_secs(25), "{refused}");
}

#[tokio::test]
async fn tokens_are_waited_for_as_told() {
    let server = TestServer::start().await;
    let spec = LimiterSpec { requests_per_second: Some(5.0), burst_size: Some(1), ..LimiterSpec::default() };
    let guard = Guard::new().limiter("slow", spec).unwrap();
    let client = client(&server.url, "one");
    client.enter(&guard).await.unwrap().success();
    assert_eq!(refusal(client.enter(&guard).await).0, Reason::RateLimited);
    let began = now();
    client.enter(&guard.max_wait(Duration::from_secs(1))).await.unwrap().success();
    assert!(now().since(began) >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_future_that_is_dropped_gives_its_permit_back() {
    let server = TestServer::start().await;
    let guard = breaker(1);
    let client = client(&server.url, "one");
    client.enter(&guard).await.unwrap().report(Outcome::Failure, None).await;
    server.advance(60.0);

    // Half open with one permit. Dropped in the middle of the call ...
    let hangs = service_fn(async |(): ()| -> Result<(), Infallible> { std::future::pending().await });
    let judge = |_: &Result<(), Infallible>| Verdict::success();
    let mut layer = GuardLayer::new(client.clone(), guard.clone()).classify(judge).layer(hangs);
    let call = layer.ready().await.unwrap().call(());
    let entered = async || server.get("/v1/breakers/kraken_api").await["in_flight"] == 1;
    tokio::select! {
        _ = call => panic!("it cannot end"),
        () = eventually("the call enters", entered) => {}
    }
    let free = async || server.get("/v1/breakers/kraken_api").await["in_flight"] == 0;
    eventually("its permit returns", free).await;

    // ... and while it waits for the board's answer.
    let mut entering = Box::pin(client.enter(&guard));
    assert!(futures_util::poll!(&mut entering).is_pending());
    drop(entering);
    let ignored = async || server.get("/v1/breakers/kraken_api").await["metrics"]["ignored_calls"] == 2;
    eventually("the leave that came too late is given back", ignored).await;
    client.enter(&guard).await.unwrap().success();
    client.flush().await;
    assert_eq!(server.state("kraken_api").await, "closed");
}

#[tokio::test]
async fn the_last_clone_sends_what_is_left() {
    let server = TestServer::start().await;
    let client = client(&server.url, "one");
    client.enter(&breaker(5)).await.unwrap().success();
    let call = client.clone().enter(&breaker(5)).await.unwrap();
    drop(client);
    call.failure("late");
    let both = async || {
        let metrics = &server.get("/v1/breakers/kraken_api").await["metrics"];
        metrics["success_calls"] == 1 && metrics["failure_calls"] == 1
    };
    eventually("both arrive", both).await;
}

#[tokio::test]
async fn a_wrong_token_is_no_absence() {
    let server = TestServer::start_with(|config| config.token = Some("right".to_owned().into())).await;
    let settings = Settings { token: Some("wrong".to_owned()), ..Settings::new(&server.url) };
    let client = Client::new(settings).unwrap();
    let error = client.enter(&breaker(5)).await.unwrap_err();
    let EnterError::Client(ClientError::Rejected { status: 401, .. }) = error else { panic!("{error}") };
    assert!(!client.is_away());
    assert!(client.enter(&Guard::new()).await.is_err(), "a guard of nothing");
}

/// A port where nothing listens, until a server does.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn serve(dir: &TempDir, address: &str) -> Process {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fuseboard"));
    command.args(["serve", "--log", "error", "--listen", address, "--db"]).arg(dir.path().join("board.db"));
    Process::run(command.env_remove("FUSEBOARD_TOKEN"))
}

#[tokio::test]
async fn while_the_server_is_away_the_process_decides() {
    let (dir, address) = (TempDir::new().unwrap(), free_port());
    let server = serve(&dir, &address);
    let client = client(&server.url, "one");
    let spec = LimiterSpec { requests_per_second: Some(1000.0), ..LimiterSpec::default() };
    let guard = breaker(3).limiter("kraken_api", spec).unwrap().max_wait(PATIENT);
    for _ in 0..3 {
        client.enter(&guard).await.unwrap().success();
    }
    client.flush().await;
    let late = client.enter(&guard).await.unwrap();
    drop(server);

    for _ in 0..3 {
        let call = client.enter(&guard).await.unwrap();
        assert!(!call.is_shared());
        call.report(Outcome::Failure, None).await;
    }
    assert!(client.is_away());
    assert_eq!(refusal(client.enter(&guard).await), (Reason::BreakerOpen, true));
    late.failure("of before");
    client.flush().await;

    let server = serve(&dir, &address);
    eventually("it is back", async || !client.is_away()).await;
    client.flush().await;
    let call = client.enter(&guard).await.unwrap();
    assert!(call.is_shared(), "the server decides again, with its own state");
    call.success();
    client.flush().await;
    drop(server);
}

#[tokio::test]
async fn a_frozen_server_costs_one_timeout() {
    let (dir, address) = (TempDir::new().unwrap(), free_port());
    let server = serve(&dir, &address);
    let timeout = Duration::from_millis(500);
    let settings = Settings { timeout, connect_timeout: timeout, ..Settings::new(&server.url) };
    let client = Client::new(settings).unwrap();
    let guard = breaker(5);
    eventually("it answers", async || client.enter(&guard).await.is_ok_and(|call| call.is_shared())).await;
    server.freeze();
    let began = now();
    let first = client.enter(&guard);
    let second = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        client.enter(&guard).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(!first.unwrap().is_shared() && !second.unwrap().is_shared());
    let both = now().since(began);
    assert!(both >= timeout && both < timeout * 3 / 2, "{both:?}: who waited too does not wait on");
    let began = now();
    for _ in 0..1000 {
        client.enter(&guard).await.unwrap().success();
    }
    assert!(now().since(began) < timeout, "{:?}", now().since(began));
    server.thaw();
    eventually("it is back", async || !client.is_away()).await;
}

#[tokio::test]
async fn a_guard_says_what_holds_while_the_server_is_away() {
    let client = client(&format!("http://{}", free_port()), "one");
    let deny = breaker(5).on_unavailable(OnUnavailable::Deny);
    assert_eq!(refusal(client.enter(&deny).await), (Reason::Unavailable, true));
    let allow = breaker(1).on_unavailable(OnUnavailable::Allow);
    for _ in 0..3 {
        client.enter(&allow).await.unwrap().report(Outcome::Failure, None).await;
    }
    let result: Result<(), GuardError<&str>> = client.call(&breaker(1), async { Err("it failed") }).await;
    assert!(matches!(result, Err(GuardError::Call("it failed"))));
    let result: Result<(), GuardError<&str>> = client.call(&breaker(1), async { Ok(()) }).await;
    assert_eq!(result.unwrap_err().refused().unwrap().reason, Reason::BreakerOpen);
    let spec = LimiterSpec {
        algorithm: Some(LimiterAlgorithm::Concurrency),
        limit: Some(1),
        ..LimiterSpec::default()
    };
    let gpu = Guard::new().limiter("gpu", spec).unwrap();
    let held = client.enter(&gpu).await.unwrap();
    assert_eq!(refusal(client.enter(&gpu).await), (Reason::ConcurrencyFull, true));
    drop(held);
    client.enter(&gpu).await.unwrap().success();
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let client = client("http://127.0.0.1:1", "one");
    let guard = breaker(5);
    let entering = client.enter(&guard);
    let mut entering = std::pin::pin!(entering);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = entering.as_mut().poll(&mut cx) else { panic!("no error") };
    assert_eq!(error, EnterError::Client(ClientError::NoRuntime));
}

#[tokio::test]
async fn what_was_spent_alone_is_told_before_the_board_is_asked_again() {
    const SILENT: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let (is_back, loses) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(true));
    let back = Arc::clone(&is_back);
    let peer = Peer::answering(move |request| {
        if !back.load(Ordering::SeqCst) {
            return SILENT.to_owned();
        }
        match request.split(' ').nth(1).unwrap() {
            // The first answer is lost on its way.
            "/v1/leases" if loses.swap(false, Ordering::SeqCst) => SILENT.to_owned(),
            "/v1/leases" => ok(r#"{"items":[]}"#),
            "/v1/calls" => ok(r#"{"allowed":true,"call_id":"c"}"#),
            _ => ok("{}"),
        }
    })
    .await;
    let client = client(&peer.url(""), "one");
    let rate = LimiterSpec { requests_per_second: Some(100.0), ..LimiterSpec::default() };
    let permits = LimiterSpec {
        algorithm: Some(LimiterAlgorithm::Concurrency),
        limit: Some(10),
        ..LimiterSpec::default()
    };
    let guard = Guard::new().limiter("rate", rate).unwrap().limiter("permits", permits).unwrap();
    for _ in 0..3 {
        let call = client.enter(&guard).await.unwrap();
        assert!(!call.is_shared());
        call.success();
    }
    is_back.store(true, Ordering::SeqCst);
    eventually("it is back", async || !client.is_away()).await;
    assert!(client.enter(&guard).await.unwrap().is_shared());

    let requests = peer.requests();
    let told: Vec<_> = requests.iter().filter(|request| request.starts_with("post /v1/leases")).collect();
    let [lost, told] = told[..] else { panic!("{told:?}") };
    assert_eq!(lost, told, "the same, under the same key");
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nidempotency-key: "), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["client"], "one");
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "what is not spent for good is no rate: {body}");
    assert_eq!(items[0]["limiter"], "rate");
    let spent = items[0]["spent"].as_array().unwrap();
    assert_eq!(spent.iter().map(|entry| entry["tokens"].as_f64().unwrap()).collect::<Vec<_>>(), [1.0; 3]);
    assert!(spent.iter().all(|entry| entry["seconds_ago"].as_f64().unwrap() > 0.0), "{body}");
    let order = |path: &str| requests.iter().rposition(|request| request.starts_with(path)).unwrap();
    assert!(order("post /v1/leases") < order("post /v1/calls"));
}
