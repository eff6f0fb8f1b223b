//! Clients that are slow, stop half-way, or send what is not HTTP: they are told, and nothing else happens.

use std::time::Duration;

use serde_json::json;

use crate::{
    raw::{Raw, eventually, within},
    support::TestServer,
};

const HALF: &str =
    "PUT /v1/breakers/half HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40\r\n\r\n{\"failure";

async fn assert_unharmed(board: &TestServer, what: &str) {
    let flight = &board.board.telemetry.requests_in_flight;
    eventually(&format!("an idle server after {what}"), async || flight.get() == 0).await;
    assert_eq!(board.get("/v1/breakers").await["items"], json!([]), "{what}: nothing is changed");
    assert_eq!(board.put("/v1/breakers/next", json!({})).await.0, 201, "{what}: the next one works");
    assert_eq!(board.delete("/v1/breakers/next").await, 204);
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    let board = TestServer::start().await;
    let half = Raw::sending(&board, HALF).await;
    let flight = &board.board.telemetry.requests_in_flight;
    eventually("the request", async || flight.get() == 1).await;
    drop(half);
    assert_unharmed(&board, "a body that broke off").await;
}

#[tokio::test]
async fn a_body_that_stalls_is_answered_after_the_request_timeout() {
    let board = TestServer::start_with(|config| config.request_timeout = Duration::from_millis(200)).await;
    let mut half = Raw::sending(&board, HALF).await;
    half.reply().await.assert_problem(408, "request_timeout");
    half.send("_threshold\": 1}                ").await;
    assert_eq!(half.closed().await, "", "the rest of the body is not taken for another request");
    assert_unharmed(&board, "a body that stalled").await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_closed_after_the_head_timeout() {
    let board = TestServer::start_with(|config| config.head_timeout = Duration::from_millis(200)).await;
    for start in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /livez HTTP/1.1\r\nhost: loc",
    ] {
        let mut slow = Raw::sending(&board, start).await;
        let said = slow.closed().await;
        assert!(!said.contains("200"), "{start:?}: {said}");
    }
    // Byte by byte is not a way around it.
    let mut drip = Raw::sending(&board, "GET /livez HTTP/1.1\r\n").await;
    let dripping = async {
        loop {
            drip.send("x").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if board.board.telemetry.connections.get() == 0 {
                break;
            }
        }
    };
    within("the end of the drip", dripping).await;
    assert_unharmed(&board, "slow heads").await;
}

#[tokio::test]
async fn a_served_connection_may_be_used_again() {
    let board = TestServer::start_with(|config| config.head_timeout = Duration::from_millis(500)).await;
    let mut raw = Raw::connect(&board).await;
    for _ in 0..8 {
        raw.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        assert_eq!(raw.reply().await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused_with_a_problem() {
    let board = TestServer::start().await;
    let long_line = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(70_000));
    let long_header = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(200));
    for (text, status, code) in [
        ("NOT HTTP AT ALL\r\n\r\n", 400, "bad_request"),
        ("G\u{0}T / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad_request"),
        ("GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
        ("POST /v1/calls HTTP/1.1\r\nhost: localhost\r\ncontent-length: many\r\n\r\n", 400, "bad_request"),
        (&long_header, 431, "headers_too_large"),
        (&long_line, 431, "headers_too_large"),
        (&many, 431, "headers_too_large"),
    ] {
        let mut raw = Raw::sending(&board, text).await;
        raw.reply().await.assert_problem(status, code);
        assert_eq!(raw.closed().await, "");
        assert_unharmed(&board, text.get(..40).unwrap_or(text)).await;
    }
}

#[tokio::test]
async fn a_bad_chunk_is_refused_and_not_taken_for_another_request() {
    let board = TestServer::start().await;
    let head = "PUT /v1/breakers/half HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunk in ["zz\r\n{}\r\n0\r\n\r\n", "ffffffffffffffffff\r\n{}\r\n"] {
        let mut raw = Raw::sending(&board, &format!("{head}{chunk}")).await;
        raw.reply().await.assert_problem(400, "bad_request");
        assert_eq!(raw.closed().await, "", "{chunk:?}");
        assert_unharmed(&board, chunk).await;
    }
}

#[tokio::test]
async fn max_body_bytes_is_a_limit_however_the_body_comes() {
    let board = TestServer::start_with(|config| config.max_body_bytes = 1000).await;
    let body = format!("{{\"failure_threshold\": 1{}}}", " ".repeat(1000));
    let head = "PUT /v1/breakers/large HTTP/1.1\r\nhost: localhost\r\n";
    let whole = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let chunk = format!("64\r\n{}\r\n", " ".repeat(100));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(50));
    for text in [whole, chunked] {
        let mut raw = Raw::sending(&board, &text).await;
        raw.reply().await.assert_problem(413, "payload_too_large");
        assert_unharmed(&board, "a large body").await;
    }
    let announced = format!("{head}content-length: 5000000000\r\n\r\n");
    Raw::sending(&board, &announced).await.reply().await.assert_problem(413, "payload_too_large");
    let exact = format!("{{{}}}", " ".repeat(998));
    let mut raw = Raw::sending(&board, &format!("{head}content-length: 1000\r\n\r\n{exact}")).await;
    assert_eq!(raw.reply().await.status, 201, "as much as allowed is allowed");
}

