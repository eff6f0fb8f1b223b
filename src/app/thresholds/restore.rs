//! Thresholds after a start: episodes go on where they were.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use super::{ThresholdCell, decision::Held};
use crate::{
    app::{
        Board,
        alerts::{AlertWrite, Happened, SeriesRow},
        definitions::Resource,
        snapshot::each,
    },
    domain::{
        LabelSet, Name,
        alert::{Alert, AlertSource, AlertState},
        threshold::{SavedSeries, Series, Stage, own::OwnMetric},
    },
    store::{Pairs, StoreError},
};

/// Builds the live thresholds: their rows (threshold, labels, state), and the alerts that are firing. `shift` is that of the
/// steady clock since they were stored.
pub(in crate::app) fn restore(
    board: &Arc<Board>,
    definitions: &Pairs,
    configs: &HashMap<&str, &str>,
    rows: &[(String, String, String)],
    shift: i64,
) -> Result<(), StoreError> {
    let cells = each::<ThresholdCell>(definitions, configs, |name, config| {
        Ok(ThresholdCell::new(name, config.clone(), false))
    })?;
    board.thresholds.fill(cells);
    for own in OwnMetric::ALL {
        let Ok(name) = Name::try_from(own.threshold_id()) else { continue };
        if let Some(config) = board.preset_threshold(own)
            && board.thresholds.get(name.as_str()).is_none()
        {
            board.thresholds.insert(name.clone(), Arc::new(ThresholdCell::new(name, config, true)));
        }
    }
    let firing = resume_rows(board, rows, shift)?;
    for (key, alert) in firing {
        resume_alert(board, key, alert);
    }
    for cell in board.thresholds.all() {
        cell.created(board);
        // Pushed values are a little older than what is known of episodes: they are not judged again.
        cell.is_fresh.store(false, Ordering::Relaxed);
        cell.expect_values(board);
        cell.find_own_again(board);
    }
    Ok(())
}

type Firing = HashMap<(String, LabelSet), Arc<Alert>>;

/// Episodes that have a row. The alerts of the others come back.
fn resume_rows(board: &Board, rows: &[(String, String, String)], shift: i64) -> Result<Firing, StoreError> {
    let now = board.clock.now();
    let mut firing: Firing = HashMap::new();
    for alert in board.alerts.firing().into_iter().filter(|alert| alert.source == AlertSource::Threshold) {
        if let Some(id) = &alert.threshold_id {
            firing.insert((id.clone(), alert.labels.clone()), alert);
        }
    }
    for (threshold, labels, state) in rows {
        let corrupt = |error: String| StoreError::Corrupt(format!("a series of {threshold}: {error}"));
        let labels = LabelSet::try_from(labels.clone()).map_err(|error| corrupt(error.to_string()))?;
        let saved: SavedSeries = serde_json::from_str(state)?;
        let alert = firing.remove(&(threshold.clone(), labels.clone()));
        let Some(cell) = board.thresholds.get(threshold) else {
            forget(board, threshold, labels);
            if let Some(alert) = alert {
                resolve(board, &alert);
            }
            continue;
        };
        // The row of an episode that fires may be older than its alert, never the other way round.
        let stage = match (saved.stage, &alert) {
            (Stage::Recovering { since }, Some(_)) => Stage::Recovering { since },
            (_, Some(_)) => Stage::Firing,
            (Stage::Pending { since }, None) => Stage::Pending { since },
            (_, None) => Stage::Inactive,
        };
        if stage == Stage::Inactive && !cell.peek(|inner| inner.config.alerts_on_no_data()) {
            forget(board, threshold, labels);
            continue;
        }
        let series = Series::restore(stage, now, shift);
        cell.resume(board, labels, Held::restored(series, saved.value, alert, true));
    }
    Ok(firing)
}

/// There is nothing to remember of the series.
fn forget(board: &Board, threshold: &str, labels: LabelSet) {
    if let Ok(threshold) = Name::try_from(threshold) {
        let row = SeriesRow { threshold, labels, state: None };
        board.journal.record_silently(AlertWrite { alert: None, series: vec![row] });
    }
}

fn resume_alert(board: &Board, (threshold, labels): (String, LabelSet), alert: Arc<Alert>) {
    match board.thresholds.get(&threshold) {
        Some(cell) => {
            let series = Series::restore(Stage::Firing, board.clock.now(), 0);
            let value = alert.value;
            cell.resume(board, labels, Held::restored(series, value, Some(alert), false));
        }
        // Deleted, and the stop came before its alerts were over.
        None => resolve(board, &alert),
    }
}

fn resolve(board: &Board, alert: &Alert) {
    let at = board.clock.wall().max(alert.started_at);
    let over = Alert { state: AlertState::Resolved, resolved_at: Some(at), updated_at: at, ..alert.clone() };
    board.record_alert(Happened::Resolved, &Arc::new(over), Vec::new());
}

impl ThresholdCell {
    /// The rows of its series as they are now.
    pub(in crate::app) fn rows(&self) -> Vec<(String, String, SavedSeries)> {
        self.peek(|inner| {
            let held = inner.series.iter().filter_map(|(labels, held)| Some((labels, held.saved()?)));
            held.map(|(labels, saved)| (self.name.to_string(), labels.as_str().to_owned(), saved)).collect()
        })
    }
}
