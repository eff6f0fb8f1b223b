//! How a threshold decides about a series, and how that is recorded.
//!
//! Everything is decided under the cell's lock and recorded in the journal before letting go, so that the order on disk is
//! the order of the decisions. What cannot be recorded is not decided either.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use foldhash::HashMap;

use super::ThresholdCell;
use crate::{
    app::{
        AppError, Board,
        alerts::{AlertWrite, Happened, SeriesRow},
        definitions::Resource,
    },
    domain::{
        LabelSet, Time,
        alert::{Alert, AlertSource, AlertState},
        threshold::{Changed, SavedSeries, Series, Stage, ThresholdConfig, Turn},
    },
};

/// When to try again what the disk does not take.
pub(super) const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Arc<ThresholdConfig>,
    pub(super) series: HashMap<LabelSet, Held>,
    /// When the board's timer will look at it next.
    pub(super) wake: Option<Time>,
    /// Whether it was deleted.
    pub(super) is_gone: bool,
}

/// A series that is remembered.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) series: Series,
    /// The last value.
    pub(super) value: Option<f64>,
    /// What happened, where the board knows.
    pub(super) told: Option<Box<str>>,
    /// The alert, with the last value that was reason for it.
    pub(super) alert: Option<Arc<Alert>>,
    /// The place of the last change in the journal.
    pub(super) moved: i64,
    /// Whether there is a row of it besides the alert.
    has_row: bool,
}

impl Inner {
    pub(super) fn new(config: ThresholdConfig) -> Self {
        Self { config: Arc::new(config), series: HashMap::default(), wake: None, is_gone: false }
    }
}

impl Held {
    pub(super) fn new(now: Time) -> Self {
        Self { series: Series::new(now), value: None, told: None, alert: None, moved: 0, has_row: false }
    }

    /// What its row says; none if it has none.
    pub(super) fn saved(&self) -> Option<SavedSeries> {
        self.has_row.then(|| SavedSeries { stage: self.series.stage(), value: self.value })
    }

    /// As it was before a restart.
    pub(super) fn restored(
        series: Series,
        value: Option<f64>,
        alert: Option<Arc<Alert>>,
        has_row: bool,
    ) -> Self {
        Self { series, value, told: None, alert, moved: 0, has_row }
    }
}

/// A cell in the middle of a decision.
pub(super) struct Decision<'a> {
    pub(super) board: &'a Board,
    pub(super) cell: &'a ThresholdCell,
    pub(super) config: Arc<ThresholdConfig>,
}

