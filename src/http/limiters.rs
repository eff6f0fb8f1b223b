//! `/v1/limiters`

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppState,
    breakers::{actor, bounded},
    calls::client,
    definitions::{self, Conditions, DeleteHeaders, ReplaceHeaders},
    extract::{JsonBytes, NamePath, Query},
    idempotency::{Once, OnceHeader},
    json::Json,
    paging::{Page, PageQuery},
    problem::Problem,
    routing::{Routes, routes},
    strict::{self, Refusal, StrictQuery},
};
use crate::{
    app::{
        definitions::not_found,
        limiters::{Acquired, LimiterCell, LimiterView, Marks},
        text::Text,
        tokens::Caller,
    },
    domain::{Name, Seconds, Tokens, limiter::LimiterSpec, schema::ClientName},
};

/// The most acquires of one batch.
const MAX_BATCH: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(limiter_list))
        .routes(routes!(limiter_put, limiter_get, limiter_delete))
        .routes(routes!(limiter_acquire))
        .routes(routes!(limiter_penalize))
        .routes(routes!(acquire_batch))
}

/// Lists limiters in the order of their names.
#[utoipa::path(get, path = "/v1/limiters", tag = "limiters", params(PageQuery),
    responses((status = 200, description = "A page of limiters.", body = Page<LimiterView>)))]
async fn limiter_list(
    State(state): State<AppState>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LimiterView>>, Problem> {
    let now = state.board.clock.now();
    definitions::page::<LimiterCell, _>(&state, &query, |cell| cell.view(now)).map(Json)
}

/// Creates a limiter, or replaces its configuration and keeps what is consumed.
#[utoipa::path(put, path = "/v1/limiters/{name}", tag = "limiters", request_body = Option<LimiterSpec>,
    params(("name" = Name, Path, description = "The limiter's name."),
        ReplaceHeaders),
    responses((status = 200, description = "Replaced.", body = LimiterView),
        (status = 201, description = "Created.", body = LimiterView)))]
async fn limiter_put(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let view = |cell: &std::sync::Arc<LimiterCell>| cell.view(state.board.clock.now());
    definitions::put::<LimiterCell, _>(&state, name, &body, conditions, view).await
}

/// A limiter's tokens, counters and configuration.
#[utoipa::path(get, path = "/v1/limiters/{name}", tag = "limiters",
    params(("name" = Name, Path, description = "The limiter's name.")),
    responses((status = 200, description = "The limiter.", body = LimiterView)))]
async fn limiter_get(State(state): State<AppState>, NamePath(name): NamePath) -> Result<Response, Problem> {
    let cell = state.board.find::<LimiterCell>(name.as_str())?;
    Ok(definitions::tagged(&cell, cell.view(state.board.clock.now())))
}

/// Deletes a limiter.
#[utoipa::path(delete, path = "/v1/limiters/{name}", tag = "limiters",
    params(("name" = Name, Path, description = "The limiter's name."),
        DeleteHeaders),
    responses((status = 204, description = "Deleted.")))]
async fn limiter_delete(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    conditions: Conditions,
) -> Result<StatusCode, Problem> {
    definitions::delete::<LimiterCell>(&state, &name, conditions).await
}

fn one() -> Tokens {
    Tokens::ONE
}

/// Asks for tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcquireBody<'a> {
    /// How many; 1 if left out. 0 takes nothing and tells whether one token could be taken now.
    #[serde(default = "one")]
    tokens: Tokens,
    /// How long the caller is ready to sleep: reserves a slot within that time.
    #[serde(default)]
    max_wait_seconds: Option<Seconds>,
    /// Who asks, for fair shares.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
    /// Creates the limiter if there is none; never changes one.
    #[serde(default, deserialize_with = "crate::domain::object::object_option")]
    config: Option<LimiterSpec>,
}

/// Takes tokens, now or reserved within `max_wait_seconds`.
#[utoipa::path(post, path = "/v1/limiters/{name}/acquire", tag = "limiters", request_body = Option<AcquireBody>,
    params(("name" = Name, Path, description = "The limiter's name."), StrictQuery,
        OnceHeader),
    responses((status = 200, description = "The decision.", body = Acquired)))]
