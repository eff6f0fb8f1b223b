//! `/v1/silences`: alerts that nobody is told of for a while.

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    extract::{JsonBytes, Query, RawPath},
    idempotency::{Once, OnceHeader},
    json::Json,
    paging::{Page, checked_limit, default_limit},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{silences::SilenceView, tokens::Caller},
    domain::{
        Seconds,
        notify::{Matchers, SilenceDraft, SilenceState},
        schema::{MatcherText, PositiveSeconds},
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(silence_list, silence_create))
        .routes(routes!(silence_get, silence_delete))
}

/// Which silences.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SilenceQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only in this state.
    state: Option<SilenceState>,
}

/// Lists silences, newest first. Those that are over are kept for five days.
#[utoipa::path(get, path = "/v1/silences", tag = "notifications", params(SilenceQuery),
    responses((status = 200, description = "A page of silences.", body = Page<SilenceView>)))]
async fn silence_list(
    State(state): State<AppState>,
    Query(query): Query<SilenceQuery>,
) -> Result<Json<Page<SilenceView>>, Problem> {
    let limit = checked_limit(query.limit)?;
    let now = state.board.clock.wall();
    let is_after = |id: &str| query.cursor.as_deref().is_none_or(|cursor| id < cursor);
    let is_wanted = |view: &SilenceView| query.state.is_none_or(|state| view.state == state);
    let all = state.board.silences.all();
    let views = all.iter().filter(|s| is_after(&s.id)).map(|s| SilenceView::at(s, now)).filter(is_wanted);
    let mut items: Vec<_> = views.take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(Page { items, next_cursor }))
}

/// A silence. Exactly one of `ends_at` and `duration_seconds` is given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SilenceBody {
    /// Which alerts, as matchers on their labels, which must all match: `alertname="disk"`, `job=~"node.*"`, `a!="b"`,
    /// `a!~"b"`. One to 64.
    #[schema(value_type = Vec<MatcherText>, min_items = 1, max_items = 64)]
    matchers: Vec<String>,
    /// From when. Default now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// Until when.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    /// How long.
    #[serde(default)]
    #[schema(value_type = Option<PositiveSeconds>)]
    duration_seconds: Option<Seconds>,
    /// Who; at most 1024 characters. The token's name if left out.
    #[serde(default)]
    #[schema(max_length = 1024)]
    created_by: Option<String>,
    /// Why; at most 1024 characters.
    #[serde(default)]
    #[schema(max_length = 1024)]
    comment: Option<String>,
}

impl SilenceBody {
    fn draft(self, now: Timestamp, caller: Option<&Caller>) -> Result<SilenceDraft, Problem> {
        let starts_at = self.starts_at.unwrap_or(now);
        let ends_at = match (self.ends_at, self.duration_seconds) {
            (Some(ends_at), None) => ends_at,
            (None, Some(span)) => starts_at
                .max(now)
                .checked_add(span.get())
                .map_err(|_| Problem::invalid("duration_seconds", "is too long"))?,
            (None, None) => {
                return Err(Problem::invalid("ends_at", "is required, unless duration_seconds is given"));
            }
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("duration_seconds", "cannot be combined with ends_at"));
            }
        };
        let matchers = Matchers::parse(&self.matchers).map_err(|why| Problem::invalid("matchers", why))?;
        let caller = || caller.map(|caller| caller.name.to_string()).unwrap_or_default();
        Ok(SilenceDraft {
            matchers,
            starts_at,
            ends_at,
            created_by: self.created_by.unwrap_or_else(caller),
            comment: self.comment.unwrap_or_default(),
        })
    }
}

/// Silences alerts: nobody is told that those fire whose labels match. Alerts that were told before are told to be resolved.
#[utoipa::path(post, path = "/v1/silences", tag = "notifications", request_body = SilenceBody,
    params(OnceHeader),
    responses((status = 201, description = "The silence.", body = SilenceView)))]
async fn silence_create(
    State(state): State<AppState>,
    caller: Option<Extension<Caller>>,
    once: Once,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let ask: SilenceBody = body.parse()?;
    let draft = ask.draft(state.board.clock.wall(), caller.as_ref().map(|caller| &caller.0))?;
    once.run_durable(&state, &body.0, |board, key| async move { board.silence_create(draft, key).await })
        .await
}

/// One silence.
#[utoipa::path(get, path = "/v1/silences/{id}", tag = "notifications",
    params(("id" = String, Path, description = "The silence's id.")),
    responses((status = 200, description = "The silence.", body = SilenceView)))]
async fn silence_get(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<SilenceView>, Problem> {
    let silence = state.board.silence_find(&id)?;
    Ok(Json(SilenceView::at(&silence, state.board.clock.wall())))
}

/// Ends a silence. It is kept, as `expired`, for five days; ending it again changes nothing.
#[utoipa::path(delete, path = "/v1/silences/{id}", tag = "notifications",
    params(("id" = String, Path, description = "The silence's id.")),
    responses((status = 204, description = "It is over.")))]
async fn silence_delete(State(state): State<AppState>, RawPath(id): RawPath) -> Result<StatusCode, Problem> {
    state.board.silence_expire(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
