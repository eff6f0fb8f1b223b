//! `/v1/replica`: what a client must know to decide by itself, as it is and as it changes.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior},
};
use utoipa::IntoParams;

use super::{
    AppState,
    calls::named,
    events::{OpenStream, open_stream, resumed_after},
    extract::Query,
    json::Json,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        events::EventView,
        replica::{Interest, LimiterReplica, Replica, Seen},
        text::Text,
    },
    domain::Name,
};

/// The most breakers, and the most limiters.
const MAX_NAMES: usize = 1000;
/// Events fetched at a time.
const CHUNK: usize = 500;
/// A stream that is silent for longer is broken.
const BEAT: Duration = Duration::from_secs(1);

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(replica_get))
}

/// Of what.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReplicaQuery {
    /// Names of breakers, separated by commas; at most 1000. They need not exist yet.
    breakers: Option<String>,
    /// Names of limiters, likewise.
    limiters: Option<String>,
    /// Who asks: as long as a client follows, shares count with it.
    client: Option<String>,
    /// For streams: start after this event, like the header `Last-Event-ID`.
    last_event_id: Option<i64>,
}

/// Breakers and limiters as a client must know them to decide by itself; with `Accept: text/event-stream`, their changes
/// as well.
///
/// A stream begins with an event `snapshot`, which is the same document; then each change of a breaker comes as an event
/// `breaker` and each change of a limiter (its configuration, penalty or share) as an event `limiter`, with all that is
/// known of it now. Nothing is left out between the snapshot and the changes, and no change comes that is in it. Once a
/// second at least something comes, if only a comment. With `Last-Event-ID` the stream goes on without a snapshot, unless
/// changes after that event are no longer known or the server was started since.
#[utoipa::path(get, path = "/v1/replica", tag = "events",
    params(ReplicaQuery, ("Last-Event-ID" = Option<i64>, Header, description = "For streams: start after this event.")),
    responses((status = 200, description = "The replica, or a stream.",
        content((Replica = "application/json"), (String = "text/event-stream")))))]
async fn replica_get(
    State(state): State<AppState>,
    Query(query): Query<ReplicaQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = query.client.map(|name| Text(name.into()));
    let interest = Interest {
        breakers: names("breakers", query.breakers.as_deref())?,
        limiters: names("limiters", query.limiters.as_deref())?,
        client: named("client", client.as_ref())?.map(str::to_owned),
    };
    let accept = headers.get(header::ACCEPT).and_then(|a| a.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/event-stream") {
        return Ok(Json(state.board.replica(&interest).0).into_response());
    }
    let resume = resumed_after(&headers, query.last_event_id)?;
    let open = open_stream(&state)?;
    let feed = Feed::new(state, interest, resume, open);
    Ok(Sse::new(run(feed)).into_response())
}

fn names(field: &'static str, list: Option<&str>) -> Result<Vec<Name>, Problem> {
    let mut names = Vec::new();
    for name in list.unwrap_or_default().split(',').filter(|name| !name.is_empty()) {
        if names.len() == MAX_NAMES {
            return Err(Problem::invalid(field, format!("must be at most {MAX_NAMES}")));
        }
        names.push(Name::try_from(name).map_err(|error| Problem::invalid(field, error.to_string()))?);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

struct Feed {
    state: AppState,
    interest: Interest,
    after: i64,
    seen: Seen,
    limiters: Vec<LimiterReplica>,
    ready: VecDeque<Event>,
    latest: watch::Receiver<i64>,
    beat: Interval,
    _open: OpenStream,
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
                _ = feed.beat.tick() => feed.beat(),
                () = feed.state.shutdown.cancelled() => return None,
            }
        }
    })
}

impl Feed {
    fn new(state: AppState, interest: Interest, resume: Option<i64>, open: OpenStream) -> Self {
        let latest = state.board.journal.latest();
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        let mut feed = Self {
            state,
            interest,
            after: 0,
            seen: Seen::default(),
            limiters: Vec::new(),
            ready: VecDeque::new(),
            latest,
            beat,
            _open: open,
        };
        match resume.filter(|id| feed.state.board.journal.is_of_this_process(*id)) {
            Some(id) => {
                feed.after = id;
                feed.tell_limiters();
            }
            None => feed.snapshot(),
        }
        feed
    }

    fn snapshot(&mut self) {
        let (replica, seen) = self.state.board.replica(&self.interest);
        self.after = replica.as_of;
        self.seen = seen;
        self.limiters.clone_from(&replica.limiters);
        self.push(Some(self.after), "snapshot", &replica);
    }

    fn push(&mut self, id: Option<i64>, kind: &str, document: &impl Serialize) {
        let event = Event::default().event(kind);
        let event = match id {
            Some(id) => event.id(id.to_string()),
            None => event,
        };
        // What cannot be written is not told; the next beat or change is.
        if let Ok(event) = event.json_data(document) {
            self.ready.push_back(event);
        }
    }

    /// Something, at least once a second.
    fn beat(&mut self) {
        self.tell_limiters();
        if self.ready.is_empty() {
            self.ready.push_back(Event::default().comment(""));
        }
    }

    fn tell_limiters(&mut self) {
        let now = self.state.board.limiter_replicas(&self.interest);
        let told = std::mem::take(&mut self.limiters);
        for (i, limiter) in now.iter().enumerate() {
            if told.get(i) != Some(limiter) {
                self.push(None, "limiter", limiter);
            }
        }
        self.limiters = now;
    }

    /// Fetches until there is something to send or nothing new is left. `None` ends the stream: the client
    /// comes back.
    async fn fetch(&mut self) -> Option<()> {
        let board = Arc::clone(&self.state.board);
        loop {
            let (events, gap) = board.events_after(self.after, CHUNK).await.ok()?;
            if gap {
                self.snapshot();
                return Some(());
            }
            let Some(last) = events.last().map(|event| event.id) else { return Some(()) };
            self.after = last;
            for event in &events {
                self.take(event);
            }
            self.seen.passed(last);
            if !self.ready.is_empty() {
                return Some(());
            }
        }
    }

    fn take(&mut self, event: &EventView) {
        let is = |name: &Name| name.as_str().cmp(&event.name);
        match event.resource.as_str() {
            "breaker" if self.seen.is_news(&event.name, event.id) => {
                if let Ok(i) = self.interest.breakers.binary_search_by(is) {
                    let name = self.interest.breakers[i].clone();
                    let state = self.state.board.breaker_replica(&name, event.id, &mut self.seen);
                    self.push(Some(event.id), "breaker", &state);
                }
            }
            "limiter" if self.interest.limiters.binary_search_by(is).is_ok() => self.tell_limiters(),
            _ => {}
        }
    }
}
