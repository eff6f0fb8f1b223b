//! What a transaction has to write.

use std::sync::Arc;

use foldhash::HashMap;

use crate::{
    domain::{LabelSet, Name, alert::Alert},
    store::{
        Connection, StoreError,
        sqlite::alerts::{alerts_put, series_forget, series_put},
    },
};

/// What an entry of the journal does to alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertWrite {
    /// The alert as it is from here on, and whether that is news.
    pub alert: Option<(Arc<Alert>, bool)>,
    /// Where series of thresholds stand from here on.
    pub series: Vec<SeriesRow>,
}

/// Where a series of a threshold stands.
#[derive(Clone, Debug)]
pub struct SeriesRow {
    /// The threshold.
    pub threshold: Name,
    /// The labels of the series.
    pub labels: LabelSet,
    /// Its state as JSON; none if there is nothing to remember.
    pub state: Option<Box<serde_json::value::RawValue>>,
}

/// Several of them as the store takes them.
#[derive(Clone, Debug)]
pub struct AlertRows {
    alerts: Option<String>,
    series: Option<String>,
    forgotten: Option<String>,
}

impl AlertRows {
    /// In the order in which they happened.
    pub fn of<'a>(writes: impl Iterator<Item = &'a AlertWrite>) -> Result<Self, StoreError> {
        let mut alerts = Vec::new();
        let mut series: HashMap<(&Name, &LabelSet), _> = HashMap::default();
        for write in writes {
            alerts.extend(write.alert.as_ref().map(|(alert, _)| row(alert)));
            series.extend(write.series.iter().map(|row| ((&row.threshold, &row.labels), &row.state)));
        }
        let kept: Vec<_> = series
            .iter()
            .filter_map(|((threshold, labels), state)| Some((threshold, labels, state.as_ref()?)))
            .collect();
        let forgotten: Vec<_> =
            series.iter().filter(|(_, state)| state.is_none()).map(|(key, _)| key).collect();
        Ok(Self { alerts: text(&alerts)?, series: text(&kept)?, forgotten: text(&forgotten)? })
    }

    /// Writes them.
    pub async fn put(&self, connection: &mut Connection) -> Result<(), StoreError> {
        if let Some(rows) = &self.alerts {
            alerts_put(connection, rows).await?;
        }
        if let Some(rows) = &self.series {
            series_put(connection, rows).await?;
        }
        if let Some(rows) = &self.forgotten {
            series_forget(connection, rows).await?;
        }
        Ok(())
    }
}

fn row(alert: &Alert) -> impl serde::Serialize + use<'_> {
    let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
    (
        alert.id,
        &alert.metric_name,
        &alert.threshold_id,
        alert.level,
        alert.state,
        nanos(alert.started_at),
        alert.resolved_at.map(nanos),
        alert,
    )
}

fn text<T: serde::Serialize>(rows: &[T]) -> Result<Option<String>, StoreError> {
    if rows.is_empty() { Ok(None) } else { Ok(Some(serde_json::to_string(rows)?)) }
}
