//! Thresholds turn numbers into alerts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestServer, assert_problem};

/// The seed's example.
fn drawdown() -> Value {
    json!({ "metric_name": "portfolio_drawdown", "comparison": ">", "threshold": 0.15, "level": "warning",
        "message_template": "Portfolio drawdown too high: {value:.2%}", "for_seconds": 0 })
}

/// What a value is reason for: id, state and message of each alert.
async fn check(board: &TestServer, metric: &str, value: f64) -> Vec<(i64, String)> {
    checked(board, json!({ "metric_name": metric, "value": value })).await
}

async fn checked(board: &TestServer, body: Value) -> Vec<(i64, String)> {
    let answer = board.post("/v1/alerts/check", body).await;
    let alerts = answer["alerts"].as_array().unwrap();
    assert!(alerts.iter().all(|alert| alert["state"] == "firing"), "{answer}");
    let both = |a: &Value| (a["id"].as_i64().unwrap(), a["message"].as_str().unwrap().to_owned());
    alerts.iter().map(both).collect()
}

async fn alerts(board: &TestServer, query: &str) -> Vec<Value> {
    board.get(&format!("/v1/alerts{query}")).await["items"].as_array().unwrap().clone()
}

async fn states(board: &TestServer, query: &str) -> Vec<(i64, String)> {
    let items = alerts(board, query).await;
    items.iter().map(|a| (a["id"].as_i64().unwrap(), a["state"].as_str().unwrap().to_owned())).collect()
}

fn firing(id: i64) -> (i64, String) {
    (id, "firing".to_owned())
}

fn resolved(id: i64) -> (i64, String) {
    (id, "resolved".to_owned())
}

#[tokio::test]
async fn the_seeds_example() {
    let board = TestServer::start().await;
    let (status, made) = board.ask(Method::POST, "/v1/thresholds", Some(drawdown())).await;
    assert_eq!(status, 201);
    assert!(check(&board, "portfolio_drawdown", 0.15).await.is_empty());
    let body = json!({ "metric_name": "portfolio_drawdown", "value": 0.17 });
    let answer = board.post("/v1/alerts/check", body).await;
    let alert = &answer["alerts"][0];
    let wanted = json!({ "id": 1, "level": "warning", "message": "Portfolio drawdown too high: 17.00%",
        "timestamp": "2027-01-15T08:00:00Z", "source": "threshold", "state": "firing", "threshold_id": made["id"],
        "metric_name": "portfolio_drawdown", "labels": {}, "value": 0.17, "started_at": "2027-01-15T08:00:00Z",
        "resolved_at": null, "acknowledged": null, "annotations": {}, "generator_url": null,
        "details": { "metric_name": "portfolio_drawdown", "value": 0.17, "threshold": 0.15, "comparison": ">" } });
    assert_eq!(alert, &wanted);
    // Going on, it is answered again; the history does not grow.
    board.advance(5.0);
    assert_eq!(
        check(&board, "portfolio_drawdown", 0.2).await,
        [(1, "Portfolio drawdown too high: 20.00%".to_owned())]
    );
    let listed = alerts(&board, "").await;
    assert_eq!(
        (listed.len(), &listed[0]["value"], &listed[0]["started_at"]),
        (1, &json!(0.2), &wanted["started_at"])
    );
    assert!(check(&board, "portfolio_drawdown", 0.1).await.is_empty());
    let over = &alerts(&board, "?state=resolved").await[0];
    assert_eq!((&over["id"], &over["resolved_at"]), (&json!(1), &json!("2027-01-15T08:00:05Z")));
    assert_eq!(over["message"], "Portfolio drawdown too high: 20.00%", "as it was when it was wrong");
    let events = board.get("/v1/alerts/1/events").await;
    let kinds: Vec<_> = events["items"].as_array().unwrap().iter().map(|e| e["kind"].clone()).collect();
    assert_eq!(kinds, ["alert.resolved", "alert.firing"]);
    assert_eq!(check(&board, "portfolio_drawdown", 0.3).await[0].0, 2, "another episode");
}

