//! `/v1/schedules`

use axum::{
    Extension,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    breakers::bounded,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    idempotency::{Once, OnceHeader},
    json::{Json, json_response},
    paging::{Page, PageQuery, checked_limit, default_limit, id_cursor},
    problem::{Code, Problem},
    routing::{Routes, routes},
};
use crate::{
    app::{
        definitions::Precondition,
        schedules::{ScheduleCell, ScheduleView},
        text::Text,
        tokens::Caller,
    },
    domain::{
        Name, Seconds,
        schedule::{Run, RunStatus, ScheduleSpec},
        schema::IdCursor,
    },
};

/// The longest that a request waits for the end of a run: shorter than a request may take.
const MAX_WAIT: Seconds = Seconds::whole(25);

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(schedule_list))
        .routes(routes!(schedule_put, schedule_get, schedule_delete))
        .routes(routes!(schedule_run))
        .routes(routes!(run_list))
        .routes(routes!(run_get))
}

/// Lists schedules in the order of their names.
#[utoipa::path(get, path = "/v1/schedules", tag = "schedules", params(PageQuery),
    responses((status = 200, description = "A page of schedules.", body = Page<ScheduleView>)))]
async fn schedule_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ScheduleView>>, Problem> {
    definitions::page::<ScheduleCell, _>(&state, &query, |cell| cell.view()).map(Json)
}

/// Creates a schedule, or replaces its configuration and keeps its runs.
///
/// If that changes when it is due, or enables it, the next run is the first one due from now on.
#[utoipa::path(put, path = "/v1/schedules/{name}", tag = "schedules", request_body = ScheduleSpec,
    params(("name" = Name, Path, description = "The schedule's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = ScheduleView),
        (status = 201, description = "Created.", body = ScheduleView)))]
async fn schedule_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<ScheduleCell, _>(&state, name, &body, conditions, |cell| cell.view()).await
}

/// A schedule's next runs, those that go on, the last one, and its configuration.
#[utoipa::path(get, path = "/v1/schedules/{name}", tag = "schedules",
    params(("name" = Name, Path, description = "The schedule's name.")),
    responses((status = 200, description = "The schedule.", body = ScheduleView)))]
async fn schedule_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<ScheduleCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view()))
}

/// Deletes a schedule and its runs; those that go on are broken off.
#[utoipa::path(delete, path = "/v1/schedules/{name}", tag = "schedules",
    params(("name" = Name, Path, description = "The schedule's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn schedule_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Conditions(precondition): Conditions,
) -> Result<StatusCode, Problem> {
    let precondition = Precondition { if_none_match: None, ..precondition };
    state.board.schedule_remove(name.as_str(), precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A run by hand.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleRunBody<'a> {
    /// Who, for the history; at most 1024 characters. The token's name if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    actor: Option<Text<'a>>,
}

/// Whether to wait.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WaitQuery {
    /// Wait so long for the end of the run, at most 25 seconds. Default 0.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 25)]
    wait_seconds: Option<Seconds>,
}

/// Runs a schedule now, also while it is disabled.
///
/// 202 with the run, which is on disk and has begun; with `wait_seconds`, 200 with its end if it comes in time. 409
/// `still_running` while another run of it goes on (with `overlap: allow`, while 16 do).
#[utoipa::path(post, path = "/v1/schedules/{name}/run", tag = "schedules", request_body = Option<ScheduleRunBody>,
    params(("name" = Name, Path, description = "The schedule's name."), WaitQuery,
        OnceHeader),
    responses((status = 200, description = "The run, which has ended.", body = Run),
        (status = 202, description = "The run, which goes on.", body = Run)))]
async fn schedule_run(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Query(query): Query<WaitQuery>,
    caller: Option<Extension<Caller>>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let ask: ScheduleRunBody<'_> = body.parse_or_empty()?;
    let patience = query.wait_seconds.unwrap_or(Seconds::ZERO);
    if patience > MAX_WAIT {
        return Err(Problem::invalid("wait_seconds", "must be at most 25"));
    }
    let given = bounded("actor", ask.actor.as_ref())?;
    let actor = given.or(caller.as_ref().map(|caller| &*caller.0.name)).map(str::to_owned);
    let schedule = name.clone();
    let begun = once
        .run_durable(&state, &body.0, |board, key| async move {
            board.schedule_run(schedule.as_str(), actor, key).await
        })
        .await?;
    if patience.is_zero() {
        return Ok(begun);
    }
    let (mut parts, body) = begun.into_parts();
    let broken = |error: &dyn std::fmt::Display| Problem::new(Code::InternalError, error.to_string());
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|error| broken(&error))?;
    let run: Run = serde_json::from_slice(&body).map_err(|error| broken(&error))?;
    let run = state.board.run_wait(&name, run.id, patience.get()).await?;
    if run.status != RunStatus::Running {
        parts.status = StatusCode::OK;
    }
    let text = serde_json::to_vec(&run).map_err(|error| broken(&error))?;
    let mut response = json_response(parts.status, text.into());
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// Which runs.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RunQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<IdCursor>)]
    cursor: Option<String>,
    /// Only of this status.
    status: Option<RunStatus>,
}

/// The runs of a schedule, newest first, as many as `retain_runs` keeps.
#[utoipa::path(get, path = "/v1/schedules/{name}/runs", tag = "schedules",
    params(("name" = Name, Path, description = "The schedule's name."), RunQuery),
    responses((status = 200, description = "A page of runs.", body = Page<Run>)))]
async fn run_list(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Query(query): Query<RunQuery>,
) -> Result<Json<Page<Run>>, Problem> {
    let limit = checked_limit(query.limit)?;
    let before = id_cursor(query.cursor.as_deref())?;
    let (items, next) = state.board.run_list(&name, query.status, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}

/// The name and the number in a path.
struct RunPath(Name, u64);

impl<S: Send + Sync> FromRequestParts<S> for RunPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path((name, id)) =
            axum::extract::Path::<(String, String)>::from_request_parts(parts, state)
                .await
                .map_err(|rejection| Problem::invalid("name", rejection.body_text()))?;
        let name = Name::try_from(name).map_err(|error| Problem::invalid("name", error.to_string()))?;
        let id = id.parse().map_err(|_| Problem::invalid("id", "must be the number of a run"))?;
        Ok(Self(name, id))
    }
}

/// One run.
#[utoipa::path(get, path = "/v1/schedules/{name}/runs/{id}", tag = "schedules",
    params(("name" = Name, Path, description = "The schedule's name."),
        ("id" = u64, Path, description = "The run's number.")),
    responses((status = 200, description = "The run.", body = Run)))]
async fn run_get(State(state): State<AppState>, RunPath(name, id): RunPath) -> Result<Json<Run>, Problem> {
    Ok(Json(state.board.run_find(&name, id).await?))
}
