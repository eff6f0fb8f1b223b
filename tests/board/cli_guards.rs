//! Commands that ask for a decision: tokens, attempts, calls; and bearer tokens on a running server.

use fuseboard::app::tokens::Secret;
use serde_json::{Value, json};

use crate::{
    cli::{fuseboard, run},
    support::TestServer,
};

#[tokio::test]
async fn a_limiter_gives_tokens_until_there_are_none() {
    let board = TestServer::start().await;
    board
        .put("/v1/limiters/api", json!({ "algorithm": "sliding_window", "limit": 3, "period_seconds": 10 }))
        .await;
    let (status, text) = run(&board.url, &["limiter", "acquire", "api", "2", "--client", "me"]).await;
    assert!(status == 0 && text.contains("yes"), "{text}");
    let (status, text) = run(&board.url, &["limiter", "acquire", "api", "2", "--json"]).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &answer["allowed"], &answer["reason"]), (1, &json!(false), &json!("rate_limited")));
    let (status, text) = run(&board.url, &["limiter", "acquire", "api", "2", "--wait", "20"]).await;
    assert!(status == 0 && text.contains("wait seconds"), "{text}");
    board.put("/v1/limiters/gpu", json!({ "algorithm": "concurrency", "limit": 2 })).await;
    let (status, text) = run(&board.url, &["limiter", "lease", "gpu", "2", "--client", "me", "--json"]).await;
    let lease: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &lease["allowed"]), (0, &json!(true)), "{text}");
    assert_eq!(run(&board.url, &["limiter", "lease", "gpu", "1"]).await.0, 1);
    let id = lease["lease_id"].as_str().unwrap();
    assert_eq!(run(&board.url, &["limiter", "release", "gpu", id]).await.0, 0);
    assert_eq!(run(&board.url, &["limiter", "release", "gpu", id]).await.0, 1, "it is given back already");
    for wrong in [
        &["acquire", "api", "nan"][..],
        &["acquire", "api", "99"],
        &["lease", "api"],
        &["penalize", "api", "inf"],
    ] {
        let (status, text) = run(&board.url, &[&["limiter"], wrong].concat()).await;
        assert_eq!(status, 2, "{wrong:?}: {text}");
    }
}

#[tokio::test]
async fn a_retry_policy_says_how_long_to_wait_and_when_it_is_enough() {
    let board = TestServer::start().await;
    board.put("/v1/retry-policies/api", json!({ "max_attempts": 2, "jitter": "none" })).await;
    let (status, text) = run(&board.url, &["retry-policy", "attempt", "api", "2"]).await;
    assert!(status == 0 && text.contains("delay seconds"), "{text}");
    let (status, text) = run(&board.url, &["retry-policy", "attempt", "api", "3"]).await;
    assert!(status == 1 && text.contains("attempts_exhausted"), "{text}");
}

#[tokio::test]
async fn a_call_begins_and_is_reported() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 1 })).await;
    board.put("/v1/limiters/api", json!({ "requests_per_second": 10 })).await;
    let guard = ["--breaker", "kraken", "--limiter", "api=2", "--client", "me", "--json"];
    let (status, text) = run(&board.url, &[&["call", "begin"], &guard[..]].concat()).await;
    let decision: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &decision["allowed"]), (0, &json!(true)), "{text}");
    assert_eq!(board.get("/v1/limiters/api").await["available_tokens"], 8.0);
    let id = decision["call_id"].as_str().unwrap();
    let failed = ["call", "outcome", id, "failure", "--duration", "0.2", "--error", "504"];
    let (status, text) = run(&board.url, &failed).await;
    assert!(status == 0 && text.contains("open"), "{text}");
    let (status, text) = run(&board.url, &failed).await;
    assert!(status == 1 && text.contains("duplicate"), "{text}");
    let (status, text) = run(&board.url, &[&["call", "begin"], &guard[..]].concat()).await;
    assert!(status == 1 && text.contains("breaker_open"), "{text}");
    assert_eq!(run(&board.url, &["call", "begin"]).await.0, 2, "it guards nothing");
}

#[tokio::test]
async fn a_command_runs_if_the_board_allows_it_and_its_end_is_the_outcome() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/kraken", json!({ "failure_threshold": 2 })).await;
    let guarded = async |command: &[&str]| {
        run(&board.url, &[&["call", "run", "--breaker", "kraken", "--"], command].concat()).await
    };
    assert_eq!(guarded(&["echo", "done"]).await, (0, "done\n".to_owned()));
    assert_eq!(guarded(&["sh", "-c", "exit 3"]).await.0, 3);
    let (status, text) = guarded(&["/nowhere/program"]).await;
    assert!(status == 127 && text.contains("/nowhere/program"), "{text}");
    let view = board.get("/v1/breakers/kraken").await;
    let metrics = &view["metrics"];
    assert_eq!(
        (&metrics["success_calls"], &metrics["failure_calls"], &metrics["ignored_calls"], &view["in_flight"]),
        (&json!(1), &json!(1), &json!(1), &json!(0))
    );
    assert_eq!(guarded(&["false"]).await.0, 1);
    let (status, text) = guarded(&["echo", "never"]).await;
    assert!(
        status == 75 && text.contains("refused: breaker open (kraken)") && !text.contains("never\n"),
        "{text}"
    );
    let nobody = ["call", "run", "--breaker", "kraken", "--", "echo", "never"];
    assert_eq!(run("http://127.0.0.1:1", &nobody).await.0, 2, "nobody could be asked");
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_on_a_running_server() {
    let board = TestServer::start_with(|config| config.token = Some(Secret::new("root".into()))).await;
    let ask = async |token: &str, args: &[&str]| {
        let mut command =
            fuseboard("http://127.0.0.1:1", &[&["token"], args, &["--url", &board.url]].concat());
        command.env("FUSEBOARD_TOKEN", token);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (done.status.code().unwrap(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
    };
    let (status, secret) = ask("root", &["create", "eye", "--scope", "read"]).await;
    assert!(status == 0 && secret.starts_with("fb_"), "{secret}");
    let (_, text) = ask(secret.trim(), &["self"]).await;
    assert!(text.contains("eye") && text.contains("read"), "{text}");
    let (_, text) = ask("root", &["list", "--json"]).await;
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&list[0]["name"], list.as_array().unwrap().len()), (&json!("eye"), 1));
    assert_eq!(ask(secret.trim(), &["list"]).await.0, 1, "that is for the scope admin");
    assert_eq!(ask("root", &["revoke", list[0]["id"].as_str().unwrap()]).await, (0, String::new()));
    let (status, text) = ask(secret.trim(), &["self"]).await;
    assert!(status == 1 && text.contains("401"), "{text}");
}
