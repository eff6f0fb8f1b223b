//! A connection to one of several addresses.

use std::{net::SocketAddr, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{net::TcpStream, time::sleep};

use super::OutboundError;

/// A name may have more addresses; these are enough to find one that answers.
const MOST_TRIED: usize = 8;
/// The next address is tried when one has not answered for so long (RFC 8305, section 8).
const PATIENCE: Duration = Duration::from_millis(250);

/// Connects to the first that answers, in their order; one that is silent does not keep the next from being tried.
pub(super) async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, OutboundError> {
    let mut untried = addresses.iter().copied().take(MOST_TRIED);
    let mut tried = FuturesUnordered::new();
    let mut failure = OutboundError::Connect("there is no address".to_owned());
    loop {
        if let Some(address) = untried.next() {
            tried.push(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            done = tried.next() => match done {
                Some((_, Ok(stream))) => {
                    // What is sent is sent at once, in one piece; at worst it is a little slower.
                    drop(stream.set_nodelay(true));
                    return Ok(stream);
                }
                Some((address, Err(error))) => failure = OutboundError::Connect(format!("{address}: {error}")),
                None => return Err(failure),
            },
            () = sleep(PATIENCE), if untried.len() > 0 => {}
        }
    }
}