#[tokio::test]
async fn a_client_that_never_reads_its_answers_is_let_go() {
    let board = TestServer::start_with(|config| config.idle_timeout = Duration::from_millis(200)).await;
    let mut deaf = Raw::connect(&board).await;
    let flooding =
        async { while deaf.send("GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n").await {} };
    within("the end of the connection", flooding).await;
    drop(deaf);
    assert_unharmed(&board, "a client that never read").await;
}

#[tokio::test]
async fn a_refusal_does_not_cost_the_connection_when_the_body_comes_late() {
    let board = TestServer::start_with(|config| config.token = Some("fb_secret".to_owned().into())).await;
    let token = "authorization: Bearer fb_secret\r\n";
    for (what, head, status, code) in [
        ("nothing there", format!("PUT /v1/nothing HTTP/1.1\r\n{token}"), 404, "not_found"),
        ("wrong method", format!("PATCH /v1/breakers/b HTTP/1.1\r\n{token}"), 405, "method_not_allowed"),
        ("no token", "PUT /v1/breakers/b HTTP/1.1\r\n".to_owned(), 401, "unauthorized"),
    ] {
        let mut raw =
            Raw::sending(&board, &format!("{head}host: localhost\r\ncontent-length: 2\r\n\r\n")).await;
        let early = tokio::time::timeout(Duration::from_millis(100), raw.reply()).await;
        assert!(early.is_err(), "{what}: {early:?}");
        if status == 401 {
            assert_eq!(board.board.telemetry.requests_in_flight.get(), 0, "a stranger keeps nobody out");
        }
        raw.send("{}").await;
        raw.reply().await.assert_problem(status, code);
        raw.send(&format!("GET /v1/breakers HTTP/1.1\r\nhost: localhost\r\n{token}\r\n")).await;
        assert_eq!(raw.reply().await.status, 200, "{what}");
    }
}

#[tokio::test]
async fn a_refusal_does_not_wait_for_a_large_body_or_for_one_that_must_be_asked_for() {
    let board = TestServer::start().await;
    for more in [
        "content-length: 65537\r\n",
        "content-length: 2\r\nexpect: 100-continue\r\n",
        "transfer-encoding: chunked\r\n",
    ] {
        let mut raw =
            Raw::sending(&board, &format!("PUT /v1/nothing HTTP/1.1\r\nhost: localhost\r\n{more}\r\n")).await;
        raw.reply().await.assert_problem(404, "not_found");
        assert_eq!(raw.closed().await, "", "{more}");
    }
}
