//! What happened: events get their place in the order at once, are shown at once, and reach the disk in groups.

mod flush;
mod prune;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};

use super::{alerts::AlertWrite, idempotency::StoredAnswer};
use crate::{domain::Name, store::StoreError};

/// Events kept in memory for streams that are a little behind; older ones are read from the store.
const RECENT: usize = 2048;
/// Events that may wait for a disk that does not take them. Beyond it the oldest are lost to history.
const WAITING: usize = 10_000;
/// Entries that may wait before alerts stop changing: half of it, so that what is decided finds room.
pub const ALERTS_WAITING: usize = WAITING / 2;
/// How often a group is held open for another turn of those who are ready to run.
const TURNS: usize = 8;
/// Ids that an unclean stop may have used without storing them are skipped at the next start.
pub const UNCLEAN_GAP: i64 = 1_000_000;

/// Something that happened to a resource.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Position in the board's order of events; grows, with gaps.
    pub id: i64,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// What: `breaker.transition`, `limiter.penalized`, `limiter.created` …
    pub kind: &'static str,
    /// Kind of the resource.
    pub resource: &'static str,
    /// Name of the resource.
    pub name: Name,
    /// Details, by kind.
    pub data: Box<RawValue>,
}

/// Something on its way to the disk: an event, the answer that it makes repeatable, and what it did to alerts.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the order of events.
    pub id: i64,
    /// The event. None where nothing happened that anybody is told of.
    pub event: Option<Arc<Event>>,
    /// The answer to store with it.
    pub answer: Option<StoredAnswer>,
    /// What it does to alerts and to the state of thresholds.
    pub alerts: Option<Arc<AlertWrite>>,
}

#[derive(Clone, Debug)]
struct Progress {
    durable: i64,
    attempt: u64,
    error: Option<StoreError>,
}

/// The board's journal.
#[derive(Debug)]
pub struct Journal {
    inner: Mutex<Inner>,
    wake: Notify,
    /// The last id of the process before.
    began_after: i64,
    latest: watch::Sender<i64>,
    progress: watch::Sender<Progress>,
    /// Held by whoever writes entries, so that each is written, and what it did to alerts published, once.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Inner {
    next_id: i64,
    waiting: VecDeque<Entry>,
    recent: VecDeque<Arc<Event>>,
    dropped: u64,
}

/// A new event, before it has an id.
pub struct NewEvent<'a> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: &'static str,
    /// Kind of the resource.
    pub resource: &'static str,
    /// Its name.
    pub name: &'a Name,
}

impl Inner {
    fn push(&mut self, entry: Entry) {
        if let Some(event) = &entry.event {
            if self.recent.len() >= RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(Arc::clone(event));
        }
        // What happened to alerts is state, not only history.
        if self.waiting.len() >= WAITING
            && let Some(oldest) = self.waiting.iter().position(|entry| entry.alerts.is_none())
        {
            self.waiting.remove(oldest);
            self.dropped += 1;
        }
        self.waiting.push_back(entry);
    }
}

