use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use fuseboard::{
    app::alerts::ExternalAlert,
    domain::{
        LabelSet,
        alert::{Alert, AlertLevel, AlertState},
    },
};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    cli::run,
    process::Process,
    support::{TestServer, assert_problem},
};

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.to_vec()).unwrap()
}

fn sent(name: &str, message: &str) -> ExternalAlert {
    ExternalAlert {
        name: name.to_owned(),
        labels: labels(&[("instance", "a")]),
        level: AlertLevel::Error,
        annotations: LabelSet::default(),
        message: message.to_owned(),
        starts_at: None,
        ends_at: None,
        generator_url: None,
    }
}

fn shown(board: &TestServer) -> Vec<(i64, AlertState, String)> {
    let show = |alert: Arc<Alert>| (alert.id, alert.state, alert.message.clone());
    board.board.alerts.live().into_iter().map(show).collect()
}

async fn events(board: &TestServer) -> Vec<String> {
    let listed = board.get("/v1/events?resource=alert").await;
    let items = listed["items"].as_array().unwrap().clone();
    items.iter().rev().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn alerts_from_outside_are_one_while_they_are_sent_and_end_when_they_are_not() {
    let board = TestServer::start().await;
    let changed = board.board.alerts.changed();
    let raise = async |alert| board.board.alert_raise_external(vec![alert]).await.unwrap();
    raise(sent("Down", "it is down")).await;
    assert_eq!(shown(&board), [(1, AlertState::Firing, "it is down".to_owned())]);
    assert_eq!(*changed.borrow(), 1);
    board.advance(240.0);
    raise(sent("Down", "it is down")).await;
    assert_eq!(*changed.borrow(), 1, "nothing new");
    raise(ExternalAlert { level: AlertLevel::Critical, ..sent("Down", "worse") }).await;
    raise(sent("Down", "still down")).await;
    assert_eq!(*changed.borrow(), 3);
    let both =
        [(1, AlertState::Firing, "still down".to_owned()), (2, AlertState::Firing, "worse".to_owned())];
    assert_eq!(shown(&board), both);

    // As after kill -9, both go on, with as much time as if they had just been sent.
    let board = board.crash().await;
    assert_eq!(shown(&board), both);
    board.advance(299.0);
    board.board.expire_external_alerts().unwrap();
    assert_eq!(board.board.alerts.firing().len(), 2);
    let over = board.clock.wall() - Duration::from_secs(1);
    board
        .board
        .alert_raise_external(vec![ExternalAlert { ends_at: Some(over), ..sent("Down", "") }])
        .await
        .unwrap();
    board.advance(1.0);
    board.board.expire_external_alerts().unwrap();
    let kinds = events(&board).await;
    let wanted = ["firing", "firing", "updated", "resolved", "resolved"];
    assert_eq!(kinds, wanted.map(|kind| format!("alert.{kind}")));
    let live = board.board.alerts.live();
    assert_eq!(
        live.iter().map(|a| (a.id, a.resolved_at)).collect::<Vec<_>>(),
        [(1, Some(over)), (2, Some(board.clock.wall())),]
    );
    let after = board.restart().await;
    assert_eq!(after.board.alerts.live().len(), 2);
    raise_one(&after, "Down").await;
    assert_eq!(after.board.alerts.firing()[0].id, 5003, "no id is used again, what a crash lost neither");
    after.advance(3601.0);
    raise_one(&after, "Other").await;
    assert_eq!(after.board.alerts.live().iter().map(|a| a.id).collect::<Vec<_>>(), [5003, 5004]);
}

async fn raise_one(board: &TestServer, name: &str) {
    board.board.alert_raise_external(vec![sent(name, "")]).await.unwrap();
}

#[tokio::test]
async fn gates_are_closed_by_alerts_that_fire() {
    let board = TestServer::start().await;
    let ask = async || {
        board.post("/v1/gates/evaluate", json!({ "alerts": { "min_level": "error" } })).await["allowed"]
            .clone()
    };
    assert_eq!(ask().await, true);
    raise_one(&board, "Down").await;
    assert_eq!(ask().await, false);
    let end = Timestamp::UNIX_EPOCH;
    board
        .board
        .alert_raise_external(vec![ExternalAlert { ends_at: Some(end), ..sent("Down", "") }])
        .await
        .unwrap();
    assert_eq!(ask().await, true);
}

async fn declare(board: &TestServer) {
    assert_eq!(board.put("/v1/thresholds/t", json!({ "metric_name": "m", "threshold": 1 })).await.0, 201);
}

async fn check(board: &TestServer, value: f64) -> Value {
    board.post("/v1/alerts/check", json!({ "metric_name": "m", "value": value })).await["alerts"].clone()
}

#[tokio::test]
async fn somebody_has_seen_an_alert_and_that_stays() {
    let board = TestServer::start().await;
    declare(&board).await;
    check(&board, 2.0).await;
    let ack = async |board: &TestServer, id: i64, body: Value| {
        board.ask(Method::POST, &format!("/v1/alerts/{id}/acknowledge"), Some(body)).await
    };
    let (status, alert) = ack(&board, 1, json!({ "comment": "on it", "actor": "ada" })).await;
    let seen = json!({ "by": "ada", "comment": "on it", "at": "2027-01-15T08:00:00Z" });
    assert_eq!((status, &alert["acknowledged"]), (200, &seen));
    let board = board.crash().await;
    assert_eq!(check(&board, 3.0).await[0]["acknowledged"], seen);
    check(&board, 0.0).await;
    let over = board.get("/v1/alerts/1").await;
    assert_eq!((&over["state"], &over["acknowledged"]), (&json!("resolved"), &seen));
    // What is over can be commented on as well, also when memory has forgotten it.
    board.advance(7200.0);
    check(&board, 2.0).await;
    let (status, alert) = ack(&board, 1, json!({ "comment": "was the disk" })).await;
    assert_eq!((status, &alert["acknowledged"]["by"]), (200, &json!("anonymous")));
    assert_eq!(board.get("/v1/alerts/1").await["acknowledged"]["comment"], "was the disk");
    let events = board.get("/v1/alerts/1/events").await["items"].clone();
    let kinds: Vec<_> = events.as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    let wanted = ["alert.acknowledged", "alert.resolved", "alert.acknowledged", "alert.firing"];
    assert_eq!(kinds, wanted);
    assert_eq!(ack(&board, 99, json!({})).await.0, 404);
    for (body, field) in [
        (json!({ "comment": "x".repeat(1025) }), "comment"),
        (json!({ "comment": 1 }), "comment"),
        (json!({ "note": "" }), "note"),
    ] {
        let (status, problem) = ack(&board, 1, body).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)));
    }
    board.board.alert_raise_external(vec![sent("Down", "down")]).await.unwrap();
    let down = board.get("/v1/alerts").await["items"][0]["id"].as_i64().unwrap();
    ack(&board, down, json!({ "comment": "known" })).await;
    board.board.alert_raise_external(vec![sent("Down", "still down")]).await.unwrap();
    let alert = board.get(&format!("/v1/alerts/{down}")).await;
    assert_eq!(
        (&alert["message"], &alert["acknowledged"]["comment"]),
        (&json!("still down"), &json!("known"))
    );
}

