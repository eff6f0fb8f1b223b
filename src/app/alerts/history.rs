//! The history of alerts: lists, what somebody said, and what is forgotten.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{AlertView, Happened, KIND};
use crate::{
    app::{
        AppError, Board,
        events::{EventFilter, EventView},
    },
    domain::alert::{Acknowledgement, Alert, AlertLevel, AlertSource, AlertState},
    store::{
        StoreError,
        sqlite::alerts::{
            AlertFilter, alert_delete, alert_get, alerts_before, alerts_delete, alerts_prune_count,
            alerts_prune_old, alerts_resolved_count,
        },
    },
};

/// Alerts that one transaction forgets.
const AT_ONCE: i64 = 1_000;
/// How often an acknowledgement looks again when the alert ends meanwhile.
const TRIES: usize = 3;

/// Which alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertQuery {
    /// Of this metric.
    pub metric_name: Option<String>,
    /// Of this threshold.
    pub threshold_id: Option<String>,
    /// In this state.
    pub state: Option<AlertState>,
    /// Of this level.
    pub level: Option<AlertLevel>,
    /// That fired then or later.
    pub since: Option<Timestamp>,
    /// That fired before then.
    pub until: Option<Timestamp>,
}

impl AlertQuery {
    fn wants(&self, alert: &Alert) -> bool {
        self.metric_name.as_ref().is_none_or(|metric| *metric == alert.metric_name)
            && self.threshold_id.as_ref().is_none_or(|id| Some(id) == alert.threshold_id.as_ref())
            && self.state.is_none_or(|state| state == alert.state)
            && self.level.is_none_or(|level| level == alert.level)
            && self.since.is_none_or(|since| alert.started_at >= since)
            && self.until.is_none_or(|until| alert.started_at < until)
    }

    fn filter(&self) -> AlertFilter {
        let nanos = |at: Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
        AlertFilter {
            metric_name: self.metric_name.clone(),
            threshold_id: self.threshold_id.clone(),
            state: self.state.map(AlertState::as_str),
            level: self.level.map(AlertLevel::as_str),
            since: self.since.map(nanos),
            until: self.until.map(nanos),
        }
    }
}

fn not_found(id: i64) -> AppError {
    AppError::NotFound { resource: KIND, name: id.to_string() }
}

impl Board {
    /// Up to `limit` alerts before `before`, newest first, and the cursor for the next page.
    pub async fn alert_list(
        &self,
        query: &AlertQuery,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<AlertView>, Option<i64>), AppError> {
        self.advance_thresholds();
        self.journal_settled().await;
        let before = before.unwrap_or(i64::MAX);
        let mut found: Vec<Arc<Alert>> = if query.state == Some(AlertState::Firing) {
            // All of them are in memory.
            let firing = self.alerts.firing().into_iter().rev();
            firing.filter(|alert| alert.id < before && query.wants(alert)).take(limit + 1).collect()
        } else {
            let most = i64::try_from(limit).unwrap_or(1_000) + 1;
            let rows = alerts_before(&self.store.readers, &query.filter(), before, most).await?;
            rows.iter().map(|row| self.alert_of(row)).collect::<Result<_, _>>()?
        };
        let next = (found.len() > limit).then(|| found[limit - 1].id);
        found.truncate(limit);
        let mutes = self.mutes();
        Ok((found.iter().map(|alert| AlertView::muted(alert, &mutes)).collect(), next))
    }

    /// A stored alert. What it says while it goes on, memory knows better.
    fn alert_of(&self, row: &str) -> Result<Arc<Alert>, StoreError> {
        let stored: Alert = serde_json::from_str(row)?;
        let live = stored.is_firing().then(|| self.alerts.get(stored.id)).flatten();
        Ok(live.unwrap_or_else(|| Arc::new(stored)))
    }

    async fn alert_find(&self, id: i64) -> Result<Arc<Alert>, AppError> {
        if let Some(alert) = self.alerts.get(id) {
            return Ok(alert);
        }
        let row = alert_get(&self.store.readers, id).await?.ok_or_else(|| not_found(id))?;
        Ok(self.alert_of(&row)?)
    }

    /// One alert.
    pub async fn alert_view(&self, id: i64) -> Result<AlertView, AppError> {
        self.advance_thresholds();
        self.journal_settled().await;
        Ok(AlertView::muted(&self.alert_find(id).await?, &self.mutes()))
    }

