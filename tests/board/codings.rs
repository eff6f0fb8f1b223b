//! Compressed bodies, both ways: what goes in comes out, bombs do not go off, unknown codings are named.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use reqwest::{
    Method, Response,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use serde_json::json;

use crate::support::{TestServer, assert_problem};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

async fn put(board: &TestServer, coding: &str, body: Vec<u8>) -> Response {
    board
        .http
        .put(format!("{}/v1/breakers/b", board.url))
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_ENCODING, coding)
        .body(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_read() {
    let board = TestServer::start().await;
    for (threshold, coding) in [(2, "gzip"), (3, "zstd"), (4, "identity"), (5, "GZIP")] {
        let body = json!({ "failure_threshold": threshold }).to_string().into_bytes();
        let body = match coding {
            "zstd" => zstd(&body),
            "identity" => body,
            _ => gzip(&body),
        };
        let status = put(&board, coding, body).await.status();
        assert!(status.is_success(), "{coding}: {status}");
        assert_eq!(board.get("/v1/breakers/b").await["threshold"], threshold, "{coding}");
    }
    // The hot requests alike.
    let body = gzip(json!({ "breaker": "b" }).to_string().as_bytes());
    let request = board.http.post(format!("{}/v1/calls", board.url)).header(CONTENT_ENCODING, "gzip");
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["allowed"], true);
    let body = zstd(json!({ "samples": [{ "name": "a", "type": "counter" }] }).to_string().as_bytes());
    let request = board.http.post(format!("{}/v1/metrics", board.url)).header(CONTENT_ENCODING, "zstd");
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["accepted"], 1);
}

#[tokio::test]
async fn a_small_body_that_inflates_beyond_the_limit_is_too_large() {
    let board = TestServer::start().await;
    let mut document = b"{\"failure_threshold\": 1".to_vec();
    document.resize(200 << 20, b' ');
    document.push(b'}');
    for (coding, bomb) in [("gzip", gzip(&document)), ("zstd", zstd(&document))] {
        assert!(bomb.len() < 1 << 20, "{coding}: a bomb of {} bytes", bomb.len());
        assert_problem(put(&board, coding, bomb).await, 413, "payload_too_large", coding).await;
    }
    assert_eq!(board.get("/v1/breakers").await["items"], json!([]), "nothing is changed");
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_a_bad_request() {
    let board = TestServer::start().await;
    let document = json!({ "failure_threshold": 1 }).to_string().into_bytes();
    let (gz, zs) = (gzip(&document), zstd(&document));
    let mut flipped = gz.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    for (what, coding, body) in [
        ("plain as gzip", "gzip", document.clone()),
        ("plain as zstd", "zstd", document.clone()),
        ("gzip as zstd", "zstd", gz.clone()),
        ("cut gzip", "gzip", gz[..gz.len() - 9].to_vec()),
        ("cut zstd", "zstd", zs[..zs.len() - 5].to_vec()),
        ("wrong checksum", "gzip", flipped),
    ] {
        assert_problem(put(&board, coding, body).await, 400, "bad_request", what).await;
    }
    assert_eq!(board.get("/v1/breakers").await["items"], json!([]), "nothing is changed");
}

#[tokio::test]
async fn an_unknown_coding_is_refused_with_the_known_ones() {
    let board = TestServer::start().await;
    for coding in ["br", "deflate", "compress", "gzip, gzip", "nonsense"] {
        let response = put(&board, coding, b"{}".to_vec()).await;
        let known = response.headers()[ACCEPT_ENCODING].to_str().unwrap().to_owned();
        assert!(known.contains("gzip") && known.contains("zstd"), "{coding}: {known}");
        assert!(!known.contains("br") && !known.contains("deflate"), "{coding}: {known}");
        assert_problem(response, 415, "unsupported_media_type", coding).await;
    }
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let board = TestServer::start().await;
    for i in 0..20 {
        board.put(&format!("/v1/breakers/b{i}"), json!({})).await;
    }
    let plain = board.send(Method::GET, "/v1/breakers", None).await;
    assert!(!plain.headers().contains_key(CONTENT_ENCODING), "nobody asked");
    let plain = plain.bytes().await.unwrap();
    for (accepted, coding) in [
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("br;q=1, gzip;q=0.5", Some("gzip")),
        ("identity", None),
    ] {
        let request = board.http.get(format!("{}/v1/breakers", board.url));
        let response = request.header(ACCEPT_ENCODING, accepted).send().await.unwrap();
        let headers = response.headers().clone();
        assert_eq!(headers.get(CONTENT_ENCODING).map(|c| c.to_str().unwrap()), coding, "{accepted}");
        assert!(headers.get("vary").is_some_and(|v| v == "accept-encoding"), "{accepted}: {headers:?}");
        let bytes = response.bytes().await.unwrap();
        let mut text = Vec::new();
        match coding {
            Some("gzip") => drop(GzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap()),
            Some(_) => text = zstd::decode_all(&bytes[..]).unwrap(),
            None => text = bytes.to_vec(),
        }
        assert_eq!(text, plain, "{accepted}");
    }
}

#[tokio::test]
async fn errors_are_readable_whatever_was_asked_for() {
    let board = TestServer::start().await;
    let request = board.http.get(format!("{}/v1/breakers/none", board.url)).header(ACCEPT_ENCODING, "gzip");
    assert_problem(request.send().await.unwrap(), 404, "not_found", "gzip").await;
}
