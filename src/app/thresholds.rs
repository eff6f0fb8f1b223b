//! Thresholds: live cells, and which of them look at which metric.
//!
//! `thresholds/` has the rest: `look` what a value or the time does to a cell, `decision` how that is
//! decided and recorded, `nearest` how far off it is, [`own`] what the board says about itself,
//! [`view`] what clients see.

mod decision;
mod look;
mod nearest;
pub mod own;
mod restore;
pub mod view;

pub(super) use restore::restore;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use foldhash::HashMap;
use parking_lot::{Mutex, RwLock};
use sha2::{Digest, Sha256};

use self::{decision::Inner, own::Unsettled};
use super::{
    AppError, Board, Limits,
    alerts::AlertView,
    definitions::{Declared, OnExisting, Resource, document},
    registry::Registry,
    text::hex,
    timers::Timers,
};
use crate::{
    domain::{
        LabelSet, Name,
        alert::Alert,
        threshold::{
            ThresholdConfig, ThresholdSpec,
            own::{OwnMetric, is_reserved_id},
        },
    },
    store::StoreError,
};

/// One live threshold.
#[derive(Debug)]
pub struct ThresholdCell {
    name: Name,
    /// Whether nobody declared it.
    is_preset: AtomicBool,
    /// Whether it has not been shown the values that were there before it.
    is_fresh: AtomicBool,
    inner: Mutex<Inner>,
}

/// Which thresholds look at which metric, and when to look again without a value.
#[derive(Debug, Default)]
pub struct Watched {
    by_metric: RwLock<HashMap<Box<str>, Vec<Arc<ThresholdCell>>>>,
    timers: Timers<ThresholdCell>,
    own: Unsettled,
    /// Series that are remembered, of all thresholds.
    series: AtomicUsize,
}

impl Watched {
    fn looking_at(&self, metric: &str) -> Vec<Arc<ThresholdCell>> {
        self.by_metric.read().get(metric).cloned().unwrap_or_default()
    }

    fn add(&self, metric: &str, cell: &Arc<ThresholdCell>) {
        let mut by_metric = self.by_metric.write();
        let cells = by_metric.entry(metric.into()).or_default();
        if !cells.iter().any(|known| Arc::ptr_eq(known, cell)) {
            cells.push(Arc::clone(cell));
        }
    }

    fn remove(&self, metric: &str, id: &Name) {
        let mut by_metric = self.by_metric.write();
        let Some(cells) = by_metric.get_mut(metric) else { return };
        cells.retain(|known| known.name != *id);
        if cells.is_empty() {
            by_metric.remove(metric);
        }
    }

    /// Series that are remembered, of all thresholds.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.series.load(Ordering::Relaxed)
    }
}

impl Resource for ThresholdCell {
    const KIND: &'static str = "threshold";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_thresholds;
    type Spec = ThresholdSpec;
    type Config = ThresholdConfig;

    fn spec(config: &ThresholdConfig) -> ThresholdSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.thresholds
    }

    fn create(_: &Board, name: Name, config: ThresholdConfig) -> Self {
        Self::new(name, config, false)
    }

    fn created(self: &Arc<Self>, board: &Board) {
        let config = self.shared_config();
        if config.is_enabled() {
            board.watched.add(config.metric_name(), self);
        }
    }

    fn removed(&self, board: &Board) {
        board.watched.remove(self.shared_config().metric_name(), &self.name);
        self.retire(board);
    }

    fn reconfigure(self: &Arc<Self>, board: &Board, config: ThresholdConfig) {
        self.is_preset.store(false, Ordering::Relaxed);
        self.put(board, config);
    }

    async fn settle(self: &Arc<Self>, board: &Arc<Board>) -> Result<(), AppError> {
        if self.is_fresh.swap(false, Ordering::AcqRel) {
            board.threshold_look_around(self);
        }
        board.settle_own_metrics().await?;
        Ok(())
    }

    fn preset(board: &Board, name: &str) -> Option<ThresholdConfig> {
        board.preset_threshold(OwnMetric::of_threshold(name)?)
    }

    fn reset(self: &Arc<Self>, board: &Board, config: ThresholdConfig) {
        self.is_preset.store(true, Ordering::Relaxed);
        self.put(board, config);
        self.find_own_again(board);
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> ThresholdConfig {
        self.shared_config().as_ref().clone()
    }
}

impl ThresholdCell {
    fn new(name: Name, config: ThresholdConfig, is_preset: bool) -> Self {
        Self {
            name,
            is_preset: AtomicBool::new(is_preset),
            is_fresh: AtomicBool::new(true),
            inner: Mutex::new(Inner::new(config)),
        }
    }

    fn shared_config(&self) -> Arc<ThresholdConfig> {
        Arc::clone(&self.inner.lock().config)
    }

    /// Takes over another configuration.
    fn put(self: &Arc<Self>, board: &Board, config: ThresholdConfig) {
        let before = self.shared_config();
        board.watched.remove(before.metric_name(), &self.name);
        self.judge_anew(board, config);
        self.created(board);
        self.is_fresh.store(true, Ordering::Release);
    }
}

/// A value that a series has now.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The metric.
    pub metric: &'a str,
    /// The labels of the series.
    pub labels: &'a LabelSet,
    /// The value.
    pub value: f64,
}

/// What happened, where the board knows.
#[derive(Clone, Copy, Debug)]
struct Told<'a> {
    text: &'a str,
    /// Whether it just happened. What is only found again says less than an alert that was raised at the time.
    is_news: bool,
}

