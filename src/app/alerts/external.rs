//! Alerts from outside, as Prometheus sends them: again and again while they go on.

use std::{sync::Arc, time::Duration};

use foldhash::HashMap;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{AlertWrite, Happened};
use crate::{
    app::{AppError, Board},
    domain::{
        LabelSet,
        alert::{Acknowledgement, Alert, AlertLevel, AlertSource, AlertState},
    },
    store::StoreError,
};

/// How long an alert goes on that is not sent again and does not say when it ends.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(300);
/// An end that moves on by less than this is not worth a write: after a crash it counts from the start anyway.
const SAVED_EVERY: Duration = Duration::from_secs(60);

/// An alert as somebody sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalAlert {
    /// Its `alertname`.
    pub name: String,
    /// Its labels without `alertname` and `severity`.
    pub labels: LabelSet,
    /// How grave it is. Together with name and labels it says which alert this is, as for Alertmanager.
    pub level: AlertLevel,
    /// More about it, without what is the message.
    pub annotations: LabelSet,
    /// What it says.
    pub message: String,
    /// When it began; now if left out.
    pub starts_at: Option<Timestamp>,
    /// When it is over; [`RESOLVE_TIMEOUT`] from now if left out. In the past: it is over.
    pub ends_at: Option<Timestamp>,
    /// A page for people.
    pub generator_url: Option<String>,
}

/// What tells it from others.
type Key = (String, LabelSet, AlertLevel);

/// Those that are firing, as decided; on disk a little later.
#[derive(Debug, Default)]
pub struct External(Mutex<HashMap<Key, Held>>);

#[derive(Debug)]
struct Held {
    alert: Arc<Alert>,
    /// Its place in the journal.
    moved: i64,
    /// The end that is on disk.
    saved: Option<Timestamp>,
}

fn key(alert: &Alert) -> Key {
    (alert.metric_name.clone(), alert.labels.clone(), alert.level)
}

impl External {
    /// Takes over one that was firing before the start. Nobody could send it again meanwhile.
    pub(super) fn resume(&self, mut alert: Alert, now: Timestamp) -> Arc<Alert> {
        let saved = alert.ends_at;
        alert.ends_at = alert.ends_at.max(Some(timeout(now)));
        let alert = Arc::new(alert);
        self.0.lock().insert(key(&alert), Held { alert: Arc::clone(&alert), moved: 0, saved });
        alert
    }
}

/// When it ends that begins to wait now.
fn timeout(now: Timestamp) -> Timestamp {
    now.saturating_add(RESOLVE_TIMEOUT).unwrap_or(Timestamp::MAX)
}

impl Board {
    /// Takes alerts that somebody sends. When this returns, those that fired, changed or ended are on disk. An error
    /// of the store is none of the alerts' being lost: what was decided reaches the disk when that takes it.
    pub async fn alert_raise_external(&self, sent: Vec<ExternalAlert>) -> Result<(), AppError> {
        let (moved, refused) = {
            let mut held = self.alerts.external.0.lock();
            let mut moved = 0;
            let mut refused = None;
            for alert in sent {
                match self.take_external(&mut held, alert) {
                    Ok(at) => moved = at.max(moved),
                    Err(error) => refused = Some(error),
                }
            }
            (moved, refused)
        };
        self.journal.durable(moved).await?;
        refused.map_or(Ok(()), Err)
    }

    /// Its place in the journal: what has to be on disk before it counts as taken.
    fn take_external(&self, held: &mut HashMap<Key, Held>, sent: ExternalAlert) -> Result<i64, AppError> {
        let now = self.clock.wall();
        let end = sent.ends_at.unwrap_or_else(|| timeout(now));
        let (ends_at, is_over) = (Some(end), end <= now);
        let key = (sent.name, sent.labels, sent.level);
        let is_known = held.contains_key(&key);
        if !is_known && is_over {
            return Ok(0);
        }
        let limit = self.limits.max_external_alerts;
        if !is_known && held.len() >= limit {
            return Err(AppError::LimitReached { what: super::KIND, limit });
        }
        if !self.journal.has_room_for_alerts() {
            return Err(AppError::Overloaded { retry_after: Duration::from_secs(1) });
        }
        let Some(known) = held.get_mut(&key) else {
            let alert = Arc::new(Alert {
                id: self.alerts.new_id(),
                source: AlertSource::External,
                threshold_id: None,
                metric_name: key.0.clone(),
                labels: key.1.clone(),
                annotations: sent.annotations,
                level: key.2,
                state: AlertState::Firing,
                rule: None,
                message: sent.message,
                value: None,
                started_at: sent.starts_at.filter(|at| *at < now).unwrap_or(now),
                resolved_at: None,
                ends_at,
                updated_at: now,
                acknowledged: None,
                generator_url: sent.generator_url,
            });
            let moved = self.record_alert(Happened::Firing, &alert, Vec::new());
            held.insert(key, Held { alert, moved, saved: ends_at });
            return Ok(moved);
        };
        if is_over {
            let moved = self.end_external(&known.alert, end);
            held.remove(&key);
            return Ok(moved);
        }
        let before = &known.alert;
        let is_news = (&before.annotations, &before.message, &before.generator_url)
            != (&sent.annotations, &sent.message, &sent.generator_url);
        let alert = Arc::new(Alert {
            annotations: sent.annotations,
            message: sent.message,
            generator_url: sent.generator_url,
            ends_at,
            updated_at: now,
            ..Alert::clone(before)
        });
        if is_news {
            known.moved = self.record_alert(Happened::Updated, &alert, Vec::new());
            known.saved = ends_at;
        } else if known
            .saved
            .zip(ends_at)
            .is_none_or(|(saved, end)| saved.duration_until(end).unsigned_abs() >= SAVED_EVERY)
        {
            let write = AlertWrite { alert: Some((Arc::clone(&alert), false)), series: Vec::new() };
            self.journal.record_silently(write);
            known.saved = ends_at;
        }
        known.alert = alert;
        Ok(known.moved)
    }

    fn end_external(&self, alert: &Alert, end: Timestamp) -> i64 {
        let resolved_at = end.max(alert.started_at);
        let alert = Arc::new(Alert {
            state: AlertState::Resolved,
            resolved_at: Some(resolved_at),
            ends_at: Some(end),
            updated_at: self.clock.wall(),
            ..alert.clone()
        });
        self.record_alert(Happened::Resolved, &alert, Vec::new())
    }

    /// Somebody has seen one that is firing; none if it is over.
    pub(super) fn acknowledge_external(
        &self,
        alert: &Alert,
        seen: &Acknowledgement,
    ) -> Option<(Arc<Alert>, i64)> {
        let mut held = self.alerts.external.0.lock();
        let held = held.get_mut(&key(alert)).filter(|held| held.alert.id == alert.id)?;
        held.alert = Arc::new(held.alert.seen_by(seen));
        held.moved = self.record_alert(Happened::Acknowledged, &held.alert, Vec::new());
        Some((Arc::clone(&held.alert), held.moved))
    }

    /// Resolves those that have ended and were not sent again.
    pub fn expire_external_alerts(&self) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let mut held = self.alerts.external.0.lock();
        held.retain(|_, held| {
            let end = held.alert.ends_at.filter(|end| *end <= now && self.journal.has_room_for_alerts());
            let Some(end) = end else { return true };
            self.end_external(&held.alert, end);
            false
        });
        Ok(())
    }
}
