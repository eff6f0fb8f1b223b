use fuseboard::app::tokens::Secret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, assert_problem};

async fn push(board: &TestServer, check: &str, status: &str) {
    board.post(&format!("/v1/checks/{check}/results"), json!({ "status": status })).await;
}

async fn refusals(board: &TestServer) -> usize {
    board.get("/v1/events?kind=gate.refused").await["items"].as_array().unwrap().len()
}

fn blockers(verdict: &Value) -> Vec<(&str, &str)> {
    let blocking = verdict["blocking"].as_array().unwrap();
    blocking.iter().map(|b| (b["kind"].as_str().unwrap(), b["name"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_gate_looks_at_checks_and_breakers_and_fails_closed() {
    let board = TestServer::start().await;
    let spec = json!({ "checks": ["backtest", "risk"], "breakers": ["kraken"], "max_status": "yellow" });
    assert_eq!(board.put("/v1/gates/live", spec).await.0, 201);
    let ask = async || board.post("/v1/gates/live/evaluate", json!({})).await;
    let verdict = ask().await;
    assert_eq!((&verdict["allowed"], &verdict["overall_status"]), (&json!(false), &json!("red")));
    let all = vec![("check", "backtest"), ("check", "risk"), ("breaker", "kraken")];
    assert_eq!(blockers(&verdict), all, "what does not exist is in the way");
    push(&board, "backtest", "green").await;
    push(&board, "risk", "yellow").await;
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 1 })).await;
    let verdict = ask().await;
    let wanted = json!({ "allowed": true, "overall_status": "yellow", "blocking": [],
        "evaluated_at": "2027-01-15T08:00:00Z" });
    assert_eq!(verdict, wanted);
    board.fail("kraken", "a", 1).await;
    let verdict = ask().await;
    assert_eq!(verdict["blocking"][0]["message"], "open: calls are refused");
    board.post("/v1/breakers/kraken/reset", json!({})).await;
    board.advance(300.0);
    let verdict = ask().await;
    assert_eq!(blockers(&verdict), [("check", "backtest"), ("check", "risk")], "stale is red for gates");
    let gate = board.get("/v1/gates/live").await;
    assert_eq!((&gate["allowed_evaluations"], &gate["refused_evaluations"]), (&json!(1), &json!(3)));
    assert_eq!(board.delete("/v1/gates/live").await, 204);
    let response = board.send(Method::POST, "/v1/gates/live/evaluate", None).await;
    assert_problem(response, 404, "not_found", "gone").await;
}

#[tokio::test]
async fn looking_at_a_gate_says_what_it_would_answer_and_is_no_evaluation() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 1 })).await;
    let (_, made) = board.put("/v1/gates/live", json!({ "breakers": ["kraken"] })).await;
    assert_eq!(made["verdict"]["allowed"], true);
    board.fail("kraken", "a", 1).await;
    let gate = board.get("/v1/gates/live").await;
    assert_eq!(blockers(&gate["verdict"]), [("breaker", "kraken")]);
    assert_eq!(board.get("/v1/gates").await["items"][0]["verdict"], gate["verdict"]);
    assert_eq!((&gate["allowed_evaluations"], &gate["refused_evaluations"]), (&json!(0), &json!(0)));
    assert_eq!(refusals(&board).await, 0, "nobody was refused");
}

#[tokio::test]
async fn ad_hoc_labels_and_alerts() {
    let board = TestServer::start().await;
    board.put("/v1/checks/a", json!({ "kind": "push", "labels": { "team": "x" } })).await;
    push(&board, "a", "green").await;
    let ask = async |spec: Value| board.post("/v1/gates/evaluate", spec).await;
    assert_eq!(ask(json!({ "checks": ["a"], "max_status": "green" })).await["allowed"], true);
    assert_eq!(ask(json!({ "check_labels": { "team": "x" } })).await["allowed"], true);
    let verdict = ask(json!({ "check_labels": { "team": "y" } })).await;
    assert_eq!(blockers(&verdict), [("check_labels", "team=y")]);
    assert_eq!(ask(json!({ "checks": ["a"], "alerts": {} })).await["allowed"], true);
}

