//! Where backups lie: encrypted, and in object stores.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use fuseboard::{
    config::Config,
    store::{
        objects::Place,
        seal::{Key, Keyring},
        sqlite::objects::{object_use, objects_announce, objects_doom_late},
    },
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    backups::{create, created, id, prices},
    support::{TestServer, assert_problem},
};

fn key(seed: u64) -> Key {
    Key::parse(&format!("{seed:064x}")).unwrap()
}

/// With a current key and previous ones, by their seeds.
fn keys(current: Option<u64>, previous: &[u64]) -> Keyring {
    Keyring::new(current.map(key), previous.iter().copied().map(key).collect())
}

/// A configuration with these keys, and a directory as object store.
fn vault(keyring: Keyring, store: Option<&Path>) -> impl FnOnce(&mut Config) {
    let store = store.map(|path| Place::Directory(path.to_owned()));
    move |config| {
        config.backups.keys = keyring;
        config.backups.store = store;
    }
}

async fn assert_whole(board: &TestServer, view: &Value, document: &str) {
    let response = board.send(Method::GET, &format!("/v1/backups/{}/data", id(view)), None).await;
    let (status, text) = (response.status(), response.text().await.unwrap());
    let beginning: String = text.chars().take(500).collect();
    assert!(text == document, "{status}: {beginning}");
    let verdict = board.post(&format!("/v1/backups/{}/verify", id(view)), json!({})).await;
    assert_eq!(verdict, json!({ "valid": true, "errors": [] }));
}

/// Neither data nor restore, nor a verdict; and nothing is noted. What the last one was told.
async fn assert_unreadable(board: &TestServer, view: &Value, code: &str) -> String {
    let path = format!("/v1/backups/{}", id(view));
    let before = board.get(&path).await;
    let mut told = Value::Null;
    for (method, end) in [(Method::GET, "data"), (Method::POST, "restore"), (Method::POST, "verify")] {
        let problem = board.send(method, &format!("{path}/{end}"), None).await;
        told = assert_problem(problem, 503, code, end).await;
    }
    drop(board.board.verify_backups().await);
    assert_eq!(board.get(&path).await, before);
    assert_eq!(board.get("/v1/events?kind=backup.corrupt").await["items"], json!([]));
    assert_eq!(board.get("/v1/backups/latest").await["errors"], json!([]));
    told["detail"].as_str().unwrap().to_owned()
}

/// A number of the database.
async fn count(board: &TestServer, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(&board.board.store.readers).await.unwrap()
}

/// The objects in a directory, without its marker.
pub fn objects(root: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if folder.is_dir() {
            found.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert_eq!(folder.file_name().unwrap(), "fuseboard-store");
        }
    }
    found
}

