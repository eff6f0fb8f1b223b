//! Requests that the server makes itself over TLS: whose certificate is good, and until when.

use std::{sync::Arc, time::Duration};

use fuseboard::{
    clock::Clock,
    outbound::{Fetch, Outbound, OutboundError},
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring::default_provider},
};

use crate::{
    peer::{Peer, get, knowing, ok, read_request, redirect},
    raw::within,
};

/// 2100-01-01, in seconds since 1970.
const END: i64 = 4_102_444_800;

/// What speaks TLS, and the certificate that it shows: for a.test and 127.0.0.1, until the year.
pub fn acceptor(until: i32) -> (TlsAcceptor, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["a.test", "127.0.0.1"].map(str::to_owned)).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(until, 1, 1));
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// A server over TLS, and its certificate.
async fn secure(
    until: i32,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (Peer, CertificateDer<'static>) {
    let (acceptor, certificate) = acceptor(until);
    let answer = Arc::new(answer);
    let peer = Peer::doing(move |stream| {
        let (acceptor, answer) = (acceptor.clone(), Arc::clone(&answer));
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let request = read_request(&mut stream).await;
            drop(stream.write_all(answer(&request).as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    (peer.await, certificate)
}

fn unverified(url: &str) -> Fetch {
    Fetch { verify_tls: false, ..get(url) }
}

fn assert_ends_in_2100(left: Option<Duration>) {
    let left = i64::try_from(left.unwrap().as_secs()).unwrap();
    let wanted = END - Clock::system().wall().as_second();
    assert!((left - wanted).abs() < 60, "{left} {wanted}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_can_be_taken() {
    let (peer, _) = secure(2100, |_| ok("secret")).await;
    let outbound = knowing(&[("a.test", &[peer.address])]);
    for url in ["https://a.test/", &format!("https://{}/", peer.address)] {
        let error = within(url, outbound.fetch(get(url))).await.unwrap_err();
        assert!(matches!(&error, OutboundError::Tls(why) if why.contains("certificate")), "{url}: {error:?}");
        let answer = within(url, outbound.fetch(unverified(url))).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"secret"[..]), "{url}");
        assert_ends_in_2100(answer.certificate_expires_in);
    }
}

#[tokio::test]
async fn a_certificate_must_be_for_the_name() {
    let (peer, certificate) = secure(2100, |_| ok("secret")).await;
    let addresses = &[peer.address][..];
    let outbound = knowing(&[("a.test", addresses), ("a.test.", addresses), ("b.test", addresses)])
        .trusting(vec![certificate]);
    for url in ["https://a.test/", "https://a.test./", &format!("https://{}/", peer.address)] {
        let answer = within(url, outbound.fetch(get(url))).await.unwrap();
        assert_eq!(answer.body, "secret", "{url}");
        assert_ends_in_2100(answer.certificate_expires_in);
    }
    let error = outbound.fetch(get("https://b.test/")).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Tls(why) if why.contains("not valid for name")), "{error:?}");
}

#[tokio::test]
async fn a_certificate_that_has_ended_is_told() {
    let (peer, certificate) = secure(2002, |_| ok("old")).await;
    let outbound = knowing(&[("a.test", &[peer.address])]).trusting(vec![certificate]);
    let error = outbound.fetch(get("https://a.test/")).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Tls(why) if why.contains("expired")), "{error:?}");
    let answer = outbound.fetch(unverified("https://a.test/")).await.unwrap();
    assert_eq!(answer.certificate_expires_in, Some(Duration::ZERO));
}

#[tokio::test]
async fn what_was_asked_over_tls_is_not_asked_without() {
    let plain = Peer::answering(|_| ok("plain")).await;
    let url = plain.url("/");
    let answer = move |request: &str| if request.contains("/up ") { ok("up") } else { redirect(302, &url) };
    let (peer, certificate) = secure(2100, answer).await;
    let outbound = knowing(&[("a.test", &[peer.address])]).trusting(vec![certificate]);
    let error = outbound.fetch(get("https://a.test/")).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Forbidden(_, why) if why.contains("https to http")), "{error:?}");
    assert!(plain.requests().is_empty());
    // The other way round is fine, and the certificate at its end counts.
    let up = Peer::answering(|_| redirect(301, "https://a.test/up")).await;
    let answer = outbound.fetch(get(&up.url("/"))).await.unwrap();
    assert_eq!(answer.body, "up");
    assert_ends_in_2100(answer.certificate_expires_in);
}

#[tokio::test]
async fn who_does_not_speak_tls_is_told_or_left() {
    let plain = Peer::answering(|_| ok("plain")).await;
    let silent = Peer::stalling_after("").await;
    let gone = Peer::doing(|_| async {}).await;
    for (what, peer) in [("plain", &plain), ("silent", &silent), ("gone", &gone)] {
        let mut fetch = unverified(&format!("https://{}/", peer.address));
        fetch.timeout = Duration::from_millis(500);
        let error = within(what, Outbound::default().fetch(fetch)).await.unwrap_err();
        let is_right = match error {
            OutboundError::Tls(_) => what != "silent",
            // The plain server waits for the end of a line.
            OutboundError::Timeout(_) => what != "gone",
            _ => false,
        };
        assert!(is_right, "{what}: {error:?}");
    }
}