#[tokio::test]
async fn the_same_definition_is_one_threshold_whoever_declares_it_at_once() {
    let board = TestServer::start().await;
    let posts = (0..32).map(|_| board.ask(Method::POST, "/v1/thresholds", Some(drawdown())));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
    assert!(
        answers.iter().all(|(status, body)| matches!(status, 200 | 201) && body["id"] == answers[0].1["id"])
    );
    let listed = board.get("/v1/thresholds?metric_name=portfolio_drawdown").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    // Every field spelled out is the same definition, and after a crash as well.
    let id = answers[0].1["id"].as_str().unwrap().to_owned();
    let board = board.crash().await;
    let config = board.get(&format!("/v1/thresholds/{id}")).await["config"].clone();
    let (status, again) = board.ask(Method::POST, "/v1/thresholds", Some(config)).await;
    assert_eq!((status, again["id"].as_str()), (200, Some(id.as_str())));
    let other = json!({ "metric_name": "portfolio_drawdown", "threshold": 0.2 });
    assert_eq!(board.ask(Method::POST, "/v1/thresholds", Some(other)).await.0, 201);
    // What an operator changed is not changed back by the next process that starts.
    let path = format!("/v1/thresholds/{id}");
    let tuned = json!({ "metric_name": "portfolio_drawdown", "threshold": 0.5 });
    assert_eq!(board.put(&path, tuned).await.0, 200);
    let (status, same) = board.ask(Method::POST, "/v1/thresholds", Some(drawdown())).await;
    assert_eq!((status, &same["config"]["threshold"]), (200, &json!(0.5)));
}

