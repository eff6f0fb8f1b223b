//! The board raises alerts about itself.

use fuseboard::{config::Config, domain::threshold::own::OwnMetric};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, assert_problem};

/// Of each alert the threshold, the state, the labels and the message, newest first.
async fn shown(board: &TestServer, query: &str) -> Vec<(String, String, Value, String)> {
    board.board.step_thresholds().await.unwrap();
    let listed = board.get(&format!("/v1/alerts{query}")).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let show =
        |a: &Value| (text(&a["threshold_id"]), text(&a["state"]), a["labels"].clone(), text(&a["message"]));
    listed["items"].as_array().unwrap().iter().map(show).collect()
}

async fn firing(board: &TestServer) -> Vec<(String, Value)> {
    shown(board, "?state=firing").await.into_iter().map(|(id, _, labels, _)| (id, labels)).collect()
}

async fn push(board: &TestServer, check: &str, status: &str) {
    let result = json!({ "status": status, "message": "as told" });
    board.post(&format!("/v1/checks/{check}/results"), result).await;
}

fn one(id: &str, labels: Value) -> Vec<(String, Value)> {
    vec![(format!("builtin.{id}"), labels)]
}

#[tokio::test]
async fn a_breaker_that_opens_is_an_alert_until_it_is_closed() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/x", json!({ "failure_threshold": 2, "timeout_seconds": 60 })).await;
    board.fail("x", "a", 2).await;
    let (threshold, state, labels, message) = shown(&board, "").await.remove(0);
    assert_eq!(
        (threshold.as_str(), state.as_str(), labels),
        ("builtin.breaker_open", "firing", json!({ "breaker": "x" }))
    );
    assert_eq!(message, "breaker x is open: calls are refused (failure_threshold)");
    // Tests that fail are the same outage.
    board.advance(61.0);
    board.fail("x", "a", 1).await;
    let board = board.crash().await;
    assert_eq!(firing(&board).await, one("breaker_open", json!({ "breaker": "x" })));
    let message = &shown(&board, "").await[0].3;
    assert_eq!(
        message, "breaker x is open: calls are refused (failure_threshold)",
        "found again, not told again"
    );
    board.advance(61.0);
    let call = board.enter("x", "a").await;
    board.report(&call, "success").await;
    assert_eq!(firing(&board).await, []);
    assert_eq!(shown(&board, "").await.len(), 1, "one outage, one alert");
    // An operator who refuses calls knows it.
    board.post("/v1/breakers/x/state", json!({ "target": "forced_open" })).await;
    assert_eq!(firing(&board).await, []);
    board.put("/v1/breakers/y", json!({ "failure_threshold": 1 })).await;
    board.fail("y", "a", 1).await;
    assert_eq!(firing(&board).await.len(), 1);
    board.delete("/v1/breakers/y").await;
    assert_eq!(firing(&board).await, []);
}

#[tokio::test]
async fn checks_schedules_and_backups_are_watched_too() {
    let board = TestServer::start().await;
    board.put("/v1/checks/c", json!({ "kind": "push", "stale_after_seconds": 60 })).await;
    assert_eq!(firing(&board).await, [], "what never had a result did not turn red");
    push(&board, "c", "red").await;
    assert_eq!(shown(&board, "").await[0].3, "check c is red: as told");
    push(&board, "c", "green").await;
    assert_eq!(firing(&board).await, []);
    board.advance(61.0);
    board.board.advance_checks();
    let stale = shown(&board, "?state=firing").await;
    assert!(stale[0].3.starts_with("check c is stale: no result for 60 s"), "{stale:?}");
    push(&board, "c", "yellow").await;
    assert_eq!(firing(&board).await, []);

    board
        .put("/v1/schedules/s", json!({ "interval_seconds": 3600, "action": { "kind": "run_checks" } }))
        .await;
    let board = board.crash().await;
    push(&board, "c", "green").await;
    board.advance(2.5 * 3600.0);
    let board = board.crash().await;
    board.board.advance_schedules().await.unwrap();
    let missed = shown(&board, "?threshold_id=builtin.schedule_missed").await;
    assert_eq!((missed[0].1.as_str(), &missed[0].2), ("firing", &json!({ "schedule": "s" })));
    assert!(missed[0].3.starts_with("schedule s did not run when it was due at "), "{missed:?}");
    let run = board.ask(Method::POST, "/v1/schedules/s/run", Some(json!({}))).await;
    assert_eq!(run.0, 202);
    assert_eq!(shown(&board, "?threshold_id=builtin.schedule_missed").await[0].1, "resolved");

    let (status, backup) = board
        .ask(
            Method::POST,
            "/v1/backups",
            Some(json!({ "backup_type": "daily", "data": { "a": "x".repeat(5000) } })),
        )
        .await;
    assert_eq!(status, 201);
    let writer = board.board.store.writer.clone();
    let tamper = writer.write(|connection| {
        Box::pin(async move {
            let damage = "UPDATE chunks SET content = zeroblob(length(content))";
            Ok(sqlx::query(damage).execute(connection).await?.rows_affected())
        })
    });
    tamper.await.unwrap();
    let id = backup["backup_id"].as_str().unwrap().to_owned();
    assert_eq!(board.ask(Method::POST, &format!("/v1/backups/{id}/verify"), None).await.1["valid"], false);
    let labels = json!({ "backup": id, "backup_type": "daily" });
    let corrupt = shown(&board, "?threshold_id=builtin.backup_corrupt").await;
    assert_eq!((corrupt[0].1.as_str(), &corrupt[0].2), ("firing", &labels));
    assert!(corrupt[0].3.starts_with(&format!("backup {id} is damaged: ")), "{corrupt:?}");
    let board = board.crash().await;
    assert!(firing(&board).await.contains(&one("backup_corrupt", labels)[0]));
    board.delete(&format!("/v1/backups/{id}")).await;
    assert_eq!(shown(&board, "?threshold_id=builtin.backup_corrupt").await[0].1, "resolved");
}

