use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_clean_restart_loses_nothing() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/open", json!({ "failure_threshold": 1 })).await;
    board.put("/v1/breakers/counting", json!({})).await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 1, "burst_size": 5 })).await;
    board.fail("open", "a", 1).await;
    board.fail("counting", "a", 3).await;
    let running = board.enter("counting", "a").await;
    let ask = |tokens: u32| json!({ "tokens": tokens, "client": "a" });
    board.post("/v1/limiters/l/acquire", ask(4)).await;
    board.advance(20.0);
    board.clock.jump_wall(-86_400);
    let board = board.restart().await;
    let refused = board.post("/v1/calls", json!({ "breaker": "open" })).await;
    assert_eq!(refused["retry_after_seconds"], 40.0, "the remaining wait, whatever the wall clock did");
    assert_eq!(board.get("/v1/breakers/counting").await["failure_count"], 3);
    assert_eq!(board.report(&running, "failure").await["recorded"], true, "calls in flight go on");
    let available = async || board.get("/v1/limiters/l").await["available_tokens"].clone();
    assert_eq!(available().await, 4.0, "its client may have one on its own that it has not told of");
    board.post("/v1/limiters/l/acquire", ask(0)).await;
    assert_eq!(available().await, 5.0, "it has come back and spent none");
}

#[tokio::test]
async fn after_a_crash_breakers_resume_and_no_bucket_is_refilled() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/open", json!({ "failure_threshold": 1 })).await;
    board.put("/v1/breakers/forced", json!({})).await;
    board.put("/v1/limiters/bucket", json!({ "requests_per_second": 5, "burst_size": 5 })).await;
    let hard = json!({ "algorithm": "sliding_window", "limit": 5, "period_seconds": 1 });
    board.put("/v1/limiters/hard", hard).await;
    board.fail("open", "a", 1).await;
    board.post("/v1/breakers/forced/state", json!({ "target": "forced_open", "ttl_seconds": 100 })).await;
    for name in ["bucket", "hard"] {
        board.post(&format!("/v1/limiters/{name}/acquire"), json!({ "tokens": 5 })).await;
    }
    // The manual change above was durable when it was answered, and with it every event before.
    let board = board.crash().await;
    assert_eq!(board.post("/v1/calls", json!({ "breaker": "open" })).await["retry_after_seconds"], 60.0);
    assert_eq!(board.state("forced").await, "forced_open");
    for name in ["bucket", "hard"] {
        assert_eq!(
            board.post(&format!("/v1/limiters/{name}/acquire"), json!({})).await["allowed"],
            false,
            "{name}"
        );
    }
    board.advance(1.0);
    for name in ["bucket", "hard"] {
        assert_eq!(
            board.post(&format!("/v1/limiters/{name}/acquire"), json!({})).await["allowed"],
            true,
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_answer_with_a_key_survives_a_crash() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    let reset = |board: &TestServer| {
        board
            .http
            .post(format!("{}/v1/breakers/b/reset", board.url))
            .header("idempotency-key", "once")
            .json(&json!({ "reason": "x" }))
            .send()
    };
    let first = reset(&board).await.unwrap().text().await.unwrap();
    let board = board.crash().await;
    let again = reset(&board).await.unwrap();
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.text().await.unwrap(), first);
    assert_eq!(board.get("/v1/breakers/b").await["generation"], 2, "reset once");
}

#[tokio::test]
async fn a_limiter_that_becomes_long_does_not_forget_in_a_crash_what_it_granted_as_a_short_one() {
    let board = TestServer::start().await;
    let window =
        |period: u32| json!({ "algorithm": "sliding_window", "limit": 10, "period_seconds": period });
    board.put("/v1/limiters/l", window(5)).await;
    assert_eq!(board.post("/v1/limiters/l/acquire", json!({ "tokens": 10 })).await["allowed"], true);
    board.put("/v1/limiters/l", window(3600)).await;
    let marks = "SELECT count(*) FROM states WHERE kind = 'limiter_mark'";
    let marks: i64 = sqlx::query_scalar(marks).fetch_one(&board.board.store.readers).await.unwrap();
    assert_eq!(marks, 1, "stored with the configuration, not with some later snapshot");
    let board = board.crash().await;
    board.advance(60.0);
    let answer = board.post("/v1/limiters/l/acquire", json!({ "tokens": 1 })).await;
    assert_eq!(answer["allowed"], false, "ten were granted within the hour: {answer}");
}

#[tokio::test]
async fn looking_at_a_breaker_makes_no_work_for_the_disk() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    board.board.journal.durable(board.board.journal.last()).await.unwrap();
    board.board.save_changed().await.unwrap();
    // Whatever a task of the board has begun to write comes before this.
    board.board.store.writer.write(|_| Box::pin(async { Ok(()) })).await.unwrap();
    let commits = async || board.board.store.writer.health().take_commits().len();
    commits().await;
    for _ in 0..10 {
        board.get("/v1/breakers/b").await;
        board.get("/v1/breakers").await;
    }
    board.board.save_changed().await.unwrap();
    assert_eq!(commits().await, 0);
    let since = board.get("/v1/breakers/b").await["state_changed_at"].clone();
    board.advance(60.0);
    let board = board.restart().await;
    assert_eq!(board.get("/v1/breakers/b").await["state_changed_at"], since);
}
