//! What differs between a backup and another one, or a document.

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::IntoParams;

use super::{backup_id, scope};
use crate::{
    app::{backups::MAX_DIFF_BYTES, tokens::Caller},
    domain::{backup::BackupId, schema::DocumentKey},
    http::{
        AppState,
        extract::{Query, RawPath, expect_json, read_body},
        json,
        problem::Problem,
        routing::{Routes, routes},
    },
};

/// RFC 6902, section 6.
const JSON_PATCH: &str = "application/json-patch+json";

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(backup_diff, backup_diff_with))
}

/// With which backup to compare.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiffQuery {
    /// The id of the other backup.
    #[param(value_type = BackupId)]
    against: String,
}

/// The JSON Patch (RFC 6902) that makes the documents of this backup those of another.
///
/// Numbers are compared as they are written: `1.10` is not `1.1`, and integers of any length are exact. White space, the
/// order of keys and escapes of strings do not matter. With more than 10000 operations, documents are replaced as a whole.
/// 413 if one of the two has more than 16 MiB. With the source `board` they need the scope `admin`.
#[utoipa::path(get, path = "/v1/backups/{id}/diff", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id."), DiffQuery),
    responses((status = 200, description = "The patch; empty if nothing differs.", body = Vec<serde_json::Value>,
        content_type = "application/json-patch+json")))]
async fn backup_diff(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    caller: Option<Extension<Caller>>,
    Query(query): Query<DiffQuery>,
) -> Result<Response, Problem> {
    let (from, to) = (backup_id("id", &id)?, backup_id("against", &query.against)?);
    Ok(patch(state.board.backup_diff(&from, &to, scope(caller.as_ref())).await?))
}

/// The JSON Patch (RFC 6902) that makes the documents of this backup the body: an object like `data` of a new backup.
///
/// 413 if the backup or the body has more than 16 MiB. With the source `board` it needs the scope `admin`.
#[utoipa::path(post, path = "/v1/backups/{id}/diff", tag = "backups",
    request_body = std::collections::BTreeMap<DocumentKey, serde_json::Value>,
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "The patch; empty if nothing differs.", body = Vec<serde_json::Value>,
        content_type = "application/json-patch+json")))]
async fn backup_diff_with(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    caller: Option<Extension<Caller>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = backup_id("id", &id)?;
    expect_json(request.headers())?;
    let limit = usize::try_from(MAX_DIFF_BYTES).unwrap_or(usize::MAX);
    let body = read_body(limit, request.into_body()).await?;
    json::parse::<&RawValue>(&body)?;
    Ok(patch(state.board.backup_diff_with(&id, body, scope(caller.as_ref())).await?))
}

fn patch(text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON_PATCH));
    response
}
