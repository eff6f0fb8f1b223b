//! `/v1/thresholds`

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    AppState,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    json::Json,
    paging::{Page, checked_limit, default_limit},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        definitions::{Declared, OnExisting, Resource},
        thresholds::{ThresholdCell, completed, view::ThresholdView},
    },
    domain::{Name, alert::AlertLevel, threshold::ThresholdSpec},
};

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(threshold_list, threshold_create)).routes(routes!(
        threshold_put,
        threshold_get,
        threshold_delete
    ))
}

/// Which thresholds.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ThresholdQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that look at this metric.
    metric_name: Option<String>,
    /// Only of this level.
    level: Option<AlertLevel>,
}

/// Lists thresholds in the order of their ids.
///
/// Those of the board itself are among them, unless they are declared otherwise: `builtin.breaker_open`, `builtin.check_red`,
/// `builtin.schedule_missed`, `builtin.backup_corrupt`.
#[utoipa::path(get, path = "/v1/thresholds", tag = "thresholds", params(ThresholdQuery),
    responses((status = 200, description = "A page of thresholds.", body = Page<ThresholdView>)))]
async fn threshold_list(
    State(state): State<AppState>,
    Query(query): Query<ThresholdQuery>,
) -> Result<Json<Page<ThresholdView>>, Problem> {
    let limit = checked_limit(query.limit)?;
    let mut after = query.cursor.clone();
    let mut found: Vec<Arc<ThresholdCell>> = Vec::new();
    while found.len() <= limit {
        let page = ThresholdCell::registry(&state.board).page(after.as_deref(), limit + 1);
        let Some(last) = page.last() else { break };
        after = Some(last.name().as_str().to_owned());
        let wanted = |cell: &Arc<ThresholdCell>| cell.is_about(query.metric_name.as_deref(), query.level);
        found.extend(page.into_iter().filter(wanted));
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| more).map(|last| last.name().as_str().to_owned());
    Ok(Json(Page { items: found.iter().map(|cell| cell.view(&state.board)).collect(), next_cursor }))
}

/// Declares a threshold. 200 with the one that is there if the same definition was declared before, by whomever.
///
/// Its id is made from its definition. One that was changed since under that id is left as it is.
#[utoipa::path(post, path = "/v1/thresholds", tag = "thresholds", request_body = ThresholdSpec,
    responses((status = 200, description = "It is there already.", body = ThresholdView),
        (status = 201, description = "Created.", body = ThresholdView)))]
async fn threshold_create(State(state): State<AppState>, body: JsonBytes) -> Result<Response, Problem> {
    let spec: ThresholdSpec = body.parse()?;
    let declared = state.board.threshold_declare(spec).await?;
    let mut response = answer(&state, &declared);
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/thresholds/{}", declared.resource.name())) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn answer(state: &AppState, declared: &Declared<ThresholdCell>) -> Response {
    let cell = &declared.resource;
    let mut response = definitions::tagged(cell, cell.view(&state.board));
    if declared.created {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}

/// Creates a threshold under an id of your own, or replaces its definition.
///
/// Alerts that go on are judged by the new definition and the last value. For the board's own thresholds, fields that are left
/// out are as they were made: `{"enabled": false}` switches one off.
#[utoipa::path(put, path = "/v1/thresholds/{id}", tag = "thresholds", request_body = Option<ThresholdSpec>,
    params(("id" = Name, Path, description = "The threshold's id."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = ThresholdView),
        (status = 201, description = "Created.", body = ThresholdView)))]
async fn threshold_put(
    State(state): State<AppState>,
    NamePath(id): NamePath,
    Conditions(precondition): Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let spec = completed(&id, body.parse_or_empty()?)?;
    let declared = state.board.declare::<ThresholdCell>(id, spec, OnExisting::Replace(precondition)).await?;
    Ok(answer(&state, &declared))
}

/// A threshold, and how many alerts it has.
#[utoipa::path(get, path = "/v1/thresholds/{id}", tag = "thresholds",
    params(("id" = Name, Path, description = "The threshold's id.")),
    responses((status = 200, description = "The threshold.", body = ThresholdView)))]
async fn threshold_get(State(state): State<AppState>, NamePath(id): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<ThresholdCell>(id.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board)))
}

/// Deletes a threshold and resolves its alerts, which stay in the history.
///
/// One of the board's own is as it was made then; 409 `conflict` if it is so already.
#[utoipa::path(delete, path = "/v1/thresholds/{id}", tag = "thresholds",
    params(("id" = Name, Path, description = "The threshold's id."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn threshold_delete(
    State(state): State<AppState>,
    NamePath(id): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<ThresholdCell>(&state, &id, conditions).await
}
