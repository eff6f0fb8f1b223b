use fuseboard::app::tokens::Secret;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestServer, assert_problem};

#[tokio::test]
async fn scopes_decide_and_tokens_are_revoked_at_once() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let send = |method: Method, path: &str, token: Option<&str>, body: serde_json::Value| {
        let mut request = board.http.request(method, format!("{}{path}", board.url)).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send()
    };
    let response = send(Method::GET, "/v1/breakers", None, json!({})).await.unwrap();
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    assert_problem(response, 401, "unauthorized", "none").await;
    let response = send(Method::GET, "/v1/breakers", Some("wrong"), json!({})).await.unwrap();
    assert_problem(response, 401, "unauthorized", "wrong").await;
    let made = send(Method::POST, "/v1/tokens", Some("root"), json!({ "name": "viewer", "scope": "read" }))
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let made: serde_json::Value = made.json().await.unwrap();
    let viewer = made["token"].as_str().unwrap();
    assert_eq!(send(Method::GET, "/v1/breakers", Some(viewer), json!({})).await.unwrap().status(), 200);
    let response = send(Method::PUT, "/v1/breakers/b", Some(viewer), json!({})).await.unwrap();
    assert_problem(response, 403, "forbidden", "read only").await;
    let response = send(Method::GET, "/v1/tokens", Some(viewer), json!({})).await.unwrap();
    assert_problem(response, 403, "forbidden", "admin only").await;
    let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(send(Method::DELETE, &path, Some("root"), json!({})).await.unwrap().status(), 204);
    let response = send(Method::GET, "/v1/breakers", Some(viewer), json!({})).await.unwrap();
    assert_problem(response, 401, "unauthorized", "revoked").await;
    assert_eq!(send(Method::GET, "/livez", None, json!({})).await.unwrap().status(), 200);
}

#[tokio::test]
async fn without_tokens_a_page_of_another_site_is_refused() {
    let board = TestServer::start().await;
    for (name, value) in [("origin", "http://evil.example"), ("host", "evil.example")] {
        let request = board.http.get(format!("{}/v1/breakers", board.url)).header(name, value);
        assert_problem(request.send().await.unwrap(), 403, "forbidden", name).await;
    }
}

#[tokio::test]
async fn probes_and_metrics_and_docs_answer() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    board.put("/v1/limiters/l", json!({})).await;
    for path in ["/livez", "/readyz", "/healthz", "/readyz/storage"] {
        assert_eq!(board.get(path).await, "ok", "{path}");
    }
    let text = board.get("/readyz?verbose&exclude=journal").await;
    assert!(text.as_str().unwrap().contains("[+]journal excluded: ok"), "{text}");
    let metrics = board.get("/metrics").await;
    for line in [
        "resilience4j_circuitbreaker_state{name=\"b\",state=\"closed\"} 1",
        "resilience4j_circuitbreaker_failure_rate{name=\"b\"} -1",
        "resilience4j_ratelimiter_available_permissions{name=\"l\"} 5",
        "fuseboard_http_requests_total{method=\"PUT\",route=\"/v1/breakers/{name}\",status=\"201\"} 1",
    ] {
        assert!(metrics.as_str().unwrap().contains(line), "{line}");
    }
    assert!(board.get("/docs/").await.as_str().unwrap().contains("swagger-ui"));
    assert!(board.get("/openapi.json").await["paths"]["/v1/calls"]["post"].is_object());
}

#[test]
fn the_committed_api_description_is_current() {
    let now = fuseboard::http::openapi::yaml().unwrap();
    assert!(include_str!("../../openapi.yaml").trim_end() == now.trim_end(), "run `make openapi`");
}

#[test]
fn the_core_is_pure() {
    let mut folders = vec![std::path::PathBuf::from("src/domain")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let clocks = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
            // The last ones read the machine's zone files.
            let files = ["std::fs", "std::env", "TimeZone::get", "TimeZone::system", "tz::db"];
            for word in ["axum::", "sqlx::", "tokio::"].iter().chain(&clocks).chain(&files) {
                assert!(!text.contains(word), "{} names {word}", entry.path().display());
            }
        }
    }
}
