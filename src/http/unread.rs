//! Bodies of requests that are refused for what stands before them.
//!
//! HTTP/1 has to close a connection on which the rest of a body may come, and a client that sends its next request on it is
//! told of a broken pipe instead of a wrong token. So a small body is read off, and the connection goes on.

use std::{pin::pin, time::Duration};

use axum::{
    body::HttpBody,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
};
use http_body_util::BodyExt as _;

/// The largest body that is read off, in bytes. A connection costs less than more of it.
const MOST: u64 = 64 * 1024;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads what is left of a small body, unless the client waits to be told to send it.
pub async fn read_off<B: HttpBody>(headers: &HeaderMap, body: B) {
    let is_small = body.size_hint().exact().is_some_and(|length| length <= MOST);
    if body.is_end_stream() || !is_small || headers.contains_key(header::EXPECT) {
        return;
    }
    let mut body = pin!(body);
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    // Who is slower loses the connection.
    drop(tokio::time::timeout(PATIENCE, all).await);
}

/// There is nothing at this path.
pub async fn not_found(request: Request) -> StatusCode {
    refuse(request, StatusCode::NOT_FOUND).await
}

/// This path does not know this method.
pub async fn method_not_allowed(request: Request) -> StatusCode {
    refuse(request, StatusCode::METHOD_NOT_ALLOWED).await
}

async fn refuse(request: Request, status: StatusCode) -> StatusCode {
    let (head, body) = request.into_parts();
    read_off(&head.headers, body).await;
    status
}
