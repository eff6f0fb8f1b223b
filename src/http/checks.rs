//! `/v1/checks`

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    AppState,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    idempotency::{Once, OnceHeader},
    json::Json,
    paging::{HistoryQuery, Page, PageQuery},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        AppError,
        checks::{CheckCell, results::ResultView, view::CheckAnswer},
        tokens::{Caller, Scope},
    },
    domain::{
        Name,
        check::{CheckPush, CheckSpec, Observation},
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(check_list))
        .routes(routes!(check_put, check_get, check_delete))
        .routes(routes!(check_result_push, check_results))
}

/// Whether the caller may see where jobs ping without a token. Without tokens, everybody may do everything.
fn may_write(caller: Option<&Extension<Caller>>) -> bool {
    caller.is_none_or(|caller| caller.scope >= Scope::Write)
}

/// Lists checks in the order of their names.
#[utoipa::path(get, path = "/v1/checks", tag = "checks", params(PageQuery),
    responses((status = 200, description = "A page of checks.", body = Page<CheckAnswer>)))]
async fn check_list(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<CheckAnswer>>, Problem> {
    let with_key = may_write(caller.as_ref());
    definitions::page::<CheckCell, _>(&state, &query, |cell| cell.view(&state.board, with_key)).map(Json)
}

/// Creates a check, or replaces its configuration. Results so far count on, unless it looks at something else now.
#[utoipa::path(put, path = "/v1/checks/{name}", tag = "checks", request_body = CheckSpec,
    params(("name" = Name, Path, description = "The check's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = CheckAnswer),
        (status = 201, description = "Created.", body = CheckAnswer)))]
async fn check_put(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let with_key = may_write(caller.as_ref());
    definitions::put::<CheckCell, _>(&state, name, &body, conditions, |cell| {
        cell.view(&state.board, with_key)
    })
    .await
}

/// What a check shows, its last result and its configuration.
#[utoipa::path(get, path = "/v1/checks/{name}", tag = "checks",
    params(("name" = Name, Path, description = "The check's name.")),
    responses((status = 200, description = "The check.", body = CheckAnswer)))]
async fn check_get(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    NamePath(name): NamePath,
) -> Result<Response, Problem> {
    let cell = state.board.find::<CheckCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board, may_write(caller.as_ref()))))
}

/// Deletes a check with its results.
#[utoipa::path(delete, path = "/v1/checks/{name}", tag = "checks",
    params(("name" = Name, Path, description = "The check's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn check_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<CheckCell>(&state, &name, conditions).await
}

/// Sends a result to a check of kind `push`. If there is no check of this name, one is created.
#[utoipa::path(post, path = "/v1/checks/{name}/results", tag = "checks", request_body = CheckPush,
    params(("name" = Name, Path, description = "The check's name."),
        OnceHeader),
    responses((status = 200, description = "The check with this result.", body = CheckAnswer)))]
async fn check_result_push(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let work = |state: AppState, body: JsonBytes| async move {
        let push: CheckPush = body.parse()?;
        let observation = Observation::try_from(push).map_err(AppError::from)?;
        let cell = state.board.check_push(name, observation).await?;
        Ok(Json(cell.view(&state.board, false)).into_response())
    };
    once.run(&state, body, work).await
}

/// The results of a check, newest first. They are kept for a time and up to a number, see `[limits]`.
#[utoipa::path(get, path = "/v1/checks/{name}/results", tag = "checks",
    params(("name" = Name, Path, description = "The check's name."), HistoryQuery),
    responses((status = 200, description = "A page of results.", body = Page<ResultView>)))]
async fn check_results(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<ResultView>>, Problem> {
    let (limit, before) = query.checked()?;
    // What ran out meanwhile belongs into the history.
    state.board.find::<CheckCell>(name.as_str())?.refresh(&state.board);
    let (items, next) = state.board.check_results(&name, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}
