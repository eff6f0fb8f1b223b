//! Retention: what no rule keeps goes by itself, what is needed never does.

use fuseboard::{app::retention::RetentionCell, clock::Clock};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    backups::{created, id},
    raw::eventually,
    support::{TestServer, assert_problem},
};

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

async fn backup(board: &TestServer, backup_type: &str, document: &str) -> String {
    let body = format!(r#"{{"backup_type":"{backup_type}","data":{document}}}"#);
    id(&created(board, body).await).to_owned()
}

/// Ids that are there, newest first.
async fn present(board: &TestServer, backup_type: &str) -> Vec<String> {
    let list = board.get(&format!("/v1/backups?backup_type={backup_type}")).await;
    list["items"].as_array().unwrap().iter().map(|view| id(view).to_owned()).collect()
}

/// `action: reasons` of each item.
fn lines(pruned: &Value) -> Vec<String> {
    let texts = |item: &Value| {
        let texts: Vec<_> = item["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["text"].as_str().unwrap().to_owned())
            .collect();
        texts.join(", ")
    };
    let items = pruned["items"].as_array().unwrap().iter();
    items.map(|item| format!("{}: {}", item["action"].as_str().unwrap(), texts(item))).collect()
}

#[tokio::test]
async fn policies_are_declared_like_all_resources_and_survive_a_crash() {
    let board = TestServer::start().await;
    let missing = board.send(Method::GET, "/v1/retention/daily", None).await;
    assert_problem(missing, 404, "not_found", "no policy").await;
    let policy =
        json!({"keep_last": 7, "keep_daily": 30, "retention_days": 365, "timezone": "europe/berlin"});
    let (status, view) = board.put("/v1/retention/daily", policy.clone()).await;
    assert_eq!((status, &view["backup_type"]), (201, &json!("daily")));
    let whole = json!({"keep_last": 7, "keep_hourly": 0, "keep_daily": 30, "keep_weekly": 0, "keep_monthly": 0,
        "keep_yearly": 0, "retention_days": 365.0, "timezone": "Europe/Berlin"});
    assert_eq!(view["config"], whole);
    assert_eq!(board.put("/v1/retention/daily", policy).await.0, 200);
    let tag = board.send(Method::GET, "/v1/retention/daily", None).await.headers()["etag"].clone();
    let change = |tag: &str| {
        let request = board.http.put(format!("{}/v1/retention/daily", board.url));
        request.header("if-match", tag).json(&json!({"keep_last": 8})).send()
    };
    let stale = change("\"0123456789abcdef\"").await.unwrap();
    assert_problem(stale, 412, "precondition_failed", "another tag").await;
    assert_eq!(change(tag.to_str().unwrap()).await.unwrap().status(), 200);
    for (bad, field) in [
        (json!({"keep_lats": 1}), "keep_lats"),
        (json!({"retention_days": 0}), "retention_days"),
        (json!({"timezone": "Mars/Olympus"}), "timezone"),
        (json!({"keep_last": 100_001}), "keep_last"),
    ] {
        let refused = board.send(Method::PUT, "/v1/retention/daily", Some(bad)).await;
        let problem = assert_problem(refused, 422, "validation_failed", field).await;
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let board = board.crash().await;
    assert_eq!(board.get("/v1/retention/daily").await["config"]["keep_last"], 8);
    assert_eq!(board.get("/v1/retention").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(board.delete("/v1/retention/daily").await, 204);
    assert_eq!(board.delete("/v1/retention/daily").await, 404);
    let events = board.get("/v1/events?resource=retention").await;
    let kinds: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["retention.deleted", "retention.updated", "retention.created"]);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_why_and_the_real_one_does_just_that() {
    let board = TestServer::start().await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(backup(&board, "nightly", &format!("{{\"n\":{n}}}")).await);
        board.advance(DAY / 2.0);
    }
    let other = backup(&board, "manual", r#"{"n":1}"#).await;
    board.post(&format!("/v1/backups/{}/verify", ids[0]), json!({})).await;
    assert_eq!(board.put(&format!("/v1/backups/{}/pin", ids[1]), json!({})).await.0, 200);
    // So that only this test prunes from here on.
    board.board.prune_backups().await.unwrap();
    board.put("/v1/retention/nightly", json!({"keep_last": 1, "keep_daily": 2})).await;
    let dry = board.post("/v1/backups/prune", json!({"dry_run": true, "backup_type": "nightly"})).await;
    let wanted = [
        "keep: last 1 of 1, daily 2027-01-17",
        "delete: no rule keeps it",
        "keep: daily 2027-01-16",
        "delete: no rule keeps it",
        "keep: pinned",
        "keep: newest verified",
    ];
    assert_eq!(lines(&dry), wanted);
    assert_eq!((&dry["deleted"], &dry["kept"], &dry["dry_run"]), (&json!(2), &json!(4), &json!(true)));
    assert_eq!(dry["items"][0]["reasons"][0], json!({"rule": "keep_last", "text": "last 1 of 1"}));
    let first = dry["items"].as_array().unwrap().last().unwrap();
    assert_eq!((&first["backup_id"], &first["backup_type"]), (&json!(ids[0]), &json!("nightly")));
    assert_eq!((&first["timestamp"], &first["size_bytes"]), (&json!("2027-01-15T08:00:00Z"), &json!(7)));
    assert_eq!(present(&board, "nightly").await.len(), 6, "a dry run does nothing");

    let done = board.post("/v1/backups/prune", json!({})).await;
    assert_eq!(lines(&done), [&["keep: newest, no policy"][..], &wanted].concat());
    assert_eq!((&done["deleted"], &done["dry_run"]), (&json!(2), &json!(false)));
    assert_eq!(present(&board, "nightly").await, [5, 3, 1, 0].map(|n: usize| ids[n].clone()));
    assert_eq!(present(&board, "manual").await, [other]);
    let events = board.get("/v1/events?kind=backup.pruned").await;
    let told = &events["items"].as_array().unwrap()[..];
    assert_eq!(told.len(), 1, "{events}");
    assert_eq!(told[0]["name"], "nightly");
    assert_eq!(told[0]["data"], json!({"backup_ids": [ids[2], ids[4]], "size_bytes": 14}));
    let again = board.post("/v1/backups/prune", json!({"backup_type": "nightly"})).await;
    assert_eq!((&again["deleted"], &again["kept"]), (&json!(0), &json!(4)));
    assert_eq!(board.get("/v1/events?kind=backup.pruned").await, events);
    let metrics = board.send(Method::GET, "/metrics", None).await.text().await.unwrap();
    assert!(metrics.contains("\nfuseboard_backups_pruned_total 2\n"));
    let board = board.crash().await;
    assert_eq!(present(&board, "nightly").await.len(), 4, "it was on disk");
    board.board.sweep_backups().await.unwrap();
    for id in present(&board, "nightly").await {
        board.get(&format!("/v1/backups/{id}/data")).await;
    }

    for (bad, status) in [
        (json!({"dry_run": 1}), 422),
        (json!({"backup_type": "../x"}), 422),
        (json!({"dry": true}), 422),
        (json!([]), 422),
    ] {
        assert_eq!(board.ask(Method::POST, "/v1/backups/prune", Some(bad)).await.0, status);
    }
    assert_eq!(board.post("/v1/backups/prune", json!({"backup_type": "unknown"})).await["items"], json!([]));
}

#[tokio::test]
async fn each_new_backup_prunes_its_type_and_the_hour_prunes_all() {
    let board = TestServer::start().await;
    board.board.prune_backups().await.unwrap();
    board.put("/v1/retention/bot", json!({"keep_last": 2})).await;
    board.put("/v1/retention/idle", json!({"retention_days": 1.0 / 24.0})).await;
    let idle = [backup(&board, "idle", r#"{"a":1}"#).await, backup(&board, "idle", r#"{"a":2}"#).await];
    let mut bot = Vec::new();
    for n in 0..5 {
        bot.push(backup(&board, "bot", &format!("{{\"n\":{n}}}")).await);
        board.advance(60.0);
    }
    board.board.prune_backups().await.unwrap();
    eventually("only the last two stay", async || present(&board, "bot").await.len() == 2).await;
    assert_eq!(present(&board, "bot").await, [bot[4].clone(), bot[3].clone()]);
    assert_eq!(present(&board, "idle").await.len(), 2, "not yet an hour old");
    board.advance(HOUR);
    board.board.prune_backups().await.unwrap();
    eventually("the hour comes", async || present(&board, "idle").await.len() == 1).await;
    assert_eq!(present(&board, "idle").await, [idle[1].clone()], "the newest always stays");
}

#[tokio::test]
async fn the_section_of_the_seed_is_the_default_and_a_policy_of_its_own_wins() {
    let dir = TempDir::new().unwrap();
    let clock = Clock::manual(Timestamp::from_second(1_800_000_000).unwrap());
    let file = fuseboard::config::File::parse(
        "[backup]\nenabled = true\ninterval_hours = 24\nretention_days = 30\ncompress = true\n\
         [retention.own]\nkeep_last = 1\n[retention.all]\ntimezone = \"Asia/Tokyo\"\n",
    );
    let path = dir.path().join("fuseboard.toml");
    std::fs::write(&path, "[backup]\nretention_days = 30\n").unwrap();
    let args = fuseboard::config::ServeArgs { config: Some(path), ..Default::default() };
    let options = fuseboard::config::Config::load(&args).unwrap().backups;
    let declared = file.unwrap().declarations().unwrap();
    let board = TestServer::start_in(dir, clock, |config| {
        config.backups = options;
        config.declarations.retention = declared.retention;
    })
    .await;
    assert_eq!(board.board.find::<RetentionCell>("own").unwrap().view().config.keep_last, Some(1));
    for backup_type in ["own", "all", "other"] {
        for n in 0..3 {
            backup(&board, backup_type, &format!("{{\"n\":{n}}}")).await;
        }
    }
    board.advance(30.0 * DAY - HOUR / 2.0);
    board.board.prune_backups().await.unwrap();
    let plan = async |board: &TestServer, backup_type: &str| {
        let ask = json!({"dry_run": true, "backup_type": backup_type});
        lines(&board.post("/v1/backups/prune", ask).await)
    };
    assert_eq!(plan(&board, "other").await[1], "keep: younger than 30 days");
    board.advance(HOUR / 2.0);
    let newest = "keep: newest";
    assert_eq!(plan(&board, "other").await, [newest, "delete: no rule keeps it", "delete: no rule keeps it"]);
    assert_eq!(plan(&board, "all").await, ["keep: newest, no policy", "keep: no policy", "keep: no policy"]);
    board.post("/v1/backups/prune", json!({})).await;
    for (backup_type, left) in [("own", 1), ("all", 3), ("other", 1)] {
        assert_eq!(present(&board, backup_type).await.len(), left, "{backup_type}");
    }
}

#[tokio::test]
async fn many_are_deleted_bit_by_bit_while_others_create() {
    let board = TestServer::start().await;
    for n in 0..600 {
        backup(&board, "bot", &format!("{{\"n\":{n}}}")).await;
    }
    board.put("/v1/retention/bot", json!({"keep_last": 3})).await;
    let creating = async {
        for n in 600..620 {
            backup(&board, "bot", &format!("{{\"n\":{n}}}")).await;
        }
    };
    let pruning = board.post("/v1/backups/prune", json!({"backup_type": "bot"}));
    tokio::join!(creating, pruning);
    board.post("/v1/backups/prune", json!({"backup_type": "bot"})).await;
    // What another pruning is about to delete, this one leaves to it.
    eventually("three backups", async || present(&board, "bot").await.len() == 3).await;
    let left = present(&board, "bot").await;
    for (id, n) in left.iter().zip([619, 618, 617]) {
        assert_eq!(board.get(&format!("/v1/backups/{id}/data")).await, json!({ "n": n }));
    }
    let told = async || {
        let events = board.get("/v1/events?kind=backup.pruned&limit=1000").await;
        let told = events["items"].as_array().unwrap().iter().map(|event| &event["data"]["backup_ids"]);
        told.flat_map(|ids| ids.as_array().unwrap().clone()).collect::<Vec<_>>()
    };
    eventually("all that were deleted", async || told().await.len() >= 617).await;
    let mut told = told().await;
    told.sort_by_key(ToString::to_string);
    told.dedup();
    assert_eq!(told.len(), 617, "each is told once");
}

#[tokio::test]
async fn a_schedule_prunes_and_keeps_what_it_did() {
    let board = TestServer::start().await;
    let gone = backup(&board, "bot", r#"{"n":1}"#).await;
    backup(&board, "bot", r#"{"n":2}"#).await;
    let spared = backup(&board, "other", r#"{"n":1}"#).await;
    backup(&board, "other", r#"{"n":2}"#).await;
    board.board.prune_backups().await.unwrap();
    for backup_type in ["bot", "other"] {
        board.put(&format!("/v1/retention/{backup_type}"), json!({"keep_last": 1})).await;
    }
    let schedule = json!({"cron": "@daily", "action": {"kind": "prune_backups", "backup_type": "bot"}});
    assert_eq!(board.put("/v1/schedules/prune", schedule).await.0, 201);
    let (status, run) = board.ask(Method::POST, "/v1/schedules/prune/run", Some(json!({}))).await;
    assert!(status < 300, "{run}");
    let last = async || board.get("/v1/schedules/prune/runs").await["items"][0].clone();
    eventually("the run ends", async || last().await["status"] != "running").await;
    let run = last().await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let wanted = json!({"deleted": 1, "kept": 1, "deleted_bytes": 7, "backup_ids": [gone], "omitted": 0});
    assert_eq!(run["output"], wanted);
    assert_eq!(present(&board, "bot").await.len(), 1);
    assert!(present(&board, "other").await.contains(&spared));
}

#[tokio::test]
async fn differences_are_patches_that_lose_no_digit() {
    let board = TestServer::start().await;
    let old = r#"{"session":{"cash":1.10,"id":123456789012345678901234567890,"open":[1,2,3,4,5,6,7,8,9,10]},"b":1}"#;
    let new = r#"{ "b":1, "session":{"id":123456789012345678901234567891,"cash":1.1,"open":[1,2,3,4,5,5.50,6,7,8,9,10]}}"#;
    let (one, other) = (backup(&board, "a", old).await, backup(&board, "b", new).await);
    let wanted = concat!(
        r#"[{"op":"replace","path":"/session/cash","value":1.1},"#,
        r#"{"op":"replace","path":"/session/id","value":123456789012345678901234567891},"#,
        r#"{"op":"add","path":"/session/open/5","value":5.50}]"#
    );
    let response = board.send(Method::GET, &format!("/v1/backups/{one}/diff?against={other}"), None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json-patch+json");
    assert_eq!(response.text().await.unwrap(), wanted);
    let post = |body: String| {
        let request = board.http.post(format!("{}/v1/backups/{one}/diff", board.url));
        request.header("content-type", "application/json").body(body).send()
    };
    assert_eq!(post(new.to_owned()).await.unwrap().text().await.unwrap(), wanted);
    assert_eq!(post(old.replace(',', "\n, ")).await.unwrap().text().await.unwrap(), "[]");
    assert_eq!(board.get(&format!("/v1/backups/{one}/diff?against={one}")).await, json!([]));

    for (path, status, code) in [
        (format!("/v1/backups/{one}/diff"), 422, "validation_failed"),
        (format!("/v1/backups/{one}/diff?against=x"), 422, "validation_failed"),
        (format!("/v1/backups/{one}/diff?against=a_20270115_080000_00000000"), 404, "not_found"),
        (format!("/v1/backups/a_20270115_080000_00000000/diff?against={one}"), 404, "not_found"),
    ] {
        assert_problem(board.send(Method::GET, &path, None).await, status, code, &path).await;
    }
    for (body, status, code) in [
        ("", 400, "bad_json"),
        ("{\"a\":1", 400, "bad_json"),
        ("{} {}", 400, "bad_json"),
        ("[1]", 422, "validation_failed"),
    ] {
        assert_problem(post(body.to_owned()).await.unwrap(), status, code, body).await;
    }
}

#[tokio::test]
async fn what_is_too_large_to_compare_is_refused_at_once() {
    let board = TestServer::start().await;
    let limit = usize::try_from(fuseboard::app::backups::MAX_DIFF_BYTES).unwrap();
    let document = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - r#"{"a":""}"#.len()));
    let (fits, large) = (document(limit), document(limit + 1));
    let one = backup(&board, "a", &fits).await;
    let other = backup(&board, "a", &large).await;
    assert_eq!(board.get(&format!("/v1/backups/{one}/diff?against={one}")).await, json!([]));
    for (from, to) in [(&one, &other), (&other, &one)] {
        let refused = board.send(Method::GET, &format!("/v1/backups/{from}/diff?against={to}"), None).await;
        let problem = assert_problem(refused, 413, "payload_too_large", "a large backup").await;
        assert!(problem["detail"].as_str().unwrap().contains(&other), "{problem}");
    }
    let post =
        |body: String| board.http.post(format!("{}/v1/backups/{one}/diff", board.url)).body(body).send();
    assert_eq!(post(fits).await.unwrap().text().await.unwrap(), "[]");
    assert_problem(post(large).await.unwrap(), 413, "payload_too_large", "a large body").await;
    let many = format!("{{\"a\":[{}0]}}", "0,".repeat(4_000_000));
    assert_problem(post(many).await.unwrap(), 413, "payload_too_large", "too many values").await;
}
