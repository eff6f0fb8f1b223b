//! `fuseboard top`: the real program in a terminal, beside a real server.

use std::process::Command;

use fuseboard::app::tokens::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli::{fuseboard, run},
    process::Process,
    support::TestServer,
    terminal::Terminal,
};

fn top(url: &str) -> Command {
    let mut command = fuseboard(url, &["top"]);
    command.env_remove("NO_COLOR");
    command
}

#[tokio::test]
async fn a_trip_elsewhere_appears_is_reset_here_and_the_terminal_is_left_clean() {
    let board = TestServer::start().await;
    for name in ["kraken_api", "binance_api"] {
        board.put(&format!("/v1/breakers/{name}"), json!({})).await;
    }
    let terminal = Terminal::start(top(&board.url), 80, 24);
    terminal.shows("ALL IS WELL").await;
    let trip = json!({ "target": "forced_open", "reason": "exchange maintenance", "actor": "mira" });
    board.post("/v1/breakers/kraken_api/state", trip).await;
    terminal.shows("[X] forced open  breaker  kraken_api").await;
    terminal.shows("exchange maintenance (by mira)").await;
    terminal.shows("SOMETHING IS BROKEN").await;

    terminal.press("\r");
    terminal.shows("Transitions").await;
    terminal.shows("set by hand, by mira, exchange maintenance").await;
    terminal.press("r");
    terminal.shows("Reset kraken_api").await;
    terminal.press("it is back\r");
    terminal.shows("kraken_api is reset").await;
    terminal.shows("(I) closed").await;
    assert_eq!(board.state("kraken_api").await, "closed");
    let last = board.get("/v1/breakers/kraken_api/transitions").await["items"][0].take();
    assert_eq!((&last["cause"], &last["reason"]), (&json!("reset"), &json!("it is back")));
    terminal.shows("reset by hand").await;

    terminal.press("\u{1b}");
    terminal.until("the overview", |screen| screen.contains("All is well.")).await;
    terminal.press("2/bin\rt");
    terminal.shows("Trip binance_api").await;
    terminal.press("too risky\t\u{15}10m\r");
    terminal.shows("binance_api is forced open").await;
    let view = board.get("/v1/breakers/binance_api").await;
    assert_eq!((&view["state"], &view["retry_after_seconds"]), (&json!("forced_open"), &json!(600.0)));
    assert!(terminal.is_coloured());
    terminal.press("q");
    assert_eq!(terminal.left().await, Some(0));
}

#[tokio::test]
async fn alerts_are_acknowledged_and_silenced_and_checks_run() {
    let board = TestServer::start().await;
    let rule = json!({ "metric_name": "disk_free", "comparison": "<", "threshold": 10, "level": "critical" });
    board.ask(reqwest::Method::POST, "/v1/thresholds", Some(rule)).await;
    let sample = |host: &str| json!({ "samples": [{ "name": "disk_free", "type": "gauge", "value": 3, "labels": { "host": host } }] });
    board.post("/v1/metrics", sample("a \"b\"")).await;
    let terminal = Terminal::start(top(&board.url), 120, 30);
    terminal.press("5");
    terminal.shows("disk_free host=a \"b\"").await;
    terminal.press("a");
    terminal.shows("Acknowledge disk_free").await;
    terminal.press("on it\r");
    terminal.shows("acknowledged").await;
    let alert = board.get("/v1/alerts").await["items"][0].take();
    assert_eq!(alert["acknowledged"]["comment"], "on it");
    terminal.press("s");
    terminal.shows("alertname=\"disk_free\"").await;
    terminal.press("\r");
    terminal.shows("silenced").await;
    let silences = board.get("/v1/silences").await;
    let matchers = &silences["items"][0]["matchers"];
    assert_eq!(matchers, &json!(["alertname=\"disk_free\"", "host=\"a \\\"b\\\"\""]), "{silences}");

    board.put("/v1/breakers/kraken", json!({})).await;
    board.put("/v1/checks/kraken", json!({ "kind": "breaker", "breaker": "kraken" })).await;
    board.put("/v1/limiters/api", json!({ "requests_per_second": 10 })).await;
    terminal.press("3");
    terminal.until("the check", |screen| screen.contains("kraken") && screen.contains("x run")).await;
    terminal.press("x");
    terminal.shows("kraken was run").await;
    terminal.press("6");
    terminal.shows("10/s, burst 10").await;
    terminal.press("p");
    terminal.shows("Hold back api").await;
    terminal.press("\u{15}90s\r");
    terminal.shows("api is held back").await;
    terminal.shows("blocked").await;
    assert_eq!(board.get("/v1/limiters/api").await["blocked_seconds"], 90.0);
    terminal.press("\u{3}");
    assert_eq!(terminal.left().await, Some(0));
}

#[tokio::test]
async fn who_may_only_read_changes_nothing() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let root = |request: reqwest::RequestBuilder| request.bearer_auth("root");
    let http = &board.http;
    root(http.put(format!("{}/v1/breakers/kraken", board.url))).json(&json!({})).send().await.unwrap();
    let made =
        root(http.post(format!("{}/v1/tokens", board.url))).json(&json!({ "name": "eye", "scope": "read" }));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let mut command = top(&board.url);
    command.env("FUSEBOARD_TOKEN", made["token"].as_str().unwrap()).env("NO_COLOR", "1");
    let terminal = Terminal::start(command, 80, 24);
    terminal.press("2");
    terminal.shows("kraken").await;
    assert!(!terminal.text().contains("t trip"), "{}", terminal.text());
    terminal.press("t");
    terminal.shows("this token may only read").await;
    terminal.press("q");
    assert_eq!(terminal.left().await, Some(0));

    let (status, text) = run(&board.url, &["top"]).await;
    assert!(status == 2 && text.contains("needs a terminal") && text.contains("--json"), "{text}");
    let terminal = Terminal::start(top(&board.url), 80, 24);
    terminal.shows("401 Unauthorized").await;
    assert_eq!(terminal.left().await, Some(2), "without a token");
}

#[tokio::test]
async fn a_server_that_goes_is_missed_and_found_again_with_what_has_happened() {
    let dir = TempDir::new().unwrap();
    let db = dir.path().join("board.db");
    let mut server = Process::run(Process::command(&db).args(["--log", "error"]));
    let (url, http) = (server.url.clone(), reqwest::Client::new());
    http.put(format!("{url}/v1/breakers/kraken")).json(&json!({})).send().await.unwrap();
    let mut command = top(&url);
    command.env("NO_COLOR", "1");
    let terminal = Terminal::start(command, 80, 24);
    terminal.press("2");
    terminal.shows("(I) closed       kraken").await;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    terminal.shows("DISCONNECTED since").await;
    terminal.shows("what is shown may be old").await;

    let address = url.rsplit('/').next().unwrap();
    let mut again = Command::new(env!("CARGO_BIN_EXE_fuseboard"));
    again
        .args(["serve", "--listen", address, "--log", "error", "--db"])
        .arg(&db)
        .env_remove("FUSEBOARD_TOKEN");
    let _again = Process::run(&mut again);
    let trip = json!({ "target": "forced_open" });
    http.post(format!("{url}/v1/breakers/kraken/state")).json(&trip).send().await.unwrap();
    terminal.shows("[X] forced open  kraken").await;
    terminal.until("a connection", |screen| !screen.contains("DISCONNECTED")).await;
    assert!(!terminal.is_coloured(), "NO_COLOR is set");
    let stop = Command::new("kill").args(["-TERM", &terminal.child.id().to_string()]).status().unwrap();
    assert!(stop.success());
    assert_eq!(terminal.left().await, Some(143));
}
