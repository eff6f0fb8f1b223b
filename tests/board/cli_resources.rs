//! Commands that declare, show and delete, for every kind of resource.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{cli::run, peer::Peer, support::TestServer};

/// What a command prints, which must succeed.
async fn said(board: &TestServer, args: &[&str]) -> String {
    let (status, text) = run(&board.url, args).await;
    assert_eq!(status, 0, "{args:?}: {text}");
    text
}

async fn json(board: &TestServer, args: &[&str]) -> Value {
    let text = said(board, &[args, &["--json"]].concat()).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
}

#[tokio::test]
async fn every_kind_is_declared_listed_shown_and_deleted() {
    let board = TestServer::start().await;
    for (command, fields, in_list) in [
        (&["breaker"][..], &["failure_threshold=3", "window.kind=count", "window.size=50"][..], "0 of 3"),
        (&["limiter"], &["algorithm=sliding_window", "limit=7", "period_seconds=2"], "sliding_window"),
        (&["retry-policy"], &["max_attempts=4"], "4"),
        (&["check"], &["kind=push", "stale_after_seconds=60", "labels.team=a"], "stale"),
        (&["gate"], &["checks=[\"one\"]"], "closed"),
        (&["receiver"], &["kind=webhook", "url=https://example.org/hook"], "webhook"),
        (&["route"], &["receiver=nobody", "matchers=[\"severity=critical\"]"], "nobody"),
        (&["maintenance-window"], &["cron=0 2 * * *", "duration_seconds=3600", "comment=nightly"], "nightly"),
        (&["schedule"], &["cron=@hourly", "action.kind=run_checks"], "run_checks"),
        (&["retention"], &["keep_last=7"], "7"),
        (&["alert", "threshold"], &["metric_name=m", "comparison=>", "threshold=1"], "> 1"),
    ] {
        let args = |verb: &[&'static str]| [command, verb].concat();
        let put = [args(&["put", "one"]), fields.to_vec()].concat();
        let text = said(&board, &put).await;
        assert!(text.contains("one") && text.contains(in_list), "{command:?}: {text}");
        let text = said(&board, &args(&["list"])).await;
        let line = text.lines().find(|line| line.starts_with("one ")).unwrap_or_default().to_owned();
        assert!(line.contains(in_list), "{command:?}: {text}");
        let listed = json(&board, &args(&["list"])).await;
        assert!(listed.is_array(), "{command:?}: {listed}");
        let text = said(&board, &args(&["show", "one"])).await;
        assert!(text.contains("one"), "{command:?}: {text}");
        let shown = json(&board, &args(&["show", "one"])).await;
        assert!(shown.is_object(), "{command:?}: {shown}");
        let again = json(&board, &put).await;
        assert!(again["config"].is_object(), "{command:?}: {again}");
        let wrong = [args(&["put", "one"]), vec!["no_such_field=1"]].concat();
        let (status, text) = run(&board.url, &wrong).await;
        assert!(status == 2 && text.contains("no_such_field"), "{command:?}: {text}");
        assert_eq!(said(&board, &args(&["delete", "one"])).await, "");
        let (status, text) = run(&board.url, &args(&["delete", "one"])).await;
        assert!(status == 2 && text.contains("404"), "{command:?}: {text}");
        let (status, text) = run(&board.url, &args(&["put", "../tokens"])).await;
        assert_eq!(status, 2, "refused before it is sent: {text}");
    }
}

#[tokio::test]
async fn a_definition_comes_from_words_a_document_a_file_or_standard_input() {
    let board = TestServer::start().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("breaker.json");
    std::fs::write(&file, "{\"failure_threshold\": 9}").unwrap();
    let put =
        async |document: &str| json(&board, &["breaker", "put", "b", document]).await["threshold"].clone();
    assert_eq!(put("{\"failure_threshold\": 8}").await, 8);
    assert_eq!(put(file.to_str().unwrap()).await, 9);
    assert_eq!(put("failure_threshold=7").await, 7);
    assert_eq!(json(&board, &["breaker", "put", "b"]).await["threshold"], 5, "left out is the default");
    let mut command = crate::cli::fuseboard(&board.url, &["breaker", "put", "b", "-"]);
    command.stdin(std::fs::File::open(&file).unwrap());
    let done = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
    assert!(done.success());
    assert_eq!(board.get("/v1/breakers/b").await["threshold"], 9);
    for wrong in
        ["{\"failure_threshold\": ", "/nowhere/b.json", "failure_threshold=-1", "failure_threshold=x"]
    {
        let (status, text) = run(&board.url, &["breaker", "put", "b", wrong]).await;
        assert_eq!(status, 2, "{wrong}: {text}");
    }
    assert_eq!(board.get("/v1/breakers/b").await["threshold"], 9);
}

#[tokio::test]
async fn checks_are_pushed_pinged_run_and_looked_at() {
    let board = TestServer::start().await;
    said(&board, &["check", "put", "disk", "kind=push", "stale_after_seconds=60"]).await;
    let text =
        said(&board, &["check", "push", "disk", "yellow", "81 % full", "--details", "{\"free\": 3}"]).await;
    assert!(text.contains("yellow") && text.contains("81 % full"), "{text}");
    said(
        &board,
        &["check", "push", "disk", "red", "full", "--error", "no\u{1b}[2J room", "--duration", "0.5"],
    )
    .await;
    let text = said(&board, &["check", "results", "disk"]).await;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 3 && lines[1].contains("red") && lines[1].contains("no\\u{1b}[2J room"), "{text}");
    let text = said(&board, &["check", "show", "disk"]).await;
    assert!(text.contains("81 % full") && text.contains("stale_after_seconds"), "{text}");
    assert_eq!(json(&board, &["check", "results", "disk"]).await[1]["details"]["free"], 3);
    let (status, text) = run(&board.url, &["check", "push", "disk", "red", "--details", "[1]"]).await;
    assert!(status == 2 && text.contains("not an object"), "{text}");

    let text = said(&board, &["check", "put", "job", "kind=heartbeat", "interval_seconds=60"]).await;
    assert!(text.contains("/ping/"), "{text}");
    said(&board, &["check", "ping", "job", "--start"]).await;
    assert_eq!(board.get("/v1/checks/job").await["running"], true);
    said(&board, &["check", "ping", "job"]).await;
    assert_eq!(board.get("/v1/checks/job").await["status"], "green");
    said(&board, &["check", "ping", "job", "--status", "3"]).await;
    assert_eq!(board.get("/v1/checks/job").await["status"], "red");

    board.put("/v1/breakers/kraken", json!({})).await;
    said(&board, &["check", "put", "kraken", "kind=breaker", "breaker=kraken"]).await;
    let text = said(&board, &["check", "run", "kraken"]).await;
    assert!(text.contains("GREEN   kraken"), "{text}");
    board.post("/v1/breakers/kraken/state", json!({ "target": "forced_open" })).await;
    let (status, text) = run(&board.url, &["check", "run", "kraken", "--json"]).await;
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &report["overall_status"]), (1, &json!("red")));
}

