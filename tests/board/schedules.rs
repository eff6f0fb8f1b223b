//! Schedules: when they run, what is kept of it, and that nothing runs twice.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fuseboard::{app::schedules::runs::MAX_ACTING, clock::Clock};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{TestServer, assert_problem};

async fn start_at(time: &str) -> TestServer {
    let clock = Clock::manual(time.parse().unwrap());
    TestServer::start_in(TempDir::new().unwrap(), clock, |_| {}).await
}

/// Lets everything that is due happen, and waits until no run goes on.
async fn settle(board: &TestServer) {
    board.board.advance_schedules().await.unwrap();
    idle(board).await;
}

async fn idle(board: &TestServer) {
    let idle = async {
        while board.board.schedules.all().iter().any(|cell| cell.peek(|s, _| s.running().len() > 0)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), idle).await.expect("the runs end");
}

async fn advance(board: &TestServer, seconds: f64) {
    board.advance(seconds);
    settle(board).await;
}

/// The runs of a schedule, oldest first.
async fn runs(board: &TestServer, name: &str) -> Vec<Value> {
    let page = board.get(&format!("/v1/schedules/{name}/runs?limit=1000")).await;
    page["items"].as_array().unwrap().iter().rev().cloned().collect()
}

/// When they were due, and their status.
async fn history(board: &TestServer, name: &str) -> Vec<String> {
    let shown = |run: &Value| {
        format!("{} {}", run["scheduled_for"].as_str().unwrap(), run["status"].as_str().unwrap())
    };
    runs(board, name).await.iter().map(shown).collect()
}

fn checks(cron: &str, more: Value) -> Value {
    let mut spec = json!({ "cron": cron, "action": { "kind": "run_checks" } });
    if let Value::Object(fields) = more {
        spec.as_object_mut().unwrap().extend(fields);
    }
    spec
}

async fn put(board: &TestServer, name: &str, spec: Value) -> Value {
    let (status, view) = board.put(&format!("/v1/schedules/{name}"), spec).await;
    assert!(status == 200 || status == 201, "{view}");
    view
}