/// Deletes everything, and lets the background do its work.
pub async fn delete_all(board: &TestServer) {
    for item in board.get("/v1/backups?limit=1000").await["items"].as_array().unwrap() {
        assert_eq!(board.delete(&format!("/v1/backups/{}", id(item))).await, 204);
    }
    // One step takes only so many.
    for _ in 0..5 {
        board.board.sweep_backups().await.unwrap();
        board.board.delete_objects().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_encrypted_shows_nothing_and_needs_its_key() {
    let board = TestServer::start_with(vault(keys(Some(1), &[]), None)).await;
    let document = format!("{{\"secret\":\"{}\"}}", "hunter2".repeat(10));
    let view = created(&board, format!("{{\"data\":{document}}}")).await;
    assert_whole(&board, &view, &document).await;
    let leaks = "SELECT count(*) FROM chunks WHERE instr(content, CAST('hunter2' AS BLOB)) OR key IS NULL";
    assert_eq!(count(&board, leaks).await, 0);
    let first = key(1).id().to_string();
    let board = board.crash_with(vault(keys(None, &[]), None)).await;
    assert!(assert_unreadable(&board, &view, "backup_key_missing").await.contains(&first));
    let board = board.crash_with(vault(keys(Some(2), &[]), None)).await;
    board.board.reseal_backups().await.unwrap();
    assert!(assert_unreadable(&board, &view, "backup_key_missing").await.contains(&first));
    assert_eq!(board.board.backups.missing_keys(), [first]);
    assert_eq!(board.board.backups.chunks().without_key, 1);
    // The same content again is stored again, as what is there cannot be read; which mends the first one, too.
    let again = created(&board, format!("{{\"data\":{document}}}")).await;
    assert!(again["stored_bytes"].as_i64().unwrap() > 0, "{again}");
    for view in [&view, &again] {
        assert_whole(&board, view, &document).await;
    }
    let board = board.crash_with(vault(keys(None, &[1]), None)).await;
    assert_unreadable(&board, &view, "backup_key_missing").await;
    let board = board.crash_with(vault(keys(None, &[2]), None)).await;
    assert_whole(&board, &view, &document).await;
}

/// A server after a crash. One with objects stops first: the one that crashes would go on to put some.
async fn next(board: TestServer, has_objects: bool, change: impl FnOnce(&mut Config)) -> TestServer {
    if has_objects { board.restart_with(change).await } else { board.crash_with(change).await }
}

#[tokio::test]
async fn keys_change_in_steps_that_may_be_cut_off() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("objects");
    for store in [None, Some(root.as_path())] {
        let board = TestServer::start_with(vault(keys(None, &[]), store)).await;
        let document = format!("{{\"trades\":{}}}", prices(1, 130_000));
        let view = created(&board, format!("{{\"data\":{document}}}")).await;
        let chunks = count(&board, "SELECT count(*) FROM chunks").await;
        assert!(chunks > 40, "{chunks}");
        // From no key to one, to another, and back to none.
        let mut board = board;
        for (current, previous, wanted) in
            [(Some(1), vec![], Some(1)), (Some(2), vec![3, 1], Some(2)), (None, vec![2], None)]
        {
            board = next(board, store.is_some(), vault(keys(current, &previous), store)).await;
            board.board.reseal_some(1).await.unwrap();
            board.board.refresh_backups().await.unwrap();
            let left = board.board.backups.chunks().to_reseal;
            assert!(left < chunks, "{left} of {chunks}");
            board = next(board, store.is_some(), vault(keys(current, &previous), store)).await;
            assert_whole(&board, &view, &document).await;
            board.board.reseal_backups().await.unwrap();
            board.board.reseal_backups().await.unwrap();
            board.board.refresh_backups().await.unwrap();
            assert_eq!(board.board.backups.chunks().to_reseal, 0);
            board = next(board, store.is_some(), vault(keys(wanted, &[]), store)).await;
            assert_whole(&board, &view, &document).await;
            assert_eq!(count(&board, "SELECT count(*) FROM chunks").await, chunks);
        }
        board.board.refresh_backups().await.unwrap();
        let stored = count(&board, "SELECT sum(stored) FROM chunks").await;
        assert_eq!(board.board.backups.chunks().stored_bytes, stored);
        if store.is_some() {
            board.board.delete_objects().await.unwrap();
            assert_eq!(i64::try_from(objects(&root).len()).unwrap(), chunks, "old objects are deleted");
            delete_all(&board).await;
            assert!(objects(&root).is_empty());
        }
    }
}

#[tokio::test]
async fn objects_come_with_backups_and_go_with_the_last_one() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("deep/objects");
    let board = TestServer::start_with(vault(keys(Some(1), &[]), Some(&root))).await;
    let document = format!("{{\"trades\":{}}}", prices(2, 60_000));
    let first = created(&board, format!("{{\"data\":{document}}}")).await;
    let found = objects(&root);
    assert!(found.len() > 10);
    assert_eq!(count(&board, "SELECT count(*) FROM chunks WHERE content IS NOT NULL").await, 0);
    assert_eq!(count(&board, "SELECT count(*) FROM objects").await, 0);
    let sizes: u64 = found.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert_eq!(u64::try_from(count(&board, "SELECT sum(stored) FROM chunks").await).unwrap(), sizes);
    assert_eq!(first["stored_bytes"], sizes);
    let second = created(&board, format!("{{\"data\":{document}}}")).await;
    assert_eq!((&second["stored_bytes"], objects(&root)), (&json!(0), found.clone()));
    let board = board.crash_with(vault(keys(Some(1), &[]), Some(&root))).await;
    assert_whole(&board, &first, &document).await;
    assert_eq!(board.delete(&format!("/v1/backups/{}", id(&first))).await, 204);
    board.board.sweep_backups().await.unwrap();
    board.board.delete_objects().await.unwrap();
    assert_eq!(objects(&root), found);
    assert_whole(&board, &second, &document).await;
    // Cut off between the deletion of the chunks and that of the objects.
    assert_eq!(board.delete(&format!("/v1/backups/{}", id(&second))).await, 204);
    board.board.sweep_backups().await.unwrap();
    let board = board.crash_with(vault(keys(Some(1), &[]), Some(&root))).await;
    board.board.delete_objects().await.unwrap();
    assert!(objects(&root).is_empty());
    assert_eq!(count(&board, "SELECT count(*) FROM objects").await, 0);
}

