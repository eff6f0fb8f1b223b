//! Leases of limiters: one, and the renewal of many.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppState,
    calls::client,
    extract::{JsonBytes, NamePath},
    idempotency::{Once, OnceHeader},
    json::Json,
    limiters::ItemError,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        AppError,
        definitions::not_found,
        limiters::{LeaseAsk, Leased, LimiterCell, Marks, Released, Renewal, Renewed, Spent},
        text::Text,
    },
    domain::{
        Name, Seconds, Tokens,
        limiter::LimiterSpec,
        object::{object_option, objects},
        schema::{ClientName, PositiveSeconds, PositiveTokens},
    },
};

/// The most renewals of one request, and the most leases that one of them ends.
const MAX_RENEWALS: usize = 1000;
const MAX_RELEASES: usize = 100;
/// The most entries of one item that say what was spent.
const MAX_SPENDS: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(limiter_lease))
        .routes(routes!(limiter_release))
        .routes(routes!(leases_renew))
}

/// Asks for a batch of tokens to spend locally.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LeaseBody<'a> {
    /// How many at most.
    #[schema(value_type = PositiveTokens)]
    tokens: Tokens,
    /// How few are still useful; 1 if left out, or all of `tokens` if that is less.
    #[serde(default)]
    #[schema(value_type = Option<PositiveTokens>)]
    min_tokens: Option<Tokens>,
    /// For how long, if shorter than the limiter's `lease_seconds`. In windows tokens count until the lease ends and the
    /// period after, so short leases cost less.
    #[serde(default)]
    #[schema(value_type = Option<PositiveSeconds>)]
    lease_seconds: Option<Seconds>,
    /// Who asks.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
}

/// Debits tokens that one client then spends by itself, until the lease ends.
#[utoipa::path(post, path = "/v1/limiters/{name}/lease", tag = "limiters", request_body = LeaseBody,
    params(("name" = Name, Path, description = "The limiter's name."),
        OnceHeader),
    responses((status = 200, description = "The lease, or when to ask again.", body = Leased)))]
async fn limiter_lease(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let work = move |state: AppState, body: JsonBytes| async move {
        let ask: LeaseBody<'_> = body.parse()?;
        let wish = LeaseAsk::new(ask.tokens, ask.min_tokens, ask.lease_seconds.map(Seconds::get))
            .map_err(|wrong| Problem::invalid(wrong.field, wrong.message))?;
        let cell = state.board.find::<LimiterCell>(name.as_str())?;
        let mut marks = Marks::new();
        let client = client(ask.client.as_ref())?;
        let answer = state.board.limiter_lease(&cell, wish, client, &mut marks)?;
        state.board.save_marks(marks).await?;
        Ok(Json(answer).into_response())
    };
    once.run(&state, body, work).await
}

/// Gives back a lease.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseBody<'a> {
    /// The `lease_id` that `lease` or `acquire` gave.
    #[serde(borrow)]
    #[schema(value_type = String)]
    lease_id: Text<'a>,
    /// Leased tokens that were not spent; 0 if left out.
    #[serde(default)]
    unused_tokens: Option<Tokens>,
}

/// Ends a lease or a concurrency permit; unspent tokens are free again at once.
#[utoipa::path(post, path = "/v1/limiters/{name}/release", tag = "limiters", request_body = ReleaseBody,
    params(("name" = Name, Path, description = "The limiter's name.")),
    responses((status = 200, description = "What was given back.", body = Released)))]
async fn limiter_release(
    State(state): State<AppState>,
    NamePath(name): NamePath,
    body: JsonBytes,
) -> Result<Json<Released>, Problem> {
    let ask: ReleaseBody<'_> = body.parse()?;
    let cell = state.board.find::<LimiterCell>(name.as_str())?;
    let unused = ask.unused_tokens.unwrap_or(Tokens::ZERO);
    Ok(Json(state.board.limiter_release(&cell, ask.lease_id.as_str(), unused)))
}

/// What a client wants of many limiters whose tokens it spends by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenewalsBody<'a> {
    /// Who asks.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
    /// Up to 1000 limiters, each decided by itself, in order.
    #[serde(borrow, deserialize_with = "objects")]
    #[schema(max_items = 1000)]
    items: Vec<RenewalBody<'a>>,
}

/// What a client wants of one limiter.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RenewalBody<'a> {
    /// Which limiter.
    #[serde(borrow)]
    #[schema(value_type = String)]
    limiter: Text<'a>,
    /// How many tokens to lease at most; none if left out.
    #[serde(default)]
    #[schema(value_type = Option<PositiveTokens>)]
    tokens: Option<Tokens>,
    /// How few are still useful; 1 if left out, or all of `tokens` if that is less.
    #[serde(default)]
    #[schema(value_type = Option<PositiveTokens>)]
    min_tokens: Option<Tokens>,
    /// For how long, if shorter than the limiter's `lease_seconds`.
    #[serde(default)]
    #[schema(value_type = Option<PositiveSeconds>)]
    lease_seconds: Option<Seconds>,
    /// Leases to end first; at most 100.
    #[serde(borrow, default, deserialize_with = "objects")]
    #[schema(max_items = 100)]
    release: Vec<ReleaseBody<'a>>,
    /// Tokens that were spent without asking while the server was away, told before anything is asked for again. They
    /// count as if they had been asked for when they were spent; at most 1000 entries.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 1000)]
    spent: Vec<SpentBody>,
    /// The same for tokens that count as spent now.
    #[serde(default)]
    spent_tokens: Option<Tokens>,
    /// Creates the limiter if there is none; never changes one.
    #[serde(default, deserialize_with = "object_option")]
    config: Option<LimiterSpec>,
}

