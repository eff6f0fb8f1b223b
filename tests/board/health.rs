use fuseboard::app::tokens::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, assert_problem};

async fn push(board: &TestServer, check: &str, status: &str) {
    board.post(&format!("/v1/checks/{check}/results"), json!({ "status": status, "message": check })).await;
}

fn listed(report: &Value) -> Vec<&str> {
    report["checks"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_report_is_the_seeds_and_can_be_narrowed() {
    let board = TestServer::start().await;
    let report = board.get("/v1/health").await;
    assert_eq!((&report["overall_status"], &report["checks"]), (&json!("green"), &json!({})));
    board
        .put("/v1/checks/risk", json!({ "kind": "push", "critical": false, "labels": { "team": "a" } }))
        .await;
    for (check, status) in [("backtest", "green"), ("risk", "red"), ("exchange", "yellow")] {
        push(&board, check, status).await;
    }
    let report = board.get("/v1/health").await;
    assert_eq!(report["overall_status"], "yellow", "what is red is not critical");
    assert_eq!(listed(&report), ["backtest", "exchange", "risk"]);
    assert_eq!(report["timestamp"], "2027-01-15T08:00:00Z");
    let check = &report["checks"]["backtest"];
    let wanted = json!({ "name": "backtest", "status": "green", "message": "backtest",
        "timestamp": "2027-01-15T08:00:00Z", "details": {}, "error": null, "stale": false, "age_seconds": 0.0,
        "critical": true, "changed_at": "2027-01-15T08:00:00Z" });
    assert_eq!(check, &wanted);
    for (query, status, names) in [
        ("checks=backtest", "green", vec!["backtest"]),
        ("checks=backtest,exchange", "yellow", vec!["backtest", "exchange"]),
        ("labels=team=a", "yellow", vec!["risk"]),
        ("labels=team=b", "green", vec![]),
        ("status=red,yellow", "yellow", vec!["exchange", "risk"]),
    ] {
        let report = board.get(&format!("/v1/health?{query}")).await;
        assert_eq!((report["overall_status"].as_str(), listed(&report)), (Some(status), names), "{query}");
    }
    let report = board.get("/v1/health?checks=backtest,nothing").await;
    assert_eq!(report["overall_status"], "red");
    assert_eq!(report["checks"]["nothing"]["message"], "there is no such check");
    board.advance(300.0);
    assert_eq!(board.get("/v1/health?checks=backtest").await["overall_status"], "yellow", "stale");
    for query in ["checks=", "checks=a%20b", "labels=x", "labels=1=2", "status=blue", "chekcs=a"] {
        let response = board.send(Method::GET, &format!("/v1/health?{query}"), None).await;
        assert_problem(response, 422, "validation_failed", query).await;
    }
}

#[tokio::test]
async fn a_run_waits_for_a_new_result() {
    let board = TestServer::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let tcp = json!({ "kind": "tcp", "address": format!("127.0.0.1:{port}"), "interval_seconds": 3600 });
    board.put("/v1/checks/tcp", tcp).await;
    board.put("/v1/breakers/b", json!({})).await;
    board.put("/v1/checks/breaker", json!({ "kind": "breaker", "breaker": "b" })).await;
    push(&board, "pushed", "green").await;
    for _ in 0..5 {
        board.advance(1.0);
        let report = board.post("/v1/health/run", json!({})).await;
        for check in ["tcp", "breaker"] {
            assert_eq!(report["checks"][check]["age_seconds"], 0.0, "{report}");
        }
        assert_eq!(report["checks"]["tcp"]["message"], "no connection", "{report}");
    }
    assert_eq!(board.get("/v1/checks/pushed").await["age_seconds"], 5.0);
    let report = board.post("/v1/health/run", json!({ "checks": ["breaker"], "timeout_seconds": 1 })).await;
    assert_eq!((listed(&report), &report["overall_status"]), (vec!["breaker"], &json!("green")));
}

#[tokio::test]
async fn health_json_is_for_load_balancers() {
    let board = TestServer::start().await;
    let ask = async |board: &TestServer| {
        let response = board.send(Method::GET, "/health", None).await;
        assert_eq!(response.headers()["content-type"], "application/health+json");
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let (status, body) = ask(&board).await;
    assert_eq!((status, &body["status"], &body["checks"]), (200, &json!("pass"), &json!({})));
    push(&board, "a", "green").await;
    push(&board, "b", "yellow").await;
    let (status, body) = ask(&board).await;
    assert_eq!((status, &body["status"]), (200, &json!("warn")));
    assert_eq!(
        body["checks"]["b"],
        json!([{ "status": "warn", "time": "2027-01-15T08:00:00Z", "output": "b" }])
    );
    push(&board, "b", "red").await;
    let (status, body) = ask(&board).await;
    assert_eq!((status, &body["status"]), (503, &json!("fail")));
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(board.get(path).await, "ok", "{path}: an application's red is not the server's");
    }
}

#[tokio::test]
async fn strangers_learn_only_how_all_of_it_is() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let request = |token: Option<&str>| {
        let request = board.http.get(format!("{}/health", board.url));
        token.map_or(request.try_clone().unwrap(), |token| request.bearer_auth(token)).send()
    };
    let body: Value = request(None).await.unwrap().json().await.unwrap();
    assert_eq!((&body["status"], body.get("checks")), (&json!("pass"), None));
    let body: Value = request(Some("wrong")).await.unwrap().json().await.unwrap();
    assert_eq!(body.get("checks"), None);
    let body: Value = request(Some("root")).await.unwrap().json().await.unwrap();
    assert_eq!(body["checks"], json!({}));
    assert_problem(board.send(Method::GET, "/v1/health", None).await, 401, "unauthorized", "the report")
        .await;
}