#[tokio::test]
async fn they_are_thresholds_that_can_be_changed_switched_off_and_put_back() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/x", json!({ "failure_threshold": 1 })).await;
    let listed = board.get("/v1/thresholds").await;
    let ids: Vec<_> = listed["items"].as_array().unwrap().iter().map(|t| t["id"].clone()).collect();
    let wanted = ["backup_corrupt", "breaker_open", "check_red", "schedule_missed"];
    assert_eq!(ids, wanted.map(|id| json!(format!("builtin.{id}"))));
    let path = "/v1/thresholds/builtin.breaker_open";
    let before = board.get(path).await;
    assert_eq!((&before["built_in"], &before["level"]), (&json!(true), &json!("error")));
    let empty = board.get("/v1/board").await["thresholds"].clone();
    assert_eq!(empty, json!({}), "what nobody declared is in no document");
    assert_problem(board.send(Method::DELETE, path, None).await, 409, "conflict", "built in").await;
    // Opened before anybody looked.
    let (status, view) = board.put(path, json!({ "enabled": false })).await;
    assert_eq!((status, &view["enabled"], &view["built_in"]), (200, &json!(false), &json!(false)));
    board.fail("x", "a", 1).await;
    assert_eq!(firing(&board).await, []);
    let board = board.crash().await;
    assert_eq!(firing(&board).await, []);
    let mine = json!({ "level": "critical", "for_seconds": 30, "message_template": "{level}!" });
    let (status, view) = board.put(path, mine).await;
    assert_eq!((status, &view["pending"]), (200, &json!(1)), "{view}");
    board.advance(30.0);
    assert_eq!(shown(&board, "").await[0].3, "critical!");
    assert_eq!(board.delete(path).await, 204);
    let after = board.get(path).await;
    assert_eq!((&after["built_in"], &after["config"]), (&json!(true), &before["config"]));
    assert_eq!(firing(&board).await.len(), 1, "judged by the definition that it has again");
    // Anybody may look at them in another way.
    let (status, _) = board
        .put(
            "/v1/thresholds/kraken",
            json!({ "metric_name": "fuseboard_breaker_open", "threshold": 0,
            "labels": { "breaker": "kraken" }, "message_template": "kraken" }),
        )
        .await;
    assert_eq!(status, 201);
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 1 })).await;
    board.fail("kraken", "a", 1).await;
    assert_eq!(firing(&board).await.len(), 3);
}

#[tokio::test]
async fn the_configuration_switches_them() {
    let none = |config: &mut Config| config.declarations.built_in_thresholds.clear();
    let board = TestServer::start_with(none).await;
    board.put("/v1/breakers/x", json!({ "failure_threshold": 1 })).await;
    board.fail("x", "a", 1).await;
    push(&board, "c", "green").await;
    push(&board, "c", "red").await;
    assert_eq!(firing(&board).await, []);
    let board = board
        .restart_with(|config| config.declarations.built_in_thresholds = vec![OwnMetric::CheckRed])
        .await;
    assert_eq!(firing(&board).await, one("check_red", json!({ "check": "c" })), "as things are");
    let board = board.restart_with(none).await;
    assert_eq!(firing(&board).await, []);
    assert_eq!(shown(&board, "").await[0].1, "resolved");
}