/// Tokens that were spent without asking.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SpentBody {
    /// How many.
    tokens: Tokens,
    /// How long ago.
    seconds_ago: Seconds,
}

/// The answers to renewals.
#[derive(Debug, Serialize, ToSchema)]
struct RenewalsAnswer {
    /// In the order of the request.
    items: Vec<RenewalAnswer>,
}

/// The answer to one renewal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum RenewalAnswer {
    /// What was done.
    Done(Renewed),
    /// Nothing.
    Failed(ItemError),
}

/// Renews the leases of many limiters in one round trip: ends old ones, counts what was spent without one, leases anew.
///
/// It need not be repeated when its answer is lost: leases end by themselves. What was spent while the server was away
/// should be, under the same key.
#[utoipa::path(post, path = "/v1/leases", tag = "limiters", request_body = RenewalsBody,
    params(OnceHeader),
    responses((status = 200, description = "What was done, in order.", body = RenewalsAnswer)))]
async fn leases_renew(
    State(state): State<AppState>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    once.run(&state, body, |state, body| async move { renew_all(&state, &body).await }).await
}

async fn renew_all(state: &AppState, body: &JsonBytes) -> Result<Response, Problem> {
    let ask: RenewalsBody<'_> = body.parse()?;
    if ask.items.len() > MAX_RENEWALS {
        return Err(Problem::invalid("items", format!("must be at most {MAX_RENEWALS}")));
    }
    let client = client(ask.client.as_ref())?;
    let wishes =
        ask.items.iter().enumerate().map(|(i, item)| checked(i, item)).collect::<Result<Vec<_>, _>>()?;
    let mut marks = Marks::new();
    let mut answers = Vec::with_capacity(ask.items.len());
    for (item, lease) in ask.items.iter().zip(wishes) {
        answers.push(match renew(state, item, lease, client, &mut marks).await {
            Ok(renewed) => RenewalAnswer::Done(renewed),
            Err(error) => RenewalAnswer::Failed(ItemError { error: error.to_string() }),
        });
    }
    state.board.save_marks(marks).await?;
    Ok(Json(RenewalsAnswer { items: answers }).into_response())
}

fn checked(i: usize, item: &RenewalBody<'_>) -> Result<Option<LeaseAsk>, Problem> {
    if item.release.len() > MAX_RELEASES {
        let field = format!("items[{i}].release");
        return Err(Problem::invalid(field, format!("must be at most {MAX_RELEASES}")));
    }
    if item.spent.len() > MAX_SPENDS {
        let field = format!("items[{i}].spent");
        return Err(Problem::invalid(field, format!("must be at most {MAX_SPENDS}")));
    }
    // The terms of a lease make sense also where none is asked for.
    let fewest = item.min_tokens.map(|least| least.max(Tokens::ONE));
    let Some(tokens) = item.tokens.or(fewest).or(item.lease_seconds.map(|_| Tokens::ONE)) else {
        return Ok(None);
    };
    LeaseAsk::new(tokens, item.min_tokens, item.lease_seconds.map(Seconds::get))
        .map(|lease| item.tokens.map(|_| lease))
        .map_err(|wrong| Problem::invalid(format!("items[{i}].{}", wrong.field), wrong.message))
}

async fn renew(
    state: &AppState,
    item: &RenewalBody<'_>,
    lease: Option<LeaseAsk>,
    client: Option<&str>,
    marks: &mut Marks,
) -> Result<Renewed, AppError> {
    let name = item.limiter.as_str();
    let cell = match Name::try_from(name) {
        Ok(name) => state.board.find_or_declare::<LimiterCell>(&name, item.config.clone()).await?,
        Err(_) => return Err(not_found::<LimiterCell>(name)),
    };
    let unused = |release: &ReleaseBody<'_>| release.unused_tokens.unwrap_or(Tokens::ZERO);
    let releases: Vec<_> =
        item.release.iter().map(|release| (release.lease_id.as_str(), unused(release))).collect();
    let then = item.spent.iter().map(|spent| Spent { tokens: spent.tokens, ago: spent.seconds_ago.get() });
    let now = item.spent_tokens.map(|tokens| Spent { tokens, ago: Duration::ZERO });
    let spends: Vec<_> = then.chain(now).collect();
    state.board.limiter_renew(&cell, &Renewal { releases: &releases, spends: &spends, lease }, client, marks)
}
