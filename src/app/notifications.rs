//! Notifications: what is decided to be told, the outbox that it is told from, and what became of it.
//!
//! A step (`step`) looks which groups are due, and writes what they tell and what they have told then in one transaction.
//! What is in the outbox is sent ([`deliver`]) until the receiver has it or it is given up, also after a restart.

pub mod deliver;
mod outbox;
mod restore;
mod step;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa::ToSchema;

pub use self::restore::StoredNotifications;
pub(super) use self::restore::{read, restore};
use self::{outbox::Outbox, step::Progress};
use super::{AppError, Board};
use crate::{
    domain::{
        Name,
        notify::{Group, GroupKey, SilenceState},
    },
    store::{
        StoreError,
        sqlite::notifications::{self, NotificationRow},
    },
};

/// How long notifications are kept that are delivered or dead.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How many of them at most.
const MOST_KEPT: i64 = 10_000;

/// What can be set of notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationOptions {
    /// Where people reach this board; may be empty.
    pub external_url: String,
}

/// What is known of notifications.
#[derive(Debug, Default)]
pub struct Notifications {
    /// What can be set.
    pub options: NotificationOptions,
    /// Since when this process tells anybody.
    pub started_at: Timestamp,
    progress: Mutex<Progress>,
    outbox: Mutex<Outbox>,
    /// Held from a decision until it is on disk.
    turn: tokio::sync::Mutex<()>,
    is_rerouted: AtomicBool,
    dead: AtomicI64,
    tracker: TaskTracker,
    stopping: CancellationToken,
    interrupt: CancellationToken,
}

/// How a notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// It is to be delivered.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was given up.
    Dead,
}

impl NotificationState {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// A notification as answered by `GET /v1/notifications`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NotificationView {
    /// Ascends.
    pub id: i64,
    /// The same for every attempt: receivers tell by it what they have already.
    pub delivery_id: String,
    /// Who is told.
    pub receiver: String,
    /// About which group: route and labels.
    pub group_key: String,
    /// How it stands.
    pub state: NotificationState,
    /// `firing` or `resolved`: whether any of its alerts goes on.
    pub status: String,
    /// How many alerts it is about.
    pub alert_count: i64,
    /// When it was decided.
    pub created_at: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next; null unless it is pending.
    pub next_attempt_at: Option<String>,
    /// When it is given up.
    pub give_up_at: String,
    /// When it was delivered or given up; null while it is pending.
    pub finished_at: Option<String>,
    /// Why the last attempt failed; null if none did.
    pub last_error: Option<String>,
}

/// A notification with what it says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NotificationDetail {
    /// How it stands.
    #[serde(flatten)]
    pub notification: NotificationView,
    /// What it says, as Alertmanager's webhooks do.
    #[schema(value_type = Object)]
    pub body: Box<RawValue>,
}

impl From<NotificationRow> for NotificationView {
    fn from(row: NotificationRow) -> Self {
        Self {
            id: row.id,
            delivery_id: row.delivery_id,
            receiver: row.receiver,
            group_key: row.group_key,
            state: match row.state.as_str() {
                "delivered" => NotificationState::Delivered,
                "dead" => NotificationState::Dead,
                _ => NotificationState::Pending,
            },
            status: row.status,
            alert_count: row.alerts,
            created_at: row.created_at,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at,
            give_up_at: row.give_up_at,
            finished_at: row.finished_at,
            last_error: row.last_error,
        }
    }
}

impl Notifications {
    /// None yet.
    #[must_use]
    pub fn new(options: NotificationOptions, started_at: Timestamp) -> Self {
        Self { options, started_at, is_rerouted: AtomicBool::new(true), ..Self::default() }
    }

    /// Routes or receivers have changed.
    pub fn reroute(&self) {
        self.is_rerouted.store(true, Ordering::SeqCst);
    }

    /// How many are still to be delivered to a receiver.
    #[must_use]
    pub fn pending_of(&self, receiver: &Name) -> usize {
        self.outbox.lock().count(receiver)
    }

    /// From now on no delivery begins: what is in the outbox is for the next start.
    pub fn stop_beginning(&self) {
        self.stopping.cancel();
        self.tracker.close();
    }

