//! Reading the record of what happened: lists with cursors, and streams that resume.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{AppError, Board, journal::Event};
use crate::{
    domain::Name,
    store::sqlite::events::{self, EventRow},
};

/// An event as clients see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// Position in the board's order of events; grows, with gaps.
    pub id: i64,
    /// When, by the wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What: `breaker.transition`, `limiter.penalized`, `limiter.created` …
    pub kind: String,
    /// Kind of the resource: `breaker`, `limiter`, `retry_policy`, `check`, `gate`, `schedule`, `backup`, `retention`,
    /// `threshold`, `alert`.
    pub resource: String,
    /// Name of the resource.
    pub name: String,
    /// Details, by kind.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            kind: row.kind,
            resource: row.resource,
            name: row.name,
            data: RawValue::from_string(row.data).unwrap_or_else(|_| RawValue::NULL.to_owned()),
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id,
            at: event.at,
            kind: event.kind.to_owned(),
            resource: event.resource.to_owned(),
            name: event.name.as_str().to_owned(),
            data: event.data.clone(),
        }
    }
}

/// Which events to show.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only of this kind of resource.
    pub resource: Option<String>,
    /// Only of the resource of this name.
    pub name: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
}

impl EventFilter {
    /// Whether an event is wanted.
    #[must_use]
    pub fn wants(&self, event: &EventView) -> bool {
        self.resource.as_ref().is_none_or(|r| *r == event.resource)
            && self.name.as_ref().is_none_or(|n| *n == event.name)
            && self.kind.as_ref().is_none_or(|k| *k == event.kind)
    }
}

/// How many stored events one listing looks through before it hands over a cursor.
const SCAN: i64 = 10_000;

impl Board {
    /// Up to `limit` events before `before`, newest first, and the cursor for the next page.
    pub async fn events_before(
        &self,
        filter: &EventFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<EventView>, Option<i64>), AppError> {
        self.journal_settled().await;
        let mut before = before.unwrap_or(i64::MAX);
        let mut found = Vec::new();
        let mut scanned = 0;
        while scanned < SCAN {
            let chunk = i64::try_from(limit).unwrap_or(1000).max(1) + 1;
            let rows = match (&filter.resource, &filter.name) {
                (Some(resource), Some(name)) => {
                    events::events_before_of(&self.store.readers, resource, name, before, chunk).await?
                }
                _ => events::events_before(&self.store.readers, before, chunk).await?,
            };
            let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == chunk;
            scanned += chunk;
            for event in rows.into_iter().map(EventView::from) {
                if found.len() == limit && filter.wants(&event) {
                    return Ok((found, Some(before)));
                }
                before = event.id;
                if filter.wants(&event) {
                    found.push(event);
                }
            }
            if !full {
                return Ok((found, None));
            }
        }
        Ok((found, Some(before)))
    }

    /// Events after `after`, oldest first; the flag says that older ones than the first are gone for good.
    pub async fn events_after(&self, after: i64, most: usize) -> Result<(Vec<EventView>, bool), AppError> {
        let (recent, complete) = self.journal.recent_after(after, most);
        if complete {
            return Ok((recent.iter().map(|e| EventView::from(Arc::as_ref(e))).collect(), false));
        }
        self.journal_settled().await;
        let first = events::event_first_id(&self.store.readers).await?;
        let rows =
            events::events_after(&self.store.readers, after, i64::try_from(most).unwrap_or(1000)).await?;
        // After zero nothing can be missing: a new listener has no expectations.
        let gap = after > 0 && first.is_none_or(|first| first > after + 1);
        if rows.is_empty() {
            return Ok((recent.iter().map(|e| EventView::from(Arc::as_ref(e))).collect(), gap));
        }
        Ok((rows.into_iter().map(EventView::from).collect(), gap))
    }

    /// Lets events that are on their way reach the disk first, so that a reader sees its own writes. A disk
    /// that takes none does not hold the reader up.
    pub(super) async fn journal_settled(&self) {
        let latest = *self.journal.latest().borrow();
        drop(self.journal.durable(latest).await);
    }
}

/// A stored transition of a breaker.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TransitionView {
    /// The event's id.
    pub id: i64,
    /// The breaker.
    pub breaker: Name,
    /// When, by the wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `from`, `to`, `cause`, `actor`, `reason`, `generation`, `metrics` and the counts at that moment.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

impl Board {
    /// The transitions of a breaker, newest first, and the cursor for the next page.
    pub async fn breaker_transitions(
        &self,
        name: &Name,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<TransitionView>, Option<i64>), AppError> {
        let filter = EventFilter {
            resource: Some("breaker".to_owned()),
            name: Some(name.as_str().to_owned()),
            kind: Some("breaker.transition".to_owned()),
        };
        let (events, next) = self.events_before(&filter, before, limit).await?;
        let views = events.into_iter().map(|event| TransitionView {
            id: event.id,
            breaker: name.clone(),
            at: event.at,
            details: serde_json::from_str(event.data.get()).unwrap_or_default(),
        });
        Ok((views.collect(), next))
    }
}
