//! A disk that takes nothing: durable writes are refused, decisions go on, and when it is over the server recovers by
//! itself and nothing acknowledged is lost.

use std::{
    fs::{File, Permissions},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use reqwest::{Method, Response, StatusCode};
use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{
    process::Process,
    raw::eventually,
    support::{TestServer, assert_problem},
};

/// A server of its own process.
struct Board {
    server: Process,
    dir: TempDir,
    http: reqwest::Client,
}

impl Board {
    fn start() -> Self {
        Self::start_with(|_, command| command)
    }

    fn start_with(change: impl for<'c> FnOnce(&Path, &'c mut Command) -> &'c mut Command) -> Self {
        let dir = TempDir::new().unwrap();
        let mut command = Process::command(&dir.path().join("board.db"));
        // The log lies beside the database: it fails when the disk does.
        command.stderr(File::create(dir.path().join("log")).unwrap());
        let server = Process::run(change(dir.path(), &mut command));
        Self { server, dir, http: reqwest::Client::new() }
    }

    /// `kill -9`, and a new start.
    fn crash(self) -> Self {
        let Self { mut server, dir, http } = self;
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let mut command = Process::command(&dir.path().join("board.db"));
        let server = Process::run(command.stderr(Stdio::null()));
        Self { server, dir, http }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        self.http.request(method, format!("{}{path}", self.server.url)).json(&body).send().await.unwrap()
    }

    async fn put(&self, path: &str) -> Response {
        self.send(Method::PUT, path, json!({})).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let response = self.send(Method::POST, path, body).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    async fn status(&self, path: &str) -> StatusCode {
        self.send(Method::GET, path, json!({})).await.status()
    }

    async fn text(&self, path: &str) -> String {
        self.send(Method::GET, path, json!({})).await.text().await.unwrap()
    }

    /// Sets whether the server's files may grow, or be written at all.
    fn may_write(&self, may: bool) {
        let usual = getrlimit(Resource::Fsize);
        let limit = if may { usual } else { Rlimit { current: Some(0), ..usual } };
        prlimit(Some(Pid::from_child(&self.server.child)), Resource::Fsize, limit).unwrap();
    }

    /// Takes token after token; how many came, and how many failed for the disk.
    async fn acquire_all(&self) -> (u32, u32) {
        let (mut granted, mut failed) = (0, 0);
        for _ in 0..24 {
            let response = self.send(Method::POST, "/v1/limiters/hard/acquire", json!({})).await;
            if response.status() == 503 {
                assert_problem(response, 503, "storage_unavailable", "acquire").await;
                failed += 1;
            } else if response.json::<Value>().await.unwrap()["allowed"] == true {
                granted += 1;
            }
        }
        (granted, failed)
    }

    /// A connection that holds the database's write lock.
    async fn lock(&self, begin: &'static str) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.file("board.db"));
        let mut other = options.connect().await.unwrap();
        sqlx::query(begin).execute(&mut other).await.unwrap();
        other
    }
}

/// From the fault to well after it. `mend` ends what made the disk refuse, for this `reason`.
async fn assert_survives(board: Board, reason: &str, mend: impl AsyncFnOnce(&Board)) {
    for path in ["/v1/breakers/refused", "/v1/limiters/refused"] {
        let response = board.put(path).await;
        assert_eq!(response.headers()["retry-after"], "1", "{path}");
        let problem = assert_problem(response, 503, "storage_unavailable", path).await;
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
        assert_eq!(board.status(path).await, 404, "{path}: what was refused does not exist");
    }
    let force = json!({ "target": "forced_open", "reason": "the disk is gone" });
    let force = board.send(Method::POST, "/v1/breakers/forced/state", force).await;
    assert_problem(force, 503, "storage_unavailable", "an operator's change").await;
    let forced = board.text("/v1/breakers/forced").await;
    assert!(forced.contains("\"state\":\"forced_open\""), "in force, though not on disk yet: {forced}");

    for _ in 0..5 {
        let call =
            board.post("/v1/calls", json!({ "breaker": "kept", "limiters": [{ "name": "kept" }] })).await;
        assert_eq!(call["allowed"], true, "{call}");
        let path = format!("/v1/calls/{}/outcome", call["call_id"].as_str().unwrap());
        assert_eq!(board.post(&path, json!({ "outcome": "failure" })).await["recorded"], true);
    }
    assert_eq!(board.post("/v1/calls", json!({ "breaker": "kept" })).await["reason"], "breaker_open");

    assert_eq!(board.status("/livez").await, 200);
    for probe in ["/readyz", "/healthz", "/readyz/storage"] {
        let response = board.send(Method::GET, probe, json!({})).await;
        let problem = assert_problem(response, 503, "overloaded", probe).await;
        assert_eq!(problem["errors"][0]["field"], "storage", "{problem}");
    }
    let verbose = board.text("/readyz?verbose").await;
    assert!(verbose.contains("[-]storage failed: ") && verbose.contains(reason), "{verbose}");
    assert!(verbose.contains("[+]ping ok"), "{verbose}");

    mend(&board).await;
    eventually("readiness", async || board.status("/readyz").await == 200).await;
    assert_eq!(board.put("/v1/breakers/after").await.status(), 201);
    let history = "/v1/breakers/kept/transitions";
    eventually("the history", async || board.text(history).await.contains("\"to\":\"open\"")).await;

    let board = board.crash();
    for (name, state) in [("kept", "open"), ("forced", "forced_open")] {
        let view = board.text(&format!("/v1/breakers/{name}")).await;
        assert!(view.contains(&format!("\"state\":\"{state}\"")), "what happened meanwhile is kept: {view}");
    }
    for path in ["/v1/limiters/kept", "/v1/breakers/after"] {
        assert_eq!(board.status(path).await, 200, "{path}");
    }
    for path in ["/v1/breakers/refused", "/v1/limiters/refused"] {
        assert_eq!(board.status(path).await, 404, "{path}");
    }
}

/// What must be there at the end.
async fn keep(board: &Board) {
    for path in ["/v1/breakers/kept", "/v1/breakers/forced"] {
        assert_eq!(board.put(path).await.status(), 201);
    }
    let limiter = json!({ "requests_per_second": 5, "burst_size": 10 });
    assert_eq!(board.send(Method::PUT, "/v1/limiters/kept", limiter).await.status(), 201);
}

#[tokio::test]
async fn a_lock_of_another_process_is_survived() {
    let survive = async |begin| {
        let board = Board::start();
        keep(&board).await;
        let other = board.lock(begin).await;
        assert_survives(board, "locked by another process", async |_| drop(other)).await;
    };
    tokio::join!(survive("BEGIN IMMEDIATE"), survive("BEGIN EXCLUSIVE"));
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_survived_and_so_is_its_log() {
    let board = Board::start();
    keep(&board).await;
    board.may_write(false);
    assert_survives(board, "the disk failed", async |board| board.may_write(true)).await;
}

#[tokio::test]
async fn a_change_that_is_asked_for_again_until_the_disk_takes_it_happens_once() {
    let board = Board::start();
    keep(&board).await;
    let force = async |board: &Board| {
        let body = json!({ "target": "forced_open", "reason": "the upstream is down" });
        let url = format!("{}/v1/breakers/kept/state", board.server.url);
        board.http.post(url).header("Idempotency-Key", "once").json(&body).send().await.unwrap()
    };
    board.may_write(false);
    for _ in 0..3 {
        assert_problem(force(&board).await, 503, "storage_unavailable", "not on disk").await;
    }
    board.may_write(true);
    eventually("the answer", async || force(&board).await.status() == 200).await;
    let board = board.crash();
    let again = force(&board).await;
    assert_eq!((again.status(), &again.headers()["idempotency-replayed"] == "true"), (StatusCode::OK, true));
    let history = board.text("/v1/breakers/kept/transitions").await;
    assert_eq!(history.matches("the upstream is down").count(), 1, "{history}");
}

#[tokio::test]
async fn a_hard_limit_holds_while_nothing_can_be_written() {
    for crashes in [false, true] {
        let board = Board::start();
        let hard = json!({ "algorithm": "sliding_window", "limit": 16, "period_seconds": 3600 });
        assert_eq!(board.send(Method::PUT, "/v1/limiters/hard", hard).await.status(), 201);
        board.may_write(false);
        let (mut granted, mut failed) = board.acquire_all().await;
        assert!(granted < 16 && failed > 0, "without the disk, only what is on it: {granted}, {failed}");
        let board = if crashes { board.crash() } else { board };
        board.may_write(true);
        eventually("readiness", async || board.status("/readyz").await == 200).await;
        let more = board.acquire_all().await;
        (granted, failed) = (granted + more.0, more.1);
        assert_eq!(failed, 0, "the disk is back");
        assert!(granted <= 16, "{granted} grants, crashed: {crashes}");
        // The request that finds the fault takes its token with it.
        assert!(crashes || granted >= 15, "what was not granted is not lost: {granted}");
    }
}

#[tokio::test]
async fn checks_go_on_while_nothing_can_be_written_and_a_ping_says_that_it_is_not_on_disk() {
    let board = Board::start();
    let job = json!({ "kind": "heartbeat", "interval_seconds": 3600 });
    assert_eq!(board.send(Method::PUT, "/v1/checks/job", job).await.status(), 201);
    board.post("/v1/checks/bot/results", json!({ "status": "green", "message": "before" })).await;
    assert!(board.text("/v1/checks/bot/results").await.contains("before"), "reading writes what waits");
    board.may_write(false);
    let view = board.post("/v1/checks/bot/results", json!({ "status": "red", "message": "during" })).await;
    assert_eq!(view["status"], "red", "what is known is shown");
    let response = board.send(Method::GET, "/ping/job", json!({})).await;
    assert_problem(response, 503, "storage_unavailable", "the job may try again").await;
    assert!(board.text("/v1/checks/job").await.contains("\"status\":\"green\""), "it is in force");
    assert!(board.text("/v1/checks/bot/results").await.contains("before"), "history can be read");
    board.may_write(true);
    eventually("the ping", async || board.status("/ping/job").await == 200).await;
    let results = async || board.text("/v1/checks/bot/results").await;
    eventually("the history", async || results().await.contains("during")).await;
    let board = board.crash();
    assert!(board.text("/v1/checks/job").await.contains("\"status\":\"green\""));
    assert!(board.text("/v1/checks/bot").await.contains("\"status\":\"red\""));
}

#[tokio::test]
async fn numbers_are_taken_while_nothing_can_be_written_and_saved_afterwards() {
    let board = Board::start();
    let push = async |board: &Board| {
        let sample = json!({ "name": "done", "type": "counter" });
        board.post("/v1/metrics", json!({ "samples": [sample] })).await
    };
    let is_saved = async |board: &Board, value: &str| {
        let options = SqliteConnectOptions::new().filename(board.file("board.db")).read_only(true);
        let mut other = options.connect().await.unwrap();
        sqlx::query_scalar("SELECT value FROM series").fetch_one(&mut other).await.unwrap_or(String::new())
            == value
    };
    push(&board).await;
    // Before that, nothing would have to be deleted from the disk.
    eventually("the first snapshot", async || is_saved(&board, "1.0").await).await;
    board.may_write(false);
    let refused = async || board.put("/v1/breakers/refused").await.status() == 503;
    eventually("the refusal", refused).await;
    assert_eq!(push(&board).await["accepted"], 1);
    let response = board.send(Method::DELETE, "/v1/metrics/done", json!({})).await;
    assert_problem(response, 503, "storage_unavailable", "it would come back").await;
    assert_eq!(push(&board).await["accepted"], 1);
    assert!(board.text("/v1/metrics").await.contains("\"done\":3.0"), "nothing is lost");
    board.may_write(true);
    eventually("the snapshot", async || is_saved(&board, "3.0").await).await;
    let board = board.crash();
    assert!(board.text("/v1/metrics").await.contains("\"done\":3.0"));
}

#[tokio::test]
async fn a_database_that_became_read_only_is_survived() {
    let board = Board::start_with(unprivileged);
    keep(&board).await;
    // Permissions count when the file is opened again, and it is after a failure.
    let other = board.lock("BEGIN IMMEDIATE").await;
    assert_eq!(board.put("/v1/breakers/refused").await.status(), 503);
    permit(&board, 0o444, 0o555);
    let refused = async || board.text("/readyz?verbose").await.contains("read-only");
    eventually("the refusal", refused).await;
    drop(other);
    assert_survives(board, "read-only", async |board| permit(board, 0o644, 0o755)).await;
}

/// Root may write whatever the permissions are, so the server runs as nobody then.
fn unprivileged<'c>(dir: &Path, command: &'c mut Command) -> &'c mut Command {
    const NOBODY: u32 = 65534;
    if !geteuid().is_root() {
        return command;
    }
    std::os::unix::fs::chown(dir, Some(NOBODY), Some(NOBODY)).unwrap();
    // The build may lie where nobody may not look.
    let program = dir.join("fuseboard");
    std::fs::copy(command.get_program(), &program).unwrap();
    let mut other = Command::new(program);
    other.args(command.get_args()).env_remove("FUSEBOARD_TOKEN").uid(NOBODY).gid(NOBODY);
    *command = other;
    command
}

