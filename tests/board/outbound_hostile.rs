//! Requests that the server makes itself, and peers, names and redirects that want to harm it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fuseboard::outbound::{Outbound, OutboundError, Policy, policy::network};
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{Peer, closed, get, knowing, ok, read_request, redirect},
    raw::within,
};

const METADATA: &str = "169.254.169.254:80";

/// Forms of addresses that must not be reached, each as a host of a URL.
const FORBIDDEN: [&str; 15] = [
    "169.254.169.254",
    "169.254.169.254.",
    "2852039166",
    "0xa9fea9fe",
    "0xa9.254.0251.254",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "0",
    "meta.test",
];

fn outbound() -> Outbound {
    knowing(&[("meta.test", &[METADATA.parse().unwrap()])])
}

#[tokio::test]
async fn forbidden_addresses_are_refused_in_every_form() {
    for host in FORBIDDEN {
        let fetch = get(&format!("http://{host}/latest/meta-data/"));
        let error = within(host, outbound().fetch(fetch)).await.unwrap_err();
        assert!(matches!(error, OutboundError::Forbidden(..)), "{host}: {error:?}");
    }
    let error = outbound().fetch(get("http://meta.test/")).await.unwrap_err().to_string();
    let wanted =
        "meta.test (169.254.169.254) may not be reached from here: it is a metadata address of a cloud";
    assert_eq!(error, wanted);
    let error = outbound().fetch(get("ftp://127.0.0.1/")).await.unwrap_err();
    assert!(matches!(error, OutboundError::Forbidden(..)), "{error:?}");
}

#[tokio::test]
async fn redirects_to_forbidden_addresses_are_refused() {
    let peer = Peer::answering(|request| {
        let host = request.split(['/', ' ']).nth(2).unwrap();
        redirect(302, &format!("http://{host}/latest/meta-data/"))
    })
    .await;
    for host in FORBIDDEN {
        let error = within(host, outbound().fetch(get(&peer.url(&format!("/{host}"))))).await.unwrap_err();
        assert!(matches!(error, OutboundError::Forbidden(..)), "{host}: {error:?}");
    }
    assert_eq!(peer.requests().len(), FORBIDDEN.len());
}

#[tokio::test]
async fn of_many_addresses_only_those_allowed_are_reached() {
    let (good, bad) = (Peer::answering(|_| ok("good")).await, Peer::answering(|_| ok("bad")).await);
    let policy = Policy {
        allow: vec![network(&good.address.ip().to_string()).unwrap()],
        deny: vec![network("127.0.0.2").unwrap()],
        allow_only: true,
    };
    let denied = SocketAddr::new("127.0.0.2".parse().unwrap(), bad.address.port());
    let addresses = vec![METADATA.parse().unwrap(), denied, "1.1.1.1:80".parse().unwrap(), good.address];
    let outbound = Outbound::with_resolver(policy, move |_, _| std::future::ready(Ok(addresses.clone())));
    assert_eq!(outbound.fetch(get("http://a.test/")).await.unwrap().body, "good");
    assert!(bad.requests().is_empty());
}

#[tokio::test]
async fn a_name_is_asked_once_and_again_for_each_redirect() {
    let peer =
        Peer::answering(|request| if request.contains("/a ") { redirect(302, "/b") } else { ok("") }).await;
    let (asked, address) = (Arc::new(AtomicUsize::new(0)), peer.address);
    let counted = Arc::clone(&asked);
    // What is a good address when it is checked is another one when somebody asks again.
    let outbound = Outbound::with_resolver(Policy::default(), move |_, _| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        std::future::ready(Ok(vec![if first { address } else { METADATA.parse().unwrap() }]))
    });
    assert_eq!(outbound.fetch(get("http://a.test/b")).await.unwrap().status, 200);
    assert_eq!(asked.swap(0, Ordering::SeqCst), 1);
    let error = outbound.fetch(get("http://a.test/a")).await.unwrap_err();
    assert!(matches!(error, OutboundError::Forbidden(..)), "{error:?}");
    assert_eq!((asked.load(Ordering::SeqCst), peer.requests().len()), (2, 2));
}

