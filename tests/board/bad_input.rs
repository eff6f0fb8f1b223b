use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::json;

use crate::support::{TestServer, assert_problem};

#[tokio::test]
async fn every_endpoint_refuses_bad_bodies_with_a_problem() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1 })).await;
    board.put("/v1/retry-policies/p", json!({})).await;
    board.put("/v1/checks/c", json!({ "kind": "push" })).await;
    let schedule = json!({ "cron": "@daily", "action": { "kind": "run_checks" } });
    board.put("/v1/schedules/s", schedule).await;
    let call = board.enter("b", "a").await;
    let outcome = format!("/v1/calls/{call}/outcome");
    let endpoints = [
        (Method::PUT, "/v1/breakers/b"),
        (Method::PUT, "/v1/limiters/l"),
        (Method::PUT, "/v1/retry-policies/p"),
        (Method::PUT, "/v1/schedules/s"),
        (Method::POST, "/v1/schedules/s/run"),
        (Method::POST, "/v1/breakers/b/state"),
        (Method::POST, "/v1/breakers/b/reset"),
        (Method::POST, "/v1/limiters/l/acquire"),
        (Method::POST, "/v1/limiters/l/lease"),
        (Method::POST, "/v1/limiters/l/release"),
        (Method::POST, "/v1/limiters/l/penalize"),
        (Method::POST, "/v1/retry-policies/p/attempts"),
        (Method::POST, "/v1/calls"),
        (Method::POST, outcome.as_str()),
        (Method::POST, "/v1/outcomes"),
        (Method::POST, "/v1/outcomes/aggregated"),
        (Method::POST, "/v1/leases"),
        (Method::POST, "/v1/acquires"),
        (Method::POST, "/v1/metrics"),
        (Method::POST, "/v1/tokens"),
        (Method::PUT, "/v1/checks/c"),
        (Method::POST, "/v1/checks/c/results"),
        (Method::POST, "/v1/health/run"),
        (Method::PUT, "/v1/gates/g"),
        (Method::POST, "/v1/gates/evaluate"),
    ];
    let before = board.get("/v1/breakers/b").await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(5 << 20));
    for (method, path) in endpoints {
        for (body, kind, status, code) in [
            ("{", "application/json", 400, "bad_json"),
            ("{}{}", "application/json", 400, "bad_json"),
            (deep.as_str(), "application/json", 422, "validation_failed"),
            ("[1]", "application/json", 422, "validation_failed"),
            ("{\"no_such_field\":1}", "application/json", 422, "validation_failed"),
            ("{\"no_such_field\":NaN}", "application/json", 422, "validation_failed"),
            ("{}", "text/plain", 415, "unsupported_media_type"),
            (huge.as_str(), "application/json", 413, "payload_too_large"),
        ] {
            let what = format!("{method} {path} {body:.30}");
            let response = board
                .http
                .request(method.clone(), format!("{}{path}", board.url))
                .header(CONTENT_TYPE, kind)
                .body(body.to_owned())
                .send()
                .await
                .unwrap();
            let problem = assert_problem(response, status, code, &what).await;
            if status == 422 {
                assert!(problem["errors"][0]["field"].is_string(), "{what}: {problem}");
            }
        }
    }
    assert_eq!(board.get("/v1/breakers/b").await, before, "nothing is changed");
    assert_eq!(board.report(&call, "success").await["recorded"], true, "nothing is lost");
}