#[tokio::test]
async fn tags_conditions_lists_and_deletion_are_those_of_other_resources() {
    let board = TestServer::start().await;
    let spec = json!({ "metric_name": "m", "threshold": 1, "level": "error" });
    assert_eq!(board.put("/v1/thresholds/a", spec.clone()).await.0, 201);
    assert_eq!(board.put("/v1/thresholds/a", spec.clone()).await.0, 200);
    let tag = board.send(Method::GET, "/v1/thresholds/a", None).await.headers()["etag"].clone();
    let url = format!("{}/v1/thresholds/a", board.url);
    let stale = board.http.put(&url).header("if-match", "\"other\"").json(&spec).send().await.unwrap();
    assert_problem(stale, 412, "precondition_failed", "another tag").await;
    assert_eq!(board.http.put(&url).header("if-match", tag).json(&spec).send().await.unwrap().status(), 200);
    board.put("/v1/thresholds/b", json!({ "metric_name": "m", "threshold": 2 })).await;
    let ids = async |query: &str| {
        let listed = board.get(&format!("/v1/thresholds{query}")).await;
        let items = listed["items"].as_array().unwrap();
        (
            items.iter().map(|t| t["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            listed["next_cursor"].clone(),
        )
    };
    assert_eq!(ids("?metric_name=m").await.0, ["a", "b"]);
    assert_eq!(ids("?metric_name=m&level=error").await.0, ["a"]);
    assert_eq!(ids("?metric_name=m&limit=1").await, (vec!["a".to_owned()], json!("a")));
    assert_eq!(ids("?metric_name=m&limit=1&cursor=a").await, (vec!["b".to_owned()], Value::Null));
    assert_eq!(ids("").await.0.len(), 6, "with those of the board itself");
    check(&board, "m", 5.0).await;
    assert_eq!(board.get("/v1/thresholds/a").await["firing"], 1);
    assert_eq!(board.delete("/v1/thresholds/a").await, 204);
    assert_eq!(board.delete("/v1/thresholds/a").await, 404);
    assert_eq!(states(&board, "?threshold_id=a").await, [resolved(1)], "what it raised is over, and stays");
    let board = board.crash().await;
    assert_eq!(states(&board, "").await, [firing(2), resolved(1)]);
}

#[tokio::test]
async fn bad_definitions_and_values_are_refused_by_field() {
    let board = TestServer::start().await;
    for (body, field) in [
        (json!({}), "metric_name"),
        (json!({ "metric_name": "m" }), "threshold"),
        (json!({ "metric_name": "m", "threshold": "1" }), "threshold"),
        (json!({ "metric_name": "m", "threshold": 1, "comparison": "=" }), "comparison"),
        (json!({ "metric_name": "m", "threshold": 1, "level": "bad" }), "level"),
        (json!({ "metric_name": "m", "threshold": 1, "for_seconds": -1 }), "for_seconds"),
        (json!({ "metric_name": "m", "threshold": 1, "labels": { "a-b": "1" } }), "labels"),
        (json!({ "metric_name": "m", "threshold": 1, "unknown": 1 }), "unknown"),
        (json!({ "metric_name": "m".repeat(201), "threshold": 1 }), "metric_name"),
        (json!({ "metric_name": "fuseboard_up", "threshold": 1 }), "metric_name"),
    ] {
        let response = board.send(Method::POST, "/v1/thresholds", Some(body.clone())).await;
        let problem = assert_problem(response, 422, "validation_failed", &body.to_string()).await;
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let template = json!({ "metric_name": "m", "threshold": 1, "message_template": "high: {value:d}" });
    let response = board.send(Method::POST, "/v1/thresholds", Some(template)).await;
    let problem = assert_problem(response, 422, "validation_failed", "a template that Python refuses").await;
    let error = &problem["errors"][0];
    assert_eq!(error["field"], "message_template");
    assert!(error["message"].as_str().unwrap().starts_with("at character "), "{error}");
    for (body, field) in [
        (json!({ "value": 1 }), "metric_name"),
        (json!({ "metric_name": "m" }), "value"),
        (json!({ "metric_name": "m", "value": null }), "value"),
        (json!({ "metric_name": "", "value": 1 }), "metric_name"),
        (json!({ "metric_name": "fuseboard_check_red", "value": 1 }), "metric_name"),
        (json!({ "metric_name": "m", "value": 1, "labels": { "le": "1" } }), "labels"),
        (json!({ "metric_name": "m", "value": 1, "labels": { "a": 1 } }), "labels.a"),
    ] {
        let response = board.send(Method::POST, "/v1/alerts/check", Some(body.clone())).await;
        let problem = assert_problem(response, 422, "validation_failed", &body.to_string()).await;
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let send = async |body: String| {
        let request = board.http.post(format!("{}/v1/alerts/check", board.url));
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    };
    for body in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let response = send(format!(r#"{{"metric_name":"m","value":{body}}}"#)).await;
        assert_problem(response, 422, "validation_failed", body).await;
    }
    for body in [String::new(), "{".to_owned(), "[".repeat(100_000)] {
        let response = send(body).await;
        assert_problem(response, 400, "bad_json", "no JSON").await;
    }
    let twice = send(r#"{"metric_name":"m","value":1,"labels":{"a":"1","a":"2"}}"#.to_owned()).await;
    assert_problem(twice, 422, "validation_failed", "a label twice").await;
    for path in ["/v1/thresholds/-x", "/v1/alerts/x", "/v1/alerts/99999999999999999999"] {
        let response = board.send(Method::GET, path, None).await;
        assert_problem(response, 422, "validation_failed", path).await;
    }
    let response = board.send(Method::GET, "/v1/alerts?since=yesterday", None).await;
    assert_problem(response, 422, "validation_failed", "no time").await;
    let response = board.send(Method::PUT, "/v1/alerts/check", Some(json!({}))).await;
    assert_problem(response, 405, "method_not_allowed", "method").await;
    let response = board.send(Method::PUT, "/v1/thresholds/builtin.other", Some(drawdown())).await;
    assert_problem(response, 422, "validation_failed", "an id of the board's own").await;
}

#[tokio::test]
async fn for_seconds_goes_on_over_restarts_and_crashes() {
    let board = TestServer::start().await;
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 1, "for_seconds": 60 })).await;
    assert!(check(&board, "m", 2.0).await.is_empty());
    assert_eq!(board.get("/v1/thresholds/t").await["pending"], 1);
    board.advance(20.0);
    let board = board.crash().await;
    board.advance(20.0);
    let board = board.restart().await;
    board.advance(19.0);
    assert!(check(&board, "m", 3.0).await.is_empty(), "59 s");
    board.advance(1.0);
    let listed = alerts(&board, "").await;
    assert_eq!(
        (&listed[0]["started_at"], &listed[0]["message"]),
        (&json!("2027-01-15T08:01:00Z"), &json!("m > 1.0: 3.0"))
    );
    let board = board.crash().await;
    assert_eq!(states(&board, "").await, [firing(1)]);
    assert_eq!(check(&board, "m", 3.0).await, [(1, "m > 1.0: 3.0".to_owned())]);
    check(&board, "m", 0.0).await;
    check(&board, "m", 2.0).await;
    board.advance(30.0);
    check(&board, "m", 0.0).await;
    check(&board, "m", 2.0).await;
    board.advance(59.0);
    assert_eq!(states(&board, "").await, [resolved(1)], "the wait begins anew after each good value");
    // What was due while the server was away is told with its own time.
    let board = board.restart().await;
    board.advance(100.0);
    let listed = alerts(&board, "?state=firing").await;
    assert_eq!(listed[0]["started_at"], "2027-01-15T08:02:30Z");
}

#[tokio::test]
async fn it_keeps_firing_for_a_while_and_over_a_crash() {
    let board = TestServer::start().await;
    let spec = json!({ "metric_name": "m", "threshold": 1, "keep_firing_for_seconds": 60 });
    board.put("/v1/thresholds/t", spec).await;
    check(&board, "m", 2.0).await;
    assert!(check(&board, "m", 0.0).await.is_empty(), "this value is no reason");
    assert_eq!(states(&board, "").await, [firing(1)]);
    board.advance(50.0);
    assert_eq!(check(&board, "m", 2.0).await.len(), 1);
    check(&board, "m", 0.0).await;
    board.advance(50.0);
    let board = board.crash().await;
    assert_eq!(states(&board, "").await, [firing(1)]);
    board.advance(10.0);
    assert_eq!(states(&board, "").await, [resolved(1)]);
    assert_eq!(alerts(&board, "").await[0]["resolved_at"], "2027-01-15T08:01:50Z");
}

#[tokio::test]
async fn each_series_has_an_alert_and_labels_choose_among_them() {
    let board = TestServer::start().await;
    board.put("/v1/thresholds/all", json!({ "metric_name": "m", "threshold": 1 })).await;
    let spec =
        json!({ "metric_name": "m", "threshold": 1, "labels": { "strategy": "ma" }, "level": "critical" });
    board.put("/v1/thresholds/ma", spec).await;
    let of = async |strategy: &str, value: f64| {
        let labels = json!({ "strategy": strategy, "bot": "7" });
        checked(&board, json!({ "metric_name": "m", "value": value, "labels": labels })).await
    };
    assert_eq!(of("rsi", 2.0).await.len(), 1);
    assert_eq!(of("ma", 2.0).await.len(), 2);
    assert_eq!(alerts(&board, "?level=critical").await[0]["labels"], json!({ "bot": "7", "strategy": "ma" }));
    of("rsi", 0.0).await;
    assert_eq!(states(&board, "?state=firing").await.len(), 2);
    assert_eq!(states(&board, "?threshold_id=all&state=firing").await.len(), 1);
    assert_eq!(alerts(&board, "?state=resolved").await[0]["labels"]["strategy"], "rsi");
}

#[tokio::test]
async fn what_stops_coming_is_well_or_an_alert_or_as_it_was() {
    let board = TestServer::start().await;
    for no_data in ["keep", "ok", "alert"] {
        let spec = json!({ "metric_name": no_data, "threshold": 1, "no_data": no_data, "no_data_after_seconds": 60 });
        board.put(&format!("/v1/thresholds/{no_data}"), spec).await;
    }
    check(&board, "keep", 2.0).await;
    check(&board, "ok", 2.0).await;
    check(&board, "alert", 0.0).await;
    assert_eq!(states(&board, "").await, [firing(2), firing(1)]);
    board.advance(60.0);
    assert_eq!(states(&board, "").await, [firing(3), resolved(2), firing(1)]);
    let silent = &alerts(&board, "?metric_name=alert").await[0];
    assert_eq!((&silent["message"], &silent["value"]), (&json!("alert: no data for 60 s"), &Value::Null));
    check(&board, "alert", 0.0).await;
    assert_eq!(states(&board, "?metric_name=alert").await, [resolved(3)]);
    // Known series are missed after a crash, too; and where there never was one, its absence is an alert.
    let board = board.crash().await;
    let spec = json!({ "metric_name": "never", "threshold": 1, "labels": { "a": "b" }, "no_data": "alert" });
    board.put("/v1/thresholds/never", spec).await;
    board.advance(60.0);
    assert_eq!(states(&board, "?metric_name=alert&state=firing").await.len(), 1);
    board.advance(240.0);
    let absent = &alerts(&board, "?metric_name=never").await[0];
    assert_eq!(absent["labels"], json!({ "a": "b" }));
    checked(&board, json!({ "metric_name": "never", "value": 0, "labels": { "a": "b", "c": "d" } })).await;
    assert_eq!(states(&board, "?metric_name=never&state=firing").await, []);
}

#[tokio::test]
async fn another_definition_judges_what_goes_on() {
    let board = TestServer::start().await;
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 1 })).await;
    check(&board, "m", 5.0).await;
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 2, "level": "critical" })).await;
    let alert = &alerts(&board, "").await[0];
    assert_eq!(
        (&alert["id"], &alert["level"], &alert["message"]),
        (&json!(1), &json!("critical"), &json!("m > 2.0: 5.0"))
    );
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 9 })).await;
    assert_eq!(states(&board, "").await, [resolved(1)]);
    check(&board, "m", 10.0).await;
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 9, "enabled": false })).await;
    assert_eq!(states(&board, "?state=firing").await, []);
    assert!(check(&board, "m", 10.0).await.is_empty());
    board.put("/v1/thresholds/t", json!({ "metric_name": "n", "threshold": 9 })).await;
    assert!(check(&board, "m", 10.0).await.is_empty());
    assert_eq!(check(&board, "n", 10.0).await.len(), 1);
}

