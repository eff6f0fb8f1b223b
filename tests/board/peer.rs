//! Small servers that the board is to talk to, some of them hostile.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use fuseboard::outbound::{Fetch, Outbound, Policy};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// A server on a port of its own; it ends with its handle.
pub struct Peer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Peer {
    /// Does `work` with each connection.
    pub async fn doing<F>(work: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.push(AbortOnDropHandle::new(tokio::spawn(work(stream))));
            }
        });
        Self { address, requests: Arc::default(), _task: AbortOnDropHandle::new(task) }
    }

    /// Answers each request with the bytes that `answer` makes of it, and closes.
    pub async fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let peer = Self::doing(move |mut stream| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let request = read_request(&mut stream).await;
                let reply = answer(&request);
                seen.lock().unwrap().push(request);
                drop(stream.write_all(reply.as_bytes()).await);
            }
        });
        Self { requests, ..peer.await }
    }

    /// Sends this once there is a request, and then nothing, without closing.
    pub async fn stalling_after(text: &'static str) -> Self {
        Self::doing(move |mut stream| async move {
            read_request(&mut stream).await;
            drop(stream.write_all(text.as_bytes()).await);
            std::future::pending::<()>().await;
        })
        .await
    }

    /// Sends `head`, and then `drop` after drop without end.
    pub async fn dripping(head: &'static str, drop: &'static str) -> Self {
        Self::doing(move |mut stream| async move {
            read_request(&mut stream).await;
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                sent = stream.write_all(drop.as_bytes()).await;
            }
        })
        .await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.to_lowercase()).collect()
    }
}

/// A request: its head, and as much body as that announces.
pub async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    let is_whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        body.len() >= length.map_or(0, |length| length.parse().unwrap())
    };
    while !is_whole(&request) && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
    String::from_utf8(request).unwrap()
}

/// An answer with a length.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// A `GET` with a patience that is only used up when a test fails.
pub fn get(url: &str) -> Fetch {
    Fetch {
        method: axum::http::Method::GET,
        url: url.parse().unwrap(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        timeout: Duration::from_secs(20),
        max_redirects: 5,
        verify_tls: true,
        max_response_bytes: 1 << 20,
    }
}

/// Knows these names and no others; their addresses have the ports, too.
pub fn knowing(names: &[(&'static str, &[SocketAddr])]) -> Outbound {
    let names: Vec<_> = names.iter().map(|(name, addresses)| (*name, addresses.to_vec())).collect();
    Outbound::with_resolver(Policy::default(), move |host, _| {
        let found = names.iter().find(|(name, _)| *name == host).map(|(_, addresses)| addresses.clone());
        async move { found.ok_or_else(|| io::Error::other("no such name")) }
    })
}

/// An address at which nobody listens.
pub async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
