//! The board's own document: written, read by another board, kept as a backup.

use reqwest::{Method, header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli,
    support::{TestServer, assert_problem},
};

/// One resource of each kind, some with secrets.
async fn furnish(board: &TestServer) {
    for (path, spec) in [
        ("/v1/breakers/kraken", json!({ "failure_threshold": 3, "timeout_seconds": 12.5 })),
        ("/v1/limiters/api", json!({ "requests_per_second": 10 })),
        ("/v1/retry-policies/calm", json!({})),
        (
            "/v1/checks/exchange",
            json!({ "kind": "http", "url": "http://127.0.0.1:9/", "interval_seconds": 3600,
                "headers": { "Authorization": "Bearer hunter2" } }),
        ),
        ("/v1/gates/live", json!({ "checks": ["exchange"], "breakers": ["kraken"] })),
        ("/v1/retention/daily", json!({ "keep_last": 7 })),
        (
            "/v1/schedules/hook",
            json!({ "cron": "@daily", "action": { "kind": "webhook", "url": "http://127.0.0.1:9/",
                "headers": { "X-Token": "hunter3" } } }),
        ),
    ] {
        let (status, view) = board.put(path, spec).await;
        assert_eq!(status, 201, "{path}: {view}");
    }
}

async fn document(board: &TestServer) -> String {
    let answer = board.send(Method::GET, "/v1/board", None).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    answer.text().await.unwrap()
}

fn in_folder(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_board_is_written_whole_and_equal_boards_are_written_equally() {
    let board = TestServer::start().await;
    let empty: Value = serde_json::from_str(&document(&board).await).unwrap();
    assert_eq!((&empty["format"], &empty["schedules"]), (&json!("fuseboard/1"), &json!({})));
    furnish(&board).await;
    let text = document(&board).await;
    let whole: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["breakers"]["kraken"]["timeout_seconds"], 12.5);
    assert_eq!(
        whole["checks"]["exchange"]["headers"]["Authorization"], "Bearer hunter2",
        "not the view of it"
    );
    assert_eq!(whole["schedules"]["hook"]["action"]["headers"]["X-Token"], "hunter3");
    // Whatever happened meanwhile.
    board.fail("kraken", "bot", 2).await;
    board.advance(90_000.0);
    let board = board.restart().await;
    assert_eq!(document(&board).await, text);
    let tag = board.send(Method::GET, "/v1/board", None).await.headers()["etag"].clone();
    let again = board.http.get(format!("{}/v1/board", board.url)).header(header::IF_NONE_MATCH, tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
}

#[tokio::test]
async fn its_secrets_are_for_admins() {
    let board = TestServer::start().await;
    let mut tokens = Vec::new();
    for scope in ["admin", "write", "read"] {
        let mut request = board.http.post(format!("{}/v1/tokens", board.url));
        if let Some(admin) = tokens.first() {
            request = request.bearer_auth(admin);
        }
        let made = request.json(&json!({ "name": scope, "scope": scope })).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        tokens.push(made["token"].as_str().unwrap().to_owned());
    }
    let ask = |token: &str| board.http.get(format!("{}/v1/board", board.url)).bearer_auth(token).send();
    assert_eq!(ask(&tokens[0]).await.unwrap().status(), 200);
    for token in &tokens[1..] {
        assert_problem(ask(token).await.unwrap(), 403, "forbidden", "no admin").await;
    }
    assert_problem(board.send(Method::GET, "/v1/board", None).await, 401, "unauthorized", "nobody").await;
}

#[tokio::test]
async fn another_board_takes_the_document_and_is_equal_then() {
    let (one, other, folder) =
        (TestServer::start().await, TestServer::start().await, TempDir::new().unwrap());
    furnish(&one).await;
    let file = folder.path().join("board.json");
    let path = file.to_str().unwrap();
    assert_eq!(cli::run(&one.url, &["export", path]).await, (0, String::new()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it has secrets");
    let (status, text) = cli::run(&one.url, &["export"]).await;
    assert_eq!((status, text.trim_end()), (0, std::fs::read_to_string(&file).unwrap().trim_end()));

    let (status, text) = cli::run(&other.url, &["import", path, "--dry-run"]).await;
    assert!(status == 0 && text.contains("7 created") && text.contains("nothing was done"), "{text}");
    assert_eq!(other.get("/v1/breakers").await["items"], json!([]));

    let (status, text) = cli::run(&other.url, &["import", path]).await;
    assert!(status == 0 && text.contains("7 created") && text.contains("retry_policy"), "{text}");
    assert_eq!(document(&other).await, document(&one).await);

    // Again: only what is not so is declared, and what the document lacks stays unless it is asked for.
    other.put("/v1/breakers/kraken", json!({ "failure_threshold": 9 })).await;
    other.put("/v1/breakers/own", json!({})).await;
    let (status, text) = cli::run(&other.url, &["import", path, "--json"]).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    let counts =
        ["created", "changed", "unchanged", "deleted", "refused"].map(|word| told[word].as_u64().unwrap());
    assert_eq!((status, counts), (0, [0, 1, 6, 0, 0]), "{text}");
    assert_ne!(document(&other).await, document(&one).await);
    let (status, text) = cli::run(&other.url, &["import", path, "--prune"]).await;
    assert!(status == 0 && text.contains("own") && text.contains("1 deleted"), "{text}");
    assert_eq!(document(&other).await, document(&one).await);
}

#[tokio::test]
async fn what_is_refused_is_told_and_does_not_stop_the_rest() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    let text = json!({
        "format": "fuseboard/1",
        "breakers": { "a b": {}, "bad": { "failure_threshold": 0 }, "good": {} },
        "checks": { "seen": { "kind": "http", "url": "http://127.0.0.1:9/", "headers": { "authorization": "[redacted]" } } },
        "gates": { "last": { "checks": ["x"] } },
        "toasters": { "t": {} },
    });
    let path = in_folder(&folder, "board.json", &text.to_string());
    for args in [&["import", &path, "--dry-run"][..], &["import", &path]] {
        let (status, text) = cli::run(&board.url, args).await;
        assert!(status == 1 && text.contains("2 created") && text.contains("4 refused"), "{text}");
        assert!(text.contains("failure_threshold") && text.contains("no such kind"), "{text}");
    }
    assert_eq!(board.get("/v1/gates/last").await["name"], "last");
    assert_eq!(board.get("/v1/breakers").await["items"].as_array().unwrap().len(), 1);
    for text in ["nothing", "{}", r#"{"format":"fuseboard/2"}"#] {
        let path = in_folder(&folder, "other.json", text);
        let (status, text) = cli::run(&board.url, &["import", &path]).await;
        assert!(status == 2 && text.contains("no document of a board"), "{text}");
    }
    assert_eq!(cli::run(&board.url, &["import", "/nowhere/board.json"]).await.0, 2);
}