#[tokio::test]
async fn who_is_slow_is_left_in_time() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let peers = [
        ("silence", Peer::stalling_after("").await),
        ("half a head", Peer::stalling_after("HTTP/1.1 200 OK\r\nx: ").await),
        ("half a body", Peer::stalling_after("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await),
        ("a head in drops", Peer::dripping("HTTP/1.1 200 OK\r\nx: ", "a").await),
        ("a body in drops", Peer::dripping(head, "a").await),
        ("heads without end", Peer::dripping("", "HTTP/1.1 100 Continue\r\n\r\n").await),
        ("slow redirects", Peer::stalling_after("HTTP/1.1 302 Found\r\nlocation: /").await),
    ];
    for (what, peer) in peers {
        let mut fetch = get(&peer.url("/"));
        fetch.timeout = Duration::from_millis(100);
        let timeout = OutboundError::Timeout(fetch.timeout);
        let error = within(what, Outbound::default().fetch(fetch)).await.unwrap_err();
        assert_eq!(error, timeout, "{what}");
        assert_eq!(error.to_string(), "no answer within 0.1 s");
    }
    let mut fetch = get("http://a.test/");
    fetch.timeout = Duration::from_millis(50);
    let stuck = Outbound::with_resolver(Policy::default(), |_, _| std::future::pending());
    let error = within("a look-up", stuck.fetch(fetch)).await.unwrap_err();
    assert!(matches!(error, OutboundError::Timeout(_)), "{error:?}");
}

#[tokio::test]
async fn no_more_is_read_than_wanted() {
    let endless = Peer::dripping("HTTP/1.1 200 OK\r\n\r\n", "0123456789").await;
    let ten = Peer::answering(|_| ok("0123456789")).await;
    let chunks = Peer::answering(|_| {
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n".to_owned()
    })
    .await;
    for (what, peer, most, length, is_complete) in [
        ("endless", &endless, 25, 25, false),
        ("endless, unread", &endless, 0, 0, false),
        ("short", &ten, 9, 9, false),
        ("exact", &ten, 10, 10, true),
        ("unread", &ten, 0, 0, false),
        ("exact chunks", &chunks, 10, 10, true),
        ("short chunks", &chunks, 3, 3, false),
    ] {
        let mut fetch = get(&peer.url("/"));
        fetch.max_response_bytes = most;
        let answer = within(what, Outbound::default().fetch(fetch)).await.unwrap();
        assert_eq!((answer.body.len(), answer.is_complete), (length, is_complete), "{what}");
        assert!("012345678901234567890123456789".as_bytes().starts_with(&answer.body), "{what}: {answer:?}");
    }
}

#[tokio::test]
async fn whoever_tells_to_go_on_without_end_is_left_soon() {
    let peer = Peer::doing(|mut stream| async move {
        read_request(&mut stream).await;
        let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
        while stream.write_all(interim.as_bytes()).await.is_ok() {}
    })
    .await;
    let error = within("a flood", Outbound::default().fetch(get(&peer.url("/")))).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Broken(why) if why.contains("no answer")), "{error:?}");
    // A few are in order.
    let few = format!("{}{}", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(20), ok("fine"));
    let peer = Peer::answering(move |_| few.clone()).await;
    let answer = within("hints", Outbound::default().fetch(get(&peer.url("/")))).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"fine"[..]));
    // What comes with the head is not counted, nor what comes after it.
    let peer = Peer::answering(|_| ok(&"x".repeat(900_000))).await;
    let answer = within("a long body", Outbound::default().fetch(get(&peer.url("/")))).await.unwrap();
    assert_eq!(answer.body.len(), 900_000);
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for text in [
        "",
        "\0\u{1}\u{2}garbage\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 200 OK\r\nx: cut o",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ncontent-length: nine\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        &long,
        &many,
    ] {
        let answer = text.to_owned();
        let peer = Peer::answering(move |_| answer.clone()).await;
        let text = &text[..text.len().min(60)];
        let error = within(text, Outbound::default().fetch(get(&peer.url("/")))).await.unwrap_err();
        assert!(matches!(error, OutboundError::Broken(_)), "{text:?}: {error:?}");
    }
    let nobody = get(&format!("http://{}/", closed().await));
    let error = Outbound::default().fetch(nobody).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Connect(why) if why.contains("refused")), "{error:?}");
}
