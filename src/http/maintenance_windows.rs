//! `/v1/maintenance-windows`: times that come again, in which nobody is told of certain alerts.

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
    app::maintenance_windows::{MaintenanceWindowCell, MaintenanceWindowView},
    domain::{Name, notify::MaintenanceWindowSpec},
};

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(maintenance_window_list)).routes(routes!(
        maintenance_window_put,
        maintenance_window_get,
        maintenance_window_delete
    ))
}

/// Lists maintenance windows in the order of their names.
#[utoipa::path(get, path = "/v1/maintenance-windows", tag = "notifications", params(PageQuery),
    responses((status = 200, description = "A page of maintenance windows.", body = Page<MaintenanceWindowView>)))]
async fn maintenance_window_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<MaintenanceWindowView>>, Problem> {
    definitions::page::<MaintenanceWindowCell, _>(&state, &query, |cell| cell.view(&state.board)).map(Json)
}

/// Creates a maintenance window, or replaces its configuration.
///
/// While it is open, nobody is told that alerts fire which its matchers match. Those that still fire when it closes are told
/// then, and alerts that were told before are told to be resolved meanwhile, too.
#[utoipa::path(put, path = "/v1/maintenance-windows/{name}", tag = "notifications", request_body = MaintenanceWindowSpec,
    params(("name" = Name, Path, description = "The maintenance window's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = MaintenanceWindowView),
        (status = 201, description = "Created.", body = MaintenanceWindowView)))]
async fn maintenance_window_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<MaintenanceWindowCell, _>(&state, name, &body, conditions, |cell| {
        cell.view(&state.board)
    })
    .await
}

/// One maintenance window.
#[utoipa::path(get, path = "/v1/maintenance-windows/{name}", tag = "notifications",
    params(("name" = Name, Path, description = "The maintenance window's name.")),
    responses((status = 200, description = "The maintenance window.", body = MaintenanceWindowView)))]
async fn maintenance_window_get(
    State(state): State<AppState>,
    NamePath(name): NamePath,
) -> Result<Response, Problem> {
    let cell = state.board.find::<MaintenanceWindowCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board)))
}

/// Deletes a maintenance window.
#[utoipa::path(delete, path = "/v1/maintenance-windows/{name}", tag = "notifications",
    params(("name" = Name, Path, description = "The maintenance window's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn maintenance_window_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<MaintenanceWindowCell>(&state, &name, conditions).await
}
