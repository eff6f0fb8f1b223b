//! Requests over HTTP.

use std::time::Duration;

use axum::http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{self, Entry},
};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use url::Position;

use super::{
    Fetch, Fetched, Outbound, OutboundError, connect::connect, head::UntilAnswer, redirect::Asked, tls,
};
use crate::{clock::Clock, domain::text::with_causes};

/// Bytes of the head of an answer, which has at most 100 headers, too.
const LONGEST_HEAD: usize = 64 << 10;
/// Bytes until the answer begins: what is read at once may hold a head and the beginning of the body.
const LONGEST_START: usize = 4 * LONGEST_HEAD;
const USER_AGENT: &str = concat!("fuseboard/", env!("CARGO_PKG_VERSION"));

/// What came of one request.
enum Reply {
    Answer { status: u16, body: Bytes, is_complete: bool, retry_after: Option<Duration> },
    Redirect { status: u16, location: String },
}

/// What to do with an answer.
#[derive(Clone, Copy)]
struct Wish {
    follow: bool,
    most: usize,
}

impl Outbound {
    /// Sends a request and reads the answer.
    pub async fn fetch(&self, fetch: Fetch) -> Result<Fetched, OutboundError> {
        let begun = self.0.clock.now();
        // On the heap: it is large, and there may be many.
        let followed = timeout(fetch.timeout, Box::pin(self.follow(&fetch))).await;
        let mut fetched = followed.map_err(|_| OutboundError::Timeout(fetch.timeout))??;
        fetched.duration = self.0.clock.now().since(begun);
        Ok(fetched)
    }

    async fn follow(&self, fetch: &Fetch) -> Result<Fetched, OutboundError> {
        let wish = Wish { follow: fetch.max_redirects > 0, most: fetch.max_response_bytes };
        let mut asked = Asked::first(fetch)?;
        for _ in 0..=fetch.max_redirects {
            let (reply, certificate_expires_in) = self.ask(&asked, fetch.verify_tls, wish).await?;
            match reply {
                Reply::Answer { status, body, is_complete, retry_after } => {
                    let duration = Duration::ZERO;
                    return Ok(Fetched {
                        status,
                        body,
                        is_complete,
                        duration,
                        certificate_expires_in,
                        retry_after,
                    });
                }
                Reply::Redirect { status, location } => asked = asked.redirected(status, &location)?,
            }
        }
        Err(OutboundError::Broken(format!("more than {} redirects", fetch.max_redirects)))
    }

    async fn ask(
        &self,
        asked: &Asked,
        verify: bool,
        wish: Wish,
    ) -> Result<(Reply, Option<Duration>), OutboundError> {
        let nowhere = || OutboundError::Broken("the URL names no host".to_owned());
        let host = asked.url.host_str().ok_or_else(nowhere)?;
        let port = asked.url.port_or_known_default().ok_or_else(nowhere)?;
        let request = request(asked)?;
        let stream = connect(&self.addresses(host, port).await?).await?;
        if asked.url.scheme() == "http" {
            return Ok((exchange(stream, request, wish).await?, None));
        }
        let stream = self.0.tls.shake(stream, host, verify).await?;
        let now = u64::try_from(self.0.clock.wall_nanos()).map_or(Duration::ZERO, Duration::from_nanos);
        let expires_in = tls::expires_in(&stream, now);
        Ok((exchange(stream, request, wish).await?, expires_in))
    }
}

/// The request as it is sent.
fn request(asked: &Asked) -> Result<Request<Full<Bytes>>, OutboundError> {
    let unsendable =
        |error: axum::http::Error| OutboundError::Broken(format!("the URL cannot be sent: {error}"));
    let mut request = Request::builder()
        .method(asked.method.clone())
        .uri(&asked.url[Position::BeforePath..Position::AfterQuery])
        .body(Full::new(asked.body.clone()))
        .map_err(unsendable)?;
    let host = &asked.url[Position::BeforeHost..Position::AfterPort];
    let host = HeaderValue::try_from(host).map_err(|error| unsendable(error.into()))?;
    let headers = request.headers_mut();
    headers.clone_from(&asked.headers);
    // Each request tests the whole path: nothing is kept for the next.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in [
        (header::HOST, host),
        (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        (header::ACCEPT, HeaderValue::from_static("*/*")),
    ] {
        if let Entry::Vacant(entry) = headers.entry(name) {
            entry.insert(value);
        }
    }
    // RFC 9110, section 8.6: these say so when they have no content.
    if asked.body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(&asked.method) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    Ok(request)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, wish: Wish) -> Result<Reply, OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, begun) = UntilAnswer::new(stream, LONGEST_START);
    let mut builder = http1::Builder::new();
    builder.max_buf_size(LONGEST_HEAD);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let mut answer = std::pin::pin!(async move {
        let response = sender.send_request(request).await.map_err(|e| broken(&e))?;
        begun.tell();
        read(response, wish).await
    });
    // The connection makes progress only when it is polled. Dropped with this future, it closes.
    tokio::select! {
        reply = &mut answer => reply,
        // Whether it ended well is known to the answer, too.
        _ = connection => answer.await,
    }
}

async fn read(response: Response<Incoming>, wish: Wish) -> Result<Reply, OutboundError> {
    let status = response.status();
    let moved = [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ];
    if wish.follow
        && moved.contains(&status)
        && let Some(location) = response.headers().get(header::LOCATION)
    {
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        return Ok(Reply::Redirect { status: status.as_u16(), location });
    }
    let retry_after =
        response.headers().get(header::RETRY_AFTER).and_then(|value| retry_after_of(value.to_str().ok()?));
    let mut incoming = response.into_body();
    let mut body = BytesMut::new();
    let is_complete = loop {
        if incoming.is_end_stream() || wish.most == 0 {
            break incoming.is_end_stream();
        }
        let Some(frame) = incoming.frame().await else { break true };
        let Ok(data) = frame.map_err(|e| broken(&e))?.into_data() else { continue };
        let room = wish.most - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            break false;
        }
    };
    Ok(Reply::Answer { status: status.as_u16(), body: body.freeze(), is_complete, retry_after })
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
pub(crate) fn retry_after_of(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    let left = date.as_second().saturating_sub(Clock::system().wall().as_second());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or_default()))
}

fn broken(error: &hyper::Error) -> OutboundError {
    OutboundError::Broken(with_causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after_of(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(retry_after_of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(
            retry_after_of("Wed, 21 Oct 2099 07:28:00 GMT")
                .is_some_and(|span| span > Duration::from_secs(86_400))
        );
        for bad in ["", "-1", "soon", "1.5"] {
            assert_eq!(retry_after_of(bad), None, "{bad}");
        }
    }
}
