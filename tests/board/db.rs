//! `fuseboard db`: the database file, copied beside a server, put back, and looked at.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use fuseboard::clock::Clock;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{cli, process::Process, raw::eventually};

/// How often a command is killed, each time a bit later.
const ROUNDS: u32 = 16;

async fn db(folder: &TempDir, args: &[&str]) -> (i32, String) {
    let file = at(folder, "board.db");
    let args: Vec<_> = ["db", "--db", &file].into_iter().chain(args.iter().copied()).collect();
    cli::run("http://127.0.0.1:1", &args).await
}

fn serve(folder: &TempDir) -> Process {
    Process::run(Process::command(&folder.path().join("board.db")).args(["--log", "error"]))
}

fn stop(server: &mut Process) {
    assert!(Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap().success());
    assert!(server.child.wait().unwrap().success());
}

async fn put(server: &Process, name: &str) -> u16 {
    let request = Client::new().put(format!("{}/v1/breakers/{name}", server.url)).json(&json!({}));
    request.send().await.unwrap().status().as_u16()
}

async fn names(server: &Process) -> Vec<String> {
    let answer = Client::new().get(format!("{}/v1/breakers?limit=1000", server.url)).send().await.unwrap();
    let page: Value = answer.json().await.unwrap();
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

fn at(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Changes a database behind everybody's back.
async fn tamper(path: &str, statement: &'static str) {
    let mut connection = SqliteConnection::connect(path).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_copy_made_under_load_has_all_that_was_acknowledged_before_it() {
    let folder = TempDir::new().unwrap();
    let server = serve(&folder);
    for n in 0..50 {
        assert_eq!(put(&server, &format!("early{n}")).await, 201);
    }
    let load = async {
        for n in 0.. {
            assert_eq!(put(&server, &format!("late{n}")).await, 201);
        }
    };
    let copy = at(&folder, "copy.db");
    let args = ["backup", &copy];
    let (status, text) = tokio::select! {
        () = load => unreachable!(),
        done = db(&folder, &args) => done,
    };
    assert!(status == 0 && text.contains("whole") && text.contains("schema"), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(put(&server, "after").await, 201);
    let elsewhere = TempDir::new().unwrap();
    std::fs::copy(&copy, elsewhere.path().join("board.db")).unwrap();
    let there = names(&serve(&elsewhere)).await;
    assert_eq!(there.iter().filter(|name| name.starts_with("early")).count(), 50);
    assert!(!there.contains(&"after".to_owned()));

    let (status, text) = db(&folder, &["backup", &copy]).await;
    assert!(status == 2 && text.contains("--force"), "{text}");
    assert_eq!(db(&folder, &["backup", &copy, "--force"]).await.0, 0);
    let (status, text) = db(&folder, &["backup", &at(&folder, "board.db"), "--force"]).await;
    assert!(status == 2 && text.contains("the database itself"), "{text}");
    assert_eq!(put(&server, "later").await, 201, "the server did not notice any of it");
    let expected = ["board.db", "board.db-shm", "board.db-wal", "board.db.lock", "copy.db"];
    assert_eq!(files(folder.path()), expected, "nothing else is left");
}

#[tokio::test]
async fn what_is_no_database_is_neither_copied_nor_made() {
    let folder = TempDir::new().unwrap();
    let copy = at(&folder, "copy.db");
    let (status, text) = db(&folder, &["backup", &copy]).await;
    assert!(status == 2 && text.contains("No such file"), "{text}");
    std::fs::write(folder.path().join("board.db"), "no database ".repeat(1000)).unwrap();
    for args in [&["backup", &copy][..], &["restore", &at(&folder, "board.db")], &["restore", "/nowhere"]] {
        assert_eq!(db(&folder, args).await.0, 2, "{args:?}");
    }
    assert_eq!(db(&folder, &["check"]).await.0, 1, "damaged beyond reading");
    std::fs::remove_file(folder.path().join("board.db")).unwrap();
    let other = at(&folder, "other.db");
    std::fs::write(&other, "").unwrap();
    tamper(&other, "CREATE TABLE board (x)").await;
    let (status, text) = db(&folder, &["restore", &other]).await;
    assert!(status == 2 && text.contains("not a database of Fuseboard"), "{text}");
    assert_eq!(files(folder.path()), ["other.db"]);
}

#[tokio::test]
async fn a_copy_is_put_back_only_while_nobody_has_the_database_open() {
    let folder = TempDir::new().unwrap();
    let copy = at(&folder, "copy.db");
    let mut server = serve(&folder);
    put(&server, "kept").await;
    stop(&mut server);
    assert_eq!(db(&folder, &["backup", &copy]).await.0, 0, "without a server");
    let mut server = serve(&folder);
    put(&server, "lost").await;
    let (status, text) = db(&folder, &["restore", &copy]).await;
    assert!(status == 2 && text.contains("stop the server first"), "{text}");
    assert_eq!(put(&server, "lost_too").await, 201, "nothing has happened to the server");
    // What is only in the log that SQLite keeps beside the file is set aside, too.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(folder.path().join("board.db-wal").exists());
    let (status, text) = db(&folder, &["restore", &copy]).await;
    assert!(status == 0 && text.contains("what was there before is"), "{text}");
    let aside = text.lines().find_map(|line| line.split_once("before is ")).unwrap().1.trim().to_owned();

    let mut connection = SqliteConnection::connect(&at(&folder, "board.db")).await.unwrap();
    let stops = sqlx::query_scalar("SELECT count(*) FROM board WHERE key = 'stop'");
    let stops: i64 = stops.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(stops, 0, "a server must not take it for its own clean stop");
    let mut server = serve(&folder);
    assert_eq!(names(&server).await, ["kept"]);
    stop(&mut server);
    let other = TempDir::new().unwrap();
    std::fs::rename(&aside, other.path().join("board.db")).unwrap();
    assert_eq!(names(&serve(&other)).await, ["kept", "lost", "lost_too"], "the old one is whole");

    // Somebody else's program that has it open counts as well.
    let mut shell = SqliteConnection::connect(&at(&folder, "board.db")).await.unwrap();
    sqlx::query("SELECT count(*) FROM board").execute(&mut shell).await.unwrap();
    assert_eq!(db(&folder, &["restore", &copy]).await.0, 2);
    shell.close().await.unwrap();
    assert_eq!(db(&folder, &["restore", &copy]).await.0, 0);
}

#[tokio::test]
async fn a_damaged_database_is_replaced_and_a_damaged_copy_is_not_taken() {
    let folder = TempDir::new().unwrap();
    let copy = at(&folder, "copy.db");
    let mut server = serve(&folder);
    for n in 0..200 {
        put(&server, &format!("b{n}")).await;
    }
    stop(&mut server);
    assert_eq!(db(&folder, &["backup", &copy]).await.0, 0);
    let file = folder.path().join("board.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2;
    bytes[4096..half].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(db(&folder, &["check"]).await.0, 1);
    let worse = at(&folder, "worse.db");
    assert_ne!(db(&folder, &["backup", &worse]).await.0, 0, "no copy of a damaged database");
    assert!(!Path::new(&worse).exists());
    std::fs::copy(&file, &worse).unwrap();
    assert_ne!(db(&folder, &["restore", &worse]).await.0, 0);
    assert!(std::fs::read(&file).unwrap() == bytes, "it is what it was");
    let (status, text) = db(&folder, &["restore", &copy]).await;
    assert_eq!(status, 0, "{text}");
    assert_eq!(names(&serve(&folder)).await.len(), 200);
    std::fs::write(&copy, [&bytes[..16], &[0; 100][..]].concat()).unwrap();
    assert_ne!(db(&folder, &["restore", &copy]).await.0, 0);
}

/// What a server says that does not start.
fn refused(folder: &TempDir) -> String {
    let mut command = Process::command(&folder.path().join("board.db"));
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that starts after all says so, and would not end.
    let mut said = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
    drop(server.kill());
    let done = server.wait_with_output().unwrap();
    said.push_str(std::str::from_utf8(&done.stderr).unwrap());
    assert!(!done.status.success() && !said.contains("listening"), "{said}");
    said
}

#[tokio::test]
async fn a_server_refuses_a_damaged_or_emptied_database_and_says_what_helps() {
    let folder = TempDir::new().unwrap();
    let (file, copy) = (folder.path().join("board.db"), at(&folder, "copy.db"));
    let mut server = serve(&folder);
    put(&server, "kept").await;
    stop(&mut server);
    assert_eq!(db(&folder, &["backup", &copy]).await.0, 0);
    let bytes = std::fs::read(&file).unwrap();
    let noise = vec![0x5a; 4096];
    for (name, damaged) in [
        ("half", &bytes[..bytes.len() / 2]),
        ("torn", &bytes[..bytes.len() - 100]),
        ("head", &[&noise, &bytes[4096..]].concat()),
        ("emptied", &[]),
    ] {
        std::fs::write(&file, damaged).unwrap();
        let text = refused(&folder);
        let wanted = format!("fuseboard db restore COPY --db {}", file.display());
        assert!(text.contains("is damaged") && text.contains(&wanted), "{name}: {text}");
        assert!(std::fs::read(&file).unwrap() == damaged, "{name}: it is what it was");
        let (status, text) = db(&folder, &["restore", &copy]).await;
        assert_eq!(status, 0, "{name}: {text}");
        let mut server = serve(&folder);
        assert_eq!(names(&server).await, ["kept"], "{name}");
        stop(&mut server);
    }
    // What SQLite has yet to bring into the file tells the same where no server has left a mark.
    let other = TempDir::new().unwrap();
    std::fs::write(other.path().join("board.db"), "").unwrap();
    std::fs::write(other.path().join("board.db-wal"), "anything").unwrap();
    assert!(refused(&other).contains("is empty"));
    std::fs::remove_file(other.path().join("board.db-wal")).unwrap();
    drop(serve(&other));
    // Whoever takes it away means it.
    std::fs::remove_file(&file).unwrap();
    assert!(names(&serve(&folder)).await.is_empty());
}

async fn figure(server: &Process, name: &str) -> f64 {
    let page = reqwest::get(format!("{}/metrics", server.url)).await.unwrap().text().await.unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().parse().unwrap_or_default()
}

async fn is_checked(server: &Process) -> bool {
    figure(server, "fuseboard_database_check_timestamp_seconds ").await > 0.0
}

#[tokio::test]
async fn damage_that_no_start_meets_is_told_soon_after_it() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(&folder);
    put(&server, "kept").await;
    eventually("the check", async || is_checked(&server).await).await;
    assert!(figure(&server, "fuseboard_database_damaged ").await.abs() < 0.5);
    stop(&mut server);
    let path = at(&folder, "board.db");
    let mut connection = SqliteConnection::connect(&path).await.unwrap();
    let page = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'restores'");
    let page: i64 = page.fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    bytes[start..start + 4096].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let log = folder.path().join("log");
    let mut command = Process::command(&folder.path().join("board.db"));
    command.args(["--log", "error"]).stderr(std::fs::File::create(&log).unwrap());
    let server = Process::run(&mut command);
    assert_eq!(names(&server).await, ["kept"], "what can be read is there");
    eventually("the check", async || is_checked(&server).await).await;
    assert!(figure(&server, "fuseboard_database_damaged ").await > 0.5);
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains(&path) && said.contains("fuseboard db restore"), "{said}");
}

#[tokio::test]
async fn check_finds_what_does_not_fit_together() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(&folder);
    for letter in ["x", "y"] {
        let body = json!({ "data": { "a": letter.repeat(200_000), "b": 1 } });
        let made = Client::new().post(format!("{}/v1/backups", server.url)).json(&body).send().await.unwrap();
        assert_eq!(made.status(), 201);
    }
    let (status, text) = db(&folder, &["check"]).await;
    assert!(status == 0 && text.contains("whole"), "beside the server: {text}");
    stop(&mut server);
    assert_eq!(db(&folder, &["check"]).await.0, 0);
    for (statement, wanted) in [
        ("UPDATE chunks SET size = size + 1 WHERE id = (SELECT max(id) FROM chunks)", "a gap in their blob"),
        ("UPDATE backups SET blob = blob + 1000", "whose blob is not there"),
        ("DELETE FROM chunks WHERE id = (SELECT min(id) FROM chunks)", "a chunk that is not there"),
        ("DELETE FROM blob_chunks", "no blob refers to"),
        ("DELETE FROM blobs", "of a blob that is not there"),
        ("DELETE FROM backups", "kept for nothing"),
        ("UPDATE chunks SET content = NULL", "without content"),
        (
            "INSERT INTO series VALUES (7, 'a=\"b\"', 0, NULL, '1')",
            "series of a metric that is not there: 1, such as a=\"b\"",
        ),
    ] {
        let case = TempDir::new().unwrap();
        let path = at(&case, "board.db");
        std::fs::copy(at(&folder, "board.db"), &path).unwrap();
        tamper(&path, statement).await;
        let (status, text) = db(&case, &["check"]).await;
        assert!(status == 1 && text.contains(wanted), "{statement}: {text}");
    }
}

/// Starts a `db` command, and kills it after `delay`.
async fn killed(folder: &TempDir, args: &[&str], delay: Duration) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fuseboard"))
        .args(["db", "--db", &at(folder, "board.db")])
        .args(args)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::sleep(delay).await;
    drop(child.kill());
    child.wait().unwrap();
}

#[tokio::test]
async fn a_copy_that_is_killed_is_whole_or_not_there_and_the_next_one_clears_up() {
    let folder = TempDir::new().unwrap();
    let mut server = serve(&folder);
    assert_eq!(put(&server, "a").await, 201);
    stop(&mut server);
    let copy = at(&folder, "copy.db");
    let clock = Clock::system();
    let begun = clock.now();
    assert_eq!(db(&folder, &["backup", &copy]).await.0, 0);
    let whole = clock.now().since(begun);
    for n in 0..ROUNDS {
        std::fs::remove_file(&copy).unwrap();
        killed(&folder, &["backup", &copy], whole * n / ROUNDS).await;
        if std::fs::exists(&copy).unwrap() {
            let checked = cli::run("http://127.0.0.1:1", &["db", "--db", &copy, "check"]).await;
            assert_eq!(checked.0, 0, "{}", checked.1);
            std::fs::remove_file(&copy).unwrap();
        }
        assert_eq!(db(&folder, &["backup", &copy]).await.0, 0);
        let left: Vec<_> =
            files(folder.path()).into_iter().filter(|name| name.starts_with(".copy.db.")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_restore_that_is_killed_leaves_the_database_before_or_after_it() {
    let folder = TempDir::new().unwrap();
    let copy = at(&folder, "copy.db");
    let mut server = serve(&folder);
    assert_eq!(put(&server, "old").await, 201);
    stop(&mut server);
    assert_eq!(db(&folder, &["backup", &copy]).await.0, 0);
    let clock = Clock::system();
    let begun = clock.now();
    assert_eq!(db(&folder, &["restore", &copy]).await.0, 0);
    let whole = clock.now().since(begun);
    for n in 0..ROUNDS {
        let mut server = serve(&folder);
        assert!([200, 201].contains(&put(&server, "new").await));
        // Killed as well: what it acknowledged may be in its write-ahead log alone.
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        killed(&folder, &["restore", &copy], whole * n / ROUNDS).await;
        let server = serve(&folder);
        let mut found = names(&server).await;
        found.sort();
        assert!(found == ["old"] || found == ["new", "old"], "{found:?}");
    }
    let (code, said) = db(&folder, &["restore", &copy]).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(names(&serve(&folder)).await, ["old"]);
}
