//! Deciding what is told: the step that looks at alerts, routes and silences.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    app::{Board, uuid},
    domain::{
        Name,
        alert::Alert,
        notify::{Document, Flush, Groups, Labelled, Routing},
    },
    store::{
        Connection, StoreError,
        sqlite::{
            alerts::alert_get,
            notification_log::{self, LogRow},
            notifications::{self, AttemptRow, NotificationRow},
        },
    },
};

/// Groups that are flushed by one transaction.
const CHUNK: usize = 100;
/// Notifications that may wait for one receiver; of more, the oldest are given up.
const MOST_PENDING: usize = 1000;

/// How far notifications have come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) groups: Groups,
    routing: Routing,
    /// The change of alerts that was seen last.
    seen: Option<u64>,
}

/// What a flush writes.
struct FlushRows {
    log: LogRow,
    told_nothing: bool,
    notification: Option<(NotificationRow, String)>,
}

impl Board {
    /// Notes how alerts are and decides what is told of them. What is decided is on disk when this returns.
    pub async fn advance_notifications(self: &Arc<Self>) -> Result<(), StoreError> {
        let _turn = self.notifications.turn.lock().await;
        if let Some(missing) = self.observe_alerts() {
            for id in missing {
                let stored = alert_get(&self.store.readers, id).await?;
                let alert =
                    stored.map(|text| serde_json::from_str::<Alert>(&text).map(Arc::new)).transpose()?;
                let Progress { groups, routing, .. } = &mut *self.notifications.progress.lock();
                groups.settle_missing(self.clock.wall(), id, alert.as_ref(), routing);
            }
        }
        let now = self.clock.wall();
        for chunk in self.due_flushes(now).chunks(CHUNK) {
            self.flush_groups(chunk.to_vec(), now).await?;
        }
        self.begin_deliveries();
        Ok(())
    }

    /// Where alerts or routes have changed, or a group is due. Returns told alerts of which nothing is known.
    fn observe_alerts(&self) -> Option<std::collections::BTreeSet<i64>> {
        let mut progress = self.notifications.progress.lock();
        let is_rerouted = self.notifications.is_rerouted.swap(false, Ordering::SeqCst);
        if is_rerouted {
            progress.routing = self.routing();
        }
        // Before looking at them: what comes in between is seen twice rather than not at all.
        let version = Some(*self.alerts.changed().borrow());
        let now = self.clock.wall();
        if !is_rerouted && progress.seen == version && !progress.groups.is_due(now) {
            return None;
        }
        progress.seen = version;
        let alerts = self.alerts.live();
        let Progress { groups, routing, .. } = &mut *progress;
        Some(groups.observe(now, &alerts, routing))
    }

    fn due_flushes(&self, now: Timestamp) -> Vec<Flush> {
        let mut progress = self.notifications.progress.lock();
        if !progress.groups.is_due(now) {
            return Vec::new();
        }
        let mutes = self.mutes();
        let wishes = |name: &Name| Some(self.receivers.get(name.as_str())?.shared().wishes());
        progress.groups.due(now, wishes, |seen| mutes.cover(&seen.labels))
    }

    /// What they tell and what they have told then, in one transaction.
    async fn flush_groups(self: &Arc<Self>, flushes: Vec<Flush>, now: Timestamp) -> Result<(), StoreError> {
        let rows: Vec<_> =
            flushes.iter().map(|flush| self.flush_rows(flush, now)).collect::<Result<_, _>>()?;
        let board = Arc::clone(self);
        let receivers: Vec<_> = flushes.iter().map(|flush| flush.key.receiver.clone()).collect();
        self.store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move {
                        let mut added = Vec::new();
                        for row in rows {
                            added.extend(write(connection, row).await?);
                        }
                        Ok(added)
                    })
                },
                move |added| {
                    let mut progress = board.notifications.progress.lock();
                    for flush in &flushes {
                        progress.groups.settle(flush, now);
                    }
                    let mut outbox = board.notifications.outbox.lock();
                    for row in &added {
                        outbox.add(row);
                    }
                },
            )
            .await?;
        for receiver in receivers {
            self.give_up_surplus(&receiver, now).await?;
        }
        Ok(())
    }

    fn flush_rows(&self, flush: &Flush, now: Timestamp) -> Result<FlushRows, StoreError> {
        let (group_key, receiver) = (flush.key.key.clone(), flush.key.receiver.as_str().to_owned());
        let log = LogRow {
            group_key: group_key.clone(),
            receiver: receiver.clone(),
            labels: flush.labels.as_str().to_owned(),
            told: serde_json::to_string(&flush.log.told)?,
            at: flush.log.at.to_string(),
        };
        let told_nothing = flush.log.told.is_empty();
        let config = self.receivers.get(&receiver).filter(|_| !flush.alerts.is_empty());
        let Some(config) = config.map(|cell| cell.shared()) else {
            return Ok(FlushRows { log, told_nothing, notification: None });
        };
        let most = usize::try_from(config.max_alerts).unwrap_or(usize::MAX);
        let document = Document::new(flush, &self.notifications.options.external_url, most);
        let later = |span: Duration| now.checked_add(span).unwrap_or(Timestamp::MAX).to_string();
        let row = NotificationRow {
            id: 0,
            delivery_id: uuid(now)?,
            receiver,
            group_key,
            state: "pending".to_owned(),
            status: document.status.clone(),
            alerts: i64::try_from(flush.alerts.len()).unwrap_or(i64::MAX),
            created_at: now.to_string(),
            valid_until: later(flush.valid_for),
            give_up_at: later(config.give_up_after.get()),
            attempts: 0,
            next_attempt_at: Some(now.to_string()),
            finished_at: None,
            last_error: None,
        };
        Ok(FlushRows { log, told_nothing, notification: Some((row, serde_json::to_string(&document)?)) })
    }

    /// A receiver that takes nothing must not fill the disk.
    async fn give_up_surplus(&self, receiver: &Name, now: Timestamp) -> Result<(), StoreError> {
        let surplus = self.notifications.outbox.lock().surplus(receiver, MOST_PENDING);
        for (id, attempts) in surplus {
            let row = AttemptRow {
                state: "dead",
                attempts: attempts.into(),
                next_attempt_at: None,
                finished_at: Some(now.to_string()),
                last_error: Some(format!("more than {MOST_PENDING} notifications waited for this receiver")),
            };
            self.store
                .writer
                .write(move |connection| {
                    Box::pin(async move { notifications::notification_attempted(connection, id, &row).await })
                })
                .await?;
            self.notifications.outbox.lock().remove(id);
            self.notifications.dead.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How many alerts fire of which nobody is told, because of silences or maintenance windows.
    pub(super) fn count_silenced(&self) -> usize {
        let mutes = self.mutes();
        if mutes.is_empty() {
            return 0;
        }
        self.alerts.firing().iter().filter(|alert| mutes.cover(&Labelled::new(alert).labels)).count()
    }
}

async fn write(connection: &mut Connection, row: FlushRows) -> Result<Option<NotificationRow>, StoreError> {
    let FlushRows { log, told_nothing, notification } = row;
    if told_nothing {
        notification_log::log_delete(connection, &log.group_key, &log.receiver).await?;
    } else {
        notification_log::log_put(connection, &log).await?;
    }
    let Some((mut row, body)) = notification else { return Ok(None) };
    row.id = notifications::notification_add(connection, &row, &body).await?;
    Ok(Some(row))
}
