//! Bytes over TCP, for what no HTTP client would send; and waiting with an end.

use std::{future::Future, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::support::TestServer;

/// No wait of a test is longer; it is only reached when the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a server.
pub struct Raw(BufReader<TcpStream>);

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Header lines in lower case.
    pub head: String,
    pub body: Value,
}

impl Raw {
    pub async fn connect(board: &TestServer) -> Self {
        let address = board.url.rsplit('/').next().unwrap();
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// A connection on which `text` has been sent.
    pub async fn sending(board: &TestServer, text: &str) -> Self {
        let mut raw = Self::connect(board).await;
        raw.send(text).await;
        raw
    }

    /// Sends it, unless the server has closed; whether that went well.
    pub async fn send(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.is_ok()
    }

    pub async fn reply(&mut self) -> Reply {
        within("a reply", async {
            let (mut status, mut head, mut length) = (None, String::new(), 0);
            loop {
                let mut line = String::new();
                self.0.read_line(&mut line).await.unwrap();
                let line = line.trim_end().to_lowercase();
                if line.is_empty() {
                    break;
                }
                if status.is_none() {
                    status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
                } else if let Some(("content-length", value)) = line.split_once(": ") {
                    length = value.parse().unwrap();
                }
                head.push_str(&line);
                head.push('\n');
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.unwrap();
            let body = serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
            Reply { status: status.expect("a status line"), head, body }
        })
        .await
    }

    /// Waits until the server has closed; what it still sent.
    pub async fn closed(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end too.
        drop(within("the end of the connection", self.0.read_to_end(&mut rest)).await);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

impl Reply {
    /// Checks that it is a problem as promised.
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, &self.body["code"]), (status, &Value::from(code)), "{self:?}");
        assert!(self.head.contains("content-type: application/problem+json\n"), "{self:?}");
    }
}

/// What the future makes, which must be soon.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("still waiting for {what}"))
}

/// Asks again until it is so.
pub async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
