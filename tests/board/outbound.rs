//! Requests that the server makes itself, to peers that are as they should be.

use std::time::Duration;

use axum::http::Method;
use bytes::Bytes;
use fuseboard::outbound::{Dial, Outbound, OutboundError, Policy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::{
    peer::{Peer, closed, get, knowing, ok, redirect},
    raw::within,
};

fn dial(host: &str, port: u16, send: &'static str) -> Dial {
    Dial {
        host: host.to_owned(),
        port,
        send: Bytes::from_static(send.as_bytes()),
        max_response_bytes: 1024,
        timeout: Duration::from_secs(20),
    }
}

#[tokio::test]
async fn a_request_says_what_it_must_and_no_more() {
    let peer = Peer::answering(|_| ok("fine")).await;
    let outbound = Outbound::default();
    let answer = outbound.fetch(get(&peer.url("/a/b%20c?d=e&f#g"))).await.unwrap();
    assert_eq!((answer.status, &answer.body[..], answer.is_complete), (200, &b"fine"[..], true));
    assert!(answer.certificate_expires_in.is_none() && answer.duration > Duration::ZERO, "{answer:?}");
    let version = env!("CARGO_PKG_VERSION");
    let wanted = format!(
        "get /a/b%20c?d=e&f http/1.1\r\nconnection: close\r\nhost: {}\r\nuser-agent: fuseboard/{version}\r\n\
         accept: */*\r\n\r\n",
        peer.address
    );
    assert_eq!(peer.requests(), [wanted]);
}

#[tokio::test]
async fn methods_bodies_and_headers_are_sent() {
    let peer = Peer::answering(|_| ok("")).await;
    let outbound = Outbound::default();
    let mut fetch = get(&peer.url("/"));
    fetch.method = Method::POST;
    fetch.headers =
        [("X-A", "1"), ("x-a", "2"), ("User-Agent", "me"), ("Host", "b.test"), ("Connection", "keep")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    outbound.fetch(fetch.clone()).await.unwrap();
    fetch.body = Bytes::from_static(b"{\"a\": 1}");
    outbound.fetch(fetch).await.unwrap();
    let [empty, full] = &peer.requests()[..] else { panic!("{:?}", peer.requests()) };
    assert!(empty.contains("\r\ncontent-length: 0\r\n"), "{empty}");
    assert!(full.contains("\r\ncontent-length: 8\r\n") && full.ends_with("\r\n\r\n{\"a\": 1}"), "{full}");
    for line in ["x-a: 1", "x-a: 2", "user-agent: me", "host: b.test", "connection: close"] {
        assert!(full.contains(&format!("\r\n{line}\r\n")), "{line}: {full}");
    }
    assert_eq!(full.matches("host:").count() + full.matches("user-agent:").count(), 2, "{full}");
}

#[tokio::test]
async fn answers_of_many_kinds_are_read() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-t: 1\r\n\r\n";
    for (text, status, body) in [
        ("HTTP/1.0 200 OK\r\n\r\nto the end", 200, "to the end"),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", 200, "abc"),
        ("HTTP/1.1 200\r\n\r\nno reason", 200, "no reason"),
        (chunked, 200, "abcde"),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", 503, "busy"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\nlate", 200, "late"),
        ("HTTP/1.1 302 Found\r\ncontent-length: 2\r\n\r\nno", 302, "no"),
        ("HTTP/1.1 304 Same\r\nlocation: /elsewhere\r\n\r\n", 304, ""),
    ] {
        let peer = Peer::answering(|_| text.to_owned()).await;
        let answer = Outbound::default().fetch(get(&peer.url("/"))).await.expect(text);
        assert_eq!((answer.status, &answer.body[..]), (status, body.as_bytes()), "{text}");
        assert!(answer.is_complete, "{text}");
    }
    let peer = Peer::answering(|_| "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n".to_owned()).await;
    let mut head = get(&peer.url("/"));
    head.method = Method::HEAD;
    let answer = Outbound::default().fetch(head).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.is_complete), (200, 0, true));
}

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let peer = Peer::answering(|request| match request.split(' ').nth(1) {
        Some("/a") => redirect(302, "b?c"),
        Some("/b?c") => redirect(308, "//a.test/d"),
        Some("/loop") => redirect(307, "/loop"),
        _ => ok("there"),
    })
    .await;
    let outbound = knowing(&[("a.test", &[peer.address])]);
    let answer = outbound.fetch(get("http://a.test/a")).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"there"[..]));
    let mut fetch = get("http://a.test/a");
    fetch.max_redirects = 2;
    assert_eq!(outbound.fetch(fetch.clone()).await.unwrap().status, 200);
    fetch.max_redirects = 1;
    let more = OutboundError::Broken("more than 1 redirects".to_owned());
    assert_eq!(outbound.fetch(fetch.clone()).await.unwrap_err(), more);
    fetch.max_redirects = 0;
    assert_eq!(outbound.fetch(fetch).await.unwrap().status, 302);
    let before = peer.requests().len();
    let more = OutboundError::Broken("more than 5 redirects".to_owned());
    assert_eq!(outbound.fetch(get("http://a.test/loop")).await.unwrap_err(), more);
    assert_eq!(peer.requests().len() - before, 6);
}

