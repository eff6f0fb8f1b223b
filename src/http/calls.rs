//! `/v1/calls` and `/v1/outcomes`: the hot path.

use std::{collections::BTreeMap, fmt::Display};

use axum::{
    body::HttpBody,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppState,
    extract::{JsonBytes, Query, RawPath},
    idempotency::{Once, OnceHeader},
    json::Json,
    problem::{Code, Problem},
    routing::{Routes, routes},
    strict::{self, Refusal, StrictQuery},
};
use crate::{
    app::{
        breakers::BreakerCell,
        calls::{
            CallAsk, CallDecision, CallTargets, LimiterAsk, MAX_LIMITERS, Missing, OutcomeAnswer,
            OutcomeReport,
        },
        definitions::OnExisting,
        limiters::{LimiterCell, Marks},
        text::Text,
    },
    domain::{
        Name, Seconds,
        breaker::{BreakerSpec, Outcome},
        limiter::LimiterSpec,
        object::{object_map, object_option, objects},
        schema::ClientName,
        text::is_longer,
    },
};

/// The most outcomes of one request.
const MAX_OUTCOMES: usize = 10_000;
/// The longest client name and the longest error text, in characters.
const MAX_CLIENT: usize = 128;
pub(super) const MAX_ERROR: usize = 1024;

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(call_begin))
        .routes(routes!(call_outcome))
        .routes(routes!(outcomes_report))
}

/// Asks whether a call may be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallBody<'a> {
    /// The breaker to enter.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Name>)]
    breaker: Option<Text<'a>>,
    /// The limiters to take tokens from; at most 16, each once.
    #[serde(borrow, default, deserialize_with = "objects")]
    #[schema(max_items = 16)]
    limiters: Vec<LimiterAsk<'a>>,
    /// How long the caller is ready to sleep for its tokens.
    #[serde(default)]
    max_wait_seconds: Option<Seconds>,
    /// Who calls. Consecutive failures are counted for each client by itself.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
    /// Outcomes of earlier calls, applied first.
    #[serde(borrow, default, deserialize_with = "objects")]
    #[schema(max_items = 10_000)]
    outcomes: Vec<OutcomeReport<'a>>,
    /// Creates what is missing on first use; never changes what is there.
    #[serde(default, deserialize_with = "object_option")]
    config: Option<CallConfig>,
}

/// How to create what a call names and what does not exist yet.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CallConfig {
    /// The breaker's configuration.
    #[serde(default, deserialize_with = "object_option")]
    breaker: Option<BreakerSpec>,
    /// The limiters' configurations, by name.
    #[serde(default, deserialize_with = "object_map")]
    #[schema(value_type = BTreeMap<Name, LimiterSpec>)]
    limiters: BTreeMap<String, LimiterSpec>,
}

/// Guards one call: asks the limiters and the breaker together.
///
/// Checks all, then commits all: an open breaker burns no tokens, and a refused token enters no breaker window.
#[utoipa::path(post, path = "/v1/calls", tag = "calls", request_body = CallBody,
    params(StrictQuery,
        OnceHeader),
    responses((status = 200, description = "The decision.", body = CallDecision)))]
async fn call_begin(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    begin(&state, request).await
}

/// What [`call_begin`] does, for whoever has the request already.
pub(super) async fn begin<B>(state: &AppState, request: Request<B>) -> Result<Response, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    let (parts, body) = request.into_parts();
    let query = match parts.uri.query() {
        None => StrictQuery::default(),
        Some(_) => Query::of(&parts.uri)?.0,
    };
    let once = Once::of(&parts)?;
    let body = JsonBytes::read(state, &parts.headers, body).await?;
    if !once.is_keyed() {
        return decide(state, &body, query).await;
    }
    once.run(state, body, move |state, body| async move { decide(&state, &body, query).await }).await
}

async fn decide(state: &AppState, body: &JsonBytes, query: StrictQuery) -> Result<Response, Problem> {
    let body: CallBody<'_> = body.parse()?;
    if body.breaker.is_none() && body.limiters.is_empty() {
        return Err(Problem::invalid("breaker", "name a breaker, limiters or both"));
    }
    if body.limiters.len() > MAX_LIMITERS {
        return Err(Problem::invalid("limiters", format!("must be at most {MAX_LIMITERS}")));
    }
    check_outcomes(&body.outcomes, "outcomes")?;
    let ask = CallAsk {
        breaker: body.breaker.as_ref().map(Text::as_str),
        limiters: &body.limiters,
        max_wait: body.max_wait_seconds.unwrap_or(Seconds::ZERO).get(),
        client: client(body.client.as_ref())?,
    };
    let targets = match state.board.call_targets(&ask) {
        Ok(targets) => targets,
        Err(missing) => create_missing(state, &ask, body.config, missing).await?,
    };
    let outcomes = state.board.call_outcomes(&body.outcomes);
    let mut marks = Marks::new();
    let mut decision = state.board.call_begin(&ask, targets, &mut marks)?;
    state.board.save_marks(marks).await?;
    decision.outcomes = outcomes;
    let by = decision.denied_by.clone();
    let refusal = decision.reason.map(|reason| Refusal {
        reason,
        by: by.as_ref().map_or("", Name::as_str),
        retry_after_seconds: decision.retry_after_seconds,
    });
    Ok(strict::answer(query, decision, refusal.as_ref(), None))
}