#[tokio::test]
async fn a_schedule_is_declared_seen_listed_and_deleted() {
    let board = start_at("2027-03-01T10:30:00Z").await;
    let spec = checks("0 2 * * *", json!({ "timezone": "Europe/Berlin" }));
    let created = board.send(Method::PUT, "/v1/schedules/nightly", Some(spec.clone())).await;
    assert_eq!(created.status(), 201);
    let tag = created.headers()["etag"].to_str().unwrap().to_owned();
    let view: Value = created.json().await.unwrap();
    assert_eq!(view["next_run_at"], "2027-03-02T01:00:00Z");
    assert_eq!(view["upcoming"].as_array().unwrap().len(), 5);
    assert_eq!(view["upcoming"][4], "2027-03-06T01:00:00Z");
    assert_eq!((&view["last_run"], &view["running"]), (&json!(null), &json!([])));
    assert_eq!(view["config"]["retain_runs"], 100, "defaults are filled in");
    assert_eq!(board.put("/v1/schedules/nightly", spec.clone()).await.0, 200);
    assert_eq!(board.get("/v1/schedules/nightly").await, view);
    assert_eq!(board.get("/v1/schedules").await["items"], json!([view]));
    let with_tag = |method: Method, tag: &str| {
        board
            .http
            .request(method, format!("{}/v1/schedules/nightly", board.url))
            .header("if-match", tag)
            .json(&spec)
    };
    let refused = with_tag(Method::PUT, "\"other\"").send().await.unwrap();
    assert_problem(refused, 412, "precondition_failed", "another tag").await;
    assert_eq!(with_tag(Method::PUT, &tag).send().await.unwrap().status(), 200);
    let refused = with_tag(Method::DELETE, "\"other\"").send().await.unwrap();
    assert_problem(refused, 412, "precondition_failed", "another tag").await;
    assert_eq!(board.delete("/v1/schedules/nightly").await, 204);
    assert_eq!(board.delete("/v1/schedules/nightly").await, 404);
    for path in ["", "/runs", "/runs/1"] {
        let gone = board.send(Method::GET, &format!("/v1/schedules/nightly{path}"), None).await;
        assert_problem(gone, 404, "not_found", path).await;
    }
    let kinds: Vec<Value> = board.get("/v1/events?resource=schedule").await["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds, ["schedule.deleted", "schedule.created"]);
}

#[tokio::test]
async fn over_days_and_the_change_of_the_clocks_each_local_time_runs_once() {
    let board = start_at("2027-03-26T12:00:00Z").await;
    // 02:30 does not exist on 28 March 2027 in Berlin: it runs right after the change, at 03:00, once.
    put(&board, "nightly", checks("30 2 * * *", json!({ "timezone": "Europe/Berlin" }))).await;
    put(&board, "hourly", checks("@hourly", json!({}))).await;
    for _ in 0..4 * 24 * 4 {
        advance(&board, 900.0).await;
    }
    let expected =
        ["2027-03-27T01:30:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z", "2027-03-30T00:30:00Z"];
    assert_eq!(history(&board, "nightly").await, expected.map(|time| format!("{time} failed")));
    let hourly = runs(&board, "hourly").await;
    assert_eq!(hourly.len(), 96);
    assert!(hourly.iter().enumerate().all(|(at, run)| run["id"] == at + 1), "numbered in order");
    let run = &hourly[95];
    assert_eq!((&run["trigger"], &run["missed"]), (&json!("schedule"), &json!(null)));
    assert_eq!(run["output"]["reason"], "no_checks", "{run}");
    assert_eq!((&run["started_at"], &run["finished_at"]), (&run["scheduled_for"], &run["scheduled_for"]));
    let view = board.get("/v1/schedules/nightly").await;
    assert_eq!((&view["last_run"]["id"], &view["next_run_at"]), (&json!(4), &json!("2027-03-31T00:30:00Z")));
}

#[tokio::test]
async fn in_the_repeated_hour_a_fixed_time_runs_once_and_a_quarterly_one_each_quarter() {
    let board = start_at("2027-10-30T22:00:00Z").await;
    put(&board, "nightly", checks("30 2 * * *", json!({ "timezone": "Europe/Berlin" }))).await;
    put(&board, "quarters", checks("*/15 * * * *", json!({ "timezone": "Europe/Berlin" }))).await;
    for _ in 0..4 * 6 {
        advance(&board, 900.0).await;
    }
    assert_eq!(history(&board, "nightly").await, ["2027-10-31T00:30:00Z failed"]);
    assert_eq!(runs(&board, "quarters").await.len(), 24);
}

#[tokio::test]
async fn after_a_downtime_missed_runs_are_recorded_or_made_up_once() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "skip", checks("0 * * * *", json!({}))).await;
    put(&board, "once", checks("0 * * * *", json!({ "misfire": "run_once" }))).await;
    put(&board, "off", checks("0 * * * *", json!({ "enabled": false, "misfire": "run_once" }))).await;
    // Crashed before anything has run: the declaration alone says since when runs are owed.
    let board = board.crash().await;
    board.advance(5.5 * 3600.0);
    let board = board.crash().await;
    settle(&board).await;
    let skipped = runs(&board, "skip").await;
    assert_eq!(history(&board, "skip").await, ["2027-03-01T05:00:00Z missed"]);
    let missed = &skipped[0]["missed"];
    assert_eq!((&missed["count"], &missed["reason"]), (&json!(5), &json!("misfire")));
    assert_eq!(
        (&missed["first"], &missed["last"]),
        (&json!("2027-03-01T01:00:00Z"), &json!("2027-03-01T05:00:00Z"))
    );
    assert_eq!(skipped[0]["started_at"], json!(null));
    let once = runs(&board, "once").await;
    assert_eq!(once.len(), 1);
    assert_eq!((&once[0]["trigger"], &once[0]["missed"]["count"]), (&json!("misfire"), &json!(4)));
    assert_eq!(once[0]["scheduled_for"], "2027-03-01T05:00:00Z");
    assert_eq!(history(&board, "off").await, [""; 0]);
    advance(&board, 1800.0).await;
    assert_eq!(history(&board, "skip").await[1], "2027-03-01T06:00:00Z failed", "and then on time");
    let kinds = board.get("/v1/events?resource=schedule&name=skip&kind=schedule.run_missed").await;
    assert_eq!(kinds["items"][0]["data"]["run"]["missed"]["count"], 5, "{kinds}");
}