    /// What happened to an alert, newest first, and the cursor for the next page.
    ///
    /// Events are kept for so long; that it fired and was over is told as long as there is the alert, then with the id 0.
    pub async fn alert_events(
        &self,
        id: i64,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<EventView>, Option<i64>), AppError> {
        let alert = self.alert_view(id).await?;
        let (resource, name) = (Some(KIND.to_owned()), Some(id.to_string()));
        let filter = EventFilter { resource, name, kind: None };
        let (mut events, next) = self.events_before(&filter, before, limit).await?;
        if next.is_none() && before.is_none() {
            let is_told = |happened: Happened| events.iter().any(|event| event.kind == happened.event());
            let ended = alert.resolved_at.filter(|_| !is_told(Happened::Resolved));
            let fired = (!is_told(Happened::Firing)).then_some(alert.started_at);
            let lost = |happened: Happened, at| EventView {
                id: 0,
                at,
                kind: happened.event().to_owned(),
                resource: KIND.to_owned(),
                name: id.to_string(),
                data: serde_json::value::to_raw_value(&alert).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            };
            if let Some(at) = ended {
                events.insert(0, lost(Happened::Resolved, at));
            }
            events.extend(fired.map(|at| lost(Happened::Firing, at)));
        }
        Ok((events, next))
    }

    /// Somebody has seen an alert. When this returns, that is on disk.
    pub async fn alert_acknowledge(
        &self,
        id: i64,
        by: Option<&str>,
        comment: Option<&str>,
    ) -> Result<AlertView, AppError> {
        let seen = Acknowledgement {
            by: by.unwrap_or("anonymous").to_owned(),
            comment: comment.map(str::to_owned),
            at: self.clock.wall(),
        };
        self.advance_thresholds();
        self.journal_settled().await;
        for _ in 0..TRIES {
            let alert = self.alert_find(id).await?;
            if let Some((alert, moved)) = self.acknowledge(&alert, &seen) {
                self.journal.durable(moved).await?;
                return Ok(AlertView::from(&*alert));
            }
            // It is over, and that is not on disk yet.
            self.journal.durable(self.journal.newest()).await?;
        }
        Err(AppError::Overloaded { retry_after: std::time::Duration::from_secs(1) })
    }

    /// Whoever may change the alert does it, so that no change undoes another.
    fn acknowledge(&self, alert: &Alert, seen: &Acknowledgement) -> Option<(Arc<Alert>, i64)> {
        if !alert.is_firing() {
            let alert = Arc::new(alert.seen_by(seen));
            let moved = self.record_alert(Happened::Acknowledged, &alert, Vec::new());
            return Some((alert, moved));
        }
        match alert.source {
            AlertSource::External => self.acknowledge_external(alert, seen),
            AlertSource::Threshold => {
                self.thresholds.get(alert.threshold_id.as_ref()?)?.acknowledge(self, alert, seen)
            }
        }
    }

    /// Deletes an alert that is over.
    pub async fn alert_remove(&self, id: i64) -> Result<(), AppError> {
        self.journal_settled().await;
        if self.alert_find(id).await?.is_firing() {
            return Err(AppError::StillFiring { id });
        }
        let write = self
            .store
            .writer
            .write(move |connection| Box::pin(async move { alert_delete(connection, id).await }));
        if !write.await? {
            return Err(not_found(id));
        }
        self.alerts.forget(|alert| alert.id == id);
        Ok(())
    }

    /// Deletes alerts that are over. How many there were.
    pub async fn alerts_clear(&self, query: &AlertQuery) -> Result<usize, AppError> {
        self.journal_settled().await;
        let mut count = 0;
        loop {
            let filter = query.filter();
            let write = self.store.writer.write(move |connection| {
                Box::pin(async move { alerts_delete(connection, &filter, AT_ONCE).await })
            });
            let gone = write.await?;
            self.alerts.forget(|alert| gone.contains(&alert.id));
            count += gone.len();
            if i64::try_from(gone.len()).unwrap_or(i64::MAX) < AT_ONCE {
                return Ok(count);
            }
        }
    }

    /// Forgets alerts that were over too long ago, and the oldest of too many.
    pub async fn prune_alerts(&self) -> Result<(), StoreError> {
        let retention = i64::try_from(self.limits.alerts_retention.as_nanos()).unwrap_or(i64::MAX);
        let oldest = self.clock.wall_nanos().saturating_sub(retention);
        let most = i64::try_from(self.limits.max_alerts).unwrap_or(i64::MAX);
        loop {
            let write = self.store.writer.write(move |connection| {
                Box::pin(async move {
                    let mut gone = alerts_prune_old(connection, oldest, AT_ONCE).await?;
                    let excess = alerts_resolved_count(connection).await? - most;
                    if excess > 0 {
                        gone.extend(alerts_prune_count(connection, excess.min(AT_ONCE)).await?);
                    }
                    Ok(gone)
                })
            });
            let gone = write.await?;
            if !gone.is_empty() {
                self.alerts.forget(|alert| gone.contains(&alert.id));
            }
            if i64::try_from(gone.len()).unwrap_or(i64::MAX) < AT_ONCE {
                return Ok(());
            }
        }
    }
}