async fn limiter_acquire(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    Query(query): Query<StrictQuery>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let work = move |state: AppState, body: JsonBytes| async move {
        let ask: AcquireBody<'_> = body.parse_or_empty()?;
        let cell = state.board.find_or_declare::<LimiterCell>(&name, ask.config).await?;
        let client = client(ask.client.as_ref())?;
        let max_wait = ask.max_wait_seconds.unwrap_or(Seconds::ZERO).get();
        let mut marks = Marks::new();
        let answer = state.board.limiter_acquire(&cell, ask.tokens, max_wait, client, &mut marks)?;
        state.board.save_marks(marks).await?;
        let refusal = answer.reason.map(|reason| Refusal {
            reason,
            by: name.as_str(),
            retry_after_seconds: answer.retry_after_seconds,
        });
        let remaining = answer.remaining;
        Ok(strict::answer(query, answer, refusal.as_ref(), Some(remaining)))
    };
    once.run(&state, body, work).await
}

/// The upstream said 429.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PenalizeBody<'a> {
    /// How long everybody waits.
    retry_after_seconds: Seconds,
    /// Why, for the history; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    reason: Option<Text<'a>>,
    /// Who, for the history; the token's name if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    actor: Option<Text<'a>>,
}

/// Makes everybody wait, because the upstream said so.
#[utoipa::path(post, path = "/v1/limiters/{name}/penalize", tag = "limiters", request_body = PenalizeBody,
    params(("name" = Name, Path, description = "The limiter's name."),
        OnceHeader),
    responses((status = 200, description = "The limiter; the penalty is on disk.", body = LimiterView)))]
async fn limiter_penalize(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    caller: Option<Extension<Caller>>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let ask: PenalizeBody<'_> = body.parse()?;
    let actor = actor(ask.actor.as_ref(), caller.as_ref())?.to_owned();
    let reason = bounded("reason", ask.reason.as_ref())?.unwrap_or_default().to_owned();
    let span = ask.retry_after_seconds.get();
    once.run_durable(&state, &body.0, |board, key| async move {
        board.limiter_penalize(name.as_str(), span, &actor, &reason, key).await
    })
    .await
}

/// One acquire of a batch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchItem<'a> {
    /// The limiter.
    #[serde(borrow)]
    #[schema(value_type = String)]
    limiter: Text<'a>,
    /// How many tokens; 1 if left out.
    #[serde(default = "one")]
    tokens: Tokens,
}

/// Many acquires at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchBody<'a> {
    /// Up to 1000 acquires; each is decided by itself, in order.
    #[serde(borrow, deserialize_with = "crate::domain::object::objects")]
    #[schema(max_items = 1000)]
    items: Vec<BatchItem<'a>>,
    /// Who asks.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
}

/// The answer to one acquire of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum BatchAnswer {
    /// The decision.
    Decided(Acquired),
    /// None.
    Failed(ItemError),
}

/// Why there is no answer to an item.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemError {
    /// What is wrong with it; nothing was done.
    pub(super) error: String,
}

/// The answers to a batch.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswers {
    /// In the order of the request.
    items: Vec<BatchAnswer>,
}

/// Takes tokens of many limiters, each by itself, in one round trip.
#[utoipa::path(post, path = "/v1/acquires", tag = "limiters", request_body = BatchBody,
    responses((status = 200, description = "The decisions, in order.", body = BatchAnswers)))]
async fn acquire_batch(State(state): State<AppState>, body: JsonBytes) -> Result<Response, Problem> {
    let ask: BatchBody<'_> = body.parse()?;
    if ask.items.len() > MAX_BATCH {
        return Err(Problem::invalid("items", format!("must be at most {MAX_BATCH}")));
    }
    let client = client(ask.client.as_ref())?;
    let mut marks = Marks::new();
    let items = ask
        .items
        .iter()
        .map(|item| {
            let name = item.limiter.as_str();
            let decision = match state.board.limiters.get(name) {
                Some(cell) => state.board.limiter_acquire(
                    &cell,
                    item.tokens,
                    std::time::Duration::ZERO,
                    client,
                    &mut marks,
                ),
                None => Err(not_found::<LimiterCell>(name)),
            };
            match decision {
                Ok(decision) => BatchAnswer::Decided(decision),
                Err(error) => BatchAnswer::Failed(ItemError { error: error.to_string() }),
            }
        })
        .collect();
    state.board.save_marks(marks).await?;
    Ok(Json(BatchAnswers { items }).into_response())
}
