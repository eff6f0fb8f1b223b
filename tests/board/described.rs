//! What `openapi.yaml` says of headers, queries and lengths holds: `make schemathesis` tries it at random, these on purpose.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{TestServer, assert_problem};

const KEY: &str = "idempotency-key";

fn request(board: &TestServer, method: Method, path: &str) -> RequestBuilder {
    board.http.request(method, format!("{}{path}", board.url))
}

#[tokio::test]
async fn conditions_that_are_no_entity_tags_change_nothing() {
    let board = TestServer::start().await;
    let schedule = json!({ "cron": "@daily", "action": { "kind": "run_checks" } });
    let receiver = json!({ "kind": "webhook", "url": "https://pager.example/" });
    let threshold = json!({ "metric_name": "m", "threshold": 1 });
    for (path, spec) in [
        ("/v1/breakers/b", json!({})),
        ("/v1/limiters/l", json!({ "requests_per_second": 1 })),
        ("/v1/retry-policies/p", json!({})),
        ("/v1/checks/c", json!({ "kind": "push" })),
        ("/v1/gates/g", json!({ "checks": ["c"] })),
        ("/v1/schedules/s", schedule),
        ("/v1/receivers/r", receiver),
        ("/v1/retention/t", json!({ "keep_last": 3 })),
        ("/v1/thresholds/t", threshold),
    ] {
        assert!(board.put(path, spec.clone()).await.0 < 300, "{path}");
        for header in ["if-match", "if-none-match"] {
            for tags in ["0", "", "\"a", "a\"", "\"a\"b\"", "\"a\" \"b\"", "\"a\",", "*, \"a\"", "w/\"a\""] {
                let put = request(&board, Method::PUT, path).json(&spec).header(header, tags);
                assert_problem(put.send().await.unwrap(), 400, "bad_request", tags).await;
            }
        }
        for tags in ["0", "\"a"] {
            let delete = request(&board, Method::DELETE, path).header("if-match", tags);
            assert_problem(delete.send().await.unwrap(), 400, "bad_request", tags).await;
        }
        for tags in ["\"a\"", "W/\"a\"", "\"a\" ,\t\"b\"", "\"a,b\",\"\""] {
            let delete = request(&board, Method::DELETE, path).header("if-match", tags);
            assert_problem(delete.send().await.unwrap(), 412, "precondition_failed", tags).await;
        }
        let delete = request(&board, Method::DELETE, path).header("if-match", "*");
        assert_eq!(delete.send().await.unwrap().status(), 204, "{path}");
    }
}

#[tokio::test]
async fn a_key_is_one_text_with_or_without_quotes() {
    let board = TestServer::start().await;
    let silence = json!({ "matchers": ["a=b"], "duration_seconds": 60, "comment": "c", "created_by": "me" });
    let post = |key: String| request(&board, Method::POST, "/v1/silences").json(&silence).header(KEY, key);
    let longest = "k".repeat(255);
    for key in ["\"a", "a\"", "a\"b", "\"\"", "\"", &format!("{longest}k")] {
        assert_problem(post(key.to_owned()).send().await.unwrap(), 400, "bad_request", key).await;
    }
    for key in ["a b", "\"quoted one\"", &longest, &format!("\"{longest}\"")] {
        let first = post(key.to_owned()).send().await.unwrap();
        let second = post(key.to_owned()).send().await.unwrap();
        assert!(first.status().is_success(), "{key}: {}", first.status());
        assert_eq!(first.status(), second.status(), "{key}");
        assert_eq!(first.text().await.unwrap(), second.text().await.unwrap(), "{key}");
    }
    // Quotes are not part of the key.
    let quoted = post("\"a b\"".to_owned()).send().await.unwrap();
    assert_eq!(quoted.headers()["idempotency-replayed"], "true");
}

