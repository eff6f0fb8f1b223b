//! The text of `/metrics`: Prometheus' own tool has nothing to say against it.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::json;

use crate::support::TestServer;

async fn metrics(board: &TestServer) -> String {
    board.get("/metrics").await.as_str().unwrap().to_owned()
}

/// Some of everything, refusals and errors included.
async fn mixed_load(board: &TestServer) {
    board
        .put(
            "/v1/breakers/b",
            json!({ "failure_threshold": 2, "window": { "size": 10, "minimum_calls": 5 } }),
        )
        .await;
    board.put("/v1/breakers/idle:x.y-z", json!({})).await;
    board.put("/v1/limiters/bucket", json!({ "requests_per_second": 1, "burst_size": 1 })).await;
    board
        .put("/v1/limiters/hard", json!({ "algorithm": "sliding_window", "limit": 2, "period_seconds": 1 }))
        .await;
    board.put("/v1/limiters/gpu", json!({ "algorithm": "concurrency", "limit": 1 })).await;
    board.put("/v1/retry-policies/p", json!({})).await;
    for (name, enabled) in [("ran", true), ("off", false)] {
        let spec = json!({ "cron": "@daily", "enabled": enabled, "action": { "kind": "run_checks" } });
        board.put(&format!("/v1/schedules/{name}"), spec).await;
    }
    board.ask(Method::POST, "/v1/schedules/ran/run?wait_seconds=10", None).await;
    let call = board.enter("b", "a").await;
    board.report(&call, "success").await;
    board.report(&call, "success").await;
    board.fail("b", "a", 2).await;
    board.post("/v1/calls", json!({ "breaker": "b" })).await;
    for limiter in ["bucket", "hard", "gpu"] {
        board.post("/v1/calls", json!({ "limiters": [{ "name": limiter }] })).await;
        board.post(&format!("/v1/limiters/{limiter}/acquire"), json!({ "max_wait_seconds": 5 })).await;
        board.post(&format!("/v1/limiters/{limiter}/penalize"), json!({ "retry_after_seconds": 2 })).await;
    }
    board.post("/v1/retry-policies/p/attempts", json!({ "attempt": 1 })).await;
    board.post("/v1/checks/pushed:x.y/results", json!({ "status": "yellow", "duration_seconds": 0.5 })).await;
    board.put("/v1/checks/seen", json!({ "kind": "breaker", "breaker": "b" })).await;
    board.put("/v1/checks/job", json!({ "kind": "heartbeat", "interval_seconds": 60 })).await;
    board.get("/ping/job").await;
    board.put("/v1/gates/g", json!({ "checks": ["seen"] })).await;
    board.post("/v1/gates/g/evaluate", json!({})).await;
    board.post("/v1/gates/evaluate", json!({ "checks": ["pushed:x.y"] })).await;
    let backup = json!({ "backup_type": "pre:x.y-z", "data": { "a": 1 } });
    board.ask(Method::POST, "/v1/backups", Some(backup)).await;
    board.board.verify_backups().await.unwrap();
    let samples = json!([
        { "name": "jobs_done", "type": "counter", "labels": { "path": "a\\b\"c\nd€" }, "help": "Jobs \\ \n\"done\"." },
        { "name": "jobs_done", "type": "counter", "value": 1e300 },
        { "name": "depth", "type": "gauge", "value": -0.0, "help": "How deep." },
        { "name": "took", "type": "timer", "value": 1, "help": "How long." },
        { "name": "took", "type": "timer", "value": 1e-7, "labels": { "a": "b" } },
        { "name": "took", "type": "gauge", "value": 1 },
    ]);
    board.post("/v1/metrics", json!({ "samples": samples })).await;
    for (method, path) in
        [(Method::GET, "/nowhere"), (Method::PATCH, "/v1/calls"), (Method::POST, "/v1/calls")]
    {
        board.ask(method, path, Some(json!({ "nonsense": 1 }))).await;
    }
}

/// What `promtool check metrics` says, and whether it is content.
pub fn promtool(text: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed for this test: run `make tools`");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The family that a line with a sample belongs to.
fn family_of<'a>(sample: &'a str, types: &BTreeMap<&'a str, &'a str>) -> &'a str {
    let name = sample.split(['{', ' ']).next().unwrap();
    let is_part = |base: &&str| matches!(types.get(base), Some(&("histogram" | "summary")));
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).filter(is_part);
    base.unwrap_or(name)
}

#[tokio::test]
async fn promtool_has_no_complaints() {
    let board = TestServer::start().await;
    let (content, said) = promtool(&metrics(&board).await);
    assert!(content, "of an empty board: {said}");
    mixed_load(&board).await;
    let (content, said) = promtool(&metrics(&board).await);
    assert!(content, "after a mixed load: {said}");
    assert_eq!(said.trim(), "", "not even a hint");
}