impl Decision<'_> {
    /// Lets a series move on, unless the disk could not be told. Returns whether it did, and whether it fired.
    pub(super) fn step(
        &self,
        labels: &LabelSet,
        held: &mut Held,
        work: impl FnOnce(&mut Series, &mut Vec<Changed>),
    ) -> Result<bool, AppError> {
        let (mut next, mut changes) = (held.series, Vec::new());
        work(&mut next, &mut changes);
        let has_moved = next.stage() != held.series.stage() || !changes.is_empty();
        if has_moved && !self.board.journal.has_room_for_alerts() {
            return Err(AppError::Overloaded { retry_after: RETRY });
        }
        held.series = next;
        let is_new = !held.has_row && self.config.alerts_on_no_data();
        if has_moved || is_new {
            self.record(labels, held, &changes);
        }
        Ok(changes.last().is_some_and(|change| change.turn == Turn::Fired))
    }

    fn record(&self, labels: &LabelSet, held: &mut Held, changes: &[Changed]) {
        let mut row = self.row(labels, held);
        for (place, change) in changes.iter().enumerate() {
            let is_last = place + 1 == changes.len();
            let rows = if is_last { row.take().into_iter().collect() } else { Vec::new() };
            let (happened, alert) = match change.turn {
                Turn::Fired => (Happened::Firing, self.fired(labels, held, change)),
                Turn::Resolved => {
                    let Some(alert) = held.alert.take() else { continue };
                    (Happened::Resolved, self.resolved(&alert, change.at))
                }
            };
            let alert = Arc::new(alert);
            held.moved = self.board.record_alert(happened, &alert, rows);
            held.alert = alert.is_firing().then_some(alert);
        }
        if let Some(row) = row {
            held.moved = self.board.journal.record_silently(AlertWrite { alert: None, series: vec![row] });
        }
    }

    /// What is to be remembered besides the alert, if that is something else than before.
    fn row(&self, labels: &LabelSet, held: &mut Held) -> Option<SeriesRow> {
        let stage = held.series.stage();
        let is_kept = match stage {
            Stage::Pending { .. } | Stage::Recovering { .. } => true,
            // An alert says it by itself.
            Stage::Firing | Stage::Inactive => self.config.alerts_on_no_data(),
        };
        if !is_kept && !held.has_row {
            return None;
        }
        held.has_row = is_kept;
        let saved = SavedSeries { stage, value: held.value };
        let state = if is_kept { serde_json::value::to_raw_value(&saved).ok() } else { None };
        Some(SeriesRow { threshold: self.cell.name().clone(), labels: labels.clone(), state })
    }

    fn fired(&self, labels: &LabelSet, held: &Held, change: &Changed) -> Alert {
        let (config, at) = (&self.config, self.board.clock.wall_at(change.at));
        let value = held.value.filter(|_| !change.is_unseen);
        Alert {
            id: self.board.alerts.new_id(),
            source: AlertSource::Threshold,
            threshold_id: Some(self.cell.name().as_str().to_owned()),
            metric_name: config.metric_name().to_owned(),
            labels: labels.clone(),
            annotations: LabelSet::default(),
            level: config.level(),
            state: AlertState::Firing,
            rule: Some(config.rule()),
            message: message(config, value, held.told.as_deref()),
            value,
            started_at: at,
            resolved_at: None,
            ends_at: None,
            updated_at: at,
            acknowledged: None,
            generator_url: None,
        }
    }

    fn resolved(&self, alert: &Alert, at: Time) -> Alert {
        let at = self.board.clock.wall_at(at).max(alert.started_at);
        Alert { state: AlertState::Resolved, resolved_at: Some(at), updated_at: at, ..alert.clone() }
    }

    /// The alert that goes on says what it is about now.
    pub(super) fn refresh(&self, held: &mut Held, value: f64) {
        let Some(alert) = &held.alert else { return };
        if alert.value.map(f64::to_bits) == Some(value.to_bits()) && held.told.is_none() {
            return;
        }
        let message = message(&self.config, Some(value), held.told.as_deref());
        let alert = Arc::new(Alert { value: Some(value), message, ..Alert::clone(alert) });
        self.board.alerts.refresh(&alert);
        held.alert = Some(alert);
    }
}

pub(super) fn message(config: &ThresholdConfig, value: Option<f64>, told: Option<&str>) -> String {
    value.map_or_else(|| config.message_without_data(), |value| config.message(value, told))
}

impl Decision<'_> {
    /// Like [`step`](Self::step), also when the disk takes nothing: what an operator does is in force at once.
    pub(super) fn force(
        &self,
        labels: &LabelSet,
        held: &mut Held,
        work: impl FnOnce(&mut Series, &mut Vec<Changed>),
    ) {
        let (before, mut changes) = (held.series.stage(), Vec::new());
        work(&mut held.series, &mut changes);
        if held.series.stage() != before || !changes.is_empty() {
            self.record(labels, held, &changes);
        }
    }

    /// Nobody looks at the series any more.
    pub(super) fn end(&self, series: &mut HashMap<LabelSet, Held>, labels: &LabelSet, now: Time) {
        let Some(mut held) = series.remove(labels) else { return };
        self.board.watched.series.fetch_sub(1, Ordering::Relaxed);
        let mut changes = Vec::new();
        held.series.end(now, &mut changes);
        let row = std::mem::take(&mut held.has_row).then(|| SeriesRow {
            threshold: self.cell.name().clone(),
            labels: labels.clone(),
            state: None,
        });
        match held.alert.take() {
            Some(alert) => {
                let alert = Arc::new(self.resolved(&alert, now));
                self.board.record_alert(Happened::Resolved, &alert, row.into_iter().collect());
            }
            None => {
                if let Some(row) = row {
                    self.board.journal.record_silently(AlertWrite { alert: None, series: vec![row] });
                }
            }
        }
    }

    /// Forgets a series of which nothing is to be remembered.
    pub(super) fn tidy(&self, series: &mut HashMap<LabelSet, Held>, labels: &LabelSet) {
        let is_idle = |held: &Held| held.series.stage() == Stage::Inactive && !held.has_row;
        if !self.config.alerts_on_no_data() && series.get(labels).is_some_and(is_idle) {
            series.remove(labels);
            self.board.watched.series.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What stood for all series while there was none is not needed any more.
    pub(super) fn forget_absence(&self, series: &mut HashMap<LabelSet, Held>, seen: &LabelSet, now: Time) {
        let absent = self.config.absent_labels();
        if absent != *seen && series.get(&absent).is_some_and(|held| held.value.is_none()) {
            self.end(series, &absent, now);
        }
    }
}
