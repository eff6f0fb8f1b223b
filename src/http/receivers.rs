//! `/v1/receivers`: whom to tell of alerts.

use axum::{extract::State, http::StatusCode, response::Response};

use super::{
    AppState,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    json::Json,
    paging::{Page, PageQuery},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::receivers::{ReceiverCell, ReceiverTest, ReceiverView},
    domain::{Name, notify::ReceiverSpec},
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(receiver_list))
        .routes(routes!(receiver_put, receiver_get, receiver_delete))
        .routes(routes!(receiver_test))
}

/// Lists receivers in the order of their names.
#[utoipa::path(get, path = "/v1/receivers", tag = "notifications", params(PageQuery),
    responses((status = 200, description = "A page of receivers.", body = Page<ReceiverView>)))]
async fn receiver_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ReceiverView>>, Problem> {
    definitions::page::<ReceiverCell, _>(&state, &query, |cell| cell.view(&state.board)).map(Json)
}

/// Creates a receiver of notifications, or replaces its configuration.
///
/// Without routes, every alert goes to every receiver. What waits for a receiver is sent as it is configured then. Each
/// notification has the header `Fuseboard-Delivery-Id` (and `Idempotency-Key`), equal for every attempt: it comes at least
/// once. Answers from 200 to 299 take it; of the others, 408, 429 and those from 500 on are tried again with growing waits,
/// `Retry-After` is heeded, and all else is final.
#[utoipa::path(put, path = "/v1/receivers/{name}", tag = "notifications", request_body = ReceiverSpec,
    params(("name" = Name, Path, description = "The receiver's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = ReceiverView),
        (status = 201, description = "Created.", body = ReceiverView)))]
async fn receiver_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<ReceiverCell, _>(&state, name, &body, conditions, |cell| cell.view(&state.board)).await
}

/// One receiver.
#[utoipa::path(get, path = "/v1/receivers/{name}", tag = "notifications",
    params(("name" = Name, Path, description = "The receiver's name.")),
    responses((status = 200, description = "The receiver.", body = ReceiverView)))]
async fn receiver_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<ReceiverCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board)))
}

/// Deletes a receiver.
#[utoipa::path(delete, path = "/v1/receivers/{name}", tag = "notifications",
    params(("name" = Name, Path, description = "The receiver's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn receiver_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<ReceiverCell>(&state, &name, conditions).await
}

/// Sends a receiver a notification that is about nothing, once, and says what came of it.
#[utoipa::path(post, path = "/v1/receivers/{name}/test", tag = "notifications",
    params(("name" = Name, Path, description = "The receiver's name.")),
    responses((status = 200, description = "What came of it.", body = ReceiverTest)))]
async fn receiver_test(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    body: JsonBytes,
) -> Result<Json<ReceiverTest>, Problem> {
    body.expect_nothing()?;
    Ok(Json(state.board.receiver_test(name.as_str()).await?))
}
