//! TLS: both versions of HTTP, and what goes wrong at the start and on the wire.

use std::{path::PathBuf, time::Duration};

use fuseboard::{
    clock::Clock,
    config::{Config, ServeArgs},
    server::{Server, StartError},
};
use reqwest::{Certificate, Client, ClientBuilder, Version};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    raw::Raw,
    support::{TestServer, assert_problem},
};

/// A certificate for this test alone, in files.
pub struct Pair {
    dir: TempDir,
    certificate: String,
}

impl Pair {
    pub fn new() -> Self {
        let names = ["127.0.0.1", "localhost", "evil.example"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let pair = Self { dir: TempDir::new().unwrap(), certificate: made.cert.pem() };
        std::fs::write(pair.path("cert.pem"), &pair.certificate).unwrap();
        std::fs::write(pair.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        pair
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub async fn server(&self, change: impl FnOnce(&mut Config)) -> TestServer {
        let mut board = TestServer::start_with(|config| {
            config.tls = Some((self.path("cert.pem"), self.path("key.pem")));
            change(config);
        })
        .await;
        board.http = self.client(|builder| builder);
        board.url = board.url.replace("http:", "https:");
        board
    }

    pub fn client(&self, change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
        let trusted = Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        change(Client::builder().tls_certs_only([trusted])).build().unwrap()
    }
}

#[tokio::test]
async fn both_versions_of_http_are_served() {
    let pair = Pair::new();
    let board = pair.server(|_| {}).await;
    let old = pair.client(ClientBuilder::http1_only);
    let new = pair.client(|builder| builder);
    for (client, version) in [(old, Version::HTTP_11), (new, Version::HTTP_2)] {
        let url = format!("{}/v1/breakers/b", board.url);
        let response = client.put(&url).json(&json!({})).send().await.unwrap();
        assert_eq!((response.version(), response.status().is_success()), (version, true));
        let view: serde_json::Value = client.get(&url).send().await.unwrap().json().await.unwrap();
        assert_eq!(view["state"], "closed", "{version:?}");
        let response = client.get(format!("{}/v1/breakers/none", board.url)).send().await.unwrap();
        assert_problem(response, 404, "not_found", "as problem").await;
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_told_from_our_own_in_both_versions() {
    let pair = Pair::new();
    let board = pair.server(|_| {}).await;
    let address = board.url.rsplit('/').next().unwrap().parse().unwrap();
    let there = |builder: ClientBuilder| builder.resolve("evil.example", address);
    for client in [pair.client(|b| there(b.http1_only())), pair.client(there)] {
        let url = format!("{}/v1/breakers", board.url);
        let from = |origin: &str| client.get(&url).header("origin", origin).send();
        assert_eq!(from(&board.url).await.unwrap().status(), 200, "our own page");
        assert_problem(from("https://evil.example").await.unwrap(), 403, "forbidden", "origin").await;
        let url = url.replace("127.0.0.1", "evil.example");
        assert_problem(client.get(&url).send().await.unwrap(), 403, "forbidden", "host").await;
    }
}

#[tokio::test]
async fn what_is_not_tls_harms_nobody() {
    let pair = Pair::new();
    let board = pair.server(|config| config.head_timeout = Duration::from_millis(200)).await;
    for text in ["GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n", "\u{16}\u{3}\u{1}", ""] {
        let mut raw = Raw::sending(&board, text).await;
        let said = raw.closed().await;
        assert!(!said.contains("HTTP"), "{text:?}: {said:?}");
        assert_eq!(board.get("/livez").await, "ok", "{text:?}");
    }
}

#[tokio::test]
async fn files_that_do_not_fit_stop_the_start_and_are_named() {
    drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
    let (pair, other) = (Pair::new(), Pair::new());
    std::fs::write(pair.path("empty.pem"), "").unwrap();
    let (cert, key) = (pair.path("cert.pem"), pair.path("key.pem"));
    for (cert, key, named) in [
        (&cert, &other.path("key.pem"), "key.pem"),
        (&cert, &cert, "cert.pem"),
        (&cert, &pair.path("none.pem"), "none.pem"),
        (&pair.path("none.pem"), &key, "none.pem"),
        (&pair.path("empty.pem"), &key, "empty.pem"),
        (&key, &key, "key.pem"),
    ] {
        let args = ServeArgs {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            db: Some(pair.path("board.db")),
            tls_cert: Some(cert.clone()),
            tls_key: Some(key.clone()),
            ..ServeArgs::default()
        };
        let started = Server::start(Config::load(&args).unwrap(), Clock::system()).await;
        let Err(StartError::Tls(message)) = started else { panic!("it started with {args:?}") };
        assert!(message.contains(named), "{cert:?} {key:?}: {message}");
    }
}
