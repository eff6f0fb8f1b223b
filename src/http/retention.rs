//! `/v1/retention`: which backups stay.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    AppState, backups,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    json::Json,
    paging::{Page, PageQuery},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        backups::Pruned,
        retention::{RetentionCell, RetentionView},
    },
    domain::{Name, retention::RetentionSpec},
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(retention_list))
        .routes(routes!(retention_put, retention_get, retention_delete))
        .routes(routes!(backups_prune))
}

/// Lists policies of retention in the order of the types that they are for.
#[utoipa::path(get, path = "/v1/retention", tag = "backups", params(PageQuery),
    responses((status = 200, description = "A page of policies.", body = Page<RetentionView>)))]
async fn retention_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RetentionView>>, Problem> {
    definitions::page::<RetentionCell, _>(&state, &query, |cell| cell.view()).map(Json)
}

/// Says which backups of a type stay. It is applied after the next backup of the type, or within an hour.
///
/// What any rule keeps stays. Rules that count are those of restic and borg: the newest backup of each of the newest so many
/// days (hours, ISO weeks, …) that have one. Pinned backups and those in the future stay and use up no place. Damaged ones use
/// up no place of whole ones, and stay as long as they would if everything was whole. The newest verified backup of a type
/// always stays, or the newest as long as none is verified.
#[utoipa::path(put, path = "/v1/retention/{backup_type}", tag = "backups", request_body = Option<RetentionSpec>,
    params(("backup_type" = Name, Path, description = "The type of backups."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = RetentionView),
        (status = 201, description = "Created.", body = RetentionView)))]
async fn retention_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<RetentionCell, _>(&state, name, &body, conditions, |cell| cell.view()).await
}

/// Which backups of a type stay; 404 if it has no policy of its own.
#[utoipa::path(get, path = "/v1/retention/{backup_type}", tag = "backups",
    params(("backup_type" = Name, Path, description = "The type of backups.")),
    responses((status = 200, description = "The policy.", body = RetentionView)))]
async fn retention_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<RetentionCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view()))
}

/// Deletes the policy of a type: `retention_days` of the section `[backup]` is in force again, or all backups stay.
#[utoipa::path(delete, path = "/v1/retention/{backup_type}", tag = "backups",
    params(("backup_type" = Name, Path, description = "The type of backups."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn retention_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<RetentionCell>(&state, &name, conditions).await
}

/// What to prune.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PruneBody {
    /// Only say what would be done. Default false.
    #[serde(default)]
    dry_run: bool,
    /// Only backups of this type. Default all.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    backup_type: Option<String>,
}

/// Deletes the backups that no rule of retention keeps, or says which those are, and why the others stay.
///
/// It happens by itself too: after each new backup for its type, and once an hour for all.
#[utoipa::path(post, path = "/v1/backups/prune", tag = "backups", request_body = Option<PruneBody>,
    responses((status = 200, description = "What was done, or would be.", body = Pruned)))]
async fn backups_prune(State(state): State<AppState>, body: JsonBytes) -> Result<Json<Pruned>, Problem> {
    let PruneBody { dry_run, backup_type } = body.parse_or_empty()?;
    let backup_type = backups::backup_type(backup_type.as_deref())?;
    Ok(Json(state.board.backups_prune(backup_type.as_ref(), dry_run).await?))
}