fn permit(board: &Board, files: u32, dir: u32) {
    for name in ["board.db", "board.db-wal", "board.db-shm"] {
        // The last one that closes the database removes the other two.
        drop(std::fs::set_permissions(board.file(name), Permissions::from_mode(files)));
    }
    std::fs::set_permissions(board.dir.path(), Permissions::from_mode(dir)).unwrap();
}

#[tokio::test]
async fn a_database_that_vanished_is_not_replaced_by_an_empty_one() {
    let board = Board::start();
    keep(&board).await;
    let other = board.lock("BEGIN IMMEDIATE").await;
    assert_eq!(board.put("/v1/breakers/refused").await.status(), 503);
    std::fs::rename(board.file("board.db"), board.file("elsewhere.db")).unwrap();
    let refused = async || board.text("/readyz?verbose").await.contains("the disk failed");
    eventually("the refusal", refused).await;
    drop(other);
    assert!(!board.file("board.db").exists());
    let back = async |board: &Board| {
        std::fs::rename(board.file("elsewhere.db"), board.file("board.db")).unwrap();
    };
    assert_survives(board, "the disk failed", back).await;
}

#[tokio::test]
async fn a_full_database_says_so() {
    let board = TestServer::start().await;
    let refused = async {
        for i in 0.. {
            // Holds until the writer opens the database again, which it does after a failure. It may be in one transaction
            // with what fails.
            let quota = board.board.store.writer.write(|connection| {
                Box::pin(async move {
                    sqlx::query("PRAGMA max_page_count = 1").execute(connection).await?;
                    Ok(())
                })
            });
            drop(quota.await);
            let response = board.send(Method::PUT, &format!("/v1/breakers/b{i}"), Some(json!({}))).await;
            if !response.status().is_success() {
                return response;
            }
        }
        unreachable!()
    };
    let problem = assert_problem(refused.await, 503, "storage_unavailable", "full").await;
    assert!(problem["detail"].as_str().unwrap().contains("the disk is full"), "{problem}");
    eventually("readiness", async || board.send(Method::GET, "/readyz", None).await.status() == 200).await;
}
