//! `kill -9` in a loop, under load: what was acknowledged is there and whole.

use std::{process::Command, sync::Arc};

use fuseboard::{
    clock::Clock,
    config::Config,
    store::{
        objects::Place,
        seal::{Key, Keyring},
    },
};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    backup_vault::{delete_all, objects},
    backups::prices,
    process::Process,
    support::TestServer,
};

const ROUNDS: usize = 5;
const WRITERS: usize = 6;
/// So many acknowledgements, and the server is killed.
const ENOUGH: usize = 12;

/// Makes backups until the server is gone; those that it acknowledged, with their documents.
async fn write(url: String, seed: u64, acknowledged: Arc<tokio::sync::Semaphore>) -> Vec<(String, String)> {
    let client = reqwest::Client::new();
    let shared = prices(1, 4_000);
    let mut made = Vec::new();
    for n in 0.. {
        // Small ones, and some of several megabytes; all share chunks.
        let rows = if n % 5 == 4 { 60_000 } else { 40 };
        let document = format!("{{\"shared\":{shared},\"own\":{}}}", prices(seed * 1_000_000 + n, rows));
        let request = client.post(format!("{url}/v1/backups")).body(format!("{{\"data\":{document}}}"));
        let Ok(response) = request.send().await else { break };
        if response.status() != 201 {
            break;
        }
        let Ok(view) = response.json::<Value>().await else { break };
        made.push((view["backup_id"].as_str().unwrap().to_owned(), document));
        acknowledged.add_permits(1);
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_and_whole_after_kill_9_under_load() {
    survive(&TempDir::new().unwrap(), |command| command).await;
}

/// The same, encrypted and with the content in a directory. What was put for nothing is deleted afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_survive_kill_9_under_load_and_none_is_forgotten() {
    const KEY: &str = "00000000000000000000000000000000000000000000000000000000000000a1";
    let dir = TempDir::new().unwrap();
    let (root, file) = (dir.path().join("objects"), dir.path().join("fuseboard.toml"));
    std::fs::write(&file, format!("[backup]\nstore = '{}'\n", root.display())).unwrap();
    survive(&dir, |command| command.arg("--config").arg(&file).env("FUSEBOARD_BACKUP_KEY", KEY)).await;
    assert!(!objects(&root).is_empty());
    // Its clock is a manual one, and long after this one.
    let clock = Clock::manual(Timestamp::from_second(4_000_000_000).unwrap());
    let change = |config: &mut Config| {
        config.backups.keys = Keyring::new(Some(Key::parse(KEY).unwrap()), Vec::new());
        config.backups.store = Some(Place::Directory(root.clone()));
    };
    let board = TestServer::start_in(dir, clock, change).await;
    delete_all(&board).await;
    assert_eq!(objects(&root).len(), 0);
}

async fn survive(dir: &TempDir, change: impl for<'c> Fn(&'c mut Command) -> &'c mut Command) {
    let db = dir.path().join("board.db");
    let start = || Process::run(change(Process::command(&db).args(["--log", "error"])));
    let mut made: Vec<(String, String)> = Vec::new();
    for round in 0..ROUNDS {
        let mut server = start();
        let acknowledged = Arc::new(tokio::sync::Semaphore::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let seed = u64::try_from(round * WRITERS + n).unwrap();
                tokio::spawn(write(server.url.clone(), seed, Arc::clone(&acknowledged)))
            })
            .collect();
        // Deletes go on beside it, so that chunks come and go.
        let client = reqwest::Client::new();
        if let Some((id, _)) = made.pop() {
            let gone = client.delete(format!("{}/v1/backups/{id}", server.url)).send().await.unwrap();
            assert_eq!(gone.status(), 204);
        }
        let _enough = acknowledged.acquire_many(u32::try_from(ENOUGH).unwrap()).await.unwrap();
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        for writer in writers {
            made.extend(writer.await.unwrap());
        }
    }
    assert!(made.len() >= ROUNDS * (ENOUGH - 1));
    let server = start();
    let client = reqwest::Client::new();
    for (id, document) in &made {
        let url = format!("{}/v1/backups/{id}", server.url);
        let verdict: Value = client.post(format!("{url}/verify")).send().await.unwrap().json().await.unwrap();
        assert_eq!(verdict["valid"], true, "{id}: {verdict}");
        let data = client.get(format!("{url}/data")).send().await.unwrap();
        assert_eq!(data.status(), 200, "{id}");
        assert!(data.text().await.unwrap() == *document, "{id}");
    }
}
