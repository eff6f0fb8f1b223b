//! What a transaction has to write.

use std::sync::Arc;

use foldhash::HashMap;

use crate::{
    domain::{LabelSet, Name, alert::Alert},
    store::{
        StoreError,
        sqlite::journal::{JournalAlert, Rows, array},
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

/// What it does to its alert, as a row.
pub fn alert_row(write: &AlertWrite) -> Result<Option<JournalAlert>, StoreError> {
    let Some((alert, _)) = &write.alert else { return Ok(None) };
    let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
    Ok(Some(JournalAlert {
        id: alert.id,
        metric_name: alert.metric_name.clone(),
        threshold_id: alert.threshold_id.clone(),
        level: alert.level.as_str(),
        state: alert.state.as_str(),
        started_at: nanos(alert.started_at),
        resolved_at: alert.resolved_at.map(nanos),
        document: serde_json::to_string(alert)?,
    }))
}

/// Where series stand after all of them: those that are kept, and those with nothing to remember.
pub fn series_rows<'a>(writes: impl Iterator<Item = &'a AlertWrite>) -> Result<(Rows, Rows), StoreError> {
    let mut series: HashMap<(&Name, &LabelSet), _> = HashMap::default();
    for write in writes {
        series.extend(write.series.iter().map(|row| ((&row.threshold, &row.labels), &row.state)));
    }
    let kept: Vec<_> = series
        .iter()
        .filter_map(|((threshold, labels), state)| Some((threshold, labels, state.as_ref()?)))
        .collect();
    let forgotten: Vec<_> = series.iter().filter(|(_, state)| state.is_none()).map(|(key, _)| key).collect();
    Ok((array(&kept)?, array(&forgotten)?))
}
