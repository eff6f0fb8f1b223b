//! Pushed metrics as JSON.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::MetricCell;
use crate::{
    app::{AppError, Board},
    domain::{
        Time,
        series::{MetricKind, MetricsView, SeriesShown, TimerView},
    },
};

/// Which metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricFilter<'a> {
    /// Only this one.
    pub name: Option<&'a str>,
    /// Only those whose names begin so.
    pub prefix: Option<&'a str>,
}

/// One metric with its series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricView {
    /// Its name, as given.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// What it is about.
    pub help: Option<String>,
    /// The name that Prometheus sees.
    pub exposed_as: String,
    /// In the order in which they came.
    pub series: Vec<SeriesView>,
}

/// One series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesView {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// A counter's total, a gauge's value; for a timer, what it has seen.
    pub value: SeriesValue,
    /// When its last sample came.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// How long it lives after that; null for as long as the board.
    pub ttl_seconds: Option<f64>,
}

/// What a series holds.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SeriesValue {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a timer.
    Timer(TimerView),
}

impl Board {
    /// Values of series, by `name` or `name{label="value"}`.
    #[must_use]
    pub fn metrics_view(&self, filter: MetricFilter<'_>) -> MetricsView {
        let now = self.clock.now();
        let mut view = MetricsView::default();
        for cell in self.chosen(filter) {
            view.add(&cell.family.lock(), now);
        }
        view
    }

    fn chosen(&self, filter: MetricFilter<'_>) -> Vec<Arc<MetricCell>> {
        let mut cells = match filter.name {
            Some(name) => self.series.get(name).into_iter().collect(),
            None => self.series.all(),
        };
        if let Some(prefix) = filter.prefix {
            cells.retain(|cell| cell.family.lock().name().starts_with(prefix));
        }
        cells
    }

    /// One metric with all that is known of its series.
    pub fn metric_view(&self, name: &str) -> Result<MetricView, AppError> {
        let not_found = || AppError::NotFound { resource: "metric", name: name.to_owned() };
        let cell = self.series.get(name).ok_or_else(not_found)?;
        let now = self.clock.now();
        let family = cell.family.lock();
        let mut series = Vec::with_capacity(family.len());
        family.each_shown(now, |shown| series.push(self.series_view(shown)));
        if series.is_empty() {
            return Err(not_found());
        }
        Ok(MetricView {
            name: family.name().to_owned(),
            kind: family.kind(),
            help: family.help().map(ToOwned::to_owned),
            exposed_as: family.exposed_name().into_owned(),
            series,
        })
    }

    fn series_view(&self, shown: SeriesShown<'_>) -> SeriesView {
        let at: Time = shown.at;
        SeriesView {
            labels: shown.labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect(),
            value: shown.timer.map_or(SeriesValue::Number(shown.value), SeriesValue::Timer),
            updated_at: self.clock.wall_at(at),
            ttl_seconds: shown.ttl.map(f64::from),
        }
    }
}