#[tokio::test]
async fn lists_have_filters_and_cursors() {
    let board = TestServer::start().await;
    declare(&board).await;
    for _ in 0..3 {
        check(&board, 2.0).await;
        check(&board, 0.0).await;
        board.advance(60.0);
    }
    check(&board, 2.0).await;
    raise_one(&board, "Down").await;
    let ids = async |query: &str| {
        let page = board.get(&format!("/v1/alerts{query}")).await;
        let ids: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|a| a["id"].as_i64().unwrap()).collect();
        (ids, page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(ids("").await, (vec![5, 4, 3, 2, 1], None));
    assert_eq!(ids("?limit=2").await, (vec![5, 4], Some("4".to_owned())));
    assert_eq!(ids("?limit=2&cursor=4").await, (vec![3, 2], Some("2".to_owned())));
    assert_eq!(ids("?limit=2&cursor=2").await, (vec![1], None));
    assert_eq!(ids("?state=firing&limit=1").await, (vec![5], Some("5".to_owned())));
    assert_eq!(ids("?state=firing&limit=1&cursor=5").await, (vec![4], None));
    assert_eq!(ids("?metric_name=m&state=resolved").await.0, [3, 2, 1]);
    assert_eq!(ids("?level=error").await.0, [5]);
    assert_eq!(ids("?threshold_id=t&since=2027-01-15T08:02:00Z").await.0, [4, 3]);
    assert_eq!(ids("?until=2027-01-15T08:02:00Z").await.0, [2, 1]);
    assert_eq!(ids("?metric_name=other").await.0, [] as [i64; 0]);
}

#[tokio::test]
async fn what_is_over_is_deleted_by_hand_by_age_and_by_number() {
    let board = TestServer::start_with(|config| {
        config.limits.max_alerts = 3;
        config.limits.alerts_retention = Duration::from_secs(86_400);
        config.limits.max_events = 4;
    })
    .await;
    declare(&board).await;
    let ids = async || {
        let items = board.get("/v1/alerts").await["items"].clone();
        items.as_array().unwrap().iter().map(|a| a["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    for _ in 0..5 {
        check(&board, 2.0).await;
        check(&board, 0.0).await;
    }
    check(&board, 2.0).await;
    board.board.prune_alerts().await.unwrap();
    assert_eq!(ids().await, [6, 5, 4, 3], "three that are over, and those that go on");
    let response = board.send(Method::DELETE, "/v1/alerts/6", None).await;
    assert_problem(response, 409, "conflict", "firing").await;
    assert_eq!(board.delete("/v1/alerts/5").await, 204);
    assert_eq!(board.delete("/v1/alerts/5").await, 404);
    // The events are gone before the alerts.
    board.board.prune().await.unwrap();
    let events = board.get("/v1/alerts/3/events").await["items"].clone();
    let kinds: Vec<_> =
        events.as_array().unwrap().iter().map(|e| (&e["id"], e["kind"].as_str().unwrap())).collect();
    assert_eq!(kinds, [(&json!(0), "alert.resolved"), (&json!(0), "alert.firing")]);
    board.advance(86_401.0);
    board.board.prune_alerts().await.unwrap();
    assert_eq!(ids().await, [6]);
    check(&board, 0.0).await;
    let (status, cleared) = board.ask(Method::DELETE, "/v1/alerts?metric_name=other", None).await;
    assert_eq!((status, cleared), (200, json!({ "deleted": 0 })));
    assert_eq!(board.ask(Method::DELETE, "/v1/alerts", None).await.1, json!({ "deleted": 1 }));
    assert_eq!(ids().await, [] as [i64; 0]);
    assert!(board.board.alerts.live().is_empty());
    let board = board.crash().await;
    check(&board, 2.0).await;
    assert!(board.get("/v1/alerts").await["items"][0]["id"].as_i64() > Some(6), "no id is used again");
}

#[tokio::test]
async fn pushed_numbers_are_looked_at() {
    let board = TestServer::start().await;
    let push = async |value: f64| {
        let sample =
            json!({ "name": "m", "type": "gauge", "op": "set", "value": value, "labels": { "bot": "7" } });
        board.post("/v1/metrics", json!({ "samples": [sample] })).await["alerts"].clone()
    };
    assert_eq!(push(5.0).await, json!([]));
    declare(&board).await;
    let alerts = board.get("/v1/alerts").await["items"].clone();
    assert_eq!(alerts[0]["labels"], json!({ "bot": "7" }), "what was there before the threshold");
    assert_eq!(push(6.0).await, json!([]), "it goes on");
    assert_eq!(board.get("/v1/alerts/1").await["value"], 6.0);
    assert_eq!(push(0.0).await, json!([]));
    let fired = push(7.0).await;
    assert_eq!((&fired[0]["id"], &fired[0]["message"]), (&json!(2), &json!("m > 1.0: 7.0")));
    let board = board.crash().await;
    assert_eq!(board.get("/v1/alerts?state=firing").await["items"][0]["id"], 2, "none twice, none lost");
}

#[tokio::test]
async fn the_command_line_lists_acknowledges_checks_and_declares() {
    let board = TestServer::start().await;
    let add = [
        "alert",
        "threshold",
        "add",
        "m",
        ">",
        "1",
        "--message",
        "too high: {value:.1f}",
        "--level",
        "error",
    ];
    let (status, text) = run(&board.url, &add).await;
    assert!(status == 0 && text.contains("thr_") && text.contains("> 1.0"), "{text}");
    assert_eq!(run(&board.url, &["alert", "check", "m", "0.5"]).await.0, 0);
    let (status, text) = run(&board.url, &["alert", "check", "m", "--label", "bot=7", "2"]).await;
    assert!(status == 1 && text.contains("too high: 2.0") && text.contains("bot=7"), "{text}");
    let (_, text) = run(&board.url, &["alert", "list", "--state", "firing"]).await;
    assert!(text.contains("firing") && text.contains("error"), "{text}");
    let (status, text) =
        run(&board.url, &["alert", "ack", "1", "--comment", "on it", "--actor", "ada"]).await;
    assert!(status == 0 && text.contains("ada"), "{text}");
    let (_, text) = run(&board.url, &["alert", "show", "1"]).await;
    assert!(text.contains("alert.acknowledged") && text.contains("on it"), "{text}");
    let (_, text) = run(&board.url, &["alert", "threshold", "list"]).await;
    assert!(text.contains("builtin.breaker_open"), "{text}");
    let (status, text) =
        run(&board.url, &["alert", "threshold", "add", "m", ">", "1", "--message", "{nothing}"]).await;
    assert!(status == 2 && text.contains("message_template"), "{text}");
    // JSON has none of these: what is left out would be the default.
    for wrong in ["nan", "inf", "1e999"] {
        let (status, text) =
            run(&board.url, &["alert", "threshold", "add", "m", ">", "2", "--for", wrong]).await;
        assert!(status == 2 && text.contains("not a finite number"), "{text}");
    }
    let (_, text) = run(&board.url, &["alert", "threshold", "list", "--metric", "m", "--json"]).await;
    let id = serde_json::from_str::<Value>(&text).unwrap()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(run(&board.url, &["alert", "threshold", "delete", &id]).await.0, 0);
    let (_, text) = run(&board.url, &["alert", "list", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()[0]["state"], "resolved");
}

/// The real program is killed while values come from many sides: what was answered is there, once.
#[tokio::test]
async fn kill_9_loses_no_alert_that_was_answered_and_makes_none_twice() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut known: BTreeMap<i64, String> = BTreeMap::new();
    for round in 0..4 {
        let mut server =
            Process::run(Process::command(&dir.path().join("board.db")).args(["--log", "error"]));
        let http = reqwest::Client::new();
        let spec = json!({ "metric_name": "m", "threshold": 1 });
        http.post(format!("{}/v1/thresholds", server.url)).json(&spec).send().await.unwrap();
        let listed = async |query: &str| {
            let url = format!("{}/v1/alerts?limit=1000{query}", server.url);
            http.get(url).send().await.unwrap().json::<Value>().await.unwrap()["items"]
                .as_array()
                .unwrap()
                .clone()
        };
        let stored: BTreeMap<i64, String> = listed("")
            .await
            .iter()
            .map(|a| (a["id"].as_i64().unwrap(), a["labels"]["bot"].as_str().unwrap().into()))
            .collect();
        for (id, bot) in &known {
            assert_eq!(stored.get(id), Some(bot), "round {round}");
        }
        let firing = listed("&state=firing").await;
        let bots: BTreeSet<_> =
            firing.iter().map(|a| a["labels"]["bot"].as_str().unwrap().to_owned()).collect();
        assert_eq!(bots.len(), firing.len(), "one alert for each series");
        let (answers, mut answered) = tokio::sync::mpsc::unbounded_channel();
        for bot in 0..16 {
            let (http, url, answers) =
                (http.clone(), format!("{}/v1/alerts/check", server.url), answers.clone());
            tokio::spawn(async move {
                for turn in 0.. {
                    let value = f64::from(turn % 2) * 2.0;
                    let body =
                        json!({ "metric_name": "m", "value": value, "labels": { "bot": bot.to_string() } });
                    let Ok(answer) = http.post(&url).json(&body).send().await else { return };
                    let Ok(answer) = answer.json::<Value>().await else { return };
                    if let Some(id) = answer["alerts"][0]["id"].as_i64() {
                        drop(answers.send((id, bot.to_string())));
                    }
                }
            });
        }
        drop(answers);
        let mut killed = false;
        let mut count = 0;
        while let Some((id, bot)) = answered.recv().await {
            assert_eq!(known.insert(id, bot.clone()).unwrap_or(bot.clone()), bot, "an id is one alert");
            count += 1;
            if count == 200 && !killed {
                server.child.kill().unwrap();
                killed = true;
            }
        }
        server.child.wait().unwrap();
        assert!(killed);
    }
}
