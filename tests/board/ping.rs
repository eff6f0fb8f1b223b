use fuseboard::app::tokens::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, assert_problem};

async fn heartbeat(board: &TestServer, name: &str, spec: Value) -> String {
    let mut full = json!({ "kind": "heartbeat", "interval_seconds": 3600, "grace_seconds": 60 });
    full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let (status, view) = board.put(&format!("/v1/checks/{name}"), full).await;
    assert_eq!(status, 201, "{view}");
    view["ping_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_method_pings_and_silence_is_red() {
    let board = TestServer::start().await;
    let url = heartbeat(&board, "job", json!({})).await;
    assert_eq!(board.get("/v1/checks/job").await["message"], "no ping yet");
    for method in [Method::HEAD, Method::GET, Method::POST] {
        for path in [url.as_str(), "/ping/job"] {
            let response = board.send(method.clone(), path, None).await;
            assert_eq!(response.status(), 200, "{method} {path}");
            let view = board.get("/v1/checks/job").await;
            assert_eq!(
                (&view["status"], &view["stale"]),
                (&json!("green"), &json!(false)),
                "{method} {path}"
            );
            board.advance(3659.9);
            assert_eq!(board.get("/v1/checks/job").await["status"], "green");
            board.advance(0.1);
            let view = board.get("/v1/checks/job").await;
            assert_eq!((&view["status"], &view["stale"]), (&json!("red"), &json!(true)), "{method} {path}");
            assert_eq!(view["message"], "late: no ping for 3600 s and 60 s of grace");
        }
    }
}

#[tokio::test]
async fn starts_failures_and_exit_statuses() {
    let board = TestServer::start().await;
    let url = heartbeat(&board, "job", json!({ "max_run_seconds": 100 })).await;
    let view = async || board.get("/v1/checks/job").await;
    board.get(&format!("{url}/start")).await;
    assert_eq!(
        (&view().await["running"], &view().await["status"]),
        (&json!(true), &json!("red")),
        "no result"
    );
    board.advance(20.0);
    let post = board.http.post(format!("{}{url}/0", board.url)).body("all 42 files\n").send();
    assert_eq!(post.await.unwrap().status(), 200);
    let seen = view().await;
    assert_eq!((&seen["status"], &seen["duration_seconds"]), (&json!("green"), &json!(20.0)));
    assert_eq!(seen["details"], json!({ "exit_status": 0, "log": "all 42 files" }));
    let post = board.http.post(format!("{}{url}/3", board.url)).body("boom").send();
    assert_eq!(post.await.unwrap().status(), 200);
    assert_eq!(view().await["message"], "failed with exit status 3");
    board.get(&url).await;
    assert_eq!(view().await["status"], "green");
    board.get(&format!("{url}/fail")).await;
    assert_eq!((&view().await["status"], &view().await["stale"]), (&json!("red"), &json!(false)));
    board.get(&url).await;
    board.get(&format!("{url}/start")).await;
    board.advance(100.0);
    assert_eq!(view().await["message"], "running for more than 100 s");
    let results = board.get("/v1/checks/job/results").await;
    let statuses: Vec<_> =
        results["items"].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["green", "red", "green", "red", "green"], "a start is no result");
}

#[tokio::test]
async fn logs_are_bounded_and_their_end_is_kept() {
    let board = TestServer::start().await;
    let url = heartbeat(&board, "job", json!({})).await;
    let log = format!("{}\u{1b}[31mthe end\u{0}", "ä".repeat(50_000));
    let post = board.http.post(format!("{}{url}/1", board.url)).body(log).send();
    assert_eq!(post.await.unwrap().status(), 200);
    let view = board.get("/v1/checks/job").await;
    let kept = view["details"]["log"].as_str().unwrap();
    assert!(kept.len() <= 8192 && kept.ends_with("[31mthe end"), "{}", kept.len());
    let post = board.http.post(format!("{}{url}", board.url)).body("x".repeat(5 << 20)).send();
    assert_problem(post.await.unwrap(), 413, "payload_too_large", "more than any body may have").await;
    let not_utf8 = board.http.post(format!("{}{url}/1", board.url)).body(vec![0xff, b'a']).send();
    assert_eq!(not_utf8.await.unwrap().status(), 200);
}