#[tokio::test]
async fn a_threshold_remembers_so_many_series_and_says_so() {
    let board = TestServer::start_with(|config| config.limits.max_series_per_threshold = 2).await;
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 1 })).await;
    let ask = async |bot: u32, value: f64| {
        let body = json!({ "metric_name": "m", "value": value, "labels": { "bot": bot.to_string() } });
        board.send(Method::POST, "/v1/alerts/check", Some(body)).await
    };
    assert_eq!(ask(1, 2.0).await.status(), 200);
    assert_eq!(ask(2, 2.0).await.status(), 200);
    assert_problem(ask(3, 2.0).await, 507, "limit_reached", "one too many").await;
    assert_eq!(ask(3, 0.0).await.status(), 200, "what is well needs no place");
    let metrics =
        board.http.get(format!("{}/metrics", board.url)).send().await.unwrap().text().await.unwrap();
    for line in [
        "fuseboard_threshold_series_refused_total 1",
        "fuseboard_threshold_series 2",
        "fuseboard_alerts_firing{level=\"warning\"} 2",
        "fuseboard_alert_transitions_total{kind=\"firing\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    assert_eq!(ask(1, 0.0).await.status(), 200);
    assert_eq!(ask(3, 2.0).await.status(), 200);
}

#[tokio::test]
async fn while_the_disk_takes_nothing_nobody_is_told_and_afterwards_the_alert_is_there_once() {
    let board = TestServer::start().await;
    board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 1 })).await;
    board.put("/v1/thresholds/n", json!({ "metric_name": "n", "threshold": 1 })).await;
    check(&board, "n", 2.0).await;
    let file = board.board.store.readers.connect_options().get_filename().to_owned();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let body = json!({ "metric_name": "m", "value": 2 });
    let response = board.send(Method::POST, "/v1/alerts/check", Some(body.clone())).await;
    assert_eq!(response.headers()["retry-after"], "1");
    assert_problem(response, 503, "storage_unavailable", "a new alert").await;
    assert_eq!(board.board.alerts.firing().len(), 1, "what is not on disk is shown to nobody");
    let again = board.send(Method::POST, "/v1/alerts/check", Some(body)).await;
    assert_problem(again, 503, "storage_unavailable", "it goes on, and is not on disk yet").await;
    assert_eq!(check(&board, "n", 3.0).await, [(1, "n > 1.0: 3.0".to_owned())], "what is on disk is told");
    sqlx::Connection::close(other).await.unwrap();
    // What was decided reaches the disk by itself.
    board.board.flush_journal().await.unwrap();
    assert_eq!(states(&board, "").await, [firing(2), firing(1)]);
    assert_eq!(check(&board, "m", 2.0).await.len(), 1);
    let board = board.crash().await;
    assert_eq!(states(&board, "").await, [firing(2), firing(1)]);
}