#[tokio::test]
async fn breakers_are_set_and_their_history_is_listed() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({})).await;
    said(&board, &["breaker", "trip", "kraken"]).await;
    said(&board, &["breaker", "set", "kraken", "half_open", "--reason", "try now"]).await;
    assert_eq!(board.state("kraken").await, "half_open");
    said(&board, &["breaker", "set", "kraken", "metrics_only", "--for", "60"]).await;
    assert_eq!(board.state("kraken").await, "metrics_only");
    let (status, text) = run(&board.url, &["breaker", "set", "kraken", "ajar"]).await;
    assert!(status == 2 && text.contains("half_open"), "{text}");
    let text = said(&board, &["breaker", "transitions", "kraken", "--limit", "2"]).await;
    assert!(text.lines().count() == 3 && text.contains("try now"), "{text}");
    let items = json(&board, &["breaker", "transitions", "kraken"]).await;
    assert_eq!(items.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn gates_are_asked_and_looked_at_by_the_same_command() {
    let board = TestServer::start().await;
    said(&board, &["gate", "put", "live", "checks=[\"feed\"]"]).await;
    let (status, text) = run(&board.url, &["gate", "live"]).await;
    assert!(status == 1 && text.contains("Gate: closed"), "{text}");
    let text = said(&board, &["gate", "list"]).await;
    assert!(text.contains("closed") && text.contains("feed"), "{text}");
    said(&board, &["gate", "put", "list", "checks=[\"feed\"]"]).await;
    let (status, text) = run(&board.url, &["gate", "--", "list"]).await;
    assert!(text.contains("Gate: "), "one of the name of a command, {status}: {text}");
    assert_eq!(run(&board.url, &["gate"]).await.0, 2);
    assert_eq!(run(&board.url, &["gate", "live", "--checks", "x"]).await.0, 2);
}

#[tokio::test]
async fn alerts_silences_notifications_and_runs_are_shown_and_cleared() {
    let board = TestServer::start().await;
    said(&board, &["alert", "threshold", "put", "low", "metric_name=m", "comparison=<", "threshold=1"]).await;
    for value in ["0", "2", "0", "2"] {
        run(&board.url, &["alert", "check", "m", value]).await;
    }
    let list = json(&board, &["alert", "list"]).await;
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    assert_eq!(said(&board, &["alert", "delete", &list[0]["id"].to_string()]).await, "");
    assert_eq!(said(&board, &["alert", "clear", "--metric", "other"]).await, "0 deleted\n");
    assert_eq!(json(&board, &["alert", "clear", "--metric", "m"]).await, json!({ "deleted": 1 }));

    let id = said(&board, &["silence", "add", "alertname=m", "--comment", "why not"]).await;
    let text = said(&board, &["silence", "show", id.trim()]).await;
    assert!(text.contains("why not") && text.contains("active"), "{text}");
    assert_eq!(json(&board, &["silence", "show", id.trim()]).await["id"], id.trim());

    let (status, text) = run(&board.url, &["notification", "show", "1"]).await;
    assert!(status == 2 && text.contains("404"), "{text}");
    let peer = Peer::answering(|_| "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let url = format!("url={}", peer.url("/hook"));
    said(
        &board,
        &[
            "schedule",
            "put",
            "hook",
            "cron=0 0 1 1 *",
            "action.kind=webhook",
            &url.replace("url=", "action.url="),
        ],
    )
    .await;
    said(&board, &["schedule", "run", "hook"]).await;
    let text = said(&board, &["schedule", "runs", "hook", "--id", "1"]).await;
    assert!(text.contains("succeeded") && text.contains("manual"), "{text}");
    assert_eq!(json(&board, &["schedule", "runs", "hook", "--id", "1"]).await["id"], 1);
}
