//! Groups that are summed over their pushers.

use reqwest::Method;
use serde_json::json;

use crate::support::{TestServer, assert_problem};

const PUT: Method = Method::PUT;
const POST: Method = Method::POST;

#[tokio::test]
async fn eight_pushers_with_retries_give_the_exact_total() {
    let board = TestServer::start().await;
    let pushers = (0..8).map(|pusher: u32| {
        let board = &board;
        async move {
            let path = format!("/agg/metrics/job/batch/instance/w{pusher}");
            for step in 1..=25_u32 {
                let body = format!(
                    "# TYPE done_total counter\ndone_total {step}\n# TYPE took histogram\n\
                     took_bucket{{le=\"1\"}} {step}\ntook_bucket{{le=\"+Inf\"}} {step}\ntook_sum {step}\ntook_count {step}\n"
                );
                // Each comes once more, as after an answer that was lost, and some of them with the other method.
                for method in [PUT, if step % 3 == 0 { POST } else { PUT }] {
                    assert_eq!(board.push(method, &path, &body).await, 200);
                }
            }
        }
    });
    futures_util::future::join_all(pushers).await;
    assert_eq!(board.lines("done_total").await, ["done_total{instance=\"\",job=\"batch\"} 200"]);
    for (name, value) in
        [("took_sum", 200), ("took_count", 200), ("took_bucket{instance=\"\",job=\"batch\",le=\"1\"}", 200)]
    {
        let lines = board.lines(name).await;
        assert!(lines.len() == 1 && lines[0].ends_with(&format!(" {value}")), "{lines:?}");
    }
}

#[tokio::test]
async fn a_pusher_that_begins_anew_or_goes_leaves_what_it_added() {
    let board = TestServer::start().await;
    let push = async |client: &str, total: u32| {
        let path = format!("/agg/metrics/job/j?client={client}");
        assert_eq!(board.push(PUT, &path, &format!("# TYPE c counter\nc {total}\n")).await, 200);
        let line = board.lines("c{").await.remove(0);
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(push("a", 10).await, 10);
    assert_eq!(push("b", 1).await, 11);
    assert_eq!(push("a", 3).await, 14, "it began anew");
    assert_eq!(board.push(Method::DELETE, "/agg/metrics/job/j?client=a", "").await, 202);
    assert_eq!(board.lines("c{").await, ["c{instance=\"\",job=\"j\"} 14"]);
    assert_eq!(push("b", 2).await, 15);
    assert_eq!(board.push(Method::DELETE, "/agg/metrics/job/j", "").await, 202);
    assert!(board.lines("c{").await.is_empty() && board.lines("push_time").await.is_empty());
}

#[tokio::test]
async fn who_pushes_must_be_said_and_the_two_kinds_of_groups_are_kept_apart() {
    let board = TestServer::start().await;
    let body = "# TYPE c counter\nc 1\n";
    for path in ["/agg/metrics/job/j", "/agg/metrics/job/j?client=", "/agg/metrics/job/j/instance@base64/="] {
        let problem =
            assert_problem(board.push_raw(PUT, path, body).await, 422, "validation_failed", path).await;
        assert_eq!(problem["errors"][0]["field"], "client");
    }
    for query in ["client=a&client=b", "cleint=a", &format!("client={}", "x".repeat(257))] {
        let path = format!("/agg/metrics/job/j?{query}");
        assert_problem(board.push_raw(PUT, &path, body).await, 422, "validation_failed", query).await;
    }
    assert_eq!(board.push(PUT, "/agg/metrics/job/j/instance/a", body).await, 200);
    assert_problem(board.push_raw(PUT, "/metrics/job/j", body).await, 409, "conflict", "whole").await;
    assert_eq!(board.push(PUT, "/metrics/job/k", body).await, 200);
    assert_problem(board.push_raw(PUT, "/agg/metrics/job/k?client=a", body).await, 409, "conflict", "sum")
        .await;
    let nan = board.push_raw(PUT, "/agg/metrics/job/j?client=a", "x 1\n# TYPE d counter\nd NaN\n").await;
    assert_problem(nan, 400, "inconsistent_metrics", "NaN").await;
    assert!(board.lines("x{").await.is_empty());
    assert_eq!(board.lines("c{").await.len(), 2);
}

#[tokio::test]
async fn a_sum_with_a_time_goes_after_the_last_push_of_any_pusher() {
    let board = TestServer::start().await;
    let push = async |client: &str| {
        let path = format!("/ttl/10/agg/metrics/job/j/instance/{client}");
        board.push(POST, &path, "# TYPE c counter\nc 1\n").await
    };
    assert_eq!(push("a").await, 200);
    board.advance(9.0);
    assert_eq!(push("b").await, 200);
    board.advance(9.0);
    assert_eq!(board.lines("c{").await, ["c{instance=\"\",job=\"j\"} 2"]);
    board.advance(1.0);
    assert!(board.lines("c{").await.is_empty());
    assert_eq!(push("a").await, 200);
    assert_eq!(board.lines("c{").await, ["c{instance=\"\",job=\"j\"} 1"], "all anew");
    assert_eq!(board.get("/api/v1/metrics").await["data"][0]["labels"], json!({ "job": "j" }));
}
