//! What the file declares.

use std::collections::BTreeMap;

use super::{ConfigError, File, alerts};
use crate::{
    app::metrics::MetricRules,
    domain::{
        InvalidConfig, Name,
        breaker::{BreakerConfig, BreakerSpec},
        check::{CheckConfig, CheckSpec},
        gate::{GateConfig, GateSpec},
        limiter::{LimiterConfig, LimiterSpec},
        notify::{
            MaintenanceWindowConfig, MaintenanceWindowSpec, ReceiverConfig, ReceiverSpec, RouteConfig,
            RouteSpec,
        },
        retention::{RetentionPolicy, RetentionSpec},
        retry::{RetryPolicyConfig, RetryPolicySpec},
        schedule::{ScheduleConfig, ScheduleSpec},
        threshold::{ThresholdConfig, ThresholdSpec, own::OwnMetric},
    },
};

/// What the file declares, checked.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Breakers.
    pub breakers: Vec<(Name, BreakerSpec)>,
    /// Limiters.
    pub limiters: Vec<(Name, LimiterSpec)>,
    /// Retry policies.
    pub retry_policies: Vec<(Name, RetryPolicySpec)>,
    /// Checks.
    pub checks: Vec<(Name, CheckSpec)>,
    /// Push checks that are made unless there is a check of that name.
    pub seed_checks: Vec<(Name, CheckSpec)>,
    /// Gates.
    pub gates: Vec<(Name, GateSpec)>,
    /// Schedules.
    pub schedules: Vec<(Name, ScheduleSpec)>,
    /// Thresholds.
    pub thresholds: Vec<(Name, ThresholdSpec)>,
    /// The board's own thresholds that are on.
    pub built_in_thresholds: Vec<OwnMetric>,
    /// Policies of retention.
    pub retention: Vec<(Name, RetentionSpec)>,
    /// What new metrics are like.
    pub metrics: MetricRules,
    /// Receivers of notifications.
    pub receivers: Vec<(Name, ReceiverSpec)>,
    /// Routes.
    pub routes: Vec<(Name, RouteSpec)>,
    /// Maintenance windows.
    pub maintenance_windows: Vec<(Name, MaintenanceWindowSpec)>,
    /// Whether breakers are asked at all.
    pub breakers_enabled: bool,
    /// Whether the server runs checks by itself.
    pub checks_enabled: bool,
}

impl File {
    /// What the file declares, checked.
    pub fn declarations(&self) -> Result<Declarations, ConfigError> {
        let seed = &self.resilience;
        let mut breakers: BTreeMap<String, BreakerSpec> = seed
            .circuit_breaker
            .iter()
            .map(|(name, breaker)| {
                let spec = BreakerSpec {
                    failure_threshold: breaker.threshold.or(seed.circuit_breaker_threshold),
                    timeout_seconds: breaker.timeout_seconds.or(seed.circuit_breaker_timeout),
                    half_open_max_calls: breaker.half_open_max_calls,
                    ..BreakerSpec::default()
                };
                (name.clone(), spec)
            })
            .collect();
        let mut limiters: BTreeMap<String, LimiterSpec> = seed
            .rate_limits
            .iter()
            .map(|(name, rate)| {
                (name.clone(), LimiterSpec { requests_per_second: Some(*rate), ..LimiterSpec::default() })
            })
            .collect();
        if let Some(name) = self.breakers.keys().find(|name| breakers.contains_key(*name)) {
            return Err(twice("breaker", name));
        }
        if let Some(name) = self.limiters.keys().find(|name| limiters.contains_key(*name)) {
            return Err(twice("limiter", name));
        }
        if self.gates.contains_key("evaluate") {
            // Its path is that of gates without a name.
            return Err(ConfigError("[gates.evaluate]: the name is taken; choose another one".to_owned()));
        }
        let mut thresholds = BTreeMap::new();
        for (id, spec) in &self.thresholds {
            thresholds.insert(id.clone(), alerts::completed(id, spec.clone())?);
        }
        breakers.extend(self.breakers.clone());
        limiters.extend(self.limiters.clone());
        Ok(Declarations {
            breakers: checked::<BreakerConfig, _>("breakers", breakers)?,
            limiters: checked::<LimiterConfig, _>("limiters", limiters)?,
            retry_policies: checked::<RetryPolicyConfig, _>("retry_policies", self.retry_policies.clone())?,
            checks: checked::<CheckConfig, _>("checks", self.checks.clone())?,
            seed_checks: checked::<CheckConfig, _>("health_checks", self.health_checks.push_checks()?)?,
            gates: checked::<GateConfig, _>("gates", self.gates.clone())?,
            schedules: checked::<ScheduleConfig, _>("schedules", self.schedules.clone())?,
            retention: checked::<RetentionPolicy, _>("retention", self.retention.clone())?,
            metrics: self.metrics.rules()?,
            thresholds: checked::<ThresholdConfig, _>("thresholds", thresholds)?,
            built_in_thresholds: self.alerts.built_in(self.health_checks.alert_on_failure)?,
            receivers: checked::<ReceiverConfig, _>("receivers", self.receivers.clone())?,
            routes: checked::<RouteConfig, _>("routes", self.routes.clone())?,
            maintenance_windows: checked::<MaintenanceWindowConfig, _>(
                "maintenance_windows",
                self.maintenance_windows.clone(),
            )?,
            breakers_enabled: seed.circuit_breaker_enabled,
            checks_enabled: self.health_checks.enabled.unwrap_or(true),
        })
    }
}

fn twice(kind: &str, name: &str) -> ConfigError {
    ConfigError(format!("the {kind} {name:?} is declared twice: in [resilience] and in a section of its own"))
}

fn checked<C, S>(section: &str, specs: BTreeMap<String, S>) -> Result<Vec<(Name, S)>, ConfigError>
where
    C: TryFrom<S, Error = InvalidConfig>,
    S: Clone,
{
    specs
        .into_iter()
        .map(|(name, spec)| {
            let valid = Name::try_from(name.as_str())
                .map_err(|error| ConfigError(format!("[{section}] {name:?}: {error}")))?;
            C::try_from(spec.clone()).map_err(|error| {
                ConfigError(format!("[{section}.{name}] {}: {}", error.field, error.message))
            })?;
            Ok((valid, spec))
        })
        .collect()
}
