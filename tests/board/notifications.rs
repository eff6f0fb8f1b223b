//! Notifications: when they are decided, how they are delivered, and that none is lost.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

use crate::{
    cli::run,
    mail::mail_server,
    peer::{Peer, closed, read_request},
    process::Process,
    raw::eventually,
    receivers::mail_receiver,
    support::{TestServer, assert_problem},
};

/// A receiver that answers with a status that can be changed, and what it was sent.
pub struct Sink {
    peer: Peer,
    status: Arc<AtomicU16>,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Sink {
    pub async fn start(status: u16) -> Self {
        let status = Arc::new(AtomicU16::new(status));
        let seen = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let (answer, noted) = (Arc::clone(&status), Arc::clone(&seen));
        let peer = Peer::doing(move |mut stream| {
            let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
            async move {
                let request = read_request(&mut stream).await;
                let (head, body) = request.split_once("\r\n\r\n").unwrap_or_default();
                noted
                    .lock()
                    .unwrap()
                    .push((head.to_lowercase(), serde_json::from_str(body).unwrap_or_default()));
                let status = answer.load(Ordering::SeqCst);
                if status == 0 {
                    std::future::pending::<()>().await;
                }
                let more = if status == 429 { "retry-after: 900\r\n" } else { "" };
                let reply = format!("HTTP/1.1 {status} X\r\n{more}content-length: 0\r\n\r\n");
                drop(stream.write_all(reply.as_bytes()).await);
            }
        })
        .await;
        Self { peer, status, seen }
    }

    pub fn webhook(&self) -> Value {
        json!({ "kind": "webhook", "url": self.peer.url("/hook") })
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub fn bodies(&self) -> Vec<Value> {
        self.seen.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    fn header(&self, at: usize, name: &str) -> String {
        let seen = self.seen.lock().unwrap();
        let line = seen[at].0.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    }

    pub async fn has(&self, count: usize) {
        eventually("notifications", async || self.bodies().len() >= count).await;
        assert_eq!(self.bodies().len(), count, "{:?}", self.bodies());
    }
}

async fn declare(board: &TestServer, path: &str, spec: Value) {
    let (status, view) = board.put(path, spec).await;
    assert!(status == 200 || status == 201, "{view}");
}

/// Sends an alert that goes on for a day unless it is ended.
async fn fire(board: &TestServer, labels: Value) {
    let ends_at = board.clock.wall().checked_add(Duration::from_secs(86_400)).unwrap().to_string();
    send(board, json!([{ "labels": labels, "annotations": { "summary": "it is" }, "endsAt": ends_at }]))
        .await;
}

async fn resolve(board: &TestServer, labels: Value) {
    send(board, json!([{ "labels": labels, "endsAt": board.clock.wall().to_string() }])).await;
}

async fn send(board: &TestServer, alerts: Value) {
    let answer = board.ask(Method::POST, "/api/v2/alerts", Some(alerts)).await;
    assert_eq!(answer.0, 200, "{answer:?}");
}

/// Lets time pass, second by second, and decides what is due.
async fn pass(board: &TestServer, seconds: u32) {
    for _ in 0..seconds {
        board.advance(1.0);
        board.board.advance_notifications().await.unwrap();
    }
}

/// Waits until nothing is being sent.
async fn idle(board: &TestServer) {
    eventually("the end of deliveries", async || {
        let metrics = board.get("/metrics").await;
        metrics.as_str().unwrap().contains("fuseboard_notifications_in_flight 0\n")
    })
    .await;
}

async fn notifications(board: &TestServer, query: &str) -> Vec<Value> {
    board.get(&format!("/v1/notifications?{query}")).await["items"].as_array().unwrap().clone()
}

fn states(body: &Value) -> Vec<&str> {
    body["alerts"].as_array().unwrap().iter().map(|alert| alert["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn without_routes_every_receiver_is_told_in_alertmanagers_words() {
    let board = TestServer::start_with(|config| {
        config.notifications.external_url = "http://board.test".to_owned();
    })
    .await;
    let (one, two) = (Sink::start(200).await, Sink::start(200).await);
    declare(&board, "/v1/receivers/one", one.webhook()).await;
    declare(&board, "/v1/receivers/two", two.webhook()).await;
    let labels = json!({ "alertname": "disk \"full\"", "job": "node", "severity": "critical" });
    fire(&board, labels.clone()).await;
    pass(&board, 29).await;
    assert!(one.bodies().is_empty(), "it waits for others");
    pass(&board, 1).await;
    one.has(1).await;
    two.has(1).await;
    // What Alertmanager 0.25.0 sends of the same alert, but for the group and where it is found.
    let wanted = json!({
        "receiver": "one", "status": "firing", "externalURL": "http://board.test", "version": "4",
        "groupKey": "{}:{alertname=\"disk \\\"full\\\"\"}", "truncatedAlerts": 0,
        "groupLabels": { "alertname": "disk \"full\"" }, "commonLabels": labels,
        "commonAnnotations": { "summary": "it is" },
        "alerts": [{ "status": "firing", "labels": labels, "annotations": { "summary": "it is" },
            "startsAt": "2027-01-15T08:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://board.test/v1/alerts/1", "fingerprint": "2d2694db83ee2569" }],
    });
    assert_eq!(one.bodies()[0], wanted);
    assert_eq!(two.bodies()[0]["receiver"], "two");
    idle(&board).await;
    let delivered = notifications(&board, "receiver=one").await;
    assert_eq!(delivered.len(), 1);
    assert_eq!((&delivered[0]["state"], &delivered[0]["attempts"]), (&json!("delivered"), &json!(1)));
    assert_eq!(one.header(0, "fuseboard-delivery-id"), delivered[0]["delivery_id"].as_str().unwrap());
    assert_eq!(one.header(0, "idempotency-key"), one.header(0, "fuseboard-delivery-id"));
    let detail = board.get(&format!("/v1/notifications/{}", delivered[0]["id"])).await;
    assert_eq!(detail["body"], wanted);
}

#[tokio::test]
async fn groups_wait_tell_changes_by_their_interval_and_repeat() {
    let board = TestServer::start().await;
    let sink = Sink::start(200).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    let route = json!({ "receiver": "ops", "group_by": ["alertname"], "group_wait_seconds": 10,
        "group_interval_seconds": 60, "repeat_interval_seconds": 300 });
    declare(&board, "/v1/routes/all", route).await;
    let (a, b) = (json!({ "alertname": "x", "n": "a" }), json!({ "alertname": "x", "n": "b" }));
    fire(&board, a.clone()).await;
    pass(&board, 10).await;
    sink.has(1).await;
    fire(&board, b.clone()).await;
    pass(&board, 59).await;
    sink.has(1).await;
    pass(&board, 1).await;
    sink.has(2).await;
    assert_eq!(states(&sink.bodies()[1]), ["firing", "firing"]);
    // Nothing changes until the repeat interval has passed.
    pass(&board, 299).await;
    sink.has(2).await;
    pass(&board, 1).await;
    sink.has(3).await;
    resolve(&board, a).await;
    pass(&board, 60).await;
    sink.has(4).await;
    assert_eq!(states(&sink.bodies()[3]), ["firing", "resolved"]);
    assert_eq!(sink.bodies()[3]["alerts"][1]["labels"]["n"], "a");
    resolve(&board, b).await;
    pass(&board, 60).await;
    sink.has(5).await;
    assert_eq!(
        (&sink.bodies()[4]["status"], states(&sink.bodies()[4])),
        (&json!("resolved"), vec!["resolved"])
    );
    pass(&board, 600).await;
    sink.has(5).await;
}

#[tokio::test]
async fn alerts_go_where_routes_say() {
    let board = TestServer::start().await;
    let (pager, chat) = (Sink::start(200).await, Sink::start(200).await);
    declare(&board, "/v1/receivers/pager", pager.webhook()).await;
    declare(&board, "/v1/receivers/chat", chat.webhook()).await;
    let route = |severity: &str, receiver: Option<&str>| json!({ "matchers": [format!("severity={severity}")], "receiver": receiver, "group_wait_seconds": 0 });
    declare(&board, "/v1/routes/critical", route("critical", Some("pager"))).await;
    declare(&board, "/v1/routes/info", route("info", None)).await;
    for severity in ["critical", "info", "warning"] {
        fire(&board, json!({ "alertname": severity, "severity": severity })).await;
    }
    pass(&board, 40).await;
    pager.has(2).await;
    chat.has(1).await;
    assert_eq!(
        chat.bodies()[0]["groupLabels"],
        json!({ "alertname": "warning" }),
        "what no route takes, all get"
    );
    let keys: Vec<_> = pager.bodies().iter().map(|body| body["groupKey"].clone()).collect();
    assert!(keys.contains(&json!("{}/{severity=\"critical\"}:{}")), "{keys:?}");
}

#[tokio::test]
async fn silenced_and_muted_alerts_are_told_later_or_never_and_their_end_if_they_were_told() {
    let board = TestServer::start().await;
    let sink = Sink::start(200).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    declare(
        &board,
        "/v1/routes/all",
        json!({ "receiver": "ops", "group_by": ["alertname"], "group_wait_seconds": 0,
        "group_interval_seconds": 60 }),
    )
    .await;
    let window = json!({ "matchers": ["alertname=muted"], "starts_at": "2027-01-15T08:00:00Z",
        "ends_at": "2027-01-15T08:10:00Z" });
    declare(&board, "/v1/maintenance-windows/w", window).await;
    let silence = json!({ "matchers": ["alertname=quiet"], "duration_seconds": 86400 });
    assert_eq!(board.ask(Method::POST, "/v1/silences", Some(silence)).await.0, 201);
    let (quiet, muted, loud) =
        (json!({ "alertname": "quiet" }), json!({ "alertname": "muted" }), json!({ "alertname": "loud" }));
    for labels in [&quiet, &muted, &loud] {
        fire(&board, labels.clone()).await;
    }
    pass(&board, 5).await;
    sink.has(1).await;
    assert_eq!(sink.bodies()[0]["commonLabels"]["alertname"], "loud");
    let metrics = board.get("/metrics").await;
    assert!(metrics.as_str().unwrap().contains("fuseboard_alerts_silenced 2\n"), "{metrics}");
    let alerts = board.get("/api/v2/alerts?active=false").await;
    let by: Vec<_> =
        alerts.as_array().unwrap().iter().map(|a| (&a["labels"]["alertname"], &a["status"])).collect();
    assert_eq!(by.len(), 2, "{alerts}");
    // What was told before it was silenced is told to be over.
    let silence = json!({ "matchers": ["alertname=loud"], "duration_seconds": 86400 });
    assert_eq!(board.ask(Method::POST, "/v1/silences", Some(silence)).await.0, 201);
    resolve(&board, loud).await;
    resolve(&board, quiet).await;
    pass(&board, 60).await;
    sink.has(2).await;
    assert_eq!(
        (&sink.bodies()[1]["status"], &sink.bodies()[1]["commonLabels"]["alertname"]),
        (&json!("resolved"), &json!("loud"))
    );
    // The window closes and it still fires.
    pass(&board, 600).await;
    sink.has(3).await;
    assert_eq!(sink.bodies()[2]["commonLabels"]["alertname"], "muted");
}

#[tokio::test]
async fn a_hanging_receiver_keeps_nobody_waiting() {
    let board = TestServer::start().await;
    let (good, hanging) = (Sink::start(200).await, Sink::start(0).await);
    declare(&board, "/v1/receivers/good", good.webhook()).await;
    declare(&board, "/v1/receivers/hanging", hanging.webhook()).await;
    for number in 0..20 {
        fire(&board, json!({ "alertname": format!("a{number}") })).await;
    }
    pass(&board, 30).await;
    good.has(20).await;
    // One that hangs has four at once, and all others wait their turn.
    hanging.has(4).await;
    let view = board.get("/v1/receivers/hanging").await;
    assert_eq!(view["pending_notifications"], 20);
    for line in [
        "fuseboard_notifications_pending 20\n",
        "fuseboard_notifications_in_flight 4\n",
        "fuseboard_notification_attempts_total{kind=\"webhook\",result=\"delivered\"} 20\n",
        "fuseboard_notification_duration_seconds_count{kind=\"webhook\"} 20\n",
    ] {
        // What has arrived is noted a moment later.
        eventually(line, async || board.get("/metrics").await.as_str().unwrap().contains(line)).await;
    }
}

#[tokio::test]
async fn failures_are_tried_again_with_growing_waits_and_refusals_are_final() {
    let board = TestServer::start().await;
    let sink = Sink::start(503).await;
    let mut spec = sink.webhook();
    spec["give_up_after_seconds"] = 3600.into();
    declare(&board, "/v1/receivers/ops", spec).await;
    fire(&board, json!({ "alertname": "x" })).await;
    pass(&board, 30).await;
    sink.has(1).await;
    idle(&board).await;
    let pending = notifications(&board, "state=pending").await;
    assert_eq!(
        (&pending[0]["attempts"], &pending[0]["last_error"].as_str().unwrap().contains("503")),
        (&json!(1), &true)
    );
    pass(&board, 1).await;
    sink.has(2).await;
    idle(&board).await;
    assert_eq!(sink.header(0, "fuseboard-delivery-id"), sink.header(1, "fuseboard-delivery-id"));
    // It asks for a quarter of an hour.
    sink.answer(429);
    pass(&board, 2).await;
    sink.has(3).await;
    idle(&board).await;
    sink.answer(200);
    pass(&board, 890).await;
    sink.has(3).await;
    pass(&board, 11).await;
    idle(&board).await;
    let all = notifications(&board, "state=delivered").await;
    assert_eq!((all.len(), &all[0]["attempts"]), (1, &json!(4)), "{all:?}");

    sink.answer(400);
    fire(&board, json!({ "alertname": "y" })).await;
    pass(&board, 30).await;
    idle(&board).await;
    let dead = notifications(&board, "state=dead").await;
    assert_eq!((dead.len(), &dead[0]["attempts"], &dead[0]["next_attempt_at"]), (1, &json!(1), &json!(null)));
    assert!(board.get("/metrics").await.as_str().unwrap().contains("fuseboard_notifications_dead 1\n"));
    let before = sink.bodies().len();
    let board = board.crash().await;
    pass(&board, 10).await;
    sink.has(before).await;
    sink.answer(204);
    let path = format!("/v1/notifications/{}/retry", dead[0]["id"]);
    let (status, view) = board.ask(Method::POST, &path, None).await;
    assert_eq!(
        (status, &view["state"], &view["delivery_id"]),
        (202, &json!("pending"), &dead[0]["delivery_id"])
    );
    idle(&board).await;
    sink.has(before + 1).await;
    assert_eq!(notifications(&board, "state=dead").await.len(), 0);
    let again = board.send(Method::POST, &path, None).await;
    assert_problem(again, 409, "conflict", "delivered").await;
    let unknown = board.send(Method::POST, "/v1/notifications/999/retry", None).await;
    assert_problem(unknown, 404, "not_found", "unknown").await;
}

#[tokio::test]
async fn what_nobody_takes_is_dead_after_its_time_and_ends_come_after_beginnings() {
    let board = TestServer::start().await;
    let sink = Sink::start(500).await;
    let mut spec = sink.webhook();
    spec["give_up_after_seconds"] = 400.into();
    declare(&board, "/v1/receivers/ops", spec).await;
    declare(
        &board,
        "/v1/routes/all",
        json!({ "receiver": "ops", "group_wait_seconds": 0, "group_interval_seconds": 1 }),
    )
    .await;
    fire(&board, json!({ "alertname": "x" })).await;
    pass(&board, 1).await;
    sink.has(1).await;
    idle(&board).await;
    resolve(&board, json!({ "alertname": "x" })).await;
    pass(&board, 2).await;
    idle(&board).await;
    let waiting = notifications(&board, "state=pending").await;
    assert_eq!(waiting.iter().map(|n| &n["status"]).collect::<Vec<_>>(), ["resolved", "firing"]);
    for _ in 0..500 {
        pass(&board, 1).await;
        idle(&board).await;
    }
    let dead = notifications(&board, "state=dead").await;
    assert_eq!(dead.len(), 2, "{dead:?}");
    // The end was not tried as long as the beginning was.
    let order: Vec<_> =
        sink.bodies().iter().map(|body| body["status"].as_str().unwrap().to_owned()).collect();
    let first_end = order.iter().position(|status| status == "resolved").unwrap();
    assert!(order[first_end..].iter().all(|status| status == "resolved"), "{order:?}");
    board.advance(8.0 * 86_400.0);
    board.board.prune_notifications().await.unwrap();
    assert_eq!(notifications(&board, "").await.len(), 0, "they are not kept for ever");
}

#[tokio::test]
async fn a_restart_loses_nothing_and_tells_nothing_twice() {
    let board = TestServer::start().await;
    let sink = Sink::start(200).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    fire(&board, json!({ "alertname": "told" })).await;
    pass(&board, 30).await;
    sink.has(1).await;
    idle(&board).await;
    fire(&board, json!({ "alertname": "waiting" })).await;
    pass(&board, 10).await;
    let board = board.crash().await;
    pass(&board, 19).await;
    sink.has(1).await;
    pass(&board, 1).await;
    sink.has(2).await;
    assert_eq!(sink.bodies()[1]["commonLabels"]["alertname"], "waiting");
    idle(&board).await;
    resolve(&board, json!({ "alertname": "told" })).await;
    let board = board.crash().await;
    pass(&board, 300).await;
    sink.has(3).await;
    assert_eq!(
        (&sink.bodies()[2]["status"], &sink.bodies()[2]["commonLabels"]["alertname"]),
        (&json!("resolved"), &json!("told"))
    );
    idle(&board).await;
    let board = board.restart().await;
    pass(&board, 400).await;
    sink.has(3).await;
}

#[tokio::test]
async fn what_was_decided_before_kill_9_is_delivered_after_it_with_the_same_id() {
    let dir = TempDir::new().unwrap();
    let sink = Sink::start(0).await;
    let db = dir.path().join("board.db");
    let mut server = Process::run(Process::command(&db).args(["--log", "error"]));
    let http = reqwest::Client::new();
    let put = async |url: &str, path: &str, body: Value| {
        assert!(http.put(format!("{url}{path}")).json(&body).send().await.unwrap().status().is_success());
    };
    put(&server.url, "/v1/receivers/ops", sink.webhook()).await;
    put(&server.url, "/v1/routes/all", json!({ "receiver": "ops", "group_wait_seconds": 0 })).await;
    let alerts = json!([{ "labels": { "alertname": "x" } }]);
    let sent = http.post(format!("{}/api/v2/alerts", server.url)).json(&alerts).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    // It is committed, and the receiver has it but has not answered.
    sink.has(1).await;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    sink.answer(200);
    let server = Process::run(Process::command(&db).args(["--log", "error"]));
    sink.has(2).await;
    assert_eq!(sink.header(0, "fuseboard-delivery-id"), sink.header(1, "fuseboard-delivery-id"));
    assert_eq!(sink.bodies()[0], sink.bodies()[1]);
    eventually("the delivery", async || {
        let url = format!("{}/v1/notifications?state=delivered", server.url);
        let page: Value = http.get(url).send().await.unwrap().json().await.unwrap();
        page["items"].as_array().unwrap().len() == 1
    })
    .await;
}

#[tokio::test]
async fn other_receivers_are_told_in_their_own_words() {
    let board = TestServer::start().await;
    let (alertmanager, slack) = (Sink::start(200).await, Sink::start(200).await);
    let (peer, mails) = mail_server("250 OK\r\n").await;
    declare(
        &board,
        "/v1/receivers/am",
        json!({ "kind": "alertmanager", "url": alertmanager.peer.url("/prefix/") }),
    )
    .await;
    declare(&board, "/v1/receivers/slack", json!({ "kind": "slack", "url": slack.peer.url("/T0/B0") })).await;
    declare(&board, "/v1/receivers/mail", mail_receiver(&peer)).await;
    let labels = json!({ "alertname": "x", "job": "node", "severity": "warning" });
    fire(&board, labels.clone()).await;
    pass(&board, 30).await;
    alertmanager.has(1).await;
    slack.has(1).await;
    eventually("a mail", async || !mails.lock().unwrap().is_empty()).await;
    assert!(alertmanager.seen.lock().unwrap()[0].0.starts_with("post /prefix/api/v2/alerts "));
    let alert = &alertmanager.bodies()[0][0];
    assert_eq!((&alert["labels"], &alert["annotations"]), (&labels, &json!({ "summary": "it is" })));
    // It holds until it would be repeated: four hours, and twice the group's interval.
    assert_eq!(alert["endsAt"], "2027-01-15T12:10:30Z");
    assert_eq!(slack.bodies()[0]["text"], "[FIRING:1] x (warning, job=node)");
    let mail = mails.lock().unwrap()[0].clone();
    assert!(mail.contains("Subject: [FIRING:1] x (warning, job=node)") && mail.contains("it is"), "{mail}");
}

#[tokio::test]
async fn a_deleted_receiver_is_told_nothing_any_more_and_one_that_cannot_be_reached_is_tried_again() {
    let board = TestServer::start().await;
    let url = format!("http://{}/", closed().await);
    declare(&board, "/v1/receivers/gone", json!({ "kind": "webhook", "url": url })).await;
    fire(&board, json!({ "alertname": "x" })).await;
    pass(&board, 30).await;
    idle(&board).await;
    let pending = notifications(&board, "state=pending").await;
    assert!(pending[0]["last_error"].as_str().unwrap().contains("cannot connect"), "{pending:?}");
    assert_eq!(board.delete("/v1/receivers/gone").await, 204);
    pass(&board, 10).await;
    idle(&board).await;
    let dead = notifications(&board, "state=dead").await;
    assert!(dead[0]["last_error"].as_str().unwrap().contains("no such receiver"), "{dead:?}");
    let (status, problem) =
        board.ask(Method::POST, &format!("/v1/notifications/{}/retry", dead[0]["id"]), None).await;
    assert_eq!(status, 404, "{problem}");
}

#[tokio::test]
async fn an_alert_that_ended_and_fires_again_goes_on_for_programs() {
    let board = TestServer::start().await;
    let sink = Sink::start(200).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    let labels = json!({ "alertname": "x" });
    fire(&board, labels.clone()).await;
    pass(&board, 30).await;
    sink.has(1).await;
    idle(&board).await;
    resolve(&board, labels.clone()).await;
    pass(&board, 1).await;
    fire(&board, labels.clone()).await;
    pass(&board, 300).await;
    sink.has(2).await;
    let body = &sink.bodies()[1];
    assert_eq!(states(body), ["firing"], "its end would close what is open: {body}");
    idle(&board).await;
    resolve(&board, labels).await;
    pass(&board, 300).await;
    sink.has(3).await;
    assert_eq!(states(&sink.bodies()[2]), ["resolved"]);
}

#[tokio::test]
async fn after_a_crash_ends_come_by_the_interval_of_their_route() {
    let board = TestServer::start().await;
    let sink = Sink::start(200).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    let route = json!({ "receiver": "ops", "group_wait_seconds": 0, "group_interval_seconds": 5 });
    declare(&board, "/v1/routes/quick", route).await;
    let labels = json!({ "alertname": "x" });
    fire(&board, labels.clone()).await;
    pass(&board, 1).await;
    sink.has(1).await;
    idle(&board).await;
    let board = board.crash().await;
    resolve(&board, labels).await;
    pass(&board, 6).await;
    sink.has(2).await;
    assert_eq!(states(&sink.bodies()[1]), ["resolved"]);
}

#[tokio::test]
async fn what_a_receiver_says_of_its_secrets_is_not_kept() {
    let board = TestServer::start().await;
    let peer = Peer::doing(|mut stream| async move {
        let request = read_request(&mut stream).await;
        let path = request.split(' ').nth(1).unwrap_or_default();
        let key = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default();
        let said = format!("Cannot POST {path} with {key}");
        let reply = format!("HTTP/1.1 404 X\r\ncontent-length: {}\r\n\r\n{said}", said.len());
        drop(stream.write_all(reply.as_bytes()).await);
    })
    .await;
    let spec = json!({ "kind": "webhook", "url": peer.url("/hooks/hunter2-path?key=hunter2-query"),
        "headers": { "Authorization": "Bearer hunter2-token" } });
    declare(&board, "/v1/receivers/ops", spec).await;
    let (_, tested) = board.ask(Method::POST, "/v1/receivers/ops/test", None).await;
    fire(&board, json!({ "alertname": "x" })).await;
    pass(&board, 30).await;
    idle(&board).await;
    let dead = notifications(&board, "state=dead").await;
    assert_eq!(dead.len(), 1);
    for said in [&tested["error"], &dead[0]["last_error"]] {
        let said = said.as_str().unwrap();
        assert!(
            said.contains("answered 404: Cannot POST /[redacted]") && !said.contains("hunter2"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn commands_silence_list_test_and_retry() {
    let board = TestServer::start().await;
    let sink = Sink::start(400).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    let (status, text) =
        run(&board.url, &["silence", "add", "alertname=quiet", "--for", "2h", "--comment", "why not"]).await;
    assert_eq!(status, 0, "{text}");
    let id = text.trim().to_owned();
    let (status, text) = run(&board.url, &["silence", "list"]).await;
    assert!(
        status == 0 && text.contains(&id) && text.contains("alertname=\"quiet\"") && text.contains("why not"),
        "{text}"
    );
    assert_eq!(board.get(&format!("/v1/silences/{id}")).await["ends_at"], "2027-01-15T10:00:00Z");
    assert_eq!(run(&board.url, &["silence", "expire", &id]).await.0, 0);
    let (_, text) = run(&board.url, &["silence", "list"]).await;
    assert!(!text.contains(&id), "those that are over are not asked for: {text}");
    let (_, text) = run(&board.url, &["silence", "list", "--state", "expired"]).await;
    assert!(text.contains(&id), "{text}");
    for bad in [
        &["silence", "add", "nonsense"][..],
        &["silence", "add", "a=b", "--for", "soon"],
        &["silence", "expire", "a/b"],
    ] {
        assert_eq!(run(&board.url, bad).await.0, 2, "{bad:?}");
    }
    let (status, text) = run(&board.url, &["receiver", "list"]).await;
    assert!(status == 0 && text.contains("ops") && text.contains("webhook"), "{text}");
    let (status, text) = run(&board.url, &["receiver", "test", "ops"]).await;
    assert!(status == 1 && text.contains("400"), "{text}");
    fire(&board, json!({ "alertname": "x" })).await;
    pass(&board, 30).await;
    idle(&board).await;
    let (status, text) = run(&board.url, &["notification", "list", "--state", "dead"]).await;
    assert!(status == 0 && text.contains("dead") && text.contains("ops"), "{text}");
    sink.answer(200);
    let id = notifications(&board, "state=dead").await[0]["id"].to_string();
    let (status, text) = run(&board.url, &["notification", "retry", &id]).await;
    assert_eq!(status, 0, "{text}");
    idle(&board).await;
    assert_eq!(notifications(&board, "state=delivered").await.len(), 1);
    let (status, text) = run(&board.url, &["receiver", "test", "ops"]).await;
    assert_eq!(status, 0, "{text}");
}

#[tokio::test]
async fn declarations_of_the_file_and_of_an_export_come_back() {
    let board = TestServer::start().await;
    let sink = Sink::start(200).await;
    declare(&board, "/v1/receivers/ops", sink.webhook()).await;
    declare(&board, "/v1/routes/all", json!({ "receiver": "ops", "routes": [{ "matchers": ["a=b"] }] }))
        .await;
    declare(&board, "/v1/maintenance-windows/w", json!({ "cron": "@daily", "duration_seconds": 60 })).await;
    let document = board.get("/v1/board").await;
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("board.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let other = TestServer::start().await;
    let (status, text) = run(&other.url, &["import", file.to_str().unwrap()]).await;
    assert_eq!(status, 0, "{text}");
    assert_eq!(other.get("/v1/board").await, document);
}