#[tokio::test]
async fn an_object_that_was_put_for_nothing_is_deleted_later_and_never_referred_to() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("objects");
    let board = TestServer::start_with(vault(keys(None, &[]), Some(&root))).await;
    created(&board, r#"{"data":{"a":1}}"#).await;
    let store = std::fs::read_to_string(root.join("fuseboard-store")).unwrap();
    let location = format!("{}/0f/lost", store.trim());
    // As a process leaves it that is killed after it has put the object.
    std::fs::create_dir_all(root.join("0f")).unwrap();
    std::fs::write(root.join("0f/lost"), "x").unwrap();
    let (names, now) = (format!("[\"{location}\"]"), board.clock.wall_nanos());
    let writer = board.board.store.writer.clone();
    writer.write(move |c| Box::pin(async move { objects_announce(c, &names, now).await })).await.unwrap();
    drop(writer);
    let board = board.crash_with(vault(keys(None, &[]), Some(&root))).await;
    board.advance(590.0);
    board.board.delete_objects().await.unwrap();
    assert!(root.join("0f/lost").exists(), "a put of the process before may still be under way");
    board.advance(20.0);
    let before = board.clock.wall_nanos();
    let writer = board.board.store.writer.clone();
    let used = writer.write(move |connection| {
        Box::pin(async move {
            objects_doom_late(connection, before).await?;
            object_use(connection, &location).await
        })
    });
    assert!(!used.await.unwrap(), "it is given up");
    drop(writer);
    board.board.delete_objects().await.unwrap();
    assert!(!root.join("0f/lost").exists());
    assert_eq!(objects(&root).len(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_is_an_error_and_a_lost_object_is_damage() {
    let dir = TempDir::new().unwrap();
    let (root, away) = (dir.path().join("objects"), dir.path().join("away"));
    let board = TestServer::start_with(vault(keys(None, &[]), Some(&root))).await;
    let document = format!("{{\"trades\":{}}}", prices(3, 20_000));
    let view = created(&board, format!("{{\"data\":{document}}}")).await;
    // The disk is not mounted: an empty directory, or none.
    std::fs::rename(&root, &away).unwrap();
    for is_there in [false, true] {
        if is_there {
            std::fs::create_dir(&root).unwrap();
        }
        assert!(assert_unreadable(&board, &view, "storage_unavailable").await.contains("marker is gone"));
        let refused = create(&board, r#"{"data":{"new":[1,2,3]}}"#).await;
        assert_eq!(refused.headers()["retry-after"], "1");
        let problem = assert_problem(refused, 503, "storage_unavailable", "create").await;
        assert!(problem["detail"].as_str().unwrap().contains(root.to_str().unwrap()), "{problem}");
    }
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "nothing is written beside the disk");
    let board = board.crash_with(vault(keys(None, &[]), Some(&root))).await;
    assert!(assert_unreadable(&board, &view, "storage_unavailable").await.contains("mounted"));
    assert!(board.board.delete_objects().await.unwrap_err().to_string().contains("mounted"));
    std::fs::remove_dir(&root).unwrap();
    std::fs::rename(&away, &root).unwrap();
    assert_whole(&board, &view, &document).await;
    assert_eq!(board.get("/v1/backups").await["items"].as_array().unwrap().len(), 1);
    // Bits of an object flip; another is lost.
    let some = objects(&root).into_iter().next().unwrap();
    let kept = std::fs::read(&some).unwrap();
    for what in ["flipped", "long", "empty", "lost"] {
        let mut broken = kept.clone();
        match what {
            "flipped" => *broken.last_mut().unwrap() ^= 1,
            "long" => broken.resize(1 << 20, 0),
            _ => broken.clear(),
        }
        std::fs::write(&some, broken).unwrap();
        if what == "lost" {
            std::fs::remove_file(&some).unwrap();
        }
        let response = board.send(Method::GET, &format!("/v1/backups/{}/data", id(&view)), None).await;
        assert_problem(response, 500, "backup_corrupt", what).await;
    }
    std::fs::write(&some, kept).unwrap();
    assert_whole(&board, &view, &document).await;
}

#[tokio::test]
async fn another_store_takes_what_is_new_and_the_old_is_named() {
    let dir = TempDir::new().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let board = TestServer::start().await;
    let at_home = created(&board, r#"{"data":{"at":"home"}}"#).await;
    let board = board.crash_with(vault(keys(None, &[]), Some(&one))).await;
    assert_whole(&board, &at_home, r#"{"at":"home"}"#).await;
    let first = created(&board, r#"{"data":{"at":"one"}}"#).await;
    let board = board.crash_with(vault(keys(None, &[]), Some(&two))).await;
    assert_whole(&board, &at_home, r#"{"at":"home"}"#).await;
    assert!(assert_unreadable(&board, &first, "storage_unavailable").await.contains(one.to_str().unwrap()));
    let again = created(&board, r#"{"data":{"at":"one"}}"#).await;
    for view in [&first, &again] {
        assert_whole(&board, view, r#"{"at":"one"}"#).await;
    }
    let board = board.crash_with(vault(keys(None, &[]), None)).await;
    assert!(assert_unreadable(&board, &first, "storage_unavailable").await.contains(two.to_str().unwrap()));
    let third = created(&board, r#"{"data":{"at":"one"}}"#).await;
    assert_whole(&board, &third, r#"{"at":"one"}"#).await;
    // Moved elsewhere, a directory is still the same store, and what it has too much is deleted.
    let moved = dir.path().join("moved");
    std::fs::rename(&two, &moved).unwrap();
    let board = board.crash_with(vault(keys(None, &[]), Some(&moved))).await;
    board.board.delete_objects().await.unwrap();
    assert!(objects(&moved).is_empty());
    assert_eq!(objects(&one).len(), 1, "what lies elsewhere waits until it is configured again");
    let board = board.crash_with(vault(keys(None, &[]), Some(&one))).await;
    board.board.delete_objects().await.unwrap();
    assert!(objects(&one).is_empty());
}

#[tokio::test]
async fn a_backup_that_cannot_be_verified_does_not_stand_in_the_way_of_others() {
    let board = TestServer::start_with(vault(keys(Some(1), &[]), None)).await;
    for n in 0..20 {
        created(&board, format!("{{\"data\":{{\"n\":{n}}}}}")).await;
    }
    let board = board.crash_with(vault(keys(Some(2), &[]), None)).await;
    let view = created(&board, r#"{"data":{"new":1}}"#).await;
    for _ in 0..3 {
        board.board.verify_backups().await.unwrap();
    }
    assert!(board.get(&format!("/v1/backups/{}", id(&view))).await["verified_at"].is_string());
    // With its key again they are verified, after a while.
    let board = board.crash_with(vault(keys(Some(2), &[1]), None)).await;
    for _ in 0..3 {
        board.board.verify_backups().await.unwrap();
    }
    let verified = board.get("/v1/backups?verified=true").await;
    assert_eq!(verified["items"].as_array().unwrap().len(), 21);
    board.board.refresh_backups().await.unwrap();
    let text = board.get("/metrics").await;
    assert!(
        text.as_str().unwrap().contains("fuseboard_backups_verified{backup_type=\"manual\"} 21\n"),
        "{text}"
    );
}

#[tokio::test]
async fn many_at_once_beside_deleting_and_new_keys() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("objects");
    let board = TestServer::start_with(vault(keys(None, &[]), Some(&root))).await;
    let shared = prices(4, 20_000);
    let document = |n: usize| format!("{{\"a\":{shared},\"n\":{}}}", n % 3);
    let mut kept = Vec::new();
    for n in 0..6 {
        kept.push((created(&board, format!("{{\"data\":{}}}", document(n))).await, document(n)));
    }
    let board = board.crash_with(vault(keys(Some(1), &[]), Some(&root))).await;
    let make = async |n: usize| {
        let view = created(&board, format!("{{\"data\":{}}}", document(n))).await;
        if n.is_multiple_of(2) {
            assert_eq!(board.delete(&format!("/v1/backups/{}", id(&view))).await, 204);
        } else {
            assert_whole(&board, &view, &document(n)).await;
        }
    };
    let background = async {
        for _ in 0..20 {
            Arc::clone(&board.board).reseal_some(1).await.unwrap();
            board.board.sweep_backups().await.unwrap();
            board.board.delete_objects().await.unwrap();
        }
    };
    let reading = async {
        for (view, document) in kept.iter().chain(&kept) {
            assert_whole(&board, view, document).await;
        }
    };
    tokio::join!(futures_util::future::join_all((0..24).map(make)), background, reading);
    assert_eq!(board.get("/v1/events?kind=backup.corrupt").await["items"], json!([]));
    board.advance(601.0);
    delete_all(&board).await;
    assert!(objects(&root).is_empty());
}

#[tokio::test]
async fn content_that_comes_again_mends_what_is_damaged() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("objects");
    for (store, is_encrypted) in [(None, false), (None, true), (Some(root.as_path()), true)] {
        let board = TestServer::start_with(vault(keys(is_encrypted.then_some(1), &[]), store)).await;
        let document = format!("{{\"trades\":{}}}", prices(5, 60_000));
        let first = created(&board, format!("{{\"data\":{document}}}")).await;
        // Two chunks far from each other, so that a reader stops before it meets the second one.
        if store.is_some() {
            let found: Vec<_> = objects(&root).into_iter().collect();
            std::fs::remove_file(&found[0]).unwrap();
            std::fs::write(&found[found.len() - 1], "x").unwrap();
        } else {
            let writer = board.board.store.writer.clone();
            let tamper = writer.write(|connection| {
                Box::pin(async move {
                    let damage = "UPDATE chunks SET content = zeroblob(length(content))
                                  WHERE id IN (SELECT min(id) FROM chunks UNION SELECT max(id) FROM chunks)";
                    Ok(sqlx::query(damage).execute(connection).await?.rows_affected())
                })
            });
            assert_eq!(tamper.await.unwrap(), 2);
        }
        let response = board.send(Method::GET, &format!("/v1/backups/{}/data", id(&first)), None).await;
        assert_problem(response, 500, "backup_corrupt", "two damaged chunks").await;
        let board = board.restart_with(vault(keys(is_encrypted.then_some(1), &[]), store)).await;
        let again = created(&board, format!("{{\"data\":{document}}}")).await;
        assert!(again["stored_bytes"].as_u64().unwrap() > 0, "{again}");
        assert!(
            again["stored_bytes"].as_u64() < first["stored_bytes"].as_u64(),
            "only what is damaged: {again}"
        );
        for view in [&again, &first] {
            assert_whole(&board, view, &document).await;
        }
        assert_eq!(board.get(&format!("/v1/backups/{}", id(&first))).await["errors"], json!([]));
        let third = created(&board, format!("{{\"data\":{document}}}")).await;
        assert_eq!(third["stored_bytes"], 0);
        delete_all(&board).await;
        assert_eq!(count(&board, "SELECT count(*) FROM damaged_chunks").await, 0);
    }
}
