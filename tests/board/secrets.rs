//! Secrets stay secret: in the log at its most talkative, in errors, on disk.

use std::{fs::File, process::Command};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{process::Process, tls::Pair};

const ROOT: &str = "root-secret-7f3a9c";
const WRONG: &str = "wrong-secret-51bb0e";

/// Sends it, and gives everything that came back.
async fn everything(request: RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    let head = format!("{} {:?}", response.status(), response.headers());
    format!("{head} {}", response.text().await.unwrap())
}

/// A server with TLS whose log has everything.
fn talkative(pair: &Pair) -> Process {
    Process::run(
        Process::command(&pair.path("board.db"))
            .arg("--tls-cert")
            .arg(pair.path("cert.pem"))
            .arg("--tls-key")
            .arg(pair.path("key.pem"))
            .env("FUSEBOARD_LOG", "trace")
            .env("FUSEBOARD_TOKEN", ROOT)
            .stderr(File::options().create(true).append(true).open(pair.path("log")).unwrap()),
    )
}

fn made_on_the_command_line(pair: &Pair) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_fuseboard"))
        .args(["token", "create", "ops", "--scope", "admin", "--db"])
        .arg(pair.path("board.db"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn made_over_the_api(client: &Client, url: &str) -> String {
    let request = client.post(format!("{url}/v1/tokens")).bearer_auth(ROOT).header("idempotency-key", "once");
    let response = request.json(&json!({ "name": "bot", "scope": "write" })).send().await.unwrap();
    let made: Value = response.json().await.unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// The places where a secret belongs, and those where it ends up by mistake.
async fn use_everywhere(client: &Client, url: &str, secret: &str) -> Vec<String> {
    let at = |method: Method, path: &str| client.request(method, format!("{url}{path}"));
    let list = || at(Method::GET, "/v1/breakers");
    let mut answers = Vec::new();
    for request in [
        list().bearer_auth(secret),
        at(Method::PUT, "/v1/breakers/b").bearer_auth(secret).json(&json!({})),
        at(Method::POST, "/v1/calls").bearer_auth(secret).json(&json!({ "breaker": "b" })),
        at(Method::POST, "/v1/calls").bearer_auth(secret).body("not json"),
        at(Method::GET, "/nowhere").bearer_auth(secret),
        at(Method::GET, "/v1/tokens").bearer_auth(secret),
        list().basic_auth("user", Some(secret)),
        list().header("authorization", secret),
        list().header("authorization", format!("Token {secret}")),
        list().header("authorisation", format!("Bearer {secret}")),
        list().header("x-api-key", secret),
        list().header("cookie", format!("token={secret}")),
        at(Method::GET, &format!("/v1/breakers?token={secret}")),
        at(Method::GET, &format!("/v1/breakers?token={secret}")).bearer_auth(ROOT),
        at(Method::GET, &format!("/metrics?access_token={secret}")),
        at(Method::POST, &format!("/v1/calls?token={secret}")).bearer_auth(ROOT).json(&json!({})),
    ] {
        answers.push(everything(request).await);
    }
    // The id revokes, not the secret; the answer repeats the address to the one who sent it.
    at(Method::DELETE, &format!("/v1/tokens/{secret}")).bearer_auth(ROOT).send().await.unwrap();
    answers
}

#[tokio::test]
async fn no_secret_appears_in_the_log_in_answers_or_on_disk() {
    let pair = Pair::new();
    let made = made_on_the_command_line(&pair);
    assert!(made.starts_with("fb_"));
    let mut server = talkative(&pair);
    let clients = [pair.client(|b| b), pair.client(reqwest::ClientBuilder::http1_only)];
    let bot = made_over_the_api(&clients[0], &server.url).await;
    let secrets = [ROOT, WRONG, &made, &bot];
    for client in &clients {
        for secret in secrets {
            for answer in use_everywhere(client, &server.url, secret).await {
                for known in secrets {
                    assert!(!answer.contains(known), "{answer}");
                }
            }
        }
    }
    assert_absent(&pair, &secrets, "while it runs");
    Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(server.child.wait().unwrap().success());
    assert_absent(&pair, &secrets, "after the stop");
    let log = std::fs::read_to_string(pair.path("log")).unwrap();
    assert!(log.contains("TRACE") && log.contains("/v1/calls"), "the log is at its most talkative");
}

#[tokio::test]
async fn the_key_of_a_ping_appears_neither_in_the_log_nor_on_disk() {
    let pair = Pair::new();
    let mut server = talkative(&pair);
    for client in [pair.client(|b| b), pair.client(reqwest::ClientBuilder::http1_only)] {
        let at = |method: Method, path: &str| client.request(method, format!("{}{path}", server.url));
        let spec = json!({ "kind": "heartbeat", "interval_seconds": 60 });
        let put = at(Method::PUT, "/v1/checks/job").bearer_auth(ROOT).json(&spec).send();
        let view: Value = put.await.unwrap().json().await.unwrap();
        let url = view["ping_url"].as_str().unwrap();
        for (method, path, status) in [
            (Method::GET, url.to_owned(), 200),
            (Method::POST, format!("{url}/0"), 200),
            (Method::GET, format!("{url}/nonsense"), 422),
            (Method::DELETE, url.to_owned(), 405),
            (Method::GET, format!("{url}?x=1"), 200),
        ] {
            assert_eq!(at(method, &path).send().await.unwrap().status(), status, "{path}");
        }
        assert_absent(&pair, &[&url["/ping/".len()..]], "while it runs");
    }
    Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(server.child.wait().unwrap().success());
}

fn assert_absent(pair: &Pair, secrets: &[&str], when: &str) {
    for name in ["log", "board.db", "board.db-wal"] {
        let Ok(bytes) = std::fs::read(pair.path(name)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets {
            if let Some(at) = text.find(secret) {
                let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
                let around: String = text[line..].chars().take(400).collect();
                panic!("{secret} is in {name} {when}: {around}");
            }
        }
    }
}