#[tokio::test]
async fn every_family_stands_together_and_has_series() {
    let board = TestServer::start().await;
    for load in ["none", "mixed"] {
        if load == "mixed" {
            mixed_load(&board).await;
        }
        let text = metrics(&board).await;
        assert!(text.ends_with('\n'), "{load}");
        let (mut types, mut helped, mut seen) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (mut current, mut series) = ("", 0);
        for line in text.lines().chain(["# HELP end of file"]) {
            assert!(!line.trim().is_empty(), "{load}: a blank line after {current}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                assert!(current.is_empty() || series > 0, "{load}: {current} has no series");
                (current, series) = (rest.split(' ').next().unwrap(), 0);
                assert!(helped.insert(current), "{load}: {current} comes twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current, "{load}: TYPE follows HELP");
                types.insert(name, kind);
            } else {
                assert_eq!(family_of(line, &types), current, "{load}: {line}");
                let (name_and_labels, value) = line.rsplit_once(' ').unwrap();
                assert!(seen.insert(name_and_labels), "{load}: {name_and_labels} comes twice");
                assert!(value.parse::<f64>().is_ok(), "{load}: {line}");
                series += 1;
            }
        }
    }
}

#[tokio::test]
async fn nobody_can_push_what_the_board_shows_of_itself() {
    let board = TestServer::start().await;
    let names = async || {
        let text = metrics(&board).await;
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        types.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    mixed_load(&board).await;
    for pushed in ["jobs_done", "depth", "took"] {
        assert_eq!(board.delete(&format!("/v1/metrics/{pushed}")).await, 204);
    }
    let own = names().await;
    assert!(own.len() > 80, "{own:?}");
    let mut samples = Vec::new();
    for name in &own {
        samples.push(json!({ "name": name, "type": "gauge", "value": 1 }));
        samples.push(json!({ "name": name.trim_end_matches("_total"), "type": "counter" }));
        samples.push(json!({ "name": name.trim_end_matches("_seconds"), "type": "timer", "value": 1 }));
    }
    let answer = board.post("/v1/metrics", json!({ "samples": samples })).await;
    // A timer process_start_time is seen as process_start_time_seconds; one of process_open_fds is something else.
    let taken = board.get("/v1/metrics").await;
    let taken = |section: &str| taken[section].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(taken("gauges"), [""; 0], "{answer}");
    assert!(taken("counters").iter().chain(&taken("timers")).all(|name| name.starts_with("process_")));
    let all = metrics(&board).await;
    assert_eq!(all.matches("# TYPE ").count(), names().await.len(), "none comes twice");
    let (content, said) = promtool(&all);
    assert!(content || !said.contains("error"), "{said}");
}

#[tokio::test]
async fn checks_show_their_status_success_duration_and_lateness() {
    let board = TestServer::start().await;
    board
        .put("/v1/checks/job", json!({ "kind": "heartbeat", "interval_seconds": 60, "grace_seconds": 10 }))
        .await;
    board.get("/ping/job").await;
    board.post("/v1/checks/p/results", json!({ "status": "yellow", "duration_seconds": 0.3 })).await;
    board.post("/v1/checks/p/results", json!({ "status": "red", "duration_seconds": 20 })).await;
    board.advance(75.0);
    let text = metrics(&board).await;
    for line in [
        "fuseboard_check_status{check=\"p\",kind=\"push\",status=\"red\"} 1",
        "fuseboard_check_status{check=\"p\",kind=\"push\",status=\"green\"} 0",
        "fuseboard_check_last_success_timestamp_seconds{check=\"p\",kind=\"push\"} 1800000000",
        "fuseboard_check_duration_seconds_bucket{check=\"p\",le=\"0.25\"} 0",
        "fuseboard_check_duration_seconds_bucket{check=\"p\",le=\"0.5\"} 1",
        "fuseboard_check_duration_seconds_bucket{check=\"p\",le=\"+Inf\"} 2",
        "fuseboard_check_duration_seconds_sum{check=\"p\"} 20.3",
        "fuseboard_check_late_seconds{check=\"job\",kind=\"heartbeat\"} 5",
    ] {
        assert!(text.lines().any(|present| present == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn backups_show_how_many_there_are_what_they_take_and_how_old_the_newest_is() {
    let board = TestServer::start().await;
    for _ in 0..2 {
        let data = json!({ "same": "x".repeat(100_000) });
        board.ask(Method::POST, "/v1/backups", Some(json!({ "backup_type": "daily", "data": data }))).await;
        board.advance(60.0);
    }
    board.board.verify_backups().await.unwrap();
    let text = metrics(&board).await;
    for line in [
        "fuseboard_backups{backup_type=\"daily\"} 2",
        "fuseboard_backup_logical_bytes{backup_type=\"daily\"} 200022",
        "fuseboard_backups_verified{backup_type=\"daily\"} 2",
        "fuseboard_backups_damaged{backup_type=\"daily\"} 0",
        "fuseboard_backup_last_timestamp_seconds{backup_type=\"daily\"} 1800000060",
        "fuseboard_backup_age_seconds{backup_type=\"daily\"} 60",
        // They are shared.
        "fuseboard_backup_chunk_logical_bytes 100011",
        "fuseboard_backup_chunks_to_reseal 0",
        "fuseboard_backup_chunks_without_key 0",
        "fuseboard_backup_objects_unreferenced 0",
    ] {
        assert!(text.lines().any(|present| present == line), "{line}\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let stored = value("fuseboard_backup_stored_bytes{");
    assert!(stored > 0.0 && (stored - value("fuseboard_backup_chunk_stored_bytes ")).abs() < 0.5);
}