#[tokio::test]
async fn nothing_runs_twice_over_crashes_and_a_clock_that_is_set_back() {
    let mut board = start_at("2027-03-01T00:00:00Z").await;
    put(&board, "s", checks("*/10 * * * *", json!({ "misfire": "run_once", "retain_runs": 1000 }))).await;
    for round in 0..12 {
        advance(&board, 200.0).await;
        if round % 3 == 0 {
            board = board.crash().await;
        }
        if round % 4 == 3 {
            board.clock.jump_wall(-1500);
            settle(&board).await;
        }
    }
    let mut begun: Vec<String> = Vec::new();
    let mut ids = Vec::new();
    for run in runs(&board, "s").await {
        ids.push(run["id"].as_u64().unwrap());
        if run["status"] != "missed" {
            begun.push(run["scheduled_for"].as_str().unwrap().to_owned());
        }
    }
    assert!(!begun.is_empty() && ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    let count = begun.len();
    begun.sort();
    begun.dedup();
    assert_eq!(begun.len(), count, "{begun:?}");
}

#[tokio::test]
async fn a_run_that_goes_on_keeps_the_next_from_beginning_unless_they_may_overlap() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "one", checks("* * * * *", json!({}))).await;
    put(&board, "many", checks("* * * * *", json!({ "overlap": "allow" }))).await;
    let held =
        board.board.schedule_runs.slots.acquire_many(u32::try_from(MAX_ACTING).unwrap()).await.unwrap();
    for _ in 0..3 {
        board.advance(60.0);
        board.board.advance_schedules().await.unwrap();
    }
    let statuses = |runs: Vec<Value>| runs.iter().map(|run| run["status"].clone()).collect::<Vec<_>>();
    assert_eq!(statuses(runs(&board, "one").await), ["running", "missed", "missed"]);
    assert_eq!(statuses(runs(&board, "many").await), ["running", "running", "running"]);
    let view = board.get("/v1/schedules/one").await;
    assert_eq!((&view["running"][0]["id"], &view["last_run"]["status"]), (&json!(1), &json!("missed")));
    assert_eq!(view["last_run"]["missed"]["reason"], "overlap");
    let refused = board.send(Method::POST, "/v1/schedules/one/run", None).await;
    let problem = assert_problem(refused, 409, "still_running", "run 1 goes on").await;
    assert!(problem["detail"].as_str().unwrap().contains("run 1 "), "{problem}");
    assert_eq!(board.send(Method::POST, "/v1/schedules/many/run", None).await.status(), 202);
    let text = board.get("/metrics").await.as_str().unwrap().to_owned();
    for line in [
        "fuseboard_schedule_running{schedule=\"many\"} 4",
        "fuseboard_schedule_runs_total{schedule=\"one\",status=\"missed\"} 2",
        "fuseboard_schedule_last_run_timestamp_seconds{schedule=\"one\"} 1803859290",
        "fuseboard_schedule_next_run_timestamp_seconds{schedule=\"one\"} 1803859440",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let running = board.get("/v1/schedules/many/runs?status=running&limit=3").await;
    assert_eq!((running["items"].as_array().unwrap().len(), &running["next_cursor"]), (3, &json!("2")));
    let rest = board.get("/v1/schedules/many/runs?status=running&limit=3&cursor=2").await;
    assert_eq!((&rest["items"][0]["id"], &rest["next_cursor"]), (&json!(1), &json!(null)));
    assert_eq!(board.get("/v1/schedules/one/runs?status=succeeded").await["items"], json!([]));
    drop(held);
    idle(&board).await;
    assert_eq!(statuses(runs(&board, "one").await), ["failed", "missed", "missed"]);
}

#[tokio::test]
async fn of_many_who_ask_at_once_one_gets_a_run() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("* * * * *", json!({}))).await;
    let held =
        board.board.schedule_runs.slots.acquire_many(u32::try_from(MAX_ACTING).unwrap()).await.unwrap();
    let asks = (0..20).map(|_| board.ask(Method::POST, "/v1/schedules/s/run", None));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(asks).await.into_iter().map(|(status, _)| status).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (202, &[409; 19][..]));
    assert_eq!(runs(&board, "s").await.len(), 1);
    // A step that is asked for twice, here and by the server's own task, decides once.
    board.advance(30.0);
    drop(held);
    idle(&board).await;
    let steps = (0..10).map(|_| board.board.advance_schedules());
    assert!(futures_util::future::join_all(steps).await.iter().all(Result::is_ok));
    idle(&board).await;
    assert_eq!(runs(&board, "s").await.len(), 2);
}

