//! Alertmanager's API: its shapes, and the real `amtool` and Prometheus as its clients.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    notifications::Sink,
    peer::closed,
    process::Process,
    raw::eventually,
    support::{TestServer, assert_problem},
};

/// Exit status and output of `amtool` against a server.
async fn amtool(url: &str, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("amtool");
    command.arg(format!("--alertmanager.url={url}")).args(args).env("HOME", "/nonexistent");
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let done = done.expect("amtool is installed (make tools)");
    // On standard error it says that it is of another version.
    let said = if done.status.success() { done.stdout } else { done.stderr };
    (done.status.success(), String::from_utf8(said).unwrap())
}

/// Like [`amtool`], which must succeed.
async fn said(url: &str, args: &[&str]) -> String {
    let (good, text) = amtool(url, args).await;
    assert!(good, "{args:?}: {text}");
    text
}

async fn post(board: &TestServer, alerts: Value) -> (u16, Value) {
    board.ask(Method::POST, "/api/v2/alerts", Some(alerts)).await
}

async fn names(board: &TestServer, query: &str) -> Vec<String> {
    let alerts = board.get(&format!("/api/v2/alerts{query}")).await;
    let mut names: Vec<_> = alerts
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn alerts_have_alertmanagers_shape_and_are_filtered_as_there() {
    let board = TestServer::start().await;
    board.put("/v1/receivers/ops", json!({ "kind": "webhook", "url": "http://127.0.0.1:1/" })).await;
    let labels = json!({ "alertname": "disk \"full\"", "job": "node", "severity": "critical" });
    let alert = json!({ "labels": labels, "annotations": { "summary": "s", "runbook": "r" },
        "generatorURL": "http://prometheus.test/graph", "endsAt": "2027-01-15T08:10:00Z" });
    let other = json!({ "labels": { "alertname": "b", "severity": "page" } });
    assert_eq!(post(&board, json!([alert, other])).await.0, 200);
    let alerts = board.get("/api/v2/alerts?filter=job=node").await;
    assert_eq!(
        alerts,
        json!([{ "annotations": { "summary": "s", "runbook": "r" }, "endsAt": "2027-01-15T08:10:00.000Z",
            "fingerprint": "2d2694db83ee2569", "receivers": [{ "name": "ops" }], "startsAt": "2027-01-15T08:00:00.000Z",
            "status": { "state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": [] },
            "updatedAt": "2027-01-15T08:00:00.000Z", "generatorURL": "http://prometheus.test/graph", "labels": labels }])
    );
    assert_eq!(board.get("/api/v2/receivers").await, json!([{ "name": "ops" }]));
    let silence = json!({ "matchers": [{ "name": "alertname", "value": "b", "isRegex": false }],
        "startsAt": "2027-01-15T08:00:00Z", "endsAt": "2027-01-15T09:00:00Z", "createdBy": "me", "comment": "c" });
    let id = board.post("/api/v2/silences", silence).await["silenceID"].clone();
    for (query, wanted) in [
        ("", vec!["b", "disk \"full\""]),
        ("?silenced=false", vec!["disk \"full\""]),
        ("?active=false", vec!["b"]),
        ("?active=false&silenced=false", vec![]),
        ("?inhibited=false&unprocessed=false", vec!["b", "disk \"full\""]),
        ("?filter=severity=~%22crit.*%22&filter=job!=%22x%22", vec!["disk \"full\""]),
        ("?filter=%7Balertname=b,severity=page%7D", vec!["b"]),
        ("?receiver=op.", vec!["b", "disk \"full\""]),
        ("?receiver=op", vec![]),
        ("?unknown=1", vec!["b", "disk \"full\""]),
    ] {
        assert_eq!(names(&board, query).await, wanted, "{query}");
    }
    let suppressed = board.get("/api/v2/alerts?active=false").await;
    assert_eq!(
        (&suppressed[0]["status"]["state"], &suppressed[0]["status"]["silencedBy"]),
        (&json!("suppressed"), &json!([id]))
    );
    board.board.advance_notifications().await.unwrap();
    let groups = board.get("/api/v2/alerts/groups?silenced=false").await;
    assert_eq!(groups.as_array().unwrap().len(), 1);
    assert_eq!(
        (&groups[0]["labels"], &groups[0]["receiver"]),
        (&json!({ "alertname": "disk \"full\"" }), &json!({ "name": "ops" }))
    );
    assert_eq!(groups[0]["alerts"], alerts);
    // The alert is the board's own as well, and over when it says so.
    let own = board.get("/api/v2/status").await;
    assert_eq!(
        (&own["cluster"]["status"], &own["uptime"]),
        (&json!("disabled"), &json!("2027-01-15T08:00:00.000Z"))
    );
    board.advance(600.0);
    board.board.expire_external_alerts().unwrap();
    eventually("the end", async || names(&board, "").await.is_empty()).await;
}

#[tokio::test]
async fn silences_are_the_same_through_both_apis() {
    let board = TestServer::start().await;
    let matchers = json!([{ "name": "a", "value": "b", "isRegex": false, "isEqual": true },
        { "name": "c", "value": "d.*", "isRegex": true, "isEqual": false }]);
    let body = json!({ "matchers": matchers, "startsAt": "2027-01-15T07:00:00Z", "endsAt": "2027-01-15T09:00:00Z",
        "createdBy": "me", "comment": "c" });
    let id = board.post("/api/v2/silences", body.clone()).await["silenceID"].as_str().unwrap().to_owned();
    let view = board.get(&format!("/v1/silences/{id}")).await;
    assert_eq!((&view["matchers"], &view["created_by"]), (&json!(["a=\"b\"", "c!~\"d.*\""]), &json!("me")));
    let silence = board.get(&format!("/api/v2/silence/{id}")).await;
    assert_eq!(
        silence,
        json!({ "id": id, "status": { "state": "active" }, "updatedAt": "2027-01-15T08:00:00.000Z", "comment": "c",
            "createdBy": "me", "endsAt": "2027-01-15T09:00:00.000Z", "matchers": matchers,
            "startsAt": "2027-01-15T08:00:00.000Z" })
    );
    // The end moves: it stays the same. Another matcher: another one takes its place.
    let mut longer = body.clone();
    longer["id"] = json!(id);
    longer["startsAt"] = silence["startsAt"].clone();
    longer["endsAt"] = json!("2027-01-15T10:00:00Z");
    assert_eq!(board.post("/api/v2/silences", longer.clone()).await["silenceID"], id.as_str());
    longer["matchers"] = json!([{ "name": "x", "value": "y", "isRegex": false }]);
    let other = board.post("/api/v2/silences", longer).await["silenceID"].as_str().unwrap().to_owned();
    assert_ne!(other, id);
    let states: Vec<_> = board
        .get("/api/v2/silences")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["status"]["state"].clone())
        .collect();
    assert_eq!(states.iter().filter(|state| **state == "active").count(), 1, "{states:?}");
    assert_eq!(board.get("/api/v2/silences?filter=x=y").await.as_array().unwrap().len(), 1);
    assert_eq!(board.get("/api/v2/silences?filter=x=z").await, json!([]));
    assert_eq!(board.delete(&format!("/api/v2/silence/{other}")).await, 200);
    let board = board.crash().await;
    assert_eq!(board.get(&format!("/v1/silences/{other}")).await["state"], "expired");
    let unknown = "/api/v2/silence/00000000-0000-4000-8000-000000000000";
    for method in [Method::GET, Method::DELETE] {
        assert_problem(board.send(method, unknown, None).await, 404, "not_found", unknown).await;
    }
    let mut strange = body;
    strange["id"] = json!("00000000-0000-4000-8000-000000000000");
    let response = board.send(Method::POST, "/api/v2/silences", Some(strange)).await;
    assert_problem(response, 404, "not_found", "an id that nobody has").await;
}