#[tokio::test]
async fn strict_refuses_with_a_status() {
    let board = TestServer::start().await;
    board.put("/v1/gates/g", json!({ "checks": ["c"] })).await;
    let ask = async || board.send(Method::POST, "/v1/gates/g/evaluate?strict=true", None).await;
    let response = ask().await;
    assert_eq!(response.headers()["retry-after"], "1");
    let problem = assert_problem(response, 503, "gate_closed", "closed").await;
    assert_eq!(problem["errors"][0], json!({ "field": "c", "message": "red: there is no such check" }));
    assert_eq!(problem["detail"], "the gate is closed by check c, which is red (there is no such check)");
    let spec = json!({ "checks": ["c", "d"], "breakers": ["b"] });
    let response = board.send(Method::POST, "/v1/gates/evaluate?strict=true", Some(spec)).await;
    let problem = assert_problem(response, 503, "gate_closed", "closed").await;
    assert!(problem["detail"].as_str().unwrap().ends_with(", and by 2 more"), "{problem}");
    push(&board, "c", "green").await;
    assert_eq!(ask().await.status(), 200);
}

#[tokio::test]
async fn refusals_are_events_that_do_not_flood() {
    let board = TestServer::start().await;
    board.put("/v1/gates/g", json!({ "checks": ["c"] })).await;
    let ask = async || board.post("/v1/gates/g/evaluate", json!({})).await;
    for _ in 0..50 {
        ask().await;
    }
    assert_eq!(refusals(&board).await, 1);
    board.advance(60.0);
    ask().await;
    ask().await;
    assert_eq!(refusals(&board).await, 2, "one a minute");
    push(&board, "c", "green").await;
    ask().await;
    push(&board, "c", "red").await;
    ask().await;
    assert_eq!(refusals(&board).await, 3, "another answer than before");
    for check in ["c", "d"] {
        for _ in 0..3 {
            board.post("/v1/gates/evaluate", json!({ "checks": [check] })).await;
        }
    }
    assert_eq!(refusals(&board).await, 5, "each gate without a name on its own");
    let event = &board.get("/v1/events?kind=gate.refused").await["items"][0];
    assert_eq!((&event["name"], &event["data"]["gate"]["checks"]), (&json!("ad-hoc"), &json!(["d"])));
}

#[tokio::test]
async fn a_named_gate_is_asked_as_it_is_and_nothing_else() {
    let board = TestServer::start().await;
    board.put("/v1/gates/g", json!({ "checks": ["c"] })).await;
    push(&board, "c", "green").await;
    for body in [None, Some(json!({}))] {
        assert_eq!(board.send(Method::POST, "/v1/gates/g/evaluate", body).await.status(), 200);
    }
    // An answer about c is none about d.
    let response = board.send(Method::POST, "/v1/gates/g/evaluate", Some(json!({ "checks": ["d"] }))).await;
    let problem = assert_problem(response, 422, "validation_failed", "checks of its own").await;
    assert_eq!(problem["errors"][0]["field"], "checks");
}

#[tokio::test]
async fn an_event_names_a_part_of_what_is_in_the_way_and_how_much_there_is() {
    let board = TestServer::start().await;
    for check in 0..40 {
        board
            .put(&format!("/v1/checks/c{check}"), json!({ "kind": "push", "labels": { "team": "x" } }))
            .await;
    }
    let verdict = board.post("/v1/gates/evaluate", json!({ "check_labels": { "team": "x" } })).await;
    assert_eq!(blockers(&verdict).len(), 40);
    let event = &board.get("/v1/events?kind=gate.refused").await["items"][0];
    assert_eq!((blockers(&event["data"]).len(), &event["data"]["blocking_count"]), (32, &json!(40)));
}

#[tokio::test]
async fn gates_survive_a_crash() {
    let board = TestServer::start().await;
    board.put("/v1/gates/g", json!({ "checks": ["c"], "max_status": "green" })).await;
    let board = board.crash().await;
    assert_eq!(board.get("/v1/gates/g").await["config"], json!({ "checks": ["c"], "max_status": "green" }));
}

#[tokio::test]
async fn who_may_only_look_may_ask() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let send = |method: Method, path: &str, token: &str, body: Value| {
        board.http.request(method, format!("{}{path}", board.url)).bearer_auth(token).json(&body).send()
    };
    let body = json!({ "name": "viewer", "scope": "read" });
    let made: Value = send(Method::POST, "/v1/tokens", "root", body).await.unwrap().json().await.unwrap();
    let viewer = made["token"].as_str().unwrap();
    let gate = json!({ "checks": ["c"] });
    assert_eq!(send(Method::PUT, "/v1/gates/g", "root", gate.clone()).await.unwrap().status(), 201);
    for (path, body) in [("/v1/gates/g/evaluate", json!({})), ("/v1/gates/evaluate", gate.clone())] {
        assert_eq!(send(Method::POST, path, viewer, body).await.unwrap().status(), 200, "{path}");
    }
    let response = send(Method::PUT, "/v1/gates/g", viewer, gate).await.unwrap();
    assert_problem(response, 403, "forbidden", "a change").await;
}