#[tokio::test]
async fn a_run_that_a_crash_breaks_off_is_failed_and_does_not_begin_again() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("* * * * *", json!({ "misfire": "run_once" }))).await;
    board.board.schedule_runs.slots.acquire_many(u32::try_from(MAX_ACTING).unwrap()).await.unwrap().forget();
    board.advance(45.0);
    board.board.advance_schedules().await.unwrap();
    assert_eq!(runs(&board, "s").await[0]["status"], "running");
    let board = board.crash().await;
    let begun = runs(&board, "s").await;
    assert_eq!((begun.len(), &begun[0]["status"]), (1, &json!("failed")), "{begun:?}");
    assert_eq!(begun[0]["output"]["reason"], "interrupted");
    settle(&board).await;
    assert_eq!(runs(&board, "s").await, begun, "its time has been");
    let view = board.get("/v1/schedules/s").await;
    assert_eq!((&view["running"], &view["last_run"]["status"]), (&json!([]), &json!("failed")));
    let events = board.get("/v1/events?resource=schedule&name=s&kind=schedule.run_failed").await;
    assert_eq!(events["items"][0]["data"]["reason"], "interrupted", "{events}");
    advance(&board, 60.0).await;
    assert_eq!(runs(&board, "s").await[1]["id"], 2, "no number is used again");
}

#[tokio::test]
async fn a_stop_lets_runs_finish_for_a_while_and_records_the_others_as_interrupted() {
    let clock = Clock::manual("2027-03-01T00:00:30Z".parse().unwrap());
    let short = |config: &mut fuseboard::config::Config| config.drain = Duration::from_millis(50);
    let board = TestServer::start_in(TempDir::new().unwrap(), clock, short).await;
    put(&board, "s", checks("* * * * *", json!({ "misfire": "run_once" }))).await;
    board.board.schedule_runs.slots.acquire_many(u32::try_from(MAX_ACTING).unwrap()).await.unwrap().forget();
    board.advance(45.0);
    board.board.advance_schedules().await.unwrap();
    let board = board.restart().await;
    let begun = runs(&board, "s").await;
    assert_eq!((begun.len(), &begun[0]["output"]["reason"]), (1, &json!("interrupted")), "{begun:?}");
    settle(&board).await;
    assert_eq!(runs(&board, "s").await, begun);
}

#[tokio::test]
async fn once_it_stops_nothing_begins_until_the_next_start() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "going", checks("0 0 1 3 *", json!({}))).await;
    put(&board, "due", checks("* * * * *", json!({}))).await;
    let all = u32::try_from(MAX_ACTING).unwrap();
    let held = board.board.schedule_runs.slots.acquire_many(all).await.unwrap();
    assert_eq!(board.ask(Method::POST, "/v1/schedules/going/run", None).await.0, 202);
    board.board.schedule_runs.stop_beginning();
    board.advance(45.0);
    board.board.advance_schedules().await.unwrap();
    let refused = board.send(Method::POST, "/v1/schedules/due/run", None).await;
    assert_problem(refused, 503, "overloaded", "it stops").await;
    let view = put(&board, "due", checks("* * * * *", json!({ "description": "changed" }))).await;
    assert_eq!((&view["running"], &view["config"]["description"]), (&json!([]), &json!("changed")));
    board.board.schedule_runs.drain(Duration::ZERO).await;
    let broken_off = runs(&board, "going").await;
    assert_eq!(broken_off[0]["output"]["reason"], "interrupted", "recorded before the stop: {broken_off:?}");
    drop(held);
    let board = board.restart().await;
    settle(&board).await;
    assert_eq!(runs(&board, "going").await, broken_off);
    assert_eq!(history(&board, "due").await, ["2027-03-01T00:01:00Z failed"], "still on time");
}

#[tokio::test]
async fn a_declaration_that_a_crash_cut_in_two_is_in_force_after_the_start() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("0 * * * *", json!({}))).await;
    put(&board, "other", checks("30 * * * *", json!({}))).await;
    // What is on disk after the first of the two transactions of a declaration.
    let path: String = sqlx::query_scalar("SELECT file FROM pragma_database_list")
        .fetch_one(&board.board.store.readers)
        .await
        .unwrap();
    let mut disk = <sqlx::SqliteConnection as sqlx::Connection>::connect(&path).await.unwrap();
    sqlx::query("UPDATE definitions SET config = (SELECT config FROM definitions WHERE name = 'other') WHERE name = 's'")
        .execute(&mut disk)
        .await
        .unwrap();
    let board = board.crash().await;
    assert_eq!(board.get("/v1/schedules/s").await["config"]["cron"], "30 * * * *");
    settle(&board).await;
    assert_eq!(board.get("/v1/schedules/s").await["next_run_at"], "2027-03-01T00:30:00Z");
}

