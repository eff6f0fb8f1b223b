use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::support::TestServer;

/// A stream of a replica, event by event.
struct Stream {
    bytes: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Stream {
    async fn open(board: &TestServer, query: &str, last: Option<i64>) -> Self {
        let mut request =
            board.http.get(format!("{}/v1/replica?{query}", board.url)).header("accept", "text/event-stream");
        if let Some(id) = last {
            request = request.header("last-event-id", id.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { bytes: Box::pin(response.bytes_stream()), text: String::new() }
    }

    /// The next event's kind, document and id; comments are left out.
    async fn next(&mut self) -> (String, Value, Option<i64>) {
        let work = async {
            loop {
                while let Some(end) = self.text.find("\n\n") {
                    let block: String = self.text.drain(..end + 2).collect();
                    let field = |name: &str| {
                        let line = block.lines().find_map(|line| line.strip_prefix(name));
                        line.map(|value| value.trim().to_owned())
                    };
                    let event = field("event:").zip(field("data:"));
                    let id = field("id:").map(|id| id.parse().unwrap());
                    if let Some((kind, data)) = event {
                        return (kind, serde_json::from_str(&data).unwrap(), id);
                    }
                }
                let more = self.bytes.next().await.expect("the stream goes on").unwrap();
                self.text.push_str(std::str::from_utf8(&more).unwrap());
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), work).await.expect("an event came")
    }
}

#[tokio::test]
async fn a_stream_is_a_snapshot_and_then_every_change() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 1, "timeout_seconds": 30 })).await;
    board.put("/v1/breakers/other", json!({ "failure_threshold": 1 })).await;
    let mut stream = Stream::open(&board, "breakers=b,later", None).await;
    let (kind, snapshot, id) = stream.next().await;
    assert_eq!((kind.as_str(), snapshot["as_of"].as_i64()), ("snapshot", id));
    let states: Vec<_> =
        snapshot["breakers"].as_array().unwrap().iter().map(|b| (&b["name"], &b["state"])).collect();
    assert_eq!(states, [(&json!("b"), &json!("closed")), (&json!("later"), &Value::Null)]);
    assert_eq!(snapshot["breakers"][0]["config"]["failure_threshold"], 1);

    board.fail("other", "a", 1).await;
    board.fail("b", "a", 1).await;
    let (kind, open, _) = stream.next().await;
    assert_eq!((kind.as_str(), &open["state"], &open["generation"]), ("breaker", &json!("open"), &json!(2)));
    assert_eq!(open["retry_after_seconds"], 30.0);
    board.put("/v1/breakers/later", json!({})).await;
    let (_, created, _) = stream.next().await;
    assert_eq!((&created["name"], &created["state"]), (&json!("later"), &json!("closed")));
    board.put("/v1/breakers/later", json!({ "failure_threshold": 9 })).await;
    assert_eq!(stream.next().await.1["config"]["failure_threshold"], 9);
    board.delete("/v1/breakers/later").await;
    assert_eq!(stream.next().await.1["state"], Value::Null);
    board.advance(31.0);
    board.board.advance_timers();
    let (_, half_open, _) = stream.next().await;
    assert_eq!((&half_open["state"], &half_open["generation"]), (&json!("half_open"), &json!(3)));
}

#[tokio::test]
async fn no_change_is_missing_or_comes_twice_however_streams_begin() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    let flips = async {
        for _ in 0..60 {
            let set = json!({ "target": "open", "reason": "t" });
            board.post("/v1/breakers/b/state", set).await;
            board.post("/v1/breakers/b/reset", json!({})).await;
        }
    };
    let watch = async {
        for _ in 0..20 {
            let mut stream = Stream::open(&board, "breakers=b", None).await;
            let mut generation = stream.next().await.1["breakers"][0]["generation"].as_u64().unwrap();
            // What changes between the reading of two events comes as one, the newest; none comes again.
            while generation < 121 {
                let next = stream.next().await.1["generation"].as_u64().unwrap();
                assert!(next > generation, "{next} after {generation}");
                generation = next;
                if generation % 7 == 0 {
                    break;
                }
            }
        }
    };
    tokio::join!(flips, watch);
    let last = board.get("/v1/breakers/b").await;
    assert_eq!(last["generation"], 121);
}