    /// After [`Notifications::stop_beginning`]: gives the deliveries that go on this much time. Those that are broken off are
    /// made again after the next start, with the same id.
    pub async fn drain(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.tracker.wait()).await.is_err() {
            self.interrupt.cancel();
            self.tracker.wait().await;
        }
    }

    /// Each group of alerts that is told together.
    pub fn each_group(&self, look: impl FnMut((&GroupKey, &Group))) {
        self.progress.lock().groups.iter().for_each(look);
    }
}

fn not_found(id: i64) -> AppError {
    AppError::NotFound { resource: "notification", name: id.to_string() }
}

impl Board {
    /// Notifications, newest first, and the cursor for the next page.
    pub async fn notification_list(
        &self,
        state: Option<NotificationState>,
        receiver: Option<&str>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<NotificationView>, Option<i64>), AppError> {
        let most = i64::try_from(limit).unwrap_or(1000) + 1;
        let state = state.map(NotificationState::as_str);
        let before = before.unwrap_or(i64::MAX);
        let mut rows =
            notifications::notifications_before(&self.store.readers, state, receiver, before, most).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| row.id);
        Ok((rows.into_iter().map(Into::into).collect(), next))
    }

    /// A notification and what it says.
    pub async fn notification_find(&self, id: i64) -> Result<NotificationDetail, AppError> {
        let row = notifications::notification_get(&self.store.readers, id).await?;
        let body = notifications::notification_body(&self.store.readers, id).await?;
        let (row, body) = row.zip(body).ok_or_else(|| not_found(id))?;
        let body = RawValue::from_string(body).map_err(StoreError::from)?;
        Ok(NotificationDetail { notification: row.into(), body })
    }

    /// Tries a notification again that is dead or waits for its next attempt, as if it were new.
    pub async fn notification_retry(self: &Arc<Self>, id: i64) -> Result<NotificationView, AppError> {
        let row = notifications::notification_get(&self.store.readers, id).await?;
        let row = row.ok_or_else(|| not_found(id))?;
        let cell = self
            .receivers
            .get(&row.receiver)
            .ok_or_else(|| AppError::NotFound { resource: "receiver", name: row.receiver.clone() })?;
        let was_dead = row.state == NotificationState::Dead.as_str();
        let now = self.clock.wall();
        let until = now.checked_add(cell.shared().give_up_after.get()).unwrap_or(Timestamp::MAX);
        let (now, until) = (now.to_string(), until.to_string());
        let board = Arc::clone(self);
        let revived = self
            .store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(
                        async move { notifications::notification_revive(connection, id, &now, &until).await },
                    )
                },
                move |row| {
                    let row = row?;
                    if was_dead {
                        board.notifications.dead.fetch_sub(1, Ordering::Relaxed);
                    }
                    board.notifications.outbox.lock().add(&row);
                    Some(row)
                },
            )
            .await?;
        // Somebody else was faster, or it was delivered long ago.
        let row = revived.ok_or(AppError::Delivered(id))?;
        self.begin_deliveries();
        Ok(row.into())
    }

    /// Forgets notifications that have long been delivered or dead, and silences that have long been over.
    pub async fn prune_notifications(&self) -> Result<(), StoreError> {
        self.prune_silences().await?;
        let before = self.clock.wall().checked_sub(KEPT).unwrap_or(Timestamp::MIN).to_string();
        self.store
            .writer
            .write(move |connection| {
                Box::pin(
                    async move { notifications::notifications_prune(connection, &before, MOST_KEPT).await },
                )
            })
            .await?;
        let dead = notifications::notifications_dead(&self.store.readers).await?;
        self.notifications.dead.store(dead, Ordering::Relaxed);
        Ok(())
    }

    /// Brings the metrics up to date that are read rather than counted.
    pub(super) fn refresh_notification_telemetry(&self) {
        let gauge = |gauge: &prometheus::IntGauge, value: usize| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let (metrics, now) = (&self.telemetry.notifications, self.clock.wall());
        let (pending, in_flight) = self.notifications.outbox.lock().load();
        gauge(&metrics.pending, pending);
        gauge(&metrics.in_flight, in_flight);
        metrics.dead.set(self.notifications.dead.load(Ordering::Relaxed));
        gauge(&metrics.groups, self.notifications.progress.lock().groups.len());
        gauge(&metrics.silences, self.silences.count(SilenceState::Active, now));
        gauge(&metrics.silenced_alerts, self.count_silenced());
    }
}
