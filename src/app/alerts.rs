//! Alerts: those that are firing and those that were lately, how they are told, and how they get to the disk.
//!
//! What happens to an alert goes through the journal, in one transaction with its event. Only then it is published here:
//! nobody is told of an alert that a crash could take back. `alerts/` has [`external`] for those from outside, [`history`]
//! for lists, acknowledgements and what is forgotten, and [`view`] for what clients see.

pub mod external;
pub mod history;
mod restore;
pub mod view;
mod write;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use self::{
    external::ExternalAlert,
    restore::StoredAlerts,
    view::AlertView,
    write::{AlertWrite, SeriesRow, alert_row, series_rows},
};
pub(super) use restore::{read, restore};

use self::external::External;
pub use self::history::AlertQuery;
use super::{Board, journal::NewEvent};
use crate::domain::{
    Name,
    alert::{Alert, AlertLevel},
};

/// How long alerts are remembered here after they were over.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How many of those at most; the others are in the store.
const MOST_REMEMBERED: usize = 10_000;

/// The kind of resource in events.
pub const KIND: &str = "alert";

/// The alerts of the board, as they are on disk.
#[derive(Debug)]
pub struct Alerts {
    next_id: AtomicI64,
    live: Mutex<Live>,
    changed: watch::Sender<u64>,
    external: External,
}

#[derive(Debug, Default)]
struct Live {
    firing: BTreeMap<i64, Arc<Alert>>,
    /// In the order of their ends.
    resolved: VecDeque<Arc<Alert>>,
}

impl Live {
    fn put(&mut self, alert: &Arc<Alert>) {
        if alert.is_firing() {
            self.firing.insert(alert.id, Arc::clone(alert));
            return;
        }
        // What has just ended is not looked for: thousands may be remembered.
        let known = match self.firing.remove(&alert.id) {
            Some(_) => None,
            None => self.resolved.iter_mut().rfind(|old| old.id == alert.id),
        };
        match known {
            // Acknowledged after its end.
            Some(old) => *old = Arc::clone(alert),
            None => self.resolved.push_back(Arc::clone(alert)),
        }
    }

    fn forget(&mut self, before: Timestamp) {
        let is_old = |alert: &Arc<Alert>| alert.resolved_at.is_none_or(|at| at < before);
        while self.resolved.len() > MOST_REMEMBERED || self.resolved.front().is_some_and(is_old) {
            self.resolved.pop_front();
        }
    }
}

impl Alerts {
    /// None yet; the first one gets the id after `last_id`.
    #[must_use]
    pub fn new(last_id: i64) -> Self {
        Self {
            next_id: AtomicI64::new(last_id + 1),
            live: Mutex::default(),
            changed: watch::Sender::new(0),
            external: External::default(),
        }
    }

    /// Those that are firing, in the order in which they fired, and after them those that were resolved within the last
    /// hour (of more than ten thousand the latest), in the order of their ends. All of them are on disk.
    #[must_use]
    pub fn live(&self) -> Vec<Arc<Alert>> {
        let live = self.live.lock();
        live.firing.values().chain(&live.resolved).cloned().collect()
    }

    /// Those that are firing, in the order in which they fired.
    #[must_use]
    pub fn firing(&self) -> Vec<Arc<Alert>> {
        self.live.lock().firing.values().cloned().collect()
    }

    /// Moves when a live alert fires, changes, is acknowledged or is resolved. Not when only its value changes, or when
    /// one from outside is sent again unchanged.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// An id that no alert had before.
    pub(super) fn new_id(&self) -> i64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A live alert as it is on disk.
    #[must_use]
    pub fn get(&self, id: i64) -> Option<Arc<Alert>> {
        let live = self.live.lock();
        live.firing.get(&id).or_else(|| live.resolved.iter().rfind(|alert| alert.id == id)).cloned()
    }

    /// How many are firing, by level.
    #[must_use]
    pub fn count_firing(&self) -> [(AlertLevel, usize); 4] {
        let live = self.live.lock();
        AlertLevel::ALL
            .map(|level| (level, live.firing.values().filter(|alert| alert.level == level).count()))
    }

    /// Forgets those that are not firing.
    pub(super) fn forget(&self, is_gone: impl Fn(&Alert) -> bool) {
        self.live.lock().resolved.retain(|alert| !is_gone(alert));
    }

    /// The value and the message of one that is firing are others; that is not news.
    pub(super) fn refresh(&self, alert: &Arc<Alert>) {
        if let Some(old) = self.live.lock().firing.get_mut(&alert.id) {
            *old = Arc::new(Alert { acknowledged: old.acknowledged.clone(), ..Alert::clone(alert) });
        }
    }

    /// The last id that was given.
    pub(super) fn last_id(&self) -> i64 {
        self.next_id.load(Ordering::Relaxed) - 1
    }

    /// What was written is on disk.
    pub(super) fn publish<'a>(&self, written: impl Iterator<Item = &'a AlertWrite>, now: Timestamp) {
        let mut live = None;
        let mut is_news = false;
        for (alert, news) in written.filter_map(|write| write.alert.as_ref()) {
            live.get_or_insert_with(|| self.live.lock()).put(alert);
            is_news |= news;
        }
        let Some(mut live) = live else { return };
        live.forget(now.saturating_sub(REMEMBERED).unwrap_or(Timestamp::MIN));
        drop(live);
        if is_news {
            self.changed.send_modify(|count| *count += 1);
        }
    }
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It fired.
    Firing,
    /// It says something else.
    Updated,
    /// Somebody has seen it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl Happened {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Updated => "updated",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// The kind of its event.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::Firing => "alert.firing",
            Self::Updated => "alert.updated",
            Self::Acknowledged => "alert.acknowledged",
            Self::Resolved => "alert.resolved",
        }
    }
}

impl Board {
    /// Records what happened to an alert. Returns the place in the journal: once that is durable, the alert is.
    pub(super) fn record_alert(&self, happened: Happened, alert: &Arc<Alert>, series: Vec<SeriesRow>) -> i64 {
        self.telemetry.alerts.transitions.with_label_values(&[happened.as_str()]).inc();
        let write = AlertWrite { alert: Some((Arc::clone(alert), true)), series };
        // A number is a name.
        let Ok(name) = Name::try_from(alert.id.to_string()) else { return 0 };
        let event = NewEvent { at: alert.updated_at, kind: happened.event(), resource: KIND, name: &name };
        self.journal.record_with(&event, &AlertView::from(&**alert), write)
    }
}
