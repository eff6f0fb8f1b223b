//! What is not HTTP is refused by hyper itself, with an empty body. This gives that refusal its problem.

use std::{
    io::{IoSlice, Result},
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::problem::{Code, PROBLEM_JSON, Problem};

/// A connection whose refusals have a body.
///
/// It looks only at the start of what is written: every refusal of ours has a body, so a status from 400 to 499
/// without one is hyper's, and the last thing on its connection.
#[derive(Debug)]
pub struct Explained<S> {
    stream: S,
    explanation: Vec<u8>,
}

impl<S> Explained<S> {
    /// Wraps a connection.
    pub const fn new(stream: S) -> Self {
        Self { stream, explanation: Vec::new() }
    }
}

impl<S: AsyncWrite + Unpin> Explained<S> {
    fn poll_explain(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.explanation.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.explanation))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.explanation.drain(..written);
        }
        Poll::Ready(Ok(()))
    }
}

/// The full refusal in place of an empty one.
fn explained(written: &[u8]) -> Option<Vec<u8>> {
    let rest = written.strip_prefix(b"HTTP/1.1 4")?;
    let text = std::str::from_utf8(rest).ok()?.strip_suffix("\r\n\r\n")?;
    let has = |line: &str| text.lines().any(|present| present == line);
    if !has("content-length: 0") || !has("connection: close") {
        return None;
    }
    let status = StatusCode::from_bytes(written.get(9..12)?).ok()?;
    let code = Code::of_status(status);
    let detail = match code {
        Code::HeadersTooLarge => "the head of the request is too large",
        _ => "this is not an HTTP request",
    };
    // Which path was meant is not known.
    let body = serde_json::to_vec(&Problem::new(code, detail).body("")).unwrap_or_default();
    let mut full = format!("HTTP/1.1 {}\r\n", code.status()).into_bytes();
    for (name, value) in [
        (header::CONTENT_TYPE, PROBLEM_JSON),
        (header::CONTENT_LENGTH, &body.len().to_string()),
        (header::CONNECTION, "close"),
    ] {
        full.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    full.extend_from_slice(b"\r\n");
    full.extend_from_slice(&body);
    Some(full)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        ready!(self.poll_explain(cx))?;
        if let Some(full) = explained(bytes) {
            self.explanation = full;
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        ready!(self.poll_explain(cx))?;
        if let [only] = parts
            && let Some(full) = explained(only)
        {
            self.explanation = full;
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_explain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_explain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}
