//! Server-sent events that follow the journal: who asks for them, where they begin, and the one loop that feeds them.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures_util::{Stream, stream};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior},
};

use super::{
    AppState,
    problem::{Code, Problem},
};
use crate::app::{Board, events::EventView};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The most streams at once.
const MAX_STREAMS: i64 = 1000;
/// Events fetched at a time.
const CHUNK: usize = 500;

/// What a stream says of the events that pass.
pub(super) trait Feed: Send + 'static {
    /// How often it says something, if only a comment.
    const BEAT: Duration;

    /// Something happened.
    fn event(&mut self, event: &EventView, ready: &mut VecDeque<Event>);

    /// Events after `after` are not kept any more. From where to go on.
    fn gap(&mut self, after: i64, ready: &mut VecDeque<Event>) -> i64;

    /// All events up to this one have been told.
    fn passed(&mut self, _event: i64) {}

    /// It is time to say something.
    fn beat(&mut self, ready: &mut VecDeque<Event>) {
        ready.push_back(Event::default().comment(""));
    }
}

/// Whether the caller wants a stream.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("text/event-stream")
}

/// A stream's place among those that may be open at once.
pub(super) struct Place {
    state: AppState,
    latest: watch::Receiver<i64>,
    /// After which event it is to begin, if that was said.
    pub(super) resume: Option<i64>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state.board.telemetry.event_streams.dec();
    }
}

impl Place {
    /// A place for one more stream. It watches from here on what happens.
    pub(super) fn take(state: AppState, resume: Option<i64>) -> Result<Self, Problem> {
        let streams = &state.board.telemetry.event_streams;
        if streams.get() >= MAX_STREAMS {
            let full = format!("there are {MAX_STREAMS} event streams already");
            return Err(Problem::new(Code::Overloaded, full).retry_after(Duration::from_secs(5)));
        }
        streams.inc();
        let latest = state.board.journal.latest();
        Ok(Self { state, latest, resume })
    }

    pub(super) fn board(&self) -> &Arc<Board> {
        &self.state.board
    }

    /// The newest event.
    pub(super) fn newest(&self) -> i64 {
        *self.latest.borrow()
    }

    /// Sends what is ready, then what the feed says of the events after `after`.
    pub(super) fn stream<F: Feed>(self, feed: F, after: i64, ready: VecDeque<Event>) -> Response {
        let mut beat = tokio::time::interval(F::BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        Sse::new(run(Follower { place: self, feed, after, ready, beat })).into_response()
    }
}

/// After which event a stream is to begin: the header says it, else the query.
pub(super) fn resumed_after(headers: &HeaderMap, query: Option<i64>) -> Result<Option<i64>, Problem> {
    match headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default().trim().parse()) {
        None => Ok(query),
        Some(Ok(id)) => Ok(Some(id)),
        Some(Err(_)) => Err(Problem::new(Code::BadRequest, "Last-Event-ID must be the id of an event")),
    }
}

struct Follower<F> {
    place: Place,
    feed: F,
    after: i64,
    ready: VecDeque<Event>,
    beat: Interval,
}

fn run<F: Feed>(follower: Follower<F>) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(follower, |mut follower| async move {
        loop {
            if let Some(event) = follower.ready.pop_front() {
                return Some((Ok(event), follower));
            }
            follower.place.latest.mark_unchanged();
            follower.fetch().await?;
            if !follower.ready.is_empty() {
                continue;
            }
            tokio::select! {
                changed = follower.place.latest.changed() => changed.ok()?,
                _ = follower.beat.tick() => follower.feed.beat(&mut follower.ready),
                () = follower.place.state.shutdown.cancelled() => return None,
            }
        }
    })
}

impl<F: Feed> Follower<F> {
    /// Fetches until there is something to send or nothing new is left. `None` ends the stream: the client
    /// comes back with its last id.
    async fn fetch(&mut self) -> Option<()> {
        loop {
            let (events, gap) = self.place.state.board.events_after(self.after, CHUNK).await.ok()?;
            if gap {
                self.after = self.feed.gap(self.after, &mut self.ready);
            }
            let news = events.iter().filter(|event| event.id > self.after);
            let Some(last) = events.last().map(|event| event.id.max(self.after)) else { return Some(()) };
            for event in news {
                self.feed.event(event, &mut self.ready);
            }
            self.after = last;
            self.feed.passed(last);
            if !self.ready.is_empty() {
                return Some(());
            }
        }
    }
}
