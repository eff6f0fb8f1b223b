//! Requests that the server makes itself: probes of checks, webhooks, sources of backups, notifications.
//!
//! What an address may be is the [`Policy`]'s business. A name is resolved once for each request and each redirect, what
//! comes out is checked, and the connection goes to an address that was checked: a name that means something else a
//! moment later gains nothing. Every request has a connection and a TLS handshake of its own, so that a probe sees the
//! whole path. Proxies that the environment names are not used: what they reach could not be checked.

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use url::Url;

use self::{resolve::Resolver, tls::Tls};
use crate::clock::Clock;

mod connect;
mod dial;
mod head;
mod http;
mod mail;
pub mod policy;
mod redirect;
mod resolve;
mod tls;

#[cfg(feature = "client")]
pub(crate) use http::retry_after_of;
pub use mail::{Letter, MailError};
pub use policy::Policy;

/// Makes requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound(Arc<Means>);

#[derive(Debug)]
struct Means {
    policy: Policy,
    resolver: Resolver,
    tls: Tls,
    clock: Clock,
}

/// A request over HTTP. Values of headers, the body, and the path do not print: they may be secrets.
#[derive(Clone)]
pub struct Fetch {
    /// `GET`, `POST`, …
    pub method: axum::http::Method,
    /// `http` or `https`. A user and a password in it are not sent.
    pub url: Url,
    /// Headers, besides those that HTTP needs. To another origin (scheme, host, port) a redirect takes only
    /// `Accept`, `Accept-Language`, `Cache-Control`, `Content-Type`, `Pragma` and `User-Agent` along.
    pub headers: Vec<(String, String)>,
    /// The body; none if empty.
    pub body: Bytes,
    /// From the look-up of the name to the last byte of the answer, redirects included.
    pub timeout: Duration,
    /// How many redirects to follow; each is checked like the first address, and none leads from `https` to `http`.
    /// One more is an error. With 0 a redirect is the answer.
    pub max_redirects: u8,
    /// Whether the certificate must be valid.
    pub verify_tls: bool,
    /// More of the answer's body is not read. With 0 nobody waits for it.
    pub max_response_bytes: usize,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status, whatever it is.
    pub status: u16,
    /// The body, up to the limit.
    pub body: Bytes,
    /// Whether that is all of it.
    pub is_complete: bool,
    /// From the look-up of the name to the last byte.
    pub duration: Duration,
    /// How long the server's certificate is still valid; zero if it has ended; none without TLS.
    pub certificate_expires_in: Option<Duration>,
    /// What `Retry-After` asks for.
    pub retry_after: Option<Duration>,
}

/// What is to be learned from a TCP connection.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// What to send first.
    pub send: Bytes,
    /// At most so much is read; reading ends early when `enough` says so. 0: only connect and send.
    pub max_response_bytes: usize,
    /// From the look-up of the name to the end.
    pub timeout: Duration,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address is not one that this server may talk to.
    #[error("{0} may not be reached from here: {1}")]
    Forbidden(String, String),
    /// The name has no address.
    #[error("the name {0} cannot be resolved: {1}")]
    Resolve(String, String),
    /// Nobody answers there.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The certificate is not good, or the peer does not speak TLS.
    #[error("TLS: {0}")]
    Tls(String),
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The exchange broke off, or the peer does not speak HTTP.
    #[error("the exchange failed: {0}")]
    Broken(String),
}

impl Outbound {
    /// Reaches what the policy allows, by the names of the system.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::by(policy, Resolver::system())
    }

    /// Reaches what the policy allows, by names that mean what `resolve` says. For tests.
    #[must_use]
    pub fn with_resolver<F, A>(policy: Policy, resolve: F) -> Self
    where
        F: Fn(String, u16) -> A + Send + Sync + 'static,
        A: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self::by(policy, Resolver::new(resolve))
    }

    /// The same, but only certificates that these vouch for are good, whatever the system trusts. For tests.
    #[must_use]
    pub fn trusting(self, roots: Vec<CertificateDer<'static>>) -> Self {
        let Means { policy, resolver, clock, .. } = &*self.0;
        let (policy, resolver, clock) = (policy.clone(), resolver.clone(), clock.clone());
        Self(Arc::new(Means { policy, resolver, tls: Tls::trusting(roots), clock }))
    }

    // Networks have no manual clock: what they take is measured on the system's.
    fn by(policy: Policy, resolver: Resolver) -> Self {
        Self(Arc::new(Means { policy, resolver, tls: Tls::default(), clock: Clock::system() }))
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Fetch")
            .field("method", &self.method)
            .field("origin", &self.url.origin().ascii_serialization())
            .field("headers", &headers)
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .field("max_redirects", &self.max_redirects)
            .field("verify_tls", &self.verify_tls)
            .field("max_response_bytes", &self.max_response_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn fetch(url: &str) -> Fetch {
        Fetch {
            method: axum::http::Method::GET,
            url: Url::parse(url).unwrap(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(20),
            max_redirects: 5,
            verify_tls: true,
            max_response_bytes: 1 << 16,
        }
    }

    #[test]
    fn requests_run_on_any_thread() {
        fn movable<T: Send>(_: T) {}
        let dial = Dial {
            host: String::new(),
            port: 0,
            send: Bytes::new(),
            max_response_bytes: 0,
            timeout: Duration::ZERO,
        };
        let outbound = Outbound::default();
        movable(outbound.fetch(fetch("http://a.test/")));
        movable(outbound.dial(dial, |_| true));
    }

    #[test]
    fn secrets_do_not_print() {
        let mut fetch = fetch("https://user:hunter2@a.test/hooks/hunter2?key=hunter2");
        fetch.headers.push(("Authorization".to_owned(), "hunter2".to_owned()));
        fetch.body = Bytes::from_static(b"hunter2");
        let text = format!("{fetch:?}");
        assert!(text.contains("https://a.test") && text.contains("Authorization"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