/// What thresholds found.
#[derive(Debug, Default)]
struct Found {
    /// The alerts that the values are reason for, and whether they fired just now.
    alerts: Vec<(Arc<Alert>, bool)>,
    /// Everything up to here has to be on disk before anybody is told.
    moved: i64,
    /// The disk takes nothing, or there are too many series.
    refused: Option<AppError>,
}

impl Board {
    /// Whether a threshold looks at the metric. Cheap.
    #[must_use]
    pub fn thresholds_watch(&self, metric: &str) -> bool {
        let by_metric = self.watched.by_metric.read();
        !by_metric.is_empty() && by_metric.contains_key(metric)
    }

    /// Shows values to the thresholds that look at them. The alerts that this fired; they are on disk. Those that the disk
    /// does not take are left out, and told when it does.
    pub async fn thresholds_observe(&self, seen: &[Observed<'_>]) -> Vec<AlertView> {
        let mut found = Found::default();
        for observed in seen {
            self.look(observed, None, &mut found);
        }
        found.alerts.retain(|(_, is_new)| *is_new);
        if found.alerts.is_empty() {
            return Vec::new();
        }
        match self.journal.durable(found.moved).await {
            Ok(()) => found.alerts.iter().map(|(alert, _)| AlertView::from(&**alert)).collect(),
            Err(error) => {
                tracing::warn!(%error, "alerts that fired are not on disk yet");
                Vec::new()
            }
        }
    }

    /// Shows one value to the thresholds that look at it: every alert that it is reason for, new or going on. When this
    /// returns, what it changed is on disk.
    pub async fn alerts_check(
        &self,
        metric: &str,
        labels: &LabelSet,
        value: f64,
    ) -> Result<Vec<AlertView>, AppError> {
        let mut found = Found::default();
        self.look(&Observed { metric, labels, value }, None, &mut found);
        if !self.journal.is_durable(found.moved) {
            self.journal.durable(found.moved).await?;
        }
        match found.refused {
            Some(error) => Err(error),
            None => Ok(found.alerts.iter().map(|(alert, _)| AlertView::from(&**alert)).collect()),
        }
    }

    fn look(&self, observed: &Observed<'_>, told: Option<Told<'_>>, found: &mut Found) {
        for cell in self.watched.looking_at(observed.metric) {
            cell.observe(self, observed, told, found);
        }
    }

    /// Does what is due without a value: episodes fire and are over, values are missed.
    pub fn advance_thresholds(&self) {
        for (_, cell) in self.watched.timers.due(self.clock.now()) {
            cell.advance(self);
        }
    }

    /// One step of the task: what is due, and what the board says about itself if that was not heard.
    pub async fn step_thresholds(self: &Arc<Self>) -> Result<(), StoreError> {
        self.advance_thresholds();
        self.settle_own_metrics().await
    }

    /// Declares a threshold under an id that its definition gives: the same definition is the same threshold, whoever
    /// declares it how often. One that was changed since under that id stays as it is.
    pub async fn threshold_declare(
        self: &Arc<Self>,
        spec: ThresholdSpec,
    ) -> Result<Declared<ThresholdCell>, AppError> {
        let config = ThresholdConfig::try_from(spec.clone())?;
        let hash = Sha256::digest(document::<ThresholdCell>(&config).as_bytes());
        let name = Name::try_from(format!("thr_{}", hex(&hash[..8])))
            .map_err(|error| AppError::invalid("id", error.to_string()))?;
        self.declare::<ThresholdCell>(name, spec, OnExisting::Keep).await
    }

    /// Shows a threshold the values that are there already.
    fn threshold_look_around(&self, cell: &Arc<ThresholdCell>) {
        let config = cell.shared_config();
        if !config.is_enabled() {
            return;
        }
        let mut values = Vec::new();
        self.metric_each_latest(config.metric_name(), |labels, value, age| {
            values.push((labels.clone(), value, age));
        });
        let mut found = Found::default();
        for (labels, value, _) in values.iter().filter(|(_, _, age)| config.is_fresh(*age)) {
            let observed = Observed { metric: config.metric_name(), labels, value: *value };
            cell.observe(self, &observed, None, &mut found);
        }
        cell.expect_values(self);
        cell.find_own_again(self);
    }
}

/// What is left out of the definition of one of the board's own thresholds is as it was made.
pub fn completed(id: &Name, spec: ThresholdSpec) -> Result<ThresholdSpec, AppError> {
    let Some(own) = OwnMetric::of_threshold(id.as_str()) else {
        if is_reserved_id(id.as_str()) {
            let known = OwnMetric::ALL.map(OwnMetric::threshold_id).join(", ");
            return Err(AppError::invalid(
                "id",
                format!("ids that begin with \"builtin.\" are taken; there are {known}"),
            ));
        }
        return Ok(spec);
    };
    if spec.metric_name.as_ref().is_some_and(|metric| metric != own.metric()) {
        return Err(AppError::invalid("metric_name", format!("must be {} for this threshold", own.metric())));
    }
    let preset = own.threshold(true);
    Ok(ThresholdSpec {
        metric_name: preset.metric_name,
        comparison: spec.comparison.or(preset.comparison),
        threshold: spec.threshold.or(preset.threshold),
        level: spec.level.or(preset.level),
        description: spec.description.or(preset.description),
        ..spec
    })
}
