//! One connection: TLS if configured, HTTP/1 or 2 by what the client speaks.

use std::{
    future::{Future, poll_fn},
    io::{IoSlice, Result},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::watch::{Order, Progress, Watch};
use crate::{
    http::{edge::Edge, unparsed::Explained},
    telemetry::Telemetry,
};

/// How often an HTTP/2 peer is asked whether it is still there.
const H2_PING: Duration = Duration::from_secs(20);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What every connection shares.
#[derive(Debug)]
pub struct Shared {
    /// Turns on TLS.
    pub tls: Option<Tls>,
    /// Answers requests.
    pub edge: Edge,
    /// Counts connections.
    pub telemetry: Arc<Telemetry>,
    /// Watches them.
    pub watch: Watch,
    /// How long TLS and the first byte may take.
    pub head_timeout: Duration,
    /// No more connections.
    pub close: CancellationToken,
}

/// An acceptor of TLS connections.
pub struct Tls(pub TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

enum Version {
    Http1,
    Http2,
}

/// Serves a connection until its end.
pub async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    shared.telemetry.connections.inc();
    // Small answers must not wait for more of them.
    drop(stream.set_nodelay(true));
    match &shared.tls {
        None => {
            if let Some(version) = in_time(&shared, version_of(&stream)).await {
                converse(stream, version, &shared).await;
            }
        }
        Some(Tls(acceptor)) => match in_time(&shared, acceptor.accept(stream)).await {
            Some(Ok(stream)) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let version = if is_http2 { Version::Http2 } else { Version::Http1 };
                converse(stream, version, &shared).await;
            }
            Some(Err(error)) => tracing::debug!(%error, "TLS failed"),
            None => {}
        },
    }
    shared.telemetry.connections.dec();
}

async fn in_time<F: Future>(shared: &Shared, work: F) -> Option<F::Output> {
    let work = shared.close.run_until_cancelled(work);
    tokio::time::timeout(shared.head_timeout, work).await.unwrap_or_else(|_| {
        tracing::debug!("a connection said nothing in time");
        None
    })
}

/// What the first bytes ask for. HTTP/2 without TLS starts with a preface that comes in one piece.
async fn version_of(stream: &TcpStream) -> Version {
    let mut start = [0; 3];
    match stream.peek(&mut start).await {
        Ok(3) if start == *b"PRI" => Version::Http2,
        _ => Version::Http1,
    }
}

async fn converse<S>(stream: S, version: Version, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = shared.watch.add(matches!(version, Version::Http2));
    let edge = shared.edge.clone();
    let answering = Arc::clone(&progress);
    let service = service_fn(move |request| {
        let (edge, work) = (edge.clone(), Answering::begin(&answering));
        async move {
            let response = edge.handle(request).await;
            drop(work);
            response
        }
    });
    let stream = TokioIo::new(Explained::new(Watched { stream, progress: Arc::clone(&progress) }));
    let result = match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD).writev(false);
            drive(builder.serve_connection(stream, service), &progress).await
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            // A peer that vanished without a word is noticed by its silence.
            builder.timer(TokioTimer::new()).keep_alive_interval(H2_PING).max_concurrent_streams(256);
            drive(builder.serve_connection(stream, service), &progress).await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Runs a connection, following the orders of the watch.
async fn drive<C: Conversation>(connection: C, progress: &Progress) -> hyper::Result<()> {
    let mut connection = pin!(connection);
    let mut finishing = false;
    poll_fn(|cx| {
        match progress.order(cx.waker()) {
            Order::GoOn => {}
            Order::Finish if finishing => {}
            Order::Finish => {
                finishing = true;
                connection.as_mut().finish();
            }
            Order::Drop => return Poll::Ready(Ok(())),
        }
        connection.as_mut().poll(cx)
    })
    .await
}

/// A connection of either version.
trait Conversation: Future<Output = hyper::Result<()>> {
    /// Finish what runs, take no more.
    fn finish(self: Pin<&mut Self>);
}

type Stream<S> = TokioIo<Explained<Watched<S>>>;

impl<S, H> Conversation for http1::Connection<Stream<S>, H>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: hyper::service::HttpService<Incoming, ResBody = axum::body::Body>,
    H::Error: Into<axum::BoxError>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, H> Conversation for http2::Connection<Stream<S>, H, TokioExecutor>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: hyper::service::HttpService<Incoming, ResBody = axum::body::Body>,
    H::Future: Send + 'static,
    H::Error: Into<axum::BoxError>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// A request in work; ended by being dropped, so also when the connection is.
struct Answering(Arc<Progress>);

impl Answering {
    fn begin(progress: &Arc<Progress>) -> Self {
        progress.begin();
        Self(Arc::clone(progress))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A stream that notes what it reads and writes.
#[derive(Debug)]
struct Watched<S> {
    stream: S,
    progress: Arc<Progress>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.progress.read();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.progress.written();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        self.progress.written();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
