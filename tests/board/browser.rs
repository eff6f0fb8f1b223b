//! What browsers are told with each answer.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{support::TestServer, tls::Pair};

/// The value of a header; empty if it is not there.
fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn pages_answers_and_refusals_stand_in_no_frame_and_are_what_they_say() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({})).await;
    for path in [
        "/",
        "/docs/",
        "/openapi.json",
        "/livez",
        "/metrics",
        "/v1/breakers",
        "/v1/breakers/kraken",
        "/v1/breakers/nobody",
        "/nothing/at/all",
        "/status",
    ] {
        let answer = board.send(Method::GET, path, None).await;
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        let policy = header(&answer, "content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header(&answer, "cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(header(&answer, "strict-transport-security"), "", "{path}: without TLS it means nothing");
    }
    // Answers to programs are short, and are nothing that a browser shows.
    let call = board.send(Method::POST, "/v1/calls", Some(json!({ "breaker": "kraken" }))).await;
    assert_eq!(call.status(), StatusCode::OK);
    assert_eq!(header(&call, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn tls_alone_does_not_bind_the_host_to_it_and_a_setting_does() {
    let pair = Pair::new();
    let plain = pair.server(|_| {}).await;
    let answer = plain.send(Method::GET, "/", None).await;
    assert_eq!(header(&answer, "strict-transport-security"), "");
    let bound = pair.server(|config| config.hsts_max_age_seconds = Some(3600)).await;
    for path in ["/", "/v1/breakers"] {
        let answer = bound.send(Method::GET, path, None).await;
        assert_eq!(header(&answer, "strict-transport-security"), "max-age=3600", "{path}");
    }
}
