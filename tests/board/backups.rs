//! Backups: what was acknowledged comes back byte for byte, or not at all.

use std::{collections::HashSet, fmt::Write};

use fuseboard::{
    app::backups::{NewBackup, Upload},
    domain::{backup::Origin, check::Labels},
};
use futures_util::{StreamExt, future::join_all};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    raw::{Raw, eventually},
    support::{TestServer, assert_problem},
};

/// A document that no parser would write like this.
const ODD: &str =
    "{ \"b\":1,\n\t\"a\" : [1.10, 1e400, -0, 123456789012345678901234567890, \"\\u00e4\\/ü\"],\"b2\":{}  }";

/// Sends a body as it is.
pub async fn create(board: &TestServer, body: impl Into<reqwest::Body>) -> Response {
    board.http.post(format!("{}/v1/backups", board.url)).body(body).send().await.unwrap()
}

/// Makes a backup; its view.
pub async fn created(board: &TestServer, body: impl Into<reqwest::Body>) -> Value {
    let response = create(board, body).await;
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 201, "{text}");
    serde_json::from_str(&text).unwrap()
}

pub fn id(view: &Value) -> &str {
    view["backup_id"].as_str().unwrap()
}

async fn data(board: &TestServer, id: &str) -> String {
    let response = board.send(Method::GET, &format!("/v1/backups/{id}/data"), None).await;
    assert_eq!(response.status(), 200, "{id}");
    response.text().await.unwrap()
}

/// Numbers that compress about as well as prices do, different for each seed.
pub fn prices(seed: u64, count: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::from("[");
    for n in 0..count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let comma = if n == 0 { "" } else { "," };
        let (price, cents, amount) = (state % 90_000, state % 97, state % 1000);
        write!(text, "{comma}{{\"price\":{price}.{cents:02},\"amount\":{amount}}}").unwrap();
    }
    text.push(']');
    text
}

#[tokio::test]
async fn what_was_sent_comes_back_byte_for_byte_also_after_a_crash() {
    let board = TestServer::start().await;
    let body = format!(
        " {{\"labels\": {{\"strategy\": \"ma\"}}, \"data\": {ODD} ,\"backup_type\":\"pre_session\", \"pinned\": false}} "
    );
    let view = created(&board, body).await;
    assert!(id(&view).starts_with("pre_session_20270115_080000_"), "{view}");
    let sha = fuseboard::app::text::hex(&Sha256::digest(ODD));
    assert_eq!(view["sha256"], sha);
    assert_eq!(view["files"], json!(["b.json", "a.json", "b2.json"]));
    assert_eq!(view["labels"], json!({"strategy": "ma"}));
    assert_eq!((&view["size_bytes"], &view["backup_type"]), (&json!(ODD.len()), &json!("pre_session")));
    assert_eq!((&view["verified_at"], &view["pinned"]), (&Value::Null, &json!(false)));
    let board = board.crash().await;
    assert_eq!(data(&board, id(&view)).await, ODD);
    let path = format!("/v1/backups/{}", id(&view));
    assert_eq!(board.get(&path).await, view);
    for (key, document) in
        [("b", "1"), ("a", &ODD[ODD.find('[').unwrap()..=ODD.find(']').unwrap()]), ("b2", "{}")]
    {
        let response = board.send(Method::GET, &format!("{path}/data/{key}"), None).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        let tag = response.headers()["etag"].clone();
        assert_eq!(response.text().await.unwrap(), document);
        let again = board.http.get(format!("{}{path}/data/{key}", board.url)).header("if-none-match", tag);
        assert_eq!(again.send().await.unwrap().status(), 304);
    }
    let none = board.send(Method::GET, &format!("{path}/data/c"), None).await;
    assert_problem(none, 404, "not_found", "a document that is not there").await;
    assert_eq!(board.post(&format!("{path}/verify"), json!({})).await, json!({"valid": true, "errors": []}));
    assert!(board.get(&path).await["verified_at"].is_string());
}

