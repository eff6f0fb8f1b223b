use futures_util::StreamExt;
use serde_json::json;

use crate::support::TestServer;

async fn read_until(response: reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    let mut stream = response.bytes_stream();
    let work = async {
        while !text.contains(wanted) {
            text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), work).await.expect("the event came");
    text
}

#[tokio::test]
async fn a_stream_shows_changes_as_they_happen_and_resumes() {
    let board = TestServer::start().await;
    let open = |last: Option<i64>| {
        let mut request =
            board.http.get(format!("{}/v1/events", board.url)).header("accept", "text/event-stream");
        if let Some(id) = last {
            request = request.header("last-event-id", id.to_string());
        }
        request.send()
    };
    let live = open(None).await.unwrap();
    board.put("/v1/breakers/b", json!({ "failure_threshold": 1 })).await;
    board.fail("b", "a", 1).await;
    let text = read_until(live, "breaker.transition").await;
    assert!(text.contains("\"to\":\"open\""), "{text}");
    let first = board.get("/v1/events?kind=breaker.created").await["items"][0]["id"].as_i64().unwrap();
    let resumed = read_until(open(Some(first)).await.unwrap(), "breaker.transition").await;
    assert!(!resumed.contains("breaker.created"), "only what came after: {resumed}");
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let board = TestServer::start().await;
    let stream = board
        .http
        .get(format!("{}/v1/events", board.url))
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    let board =
        tokio::time::timeout(std::time::Duration::from_secs(8), board.restart()).await.expect("it stops");
    drop(stream.bytes().await);
    board.get("/v1/events").await;
}
