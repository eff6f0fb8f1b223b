//! Commands that ask a running server.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::TestServer;

pub fn fuseboard(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fuseboard"));
    command.args(args).env("FUSEBOARD_URL", url).env_remove("FUSEBOARD_TOKEN");
    command
}

/// Exit status and output of a command.
pub async fn run(url: &str, args: &[&str]) -> (i32, String) {
    let mut command = fuseboard(url, args);
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
    (done.status.code().unwrap(), text)
}

#[tokio::test]
async fn a_breaker_is_listed_shown_tripped_and_reset() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 3 })).await;
    board.put("/v1/breakers/binance", json!({})).await;
    let (status, text) = run(&board.url, &["breaker", "list"]).await;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((status, lines.len()), (0, 3), "{text}");
    assert!(
        lines[0].starts_with("NAME") && lines[2].contains("closed") && lines[2].contains("0 of 3"),
        "{text}"
    );

    let (status, text) = run(&board.url, &["breaker", "trip", "kraken", "--for", "nan"]).await;
    assert!(status == 2 && text.contains("not a finite number"), "{text}");
    let (status, text) =
        run(&board.url, &["breaker", "trip", "kraken", "--for", "90", "--reason", "test"]).await;
    assert_eq!((status, text.contains("forced_open")), (0, true), "{text}");
    assert_eq!(board.state("kraken").await, "forced_open");
    let (_, text) = run(&board.url, &["breaker", "show", "kraken"]).await;
    assert!(text.contains("manual") && text.contains("test") && text.contains("90.0 s"), "{text}");
    let (_, text) = run(&board.url, &["breaker", "list", "--json", "--state", "forced_open"]).await;
    let items: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((items.as_array().unwrap().len(), &items[0]["name"]), (1, &json!("kraken")));

    assert_eq!(run(&board.url, &["breaker", "reset", "kraken"]).await.0, 0);
    assert_eq!(board.state("kraken").await, "closed");
    run(&board.url, &["breaker", "disable", "kraken"]).await;
    assert_eq!(board.state("kraken").await, "disabled");
}

#[tokio::test]
async fn a_limiter_is_listed_and_penalized() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/api", json!({ "requests_per_second": 10 })).await;
    let (status, text) = run(&board.url, &["limiter", "list"]).await;
    assert!(status == 0 && text.contains("token_bucket") && text.contains("10.000/s"), "{text}");
    let (status, text) = run(&board.url, &["limiter", "penalize", "api", "30", "--reason", "429"]).await;
    assert!(status == 0 && text.contains("30.0 s"), "{text}");
    let view = board.get("/v1/limiters/api").await;
    assert_eq!(view["blocked_seconds"], 30.0);
    let (_, text) = run(&board.url, &["limiter", "show", "api", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["name"], "api");
}

#[tokio::test]
async fn events_are_printed_and_followed() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/first", json!({})).await;
    let (status, text) = run(&board.url, &["events"]).await;
    assert!(status == 0 && text.contains("breaker.created") && text.contains("first"), "{text}");

    let mut child =
        fuseboard(&board.url, &["events", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let next = async |mut lines: std::io::Lines<_>| {
        tokio::task::spawn_blocking(move || {
            let line: String = lines.next().unwrap().unwrap();
            (serde_json::from_str::<Value>(&line).unwrap(), lines)
        })
        .await
        .unwrap()
    };
    let event;
    (event, lines) = next(lines).await;
    assert_eq!(event["name"], "first", "the past comes first");
    board.put("/v1/breakers/second", json!({})).await;
    let (event, _) = next(lines).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((&event["kind"], &event["name"]), (&json!("breaker.created"), &json!("second")));
}

#[tokio::test]
async fn what_cannot_be_asked_or_answered_is_told_by_the_exit_status() {
    let board = TestServer::start().await;
    let (status, text) = run(&board.url, &["breaker", "show", "nobody"]).await;
    assert!(status == 2 && text.contains("there is no breaker named"), "{text}");
    let (status, text) = run(&board.url, &["breaker", "show", "../tokens"]).await;
    assert!(status == 2 && text.contains("name"), "refused before it is sent: {text}");
    let (status, text) = run("http://127.0.0.1:1", &["limiter", "list"]).await;
    assert!(status == 2 && text.contains("refused"), "{text}");
}
