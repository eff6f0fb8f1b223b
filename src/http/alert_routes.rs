//! `/v1/routes`: which receiver is told of which alerts. (`routes.rs` is about paths.)

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
    app::routes::{RouteCell, RouteView},
    domain::{Name, notify::RouteSpec},
};

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(route_list)).routes(routes!(route_put, route_get, route_delete))
}

/// Lists routes in the order of their names.
#[utoipa::path(get, path = "/v1/routes", tag = "notifications", params(PageQuery),
    responses((status = 200, description = "A page of routes.", body = Page<RouteView>)))]
async fn route_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RouteView>>, Problem> {
    definitions::page::<RouteCell, _>(&state, &query, |cell| cell.view(&state.board)).map(Json)
}

/// Creates a route, or replaces its configuration. It may have routes inside of it.
///
/// Routes are tried in ascending order of `position` and name, as Alertmanager tries those inside of its root: the first that
/// matches takes the alert, and the next ones are tried as long as those that matched say `continue`. An alert that no route
/// matches goes to every receiver, in groups by `alertname`.
#[utoipa::path(put, path = "/v1/routes/{name}", tag = "notifications", request_body = Option<RouteSpec>,
    params(("name" = Name, Path, description = "The route's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = RouteView),
        (status = 201, description = "Created.", body = RouteView)))]
async fn route_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<RouteCell, _>(&state, name, &body, conditions, |cell| cell.view(&state.board)).await
}

/// One route.
#[utoipa::path(get, path = "/v1/routes/{name}", tag = "notifications",
    params(("name" = Name, Path, description = "The route's name.")),
    responses((status = 200, description = "The route.", body = RouteView)))]
async fn route_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<RouteCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board)))
}

/// Deletes a route.
#[utoipa::path(delete, path = "/v1/routes/{name}", tag = "notifications",
    params(("name" = Name, Path, description = "The route's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn route_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<RouteCell>(&state, &name, conditions).await
}
