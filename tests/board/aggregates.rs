use serde_json::{Value, json};

use crate::support::TestServer;

async fn send(board: &TestServer, session: &str, item: Value) -> Value {
    let body = json!({ "client": "bot", "session": session, "items": [item] });
    let answer = board.post("/v1/outcomes/aggregated", body).await;
    answer["items"][0].clone()
}

fn failures(sequence: u64, count: u32) -> Value {
    json!({ "breaker": "b", "generation": 1, "sequence": sequence, "runs": [{ "outcome": "failure", "count": count }] })
}

async fn count(board: &TestServer) -> Value {
    board.get("/v1/breakers/b").await["failure_count"].clone()
}

#[tokio::test]
async fn runs_of_outcomes_move_a_breaker_like_single_ones() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 3 })).await;
    let runs = json!([
        { "outcome": "success", "count": 4, "duration_seconds": 2.0 },
        { "outcome": "failure", "count": 2 },
        { "outcome": "success", "count": 1 },
        { "outcome": "ignored", "count": 5 },
        { "outcome": "failure", "count": 2 },
    ]);
    let item = json!({ "breaker": "b", "generation": 1, "sequence": 1, "runs": runs, "rejected": 3 });
    let answer = send(&board, "s", item).await;
    assert_eq!(answer["recorded"], true, "{answer}");
    assert_eq!((&answer["breaker_state"], &answer["generation"]), (&json!("closed"), &json!(1)));
    let seen = board.get("/v1/breakers/b").await;
    assert_eq!((&seen["failure_count"], &seen["metrics"]["total_calls"]), (&json!(2), &json!(17)));
    assert_eq!(seen["metrics"]["rejected_calls"], 3);
    assert_eq!(seen["in_flight"], 0);

    let mut last = failures(2, 1);
    last["error"] = json!("timeout");
    let answer = send(&board, "s", last).await;
    assert_eq!((&answer["breaker_state"], &answer["generation"]), (&json!("open"), &json!(2)));
    assert!(answer["retry_after_seconds"].as_f64().unwrap() > 0.0);
    let history = board.get("/v1/breakers/b/transitions").await;
    assert_eq!(history["items"][0]["reporters"], json!(["bot"]));
    assert!(history["items"][0].to_string().contains("timeout"), "{history}");
    let late = send(&board, "s", failures(3, 1)).await;
    assert_eq!((&late["recorded"], &late["reason"]), (&json!(false), &json!("stale_generation")));
}

#[tokio::test]
async fn a_report_counts_once_over_repeats_stops_and_crashes() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 100 })).await;
    assert_eq!(send(&board, "s", failures(1, 2)).await["recorded"], true);
    assert_eq!(send(&board, "s", failures(1, 2)).await["reason"], "duplicate");
    assert_eq!(send(&board, "other", failures(1, 2)).await["recorded"], true, "another process");
    assert_eq!(count(&board).await, 4);

    let board = board.restart().await;
    assert_eq!(send(&board, "s", failures(1, 2)).await["reason"], "duplicate");
    assert_eq!(send(&board, "s", failures(2, 1)).await["recorded"], true);
    board.board.save_changed().await.unwrap();
    assert_eq!(send(&board, "s", failures(3, 5)).await["recorded"], true, "not saved");

    let board = board.crash().await;
    assert_eq!(count(&board).await, 5, "what was not saved is gone with its number");
    assert_eq!(send(&board, "s", failures(2, 1)).await["reason"], "duplicate");
    assert_eq!(send(&board, "s", failures(3, 5)).await["recorded"], true);
    assert_eq!(send(&board, "s", failures(3, 5)).await["reason"], "duplicate");
    assert_eq!(count(&board).await, 10);
}

#[tokio::test]
async fn a_trip_is_on_disk_with_the_report_that_made_it() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 3 })).await;
    assert_eq!(send(&board, "s", failures(1, 3)).await["breaker_state"], "open");
    while board.board.flush_journal().await.unwrap() > 0 {}
    let board = board.crash().await;
    assert_eq!(send(&board, "s", failures(1, 3)).await["reason"], "duplicate");
    assert_eq!(board.get("/v1/breakers/b").await["generation"], 2);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_names_its_field() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    let run = |run: Value| json!({ "breaker": "b", "generation": 1, "sequence": 1, "runs": [run] });
    let many = json!(vec![json!({ "outcome": "success", "count": 1 }); 1001]);
    let bad = [
        (run(json!({ "outcome": "success", "count": 0 })), "items[0].runs[0].count"),
        (run(json!({ "outcome": "success", "count": 10_000_001 })), "items[0].runs[0].count"),
        (run(json!({ "outcome": "success", "count": 1, "slow": 2 })), "items[0].runs[0].slow"),
        (json!({ "breaker": "b", "generation": 1, "sequence": 0 }), "items[0].sequence"),
        (json!({ "breaker": "b", "generation": 1, "sequence": 1, "runs": many }), "items[0].runs"),
        (
            json!({ "breaker": "b", "generation": 1, "sequence": 1, "error": "x".repeat(1025) }),
            "items[0].error",
        ),
    ];
    for (item, field) in bad {
        let body = json!({ "items": [item] });
        let (status, problem) = board.ask(reqwest::Method::POST, "/v1/outcomes/aggregated", Some(body)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    for item in [
        json!({ "breaker": "b", "generation": -1, "sequence": 1 }),
        json!({ "breaker": "b", "generation": 1.5, "sequence": 1 }),
        json!({ "breaker": "b", "sequence": 1 }),
        json!({ "breaker": "b", "generation": 1, "sequence": 1, "runs": [["success", 1]] }),
        json!({ "breaker": "b", "generation": 1, "sequence": 1, "more": 1 }),
        run(json!({ "outcome": "maybe", "count": 1 })),
        run(json!({ "outcome": "success", "count": -1 })),
        run(json!({ "outcome": "success", "count": 1, "duration_seconds": -1 })),
    ] {
        let body = json!({ "items": [item.clone()] });
        let (status, problem) = board.ask(reqwest::Method::POST, "/v1/outcomes/aggregated", Some(body)).await;
        assert_eq!(status, 422, "{item}: {problem}");
    }
    for (field, name) in [("client", "a\nb"), ("session", "")] {
        let body = json!({ field: name, "items": [] });
        let (status, problem) = board.ask(reqwest::Method::POST, "/v1/outcomes/aggregated", Some(body)).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let unknown = json!({ "breaker": "nobody", "generation": 1, "sequence": 1 });
    let answer = send(&board, "s", unknown).await;
    assert_eq!((&answer["reason"], &answer["breaker_state"]), (&json!("unknown"), &Value::Null));
    assert_eq!(board.get("/v1/breakers/b").await["metrics"]["total_calls"], 0);
}