fn raw(data: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(data).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

impl Journal {
    /// Goes on after `last_id`.
    #[must_use]
    pub fn new(last_id: i64) -> Self {
        let progress = Progress { durable: last_id, attempt: 0, error: None };
        Self {
            inner: Mutex::new(Inner {
                next_id: last_id + 1,
                waiting: VecDeque::new(),
                recent: VecDeque::new(),
                dropped: 0,
            }),
            wake: Notify::new(),
            began_after: last_id,
            latest: watch::Sender::new(last_id),
            progress: watch::Sender::new(progress),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Records an event. Returns the id that it gets.
    pub fn record(&self, new: &NewEvent<'_>, data: &impl Serialize, answer: Option<StoredAnswer>) -> i64 {
        self.add(Some((new, raw(data))), answer, None)
    }

    /// Records an event together with what it does to alerts: both are on disk or neither is.
    pub fn record_with(&self, new: &NewEvent<'_>, data: &impl Serialize, alerts: AlertWrite) -> i64 {
        self.add(Some((new, raw(data))), None, Some(Arc::new(alerts)))
    }

    /// Records what nobody is told of, in the order of events.
    pub fn record_silently(&self, alerts: AlertWrite) -> i64 {
        self.add(None, None, Some(Arc::new(alerts)))
    }

    fn add(
        &self,
        event: Option<(&NewEvent<'_>, Box<RawValue>)>,
        answer: Option<StoredAnswer>,
        alerts: Option<Arc<AlertWrite>>,
    ) -> i64 {
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        let event = event.map(|(NewEvent { at, kind, resource, name }, data)| {
            Arc::new(Event { id, at: *at, kind, resource, name: (*name).clone(), data })
        });
        let is_told = event.is_some();
        inner.push(Entry { id, event, answer, alerts });
        if is_told {
            // Inside the lock, so that `latest` never goes backwards.
            self.latest.send_replace(id);
        }
        drop(inner);
        self.wake.notify_one();
        id
    }

    /// Whether alerts may change: what the disk does not take for long is not piled up without end.
    #[must_use]
    pub fn has_room_for_alerts(&self) -> bool {
        self.inner.lock().waiting.len() < ALERTS_WAITING
    }

    /// The id of the newest event.
    #[must_use]
    pub fn last(&self) -> i64 {
        *self.latest.borrow()
    }

    /// Whether an event has happened, and since the server was started. What others were told of before may never have
    /// reached the disk.
    #[must_use]
    pub fn is_of_this_process(&self, id: i64) -> bool {
        (self.began_after..=self.last()).contains(&id)
    }

    /// The id of the newest entry, told or not.
    #[must_use]
    pub fn newest(&self) -> i64 {
        self.inner.lock().next_id - 1
    }

    /// Whether everything up to `id` is on disk.
    #[must_use]
    pub fn is_durable(&self, id: i64) -> bool {
        self.progress.borrow().durable >= id
    }

    /// Waits until everything up to `id` is on disk; fails if the next attempt to write it fails.
    pub async fn durable(&self, id: i64) -> Result<(), StoreError> {
        let mut progress = self.progress.subscribe();
        let before = progress.borrow_and_update().clone();
        if before.durable >= id {
            return Ok(());
        }
        loop {
            if progress.changed().await.is_err() {
                return Err(StoreError::Closed);
            }
            let now = progress.borrow_and_update().clone();
            match now.error {
                _ if now.durable >= id => return Ok(()),
                Some(error) if now.attempt > before.attempt => return Err(error),
                _ => {}
            }
        }
    }

    /// Waits until there is something to write.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Lets those who are ready to add something do so, as long as anybody does: a group costs hardly more than one entry.
    pub async fn gathered(&self) {
        let mut before = self.newest();
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            let now = self.newest();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Copies up to `most` entries that are not on disk yet, oldest first.
    #[must_use]
    pub fn waiting(&self, most: usize) -> Vec<Entry> {
        self.inner.lock().waiting.iter().take(most).cloned().collect()
    }

    /// The answer of a request that was done already and is not on disk yet, and its place: whoever repeats the request
    /// waits for that.
    #[must_use]
    pub fn answer_waiting(&self, key: &str) -> Option<(i64, StoredAnswer)> {
        let inner = self.inner.lock();
        inner.waiting.iter().rev().find_map(|entry| {
            let stored = entry.answer.as_ref().filter(|stored| &*stored.key.key == key)?;
            Some((entry.id, stored.clone()))
        })
    }

    /// How many entries are not on disk yet, and how many were lost to a disk that took none.
    #[must_use]
    pub fn backlog(&self) -> (usize, u64) {
        let inner = self.inner.lock();
        (inner.waiting.len(), inner.dropped)
    }

    /// Notes that everything up to `id` is on disk, or that writing failed.
    pub fn settle(&self, result: Result<i64, StoreError>) {
        if let Ok(id) = result {
            let mut inner = self.inner.lock();
            while inner.waiting.front().is_some_and(|e| e.id <= id) {
                inner.waiting.pop_front();
            }
        }
        self.progress.send_modify(|p| {
            p.attempt += 1;
            match result {
                Ok(id) => {
                    p.durable = p.durable.max(id);
                    p.error = None;
                }
                Err(error) => p.error = Some(error),
            }
        });
    }

    /// The events after `id` that are still in memory, and whether that is all of them: false means
    /// that older ones must be read from the store first.
    #[must_use]
    pub fn recent_after(&self, id: i64, most: usize) -> (Vec<Arc<Event>>, bool) {
        let inner = self.inner.lock();
        let complete = inner.recent.front().map_or(id + 1 >= inner.next_id, |oldest| oldest.id <= id + 1);
        let from = inner.recent.partition_point(|e| e.id <= id);
        (inner.recent.iter().skip(from).take(most).cloned().collect(), complete)
    }

    /// The newest id, observable.
    #[must_use]
    pub fn latest(&self) -> watch::Receiver<i64> {
        self.latest.subscribe()
    }
}

/// How long the flusher waits after a failed write.
pub const RETRY: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_group_has_all_that_are_ready() {
        let journal = Arc::new(Journal::new(0));
        for turns in 0..4 {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                journal.record_silently(AlertWrite::default());
            });
        }
        journal.gathered().await;
        assert_eq!(journal.waiting(10).len(), 4);
        // Nobody else is waited for.
        journal.gathered().await;
    }
}