#[tokio::test]
async fn a_step_with_nothing_due_writes_nothing() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("0 * * * *", json!({}))).await;
    board.get("/v1/events").await;
    let mut reader = board.board.store.readers.acquire().await.unwrap();
    let version = "PRAGMA data_version";
    let before: i64 = sqlx::query_scalar(version).fetch_one(&mut *reader).await.unwrap();
    for _ in 0..3 {
        advance(&board, 60.0).await;
    }
    let after: i64 = sqlx::query_scalar(version).fetch_one(&mut *reader).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn by_hand_it_runs_at_once_and_once_per_key() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("@daily", json!({ "enabled": false }))).await;
    let run = |board: &TestServer, query: &str, key: &str| {
        let request = board.http.post(format!("{}/v1/schedules/s/run{query}", board.url));
        request.header("idempotency-key", key).json(&json!({ "actor": "ops" })).send()
    };
    let first = run(&board, "?wait_seconds=10", "k").await.unwrap();
    assert_eq!(first.status(), 200);
    let first: Value = first.json().await.unwrap();
    assert_eq!((&first["trigger"], &first["actor"]), (&json!("manual"), &json!("ops")));
    assert_eq!(
        (&first["status"], &first["scheduled_for"]),
        (&json!("failed"), &json!("2027-03-01T00:00:30Z"))
    );
    let again = run(&board, "?wait_seconds=10", "k").await.unwrap();
    assert_eq!(
        (again.status().as_u16(), &again.headers()["idempotency-replayed"]),
        (200, &"true".parse().unwrap())
    );
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let refused = run(&board, "", "k").await.unwrap();
    assert_problem(refused, 422, "idempotency_mismatch", "another request").await;
    let board = board.crash().await;
    let replayed = run(&board, "?wait_seconds=10", "k").await.unwrap();
    assert_eq!(replayed.json::<Value>().await.unwrap(), first, "also after a crash");
    assert_eq!(run(&board, "", "other").await.unwrap().status(), 202);
    idle(&board).await;
    assert_eq!(runs(&board, "s").await.len(), 2);
    assert_eq!(board.get("/v1/schedules/s/runs/1").await, first);
    for (path, status, code) in [
        ("/v1/schedules/s/runs/3", 404, "not_found"),
        ("/v1/schedules/s/runs/18446744073709551615", 404, "not_found"),
        ("/v1/schedules/s/runs/x", 422, "validation_failed"),
        ("/v1/schedules/s/runs?status=done", 422, "validation_failed"),
        ("/v1/schedules/none/runs/1", 404, "not_found"),
    ] {
        assert_problem(board.send(Method::GET, path, None).await, status, code, path).await;
    }
    for query in ["26", "-1", "x", "NaN"] {
        let path = format!("/v1/schedules/s/run?wait_seconds={query}");
        let problem =
            assert_problem(board.send(Method::POST, &path, None).await, 422, "validation_failed", query)
                .await;
        assert_eq!(problem["errors"][0]["field"], "wait_seconds", "{problem}");
    }
}

#[tokio::test]
async fn whoever_waits_too_short_gets_the_run_as_it_stands_and_a_late_one_times_out() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("@daily", json!({ "timeout_seconds": 0.3 }))).await;
    let _held =
        board.board.schedule_runs.slots.acquire_many(u32::try_from(MAX_ACTING).unwrap()).await.unwrap();
    let (status, run) = board.ask(Method::POST, "/v1/schedules/s/run?wait_seconds=0.01", None).await;
    assert_eq!((status, &run["status"]), (202, &json!("running")));
    idle(&board).await;
    let run = board.get("/v1/schedules/s/runs/1").await;
    assert_eq!((&run["status"], &run["output"]["reason"]), (&json!("failed"), &json!("timeout")), "{run}");
}

#[tokio::test]
async fn numbers_of_runs_go_on_after_a_schedule_is_deleted_and_its_runs_are_gone() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    let ran = |board: &TestServer| {
        let request = board.http.post(format!("{}/v1/schedules/s/run?wait_seconds=10", board.url));
        async move { request.send().await.unwrap().json::<Value>().await.unwrap()["id"].as_u64().unwrap() }
    };
    put(&board, "s", checks("@daily", json!({}))).await;
    assert_eq!((ran(&board).await, ran(&board).await), (1, 2));
    assert_eq!(board.delete("/v1/schedules/s").await, 204);
    put(&board, "s", checks("@daily", json!({}))).await;
    assert_eq!(runs(&board, "s").await, [json!(null); 0]);
    assert_eq!(ran(&board).await, 3);
    assert_eq!(board.delete("/v1/schedules/s").await, 204);
    let board = board.crash().await;
    put(&board, "s", checks("@daily", json!({}))).await;
    assert_eq!(ran(&board).await, 4, "also after a crash");
}

