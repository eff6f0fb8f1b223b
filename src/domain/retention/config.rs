//! What is to be kept: as it comes over the wire, and checked.

use serde::{Deserialize, Serialize};

use super::bucket::Period;
use crate::domain::{InvalidConfig, schedule::Zone};

const MOST: u32 = 100_000;
const MOST_DAYS: f64 = 36_500.0;

/// The retention of a type of backups as it comes over the wire. What any rule keeps stays. Without a rule everything stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSpec {
    /// Keep so many of the newest. Default 0: no such rule. At most 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub keep_last: Option<u32>,
    /// Keep the newest of each of the newest so many hours that have a backup. Default 0: no such rule. At most 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub keep_hourly: Option<u32>,
    /// Keep the newest of each of the newest so many days that have a backup. Default 0: no such rule. At most 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub keep_daily: Option<u32>,
    /// Keep the newest of each of the newest so many weeks (from Monday) that have a backup. Default 0: no such rule. At most
    /// 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub keep_weekly: Option<u32>,
    /// Keep the newest of each of the newest so many months that have a backup. Default 0: no such rule. At most 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub keep_monthly: Option<u32>,
    /// Keep the newest of each of the newest so many years that have a backup. Default 0: no such rule. At most 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 100_000)]
    pub keep_yearly: Option<u32>,
    /// Keep what is younger than so many days of 24 hours. Default none: no such rule. More than 0 and at most 36500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 36_500)]
    pub retention_days: Option<f64>,
    /// IANA name of the zone in which hours, days, weeks, months and years begin. Default `UTC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("Europe/Berlin"), max_length = 64)]
    pub timezone: Option<String>,
}

/// The retention of a type of backups, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RetentionSpec", into = "RetentionSpec")]
pub struct RetentionPolicy {
    /// How many of the newest stay. 0 here and below: the policy has no such rule.
    pub keep_last: u32,
    /// Of how many hours the newest stays.
    pub keep_hourly: u32,
    /// Of how many days.
    pub keep_daily: u32,
    /// Of how many weeks.
    pub keep_weekly: u32,
    /// Of how many months.
    pub keep_monthly: u32,
    /// Of how many years.
    pub keep_yearly: u32,
    /// What is younger stays.
    pub retention_days: Option<Days>,
    /// Where hours, days, weeks, months and years begin.
    pub timezone: Zone,
}

/// A number of days of 24 hours: more than 0, at most 36500.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Days(f64);

impl Days {
    /// As a number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Days {
    type Error = InvalidConfig;

    fn try_from(raw: f64) -> Result<Self, InvalidConfig> {
        if raw > 0.0 && raw <= MOST_DAYS {
            return Ok(Self(raw));
        }
        let message = format!("must be a number greater than 0 and at most {MOST_DAYS}");
        Err(InvalidConfig { field: "retention_days", message })
    }
}

impl RetentionPolicy {
    /// Keeps what is younger, and nothing else.
    #[must_use]
    pub fn younger_than(days: Days) -> Self {
        Self { retention_days: Some(days), ..Self::everything() }
    }

    /// Has no rule, so that everything stays.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            keep_last: 0,
            keep_hourly: 0,
            keep_daily: 0,
            keep_weekly: 0,
            keep_monthly: 0,
            keep_yearly: 0,
            retention_days: None,
            timezone: Zone::utc(),
        }
    }

    /// Of how many stretches of that length the newest stays.
    #[must_use]
    pub fn places(&self, period: Period) -> u32 {
        match period {
            Period::Hourly => self.keep_hourly,
            Period::Daily => self.keep_daily,
            Period::Weekly => self.keep_weekly,
            Period::Monthly => self.keep_monthly,
            Period::Yearly => self.keep_yearly,
        }
    }

    /// Whether anything can go.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.keep_last > 0
            || self.retention_days.is_some()
            || Period::ALL.into_iter().any(|period| self.places(period) > 0)
    }
}

impl TryFrom<RetentionSpec> for RetentionPolicy {
    type Error = InvalidConfig;

    fn try_from(spec: RetentionSpec) -> Result<Self, InvalidConfig> {
        Ok(Self {
            keep_last: count("keep_last", spec.keep_last)?,
            keep_hourly: count("keep_hourly", spec.keep_hourly)?,
            keep_daily: count("keep_daily", spec.keep_daily)?,
            keep_weekly: count("keep_weekly", spec.keep_weekly)?,
            keep_monthly: count("keep_monthly", spec.keep_monthly)?,
            keep_yearly: count("keep_yearly", spec.keep_yearly)?,
            retention_days: spec.retention_days.map(Days::try_from).transpose()?,
            timezone: spec.timezone.as_deref().map_or(Ok(Zone::utc()), Zone::parse)?,
        })
    }
}

impl From<&RetentionPolicy> for RetentionSpec {
    /// The specification with every default filled in; checking it gives the same policy.
    fn from(policy: &RetentionPolicy) -> Self {
        Self {
            keep_last: Some(policy.keep_last),
            keep_hourly: Some(policy.keep_hourly),
            keep_daily: Some(policy.keep_daily),
            keep_weekly: Some(policy.keep_weekly),
            keep_monthly: Some(policy.keep_monthly),
            keep_yearly: Some(policy.keep_yearly),
            retention_days: policy.retention_days.map(Days::get),
            timezone: Some(policy.timezone.name().to_owned()),
        }
    }
}

impl From<RetentionPolicy> for RetentionSpec {
    fn from(policy: RetentionPolicy) -> Self {
        Self::from(&policy)
    }
}

fn count(field: &'static str, raw: Option<u32>) -> Result<u32, InvalidConfig> {
    Some(raw.unwrap_or_default())
        .filter(|count| *count <= MOST)
        .ok_or_else(|| InvalidConfig { field, message: format!("must be a whole number from 0 to {MOST}") })
}
