//! `/v1/backups`: what is known of them. Their documents are in [`data`].

mod data;
mod diff;
mod receive;

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    AppState,
    extract::{Query, RawPath},
    health::label_filter,
    idempotency::{Once, OnceHeader},
    json::Json,
    paging::{HistoryQuery, Page, checked_limit, default_limit},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        AppError,
        backups::{BackupQuery, BackupView, NewBackup, RestoreView, Verdict},
        tokens::{Caller, Scope},
    },
    domain::{
        Name,
        backup::{BackupId, Origin},
        schema::LabelFilter,
    },
};
use receive::{BackupBody, receive};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(backup_list, backup_create))
        .routes(routes!(backup_latest))
        .routes(routes!(backup_get, backup_delete))
        .routes(routes!(backup_verify))
        .routes(routes!(backup_pin, backup_unpin))
        .routes(routes!(restore_list))
        .merge(data::routes())
        .merge(diff::routes())
}

/// The id of a backup, in a path or a query.
fn backup_id(field: &'static str, raw: &str) -> Result<BackupId, Problem> {
    BackupId::try_from(raw).map_err(|error| Problem::invalid(field, error.to_string()))
}

/// What the caller may do; none where no token is needed.
fn scope(caller: Option<&Extension<Caller>>) -> Option<Scope> {
    caller.map(|caller| caller.0.scope)
}

/// Stores documents: each key of `data` is one, any JSON, kept byte for byte.
///
/// 201 once everything is on disk. The body may be large: it is taken as it comes, and only a few chunks of it are in
/// memory. What earlier backups have in common with it is not stored again. Keys are 1 to 128 bytes without control
/// characters, `/` and `\`, and do not start with `.`: they are names of files.
#[utoipa::path(post, path = "/v1/backups", tag = "backups", request_body = BackupBody,
    params(OnceHeader),
    responses((status = 201, description = "The backup, which is on disk.", body = BackupView)))]
async fn backup_create(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    once: Once,
    request: Request,
) -> Result<Response, Problem> {
    let at = state.board.clock.wall();
    let received = receive(&state, request, "data", b"").await?;
    if !received.is_present {
        return Err(Problem::invalid("data", "missing field `data`"));
    }
    let (backup_type, labels, pinned) = receive::envelope(&received.envelope)?;
    let actor = caller.map(|caller| caller.0.name);
    let new = NewBackup { backup_type, labels, pinned, actor, at, origin: Origin::Request };
    // What tells apart two requests with the same key: the documents, and everything else.
    let same = Bytes::from([&received.sha256[..], &received.envelope].concat());
    once.run_durable(&state, &same, |board, key| async move {
        board.backup_create(received, new, key).await.map(|(_, answer)| answer)
    })
    .await
}

/// Which backups.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[param(pattern = "^[0-9]{1,18}\\.[0-9]{1,18}$")]
    cursor: Option<String>,
    /// Only of this type.
    #[param(value_type = Option<Name>)]
    backup_type: Option<String>,
    /// Only with these labels: `name=value`, with commas between them.
    #[param(value_type = Option<LabelFilter>)]
    labels: Option<String>,
    /// Not before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Only those that were verified and are whole (`true`), or only the others.
    verified: Option<bool>,
}

impl ListQuery {
    fn checked(&self) -> Result<BackupQuery, Problem> {
        Ok(BackupQuery {
            backup_type: backup_type(self.backup_type.as_deref())?,
            labels: label_filter(self.labels.as_deref())?,
            since: self.since,
            until: self.until,
            verified: self.verified,
        })
    }
}

/// The type of backups, in a query or a body.
pub(super) fn backup_type(raw: Option<&str>) -> Result<Option<Name>, Problem> {
    let named =
        |raw: &str| Name::try_from(raw).map_err(|error| Problem::invalid("backup_type", error.to_string()));
    raw.map(named).transpose()
}

