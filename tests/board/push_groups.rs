//! Pushgateway's API, as its clients use it.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::{
    raw::Raw,
    support::{TestServer, assert_problem},
};

const PUT: Method = Method::PUT;
const POST: Method = Method::POST;
const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

impl TestServer {
    pub async fn push_raw(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.http.request(method, format!("{}{path}", self.url)).body(body).send().await.unwrap()
    }

    /// Pushes; the status.
    pub async fn push(&self, method: Method, path: &str, body: &str) -> u16 {
        self.push_raw(method, path, body.to_owned()).await.status().as_u16()
    }

    /// The lines of `/metrics` that begin so, in order.
    pub async fn lines(&self, prefix: &str) -> Vec<String> {
        let page = self.get("/metrics").await;
        let lines = page.as_str().unwrap().lines().filter(|line| line.starts_with(prefix));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// The group as the list has it.
async fn group(board: &TestServer, labels: Value) -> Option<Value> {
    let list = board.get("/api/v1/metrics").await;
    assert_eq!(list["status"], "success");
    list["data"].as_array().unwrap().iter().find(|group| group["labels"] == labels).cloned()
}

#[tokio::test]
async fn put_replaces_post_adds_and_delete_removes() {
    let board = TestServer::start().await;
    let path = "/metrics/job/some_job/instance/i1";
    assert_eq!(board.push(PUT, path, "# TYPE a_total counter\na_total{l=\"m\"} 1\nb 2\n").await, 200);
    assert_eq!(board.push(POST, path, "b{x=\"y\"} 3\n").await, 200);
    assert_eq!(board.lines("b{").await, ["b{instance=\"i1\",job=\"some_job\",x=\"y\"} 3"]);
    assert_eq!(board.lines("a_total").await, ["a_total{instance=\"i1\",job=\"some_job\",l=\"m\"} 1"]);
    assert_eq!(board.push(PUT, path, "c 1\n").await, 200);
    assert!(board.lines("a_total").await.is_empty() && board.lines("b{").await.is_empty());
    let pushed = "push_time_seconds{instance=\"i1\",job=\"some_job\"} 1800000000";
    assert_eq!(board.lines("push_time_seconds").await, [pushed]);
    board.advance(5.0);
    assert_eq!(board.push(POST, path, "").await, 200);
    assert_eq!(board.lines("push_time_seconds").await, [pushed.replace("1800000000", "1800000005")]);
    assert_eq!(board.lines("c{").await.len(), 1, "an empty POST changes the time only");
    assert_eq!(board.push(PUT, path, "").await, 200);
    assert!(board.lines("c{").await.is_empty());
    assert_eq!(board.push(Method::DELETE, path, "").await, 202);
    assert_eq!(board.push(Method::DELETE, path, "").await, 202, "as Pushgateway says it");
    assert!(board.lines("push_").await.is_empty());
    let get = board.push_raw(Method::GET, path, "").await;
    assert_eq!(get.headers()["allow"].to_str().unwrap().split(',').count(), 3);
    assert_problem(get, 405, "method_not_allowed", "GET").await;
}

#[tokio::test]
async fn paths_are_read_as_they_were_sent() {
    let board = TestServer::start().await;
    for (n, path, labels) in [
        (0, "/metrics/job@base64/c29tZS9qb2I=/a/1", "a=\"1\",instance=\"\",job=\"some/job\""),
        (1, "/metrics/job/some%2Fjob/a/2", "a=\"2\",instance=\"\",job=\"some/job\""),
        (2, "/metrics/job/j/path@base64/L3Zhci90bXA", "instance=\"\",job=\"j\",path=\"/var/tmp\""),
        (3, "/metrics/job/j/first@base64/=/second/x", "first=\"\",instance=\"\",job=\"j\",second=\"x\""),
        (
            4,
            "/metrics/job/j/hostile@base64/IlxcCiI",
            "hostile=\"\\\"\\\\\\\\\\n\\\"\",instance=\"\",job=\"j\"",
        ),
        (5, "/metrics/job/titan/name/%CE%A0", "instance=\"\",job=\"titan\",name=\"Π\""),
        (6, "/metrics/job/trailing/", "instance=\"\",job=\"trailing\""),
    ] {
        assert_eq!(board.push(PUT, path, &format!("x{n} 1\n")).await, 200, "{path}");
        assert_eq!(board.lines(&format!("x{n}{{")).await, [format!("x{n}{{{labels}}} 1")], "{path}");
        assert_eq!(board.push(Method::DELETE, path, "").await, 202, "{path}");
        assert!(board.lines(&format!("x{n}{{")).await.is_empty(), "{path}");
    }
    for (path, status, code) in [
        ("/metrics/job/", 400, "bad_request"),
        ("/metrics/job/j/odd", 400, "bad_request"),
        ("/metrics/job/j/1a/x", 400, "bad_request"),
        ("/metrics/job/j/__a/x", 400, "bad_request"),
        ("/metrics/job@base64/_w", 400, "bad_request"),
        ("/metrics/job/%ff", 400, "bad_request"),
        ("/metrics/jobs/j", 404, "not_found"),
        ("/metrics/x", 404, "not_found"),
        ("/ttl/0/metrics/job/j", 422, "validation_failed"),
        ("/ttl/NaN/metrics/job/j", 422, "validation_failed"),
        ("/ttl/-1/metrics/job/j", 422, "validation_failed"),
        ("/ttl/x/metrics/job/j", 422, "validation_failed"),
        ("/ttl/1e99/metrics/job/j", 422, "validation_failed"),
        ("/ttl/5/metrics/x/j", 404, "not_found"),
    ] {
        assert_problem(board.push_raw(PUT, path, "x 1\n").await, status, code, path).await;
    }
    assert_eq!(board.get("/api/v1/metrics").await["data"], json!([]));
}

#[tokio::test]
async fn a_push_that_does_not_fit_leaves_everything_as_it_was() {
    let board = TestServer::start().await;
    board
        .push(PUT, "/metrics/job/a", "# TYPE c counter\nc 1\n# TYPE h histogram\nh_sum 1\nh_count 1\n")
        .await;
    board.push(PUT, "/metrics/job/b", "d{e=\"1\"} 1\n").await;
    let before = (board.lines("c").await, board.lines("d").await, board.lines("h").await);
    board.advance(7.0);
    for (path, body, code, detail) in [
        ("/metrics/job/b", "ok 1\n# TYPE c gauge\nc 1\n", "inconsistent_metrics", "c was pushed as gauge"),
        ("/metrics/job/b", "ok 1\nh_count 1\n", "inconsistent_metrics", "collides"),
        ("/metrics/job/b", "ok 1\nx 1 1000\n", "inconsistent_metrics", "timestamp"),
        ("/metrics/job/b/e/1", "ok 1\nd 1\n", "inconsistent_metrics", "another group"),
        ("/metrics/job/b", "ok{job=\"1\"} 1\nok{job=\"2\"} 1\n", "inconsistent_metrics", "twice"),
        ("/metrics/job/b", "ok 1\nok 1\n", "bad_metrics", "line 2"),
        ("/metrics/job/b", "ok 1\nfuseboard_x 1\n", "inconsistent_metrics", "the board's own"),
        (
            "/metrics/job/b",
            "# TYPE process_open_fds counter\nprocess_open_fds 1\n",
            "inconsistent_metrics",
            "gauge",
        ),
        ("/metrics/job/b", "ok 1", "bad_metrics", "end of input"),
        ("/metrics/job/b", "ok\n", "bad_metrics", "line 1"),
        ("/metrics/job/b", "ok{\u{0}=\"1\"} 1\n", "bad_metrics", "line 1"),
        ("/metrics/job/b", "{\"ok\": 1}\n", "bad_metrics", "line 1"),
    ] {
        let problem = assert_problem(board.push_raw(POST, path, body).await, 400, code, body).await;
        let said = problem["detail"].as_str().unwrap();
        assert!(said.contains(detail), "{body}: {said}");
        let now = (board.lines("c").await, board.lines("d").await, board.lines("h").await);
        assert_eq!(now, before, "{body}");
        assert!(board.lines("ok").await.is_empty(), "{body}");
    }
    assert_eq!(
        board.lines("push_failure_time_seconds{instance=\"\",job=\"b\"}").await,
        ["push_failure_time_seconds{instance=\"\",job=\"b\"} 1800000007"]
    );
    let failed = group(&board, json!({ "job": "b" })).await.unwrap();
    assert_eq!(failed["last_push_successful"], false);
    board.advance(1.0);
    board.push(POST, "/metrics/job/b", "").await;
    assert_eq!(group(&board, json!({ "job": "b" })).await.unwrap()["last_push_successful"], true);
    assert_eq!(
        board.lines("fuseboard_pushes_refused_total{reason=\"malformed\"}").await,
        ["fuseboard_pushes_refused_total{reason=\"malformed\"} 5"]
    );
}

#[tokio::test]
async fn numbers_that_are_none_are_shown_as_they_came() {
    let board = TestServer::start().await;
    let body =
        "x{a=\"1\"} NaN\nx{a=\"2\"} +Inf\nx{a=\"3\"} -Inf\nx{a=\"4\"} 1e-300\nx{a=\"\\\\\\\"\\n\"} -0\n";
    assert_eq!(board.push(PUT, "/metrics/job/j", body).await, 200);
    let shown = board.lines("x{").await;
    for value in ["NaN", "+Inf", "-Inf", "1e-300"] {
        assert!(shown.iter().any(|line| line.ends_with(&format!(" {value}"))), "{value}: {shown:?}");
    }
    assert!(shown.iter().any(|line| line.contains("a=\"\\\\\\\"\\n\"")), "{shown:?}");
    let listed = group(&board, json!({ "job": "j" })).await.unwrap();
    assert_eq!(listed["x"]["metrics"][0]["value"], "NaN");
}

#[tokio::test]
async fn the_list_is_that_of_pushgateway() {
    let board = TestServer::start().await;
    let body = "# HELP c_total help c\n# TYPE c_total counter\nc_total{a=\"b\"} 3\n# TYPE h histogram\n\
                h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 5\nh_sum 7.5\nh_count 5\n# TYPE s summary\n\
                s{quantile=\"0.5\"} 1\ns_sum 2\ns_count 3\nu NaN\n";
    board.push(PUT, "/metrics/job/some_job", body).await;
    let (labels, at) = (json!({ "instance": "", "job": "some_job" }), "2027-01-15T08:00:00Z");
    let time = |which: &str, value: &str| {
        json!({ "time_stamp": at, "type": "GAUGE", "help": format!("Last Unix time when changing this group {which}."),
            "metrics": [{ "labels": labels, "value": value }] })
    };
    // As Pushgateway 1.5.1 answers, but for its helps and the form of large numbers.
    let expected = json!({
        "labels": { "job": "some_job" },
        "last_push_successful": true,
        "c_total": { "time_stamp": at, "type": "COUNTER", "help": "help c",
            "metrics": [{ "labels": { "a": "b", "instance": "", "job": "some_job" }, "value": "3" }] },
        "h": { "time_stamp": at, "type": "HISTOGRAM", "metrics": [
            { "buckets": { "+Inf": "5", "1": "2" }, "count": "5", "labels": labels, "sum": "7.5" }] },
        "s": { "time_stamp": at, "type": "SUMMARY", "metrics": [
            { "count": "3", "labels": labels, "quantiles": { "0.5": "1" }, "sum": "2" }] },
        "u": { "time_stamp": at, "type": "UNTYPED", "metrics": [{ "labels": labels, "value": "NaN" }] },
        "push_time_seconds": time("succeeded", "1800000000"),
        "push_failure_time_seconds": time("failed", "0"),
    });
    assert_eq!(group(&board, json!({ "job": "some_job" })).await.unwrap(), expected);
    let status = board.get("/api/v1/status").await;
    assert_eq!((&status["status"], &status["data"]["start_time"]), (&json!("success"), &json!(at)));
    assert!(
        status["data"]["build_information"]["version"].is_string() && status["data"]["flags"].is_object()
    );
    assert_eq!(board.push(PUT, "/api/v1/admin/wipe", "").await, 202);
    assert_eq!(board.get("/api/v1/metrics").await, json!({ "status": "success", "data": [] }));
}

#[tokio::test]
async fn what_go_pushes_is_read() {
    let board = TestServer::start().await;
    // What Pushgateway 1.5.1 wrote for these metrics, in the coding that Go's client pushes with.
    let body = include_bytes!("families.protobuf");
    let push = async |body: Vec<u8>, kind: &'static str| {
        let request = board.http.put(format!("{}/metrics/job/go", board.url)).header("content-type", kind);
        request.body(body).send().await.unwrap()
    };
    assert_eq!(push(body.to_vec(), PROTOBUF).await.status(), 200);
    for (prefix, line) in [
        ("c_total", "c_total{a=\"b\",instance=\"i1\",job=\"go\"} 3"),
        ("h_bucket{instance=\"i1\",job=\"go\",le=\"1\"}", "h_bucket{instance=\"i1\",job=\"go\",le=\"1\"} 2"),
        ("h_count", "h_count{instance=\"i1\",job=\"go\"} 5"),
        ("s{", "s{instance=\"i1\",job=\"go\",quantile=\"0.5\"} 1"),
        ("s_sum", "s_sum{instance=\"i1\",job=\"go\"} 2"),
        ("u{", "u{instance=\"i1\",job=\"go\"} NaN"),
        ("# HELP c_total", "# HELP c_total help c"),
        ("# TYPE h ", "# TYPE h histogram"),
    ] {
        assert_eq!(board.lines(prefix).await, [line]);
    }
    for cut in 1..body.len() {
        let status = push(body[..cut].to_vec(), PROTOBUF).await.status();
        // The end of a family is an end.
        assert!(status == 400 || status == 200, "{cut}: {status}");
        let mut broken = body.to_vec();
        broken[cut] ^= 0xff;
        let status = push(broken, PROTOBUF).await.status();
        assert!(status == 400 || status == 200, "{cut}: {status}");
    }
    assert_problem(push(body[..body.len() - 1].to_vec(), PROTOBUF).await, 400, "bad_metrics", "cut").await;
    assert_problem(push([body.as_slice(), body].concat(), PROTOBUF).await, 400, "bad_metrics", "twice").await;
    let plain = "application/vnd.google.protobuf; encoding=text";
    assert_problem(push(body.to_vec(), plain).await, 415, "unsupported_media_type", "text").await;
    let open = "application/openmetrics-text; version=1.0.0";
    assert_problem(push(b"x 1\n# EOF\n".to_vec(), open).await, 415, "unsupported_media_type", "OpenMetrics")
        .await;
    let form = "application/x-www-form-urlencoded";
    assert_eq!(push(b"x 1\n".to_vec(), form).await.status(), 200, "curl says so of any body");
}

#[tokio::test]
async fn bodies_have_a_bound_packed_or_not() {
    let board = TestServer::start_with(|config| config.max_body_bytes = 100_000).await;
    let gzip = |body: &[u8]| {
        let mut coder = GzEncoder::new(Vec::new(), Compression::best());
        coder.write_all(body).unwrap();
        coder.finish().unwrap()
    };
    let push = async |body: Vec<u8>| {
        let request =
            board.http.put(format!("{}/metrics/job/j", board.url)).header("content-encoding", "gzip");
        request.body(body).send().await.unwrap()
    };
    assert_eq!(push(gzip(b"x 1\n")).await.status(), 200);
    assert_eq!(board.lines("x{").await.len(), 1);
    let bomb = gzip(&b"# a comment that says nothing\n".repeat(2_000_000));
    assert!(bomb.len() < 200_000);
    let mut bomb = bomb;
    bomb.truncate(90_000);
    assert_problem(push(bomb).await, 413, "payload_too_large", "a bomb").await;
    assert_problem(push(b"no gzip".to_vec()).await, 400, "bad_request", "no gzip").await;
    let snappy = board.http.put(format!("{}/metrics/job/j", board.url)).header("content-encoding", "snappy");
    assert_problem(snappy.body("x").send().await.unwrap(), 415, "unsupported_media_type", "snappy").await;
    let large = "x 1\n".repeat(50_000);
    assert_problem(board.push_raw(PUT, "/metrics/job/j", large).await, 413, "payload_too_large", "large")
        .await;
    assert_eq!(board.lines("x{").await.len(), 1, "nothing has changed");
}

#[tokio::test]
async fn histograms_have_their_buckets_in_order_and_the_last_one() {
    let board = TestServer::start().await;
    board
        .push(PUT, "/metrics/job/j", "# TYPE h histogram\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"1\"} 1\n")
        .await;
    let page = board.get("/metrics").await;
    let buckets: Vec<_> =
        page.as_str().unwrap().lines().filter(|line| line.starts_with("h_bucket{")).collect();
    let wanted = [("1", 1), ("2", 3), ("+Inf", 3)];
    let wanted = wanted.map(|(le, count)| format!("h_bucket{{instance=\"\",job=\"j\",le=\"{le}\"}} {count}"));
    assert_eq!(buckets, wanted);
}

#[tokio::test]
async fn half_a_body_changes_nothing() {
    let board = TestServer::start().await;
    board.push(PUT, "/metrics/job/j", "x 1\n").await;
    let half = "PUT /metrics/job/j HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\ny 1\nz 1\n";
    let raw = Raw::sending(&board, half).await;
    drop(raw);
    let chunked = "PUT /metrics/job/j HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n4\r\ny 1\n\r\nzz\r\n";
    let mut raw = Raw::sending(&board, chunked).await;
    raw.reply().await.assert_problem(400, "bad_request");
    assert_eq!((board.lines("x{").await.len(), board.lines("y{").await.len()), (1, 0));
}

#[tokio::test]
async fn groups_have_bounds_that_are_shown() {
    let board = TestServer::start_with(|config| {
        config.limits.push_groups.max_groups = 2;
        config.limits.push_groups.max_series = 3;
    })
    .await;
    assert_eq!(board.push(PUT, "/metrics/job/a", "x{l=\"1\"} 1\nx{l=\"2\"} 1\n").await, 200);
    assert_eq!(board.push(PUT, "/metrics/job/b", "x 1\n").await, 200);
    assert_problem(board.push_raw(PUT, "/metrics/job/c", "").await, 507, "limit_reached", "groups").await;
    let series = board.push_raw(POST, "/metrics/job/b", "y 1\n").await;
    let problem = assert_problem(series, 507, "limit_reached", "series").await;
    assert_eq!(problem["detail"], "there are 3 series in groups of pushed metrics, the most there may be");
    for (name, value) in [
        ("fuseboard_push_groups ", "2"),
        ("fuseboard_push_groups_limit ", "2"),
        ("fuseboard_push_group_series ", "3"),
        ("fuseboard_push_group_series_limit ", "3"),
        ("fuseboard_pushes_total ", "2"),
        ("fuseboard_pushes_refused_total{reason=\"full\"} ", "2"),
    ] {
        assert_eq!(board.lines(name).await, [format!("{name}{value}")]);
    }
}

#[tokio::test]
async fn a_group_goes_so_long_after_its_last_push() {
    let board = TestServer::start().await;
    assert_eq!(board.push(PUT, "/ttl/60/metrics/job/j", "x 1\n").await, 200);
    assert_eq!(board.push(PUT, "/metrics/job/stays", "x 1\n").await, 200);
    board.advance(59.0);
    assert_eq!(board.push(POST, "/ttl/60/metrics/job/j", "y 1\n").await, 200);
    board.advance(59.0);
    let board = board.restart().await;
    assert_eq!(board.lines("x{").await.len(), 2);
    board.advance(1.0);
    assert_eq!(board.lines("x{").await, ["x{instance=\"\",job=\"stays\"} 1"]);
    assert_eq!(
        board.lines("fuseboard_push_groups_expired_total").await,
        ["fuseboard_push_groups_expired_total 1"]
    );
    assert_eq!(board.push(PUT, "/ttl/0.5/metrics/job@base64/ag/a/b", "x 1\n").await, 200);
    assert_eq!(board.push(Method::DELETE, "/ttl/60/metrics/job/j/a/b", "").await, 202);
    assert_eq!(board.lines("x{").await.len(), 1);
    board.board.save_push_groups().await.unwrap();
    let rows = "SELECT count(*) FROM push_groups";
    let rows: i64 = sqlx::query_scalar(rows).fetch_one(&board.board.store.readers).await.unwrap();
    assert_eq!(rows, 1, "what is gone is not on disk");
}

#[tokio::test]
async fn groups_survive_restarts_and_crashes() {
    let board = TestServer::start().await;
    let body = "# HELP c say \\\\ \\n\n# TYPE c counter\nc{l=\"\\\"\\n\"} 1.5\nu NaN\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 3\nh_count 3\n";
    for path in ["/metrics/job/a", "/metrics/job/b/zero@base64/AA", "/metrics/job/gone"] {
        assert_eq!(board.push(PUT, path, body).await, 200);
    }
    board.push(PUT, "/agg/metrics/job/sum/instance/w", "# TYPE t counter\nt 4\n").await;
    board.push(PUT, "/metrics/job/a", "x 1").await;
    let views = async |board: &TestServer| {
        let mut groups = board.get("/api/v1/metrics").await["data"].as_array().unwrap().clone();
        groups.sort_by_key(|group| group["labels"].to_string());
        groups
    };
    board.board.save_push_groups().await.unwrap();
    board.push(Method::DELETE, "/metrics/job/gone", "").await;
    board.board.save_push_groups().await.unwrap();
    let before = views(&board).await;
    assert_eq!(before.len(), 3);
    let board = board.crash().await;
    assert_eq!(views(&board).await, before, "after a crash");
    board.push(POST, "/metrics/job/a", "last 1\n").await;
    let before = views(&board).await;
    board.clock.jump_wall(-1000);
    let board = board.restart().await;
    assert_eq!(views(&board).await, before, "after a clean stop");
    board.push(PUT, "/agg/metrics/job/sum/instance/w", "# TYPE t counter\nt 4\n").await;
    assert_eq!(board.lines("t{").await, ["t{instance=\"\",job=\"sum\"} 4"], "pushers are remembered, too");
    board.push(PUT, "/api/v1/admin/wipe", "").await;
    let board = board.restart().await;
    assert!(views(&board).await.is_empty());
}

#[tokio::test]
async fn a_group_of_one_name_is_seen_once_on_the_page() {
    let board = TestServer::start().await;
    for job in ["a", "b"] {
        let body = format!(
            "# HELP x said by {job}\n# TYPE x gauge\nx 1\n# TYPE process_open_fds gauge\nprocess_open_fds 3\n"
        );
        assert_eq!(board.push(PUT, &format!("/metrics/job/{job}"), &body).await, 200);
    }
    assert_eq!(board.lines("# HELP x ").await, ["# HELP x said by b"], "the last word");
    assert_eq!(board.lines("# TYPE x ").await.len(), 1);
    assert_eq!(board.lines("# TYPE process_open_fds ").await.len(), 1, "the board has it, too");
    assert_eq!(board.lines("process_open_fds").await.len(), 3);
    let (content, said) = crate::exposition::promtool(board.get("/metrics").await.as_str().unwrap());
    assert!(content, "{said}");
}

#[tokio::test]
async fn metrics_of_both_ways_to_push_stand_on_one_page() {
    let board = TestServer::start().await;
    let counter = |labels: Value| json!({ "name": "done", "type": "counter", "value": 2, "labels": labels, "help": "x" });
    let gauge = json!({ "name": "level", "type": "gauge", "value": 7, "help": "x" });
    let timer = json!({ "name": "took", "type": "timer", "value": 0.1, "help": "x" });
    let samples = [counter(json!({ "job": "a" })), counter(json!({ "job": "b" })), gauge, timer];
    board.post("/v1/metrics", json!({ "samples": samples })).await;
    // Of one type they stand together, and a series that both have is that of /v1/metrics.
    assert_eq!(
        board
            .push(PUT, "/metrics/job/a", "# TYPE done_total counter\ndone_total 5\ndone_total{x=\"y\"} 6\n")
            .await,
        200
    );
    assert_eq!(board.lines("# TYPE done").await, ["# TYPE done_total counter"]);
    assert_eq!(
        board.lines("done_total").await,
        [
            "done_total{instance=\"\",job=\"a\",x=\"y\"} 6",
            "done_total{job=\"a\"} 2",
            "done_total{job=\"b\"} 2"
        ]
    );
    for body in [
        "# TYPE done_total gauge\ndone_total 1\n",
        "# TYPE done gauge\ndone 1\n",
        "level 1\n",
        "took_seconds_count 1\n",
        "# TYPE level histogram\nlevel_count 1\n",
        "# TYPE resilience4j_circuitbreaker_state counter\nresilience4j_circuitbreaker_state 1\n",
    ] {
        let answer = board.push_raw(PUT, "/metrics/job/b", body).await;
        assert_problem(answer, 400, "inconsistent_metrics", body).await;
    }
    board
        .push(
            PUT,
            "/metrics/job/c",
            "# HELP h x\n# TYPE h summary\nh_sum 1\nh_count 1\n# HELP g x\n# TYPE g gauge\ng 1\n# HELP lone_total x\n# TYPE lone_total counter\nlone_total 1\n",
        )
        .await;
    for (name, kind) in [("h", "gauge"), ("h_sum", "gauge"), ("g", "counter")] {
        let sample = json!({ "name": name, "type": kind, "value": 1 });
        let answer = board.post("/v1/metrics", json!({ "samples": [sample] })).await;
        assert_eq!(answer["rejected"][0]["code"], "name_conflict", "{name}: {answer}");
    }
    let (content, said) = crate::exposition::promtool(board.get("/metrics").await.as_str().unwrap());
    assert!(content, "{said}");
}

#[tokio::test]
async fn in_openmetrics_no_name_comes_twice() {
    let board = TestServer::start().await;
    let body = "# TYPE a gauge\na 1\n# TYPE a_total counter\na_total 2\n# TYPE b_total counter\nb_total 3\n";
    assert_eq!(board.push(PUT, "/metrics/job/j", body).await, 200);
    let accept = "application/openmetrics-text; version=1.0.0";
    let page =
        board.http.get(format!("{}/metrics", board.url)).header("accept", accept).send().await.unwrap();
    let page = page.text().await.unwrap();
    let heads: Vec<_> =
        page.lines().filter(|line| line.starts_with("# TYPE a") || line.starts_with("# TYPE b")).collect();
    assert_eq!(heads, ["# TYPE a gauge", "# TYPE a_total unknown", "# TYPE b counter"]);
    assert!(page.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_counter_is_not_shortened_to_the_name_of_what_a_group_has() {
    let board = TestServer::start().await;
    let sample = json!({ "samples": [{ "name": "a", "type": "counter" }] });
    assert_eq!(board.ask(POST, "/v1/metrics", Some(sample)).await.0, 200);
    assert_eq!(board.push(PUT, "/metrics/job/j", "# TYPE a counter\na 5\n").await, 200);
    let request = board.http.get(format!("{}/metrics", board.url));
    let page =
        request.header("accept", "application/openmetrics-text").send().await.unwrap().text().await.unwrap();
    let types: Vec<_> = page.lines().filter(|line| line.starts_with("# TYPE a")).collect();
    assert_eq!(types, ["# TYPE a_total unknown", "# TYPE a unknown"]);
}

#[tokio::test]
async fn checks_see_what_was_pushed() {
    let board = TestServer::start().await;
    let check = json!({ "kind": "metric", "metric_name": "depth", "metric_labels": { "job": "j" },
        "red_if": { "comparison": ">", "threshold": 5 } });
    let (status, answer) = board.put("/v1/checks/c", check).await;
    assert_eq!(status, 201, "{answer}");
    for (value, health) in [(3, "green"), (9, "red")] {
        board.push(PUT, "/metrics/job/j", &format!("depth {value}\n")).await;
        board.post("/v1/health/run", json!({ "checks": ["c"] })).await;
        assert_eq!(board.get("/v1/checks/c").await["status"], health, "{value}");
    }
}

#[tokio::test]
async fn a_push_needs_a_token_that_may_write_and_wiping_one_of_an_admin() {
    let board = TestServer::start().await;
    let token = async |scope: &str| {
        let made = board.ask(POST, "/v1/tokens", Some(json!({ "name": scope, "scope": scope }))).await;
        made.1["token"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned()
    };
    let admin = token("admin").await;
    let http = board.http.clone();
    let send = async |method: Method, path: &str, token: &str| {
        let request = http.request(method, format!("{}{path}", board.url)).body("x 1\n");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap()
    };
    let more = async |scope: &str| {
        let body = json!({ "name": scope, "scope": scope });
        let made = http
            .post(format!("{}/v1/tokens", board.url))
            .bearer_auth(&admin)
            .json(&body)
            .send()
            .await
            .unwrap();
        made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    };
    let (read, write) = (more("read").await, more("write").await);
    for path in [
        "/metrics/job/j",
        "/ttl/9/metrics/job/j",
        "/agg/metrics/job/k/instance/i",
        "/ttl/9/agg/metrics/job/k/instance/i",
    ] {
        for method in [PUT, POST, Method::DELETE] {
            assert_problem(send(method.clone(), path, "").await, 401, "unauthorized", path).await;
            assert_problem(send(method.clone(), path, &read).await, 403, "forbidden", path).await;
            let status = send(method.clone(), path, &write).await.status().as_u16();
            assert_eq!(status, if method == Method::DELETE { 202 } else { 200 }, "{method} {path}");
        }
    }
    assert_eq!(send(Method::GET, "/api/v1/metrics", &read).await.status(), 200);
    assert_problem(send(PUT, "/api/v1/admin/wipe", &write).await, 403, "forbidden", "wipe").await;
    assert_eq!(send(PUT, "/api/v1/admin/wipe", &admin).await.status(), 202);
}

#[tokio::test]
async fn what_is_infinite_is_a_value_after_a_restart_too() {
    let board = TestServer::start().await;
    for (id, wait) in [("now", 0), ("later", 60)] {
        let rule = json!({ "metric_name": "load", "threshold": 1, "for_seconds": wait, "message_template": "{value}" });
        assert_eq!(board.put(&format!("/v1/thresholds/{id}"), rule).await.0, 201);
    }
    board.push(PUT, "/metrics/job/j", "load +Inf\n").await;
    let board = board.crash().await;
    board.advance(60.0);
    // Judged anew by the value that is known.
    let rule = json!({ "metric_name": "load", "threshold": 2, "message_template": "{value} of {threshold}" });
    assert_eq!(board.put("/v1/thresholds/now", rule).await.0, 200);
    let alerts = board.get("/v1/alerts?state=firing").await;
    let mut told: Vec<_> =
        alerts["items"].as_array().unwrap().iter().map(|alert| alert["message"].as_str().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, ["inf", "inf of 2.0"]);
}

#[tokio::test]
async fn thresholds_are_shown_what_was_pushed() {
    let board = TestServer::start().await;
    let rule = |metric: &str, threshold: f64| {
        json!({ "metric_name": metric, "comparison": ">", "threshold": threshold, "level": "critical",
            "message_template": "{metric_name} is {value:.0f}" })
    };
    for (metric, threshold) in [("depth", 5.0), ("took_count", 10.0)] {
        let (status, answer) = board.ask(POST, "/v1/thresholds", Some(rule(metric, threshold))).await;
        assert_eq!(status, 201, "{answer}");
    }
    let firing = async || -> Vec<(String, Value)> {
        let alerts = board.get("/v1/alerts?state=firing").await;
        let told = |alert: &Value| (alert["message"].as_str().unwrap().to_owned(), alert["labels"].clone());
        let mut alerts: Vec<_> = alerts["items"].as_array().unwrap().iter().map(told).collect();
        alerts.sort_by(|(a, _), (b, _)| a.cmp(b));
        alerts
    };
    board.push(PUT, "/metrics/job/j", "depth{l=\"m\"} 4\n").await;
    assert!(firing().await.is_empty());
    board.push(PUT, "/metrics/job/j", "depth{l=\"m\"} 9\n").await;
    let took = |count: u32| format!("# TYPE took histogram\ntook_sum 1\ntook_count {count}\n");
    for (client, count) in [("a", 6), ("b", 5)] {
        board.push(PUT, &format!("/agg/metrics/job/j2/instance/{client}"), &took(count)).await;
    }
    let depth = ("depth is 9".to_owned(), json!({ "job": "j", "l": "m" }));
    assert_eq!(firing().await, [depth, ("took_count is 11".to_owned(), json!({ "job": "j2" }))]);
    board.push(PUT, "/metrics/job/j", "depth{l=\"m\"} 1\n").await;
    assert_eq!(firing().await.len(), 1);
}