#[tokio::test]
async fn where_a_stream_begins_is_read_even_if_none_is_asked_for() {
    let board = TestServer::start().await;
    for path in ["/v1/events", "/v1/replica"] {
        for id in ["x", "", "9223372036854775808", "1.5"] {
            let get = request(&board, Method::GET, path).header("last-event-id", id);
            assert_problem(get.send().await.unwrap(), 400, "bad_request", id).await;
        }
        let get = request(&board, Method::GET, path).header("last-event-id", "9223372036854775807");
        assert_eq!(get.send().await.unwrap().status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_list_of_names_is_empty_or_has_no_empty_name() {
    let board = TestServer::start().await;
    for query in ["breakers=", "limiters=", "breakers=a&limiters=b,c"] {
        let response = board.send(Method::GET, &format!("/v1/replica?{query}"), None).await;
        assert_eq!(response.status(), 200, "{query}");
    }
    for query in ["breakers=,", "limiters=a,", "limiters=,a", "breakers=a,,b", "breakers=a%20"] {
        let response = board.send(Method::GET, &format!("/v1/replica?{query}"), None).await;
        let problem = assert_problem(response, 422, "validation_failed", query).await;
        assert_eq!(problem["errors"][0]["field"], query.split('=').next().unwrap(), "{query}");
    }
}

#[tokio::test]
async fn lengths_count_characters() {
    let board = TestServer::start().await;
    let labels = json!({ "l": "\u{e9}".repeat(256) });
    for (method, path, mut body, field) in [
        (Method::PUT, "/v1/checks/c", json!({ "kind": "push", "labels": labels }), "description"),
        (Method::PUT, "/v1/gates/g", json!({ "checks": ["c"] }), "description"),
        (Method::POST, "/v1/silences", json!({ "matchers": ["a=b"], "duration_seconds": 60 }), "comment"),
    ] {
        body[field] = json!("\u{1f980}".repeat(1024));
        let longest = board.send(method.clone(), path, Some(body.clone())).await;
        assert!(longest.status().is_success(), "{path}: {}", longest.text().await.unwrap());
        body[field] = json!("\u{1f980}".repeat(1025));
        let longer = board.send(method, path, Some(body)).await;
        let problem = assert_problem(longer, 422, "validation_failed", path).await;
        assert_eq!(problem["errors"][0]["field"], field, "{path}");
    }
}

#[tokio::test]
async fn the_shortest_span_that_is_more_than_none_is_one() {
    let board = TestServer::start().await;
    assert_eq!(board.put("/v1/breakers/b", json!({ "timeout_seconds": 5e-324 })).await.0, 201);
    assert_eq!(board.get("/v1/breakers/b").await["config"]["timeout_seconds"], 1e-9);
    board.post("/v1/health/run", json!({ "timeout_seconds": 5e-324 })).await;
}

#[tokio::test]
async fn numbers_that_no_counter_holds_are_refused() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    for (field, number) in [("sequence", 1_u64 << 63), ("generation", 1 << 63), ("rejected", 1 << 31)] {
        let mut item = json!({ "breaker": "b", "generation": 1, "sequence": 1 });
        item[field] = json!(number);
        let body = json!({ "client": "c", "session": "s", "items": [item] });
        let response = board.send(Method::POST, "/v1/outcomes/aggregated", Some(body)).await;
        let problem = assert_problem(response, 422, "validation_failed", field).await;
        assert_eq!(problem["errors"][0]["field"], format!("items[0].{field}"), "{problem}");
    }
}

#[tokio::test]
async fn a_history_is_not_filtered_by_prefix() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    let response = board.send(Method::GET, "/v1/breakers/b/transitions?prefix=x", None).await;
    assert_problem(response, 422, "validation_failed", "prefix").await;
}

#[tokio::test]
async fn a_renewal_is_checked_even_if_it_asks_for_no_lease() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 10 })).await;
    for (field, none) in [("lease_seconds", json!(0)), ("min_tokens", json!(0))] {
        let body = json!({ "items": [{ "limiter": "l", field: none }] });
        let response = board.send(Method::POST, "/v1/leases", Some(body)).await;
        let problem = assert_problem(response, 422, "validation_failed", field).await;
        assert_eq!(problem["errors"][0]["field"], format!("items[0].{field}"), "{problem}");
    }
    let renewed =
        board.post("/v1/leases", json!({ "items": [{ "limiter": "l", "lease_seconds": 1 }] })).await;
    assert!(renewed["items"][0]["error"].is_null() && renewed["items"][0]["lease"].is_null(), "{renewed}");
}

#[tokio::test]
async fn names_that_are_said_twice_count_twice() {
    let board = TestServer::start().await;
    let body = json!({ "checks": vec!["c"; 1001] });
    let response = board.send(Method::POST, "/v1/health/run", Some(body)).await;
    assert_problem(response, 422, "validation_failed", "1001 times the same").await;
}

#[tokio::test]
async fn a_present_state_is_there_or_left_out() {
    let board = TestServer::start().await;
    let body = json!({ "backup_type": "t", "data": {} });
    let (status, backup) = board.ask(Method::POST, "/v1/backups", Some(body)).await;
    assert_eq!(status, 201, "{backup}");
    let path = format!("/v1/backups/{}/restore", backup["backup_id"].as_str().unwrap());
    let response = board.send(Method::POST, &path, Some(json!({ "current": null }))).await;
    let problem = assert_problem(response, 422, "validation_failed", "null").await;
    assert_eq!(problem["errors"][0]["field"], "current", "{problem}");
}
