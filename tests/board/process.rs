//! The real program: signals, `kill -9`, the command line.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, WaitOptions, waitpid};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running `fuseboard serve`.
pub struct Process {
    pub child: Child,
    pub url: String,
}

impl Process {
    fn start(dir: &TempDir, extra: &[&str]) -> Self {
        Self::run(Self::command(&dir.path().join("board.db")).args(["--log", "error"]).args(extra))
    }

    /// `fuseboard serve` on a free port.
    pub fn command(db: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fuseboard"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--db"]).arg(db).env_remove("FUSEBOARD_TOKEN");
        command
    }

    /// Starts it and waits until it listens.
    pub fn run(command: &mut Command) -> Self {
        drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, url }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Stops it until it is thawed. Its threads stop one after another: until the last has, it may still answer.
    pub fn freeze(&self) {
        self.signal("-STOP");
        let stopped = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.is_some_and(|(_, status)| status.stopped()));
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn post(url: &str, path: &str, body: Value) -> Value {
    let client = reqwest::Client::new();
    client.post(format!("{url}{path}")).json(&body).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let dir = TempDir::new().unwrap();
    for round in 0..4 {
        let mut server = Process::start(&dir, &[]);
        let client = reqwest::Client::new();
        for old in 0..round {
            let view: Value = client
                .get(format!("{}/v1/breakers/b{old}", server.url))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            assert_eq!(view["state"], "forced_open", "round {round}: {view}");
        }
        let name = format!("{}/v1/breakers/b{round}", server.url);
        assert_eq!(client.put(&name).json(&json!({})).send().await.unwrap().status(), 201);
        let forced =
            post(&server.url, &format!("/v1/breakers/b{round}/state"), json!({ "target": "forced_open" }))
                .await;
        assert_eq!(forced["state"], "forced_open");
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
}

#[tokio::test]
async fn sigterm_ends_with_success_and_sighup_applies_the_file() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("fuseboard.toml");
    let write = |threshold: u32| {
        std::fs::write(
            &file,
            format!("[server]\nshutdown_delay_seconds = 0\n[breakers.b]\nfailure_threshold = {threshold}\n"),
        )
        .unwrap();
    };
    write(2);
    let mut server = Process::start(&dir, &["--config", file.to_str().unwrap()]);
    let client = reqwest::Client::new();
    let url = format!("{}/v1/breakers/b", server.url);
    let view = || async { client.get(&url).send().await.unwrap().json::<Value>().await.unwrap() };
    assert_eq!(view().await["threshold"], 2);
    let call = post(&server.url, "/v1/calls", json!({ "breaker": "b" })).await;
    let path = format!("/v1/calls/{}/outcome", call["call_id"].as_str().unwrap());
    post(&server.url, &path, json!({ "outcome": "failure" })).await;
    write(9);
    server.signal("-HUP");
    let changed = async {
        while view().await["threshold"] != 9 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), changed).await.expect("the change is in force");
    assert_eq!(view().await["failure_count"], 1, "state is kept");
    server.signal("-TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

/// What a command says and with which status it ends.
fn ask(server: &Process, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_fuseboard"))
        .args(args)
        .args(["--url", &server.url])
        .env_remove("FUSEBOARD_TOKEN")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn health_and_gate_answer_with_their_exit_status() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("fuseboard.toml");
    let text = "[server]\nshutdown_delay_seconds = 0\n[health_checks]\ninterval_seconds = 60\n\
                checks = ['backtest', 'risk']\n[gates.live]\nchecks = ['backtest']\n";
    std::fs::write(&file, text).unwrap();
    let mut server = Process::start(&dir, &["--config", file.to_str().unwrap()]);
    let (code, said) = ask(&server, &["health"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("Health: RED  ") && said.contains("no result yet"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colors into a pipe: {said}");
    assert_eq!(ask(&server, &["gate", "live"]).0, Some(1));
    for (check, status) in [("backtest", "green"), ("risk", "yellow")] {
        let push = json!({ "status": status, "message": "seen" });
        post(&server.url, &format!("/v1/checks/{check}/results"), push).await;
    }
    let (code, said) = ask(&server, &["health"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("  GREEN   backtest  seen") && said.contains("  YELLOW  risk      seen"), "{said}");
    let (code, said) = ask(&server, &["health", "--json", "backtest"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["overall_status"]), (Some(0), &json!("green")));
    assert_eq!(report["checks"].as_object().unwrap().len(), 1);
    assert_eq!(ask(&server, &["health", "backtest", "nothing"]).0, Some(1));
    let (code, said) = ask(&server, &["gate", "live"]);
    assert_eq!((code, said.as_str()), (Some(0), "Gate: open  (overall green)\n"));
    assert_eq!(ask(&server, &["gate", "--checks", "backtest,risk"]).0, Some(0));
    let (code, said) = ask(&server, &["gate", "--checks", "backtest,risk", "--max-status", "green"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("  YELLOW  check risk: seen"), "{said}");
    assert_eq!(ask(&server, &["gate", "--breakers", "none"]).0, Some(1));
    for wrong in
        [&["gate"][..], &["gate", "none"], &["gate", "live", "--checks", "risk"], &["gate", "a/../b"]]
    {
        assert_eq!(ask(&server, wrong).0, Some(2), "{wrong:?}");
    }
    assert_eq!(ask(&server, &["health", "a b"]).0, Some(2), "not a name");
    // SIGHUP puts another stale_after in force for what the file declares itself.
    std::fs::write(&file, format!("{text}[checks.risk]\nkind = 'push'\ncritical = false\n")).unwrap();
    server.signal("-HUP");
    let client = reqwest::Client::new();
    let url = format!("{}/v1/checks/risk", server.url);
    let changed = async {
        loop {
            let view: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
            if view["critical"] == false {
                break view;
            }
            tokio::task::yield_now().await;
        }
    };
    let view = tokio::time::timeout(std::time::Duration::from_secs(10), changed).await.expect("in force");
    assert_eq!(
        (&view["status"], &view["message"]),
        (&json!("yellow"), &json!("seen")),
        "what was seen is kept"
    );
    server.signal("-TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let (code, said) = ask(&server, &["health"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("fuseboard: http://127.0.0.1:"), "{said}");
}

#[test]
fn beyond_loopback_it_refuses_to_start_without_a_token() {
    let dir = TempDir::new().unwrap();
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_fuseboard"))
            .args(args)
            .arg("--db")
            .arg(dir.path().join("board.db"))
            .env_remove("FUSEBOARD_TOKEN")
            .output()
            .unwrap()
    };
    let refused = run(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--insecure-no-auth"));
    let made = run(&["token", "create", "ops", "--scope", "admin"]);
    assert!(String::from_utf8_lossy(&made.stdout).starts_with("fb_"));
    let listed = String::from_utf8_lossy(&run(&["token", "list"]).stdout).into_owned();
    assert!(listed.contains("ops") && !listed.contains(String::from_utf8_lossy(&made.stdout).trim()));
}

#[test]
fn the_server_is_described_alike_by_itself_and_among_the_commands() {
    let output = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_fuseboard")).args(words).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, by_itself) = output(&["serve", "--help"]);
    assert_eq!((code, by_itself.as_str()), (Some(0), output(&["help", "serve"]).1.as_str()));
    let (code, refused) = output(&["serve", "--no-such-flag"]);
    assert_eq!(code, Some(2));
    assert!(refused.contains("Usage: fuseboard serve"), "{refused}");
}
