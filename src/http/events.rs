//! `/v1/events`: what happened, as a list or as a stream.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;

use super::{
    AppState,
    extract::Query,
    json::Json,
    paging::{Page, checked_limit, default_limit, id_cursor},
    problem::{Code, Problem},
    routing::{Routes, routes},
};
use crate::app::events::{EventFilter, EventView};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The most streams at once.
const MAX_STREAMS: i64 = 1000;
/// Events fetched at a time.
const CHUNK: usize = 500;

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
    let accept = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        let resume = resumed_after(&headers, query.last_event_id)?;
        return stream_events(state, filter, resume);
    }
    let before = id_cursor(query.cursor.as_deref())?;
    let (items, next) = state.board.events_before(&filter, before, limit).await?;
    Ok(Json(Page { items, next_cursor: next.map(|id| id.to_string()) }).into_response())
}

/// After which event a stream is to start, if that is said.
pub(super) fn resumed_after(headers: &HeaderMap, query: Option<i64>) -> Result<Option<i64>, Problem> {
    match headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default().trim().parse()) {
        None => Ok(query),
        Some(Ok(id)) => Ok(Some(id)),
        Some(Err(_)) => Err(Problem::new(Code::BadRequest, "Last-Event-ID must be the id of an event")),
    }
}

struct Feed {
    state: AppState,
    filter: EventFilter,
    after: i64,
    ready: VecDeque<Event>,
    latest: watch::Receiver<i64>,
    _open: OpenStream,
}

/// A stream's place among those that may be open at once.
pub(super) struct OpenStream(Arc<crate::app::Board>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.telemetry.event_streams.dec();
    }
}

/// A place for one more stream.
pub(super) fn open_stream(state: &AppState) -> Result<OpenStream, Problem> {
    let streams = &state.board.telemetry.event_streams;
    if streams.get() >= MAX_STREAMS {
        return Err(Problem::new(Code::Overloaded, format!("there are {MAX_STREAMS} event streams already"))
            .retry_after(Duration::from_secs(5)));
    }
    streams.inc();
    Ok(OpenStream(Arc::clone(&state.board)))
}

fn stream_events(state: AppState, filter: EventFilter, resume: Option<i64>) -> Result<Response, Problem> {
    let open = open_stream(&state)?;
    let latest = state.board.journal.latest();
    let after = resume.unwrap_or(*latest.borrow());
    // Says where the stream starts, so that a client that saw no event yet can resume too.
    let hello = Event::default().id(after.to_string()).retry(Duration::from_secs(1)).comment("fuseboard");
    let feed = Feed { state, filter, after, ready: VecDeque::from([hello]), latest, _open: open };
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(run(feed)).keep_alive(keep_alive).into_response())
}

fn run(feed: Feed) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(feed, |mut feed| async move {
        loop {
            if let Some(event) = feed.ready.pop_front() {
                return Some((Ok(event), feed));
            }
            feed.latest.mark_unchanged();
            feed.fetch().await?;
            if !feed.ready.is_empty() {
                continue;
            }
            tokio::select! {
                changed = feed.latest.changed() => changed.ok()?,
                () = feed.state.shutdown.cancelled() => return None,
            }
        }
    })
}

impl Feed {
    /// Fetches until there is something to send or nothing new is left. `None` ends the stream: the client
    /// comes back with its last id.
    async fn fetch(&mut self) -> Option<()> {
        loop {
            let (events, gap) = self.state.board.events_after(self.after, CHUNK).await.ok()?;
            if gap {
                self.ready
                    .push_back(Event::default().event("gap").data(format!("{{\"after\":{}}}", self.after)));
            }
            let Some(last) = events.last() else { return Some(()) };
            self.after = last.id;
            for event in events.iter().filter(|event| self.filter.wants(event)) {
                let data = serde_json::to_string(event).ok()?;
                self.ready.push_back(Event::default().id(event.id.to_string()).event(&event.kind).data(data));
            }
            if !self.ready.is_empty() {
                return Some(());
            }
        }
    }
}
