//! `/v1/breakers`

use axum::{Extension, extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

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
        breakers::{BreakerCell, BreakerView, StateChange},
        events::TransitionView,
        text::Text,
        tokens::Caller,
    },
    domain::{
        Name, Seconds,
        breaker::{BreakerSpec, StateName},
        schema::PositiveSeconds,
        text::is_longer,
    },
};

/// The longest reason or actor of a manual change, in characters.
const MAX_TEXT: usize = 1024;

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(breaker_list))
        .routes(routes!(breaker_put, breaker_get, breaker_delete))
        .routes(routes!(breaker_state_set))
        .routes(routes!(breaker_reset))
        .routes(routes!(breaker_transitions))
}

/// Lists breakers in the order of their names.
#[utoipa::path(get, path = "/v1/breakers", tag = "breakers", params(PageQuery),
    responses((status = 200, description = "A page of breakers.", body = Page<BreakerView>)))]
async fn breaker_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<BreakerView>>, Problem> {
    definitions::page::<BreakerCell, _>(&state, &query, |cell| cell.view(&state.board)).map(Json)
}

/// Creates a breaker, or replaces its configuration and keeps its state.
#[utoipa::path(put, path = "/v1/breakers/{name}", tag = "breakers", request_body = Option<BreakerSpec>,
    params(("name" = Name, Path, description = "The breaker's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = BreakerView),
        (status = 201, description = "Created.", body = BreakerView)))]
async fn breaker_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    definitions::put::<BreakerCell, _>(&state, name, &body, conditions, |cell| cell.view(&state.board)).await
}

/// A breaker's state, counters and configuration.
#[utoipa::path(get, path = "/v1/breakers/{name}", tag = "breakers",
    params(("name" = Name, Path, description = "The breaker's name.")),
    responses((status = 200, description = "The breaker.", body = BreakerView)))]
async fn breaker_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<BreakerCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(&state.board)))
}

/// Deletes a breaker. Its history stays.
#[utoipa::path(delete, path = "/v1/breakers/{name}", tag = "breakers",
    params(("name" = Name, Path, description = "The breaker's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn breaker_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<axum::http::StatusCode, Problem> {
    definitions::delete::<BreakerCell>(&state, &name, conditions).await
}

/// A manual change of state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StateBody<'a> {
    /// The state to go to.
    target: StateName,
    /// Why, for the history; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    reason: Option<Text<'a>>,
    /// Who, for the history; the token's name if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    actor: Option<Text<'a>>,
    /// For `forced_open`, `disabled`, `metrics_only`: after so many seconds the state before returns.
    #[schema(value_type = Option<PositiveSeconds>)]
    ttl_seconds: Option<Seconds>,
}

/// Changes the state by hand: trips, closes or overrides a breaker.
#[utoipa::path(post, path = "/v1/breakers/{name}/state", tag = "breakers", request_body = StateBody,
    params(("name" = Name, Path, description = "The breaker's name."),
        OnceHeader),
    responses((status = 200, description = "The breaker after the change, which is on disk.", body = BreakerView)))]
async fn breaker_state_set(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    caller: Option<Extension<Caller>>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let ask: StateBody<'_> = body.parse()?;
    let change = StateChange {
        target: ask.target,
        ttl: ask.ttl_seconds.map(Seconds::get),
        actor: actor(ask.actor.as_ref(), caller.as_ref())?.to_owned(),
        reason: bounded("reason", ask.reason.as_ref())?.unwrap_or_default().to_owned(),
    };
    if change.ttl.is_some_and(|ttl| ttl.is_zero()) {
        return Err(Problem::invalid("ttl_seconds", "must be more than 0"));
    }
    once.run_durable(&state, &body.0, |board, key| async move {
        board.breaker_state_set(name.as_str(), change, key).await
    })
    .await
}

/// A manual reset.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResetBody<'a> {
    /// Why, for the history; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    reason: Option<Text<'a>>,
    /// Who, for the history; the token's name if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    actor: Option<Text<'a>>,
}

/// Closes a breaker and forgets its counts, override and waiting timers.
#[utoipa::path(post, path = "/v1/breakers/{name}/reset", tag = "breakers", request_body = Option<ResetBody>,
    params(("name" = Name, Path, description = "The breaker's name."),
        OnceHeader),
    responses((status = 200, description = "The breaker after the reset, which is on disk.", body = BreakerView)))]
async fn breaker_reset(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    caller: Option<Extension<Caller>>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let ask: ResetBody<'_> = body.parse_or_empty()?;
    let actor = actor(ask.actor.as_ref(), caller.as_ref())?.to_owned();
    let reason = bounded("reason", ask.reason.as_ref())?.unwrap_or_default().to_owned();
    once.run_durable(&state, &body.0, |board, key| async move {
        board.breaker_reset(name.as_str(), &actor, &reason, key).await
    })
    .await
}

/// The history of a breaker, newest first.
#[utoipa::path(get, path = "/v1/breakers/{name}/transitions", tag = "breakers",
    params(("name" = Name, Path, description = "The breaker's name."), HistoryQuery),
    responses((status = 200, description = "A page of transitions.", body = Page<TransitionView>)))]
async fn breaker_transitions(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<TransitionView>>, Problem> {
    let (limit, before) = query.checked()?;
    // What ran out meanwhile belongs into the history.
    state.board.find::<BreakerCell>(name.as_str())?.advance(&state.board);
    let (items, next) = state.board.breaker_transitions(&name, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}

/// Who stands in the history: who the body says, else whose token it is.
pub(super) fn actor<'a>(
    given: Option<&'a Text<'_>>,
    caller: Option<&'a Extension<Caller>>,
) -> Result<&'a str, Problem> {
    Ok(bounded("actor", given)?.or(caller.map(|caller| &*caller.0.name)).unwrap_or("anonymous"))
}

/// Text that goes into the history, if it is not too long.
pub(super) fn bounded<'a>(
    field: &'static str,
    text: Option<&'a Text<'_>>,
) -> Result<Option<&'a str>, Problem> {
    match text.map(Text::as_str) {
        Some(text) if is_longer(text, MAX_TEXT) => {
            Err(Problem::invalid(field, format!("must be at most {MAX_TEXT} characters")))
        }
        text => Ok(text),
    }
}
