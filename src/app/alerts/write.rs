//! What a transaction has to write.

use std::sync::Arc;

use foldhash::HashMap;

use crate::{
    domain::{LabelSet, Name, alert::Alert},
    store::{
        StoreError,
        sqlite::journal::{JournalRows, Place, array},
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

/// Adds what they write, in the order in which they happened.
pub fn add_rows<'a>(
    rows: &mut JournalRows,
    writes: impl Iterator<Item = &'a AlertWrite>,
) -> Result<(), StoreError> {
    let mut alerts = Vec::new();
    let mut series: HashMap<(&Name, &LabelSet), _> = HashMap::default();
    for write in writes {
        if let Some((alert, _)) = &write.alert {
            alerts.push(row(alert, rows.documents.add(alert)?));
        }
        series.extend(write.series.iter().map(|row| ((&row.threshold, &row.labels), &row.state)));
    }
    let kept: Vec<_> = series
        .iter()
        .filter_map(|((threshold, labels), state)| Some((threshold, labels, state.as_ref()?)))
        .collect();
    let forgotten: Vec<_> = series.iter().filter(|(_, state)| state.is_none()).map(|(key, _)| key).collect();
    (rows.alerts, rows.series, rows.forgotten) = (array(&alerts)?, array(&kept)?, array(&forgotten)?);
    Ok(())
}

fn row(alert: &Alert, (from, length): Place) -> impl serde::Serialize + use<'_> {
    let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
    (
        alert.id,
        &alert.metric_name,
        &alert.threshold_id,
        alert.level,
        alert.state,
        nanos(alert.started_at),
        alert.resolved_at.map(nanos),
        from,
        length,
    )
}
