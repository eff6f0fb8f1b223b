//! `/v1/notifications`: what is told, and what became of it.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    AppState,
    extract::{JsonBytes, Query, RawPath},
    json::Json,
    paging::{Page, checked_limit, default_limit, id_cursor},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::notifications::{NotificationDetail, NotificationState, NotificationView},
    domain::{Name, schema::IdCursor},
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(notification_list))
        .routes(routes!(notification_get))
        .routes(routes!(notification_retry))
}

/// Which notifications.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NotificationQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<IdCursor>)]
    cursor: Option<String>,
    /// Only in this state.
    state: Option<NotificationState>,
    /// Only for this receiver.
    receiver: Option<Name>,
}

/// Lists notifications, newest first. Those that are delivered or dead are kept for seven days, ten thousand at most.
#[utoipa::path(get, path = "/v1/notifications", tag = "notifications", params(NotificationQuery),
    responses((status = 200, description = "A page of notifications.", body = Page<NotificationView>)))]
async fn notification_list(
    State(state): State<AppState>,
    Query(query): Query<NotificationQuery>,
) -> Result<Json<Page<NotificationView>>, Problem> {
    let limit = checked_limit(query.limit)?;
    let before = id_cursor(query.cursor.as_deref())?;
    let receiver = query.receiver.as_ref().map(Name::as_str);
    let (items, next) = state.board.notification_list(query.state, receiver, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }))
}

/// A notification and what it says.
#[utoipa::path(get, path = "/v1/notifications/{id}", tag = "notifications",
    params(("id" = i64, Path, description = "The notification's number.")),
    responses((status = 200, description = "The notification.", body = NotificationDetail)))]
async fn notification_get(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<NotificationDetail>, Problem> {
    Ok(Json(state.board.notification_find(number(&id)?).await?))
}

/// Tries a notification again that is dead or waits for its next attempt, as long as it would be tried if it were new.
///
/// It keeps its delivery id. 409 if it is delivered.
#[utoipa::path(post, path = "/v1/notifications/{id}/retry", tag = "notifications",
    params(("id" = i64, Path, description = "The notification's number.")),
    responses((status = 202, description = "It is tried again.", body = NotificationView)))]
async fn notification_retry(
    State(state): State<AppState>,
    RawPath(id): RawPath,
    body: JsonBytes,
) -> Result<Response, Problem> {
    body.expect_nothing()?;
    let view = state.board.notification_retry(number(&id)?).await?;
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

fn number(id: &str) -> Result<i64, Problem> {
    id.parse().map_err(|_| Problem::invalid("id", "must be the number of a notification"))
}
