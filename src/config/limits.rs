//! `[limits]`.

use std::time::Duration;

use serde::Deserialize;

use super::{ConfigError, File};
use crate::{
    app::Limits,
    domain::{Seconds, push_group::GroupLimits},
};

/// `[limits]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Breakers.
    pub max_breakers: Option<usize>,
    /// Limiters.
    pub max_limiters: Option<usize>,
    /// Retry policies.
    pub max_retry_policies: Option<usize>,
    /// Checks.
    pub max_checks: Option<usize>,
    /// Runs of checks at once; further ones wait.
    pub max_check_runs: Option<usize>,
    /// Results kept of one check.
    pub max_results_per_check: Option<usize>,
    /// How long results are kept.
    pub check_results_retention_days: Option<f64>,
    /// Gates.
    pub max_gates: Option<usize>,
    /// Schedules.
    pub max_schedules: Option<usize>,
    /// Policies of retention.
    pub max_retention_policies: Option<usize>,
    /// Types of backups.
    pub max_backup_types: Option<usize>,
    /// Groups of metrics that are pushed whole, as to Pushgateway.
    pub max_push_groups: Option<usize>,
    /// Their series.
    pub max_push_group_series: Option<usize>,
    /// Bytes that they take, about.
    pub max_push_group_bytes: Option<usize>,
    /// Receivers of notifications.
    pub max_receivers: Option<usize>,
    /// Routes, without those inside of them.
    pub max_routes: Option<usize>,
    /// Silences, those that are over and still kept included.
    pub max_silences: Option<usize>,
    /// Maintenance windows.
    pub max_maintenance_windows: Option<usize>,
    /// Calls that have entered and not reported.
    pub max_calls_in_flight: Option<usize>,
    /// Thresholds.
    pub max_thresholds: Option<usize>,
    /// Series that one threshold remembers.
    pub max_series_per_threshold: Option<usize>,
    /// Alerts from outside that are firing.
    pub max_external_alerts: Option<usize>,
    /// Events kept for the whole board.
    pub max_events: Option<usize>,
    /// Events kept for one resource.
    pub max_events_per_resource: Option<usize>,
    /// Bytes of a request's body.
    pub max_body_bytes: Option<usize>,
    /// Requests worked on at once.
    pub max_requests_in_flight: Option<usize>,
    /// Open connections.
    pub max_connections: Option<usize>,
    /// Operations waiting for the disk.
    pub max_queued_writes: Option<usize>,
}

impl File {
    pub(super) fn limits(&self) -> Result<Limits, ConfigError> {
        let bounds = &self.limits;
        let defaults = Limits::default();
        Ok(Limits {
            max_breakers: bounds.max_breakers.unwrap_or(defaults.max_breakers),
            max_limiters: bounds.max_limiters.unwrap_or(defaults.max_limiters),
            max_retry_policies: bounds.max_retry_policies.unwrap_or(defaults.max_retry_policies),
            max_checks: bounds.max_checks.unwrap_or(defaults.max_checks),
            max_check_runs: match bounds.max_check_runs {
                Some(runs @ 1..=10_000) => runs,
                None => defaults.max_check_runs,
                Some(_) => {
                    return Err(ConfigError("[limits] max_check_runs must be from 1 to 10000".to_owned()));
                }
            },
            max_results_per_check: bounds.max_results_per_check.unwrap_or(defaults.max_results_per_check),
            check_results_retention: match bounds.check_results_retention_days {
                Some(days) => retention(days)?,
                None => defaults.check_results_retention,
            },
            series: self.metrics.limits(),
            max_gates: bounds.max_gates.unwrap_or(defaults.max_gates),
            push_groups: GroupLimits {
                max_groups: bounds.max_push_groups.unwrap_or(defaults.push_groups.max_groups),
                max_series: bounds.max_push_group_series.unwrap_or(defaults.push_groups.max_series),
                max_bytes: bounds.max_push_group_bytes.unwrap_or(defaults.push_groups.max_bytes),
            },
            max_calls_in_flight: bounds.max_calls_in_flight.unwrap_or(defaults.max_calls_in_flight),
            max_schedules: bounds.max_schedules.unwrap_or(defaults.max_schedules),
            max_backup_types: bounds.max_backup_types.unwrap_or(defaults.max_backup_types),
            max_retention_policies: bounds.max_retention_policies.unwrap_or(defaults.max_retention_policies),
            max_thresholds: bounds.max_thresholds.unwrap_or(defaults.max_thresholds),
            max_series_per_threshold: bounds
                .max_series_per_threshold
                .unwrap_or(defaults.max_series_per_threshold),
            max_alerts: self.alerts.max_alerts.unwrap_or(defaults.max_alerts),
            alerts_retention: self.alerts.retention()?.unwrap_or(defaults.alerts_retention),
            max_external_alerts: bounds.max_external_alerts.unwrap_or(defaults.max_external_alerts),
            max_receivers: bounds.max_receivers.unwrap_or(defaults.max_receivers),
            max_routes: bounds.max_routes.unwrap_or(defaults.max_routes),
            max_silences: bounds.max_silences.unwrap_or(defaults.max_silences),
            max_maintenance_windows: bounds
                .max_maintenance_windows
                .unwrap_or(defaults.max_maintenance_windows),
            max_events: bounds.max_events.unwrap_or(defaults.max_events),
            max_events_per_resource: bounds
                .max_events_per_resource
                .unwrap_or(defaults.max_events_per_resource),
        })
    }
}

fn retention(days: f64) -> Result<Duration, ConfigError> {
    let seconds = Seconds::try_from(days * 86_400.0).map_err(|_| {
        ConfigError("[limits] check_results_retention_days must be a number from 0 to 3650".to_owned())
    })?;
    Ok(seconds.get())
}
