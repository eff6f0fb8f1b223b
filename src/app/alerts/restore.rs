//! Alerts after a start: those that were firing go on.

use std::sync::Arc;

use super::{MOST_REMEMBERED, REMEMBERED};
use crate::{
    app::{Board, journal::ALERTS_WAITING},
    domain::alert::{Alert, AlertSource},
    store::{
        Connection, StoreError,
        sqlite::alerts::{alert_last_id, alerts_firing, alerts_resolved_since, series_load},
    },
};

/// What the store holds of alerts at the start.
#[derive(Debug)]
pub struct StoredAlerts {
    last_id: i64,
    firing: Vec<String>,
    resolved: Vec<String>,
    series: Vec<(String, String, String)>,
}

impl StoredAlerts {
    /// Where series of thresholds stand: threshold, labels, state.
    pub(in crate::app) fn series(&self) -> &[(String, String, String)] {
        &self.series
    }

    /// The id after which new ones come. After a crash some may have been shown in events and not stored.
    pub(in crate::app) fn last_id(&self, at_stop: Option<i64>) -> i64 {
        match at_stop {
            Some(last) => last.max(self.last_id),
            None if self.last_id == 0 => 0,
            None => self.last_id.saturating_add(i64::try_from(ALERTS_WAITING).unwrap_or(0)),
        }
    }
}

/// Reads it. `now` is in nanoseconds since 1970.
pub(in crate::app) async fn read(connection: &mut Connection, now: i64) -> Result<StoredAlerts, StoreError> {
    let span = i64::try_from(REMEMBERED.as_nanos()).unwrap_or(i64::MAX);
    let most = i64::try_from(MOST_REMEMBERED).unwrap_or(i64::MAX);
    Ok(StoredAlerts {
        last_id: alert_last_id(connection).await?,
        firing: alerts_firing(connection).await?,
        resolved: alerts_resolved_since(connection, now.saturating_sub(span), most).await?,
        series: series_load(connection).await?,
    })
}

/// Builds the live alerts.
pub(in crate::app) fn restore(board: &Board, stored: &StoredAlerts) -> Result<(), StoreError> {
    let now = board.clock.wall();
    let mut live = board.alerts.live.lock();
    for document in stored.resolved.iter().chain(&stored.firing) {
        let alert: Alert = serde_json::from_str(document)?;
        let alert = match alert.source {
            AlertSource::External if alert.is_firing() => board.alerts.external.resume(alert, now),
            AlertSource::External | AlertSource::Threshold => Arc::new(alert),
        };
        live.put(&alert);
    }
    Ok(())
}