#[tokio::test]
async fn secrets_stay_with_their_origin() {
    let other = Peer::answering(|_| ok("")).await;
    let url = other.url("/other");
    let first = Peer::answering(move |request| {
        if request.contains("/first ") { redirect(307, "/second") } else { redirect(307, &url) }
    })
    .await;
    let mut fetch = get(&first.url("/first"));
    fetch.method = Method::POST;
    fetch.body = Bytes::from_static(b"body");
    fetch.headers = [
        ("Authorization", "Bearer hunter2"),
        ("cookie", "a=hunter2"),
        ("x-mine", "hunter2"),
        ("accept", "a/b"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    assert_eq!(Outbound::default().fetch(fetch).await.unwrap().status, 200);
    for request in first.requests() {
        assert_eq!(request.matches("hunter2").count(), 3, "{request}");
    }
    let [request] = &other.requests()[..] else { panic!("{:?}", other.requests()) };
    assert!(!request.contains("hunter2") && request.contains("accept: a/b"), "{request}");
    assert!(request.starts_with("post /other ") && request.ends_with("\r\n\r\nbody"), "{request}");
}

#[tokio::test]
async fn one_dead_address_does_not_hide_the_others() {
    let peer = Peer::answering(|_| ok("alive")).await;
    let outbound =
        knowing(&[("a.test", &[closed().await, closed().await, peer.address]), ("none.test", &[])]);
    assert_eq!(outbound.fetch(get("http://a.test/")).await.unwrap().status, 200);
    for (url, wanted) in [
        ("http://none.test/", "the name none.test cannot be resolved: it has no address"),
        ("http://b.test/", "the name b.test cannot be resolved: no such name"),
    ] {
        assert_eq!(outbound.fetch(get(url)).await.unwrap_err().to_string(), wanted);
    }
}

#[tokio::test]
async fn a_silent_address_does_not_hide_the_others() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Nobody accepts: when its queue is full, Linux no longer answers.
    let listener = socket.listen(1).unwrap();
    let silent = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    within("a full queue", async {
        while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(silent)).await {
            queue.push(stream.unwrap());
        }
    })
    .await;
    let peer = Peer::answering(|_| ok("alive")).await;
    let outbound = knowing(&[("a.test", &[silent, peer.address]), ("b.test", &[silent])]);
    assert_eq!(outbound.fetch(get("http://a.test/")).await.unwrap().status, 200);
    let mut fetch = get("http://b.test/");
    fetch.timeout = Duration::from_millis(50);
    let wanted = OutboundError::Timeout(fetch.timeout);
    assert_eq!(outbound.fetch(fetch).await.unwrap_err(), wanted);
}

#[tokio::test]
async fn a_connection_is_dialled() {
    let peer = Peer::doing(|mut stream| async move {
        let mut greeting = [0; 4];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(b"+PONG\r\nmore").await.unwrap();
        if &greeting == b"STAY" {
            std::future::pending::<()>().await;
        }
    })
    .await;
    let port = peer.address.port();
    let outbound = knowing(&[("a.test", &[peer.address])]);
    for (host, send, wanted, limit) in [
        ("127.0.0.1", "PING", "+PONG\r\nmore", 1024),
        ("a.test", "PING", "+PONG\r\nmore", 1024),
        ("127.0.0.1", "PING", "+PO", 3),
        ("127.0.0.1", "STAY", "", 0),
    ] {
        let dial = Dial { max_response_bytes: limit, ..dial(host, port, send) };
        let (received, _) = within("the end", outbound.dial(dial, |_| false)).await.unwrap();
        assert_eq!(received, wanted.as_bytes(), "{host} {send} {limit}");
    }
    // By the names of the system.
    let system = Outbound::default();
    let named = system.dial(dial("localhost", port, "PING"), |_| false);
    assert_eq!(within("localhost", named).await.unwrap().0, "+PONG\r\nmore");
    let enough = |received: &[u8]| received.starts_with(b"+PONG");
    let (received, _) =
        within("enough", outbound.dial(dial("127.0.0.1", port, "STAY"), enough)).await.unwrap();
    assert!(received.starts_with(b"+PONG"), "{received:?}");
    within("nothing", outbound.dial(dial("127.0.0.1", port, ""), |_| true)).await.unwrap();
}

#[tokio::test]
async fn what_a_dialled_peer_has_said_before_the_timeout_counts() {
    let peer = Peer::doing(|mut stream| async move {
        stream.write_all(b"220 hello").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let dial = Dial { timeout: Duration::from_millis(300), ..dial("127.0.0.1", peer.address.port(), "") };
    let (received, took) = Outbound::default().dial(dial, |_| false).await.unwrap();
    assert_eq!(received, "220 hello");
    assert!(took >= Duration::from_millis(250), "{took:?}");
}

#[tokio::test]
async fn a_dial_that_fails_says_why() {
    let address = closed().await;
    let outbound = knowing(&[("meta.test", &["169.254.169.254:80".parse().unwrap()])]);
    let error = outbound.dial(dial("127.0.0.1", address.port(), ""), |_| true).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Connect(why) if why.contains("refused")), "{error:?}");
    for host in ["169.254.169.254", "[fe80::1]", "fe80::1", "0.0.0.0", "::ffff:169.254.169.254", "meta.test"]
    {
        let error = outbound.dial(dial(host, 80, ""), |_| true).await.unwrap_err();
        assert!(matches!(error, OutboundError::Forbidden(..)), "{host}: {error:?}");
    }
    let stuck = Outbound::with_resolver(Policy::default(), |_, _| std::future::pending());
    let dial = Dial { timeout: Duration::from_millis(50), ..dial("a.test", 80, "") };
    let timeout = OutboundError::Timeout(dial.timeout);
    assert_eq!(stuck.dial(dial, |_| true).await.unwrap_err(), timeout);
}