#[tokio::test]
async fn deleting_a_schedule_breaks_its_run_off() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("@daily", json!({}))).await;
    let held =
        board.board.schedule_runs.slots.acquire_many(u32::try_from(MAX_ACTING).unwrap()).await.unwrap();
    assert_eq!(board.ask(Method::POST, "/v1/schedules/s/run", None).await.0, 202);
    assert_eq!(board.delete("/v1/schedules/s").await, 204);
    put(&board, "s", checks("@daily", json!({}))).await;
    drop(held);
    settle(&board).await;
    assert_eq!(runs(&board, "s").await, [json!(null); 0], "nobody writes into the new one's history");
}

#[tokio::test]
async fn the_history_keeps_as_many_runs_as_it_may() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("* * * * *", json!({ "retain_runs": 3 }))).await;
    for _ in 0..6 {
        advance(&board, 60.0).await;
    }
    let kept: Vec<_> = runs(&board, "s").await.iter().map(|run| run["id"].clone()).collect();
    assert_eq!(kept, [4, 5, 6]);
    put(&board, "s", checks("* * * * *", json!({ "retain_runs": 1 }))).await;
    assert_eq!(runs(&board, "s").await.len(), 1);
    assert_eq!(board.get("/v1/schedules/s").await["last_run"]["id"], 6);
}

#[tokio::test]
async fn another_time_is_in_force_at_once_and_survives_a_crash() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("0 * * * *", json!({}))).await;
    board.advance(3600.0);
    // Due and not looked at yet: it still belongs to the old time.
    let view = put(&board, "s", checks("30 * * * *", json!({ "misfire": "run_once" }))).await;
    assert_eq!(view["next_run_at"], "2027-03-01T01:30:00Z");
    assert_eq!(view["config"]["cron"], "30 * * * *");
    idle(&board).await;
    assert_eq!(history(&board, "s").await, ["2027-03-01T01:00:00Z failed"]);
    let board = board.crash().await;
    assert_eq!(board.get("/v1/schedules/s").await["next_run_at"], "2027-03-01T01:30:00Z");
    advance(&board, 1800.0).await;
    assert_eq!(history(&board, "s").await[1], "2027-03-01T01:30:00Z failed");
}

#[tokio::test]
async fn while_the_disk_fails_nothing_begins_and_afterwards_it_does() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "s", checks("* * * * *", json!({}))).await;
    let path: String = sqlx::query_scalar("SELECT file FROM pragma_database_list")
        .fetch_one(&board.board.store.readers)
        .await
        .unwrap();
    let mut lock = <sqlx::SqliteConnection as sqlx::Connection>::connect(&path).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    board.advance(45.0);
    assert!(board.board.advance_schedules().await.is_err());
    let refused = board.send(Method::POST, "/v1/schedules/s/run", None).await;
    assert_problem(refused, 503, "storage_unavailable", "the disk is locked").await;
    assert_eq!(board.get("/v1/schedules/s").await["running"], json!([]));
    sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
    settle(&board).await;
    assert_eq!(history(&board, "s").await, ["2027-03-01T00:01:00Z failed"], "once");
}

#[tokio::test]
async fn secrets_of_a_webhook_are_neither_shown_nor_recorded_nor_taken_for_a_view() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    let spec = |secret: &str| {
        json!({ "cron": "@daily", "action": { "kind": "webhook", "url": "http://127.0.0.1:9/",
            "headers": { "Authorization": secret, "X-Plain": "seen" } } })
    };
    let view = put(&board, "s", spec("Bearer hunter2")).await;
    let headers = &view["config"]["action"]["headers"];
    assert_eq!((&headers["Authorization"], &headers["X-Plain"]), (&json!("[redacted]"), &json!("seen")));
    for path in ["/v1/schedules/s", "/v1/schedules", "/v1/events"] {
        assert!(!board.get(path).await.to_string().contains("hunter2"), "{path}");
    }
    let refused = board.send(Method::PUT, "/v1/schedules/s", Some(spec("[redacted]"))).await;
    let problem = assert_problem(refused, 422, "validation_failed", "a view").await;
    assert_eq!(problem["errors"][0]["field"], "action.headers");
}

#[tokio::test]
async fn a_webhook_that_nobody_answers_is_a_failed_run_that_says_why() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let action = json!({ "kind": "webhook", "url": format!("http://{closed}/hook") });
    put(&board, "s", json!({ "cron": "@daily", "action": action })).await;
    let (status, run) = board.ask(Method::POST, "/v1/schedules/s/run?wait_seconds=10", None).await;
    assert_eq!((status, &run["status"]), (200, &json!("failed")));
    assert_eq!(run["output"]["reason"], "connect", "{run}");
    assert!(run["output"]["message"].is_string(), "{run}");
}

