//! From what comes over the wire to what is checked, and back.

use super::{
    Active, CheckConfig, CheckKind, CheckSpec, Expectation, Heartbeat, HttpProbe, Labels, MetricProbe, Probe,
    Source, TcpProbe, Thresholds,
    limits::{invalid, required, seconds, span, text, whole},
};
use crate::domain::{Seconds, invalid::InvalidConfig};

/// A leap year.
const LONGEST_INTERVAL: f64 = 31_622_400.0;
const LONGEST_DESCRIPTION: usize = 1024;
const DEFAULT_STALE_AFTER: f64 = 300.0;

impl TryFrom<CheckSpec> for CheckConfig {
    type Error = InvalidConfig;

    fn try_from(mut spec: CheckSpec) -> Result<Self, InvalidConfig> {
        if let Some(field) = spec.misplaced() {
            return invalid(field, format!("does not apply to kind {}", spec.kind.as_str()));
        }
        Ok(Self {
            description: text(
                "description",
                spec.description.take().filter(|text| !text.is_empty()),
                LONGEST_DESCRIPTION,
            )?,
            critical: spec.critical.unwrap_or(true),
            labels: Labels::parse("labels", spec.labels.take().unwrap_or_default())?,
            thresholds: Thresholds {
                failure: whole("failure_threshold", spec.failure_threshold, 1, 1..=1000)?,
                success: whole("success_threshold", spec.success_threshold, 1, 1..=1000)?,
            },
            source: Source::try_from(spec)?,
        })
    }
}

impl TryFrom<CheckSpec> for Source {
    type Error = InvalidConfig;

    fn try_from(spec: CheckSpec) -> Result<Self, InvalidConfig> {
        match spec.kind {
            CheckKind::Push => {
                let given = spec.stale_after_seconds.unwrap_or(DEFAULT_STALE_AFTER);
                Ok(Self::Push { stale_after: span("stale_after_seconds", given)? })
            }
            CheckKind::Heartbeat => Heartbeat::try_from(&spec).map(Self::Heartbeat),
            CheckKind::Http | CheckKind::Tcp => active(spec, 60.0).map(Self::Active),
            CheckKind::Breaker | CheckKind::Metric => active(spec, 5.0).map(Self::Active),
        }
    }
}

impl TryFrom<&CheckSpec> for Heartbeat {
    type Error = InvalidConfig;

    fn try_from(spec: &CheckSpec) -> Result<Self, InvalidConfig> {
        let interval = required("interval_seconds", spec.interval_seconds, "heartbeat")?;
        let grace = spec.grace_seconds.unwrap_or((interval / 10.0).clamp(1.0, 3600.0));
        Ok(Self {
            expectation: Expectation::Every(seconds("interval_seconds", interval, 1.0..=LONGEST_INTERVAL)?),
            grace: seconds("grace_seconds", grace, 1.0..=LONGEST_INTERVAL)?,
            max_run: spec.max_run_seconds.map(|given| span("max_run_seconds", given)).transpose()?,
        })
    }
}

fn active(spec: CheckSpec, default_interval: f64) -> Result<Active, InvalidConfig> {
    let interval = spec.interval_seconds.unwrap_or(default_interval);
    let interval = seconds("interval_seconds", interval, 1.0..=LONGEST_INTERVAL)?;
    let jitter = spec.jitter.unwrap_or(0.1);
    if !(0.0..=0.5).contains(&jitter) {
        return invalid("jitter", "must be a number from 0 to 0.5");
    }
    let stale_after = spec.stale_after_seconds.map(|given| span("stale_after_seconds", given)).transpose()?;
    let probe = Probe::try_from((spec, interval))?;
    let enough = Seconds::from(interval.get().saturating_mul(3).saturating_add(probe.timeout().get()));
    Ok(Active { interval, jitter: jitter + 0.0, stale_after: stale_after.unwrap_or(enough), probe })
}

impl TryFrom<(CheckSpec, Seconds)> for Probe {
    type Error = InvalidConfig;

    fn try_from((spec, interval): (CheckSpec, Seconds)) -> Result<Self, InvalidConfig> {
        let kind = spec.kind;
        Ok(match kind {
            CheckKind::Http => Self::Http(Box::new(HttpProbe::checked(spec, interval)?)),
            CheckKind::Tcp => Self::Tcp(TcpProbe::checked(spec, interval)?),
            CheckKind::Metric => Self::Metric(MetricProbe::checked(spec)?),
            CheckKind::Breaker | CheckKind::Push | CheckKind::Heartbeat => {
                Self::Breaker(required("breaker", spec.breaker, kind.as_str())?)
            }
        })
    }
}

/// The time that a run may take, and that beyond which it is slow.
pub(super) fn run_times(
    spec: &CheckSpec,
    interval: Seconds,
) -> Result<(Seconds, Option<Seconds>), InvalidConfig> {
    let longest = f64::from(interval);
    let timeout =
        seconds("timeout_seconds", spec.timeout_seconds.unwrap_or(longest.min(2.0)), 0.001..=longest)?;
    let slow = spec.slow_seconds.map(|given| span("slow_seconds", given)).transpose()?;
    match slow {
        Some(slow) if slow > timeout => invalid("slow_seconds", "must be at most timeout_seconds"),
        slow => Ok((timeout, slow)),
    }
}

impl From<&CheckConfig> for CheckSpec {
    /// The specification with every default filled in, secrets included; checking it gives the same configuration.
    fn from(config: &CheckConfig) -> Self {
        let spec = Self {
            kind: config.kind(),
            description: config.description.as_deref().map(str::to_owned),
            critical: Some(config.critical),
            labels: Some(config.labels.to_map()),
            failure_threshold: Some(config.thresholds.failure),
            success_threshold: Some(config.thresholds.success),
            ..Self::default()
        };
        match &config.source {
            Source::Push { stale_after } => Self { stale_after_seconds: Some((*stale_after).into()), ..spec },
            Source::Heartbeat(heartbeat) => {
                let Expectation::Every(interval) = heartbeat.expectation;
                Self {
                    interval_seconds: Some(interval.into()),
                    grace_seconds: Some(heartbeat.grace.into()),
                    max_run_seconds: heartbeat.max_run.map(f64::from),
                    ..spec
                }
            }
            Source::Active(active) => active.probe.fill(Self {
                interval_seconds: Some(active.interval.into()),
                jitter: Some(active.jitter),
                stale_after_seconds: Some(active.stale_after.into()),
                ..spec
            }),
        }
    }
}

impl From<CheckConfig> for CheckSpec {
    fn from(config: CheckConfig) -> Self {
        Self::from(&config)
    }
}

impl Probe {
    fn fill(&self, spec: CheckSpec) -> CheckSpec {
        match self {
            Self::Http(probe) => probe.fill(spec),
            Self::Tcp(probe) => probe.fill(spec),
            Self::Breaker(name) => CheckSpec { breaker: Some(name.clone()), ..spec },
            Self::Metric(probe) => probe.fill(spec),
        }
    }
}