#[tokio::test]
async fn wrong_kinds_signals_and_names_are_told() {
    let board = TestServer::start().await;
    let url = heartbeat(&board, "job", json!({})).await;
    board.put("/v1/checks/push", json!({ "kind": "push" })).await;
    for (path, status, code) in [
        ("/ping/push".to_owned(), 409, "conflict"),
        ("/ping/none".to_owned(), 404, "not_found"),
        ("/ping/00000000-0000-8000-8000-000000000000".to_owned(), 404, "not_found"),
        ("/ping/a%20b".to_owned(), 422, "validation_failed"),
        (format!("{url}/256"), 422, "validation_failed"),
        (format!("{url}/-1"), 422, "validation_failed"),
        (format!("{url}/stop"), 422, "validation_failed"),
        (format!("{url}/start/now"), 404, "not_found"),
    ] {
        assert_problem(board.send(Method::GET, &path, None).await, status, code, &path).await;
    }
    let response =
        board.send(Method::POST, "/v1/checks/job/results", Some(json!({ "status": "green" }))).await;
    assert_problem(response, 409, "conflict", "a result for a heartbeat").await;
    assert_problem(board.send(Method::DELETE, &url, None).await, 405, "method_not_allowed", "delete").await;
}

#[tokio::test]
async fn a_key_that_got_around_does_not_keep_the_disk_busy() {
    let board = TestServer::start().await;
    let url = heartbeat(&board, "job", json!({})).await;
    for _ in 0..20 {
        board.get(&url).await;
    }
    let response = board.send(Method::GET, &url, None).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_problem(response, 429, "rate_limited", "the one after").await;
    board.advance(1.0);
    board.get(&url).await;
    assert_eq!(board.send(Method::GET, &url, None).await.status(), 429);
}

#[tokio::test]
async fn a_key_needs_no_token_and_a_name_does() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let send = |method: Method, path: &str, token: Option<&str>| {
        let mut request = board.http.request(method, format!("{}{path}", board.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request
    };
    let spec = json!({ "kind": "heartbeat", "interval_seconds": 60 });
    send(Method::PUT, "/v1/checks/job", Some("root")).json(&spec).send().await.unwrap();
    let made = send(Method::POST, "/v1/tokens", Some("root")).json(&json!({ "name": "v", "scope": "read" }));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let viewer = made["token"].as_str().unwrap();
    let view = async |token: &str| -> Value {
        send(Method::GET, "/v1/checks/job", Some(token)).send().await.unwrap().json().await.unwrap()
    };
    assert!(view(viewer).await.get("ping_url").is_none(), "who may only look does not see the key");
    let url = view("root").await["ping_url"].as_str().unwrap().to_owned();
    assert_eq!(send(Method::GET, &url, None).send().await.unwrap().status(), 200);
    assert_eq!(send(Method::POST, &format!("{url}/0"), None).body("x").send().await.unwrap().status(), 200);
    for (path, token, status, code) in [
        ("/ping/job", None, 401, "unauthorized"),
        ("/ping/job/fail", None, 401, "unauthorized"),
        ("/ping/00000000-0000-8000-8000-000000000000", None, 401, "unauthorized"),
        ("/ping/job", Some(viewer), 403, "forbidden"),
    ] {
        let response = send(Method::GET, path, token).send().await.unwrap();
        assert_problem(response, status, code, path).await;
    }
    assert_eq!(send(Method::GET, "/ping/job", Some("root")).send().await.unwrap().status(), 200);
    assert_eq!(send(Method::DELETE, "/v1/checks/job", Some("root")).send().await.unwrap().status(), 204);
    let response = send(Method::GET, &url, None).send().await.unwrap();
    assert_problem(response, 401, "unauthorized", "the key of a check that is gone").await;
}

#[tokio::test]
async fn an_image_on_another_site_does_not_ping() {
    let board = TestServer::start().await;
    heartbeat(&board, "job", json!({})).await;
    let request = board.http.get(format!("{}/ping/job", board.url)).header("sec-fetch-site", "cross-site");
    assert_problem(request.send().await.unwrap(), 403, "forbidden", "image").await;
    assert_eq!(board.get("/v1/checks/job").await["timestamp"], json!(null));
}
