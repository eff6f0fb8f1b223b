//! From a name to addresses that may be reached.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::{Outbound, OutboundError};

/// The system's look-up holds a thread until it ends, also when nobody waits for it any more. No more than so many at
/// once, so that a name server that hangs cannot take the threads of everybody else.
const MOST_LOOKUPS: usize = 64;

type Found = io::Result<Vec<SocketAddr>>;

/// What names mean.
#[derive(Clone)]
pub(super) struct Resolver(Arc<dyn Fn(String, u16) -> BoxFuture<'static, Found> + Send + Sync>);

impl Resolver {
    pub(super) fn new<F, A>(resolve: F) -> Self
    where
        F: Fn(String, u16) -> A + Send + Sync + 'static,
        A: Future<Output = Found> + Send + 'static,
    {
        Self(Arc::new(move |host, port| Box::pin(resolve(host, port))))
    }

    pub(super) fn system() -> Self {
        let room = Arc::new(Semaphore::new(MOST_LOOKUPS));
        Self::new(move |host, port| look_up(Arc::clone(&room), host, port))
    }
}

async fn look_up(room: Arc<Semaphore>, host: String, port: u16) -> Found {
    let permit = room.acquire_owned().await.map_err(io::Error::other)?;
    let search = tokio::spawn(async move {
        let found = tokio::net::lookup_host((host, port)).await.map(Iterator::collect);
        drop(permit);
        found
    });
    search.await.map_err(io::Error::other)?
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

impl Outbound {
    /// The addresses of `host`, a name or an address, that may be reached; at least one. Those that may not are left out.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, OutboundError> {
        let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let found = match literal.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => (self.0.resolver.0)(host.to_owned(), port)
                .await
                .map_err(|error| OutboundError::Resolve(host.to_owned(), error.to_string()))?,
        };
        let mut refusal = OutboundError::Resolve(host.to_owned(), "it has no address".to_owned());
        let mut reachable = Vec::with_capacity(found.len());
        for address in found {
            match self.0.policy.check(address.ip()) {
                Ok(()) => reachable.push(address),
                Err(why) => refusal = OutboundError::Forbidden(shown(host, address.ip()), why),
            }
        }
        if reachable.is_empty() { Err(refusal) } else { Ok(reachable) }
    }
}

fn shown(host: &str, address: IpAddr) -> String {
    let address = address.to_string();
    if host.contains(&address) { address } else { format!("{host} ({address})") }
}