/// Lists backups, newest first.
#[utoipa::path(get, path = "/v1/backups", tag = "backups", params(ListQuery),
    responses((status = 200, description = "A page of backups.", body = Page<BackupView>)))]
async fn backup_list(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<BackupView>>, Problem> {
    let limit = checked_limit(query.limit)?;
    let (items, next_cursor) =
        state.board.backup_list(&query.checked()?, query.cursor.as_deref(), limit).await?;
    Ok(Json(Page { items, next_cursor }))
}

/// Which backups the newest is wanted of.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LatestQuery {
    /// Only of this type.
    #[param(value_type = Option<Name>)]
    backup_type: Option<String>,
    /// Only with these labels: `name=value`, with commas between them.
    #[param(value_type = Option<LabelFilter>)]
    labels: Option<String>,
    /// Only those that were verified and are whole (`true`), or only the others.
    verified: Option<bool>,
}

/// The newest backup; 404 if there is none.
#[utoipa::path(get, path = "/v1/backups/latest", tag = "backups", params(LatestQuery),
    responses((status = 200, description = "The backup.", body = BackupView)))]
async fn backup_latest(
    State(state): State<AppState>,
    Query(query): Query<LatestQuery>,
) -> Result<Json<BackupView>, Problem> {
    let wanted = BackupQuery {
        backup_type: backup_type(query.backup_type.as_deref())?,
        labels: label_filter(query.labels.as_deref())?,
        verified: query.verified,
        ..BackupQuery::default()
    };
    let (items, _) = state.board.backup_list(&wanted, None, 1).await?;
    let newest = items.into_iter().next();
    let name = query.backup_type.unwrap_or_else(|| "latest".to_owned());
    Ok(Json(newest.ok_or(AppError::NotFound { resource: "backup", name })?))
}

/// What is known of a backup.
#[utoipa::path(get, path = "/v1/backups/{id}", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "The backup.", body = BackupView)))]
async fn backup_get(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<BackupView>, Problem> {
    Ok(Json(state.board.backup(&backup_id("id", &id)?).await?))
}

/// Deletes a backup; 409 if it is pinned. What it shares with other backups stays.
#[utoipa::path(delete, path = "/v1/backups/{id}", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 204, description = "Deleted.")))]
async fn backup_delete(State(state): State<AppState>, RawPath(id): RawPath) -> Result<StatusCode, Problem> {
    state.board.backup_delete(&backup_id("id", &id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the whole backup and compares it with its hashes.
#[utoipa::path(post, path = "/v1/backups/{id}/verify", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "What was found.", body = Verdict)))]
async fn backup_verify(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<Verdict>, Problem> {
    Ok(Json(state.board.backup_verify(&backup_id("id", &id)?).await?))
}

/// Protects a backup: neither `DELETE` nor rules of retention delete it.
#[utoipa::path(put, path = "/v1/backups/{id}/pin", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "The backup.", body = BackupView)))]
async fn backup_pin(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<BackupView>, Problem> {
    Ok(Json(state.board.backup_pin(&backup_id("id", &id)?, true).await?))
}

/// Protects a backup no longer.
#[utoipa::path(delete, path = "/v1/backups/{id}/pin", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id.")),
    responses((status = 200, description = "The backup.", body = BackupView)))]
async fn backup_unpin(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<BackupView>, Problem> {
    Ok(Json(state.board.backup_pin(&backup_id("id", &id)?, false).await?))
}

/// Who took a backup back, when and why, newest first. This record outlives the backup.
#[utoipa::path(get, path = "/v1/backups/{id}/restores", tag = "backups",
    params(("id" = BackupId, Path, description = "The backup's id."), HistoryQuery),
    responses((status = 200, description = "A page of restores.", body = Page<RestoreView>)))]
async fn restore_list(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<RestoreView>>, Problem> {
    let (limit, before) = query.checked()?;
    let (items, next) = state.board.restores(Some(&backup_id("id", &id)?), before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}