#[tokio::test]
async fn hostile_alerts_are_refused_and_the_others_taken() {
    let board = TestServer::start().await;
    for (body, status, code) in [
        ("", 400, "bad_json"),
        ("[", 400, "bad_json"),
        ("[{}]", 422, "validation_failed"),
        ("{}", 422, "validation_failed"),
        ("[[]]", 422, "validation_failed"),
        ("[[{\"a\":\"b\"}]]", 422, "validation_failed"),
        ("[{\"labels\":{}}]", 422, "validation_failed"),
        ("[{\"labels\":{\"a\":1}}]", 422, "validation_failed"),
        ("[{\"labels\":{\"a-b\":\"c\"}}]", 422, "validation_failed"),
        ("[{\"labels\":{\"a\":\"b\"},\"annotations\":{\"ä\":\"c\"}}]", 422, "validation_failed"),
        ("[{\"labels\":{\"a\":\"b\"},\"endsAt\":\"soon\"}]", 422, "validation_failed"),
        (
            "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2027-01-15T09:00:00Z\",\"endsAt\":\"2027-01-15T08:00:00Z\"}]",
            422,
            "validation_failed",
        ),
        ("[],\"x\":1", 422, "validation_failed"),
    ] {
        let request = board.http.post(format!("{}/api/v2/alerts", board.url));
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_problem(response, status, code, body).await;
    }
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let request =
        board.http.post(format!("{}/api/v2/alerts", board.url)).header("content-type", "application/json");
    assert!(request.body(deep).send().await.unwrap().status().is_client_error());
    let (status, _) =
        post(&board, json!([{ "labels": { "a-b": "c" } }, { "labels": { "alertname": "good" } }])).await;
    assert_eq!((status, names(&board, "").await), (422, vec!["good".to_owned()]));
    let large = json!([{ "labels": { "alertname": "large" }, "annotations": { "a": "x".repeat(40_000) } }]);
    assert_eq!(post(&board, large).await.0, 422, "what fires is kept in memory");
    let endless = json!([{ "labels": { "alertname": "good" }, "endsAt": "9999-12-31T23:59:59.9999999Z" }]);
    assert_eq!(post(&board, endless).await.0, 200);
    assert_eq!(names(&board, "").await, ["good"]);
    // Go's zero time, unknown fields and values of any kind are no obstacle.
    let odd = json!([{ "labels": { "alertname": "odd\n\"\\\u{0}💥" }, "startsAt": "0001-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "unknown": 1, "annotations": null }]);
    assert_eq!(post(&board, odd).await.0, 200);
    assert_eq!(names(&board, "").await.len(), 2);
    for (path, field) in [
        ("/api/v2/alerts?filter=((", "filter"),
        ("/api/v2/alerts?active=maybe", "active"),
        ("/api/v2/alerts?receiver=(", "receiver"),
        ("/api/v2/silences?filter=a", "filter"),
    ] {
        let problem =
            assert_problem(board.send(Method::GET, path, None).await, 422, "validation_failed", path).await;
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for matchers in [json!([]), json!([["severity", "critical", false, true]])] {
        let bad = json!({ "matchers": matchers, "startsAt": "2027-01-15T09:00:00Z",
            "endsAt": "2027-01-15T10:00:00Z", "createdBy": "", "comment": "" });
        let response = board.send(Method::POST, "/api/v2/silences", Some(bad)).await;
        assert_problem(response, 422, "validation_failed", "no matcher").await;
    }
    assert_problem(board.send(Method::PUT, "/api/v2/alerts", None).await, 405, "method_not_allowed", "PUT")
        .await;
}

#[tokio::test]
async fn amtool_works() {
    let dir = TempDir::new().unwrap();
    let server = Process::run(Process::command(&dir.path().join("board.db")).args(["--log", "error"]));
    let url = &server.url;
    let http = reqwest::Client::new();
    let put = async |path: &str, body: Value| {
        assert!(http.put(format!("{url}{path}")).json(&body).send().await.unwrap().status().is_success());
    };
    put("/v1/receivers/ops", json!({ "kind": "webhook", "url": "http://127.0.0.1:1/secret-path" })).await;
    put(
        "/v1/routes/critical",
        json!({ "matchers": ["severity=critical"], "receiver": "ops", "group_wait_seconds": 5 }),
    )
    .await;
    said(url, &["alert", "add", "disk", "node=bar", "severity=critical", "--annotation=summary=full of it"])
        .await;
    said(url, &["alert", "add", "alertname=other"]).await;
    let text = said(url, &["alert", "query"]).await;
    assert!(text.contains("disk") && text.contains("full of it") && text.contains("other"), "{text}");
    let text = said(url, &["alert", "query", "node=bar", "-o", "extended"]).await;
    assert!(text.contains("disk") && !text.contains("other"), "{text}");

    let id = said(
        url,
        &["silence", "add", "alertname=disk", "node=~\"ba.\"", "-d", "2h", "-a", "me", "-c", "why not"],
    )
    .await;
    let id = id.trim().to_owned();
    let text = said(url, &["silence", "query"]).await;
    assert!(text.contains(&id) && text.contains("why not"), "{text}");
    assert!(!said(url, &["alert", "query"]).await.contains("disk"), "it is silenced");
    assert!(said(url, &["alert", "query", "--silenced"]).await.contains("disk"));
    let text = said(url, &["silence", "update", &id, "-d", "5h", "-c", "longer"]).await;
    assert!(text.contains(&id) && text.contains("longer"), "{text}");
    assert_eq!(said(url, &["silence", "query", "-q"]).await.trim(), id);
    said(url, &["silence", "expire", &id]).await;
    assert_eq!(said(url, &["silence", "query", "-q"]).await.trim(), "");
    assert!(said(url, &["silence", "query", "--expired"]).await.contains(&id));
    assert!(said(url, &["alert", "query"]).await.contains("disk"));
    let (good, text) = amtool(url, &["silence", "expire", "00000000-0000-4000-8000-000000000000"]).await;
    assert!(!good, "{text}");
    let (good, text) = amtool(url, &["silence", "add", "job=", "-c", "none"]).await;
    assert!(!good && text.contains("at least one that does not match an empty value"), "{text}");

    let text = said(url, &["config", "show"]).await;
    assert!(text.contains("severity=") && !text.contains("secret-path"), "{text}");
    let text = said(url, &["config", "routes", "test", "severity=critical"]).await;
    assert_eq!(text.trim(), "ops");
    assert!(said(url, &["cluster", "show"]).await.contains("disabled"));
}

#[tokio::test]
async fn errors_are_texts_for_clients_that_read_nothing_else() {
    let board = TestServer::start().await;
    let ask = async |accept: &str, path: &str| {
        let request = board.http.get(format!("{}{path}", board.url)).header("accept", accept);
        let answer = request.send().await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, answer.json::<Value>().await.unwrap())
    };
    for (path, status, reason) in [
        ("/api/v2/alerts?active=perhaps", 400, "active: must be true or false"),
        ("/api/v2/silence/x", 404, "there is no silence named \"x\""),
        ("/api/v2/nothing", 404, "there is nothing at this path"),
    ] {
        let text = ask("application/json", path).await;
        assert_eq!(text, (status, "application/json".to_owned(), json!(reason)));
        let (_, kind, problem) = ask("application/json, */*", path).await;
        assert_eq!((kind.as_str(), &problem["detail"]), ("application/problem+json", &json!(reason)));
    }
    let (status, kind, _) = ask("application/json", "/v1/alerts?state=x").await;
    assert_eq!((status, kind.as_str()), (422, "application/problem+json"));
}

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn write_prometheus(dir: &Path, alertmanager: &str) {
    let config = format!(
        "global: {{ evaluation_interval: 1s }}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n  \
         - static_configs: [{{ targets: ['{alertmanager}'] }}]\n"
    );
    std::fs::write(dir.join("prometheus.yml"), config).unwrap();
    let rules = "groups:\n- name: g\n  rules:\n  - alert: AlwaysOn\n    expr: vector(7) > 5\n    \
                 labels: { severity: critical }\n    annotations: { summary: 'it is {{ $value }}' }\n";
    std::fs::write(dir.join("rules.yml"), rules).unwrap();
}

#[tokio::test]
async fn a_real_prometheus_sends_its_alerts_and_they_are_delivered() {
    let dir = TempDir::new().unwrap();
    let server = Process::run(Process::command(&dir.path().join("board.db")).args(["--log", "error"]));
    let sink = Sink::start(200).await;
    let http = reqwest::Client::new();
    for (path, body) in [
        ("/v1/receivers/ops", sink.webhook()),
        (
            "/v1/routes/all",
            json!({ "receiver": "ops", "group_wait_seconds": 0, "group_interval_seconds": 1 }),
        ),
    ] {
        assert!(
            http.put(format!("{}{path}", server.url)).json(&body).send().await.unwrap().status().is_success()
        );
    }
    write_prometheus(dir.path(), server.url.trim_start_matches("http://"));
    let listen = closed().await;
    let log = std::fs::File::create(dir.path().join("prometheus.log")).unwrap();
    let prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address={listen}"))
        .arg("--rules.alert.resend-delay=1s")
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("prometheus is installed (make tools)");
    let mut prometheus = Running(prometheus);
    sink.has(1).await;
    let body = &sink.bodies()[0];
    assert_eq!(
        (&body["status"], &body["commonLabels"], &body["commonAnnotations"]),
        (
            &json!("firing"),
            &json!({ "alertname": "AlwaysOn", "severity": "critical" }),
            &json!({ "summary": "it is 7" })
        )
    );
    assert!(body["alerts"][0]["generatorURL"].as_str().unwrap().contains("/graph?"), "{body}");
    // The rule goes, and Prometheus says that its alert is over.
    std::fs::write(dir.path().join("rules.yml"), "groups:\n- name: g\n  rules:\n  - alert: AlwaysOn\n    expr: vector(7) > 9\n    labels: { severity: critical }\n    annotations: { summary: 'it is {{ $value }}' }\n").unwrap();
    let reload = Command::new("kill").args(["-HUP", &prometheus.0.id().to_string()]).status().unwrap();
    assert!(reload.success());
    eventually("the end", async || sink.bodies().iter().any(|body| body["status"] == "resolved")).await;
    prometheus.0.kill().unwrap();
    prometheus.0.wait().unwrap();
}
