//! `/v1/gates`: may I go?

use std::time::Duration;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    AppState,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    json::Json,
    paging::{Page, PageQuery},
    problem::{Code, Problem},
    routing::{Routes, routes},
};
use crate::{
    app::{
        AppError, FieldError,
        gates::{GateAnswer, GateCell, GateVerdict},
    },
    domain::{
        Name,
        gate::{Blocking, GateSpec},
    },
};

/// When a refused caller may ask again: evaluations cost little.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(gate_list))
        .routes(routes!(gate_evaluate_ad_hoc))
        .routes(routes!(gate_put, gate_get, gate_delete))
        .routes(routes!(gate_evaluate))
}

/// Lists gates in the order of their names, with what they would answer now.
#[utoipa::path(get, path = "/v1/gates", tag = "gates", params(PageQuery),
    responses((status = 200, description = "A page of gates.", body = Page<GateAnswer>)))]
async fn gate_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<GateAnswer>>, Problem> {
    definitions::page::<GateCell, _>(&state, &query, |cell| cell.view(&state.board)).map(Json)
}

/// Creates a gate, or replaces its configuration. The name `evaluate` is taken.
#[utoipa::path(put, path = "/v1/gates/{name}", tag = "gates", request_body = GateSpec,
    params(("name" = Name, Path, description = "The gate's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = GateAnswer),
        (status = 201, description = "Created.", body = GateAnswer)))]
async fn gate_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<GateCell, _>(&state, name, &body, conditions, |cell| cell.view(&state.board)).await
}

/// A gate's configuration, and how often it let pass.
#[utoipa::path(get, path = "/v1/gates/{name}", tag = "gates",
    params(("name" = Name, Path, description = "The gate's name.")),
    responses((status = 200, description = "The gate.", body = GateAnswer)))]
async fn gate_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<GateCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board)))
}

/// Deletes a gate.
#[utoipa::path(delete, path = "/v1/gates/{name}", tag = "gates",
    params(("name" = Name, Path, description = "The gate's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn gate_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<GateCell>(&state, &name, conditions).await
}

/// Whether refusals become statuses.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct GateQuery {
    /// Answer a refusal with 503 and `Retry-After` instead of 200 and `"allowed": false`.
    #[serde(default)]
    #[param(default = false)]
    strict: bool,
}

/// Asks a gate: may I go? It fails closed: what does not exist, is stale or cannot be known, stands in the way.
///
/// A named gate looks at what it was declared with: a body with more than `{}` in it is refused.
///
/// Each refusal that comes after an admission is an event `gate.refused`; while it goes on, there is one a minute.
#[utoipa::path(post, path = "/v1/gates/{name}/evaluate", tag = "gates",
    params(("name" = Name, Path, description = "The gate's name."), GateQuery),
    responses((status = 200, description = "The answer.", body = GateVerdict)))]
async fn gate_evaluate(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Query(query): Query<GateQuery>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    // Whoever names checks here must not take the answer for one about them.
    body.expect_nothing()?;
    let cell = state.board.find::<GateCell>(name.as_str())?;
    Ok(answer(query, state.board.gate_evaluate(&cell)))
}

/// Asks a gate that is described in the question. Refusals are events of the gate `ad-hoc`.
#[utoipa::path(post, path = "/v1/gates/evaluate", tag = "gates", request_body = GateSpec, params(GateQuery),
    responses((status = 200, description = "The answer.", body = GateVerdict)))]
async fn gate_evaluate_ad_hoc(
    State(state): State<AppState>,
    Query(query): Query<GateQuery>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let spec: GateSpec = body.parse()?;
    Ok(answer(query, state.board.gate_evaluate_ad_hoc(spec).map_err(AppError::from)?))
}

fn answer(query: GateQuery, verdict: GateVerdict) -> Response {
    if verdict.allowed || !query.strict {
        return Json(verdict).into_response();
    }
    let detail = closed_by(&verdict.blocking);
    let blocking = verdict.blocking.into_iter().map(|blocking| FieldError {
        message: format!("{}: {}", blocking.status.as_str(), blocking.message),
        field: blocking.name,
    });
    Problem::new(Code::GateClosed, detail).errors(blocking.collect()).retry_after(RETRY_AFTER).into_response()
}

/// In a sentence: the worst, and how many others.
fn closed_by(blocking: &[Blocking]) -> String {
    let Some(Blocking { kind, name, status, message }) = blocking.first() else {
        return "the gate is closed".to_owned();
    };
    let (kind, status) = (kind.as_str(), status.as_str());
    let others = match blocking.len() - 1 {
        0 => String::new(),
        others => format!(", and by {others} more"),
    };
    format!("the gate is closed by {kind} {name}, which is {status} ({message}){others}")
}
