//! `fuseboard backup`: documents from files and standard input, and back.

use std::{
    io::Write,
    process::{Child, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    backups::prices,
    cli::{fuseboard, run},
    peer::Peer,
    raw::eventually,
    support::TestServer,
};

/// A document that no parser would write like this.
const ODD: &str =
    " { \"b\":1,\n\t\"a\" : [1.10, 1e400, -0, 123456789012345678901234567890, \"\\u00e4\\/ü\"]} \n";

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn begin(url: &str, args: &[&str]) -> Child {
    let mut command = fuseboard(url, args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Exit status, standard output and standard error of a command that reads this.
async fn fed(url: &str, args: &[&str], input: &str) -> (i32, String, String) {
    let (mut child, input) = (begin(url, args), input.to_owned());
    let done = tokio::task::spawn_blocking(move || {
        // One that has refused already reads no more.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    });
    let done = done.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

async fn count(board: &TestServer) -> usize {
    board.get("/v1/backups").await["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn files_are_stored_and_come_back_byte_for_byte() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    let (state, other) = (file(&folder, "state.json", ODD), file(&folder, "other.json", "[1, 2]"));
    let portfolio = format!("portfolio={other}");
    let args =
        ["backup", "create", "--type", "pre_session", "--label", "strategy=ma", "--pin", &state, &portfolio];
    let (status, id, told) = fed(&board.url, &args, "").await;
    let id = id.trim();
    assert!(status == 0 && id.starts_with("pre_session_") && told.is_empty(), "{id} {told}");
    let view = board.get(&format!("/v1/backups/{id}")).await;
    assert_eq!((&view["files"], &view["pinned"]), (&json!(["state.json", "portfolio.json"]), &json!(true)));
    assert_eq!(view["labels"], json!({ "strategy": "ma" }));

    let (status, out, told) = fed(&board.url, &["backup", "get", id, "state"], "").await;
    assert_eq!((status, out.as_str(), told.as_str()), (0, ODD.trim(), ""), "no line end is added");
    let whole = format!("{{\"state\":{ODD},\"portfolio\":[1, 2]}}");
    assert_eq!(fed(&board.url, &["backup", "get", "latest"], "").await.1, whole);
    let target = folder.path().join("whole.json");
    let args = ["backup", "get", "latest:pre_session", "-o", target.to_str().unwrap()];
    assert_eq!(fed(&board.url, &args, "").await, (0, String::new(), String::new()));
    assert_eq!(std::fs::read_to_string(&target).unwrap(), whole);
    let each = folder.path().join("each");
    assert_eq!(fed(&board.url, &["backup", "get", id, "--dir", each.to_str().unwrap()], "").await.0, 0);
    assert_eq!(std::fs::read_to_string(each.join("state.json")).unwrap(), ODD.trim());
    assert_eq!(std::fs::read_to_string(each.join("portfolio.json")).unwrap(), "[1, 2]");

    // What standard input has is all of it, or one document.
    let (status, id, _) = fed(&board.url, &["backup", "create", "-"], &whole).await;
    assert!(status == 0 && id.starts_with("manual_"), "{id}");
    assert_eq!(fed(&board.url, &["backup", "get", id.trim()], "").await.1, whole);
    let (status, text, _) = fed(&board.url, &["backup", "create", "a=-", &other, "--json"], "7").await;
    let view: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &view["files"]), (0, &json!(["a.json", "other.json"])));
}

#[tokio::test]
async fn a_source_cannot_slip_anything_into_the_request_and_nothing_is_stored() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    for (name, text) in [
        ("more", "1,\"x\":2"),
        ("out", "1},\"pinned\":true,\"y\":{\"k\":1"),
        ("half", "[1,2"),
        ("two", "1 2"),
        ("empty", ""),
        ("nan", "NaN"),
    ] {
        let (status, _, told) = fed(&board.url, &["backup", "create", &file(&folder, name, text)], "").await;
        assert!(status == 2 && told.contains(name), "{name}: {told}");
    }
    for input in ["{},\"pinned\":true", "[]", "", "{\"a\":1"] {
        let (status, _, told) = fed(&board.url, &["backup", "create", "-"], input).await;
        assert!(status == 2 && told.contains("standard input"), "{input}: {told}");
    }
    let good = file(&folder, "good.json", "1");
    for args in [
        &["/nowhere/a.json"][..],
        &["-", &good],
        &[&good, &good],
        &[&format!("../x={good}")],
        &[&good, "--label", "a b=c"],
    ] {
        let args = [&["backup", "create"][..], args].concat();
        assert_eq!(fed(&board.url, &args, "").await.0, 2, "{args:?}");
    }
    assert_eq!(count(&board).await, 0);
}

#[tokio::test]
async fn what_is_large_streams_both_ways() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    let text = prices(7, 300_000);
    let path = file(&folder, "trades.json", &text);
    let (status, id, told) = fed(&board.url, &["backup", "create", &path], "").await;
    assert_eq!(status, 0, "{told}");
    let target = folder.path().join("back.json");
    let args = ["backup", "get", id.trim(), "trades", "-o", target.to_str().unwrap()];
    assert_eq!(fed(&board.url, &args, "").await.0, 0);
    assert!(std::fs::read_to_string(&target).unwrap() == text);

    // It is on its way before its end is known.
    let mut child = begin(&board.url, &["backup", "create", "trades=-"]);
    let mut input = child.stdin.take().unwrap();
    let (first, rest) = text.split_at(text.len() / 2);
    let (first, rest) = (first.to_owned(), rest.to_owned());
    let input = tokio::task::spawn_blocking(move || {
        input.write_all(first.as_bytes()).unwrap();
        input
    });
    let mut input = input.await.unwrap();
    let open = async || {
        let open = sqlx::query_scalar("SELECT count(*) FROM blobs WHERE state = 'open'");
        open.fetch_one(&board.board.store.readers).await.map(|count: i64| count == 1).unwrap()
    };
    eventually("the first half at the server", open).await;
    let done = tokio::task::spawn_blocking(move || {
        input.write_all(rest.as_bytes()).unwrap();
        drop(input);
        child.wait_with_output().unwrap()
    });
    assert_eq!(done.await.unwrap().status.code(), Some(0));
    assert_eq!(count(&board).await, 2);
}

#[tokio::test]
async fn a_restore_gives_the_documents_and_keeps_the_state_before() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    let (_, id, _) = fed(&board.url, &["backup", "create", "-"], "{\"a\": 1.10}").await;
    let present = file(&folder, "present.json", "{\"a\": 2}\n");
    let args = [
        "backup",
        "restore",
        "latest:manual",
        "--reason",
        "bad fill",
        "--client",
        "bot",
        "--current",
        &present,
    ];
    let (status, out, told) = fed(&board.url, &args, "").await;
    assert_eq!((status, out.as_str()), (0, "{\"a\": 1.10}"), "{told}");
    assert!(told.contains("the state before is pre_restore_"), "{told}");
    assert_eq!(fed(&board.url, &["backup", "get", "latest:pre_restore"], "").await.1, "{\"a\": 2}");
    let (_, text) = run(&board.url, &["backup", "show", id.trim()]).await;
    assert!(text.contains("bad fill") && text.contains("bot") && text.contains("pre_restore_"), "{text}");
    let (status, out, _) = fed(&board.url, &["backup", "restore", id.trim()], "").await;
    assert_eq!((status, out.as_str()), (0, "{\"a\": 1.10}"));
    let wrong = file(&folder, "wrong.json", "{},\"reason\":\"other\"");
    let args = ["backup", "restore", id.trim(), "--current", &wrong];
    assert_eq!(fed(&board.url, &args, "").await.0, 2);
    let records = board.get(&format!("/v1/backups/{}/restores", id.trim())).await;
    assert_eq!(records["items"].as_array().unwrap().len(), 2, "a broken one is none");
}

#[tokio::test]
async fn backups_are_listed_verified_pinned_pruned_compared_and_deleted() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    let mut ids = Vec::new();
    for n in 0..3 {
        board.advance(86_400.0);
        let args = ["backup", "create", "--type", "daily", "--label", "n=x", "-"];
        ids.push(fed(&board.url, &args, &format!("{{\"a\": {n}}}")).await.1.trim().to_owned());
    }
    fed(&board.url, &["backup", "create", "-"], "{}").await;
    let (status, text) = run(&board.url, &["backup", "list", "--type", "daily", "--label", "n=x"]).await;
    let lines: Vec<_> = text.lines().collect();
    assert!(
        status == 0 && lines.len() == 4 && lines[0].starts_with("ID") && lines[1].starts_with(&ids[2]),
        "{text}"
    );
    let (_, text) = run(&board.url, &["backup", "list", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().len(), 4);

    let (status, text) = run(&board.url, &["backup", "verify", &ids[0]]).await;
    assert!(status == 0 && text.contains("whole"), "{text}");
    let (status, text) = run(&board.url, &["backup", "pin", &ids[1]]).await;
    assert!(status == 0 && text.contains("pinned"), "{text}");
    let (status, text) = run(&board.url, &["backup", "delete", &ids[1]]).await;
    assert!(status == 2 && text.contains("unpin it first"), "{text}");

    let (status, text) = run(&board.url, &["backup", "diff", &ids[0], &ids[2]]).await;
    let patch: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &patch), (1, &json!([{ "op": "replace", "path": "/a", "value": 2 }])));
    assert_eq!(run(&board.url, &["backup", "diff", &ids[0], &ids[0]]).await, (0, "[]\n".to_owned()));
    let same = file(&folder, "same.json", "{ \"a\": 2 }");
    assert_eq!(run(&board.url, &["backup", "diff", "latest:daily", "--file", &same]).await.0, 0);

    board.put("/v1/retention/daily", json!({ "keep_last": 1 })).await;
    let (status, text) = run(&board.url, &["backup", "prune", "--dry-run", "--type", "daily"]).await;
    assert!(status == 0 && text.contains("nothing was done") && text.contains("pinned"), "{text}");
    assert_eq!(count(&board).await, 4);
    let (status, text) = run(&board.url, &["backup", "prune", "--json"]).await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &told["dry_run"]), (0, &json!(false)), "{text}");
    let (_, text) = run(&board.url, &["backup", "unpin", &ids[1]]).await;
    assert!(!text.contains("pinned "), "{text}");
    assert_eq!(run(&board.url, &["backup", "delete", &ids[1]]).await, (0, String::new()));

    let writer = &board.board.store.writer;
    let broken = writer.write(|connection| {
        Box::pin(async move {
            sqlx::query("UPDATE chunks SET content = zeroblob(9)").execute(connection).await?;
            Ok(())
        })
    });
    broken.await.unwrap();
    let (status, text) = run(&board.url, &["backup", "verify", &ids[2]]).await;
    assert!(status == 1 && text.contains("damaged"), "{text}");
    let target = folder.path().join("never.json");
    let (status, text) = run(&board.url, &["backup", "get", &ids[2], "-o", target.to_str().unwrap()]).await;
    assert!(status == 2 && text.contains("damaged"), "{text}");
    assert!(!target.exists());
    let (status, text) = run(&board.url, &["backup", "list"]).await;
    assert!(status == 0 && text.contains("damaged"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_had_is_told_by_the_exit_status() {
    let (board, folder) = (TestServer::start().await, TempDir::new().unwrap());
    for id in ["latest", "latest:daily", "manual_20260101_000000_00000000"] {
        let (status, text) = run(&board.url, &["backup", "get", id]).await;
        assert!(status == 2 && text.contains("there is no backup"), "{id}: {text}");
    }
    for id in ["../tokens", "latest:a/b", "nothing"] {
        assert_eq!(run(&board.url, &["backup", "show", id]).await.0, 2, "refused before it is sent: {id}");
    }
    assert_eq!(run("http://127.0.0.1:1", &["backup", "list"]).await.0, 2);
    let good = file(&folder, "good.json", "1");
    assert_eq!(run("http://127.0.0.1:1", &["backup", "create", &good]).await.0, 2);

    // A server that breaks off, or sends something else: no file.
    let id = "manual_20260101_000000_00000000";
    let view =
        json!({ "backup_id": id, "sha256": "00", "files": ["a.json", "../../etc/x.json"] }).to_string();
    let liar = Peer::answering(move |request| {
        let (body, length) =
            if request.contains("/data") { ("{\"a\":1}", 7) } else { (view.as_str(), view.len()) };
        // It closes after each answer, and says so: else the next request may go into a closed connection.
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    })
    .await;
    let target = folder.path().join("never.json");
    let (status, text) = run(&liar.url(""), &["backup", "get", id, "-o", target.to_str().unwrap()]).await;
    assert!(status == 2 && text.contains("SHA-256"), "{text}");
    let each = folder.path().join("each");
    let (status, text) = run(&liar.url(""), &["backup", "get", id, "--dir", each.to_str().unwrap()]).await;
    assert!(status == 2 && text.contains("no name of a file"), "{text}");
    let stuck = Peer::stalling_after("").await;
    let (status, text) = run(&stuck.url(""), &["backup", "create", &good, "--timeout", "1"]).await;
    assert!(status == 2 && text.contains("nothing has moved"), "{text}");
    assert!(!target.exists());
    assert_eq!(board.ask(Method::GET, "/v1/backups", None).await.0, 200);
}