/// Of a threshold, the value of the series that is nearest to it, or furthest beyond it, and whose label `s` says which.
async fn nearest(board: &TestServer, id: &str) -> (Value, Value) {
    let view = board.get(&format!("/v1/thresholds/{id}")).await;
    (view["nearest"]["labels"]["s"].clone(), view["nearest"]["value"].clone())
}

#[tokio::test]
async fn a_threshold_says_which_series_is_nearest_to_it() {
    let board = TestServer::start().await;
    for (id, comparison) in [("above", ">"), ("below", "<"), ("same", "=="), ("other", "!=")] {
        let spec = json!({ "metric_name": "depth", "comparison": comparison, "threshold": 10 });
        let (status, view) = board.put(&format!("/v1/thresholds/{id}"), spec).await;
        assert_eq!((status, &view["nearest"]), (201, &json!(null)), "{view}");
    }
    let chosen = json!({ "metric_name": "depth", "threshold": 10, "labels": { "s": "a" } });
    board.put("/v1/thresholds/chosen", chosen).await;
    let sample = |series: &str, value: f64| json!({ "name": "depth", "type": "gauge", "value": value, "labels": { "s": series } });
    board
        .post("/v1/metrics", json!({ "samples": [sample("a", 4.0), sample("b", 25.0), sample("c", 9.0)] }))
        .await;
    for (id, series, value) in [
        ("above", "b", 25.0),
        ("below", "a", 4.0),
        ("same", "c", 9.0),
        ("other", "b", 25.0),
        ("chosen", "a", 4.0),
    ] {
        assert_eq!(nearest(&board, id).await, (json!(series), json!(value)), "{id}");
    }
    // What is asked about and not pushed is seen as long as it breaches.
    checked(&board, json!({ "metric_name": "depth", "value": 30, "labels": { "s": "d" } })).await;
    assert_eq!(nearest(&board, "above").await, (json!("d"), json!(30.0)));
    checked(&board, json!({ "metric_name": "depth", "value": 1, "labels": { "s": "d" } })).await;
    assert_eq!(nearest(&board, "above").await, (json!("b"), json!(25.0)));
    let off = json!({ "metric_name": "depth", "threshold": 10, "enabled": false });
    let (_, view) = board.put("/v1/thresholds/above", off).await;
    assert_eq!(view["nearest"], json!(null));
}

#[tokio::test]
async fn values_that_are_too_old_to_count_are_not_near() {
    let board = TestServer::start().await;
    let spec =
        json!({ "metric_name": "depth", "threshold": 10, "no_data": "ok", "no_data_after_seconds": 60 });
    board.put("/v1/thresholds/t", spec).await;
    board.post("/v1/metrics", json!({ "samples": [{ "name": "depth", "type": "gauge", "value": 4 }] })).await;
    assert_eq!(board.get("/v1/thresholds/t").await["nearest"]["value"], 4.0);
    board.advance(61.0);
    assert_eq!(board.get("/v1/thresholds/t").await["nearest"], json!(null));
}
