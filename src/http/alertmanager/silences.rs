//! `/api/v2/silences`: the same silences as in `/v1/silences`.

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Parameters, time};
use crate::{
    app::alertmanager::filters,
    domain::{
        notify::{MatchOp, Matcher, Matchers, Silence, SilenceDraft, SilenceState},
        object::objects,
    },
    http::{
        AppState,
        extract::{JsonBytes, RawPath},
        json::{self, Json},
        problem::Problem,
        routing::{Routes, routes},
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(alertmanager_silences, alertmanager_silences_post))
        .routes(routes!(alertmanager_silence, alertmanager_silence_delete))
}

/// A condition on a label.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerMatcher {
    /// The label.
    name: String,
    /// The value or pattern.
    value: String,
    /// Whether it is a pattern.
    is_regex: bool,
    /// False for what must not match. Default true.
    #[serde(default = "yes")]
    is_equal: bool,
}

const fn yes() -> bool {
    true
}

impl From<&Matcher> for AlertmanagerMatcher {
    fn from(matcher: &Matcher) -> Self {
        Self {
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
            is_regex: matcher.op().is_regex(),
            is_equal: matcher.op().is_equal(),
        }
    }
}

/// Whether a silence holds.
#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerSilenceStatus {
    /// `pending`, `active` or `expired`.
    state: SilenceState,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerSilence {
    id: String,
    status: AlertmanagerSilenceStatus,
    updated_at: String,
    comment: String,
    created_by: String,
    ends_at: String,
    matchers: Vec<AlertmanagerMatcher>,
    starts_at: String,
}

impl AlertmanagerSilence {
    fn at(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id.clone(),
            status: AlertmanagerSilenceStatus { state: silence.state(now) },
            updated_at: time(silence.updated_at),
            comment: silence.comment.clone(),
            created_by: silence.created_by.clone(),
            ends_at: time(silence.ends_at),
            matchers: silence.matchers.iter().map(Into::into).collect(),
            starts_at: time(silence.starts_at),
        }
    }
}

/// Silences, those that are over included.
#[utoipa::path(get, path = "/api/v2/silences", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers that must match the silence's own.")),
    responses((status = 200, description = "Silences.", body = Vec<AlertmanagerSilence>)))]
async fn alertmanager_silences(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<AlertmanagerSilence>>, Problem> {
    let filter = filters(&Parameters::of(query.as_deref()).all("filter"))?;
    let now = state.board.clock.wall();
    let all = state.board.silences.all();
    let wanted = all.iter().filter(|silence| filter.iter().all(|filter| silence.is_about(filter)));
    Ok(Json(wanted.map(|silence| AlertmanagerSilence::at(silence, now)).collect()))
}

/// A silence as somebody wants it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PostableSilence {
    /// Which one to change; a new one without it.
    #[serde(default)]
    id: Option<String>,
    /// Which alerts.
    #[serde(deserialize_with = "objects")]
    matchers: Vec<AlertmanagerMatcher>,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// Who.
    created_by: String,
    /// Why.
    comment: String,
}

/// The silence that holds now.
#[derive(Debug, Serialize, ToSchema)]
struct SilenceId {
    /// Its id.
    #[serde(rename = "silenceID")]
    silence_id: String,
}

/// Makes a silence, or changes one. What cannot be changed is ended, and another one takes its place.
#[utoipa::path(post, path = "/api/v2/silences", tag = "alertmanager", request_body = PostableSilence,
    responses((status = 200, description = "Its id.", body = SilenceId)))]
async fn alertmanager_silences_post(
    State(state): State<AppState>,
    body: JsonBytes,
) -> Result<Json<SilenceId>, Problem> {
    let (id, draft) = read(&body.0)?;
    let id = id.as_deref().filter(|id| !id.is_empty());
    let silence_id = state.board.silence_set(id, draft).await?;
    Ok(Json(SilenceId { silence_id }))
}

/// Reads a silence, and the id of the one that it is to change.
pub(in crate::http) fn read(body: &[u8]) -> Result<(Option<String>, SilenceDraft), Problem> {
    let sent: PostableSilence = json::parse(body)?;
    let refused = |why| Problem::invalid("matchers", why);
    let matcher = |m: &AlertmanagerMatcher| {
        Matcher::new(&m.name, MatchOp::of_flags(m.is_regex, m.is_equal), &m.value).map_err(refused)
    };
    let matchers = sent.matchers.iter().map(matcher).collect::<Result<_, _>>()?;
    let draft = SilenceDraft {
        matchers: Matchers::new(matchers).map_err(refused)?,
        starts_at: sent.starts_at,
        ends_at: sent.ends_at,
        created_by: sent.created_by,
        comment: sent.comment,
    };
    Ok((sent.id, draft))
}

/// One silence.
#[utoipa::path(get, path = "/api/v2/silence/{id}", tag = "alertmanager",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The silence.", body = AlertmanagerSilence)))]
async fn alertmanager_silence(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<AlertmanagerSilence>, Problem> {
    let silence = state.board.silence_find(&id)?;
    Ok(Json(AlertmanagerSilence::at(&silence, state.board.clock.wall())))
}

/// Ends a silence.
#[utoipa::path(delete, path = "/api/v2/silence/{id}", tag = "alertmanager",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "It is over.")))]
async fn alertmanager_silence_delete(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<StatusCode, Problem> {
    state.board.silence_expire(&id).await?;
    Ok(StatusCode::OK)
}