#[tokio::test]
async fn values_that_cannot_be_name_their_field() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1 })).await;
    let schedule = |more: serde_json::Value| {
        let mut spec = json!({ "cron": "@daily", "action": { "kind": "run_checks" } });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let webhook = |url: &str| schedule(json!({ "action": { "kind": "webhook", "url": url } }));
    for (method, path, body, field) in [
        (Method::PUT, "/v1/schedules/s", json!({ "action": { "kind": "run_checks" } }), "cron"),
        (Method::PUT, "/v1/schedules/s", json!({ "cron": "@daily" }), "action"),
        (Method::PUT, "/v1/schedules/s", schedule(json!({ "cron": "61 * * * *" })), "cron"),
        (Method::PUT, "/v1/schedules/s", schedule(json!({ "timezone": "Europe/Berln" })), "timezone"),
        (Method::PUT, "/v1/schedules/s", schedule(json!({ "interval_seconds": 5 })), "interval_seconds"),
        (Method::PUT, "/v1/schedules/s", schedule(json!({ "retain_runs": 0 })), "retain_runs"),
        (Method::PUT, "/v1/schedules/s", schedule(json!({ "timeout_seconds": 86_401 })), "timeout_seconds"),
        (Method::PUT, "/v1/schedules/s", schedule(json!({ "misfire": "run_all" })), "misfire"),
        (Method::PUT, "/v1/schedules/s", webhook("ftp://host/"), "action.url"),
        (Method::PUT, "/v1/schedules/_s", schedule(json!({})), "name"),
        (Method::POST, "/v1/schedules/s/run", json!({ "actor": 1 }), "actor"),
        (Method::PUT, "/v1/breakers/b", json!({ "failure_threshold": 0 }), "failure_threshold"),
        (Method::PUT, "/v1/breakers/b", json!({ "failure_threshold": -1 }), "failure_threshold"),
        (Method::PUT, "/v1/breakers/b", json!({ "timeout_seconds": -1 }), "timeout_seconds"),
        (Method::PUT, "/v1/breakers/b", json!({ "timeout_seconds": "1" }), "timeout_seconds"),
        (Method::PUT, "/v1/breakers/b", json!({ "window": { "size": 0 } }), "window.size"),
        (Method::PUT, "/v1/breakers/b", json!({ "window": { "failure_rate": 2 } }), "window.failure_rate"),
        (Method::PUT, "/v1/breakers/b", json!({ "window": [] }), "window"),
        (Method::PUT, "/v1/breakers/_b", json!({}), "name"),
        (Method::PUT, "/v1/limiters/l", json!({ "requests_per_second": 0 }), "requests_per_second"),
        (Method::PUT, "/v1/limiters/l", json!({ "algorithm": "sliding_window" }), "limit"),
        (Method::POST, "/v1/limiters/l/acquire", json!({ "tokens": -1 }), "tokens"),
        (Method::POST, "/v1/limiters/l/acquire", json!({ "tokens": 1e300 }), "tokens"),
        (Method::POST, "/v1/limiters/l/acquire", json!({ "max_wait_seconds": -0.5 }), "max_wait_seconds"),
        (Method::POST, "/v1/limiters/l/acquire", json!({ "client": "" }), "client"),
        (Method::POST, "/v1/calls", json!({}), "breaker"),
        (Method::POST, "/v1/calls", json!({ "limiters": [{ "name": "l" }, { "name": "l" }] }), "limiters"),
        (Method::POST, "/v1/calls", json!({ "breaker": "-x" }), "name"),
        (Method::POST, "/v1/calls", json!({ "limiters": [["l", 1]] }), "limiters[0]"),
        (Method::POST, "/v1/calls", json!({ "breaker": "b", "config": [] }), "config"),
        (Method::POST, "/v1/outcomes", json!({ "items": [["x", "success"]] }), "items[0]"),
        (Method::POST, "/v1/acquires", json!({ "items": [["l"]] }), "items[0]"),
        (Method::POST, "/v1/retry-policies/p/attempts", json!({ "attempt": 0, "config": {} }), "attempt"),
        (Method::PUT, "/v1/checks/c", json!({}), "kind"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "ftp" }), "kind"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "http" }), "url"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "http", "url": "file:///etc/passwd" }), "url"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "http", "url": "http://u:p@x/" }), "url"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "tcp", "address": "x" }), "address"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "push", "interval_seconds": 5 }), "interval_seconds"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "push", "failure_threshold": 0 }), "failure_threshold"),
        (Method::PUT, "/v1/checks/c", json!({ "kind": "heartbeat" }), "interval_seconds"),
        (Method::PUT, "/v1/checks/_c", json!({ "kind": "push" }), "name"),
        (Method::POST, "/v1/checks/c/results", json!({ "status": "blue" }), "status"),
        (Method::POST, "/v1/checks/c/results", json!({ "message": "no status" }), "status"),
        (Method::POST, "/v1/checks/c/results", json!({ "status": "red", "details": [] }), "details"),
        (Method::POST, "/v1/checks/-c/results", json!({ "status": "red" }), "name"),
        (Method::POST, "/v1/health/run", json!({ "timeout_seconds": 0 }), "timeout_seconds"),
        (Method::POST, "/v1/health/run", json!({ "timeout_seconds": 3600 }), "timeout_seconds"),
        (Method::POST, "/v1/health/run", json!({ "checks": [] }), "checks"),
        (Method::PUT, "/v1/gates/g", json!({}), "checks"),
        (Method::PUT, "/v1/gates/g", json!({ "checks": ["c"], "max_status": "red" }), "max_status"),
        (Method::POST, "/v1/gates/evaluate", json!({ "checks": ["a b"] }), "checks[0]"),
    ] {
        let what = format!("{method} {path} {body}");
        let response = board.send(method, path, Some(body)).await;
        let problem = assert_problem(response, 422, "validation_failed", &what).await;
        assert_eq!(problem["errors"][0]["field"], field, "{what}: {problem}");
    }
    for query in ["limit=0", "limit=1001", "limit=x", "nope=1"] {
        let response = board.send(Method::GET, &format!("/v1/breakers?{query}"), None).await;
        assert_problem(response, 422, "validation_failed", query).await;
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems_too() {
    let board = TestServer::start().await;
    let response = board.send(Method::GET, "/nowhere", None).await;
    assert_problem(response, 404, "not_found", "path").await;
    let response = board.send(Method::GET, "/v1/breakers/none", None).await;
    assert_problem(response, 404, "not_found", "name").await;
    let response = board.send(Method::PATCH, "/v1/breakers/b", None).await;
    let allow = response.headers()["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("PUT") && allow.contains("DELETE"), "{allow}");
    assert_problem(response, 405, "method_not_allowed", "method").await;
}
