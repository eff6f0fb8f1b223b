//! `/v1/alerts`

use axum::{Extension, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    breakers::bounded,
    extract::{JsonBytes, Query, RawPath},
    json::Json,
    paging::{HistoryQuery, Page, checked_limit, default_limit, id_cursor},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        AppError,
        alerts::{AlertQuery, AlertView},
        events::EventView,
        text::Text,
        tokens::Caller,
    },
    domain::{
        alert::{AlertLevel, AlertState},
        schema::IdCursor,
        threshold::ValueSpec,
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(alert_check))
        .routes(routes!(alert_list, alert_clear))
        .routes(routes!(alert_get, alert_delete))
        .routes(routes!(alert_event_list))
        .routes(routes!(alert_acknowledge))
}

/// The alerts that a value is reason for.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct AlertCheckAnswer {
    /// One for each threshold that the value breaches for long enough.
    alerts: Vec<AlertView>,
}

/// Checks a value: which thresholds does it breach?
///
/// Answered are all alerts that it is reason for, new ones and those that go on. The history grows only when an alert fires
/// or is resolved, and what this changed is on disk when it is answered. A threshold with `for_seconds` has no alert yet while
/// it is pending.
#[utoipa::path(post, path = "/v1/alerts/check", tag = "alerts", request_body = ValueSpec,
    responses((status = 200, description = "The alerts.", body = AlertCheckAnswer)))]
async fn alert_check(
    State(state): State<AppState>,
    body: JsonBytes,
) -> Result<Json<AlertCheckAnswer>, Problem> {
    let spec: ValueSpec<'_> = body.parse()?;
    let labels = spec.checked().map_err(AppError::from)?;
    let alerts = state.board.alerts_check(spec.metric_name.as_str(), &labels, spec.value).await?;
    Ok(Json(AlertCheckAnswer { alerts }))
}

/// Which alerts.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertListQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<IdCursor>)]
    cursor: Option<String>,
    /// Only on this metric; for those from outside, with this `alertname`.
    metric_name: Option<String>,
    /// Only of this threshold.
    threshold_id: Option<String>,
    /// Only in this state.
    state: Option<AlertState>,
    /// Only of this level.
    level: Option<AlertLevel>,
    /// Only those that fired then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those that fired before then.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Lists alerts, newest first: one for each time that something was wrong.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", params(AlertListQuery),
    responses((status = 200, description = "A page of alerts.", body = Page<AlertView>)))]
async fn alert_list(
    State(state): State<AppState>,
    Query(query): Query<AlertListQuery>,
) -> Result<Json<Page<AlertView>>, Problem> {
    let limit = checked_limit(query.limit)?;
    let before = id_cursor(query.cursor.as_deref())?;
    let AlertListQuery { metric_name, threshold_id, state: wanted, level, since, until, .. } = query;
    let query = AlertQuery { metric_name, threshold_id, state: wanted, level, since, until };
    let (items, next) = state.board.alert_list(&query, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}

/// Which of those that are over.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AlertClearQuery {
    /// Only on this metric.
    metric_name: Option<String>,
    /// Only of this threshold.
    threshold_id: Option<String>,
    /// Only of this level.
    level: Option<AlertLevel>,
    /// Only those that fired then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those that fired before then.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// How many were deleted.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct AlertsCleared {
    /// So many.
    deleted: usize,
}

/// Deletes alerts that are over. Those that are firing stay.
#[utoipa::path(delete, path = "/v1/alerts", tag = "alerts", params(AlertClearQuery),
    responses((status = 200, description = "How many there were.", body = AlertsCleared)))]
async fn alert_clear(
    State(state): State<AppState>,
    Query(query): Query<AlertClearQuery>,
) -> Result<Json<AlertsCleared>, Problem> {
    let AlertClearQuery { metric_name, threshold_id, level, since, until } = query;
    let query = AlertQuery { metric_name, threshold_id, state: None, level, since, until };
    Ok(Json(AlertsCleared { deleted: state.board.alerts_clear(&query).await? }))
}

fn alert_id(raw: &str) -> Result<i64, Problem> {
    raw.parse().map_err(|_| Problem::invalid("id", "must be the number of an alert"))
}

/// One alert.
#[utoipa::path(get, path = "/v1/alerts/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "The alert's number.")),
    responses((status = 200, description = "The alert.", body = AlertView)))]
async fn alert_get(State(state): State<AppState>, RawPath(id): RawPath) -> Result<Json<AlertView>, Problem> {
    Ok(Json(state.board.alert_view(alert_id(&id)?).await?))
}

/// Deletes an alert that is over; 409 `conflict` while it is firing.
#[utoipa::path(delete, path = "/v1/alerts/{id}", tag = "alerts",
    params(("id" = i64, Path, description = "The alert's number.")),
    responses((status = 204, description = "Deleted.")))]
async fn alert_delete(State(state): State<AppState>, RawPath(id): RawPath) -> Result<StatusCode, Problem> {
    state.board.alert_remove(alert_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What happened to an alert, newest first: events `alert.firing`, `alert.updated`, `alert.acknowledged`, `alert.resolved`.
///
/// When events are no longer kept, that it fired and was resolved is told with the id 0.
#[utoipa::path(get, path = "/v1/alerts/{id}/events", tag = "alerts",
    params(("id" = i64, Path, description = "The alert's number."), HistoryQuery),
    responses((status = 200, description = "A page of events.", body = Page<EventView>)))]
async fn alert_event_list(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<Page<EventView>>, Problem> {
    let (limit, before) = query.checked()?;
    let (items, next) = state.board.alert_events(alert_id(&id)?, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}

/// What somebody says who has seen an alert.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AcknowledgeBody<'a> {
    /// What; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    comment: Option<Text<'a>>,
    /// Who; at most 1024 characters. The token's name if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    actor: Option<Text<'a>>,
}

/// Notes that somebody has seen an alert. Again, it takes the place of what was said before.
#[utoipa::path(post, path = "/v1/alerts/{id}/acknowledge", tag = "alerts", request_body = Option<AcknowledgeBody>,
    params(("id" = i64, Path, description = "The alert's number.")),
    responses((status = 200, description = "The alert.", body = AlertView)))]
async fn alert_acknowledge(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    caller: Option<Extension<Caller>>,
    body: JsonBytes,
) -> Result<Json<AlertView>, Problem> {
    let id = alert_id(&id)?;
    let ask: AcknowledgeBody<'_> = body.parse_or_empty()?;
    let comment = bounded("comment", ask.comment.as_ref())?;
    let given = bounded("actor", ask.actor.as_ref())?;
    let by = given.or(caller.as_ref().map(|caller| &*caller.0.name));
    Ok(Json(state.board.alert_acknowledge(id, by, comment).await?))
}
