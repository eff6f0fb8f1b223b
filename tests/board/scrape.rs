//! Pushed metrics and the real programs: Prometheus scrapes them, `kill -9` does not lose them, SIGHUP changes their rules.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use fuseboard::clock::Clock;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::{process::Process, raw::eventually, support::TestServer};

/// A real Prometheus that scrapes a server each second.
struct Prometheus {
    child: Child,
    url: String,
    _dir: TempDir,
}

impl Prometheus {
    fn scraping(target: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = json!({
            "global": { "scrape_interval": "1s" },
            "scrape_configs": [{ "job_name": "board", "static_configs": [{ "targets": [target] }] }],
        });
        // JSON is YAML.
        std::fs::write(dir.path().join("prometheus.yml"), config.to_string()).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is needed for this test: run `make tools`");
        Self { child, url: format!("http://127.0.0.1:{port}"), _dir: dir }
    }

    /// What a query gives, as labels and values; nothing while it does not listen.
    async fn query(&self, http: &Client, query: &str) -> Vec<(Value, String)> {
        let address = url::Url::parse_with_params(&format!("{}/api/v1/query", self.url), [("query", query)]);
        let Ok(answer) = http.get(address.unwrap()).send().await else { return Vec::new() };
        let Ok(answer) = answer.json::<Value>().await else { return Vec::new() };
        let found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        found
            .into_iter()
            .map(|one| (one["metric"].clone(), one["value"][1].as_str().unwrap_or_default().to_owned()))
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
async fn a_real_prometheus_sees_what_was_pushed() {
    let board = TestServer::start().await;
    let hostile = "a\"b\\c\nd},{€";
    let samples = json!([
        { "name": "done", "type": "counter", "value": 3, "labels": { "path": hostile } },
        { "name": "depth", "type": "gauge", "value": -0.25 },
        { "name": "took", "type": "timer", "value": 0.3 },
        { "name": "took", "type": "timer", "value": 3 },
    ]);
    board.post("/v1/metrics", json!({ "samples": samples })).await;
    let prometheus = Prometheus::scraping(board.url.trim_start_matches("http://"));
    let http = &board.http;
    let value = async |query: &str| prometheus.query(http, query).await.first().map(|found| found.1.clone());
    eventually("a scrape", async || value("up").await.as_deref() == Some("1")).await;
    eventually("its samples", async || value("done_total").await.as_deref() == Some("3")).await;
    let done = prometheus.query(http, "done_total").await;
    assert_eq!(done[0].0["path"], hostile);
    assert_eq!(value("depth").await.as_deref(), Some("-0.25"));
    assert_eq!(value("took_seconds_count").await.as_deref(), Some("2"));
    assert_eq!(value("took_seconds_bucket{le=~\"1(.0)?\"}").await.as_deref(), Some("1"));
    assert_eq!(value("count({__name__=~\"fuseboard_.+\"}) > bool 50").await.as_deref(), Some("1"));
    let target = format!("{}/api/v1/targets", prometheus.url);
    let targets: Value = http.get(target).send().await.unwrap().json().await.unwrap();
    assert_eq!(targets["data"]["activeTargets"][0]["lastError"], "");
}

/// Series on disk.
async fn saved(dir: &TempDir) -> i64 {
    let url = format!("sqlite:{}?mode=ro", dir.path().join("board.db").display());
    let Ok(mut connection) = SqliteConnection::connect(&url).await else { return 0 };
    let count = "SELECT count(*) FROM series";
    sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap_or_default()
}

#[tokio::test]
async fn kill_9_loses_no_more_than_a_second_of_it() {
    let dir = TempDir::new().unwrap();
    let run = || Process::run(Process::command(&dir.path().join("board.db")).args(["--log", "error"]));
    let mut expected = 0.0;
    for round in 1..4 {
        let mut server = run();
        let http = Client::new();
        let url = format!("{}/v1/metrics", server.url);
        let total = async || -> f64 {
            let view: Value = http.get(&url).send().await.unwrap().json().await.unwrap();
            view["counters"].as_object().unwrap().values().map(|total| total.as_f64().unwrap()).sum()
        };
        assert!((total().await - expected).abs() < 0.5, "before round {round}");
        let push = json!({ "samples": [
            { "name": "all", "type": "counter" },
            { "name": "each", "type": "counter", "labels": { "round": round.to_string() } },
        ] });
        assert_eq!(http.post(&url).json(&push).send().await.unwrap().status(), 200);
        expected += 2.0;
        // The new series is saved together with the other one.
        let begun = Clock::system().now();
        eventually("the snapshot", async || saved(&dir).await == round + 1).await;
        let took = Clock::system().now().since(begun);
        assert!(took < Duration::from_secs(5), "it took {took:?}");
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    assert_eq!(saved(&dir).await, 4);
}

#[tokio::test]
async fn sighup_puts_buckets_and_times_to_live_in_force_for_what_is_new() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("fuseboard.toml");
    let write = |text: &str| std::fs::write(&file, format!("[metrics]\n{text}")).unwrap();
    write("buckets = [1]\n");
    let server = Process::run(
        Process::command(&dir.path().join("board.db")).args(["--log", "error", "--config"]).arg(&file),
    );
    let http = Client::new();
    let new = async |name: &str| {
        let push = json!({ "samples": [{ "name": name, "type": "timer", "value": 1 }] });
        http.post(format!("{}/v1/metrics", server.url)).json(&push).send().await.unwrap();
        let page = http.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
        let view = http.get(format!("{}/v1/metrics/{name}", server.url)).send().await.unwrap();
        let view: Value = view.json().await.unwrap();
        let buckets = page.matches(&format!("{name}_seconds_bucket{{")).count();
        (buckets, view["series"][0]["ttl_seconds"].clone())
    };
    assert_eq!(new("before").await, (2, Value::Null));
    write("buckets = { start = 1, factor = 2, count = 5 }\nttl_seconds = 1000\n");
    server.signal("-HUP");
    let mut tries = 0;
    let after = loop {
        tries += 1;
        let seen = new(&format!("after{tries}")).await;
        if seen.0 != 2 || tries > 500 {
            break seen;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(after, (6, json!(1000.0)));
    assert_eq!(new("before").await, (2, Value::Null), "what is there stays as it is");
}