#[tokio::test]
async fn a_stream_resumes_or_begins_anew() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({ "failure_threshold": 1 })).await;
    let (_, _, id) = Stream::open(&board, "breakers=b", None).await.next().await;
    board.fail("b", "a", 1).await;
    let (kind, state, _) = Stream::open(&board, "breakers=b", id).await.next().await;
    assert_eq!((kind.as_str(), &state["state"]), ("breaker", &json!("open")), "only what changed since");
    for unknown in [Some(-5), Some(i64::MAX)] {
        assert_eq!(Stream::open(&board, "breakers=b", unknown).await.next().await.0, "snapshot");
    }
    let (_, _, newest) = Stream::open(&board, "breakers=b", None).await.next().await;
    let board = board.crash().await;
    let (kind, ..) = Stream::open(&board, "breakers=b", newest).await.next().await;
    assert_eq!(kind, "snapshot", "what the process before has told may be lost");
}

#[tokio::test]
async fn too_old_a_place_is_answered_with_a_snapshot() {
    let board = TestServer::start_with(|config| config.limits.max_events_per_resource = 10).await;
    board.put("/v1/breakers/b", json!({})).await;
    let (_, _, id) = Stream::open(&board, "breakers=b", None).await.next().await;
    for _ in 0..3000 {
        board.board.breaker_reset("b", "t", "", None).await.unwrap();
    }
    board.board.prune().await.unwrap();
    let (kind, snapshot, _) = Stream::open(&board, "breakers=b", id).await.next().await;
    assert_eq!((kind.as_str(), &snapshot["breakers"][0]["generation"]), ("snapshot", &json!(3001)));
}

#[tokio::test]
async fn limiters_tell_their_shares_and_penalties() {
    let board = TestServer::start().await;
    board.put("/v1/limiters/l", json!({ "requests_per_second": 100 })).await;
    let mut first = Stream::open(&board, "limiters=l,later&client=a", None).await;
    let (_, snapshot, _) = first.next().await;
    assert_eq!(snapshot["limiters"][0]["name"], "l");
    assert_eq!(
        (&snapshot["limiters"][0]["fallback_share"], &snapshot["limiters"][1]["algorithm"]),
        (&json!(100.0), &Value::Null)
    );
    let _second = Stream::open(&board, "limiters=l&client=b", None).await;
    let (kind, limiter, _) = first.next().await;
    assert_eq!(
        (kind.as_str(), &limiter["fallback_share"], &limiter["live_clients"]),
        ("limiter", &json!(50.0), &json!(2))
    );
    board.post("/v1/limiters/l/penalize", json!({ "retry_after_seconds": 3 })).await;
    let blocked = first.next().await.1;
    assert_eq!((&blocked["blocked_seconds"], &blocked["fallback_share"]), (&json!(3.0), &Value::Null));
}

#[tokio::test]
async fn without_a_stream_it_is_one_document_and_bad_names_are_refused() {
    let board = TestServer::start().await;
    board.put("/v1/breakers/b", json!({})).await;
    let replica = board.get("/v1/replica?breakers=b,b&limiters=l").await;
    assert_eq!(replica["breakers"].as_array().unwrap().len(), 1);
    assert_eq!(replica["limiters"][0]["config"], Value::Null);
    assert_eq!(board.get("/v1/replica").await["breakers"], json!([]));
    let many = (0..1001).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    for (query, field) in [
        ("breakers=a%2Fb".to_owned(), "breakers"),
        (format!("limiters={many}"), "limiters"),
        ("client=a%0Ab".to_owned(), "client"),
    ] {
        let (status, problem) = board.ask(reqwest::Method::GET, &format!("/v1/replica?{query}"), None).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{query}: {problem}");
    }
    for query in ["nothing=1", "last_event_id=x"] {
        let (status, _) = board.ask(reqwest::Method::GET, &format!("/v1/replica?{query}"), None).await;
        assert_eq!(status, 422, "{query}");
    }
    let request = board.http.get(format!("{}/v1/replica", board.url));
    let bad =
        request.header("accept", "text/event-stream").header("last-event-id", "x").send().await.unwrap();
    assert_eq!(bad.status(), 400);
    let (status, _) = board.ask(reqwest::Method::POST, "/v1/replica", Some(json!({}))).await;
    assert_eq!(status, 405);
}
