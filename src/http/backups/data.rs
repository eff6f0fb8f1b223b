//! Documents of backups, byte for byte.

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use utoipa::ToSchema;

use super::{backup_id, receive::receive, scope};
use crate::{
    app::{
        backups::{NewRestore, Reading, RestoreView, Span},
        text::Text,
        tokens::Caller,
    },
    domain::{backup::BackupId, schema::DocumentKey},
    http::{
        AppState,
        breakers::bounded,
        etag::unless_known,
        extract::RawPath,
        json,
        problem::Problem,
        routing::{Routes, routes},
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(backup_data))
        .routes(routes!(backup_document))
        .routes(routes!(backup_restore))
}

/// All documents of a backup: the object that was sent as `data`, byte for byte.
///
/// Nothing is sent before all of it was found whole; `backup_corrupt` if it is not. A backup with the source `board` holds
/// secrets: its documents need the scope `admin`.
#[utoipa::path(get, path = "/v1/backups/{id}/data", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "The documents.", body = std::collections::BTreeMap<String, Value>)))]
async fn backup_data(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reading = state.board.backup_read(&backup_id("id", &id)?, &Span::All, scope(caller.as_ref())).await?;
    let tag = format!("\"{}\"", reading.sha256);
    Ok(answer(reading, &headers, &tag))
}

/// One document of a backup, byte for byte. With the source `board` it needs the scope `admin`.
#[utoipa::path(get, path = "/v1/backups/{id}/data/{key}", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id."),
        ("key" = String, Path, description = "The document's key.")),
    responses((status = 200, description = "The document.", body = Value)))]
async fn backup_document(
    State(state): State<AppState>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path((id, key)) = path.map_err(|rejection| Problem::invalid("key", rejection.body_text()))?;
    let id = backup_id("id", &id)?;
    let reading = state.board.backup_read(&id, &Span::Document(key.clone()), scope(caller.as_ref())).await?;
    let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let tag = format!("\"{}-{key}\"", reading.sha256);
    Ok(answer(reading, &headers, &tag))
}

/// A backup never changes, so whoever has it need not get it again.
fn answer(reading: Reading, headers: &HeaderMap, tag: &str) -> Response {
    let mut response = unless_known(headers, tag, || {
        let mut response = Response::new(Body::from_stream(reading.bytes));
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(reading.length));
        response
    });
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What is said of a restore.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestoreBody<'a> {
    /// Why, for the record; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    reason: Option<Text<'a>>,
    /// Which process, for the record; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    client: Option<Text<'a>>,
    /// The caller's present state, like `data` of a backup: it is stored first, as a backup of type `pre_restore`.
    #[serde(default, rename = "current")]
    #[schema(value_type = std::collections::BTreeMap<DocumentKey, Value>, required = false)]
    _current: Option<IgnoredAny>,
}

/// A restore with its documents.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
struct Restored {
    /// The record of it.
    restore: RestoreView,
    /// The documents, byte for byte.
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    data: Value,
}

/// Takes a backup back: gives out its documents, and records who took them, when and why.
///
/// With `current`, the caller's present state is stored in the same step, before anything is given out. With the source
/// `board` it needs the scope `admin`.
#[utoipa::path(post, path = "/v1/backups/{id}/restore", tag = "backups", request_body = Option<RestoreBody>,
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "The record, and the documents.", body = Restored)))]
async fn backup_restore(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = backup_id("id", &id)?;
    // Before a long body is taken.
    let scope = scope(caller.as_ref());
    state.board.backup_readable(&id, scope).await?;
    let at = state.board.clock.wall();
    let received = receive(&state, request, "current", b"{}").await?;
    let body: RestoreBody<'_> = json::parse(&received.envelope)?;
    let text =
        |field, text: &Option<Text<'_>>| Ok::<_, Problem>(bounded(field, text.as_ref())?.map(str::to_owned));
    let (reason, client) = (text("reason", &body.reason)?, text("client", &body.client)?);
    let actor = caller.map(|caller| caller.0.name);
    let new = NewRestore { client, reason, actor };
    let (restore, reading) = state.board.backup_restore(&id, new, received, at, scope).await?;
    let head = format!("{{\"restore\":{},\"data\":", serde_json::to_string(&restore).unwrap_or_default());
    let length = head.len() as u64 + reading.length + 1;
    let piece = |text: Bytes| stream::once(std::future::ready(Ok(text)));
    let bytes = piece(head.into()).chain(reading.bytes).chain(piece(Bytes::from_static(b"}")));
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
