//! `/v1/replica`: what a client must know to decide by itself, as it is and as it changes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response, sse::Event},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{
    AppState,
    calls::named,
    extract::Query,
    json::Json,
    problem::Problem,
    routing::{Routes, routes},
    streams::{self, Feed, Place},
};
use crate::{
    app::{
        Board,
        events::EventView,
        replica::{Interest, LimiterReplica, Replica, Seen},
        text::Text,
    },
    domain::{
        Name,
        schema::{ClientName, NamesOrNone},
    },
};

/// The most breakers, and the most limiters.
const MAX_NAMES: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(replica_get))
}

/// Of what.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReplicaQuery {
    /// Names of breakers, separated by commas; at most 1000. They need not exist yet.
    #[param(value_type = Option<NamesOrNone>)]
    breakers: Option<String>,
    /// Names of limiters, likewise.
    #[param(value_type = Option<NamesOrNone>)]
    limiters: Option<String>,
    /// Who asks: as long as a client follows, shares count with it.
    #[param(value_type = Option<ClientName>)]
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
    let resume = streams::resumed_after(&headers, query.last_event_id)?;
    if !streams::is_wanted(&headers) {
        return Ok(Json(state.board.replica(&interest).0).into_response());
    }
    Ok(stream_replica(Place::take(state, resume)?, interest))
}

fn names(field: &'static str, list: Option<&str>) -> Result<Vec<Name>, Problem> {
    let mut names = Vec::new();
    for name in list.filter(|list| !list.is_empty()).into_iter().flat_map(|list| list.split(',')) {
        if names.len() == MAX_NAMES {
            return Err(Problem::invalid(field, format!("must be at most {MAX_NAMES}")));
        }
        names.push(Name::try_from(name).map_err(|error| Problem::invalid(field, error.to_string()))?);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn stream_replica(place: Place, interest: Interest) -> Response {
    let board = Arc::clone(place.board());
    let resume = place.resume.filter(|id| board.journal.is_of_this_process(*id));
    let mut told = Told { board, interest, seen: Seen::default(), limiters: Vec::new() };
    let mut ready = VecDeque::new();
    let after = match resume {
        Some(id) => {
            told.tell_limiters(&mut ready);
            id
        }
        None => told.snapshot(&mut ready),
    };
    place.stream(told, after, ready)
}

/// What a client has been told.
struct Told {
    board: Arc<Board>,
    interest: Interest,
    seen: Seen,
    limiters: Vec<LimiterReplica>,
}

impl Told {
    /// Tells all, and as of which event.
    fn snapshot(&mut self, ready: &mut VecDeque<Event>) -> i64 {
        let (replica, seen) = self.board.replica(&self.interest);
        self.seen = seen;
        self.limiters.clone_from(&replica.limiters);
        tell(ready, Some(replica.as_of), "snapshot", &replica);
        replica.as_of
    }

    fn tell_limiters(&mut self, ready: &mut VecDeque<Event>) {
        let now = self.board.limiter_replicas(&self.interest);
        let told = std::mem::take(&mut self.limiters);
        for (i, limiter) in now.iter().enumerate() {
            if told.get(i) != Some(limiter) {
                tell(ready, None, "limiter", limiter);
            }
        }
        self.limiters = now;
    }
}

fn tell(ready: &mut VecDeque<Event>, id: Option<i64>, kind: &str, document: &impl Serialize) {
    let event = Event::default().event(kind);
    let event = match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    };
    // What cannot be written is not told; the next beat or change is.
    ready.extend(event.json_data(document));
}

impl Feed for Told {
    /// A stream that is silent for longer is broken.
    const BEAT: Duration = Duration::from_secs(1);

    fn event(&mut self, event: &EventView, ready: &mut VecDeque<Event>) {
        let is = |name: &Name| name.as_str().cmp(&event.name);
        match event.resource.as_str() {
            "breaker" if self.seen.is_news(&event.name, event.id) => {
                if let Ok(i) = self.interest.breakers.binary_search_by(is) {
                    let name = &self.interest.breakers[i];
                    let state = self.board.breaker_replica(name, event.id, &mut self.seen);
                    tell(ready, Some(event.id), "breaker", &state);
                }
            }
            "limiter" if self.interest.limiters.binary_search_by(is).is_ok() => self.tell_limiters(ready),
            _ => {}
        }
    }

    fn gap(&mut self, _after: i64, ready: &mut VecDeque<Event>) -> i64 {
        self.snapshot(ready)
    }

    fn passed(&mut self, event: i64) {
        self.seen.passed(event);
    }

    fn beat(&mut self, ready: &mut VecDeque<Event>) {
        self.tell_limiters(ready);
        if ready.is_empty() {
            ready.push_back(Event::default().comment(""));
        }
    }
}
