//! `/v1/events`: what happened, as a list or as a stream.

use std::{collections::VecDeque, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response, sse::Event},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    AppState,
    extract::Query,
    json::Json,
    paging::{Page, checked_limit, default_limit, id_cursor},
    problem::Problem,
    routing::{Routes, routes},
    streams::{self, Feed, Place},
};
use crate::{
    app::events::{EventFilter, EventView},
    domain::schema::IdCursor,
};

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(event_list))
}

/// Which events.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<IdCursor>)]
    cursor: Option<String>,
    /// Only of this kind of resource: `breaker`, `limiter`, `retry_policy`, `check`, `gate`, `schedule`, `backup`, `retention`,
    /// `threshold`, `alert`.
    resource: Option<String>,
    /// Only of the resource of this name.
    name: Option<String>,
    /// Only of this kind, such as `breaker.transition`.
    kind: Option<String>,
    /// For streams: start after this event, like the header `Last-Event-ID`.
    last_event_id: Option<i64>,
}

/// Lists events, newest first; with `Accept: text/event-stream`, streams new ones as they happen.
///
/// A stream resumes after `Last-Event-ID`. If events after it are no longer kept, the stream starts with an event of
/// type `gap`: read the resources anew.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(EventQuery, ("Last-Event-ID" = Option<i64>, Header, description = "For streams: start after this event.")),
    responses((status = 200, description = "A page of events, or a stream.",
        content((Page<EventView> = "application/json"), (String = "text/event-stream")))))]
async fn event_list(
    State(state): State<AppState>,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = checked_limit(query.limit)?;
    let filter = EventFilter { resource: query.resource, name: query.name, kind: query.kind };
    let resume = streams::resumed_after(&headers, query.last_event_id)?;
    if streams::is_wanted(&headers) {
        return Ok(stream_events(Place::take(state, resume)?, filter));
    }
    let before = id_cursor(query.cursor.as_deref())?;
    let (items, next) = state.board.events_before(&filter, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }).into_response())
}

struct Filtered(EventFilter);

impl Feed for Filtered {
    const BEAT: Duration = Duration::from_secs(15);

    fn event(&mut self, event: &EventView, ready: &mut VecDeque<Event>) {
        if self.0.wants(event) {
            // What cannot be written is not told.
            let told = Event::default().id(event.id.to_string()).event(&event.kind).json_data(event);
            ready.extend(told);
        }
    }

    fn gap(&mut self, after: i64, ready: &mut VecDeque<Event>) -> i64 {
        ready.push_back(Event::default().event("gap").data(format!("{{\"after\":{after}}}")));
        after
    }
}

fn stream_events(place: Place, filter: EventFilter) -> Response {
    let after = place.resume.unwrap_or_else(|| place.newest());
    // Says where the stream starts, so that a client that saw no event yet can resume too.
    let hello = Event::default().id(after.to_string()).retry(Duration::from_secs(1)).comment("fuseboard");
    place.stream(Filtered(filter), after, VecDeque::from([hello]))
}