#[tokio::test]
async fn checks_run_on_time_and_their_report_is_kept() {
    let board = start_at("2027-03-01T00:30:00Z").await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 1, "timeout_seconds": 86_400 })).await;
    board
        .put("/v1/checks/breaker", json!({ "kind": "breaker", "breaker": "b", "labels": { "tier": "1" } }))
        .await;
    board.put("/v1/checks/other", json!({ "kind": "push", "labels": { "tier": "2" } })).await;
    let action = json!({ "kind": "run_checks", "labels": { "tier": "1" } });
    put(&board, "hourly", json!({ "cron": "@hourly", "action": action })).await;
    let named = json!({ "kind": "run_checks", "checks": ["breaker", "nobody"] });
    put(&board, "named", json!({ "cron": "@hourly", "action": named })).await;
    advance(&board, 1800.0).await;
    board.fail("b", "a", 1).await;
    advance(&board, 3600.0).await;
    let hourly = runs(&board, "hourly").await;
    assert_eq!(
        (&hourly[0]["status"], &hourly[0]["output"]["overall_status"]),
        (&json!("succeeded"), &json!("green"))
    );
    assert_eq!(hourly[0]["output"]["checks"].as_object().unwrap().keys().collect::<Vec<_>>(), ["breaker"]);
    assert_eq!(hourly[0]["output"]["timestamp"], "2027-03-01T01:00:00Z");
    assert_eq!(
        (&hourly[1]["status"], &hourly[1]["output"]["overall_status"]),
        (&json!("failed"), &json!("red"))
    );
    let named = runs(&board, "named").await;
    assert_eq!(
        (&named[0]["status"], &named[0]["output"]["checks"]["nobody"]["status"]),
        (&json!("failed"), &json!("red"))
    );
    let event = &board.get("/v1/events?kind=schedule.run_failed&name=named").await["items"][0]["data"];
    assert_eq!((&event["reason"], &event["message"]), (&json!("red"), &json!("red: breaker, nobody")));
    let (_, listed, _) = command(&board, &["runs", "hourly"]).await;
    assert!(listed.contains("checks are red") && listed.contains("checks are green"), "{listed}");
    let bad = json!({ "cron": "@daily", "action": { "kind": "run_checks", "labels": { "1": "x" } } });
    let refused = board.send(Method::PUT, "/v1/schedules/bad", Some(bad)).await;
    let problem = assert_problem(refused, 422, "validation_failed", "no label").await;
    assert_eq!(problem["errors"][0]["field"], "action.labels");
}

/// Answers each connection with the next of these, and hands over what was asked.
async fn upstream(answers: Vec<&'static str>) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
    let (asked, questions) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = Vec::new();
            while !is_whole(&question) {
                assert!(stream.read_buf(&mut question).await.unwrap() > 0, "the request breaks off");
            }
            asked.send(String::from_utf8(question).unwrap()).unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, questions)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    body.len() >= length.unwrap_or(0)
}

#[tokio::test]
async fn a_webhook_is_told_which_run_it_is_and_its_answer_decides() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    let (url, mut questions) = upstream(vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nthere",
        "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /else\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ])
    .await;
    let spec = |expected: Value| {
        json!({ "cron": "* * * * *", "action": { "kind": "webhook", "url": url, "body": { "why": "nightly" },
            "headers": { "Authorization": "Bearer hunter2" }, "expected_status": expected } })
    };
    put(&board, "s", spec(json!(null))).await;
    advance(&board, 30.0).await;
    let question = questions.recv().await.unwrap();
    let (head, body) = question.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer hunter2") && head.contains("application/json"), "{head}");
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        told,
        json!({ "schedule": "s", "run_id": 1, "scheduled_for": "2027-03-01T00:01:00Z", "trigger": "schedule",
            "body": { "why": "nightly" } })
    );
    advance(&board, 60.0).await;
    advance(&board, 60.0).await;
    put(&board, "s", spec(json!(418))).await;
    advance(&board, 60.0).await;
    let ended: Vec<_> = runs(&board, "s")
        .await
        .iter()
        .map(|run| (run["status"].clone(), run["output"]["status"].clone()))
        .collect();
    let expected = [("succeeded", 200), ("failed", 500), ("failed", 302), ("succeeded", 418)];
    assert_eq!(ended, expected.map(|(status, code)| (json!(status), json!(code))));
    let first = board.get("/v1/schedules/s/runs/1").await;
    assert_eq!((&first["output"]["body"], &first["output"]["is_complete"]), (&json!("there"), &json!(true)));
    assert_eq!(board.get("/v1/schedules/s/runs/2").await["output"]["reason"], "unexpected_status");
    let text = board.get("/metrics").await.as_str().unwrap().to_owned();
    assert!(
        text.contains("fuseboard_schedule_last_success_timestamp_seconds{schedule=\"s\"} 1803859440"),
        "{text}"
    );
}