#[tokio::test]
async fn large_ones_stream_in_and_out_whatever_the_frames() {
    let board = TestServer::start().await;
    let document = format!("{{\"trades\":{},\"count\":1}}", prices(1, 90_000));
    assert!(document.len() > 2 << 20);
    let body = format!("{{\"data\":{document}}}").into_bytes();
    let frames: Vec<_> = body.chunks(77_777).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect();
    let view = created(&board, reqwest::Body::wrap_stream(futures_util::stream::iter(frames))).await;
    assert_eq!(view["size_bytes"], document.len());
    assert!(view["stored_bytes"].as_u64().unwrap() < document.len() as u64 / 2, "{view}");
    assert!(data(&board, id(&view)).await == document);
    let count = board.send(Method::GET, &format!("/v1/backups/{}/data/count", id(&view)), None).await;
    assert_eq!(count.text().await.unwrap(), "1");
    assert_eq!(board.post(&format!("/v1/backups/{}/verify", id(&view)), json!({})).await["valid"], true);
}

#[tokio::test]
async fn near_identical_ones_share_what_they_have_in_common_and_deleting_one_leaves_the_others_whole() {
    let board = TestServer::start().await;
    let prices = prices(2, 330_000);
    let mut views = Vec::new();
    for version in 0..10 {
        let cut = prices.len() / 11 * (version + 1);
        let cut = cut + prices[cut..].find("},{").unwrap() + 2;
        let document =
            format!("{{\"trades\":{}{{\"version\":{version}}},{}}}", &prices[..cut], &prices[cut..]);
        views.push((created(&board, format!("{{\"data\":{document}}}")).await, document));
    }
    board.board.refresh_backups().await.unwrap();
    let first = views[0].0["stored_bytes"].as_i64().unwrap();
    let all = board.board.backups.chunks().stored_bytes;
    assert!(all * 10 < first * 13, "{all} of {first}");
    for (view, _) in views.iter().step_by(2) {
        assert_eq!(board.delete(&format!("/v1/backups/{}", id(view))).await, 204);
        assert_eq!(board.delete(&format!("/v1/backups/{}", id(view))).await, 404);
    }
    board.board.sweep_backups().await.unwrap();
    for (view, document) in views.iter().skip(1).step_by(2) {
        assert!(data(&board, id(view)).await == *document);
    }
    for (view, _) in views.iter().skip(1).step_by(2) {
        assert_eq!(board.delete(&format!("/v1/backups/{}", id(view))).await, 204);
    }
    board.board.sweep_backups().await.unwrap();
    board.board.refresh_backups().await.unwrap();
    assert_eq!(board.board.backups.chunks().count, 0, "nothing is left");
}

