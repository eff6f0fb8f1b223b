//! `/v1/retry-policies`

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    AppState,
    calls::client,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    json::Json,
    paging::{Page, PageQuery},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        retry_policies::{AttemptAnswer, RetryPolicyCell, RetryPolicyView},
        text::Text,
    },
    domain::{Name, Seconds, retry::RetryPolicySpec, schema::ClientName},
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(retry_policy_list))
        .routes(routes!(retry_policy_put, retry_policy_get, retry_policy_delete))
        .routes(routes!(retry_policy_attempt))
}

/// Lists retry policies in the order of their names.
#[utoipa::path(get, path = "/v1/retry-policies", tag = "retry policies", params(PageQuery),
    responses((status = 200, description = "A page of policies.", body = Page<RetryPolicyView>)))]
async fn retry_policy_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<RetryPolicyView>>, Problem> {
    let now = state.board.clock.now();
    definitions::page::<RetryPolicyCell, _>(&state, &query, |cell| cell.view(now)).map(Json)
}

/// Creates a retry policy, or replaces its configuration and keeps its budget.
#[utoipa::path(put, path = "/v1/retry-policies/{name}", tag = "retry policies", request_body = Option<RetryPolicySpec>,
    params(("name" = Name, Path, description = "The policy's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = RetryPolicyView),
        (status = 201, description = "Created.", body = RetryPolicyView)))]
async fn retry_policy_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let view = |cell: &std::sync::Arc<RetryPolicyCell>| cell.view(state.board.clock.now());
    definitions::put::<RetryPolicyCell, _>(&state, name, &body, conditions, view).await
}

/// A retry policy's counters, budget and configuration.
#[utoipa::path(get, path = "/v1/retry-policies/{name}", tag = "retry policies",
    params(("name" = Name, Path, description = "The policy's name.")),
    responses((status = 200, description = "The policy.", body = RetryPolicyView)))]
async fn retry_policy_get(
    State(state): State<AppState>,
    NamePath(name): NamePath,
) -> Result<Response, Problem> {
    let cell = state.board.find::<RetryPolicyCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(state.board.clock.now())))
}

/// Deletes a retry policy.
#[utoipa::path(delete, path = "/v1/retry-policies/{name}", tag = "retry policies",
    params(("name" = Name, Path, description = "The policy's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn retry_policy_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<RetryPolicyCell>(&state, &name, conditions).await
}

/// Asks for an attempt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AttemptBody<'a> {
    /// The number of the attempt; 1 is the first try, 2 the first retry.
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    attempt: u32,
    /// What the upstream's `Retry-After` said; the delay is at least that.
    #[serde(default)]
    retry_after_seconds: Option<Seconds>,
    /// Who asks.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
    /// Creates the policy if there is none; never changes one.
    #[serde(default, deserialize_with = "crate::domain::object::object_option")]
    config: Option<RetryPolicySpec>,
}

/// Whether to make this attempt, and after which delay. First tries fill the fleet's retry budget, retries use it.
#[utoipa::path(post, path = "/v1/retry-policies/{name}/attempts", tag = "retry policies", request_body = AttemptBody,
    params(("name" = Name, Path, description = "The policy's name.")),
    responses((status = 200, description = "The decision.", body = AttemptAnswer)))]
async fn retry_policy_attempt(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    body: JsonBytes,
) -> Result<Json<AttemptAnswer>, Problem> {
    let ask: AttemptBody<'_> = body.parse()?;
    client(ask.client.as_ref())?;
    let cell = state.board.find_or_declare::<RetryPolicyCell>(&name, ask.config).await?;
    let random = random_fraction();
    let retry_after = ask.retry_after_seconds.map(Seconds::get);
    Ok(Json(state.board.retry_attempt(&cell, ask.attempt, retry_after, random)?))
}

/// Evenly from 0 to below 1.
fn random_fraction() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}
