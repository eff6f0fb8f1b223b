//! The board's own document: written, read by another board, kept as a backup.

use reqwest::{Method, header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cli,
    peer::Peer,
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
        (
            "/v1/thresholds/drawdown",
            json!({ "metric_name": "drawdown", "threshold": 0.15, "labels": { "a": "b" } }),
        ),
        ("/v1/thresholds/builtin.check_red", json!({ "enabled": false })),
        ("/v1/gates/live", json!({ "checks": ["exchange"], "breakers": ["kraken"] })),
        ("/v1/retention/daily", json!({ "keep_last": 7 })),
        (
            "/v1/schedules/hook",
            json!({ "cron": "@daily", "action": { "kind": "webhook", "url": "http://127.0.0.1:9/",
                "headers": { "X-Token": "hunter3" } } }),
        ),
    ] {
        let (status, view) = board.put(path, spec).await;
        assert!(matches!(status, 200 | 201), "{path}: {view}");
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
        whole["checks"]["exchange"]["headers"]["authorization"], "Bearer hunter2",
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
    let admin = token(&board, None, "admin").await;
    let (writer, reader) =
        (token(&board, Some(&admin), "write").await, token(&board, Some(&admin), "read").await);
    let ask = |token: &str| board.http.get(format!("{}/v1/board", board.url)).bearer_auth(token).send();
    assert_eq!(ask(&admin).await.unwrap().status(), 200);
    for token in [writer, reader] {
        assert_problem(ask(&token).await.unwrap(), 403, "forbidden", "no admin").await;
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
    assert!(status == 0 && text.contains("9 created") && text.contains("nothing was done"), "{text}");
    assert_eq!(other.get("/v1/breakers").await["items"], json!([]));

    let (status, text) = cli::run(&other.url, &["import", path]).await;
    assert!(status == 0 && text.contains("9 created") && text.contains("retry_policy"), "{text}");
    assert_eq!(document(&other).await, document(&one).await);

    // Again: only what is not so is declared, and what the document lacks stays unless it is asked for.
    other.put("/v1/breakers/kraken", json!({ "failure_threshold": 9 })).await;
    other.put("/v1/breakers/own", json!({})).await;
    let (status, text) = cli::run(&other.url, &["import", path, "--json"]).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    let counts =
        ["created", "changed", "unchanged", "deleted", "refused"].map(|word| told[word].as_u64().unwrap());
    assert_eq!((status, counts), (0, [0, 1, 8, 0, 0]), "{text}");
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

/// Runs a schedule with this action once; how it ended, and its output.
async fn run_once(board: &TestServer, action: Value) -> (Value, Value) {
    let spec = json!({ "cron": "@yearly", "action": action });
    let (status, view) = board.put("/v1/schedules/once", spec).await;
    assert!(status < 300, "{view}");
    let (status, run) = board.ask(Method::POST, "/v1/schedules/once/run?wait_seconds=20", None).await;
    assert_eq!(status, 200, "{run}");
    (run["status"].clone(), run["output"].clone())
}

async fn token(board: &TestServer, admin: Option<&str>, scope: &str) -> String {
    let mut request = board.http.post(format!("{}/v1/tokens", board.url));
    if let Some(admin) = admin {
        request = request.bearer_auth(admin);
    }
    let made = request.json(&json!({ "name": scope, "scope": scope })).send().await.unwrap();
    made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_schedule_keeps_the_board_and_only_admins_read_it() {
    let board = TestServer::start().await;
    furnish(&board).await;
    let action =
        json!({ "kind": "create_backup", "source": { "kind": "board" }, "labels": { "why": "nightly" } });
    let (status, view) = run_once(&board, action).await;
    assert_eq!(status, "succeeded", "{view}");
    assert_eq!((&view["backup_type"], &view["source"]), (&json!("scheduled"), &json!("board")), "{view}");
    assert_eq!(
        (&view["labels"]["why"], &view["actor"]),
        (&json!("nightly"), &json!("schedule once")),
        "{view}"
    );
    let text = document(&board).await;
    let board = board.crash().await;
    let path = format!("/v1/backups/{}", view["backup_id"].as_str().unwrap());
    assert_eq!(board.get(&path).await, view);
    let kept = board.send(Method::GET, &format!("{path}/data"), None).await.text().await.unwrap();
    assert_eq!(kept, text);
    assert_eq!(board.get(&format!("{path}/data/breakers")).await["kraken"]["failure_threshold"], 3);

    let admin = token(&board, None, "admin").await;
    let writer = token(&board, Some(&admin), "write").await;
    let own = board.http.post(format!("{}/v1/backups", board.url)).bearer_auth(&writer);
    let own: Value = own.json(&json!({ "data": { "a": 1 } })).send().await.unwrap().json().await.unwrap();
    assert_eq!(own["source"], "request");
    let own = format!("/v1/backups/{}", own["backup_id"].as_str().unwrap());
    for (method, path, secret) in [
        (Method::GET, format!("{path}/data"), true),
        (Method::GET, format!("{path}/data/checks"), true),
        (Method::POST, format!("{path}/restore"), true),
        (Method::GET, format!("{path}/diff?against={}", own.rsplit('/').next().unwrap()), true),
        (Method::GET, format!("{own}/diff?against={}", path.rsplit('/').next().unwrap()), true),
        (Method::POST, format!("{path}/diff"), true),
        (Method::GET, path.clone(), false),
        (Method::POST, format!("{path}/verify"), false),
        (Method::GET, format!("{own}/data"), false),
        (Method::POST, format!("{own}/restore"), false),
    ] {
        let ask = |token: &str| {
            let request =
                board.http.request(method.clone(), format!("{}{path}", board.url)).bearer_auth(token);
            if method == Method::POST { request.json(&json!({})).send() } else { request.send() }
        };
        assert_eq!(ask(&admin).await.unwrap().status(), 200, "{path}");
        let answer = ask(&writer).await.unwrap();
        if secret {
            let problem = assert_problem(answer, 403, "forbidden", &path).await;
            assert!(!problem.to_string().contains("hunter"), "{problem}");
        } else {
            assert_eq!(answer.status(), 200, "{path}");
            assert!(!answer.text().await.unwrap().contains("hunter"), "{path}");
        }
    }
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn from_url(url: &str) -> Value {
    json!({ "kind": "create_backup", "backup_type": "state", "source": { "kind": "http", "url": url,
        "headers": { "authorization": "Bearer hunter4" }, "timeout_seconds": 10 } })
}

#[tokio::test]
async fn a_schedule_keeps_what_an_application_serves_byte_for_byte() {
    const STATE: &str = "{ \"z\":1.10,\n\"a\" : [1e400, 123456789012345678901234567890, \"\\u00e4/\"] }";
    let board = TestServer::start().await;
    let peer = Peer::answering(|request| {
        if request.starts_with("GET /moved ") {
            return "HTTP/1.1 302 Found\r\nlocation: /state\r\ncontent-length: 0\r\n\r\n".to_owned();
        }
        answer("200 OK", &format!(" \r\n{STATE}\n\t"))
    })
    .await;
    for path in ["/state", "/moved"] {
        let (status, view) = run_once(&board, from_url(&peer.url(path))).await;
        assert_eq!((&status, &view["source"]), (&json!("succeeded"), &json!("http")), "{view}");
        assert_eq!(view["files"], json!(["z.json", "a.json"]));
        let path = format!("/v1/backups/{}/data", view["backup_id"].as_str().unwrap());
        assert_eq!(board.send(Method::GET, &path, None).await.text().await.unwrap(), STATE);
    }
    let requests = peer.requests();
    assert!(
        requests[0].contains("bearer hunter4") && requests[0].contains("accept: application/json"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn what_is_no_state_is_a_failed_run_that_says_why_and_nothing_is_stored() {
    let board = TestServer::start_with(|config| config.backups.max_bytes = 1000).await;
    let peer = Peer::answering(|request| {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match path {
            "/error" => ("503 Service Unavailable", "{\"a\":1}"),
            "/array" => ("200 OK", "[1]"),
            "/more" => ("200 OK", "{\"a\":1},\"pinned\":true"),
            "/second" => ("200 OK", "{\"a\":1}{\"b\":1}"),
            "/half" => ("200 OK", "{\"a\":[1,2"),
            "/nan" => ("200 OK", "{\"a\":NaN}"),
            "/empty" => ("200 OK", ""),
            "/key" => ("200 OK", "{\"../a\":1}"),
            _ => ("200 OK", long.as_str()),
        };
        answer(status, body)
    })
    .await;
    for (path, reason) in [
        ("/error", "unexpected_status"),
        ("/array", "invalid_state"),
        ("/more", "invalid_state"),
        ("/second", "invalid_state"),
        ("/half", "invalid_state"),
        ("/nan", "invalid_state"),
        ("/empty", "invalid_state"),
        ("/key", "invalid_state"),
        ("/long", "too_large"),
    ] {
        let (status, output) = run_once(&board, from_url(&peer.url(path))).await;
        assert_eq!((&status, &output["reason"]), (&json!("failed"), &json!(reason)), "{path}: {output}");
        assert!(output["message"].is_string(), "{path}: {output}");
    }
    let stalled = Peer::stalling_after("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\":").await;
    let mut action = from_url(&stalled.url("/"));
    action["source"]["timeout_seconds"] = json!(0.2);
    let (status, output) = run_once(&board, action).await;
    assert_eq!((&status, &output["reason"]), (&json!("failed"), &json!("timeout")), "{output}");
    let (_, output) = run_once(&board, from_url("http://169.254.169.254/latest")).await;
    assert_eq!(output["reason"], "forbidden", "{output}");
    assert_eq!(board.get("/v1/backups").await["items"], json!([]));
    board.board.sweep_backups().await.unwrap();
    board.board.refresh_backups().await.unwrap();
    assert_eq!(board.board.backups.chunks().count, 0, "no chunk is left either");
}

/// The backups that the board made of itself, newest first.
async fn automatic(board: &TestServer) -> Vec<Value> {
    board.board.backup_automatically().await.unwrap();
    board.get("/v1/backups?backup_type=automatic").await["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_board_keeps_itself_as_often_as_it_should_whatever_stops_and_clocks_do() {
    let every_hour = |config: &mut fuseboard::config::Config| {
        config.backups.automatic = Some(fuseboard::domain::Seconds::whole(3600));
    };
    let board = TestServer::start().await;
    assert!(automatic(&board).await.is_empty(), "off unless it is switched on");
    let board = board.restart_with(every_hour).await;
    furnish(&board).await;
    let first = automatic(&board).await;
    assert_eq!((first.len(), &first[0]["source"], &first[0]["pinned"]), (1, &json!("board"), &json!(false)));
    board.advance(3599.0);
    assert_eq!(automatic(&board).await.len(), 1);
    // Somebody else's backup of this type is none of the board's.
    let other = json!({ "backup_type": "automatic", "data": {} });
    assert_eq!(board.ask(Method::POST, "/v1/backups", Some(other)).await.0, 201);
    let board = board.crash_with(every_hour).await;
    assert_eq!(automatic(&board).await.len(), 2, "a start alone is no reason");
    board.advance(1.0);
    assert_eq!(automatic(&board).await.len(), 3);
    board.clock.jump_wall(-86_400);
    assert_eq!(automatic(&board).await.len(), 3);
    board.advance(3599.0);
    assert_eq!(automatic(&board).await.len(), 3);
    board.advance(1.0);
    assert_eq!(automatic(&board).await.len(), 4, "it goes on after an hour of steady time");
    assert_eq!(automatic(&board).await.len(), 4);
    board.advance(3600.0);
    assert_eq!(automatic(&board).await.len(), 5);
}