#[tokio::test]
async fn the_number_of_schedules_is_bounded_and_the_file_declares_some() {
    let board = TestServer::start_with(|config| {
        config.limits.max_schedules = 1;
        let spec = serde_json::from_value(checks("@daily", json!({}))).unwrap();
        config.declarations.schedules = vec![("nightly".try_into().unwrap(), spec)];
    })
    .await;
    assert_eq!(board.get("/v1/schedules/nightly").await["config"]["cron"], "@daily");
    let refused = board.send(Method::PUT, "/v1/schedules/other", Some(checks("@daily", json!({})))).await;
    assert_problem(refused, 507, "limit_reached", "one is enough").await;
    let now: Timestamp = board.clock.wall();
    let next = board.get("/v1/schedules/nightly").await["next_run_at"].as_str().unwrap().parse::<Timestamp>();
    assert!(next.unwrap() > now);
}

/// `fuseboard schedule` with these arguments: exit status, output, errors.
async fn command(board: &TestServer, args: &[&str]) -> (i32, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fuseboard"));
    command.arg("schedule").args(["--url", &board.url]).args(args).env_remove("FUSEBOARD_TOKEN");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_command_line_lists_shows_and_runs_schedules() {
    let board = start_at("2027-03-01T00:00:30Z").await;
    put(&board, "nightly", checks("0 2 * * *", json!({ "timezone": "Europe/Berlin" }))).await;
    put(
        &board,
        "off",
        json!({ "interval_seconds": 5, "enabled": false, "action": { "kind": "run_checks" } }),
    )
    .await;
    let (code, listed, _) = command(&board, &["list"]).await;
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, 0);
    assert_eq!(lines[0][..2], ["NAME", "WHEN"]);
    assert!(lines[1].contains(&"nightly") && lines[1].contains(&"2027-03-01T01:00:00Z"), "{listed}");
    assert!(lines[2].contains(&"disabled"), "{listed}");
    let (code, ran, _) = command(&board, &["run", "nightly", "--actor", "ops\u{1b}[2J"]).await;
    assert_eq!(code, 1, "a failed run is a failure: {ran}");
    assert!(
        ran.contains("no such checks") && ran.contains("ops\\u{1b}[2J") && !ran.contains('\u{1b}'),
        "{ran}"
    );
    let (code, shown, _) = command(&board, &["show", "nightly"]).await;
    assert_eq!(code, 0);
    assert!(shown.contains("2027-03-05T01:00:00Z") && shown.contains("manual"), "{shown}");
    let (_, runs, _) = command(&board, &["runs", "nightly", "--status", "failed", "--json"]).await;
    let runs: Value = serde_json::from_str(&runs).unwrap();
    assert_eq!(runs[0]["actor"], "ops\u{1b}[2J");
    let (code, _, complaint) = command(&board, &["runs", "none"]).await;
    assert_eq!(code, 2);
    assert!(complaint.contains("there is no schedule named"), "{complaint}");
    assert_eq!(command(&board, &["show", "a/../b"]).await.0, 2);
}

#[tokio::test]
async fn what_a_long_downtime_leaves_to_decide_does_not_keep_others_waiting() {
    let board = start_at("2027-01-10T00:00:00Z").await;
    for n in 0..20 {
        put(&board, &format!("s{n}"), checks("* * * * *", json!({ "timezone": "Europe/Berlin" }))).await;
    }
    board.advance(6.0 * 86_400.0);
    let clock = Clock::system();
    let begun = clock.now();
    let longest = Arc::new(Mutex::new(Duration::ZERO));
    let others = tokio::spawn({
        let (clock, longest) = (clock.clone(), Arc::clone(&longest));
        async move {
            let mut last = begun;
            loop {
                tokio::task::yield_now().await;
                let now = clock.now();
                let mut longest = longest.lock().unwrap();
                *longest = now.since(last).max(*longest);
                last = now;
            }
        }
    });
    board.board.advance_schedules().await.unwrap();
    others.abort();
    let (all, longest) = (clock.now().since(begun), *longest.lock().unwrap());
    assert!(longest * 4 < all, "others waited for {longest:?} of {all:?}");
    assert_eq!(runs(&board, "s19").await[0]["missed"]["count"], 6 * 24 * 60 - 1);
}