/// Creates the resources that are missing and that the call describes.
#[cold]
async fn create_missing(
    state: &AppState,
    ask: &CallAsk<'_>,
    config: Option<CallConfig>,
    mut missing: Missing,
) -> Result<CallTargets, Problem> {
    let Some(mut config) = config else { return Err(crate::app::AppError::from(missing).into()) };
    loop {
        match &missing {
            Missing::Breaker(name) => {
                let (Some(spec), Ok(key)) = (config.breaker.take(), Name::try_from(name.as_str())) else {
                    break;
                };
                state.board.declare::<BreakerCell>(key, spec, OnExisting::Keep).await?;
            }
            Missing::Limiter(name) => {
                let (Some(spec), Ok(key)) = (config.limiters.remove(name), Name::try_from(name.as_str()))
                else {
                    break;
                };
                state.board.declare::<LimiterCell>(key, spec, OnExisting::Keep).await?;
            }
        }
        match state.board.call_targets(ask) {
            Ok(targets) => return Ok(targets),
            Err(still) => missing = still,
        }
    }
    Err(crate::app::AppError::from(missing).into())
}

/// The outcome of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OutcomeBody<'a> {
    /// How it went.
    outcome: Outcome,
    /// How long it took.
    #[serde(default)]
    duration_seconds: Option<Seconds>,
    /// What went wrong, for the history; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    error: Option<Text<'a>>,
}

/// Reports how a call went. Late, repeated and stale reports are recognised and move nothing.
#[utoipa::path(post, path = "/v1/calls/{call_id}/outcome", tag = "calls", request_body = OutcomeBody,
    params(("call_id" = String, Path, description = "The `call_id` of the decision.")),
    responses((status = 200, description = "Whether it counted.", body = OutcomeAnswer)))]
async fn call_outcome(
    State(state): State<AppState>,
    RawPath(call_id): RawPath,
    body: JsonBytes,
) -> Result<Json<OutcomeAnswer>, Problem> {
    let ask: OutcomeBody<'_> = body.parse()?;
    let report = OutcomeReport {
        call_id: Text(call_id.into()),
        outcome: ask.outcome,
        duration_seconds: ask.duration_seconds.unwrap_or(Seconds::ZERO),
        error: ask.error,
    };
    let report = std::slice::from_ref(&report);
    check_outcomes(report, "")?;
    let answer = state.board.call_outcomes(report).pop();
    answer.map(Json).ok_or_else(|| Problem::new(Code::InternalError, "an outcome had no answer"))
}

/// Outcomes of many calls.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OutcomesBody<'a> {
    /// Up to 10,000 outcomes, applied in order.
    #[serde(borrow, deserialize_with = "objects")]
    #[schema(max_items = 10_000)]
    items: Vec<OutcomeReport<'a>>,
}

/// The answers to a batch.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomesAnswer {
    /// In the order of the request.
    items: Vec<OutcomeAnswer>,
}

/// Reports how many calls went, in one round trip.
#[utoipa::path(post, path = "/v1/outcomes", tag = "calls", request_body = OutcomesBody,
    responses((status = 200, description = "Whether each counted, in order.", body = OutcomesAnswer)))]
async fn outcomes_report(State(state): State<AppState>, body: JsonBytes) -> Result<Response, Problem> {
    let ask: OutcomesBody<'_> = body.parse()?;
    check_outcomes(&ask.items, "items")?;
    let items = state.board.call_outcomes(&ask.items);
    Ok(Json(OutcomesAnswer { items }).into_response())
}

fn check_outcomes(reports: &[OutcomeReport<'_>], field: &str) -> Result<(), Problem> {
    if reports.len() > MAX_OUTCOMES {
        return Err(Problem::invalid(field, format!("must be at most {MAX_OUTCOMES}")));
    }
    let long =
        reports.iter().position(|r| r.error.as_ref().is_some_and(|e| is_longer(e.as_str(), MAX_ERROR)));
    if let Some(i) = long {
        let field = if field.is_empty() { "error".to_owned() } else { format!("{field}[{i}].error") };
        return Err(Problem::invalid(field, format!("must be at most {MAX_ERROR} characters")));
    }
    Ok(())
}

/// A client's name, if it can be one.
pub(super) fn client<'a>(client: Option<&'a Text<'_>>) -> Result<Option<&'a str>, Problem> {
    named("client", client)
}

/// What a caller calls itself, if it can be called so.
pub(super) fn named<'a>(field: &'static str, name: Option<&'a Text<'_>>) -> Result<Option<&'a str>, Problem> {
    let Some(name) = name.map(Text::as_str) else { return Ok(None) };
    if name.is_empty() || is_longer(name, MAX_CLIENT) || name.bytes().any(|b| b.is_ascii_control()) {
        return Err(Problem::invalid(
            field,
            format!("must be 1 to {MAX_CLIENT} characters without control characters"),
        ));
    }
    Ok(Some(name))
}