/// Changes what is stored, behind the server's back.
async fn tamper(board: &TestServer, statement: &'static str) {
    let writer = &board.board.store.writer;
    let done = writer.write(move |connection| {
        Box::pin(async move { Ok(sqlx::query(statement).execute(connection).await?.rows_affected()) })
    });
    assert!(done.await.unwrap() > 0, "{statement}");
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused_and_told() {
    // The last byte, the first one, one in the middle, of chunks; a chunk that is gone, or moved; the SHA-256.
    for statement in [
        "UPDATE chunks SET content = CAST(substr(content, 1, length(content) - 1) || x'00' AS BLOB)",
        "UPDATE chunks SET content = CAST(x'ff' || substr(content, 2) AS BLOB)",
        "UPDATE chunks SET content = zeroblob(length(content)) WHERE id = (SELECT max(id) FROM chunks)",
        "UPDATE chunks SET content = CAST(substr(content, 1, 99) || x'5a' || substr(content, 101) AS BLOB) WHERE id = 2",
        "DELETE FROM chunks WHERE id = (SELECT max(id) FROM chunks)",
        "DELETE FROM blob_chunks WHERE start > 0",
        "DELETE FROM blob_chunks WHERE start = 0",
        "UPDATE chunks SET size = size - 1 WHERE id = 1",
        "UPDATE chunks SET codec = 77 WHERE id = 1",
        "UPDATE chunks SET content = NULL WHERE id = 1",
    ] {
        let board = TestServer::start().await;
        let large = created(&board, format!("{{\"data\":{{\"trades\":{}}}}}", prices(3, 80_000))).await;
        assert!(large["size_bytes"].as_u64().unwrap() > 2 << 20);
        tamper(&board, statement).await;
        let path = format!("/v1/backups/{}", id(&large));
        for part in ["data", "data/trades"] {
            let response = board.send(Method::GET, &format!("{path}/{part}"), None).await;
            assert_problem(response, 500, "backup_corrupt", statement).await;
        }
        let verdict = board.post(&format!("{path}/verify"), json!({})).await;
        assert_eq!(verdict["valid"], false, "{statement}");
        let view = board.get(&path).await;
        assert_eq!(view["errors"], verdict["errors"], "{statement}");
        assert_eq!(view["verified_at"], Value::Null);
        assert_problem(
            board.send(Method::POST, &format!("{path}/restore"), Some(json!({}))).await,
            500,
            "backup_corrupt",
            statement,
        )
        .await;
        let told = board.get("/v1/events?kind=backup.corrupt").await;
        assert_eq!(told["items"].as_array().unwrap().len(), 1, "told once: {told}");
        board.board.verify_backups().await.unwrap();
        let check = board.get("/v1/health?checks=backups").await;
        assert_eq!(check["checks"]["backups"]["status"], "red", "{check}");
    }
    let board = TestServer::start().await;
    let view = created(&board, r#"{"data":{"a":1}}"#).await;
    tamper(&board, "UPDATE backups SET sha256 = zeroblob(32)").await;
    let verdict = board.post(&format!("/v1/backups/{}/verify", id(&view)), json!({})).await;
    assert_eq!(verdict["valid"], false);
}

#[tokio::test]
async fn everything_is_verified_by_itself_and_again_after_the_interval() {
    let board = TestServer::start().await;
    board.board.verify_backups().await.unwrap();
    assert!(board.board.checks.get("backups").is_none(), "who has no backups gets no check");
    let view = created(&board, r#"{"data":{"a":1}}"#).await;
    let path = format!("/v1/backups/{}", id(&view));
    assert!(board.get("/v1/backups?verified=true").await["items"].as_array().unwrap().is_empty());
    board.board.verify_backups().await.unwrap();
    let first = board.get(&path).await["verified_at"].clone();
    assert!(first.is_string());
    assert_eq!(board.get("/v1/health?checks=backups").await["overall_status"], "green");
    board.advance(3600.0);
    board.board.verify_backups().await.unwrap();
    assert_eq!(board.get(&path).await["verified_at"], first, "not before its time");
    board.advance(86_400.0);
    board.board.verify_backups().await.unwrap();
    assert_ne!(board.get(&path).await["verified_at"], first);
    assert_eq!(board.get("/v1/backups/latest?verified=true").await["backup_id"], view["backup_id"]);
    tamper(&board, "UPDATE chunks SET content = x'00'").await;
    board.advance(86_401.0);
    board.board.verify_backups().await.unwrap();
    assert_eq!(board.get("/v1/health?checks=backups").await["overall_status"], "red");
    let none = board.send(Method::GET, "/v1/backups/latest?verified=true", None).await;
    assert_problem(none, 404, "not_found", "none is whole").await;
    assert_eq!(board.delete(&path).await, 204);
    board.board.verify_backups().await.unwrap();
    assert_eq!(board.get("/v1/health?checks=backups").await["overall_status"], "green");
}

#[tokio::test]
async fn they_are_found_by_type_label_and_time_page_by_page() {
    let board = TestServer::start().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        let body = json!({"backup_type": kind, "labels": {"n": n.to_string(), "a.b": "x"}, "data": {"n": n}});
        ids.push(id(&created(&board, body.to_string()).await).to_owned());
        // Two of them in the same instant.
        if n != 3 {
            board.advance(60.0);
        }
    }
    ids.reverse();
    let listed = async |query: &str| -> Vec<String> {
        let page = board.get(&format!("/v1/backups{query}")).await;
        page["items"].as_array().unwrap().iter().map(|item| id(item).to_owned()).collect()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("?backup_type=odd").await, [1, 3, 5].map(|n: usize| ids[n].clone()));
    assert_eq!(listed("?labels=n%3D4").await, [ids[2].clone()]);
    assert_eq!(listed("?labels=n%3D4,a.b%3Dx").await, [ids[2].clone()]);
    assert!(listed("?labels=n%3D4,a.b%3Dy").await.is_empty());
    let second = board.get(&format!("/v1/backups/{}", ids[5])).await["timestamp"].clone();
    assert_eq!(listed(&format!("?until={}", second.as_str().unwrap())).await, [ids[6].clone()]);
    assert_eq!(listed(&format!("?since={}", second.as_str().unwrap())).await, ids[..6]);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = board.get(&format!("/v1/backups?limit=2{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| id(item).to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ids);
    assert_eq!(board.get("/v1/backups/latest").await["backup_id"], ids[0]);
    assert_eq!(board.get("/v1/backups/latest?backup_type=odd").await["backup_id"], ids[1]);
    for (query, field) in [
        ("?cursor=x", "cursor"),
        ("?cursor=1", "cursor"),
        ("?limit=0", "limit"),
        ("?labels=x", "labels"),
        ("?backup_type=..%2F", "backup_type"),
        ("?since=yesterday", "since"),
        ("?colour=red", "colour"),
    ] {
        let response = board.send(Method::GET, &format!("/v1/backups{query}"), None).await;
        let problem = assert_problem(response, 422, "validation_failed", query).await;
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_stored() {
    let board = TestServer::start_with(|config| config.backups.max_bytes = 2 << 20).await;
    let deep = format!("{{\"data\":{{\"a\":{}{}}}}}", "[".repeat(50_000), "]".repeat(50_000));
    let long_key = format!("{{\"data\":{{\"{}\":1}}}}", "k".repeat(129));
    let many: Vec<_> = (0..1025).map(|n| format!("\"k{n}\":1")).collect();
    let many = format!("{{\"data\":{{{}}}}}", many.join(","));
    let labels = format!("{{\"data\":{{}},\"labels\":{{\"a\":\"{}\"}}}}", "x".repeat(100_000));
    let large = format!("{{\"data\":{{\"a\":{}}}}}", prices(4, 100_000));
    for (body, status, code, field) in [
        ("", 400, "bad_json", None),
        ("{", 400, "bad_json", None),
        ("{\"data\":{\"a\":1}", 400, "bad_json", None),
        ("{\"data\":{\"a\":1}}x", 400, "bad_json", None),
        ("{\"data\":{\"a\":01}}", 400, "bad_json", None),
        ("{\"data\":{\"a\":\"\n\"}}", 400, "bad_json", None),
        ("{\"data\":{\"a\":'1'}}", 400, "bad_json", None),
        ("[]", 422, "validation_failed", Some("body")),
        ("{}", 422, "validation_failed", Some("data")),
        ("{\"data\":null}", 422, "validation_failed", Some("data")),
        ("{\"data\":[1]}", 422, "validation_failed", Some("data")),
        ("{\"data\":{},\"data\":{}}", 422, "validation_failed", Some("data")),
        ("{\"data\":{\"a\":1,\"a\":2}}", 422, "validation_failed", Some("data.a")),
        ("{\"data\":{\"a\":NaN}}", 422, "validation_failed", Some("data.a")),
        ("{\"data\":{\"../../etc/passwd\":1}}", 422, "validation_failed", Some("data")),
        ("{\"data\":{\"a/b\":1}}", 422, "validation_failed", Some("data")),
        ("{\"data\":{\"a\\\\b\":1}}", 422, "validation_failed", Some("data")),
        ("{\"data\":{\"a\\u0000\":1}}", 422, "validation_failed", Some("data")),
        ("{\"data\":{\".\":1}}", 422, "validation_failed", Some("data")),
        ("{\"data\":{\"\":1}}", 422, "validation_failed", Some("data")),
        (&long_key, 422, "validation_failed", Some("data")),
        (&many, 422, "validation_failed", Some("data")),
        (&deep, 422, "validation_failed", Some("body")),
        (&labels, 422, "validation_failed", Some("body")),
        ("{\"data\":{},\"backup_type\":\"../x\"}", 422, "validation_failed", Some("backup_type")),
        ("{\"data\":{},\"backup_type\":7}", 422, "validation_failed", Some("backup_type")),
        ("{\"data\":{},\"labels\":{\"a b\":\"\"}}", 422, "validation_failed", Some("labels")),
        ("{\"data\":{},\"pinned\":\"yes\"}", 422, "validation_failed", Some("pinned")),
        ("{\"data\":{},\"pined\":true}", 422, "validation_failed", Some("pined")),
        (&large, 413, "payload_too_large", None),
    ] {
        let what: String = body.chars().take(60).collect();
        let problem = assert_problem(create(&board, body.to_owned()).await, status, code, &what).await;
        if let Some(field) = field {
            assert_eq!(problem["errors"][0]["field"], field, "{what}: {problem}");
        }
    }
    let typed = board.http.post(format!("{}/v1/backups", board.url)).header("content-type", "text/plain");
    assert_problem(typed.body("{\"data\":{}}").send().await.unwrap(), 415, "unsupported_media_type", "text")
        .await;
    // A large body that turns out to be bad at its last byte, and one that breaks off.
    let board = TestServer::start().await;
    let late = format!("{{\"data\":{{\"a\":{}}},\"pinned\":7}}", prices(4, 100_000));
    assert_problem(create(&board, late).await, 422, "validation_failed", "bad at its end").await;
    let half = format!(
        "POST /v1/backups HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000000\r\n\r\n{{\"data\":{{\"a\":{}",
        prices(5, 50_000)
    );
    drop(Raw::sending(&board, &half).await);
    let flight = &board.board.telemetry.requests_in_flight;
    eventually("an idle server", async || flight.get() == 0).await;
    assert_eq!(board.get("/v1/backups").await["items"], json!([]));
    eventually("nothing left on the disk", async || {
        board.board.sweep_backups().await.unwrap();
        board.board.refresh_backups().await.unwrap();
        board.board.backups.chunks().count == 0
    })
    .await;
    for (path, field) in [
        ("/v1/backups/..%2F..%2Fetc%2Fpasswd", "id"),
        ("/v1/backups/x", "id"),
        ("/v1/backups/x/data", "id"),
        ("/v1/backups/x_20270115_080000_0000000%2F/data/a", "id"),
    ] {
        let problem = board.send(Method::GET, path, None).await;
        let problem = assert_problem(problem, 422, "validation_failed", path).await;
        assert_eq!(problem["errors"][0]["field"], field);
    }
    for path in ["", "/data", "/data/a"] {
        let path = format!("/v1/backups/x_20270115_080000_00000000{path}");
        assert_problem(board.send(Method::GET, &path, None).await, 404, "not_found", &path).await;
    }
    assert_problem(board.send(Method::PUT, "/v1/backups", None).await, 405, "method_not_allowed", "PUT")
        .await;
}

#[tokio::test]
async fn a_repeated_request_makes_one_backup_also_after_a_crash() {
    let board = TestServer::start().await;
    let send = async |board: &TestServer, body: &'static str| {
        let request = board.http.post(format!("{}/v1/backups", board.url)).header("idempotency-key", "k1");
        request.body(body).send().await.unwrap()
    };
    let body = r#"{"data":{"a":1}}"#;
    let first: Value = send(&board, body).await.json().await.unwrap();
    let board = board.crash().await;
    let again = send(&board, body).await;
    assert_eq!(
        (again.status().as_u16(), again.headers()["idempotency-replayed"].to_str().unwrap()),
        (201, "true")
    );
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    for other in [r#"{"data":{"a":2}}"#, r#"{"data":{"a":1},"pinned":true}"#] {
        assert_problem(send(&board, other).await, 422, "idempotency_mismatch", other).await;
    }
    assert_eq!(board.get("/v1/backups").await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_restore_gives_the_documents_stores_the_state_before_and_is_recorded() {
    let board = TestServer::start().await;
    let view = created(&board, format!("{{\"data\":{ODD}}}")).await;
    let path = format!("/v1/backups/{}/restore", id(&view));
    let body = "{\"current\":{\"now\": 1.50},\"reason\":\"bad fill\",\"client\":\"bot-7\"}";
    let response = board.http.post(format!("{}{path}", board.url)).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    assert!(text.ends_with(&format!(",\"data\":{ODD}}}")), "{text}");
    let record = serde_json::from_str::<Value>(&text.replace(ODD, "0")).unwrap()["restore"].clone();
    assert_eq!((&record["reason"], &record["client"]), (&json!("bad fill"), &json!("bot-7")));
    let before = record["pre_restore_backup_id"].as_str().unwrap();
    assert!(before.starts_with("pre_restore_"));
    assert_eq!(data(&board, before).await, "{\"now\": 1.50}");
    let empty = board.send(Method::POST, &path, None).await;
    assert_eq!(empty.status(), 200, "no body is no reason");
    let events = board.get("/v1/events?kind=backup.restored").await;
    assert_eq!(events["items"].as_array().unwrap().len(), 2);
    let board = board.crash().await;
    let restores = board.get(&format!("/v1/backups/{}/restores", id(&view))).await;
    assert_eq!(restores["items"][1], record);
    assert_eq!(restores["items"][0]["pre_restore_backup_id"], Value::Null);
    assert_eq!(board.delete(&format!("/v1/backups/{}", id(&view))).await, 204);
    let restores = board.get(&format!("/v1/backups/{}/restores?limit=1", id(&view))).await;
    assert_eq!(restores["items"].as_array().unwrap().len(), 1, "the record outlives the backup");
    assert!(restores["next_cursor"].is_string());
    let gone = board.send(Method::POST, &path, Some(json!({ "current": { "a": 1 } }))).await;
    assert_problem(gone, 404, "not_found", "a backup that is gone").await;
    assert_eq!(board.get("/v1/backups").await["items"].as_array().unwrap().len(), 1, "and stores nothing");
}

#[tokio::test]
async fn a_pinned_one_is_not_deleted() {
    let board = TestServer::start().await;
    let view = created(&board, r#"{"data":{},"pinned":true}"#).await;
    let path = format!("/v1/backups/{}", id(&view));
    let refused = board.send(Method::DELETE, &path, None).await;
    assert_problem(refused, 409, "pinned", "a pinned backup").await;
    let unpinned = board.send(Method::DELETE, &format!("{path}/pin"), None).await;
    assert_eq!(unpinned.json::<Value>().await.unwrap()["pinned"], false);
    assert_eq!(board.put(&format!("{path}/pin"), json!({})).await.1["pinned"], true);
    assert_eq!(board.delete(&format!("{path}/pin")).await, 200);
    assert_eq!(board.delete(&path).await, 204);
}

#[tokio::test]
async fn many_at_once_have_ids_of_their_own_beside_deleting_and_sweeping() {
    let board = TestServer::start().await;
    // All have chunks in common, which come and go.
    let shared = prices(6, 8_000);
    let make = async |n: usize| {
        let document = format!("{{\"a\":{shared},\"n\":{}}}", n % 3);
        let view = created(&board, format!("{{\"data\":{document}}}")).await;
        if n.is_multiple_of(2) {
            assert_eq!(board.delete(&format!("/v1/backups/{}", id(&view))).await, 204);
            return None;
        }
        Some((id(&view).to_owned(), document))
    };
    let mut ids = HashSet::new();
    for round in 0..4 {
        let sweeping = async {
            for _ in 0..20 {
                board.board.sweep_backups().await.unwrap();
            }
        };
        let (made, ()) = tokio::join!(join_all((0..24).map(|n| make(round * 24 + n))), sweeping);
        for (backup, document) in made.into_iter().flatten() {
            assert!(ids.insert(backup.clone()), "{backup} twice");
            assert!(data(&board, &backup).await == document);
            if round % 2 == 0 {
                assert_eq!(board.delete(&format!("/v1/backups/{backup}")).await, 204);
            }
        }
    }
    assert_eq!(ids.len(), 48);
}

#[tokio::test]
async fn what_is_being_read_stays_until_it_is_read() {
    let board = TestServer::start().await;
    let document = format!("{{\"trades\":{}}}", prices(7, 90_000));
    let view = created(&board, format!("{{\"data\":{document}}}")).await;
    let response = board.send(Method::GET, &format!("/v1/backups/{}/data", id(&view)), None).await;
    assert_eq!(response.status(), 200);
    let mut bytes = response.bytes_stream();
    let mut text = bytes.next().await.unwrap().unwrap().to_vec();
    assert_eq!(board.delete(&format!("/v1/backups/{}", id(&view))).await, 204);
    board.board.sweep_backups().await.unwrap();
    while let Some(part) = bytes.next().await {
        text.extend_from_slice(&part.unwrap());
    }
    assert!(text == document.as_bytes());
    eventually("the space is free", async || {
        board.board.sweep_backups().await.unwrap();
        board.board.refresh_backups().await.unwrap();
        board.board.backups.chunks().count == 0
    })
    .await;
}

/// A request's body, received and not yet a backup.
async fn received(board: &TestServer, body: String) -> fuseboard::app::backups::Received {
    let mut upload = Upload::begin(&board.board, "data").await.unwrap();
    upload.feed(&body.into()).await.unwrap();
    upload.finish().await.unwrap()
}

#[tokio::test]
async fn who_goes_away_while_it_is_committed_leaves_a_whole_backup() {
    let board = TestServer::start().await;
    let document = format!("{{\"trades\":{}}}", prices(9, 60_000));
    assert!(document.len() > 1 << 20, "more than one batch, so that there is a blob before the commit");
    let received = received(&board, format!("{{\"data\":{document}}}")).await;
    let new = NewBackup {
        backup_type: "manual".try_into().unwrap(),
        labels: Labels::default(),
        pinned: false,
        actor: None,
        at: board.clock.wall(),
        origin: Origin::Request,
    };
    let mut committed = board.board.journal.latest();
    committed.borrow_and_update();
    tokio::select! {
        biased;
        // The event comes just before the answer, and whoever waited for that is gone.
        event = committed.changed() => event.unwrap(),
        _ = board.board.backup_create(received, new, None) => panic!("it was to be left before its answer"),
    }
    let list = board.get("/v1/backups").await;
    let id = id(&list["items"][0]);
    board.board.sweep_backups().await.unwrap();
    assert!(data(&board, id).await == document);
}

#[tokio::test]
async fn what_was_given_up_takes_no_more_chunks() {
    let board = TestServer::start().await;
    let received = received(&board, format!("{{\"data\":{{\"a\":{}}}}}", prices(10, 60_000))).await;
    // As a batch that is still under way when its upload ends and is swept.
    tamper(&board, "UPDATE blobs SET state = 'dropped'").await;
    board.board.sweep_backups().await.unwrap();
    let new = NewBackup {
        backup_type: "manual".try_into().unwrap(),
        labels: Labels::default(),
        pinned: false,
        actor: None,
        at: board.clock.wall(),
        origin: Origin::Request,
    };
    assert!(board.board.backup_create(received, new, None).await.is_err());
    board.board.sweep_backups().await.unwrap();
    board.board.refresh_backups().await.unwrap();
    assert_eq!(board.board.backups.chunks().count, 0, "nothing is left that nobody would find");
    assert_eq!(board.get("/v1/backups").await["items"], json!([]));
}

#[tokio::test]
async fn there_are_only_so_many_types() {
    let board = TestServer::start_with(|config| config.limits.max_backup_types = 2).await;
    let make =
        async |kind: &str| create(&board, format!("{{\"backup_type\":\"{kind}\",\"data\":{{}}}}")).await;
    assert_eq!(make("a").await.status(), 201);
    assert_eq!(make("b").await.status(), 201);
    assert_problem(make("c").await, 507, "limit_reached", "a third type").await;
    assert_eq!(make("a").await.status(), 201, "more of a type that is there");
    for backup in board.get("/v1/backups?backup_type=a").await["items"].as_array().unwrap() {
        assert_eq!(board.delete(&format!("/v1/backups/{}", id(backup))).await, 204);
    }
    assert_eq!(make("c").await.status(), 201, "there is room again");
}
