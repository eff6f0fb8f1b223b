//! What a schedule can be told: as it comes over the wire, and checked.

use serde::{Deserialize, Serialize};

use super::{
    action::{Action, ActionSpec},
    cron::Cron,
    target::positive_seconds,
    timing::Timing,
    zone::Zone,
};
use crate::domain::{InvalidConfig, Seconds};

const MAX_DESCRIPTION: usize = 1000;
const MAX_RETAINED: u32 = 10_000;
const DAY: u32 = 86_400;
const YEAR: f64 = 31_536_000.0;

/// The configuration of a schedule as it comes over the wire. Exactly one of `cron` and `interval_seconds` is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// When to run: minute, hour, day of the month, month and weekday as in cron, also `L`, `W`, `#` and a leading `+` for
    /// "both days must match"; or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. A pattern
    /// with every hour in it goes by elapsed time. Any other fires once per local time that it names: right after the
    /// change if daylight saving skips it, the first time if it comes twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("0 2 * * *"))]
    pub cron: Option<String>,
    /// Run at every multiple of so many seconds since 1970-01-01T00:00:00Z. From 1 to 31536000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub interval_seconds: Option<f64>,
    /// IANA name of the zone whose clocks `cron` means; not with `interval_seconds`. Default `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("Europe/Berlin"), max_length = 64)]
    pub timezone: Option<String>,
    /// What to do.
    pub action: ActionSpec,
    /// What becomes of runs that were due while the server was down or late. Default `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misfire: Option<Misfire>,
    /// How many seconds late a run still counts as on time. Default 60, from 1 to 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86_400)]
    pub misfire_grace_seconds: Option<f64>,
    /// What becomes of a run that is due while another goes on. Default `forbid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Whether it runs by itself. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// For people; at most 1000 characters. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Seconds after which a run has failed. Default 300, more than 0 and at most 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 86_400)]
    pub timeout_seconds: Option<f64>,
    /// How many runs the history keeps. Default 100, from 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub retain_runs: Option<u32>,
}

impl ScheduleSpec {
    /// As it is shown: without the secrets among its headers.
    #[must_use]
    pub fn redacted(self) -> Self {
        Self { action: self.action.redacted(), ..self }
    }
}

/// What becomes of runs that were due while the server was down or late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Misfire {
    /// They are recorded as missed, in one row.
    #[default]
    Skip,
    /// One run, for the latest of them, that says how many others it stands for.
    RunOnce,
}

/// What becomes of a run that is due while another goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is recorded as missed.
    #[default]
    Forbid,
    /// Both run, up to 16 at a time.
    Allow,
}

/// The configuration of a schedule, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ScheduleSpec", into = "ScheduleSpec")]
pub struct ScheduleConfig {
    /// When it is due.
    pub timing: Timing,
    /// What it does.
    pub action: Action,
    /// What becomes of runs that came too late.
    pub misfire: Misfire,
    /// How late still counts as on time.
    pub misfire_grace: Seconds,
    /// What becomes of a run while another goes on.
    pub overlap: Overlap,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// For people.
    pub description: Option<String>,
    /// How long a run may take.
    pub timeout: Seconds,
    /// How many runs the history keeps.
    pub retain_runs: u32,
}

impl TryFrom<ScheduleSpec> for ScheduleConfig {
    type Error = InvalidConfig;

    fn try_from(spec: ScheduleSpec) -> Result<Self, InvalidConfig> {
        if spec.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
            return Err(invalid("description", format!("must be at most {MAX_DESCRIPTION} characters")));
        }
        let retain_runs = spec.retain_runs.unwrap_or(100);
        if !(1..=MAX_RETAINED).contains(&retain_runs) {
            return Err(invalid("retain_runs", format!("must be a whole number from 1 to {MAX_RETAINED}")));
        }
        Ok(Self {
            timing: timing(spec.cron.as_deref(), spec.interval_seconds, spec.timezone.as_deref())?,
            action: spec.action.try_into()?,
            misfire: spec.misfire.unwrap_or_default(),
            misfire_grace: grace(spec.misfire_grace_seconds)?,
            overlap: spec.overlap.unwrap_or_default(),
            enabled: spec.enabled.unwrap_or(true),
            description: spec.description,
            timeout: positive_seconds("timeout_seconds", spec.timeout_seconds, 300, DAY)?,
            retain_runs,
        })
    }
}

impl From<&ScheduleConfig> for ScheduleSpec {
    /// The specification with every default filled in; checking it gives the same configuration.
    fn from(config: &ScheduleConfig) -> Self {
        let (cron, timezone, interval_seconds) = match &config.timing {
            Timing::Cron { cron, zone } => {
                (Some(cron.as_str().to_owned()), Some(zone.name().to_owned()), None)
            }
            Timing::Interval(every) => (None, None, Some(f64::from(*every))),
        };
        Self {
            cron,
            interval_seconds,
            timezone,
            action: (&config.action).into(),
            misfire: Some(config.misfire),
            misfire_grace_seconds: Some(config.misfire_grace.into()),
            overlap: Some(config.overlap),
            enabled: Some(config.enabled),
            description: config.description.clone(),
            timeout_seconds: Some(config.timeout.into()),
            retain_runs: Some(config.retain_runs),
        }
    }
}

impl From<ScheduleConfig> for ScheduleSpec {
    fn from(config: ScheduleConfig) -> Self {
        Self::from(&config)
    }
}

fn timing(
    cron: Option<&str>,
    interval_seconds: Option<f64>,
    timezone: Option<&str>,
) -> Result<Timing, InvalidConfig> {
    match (cron, interval_seconds) {
        (Some(cron), None) => Ok(Timing::Cron {
            cron: Cron::parse(cron)?,
            zone: timezone.map_or(Ok(Zone::utc()), Zone::parse)?,
        }),
        (None, Some(every)) => {
            if timezone.is_some() {
                return Err(invalid("timezone", "means nothing for interval_seconds".to_owned()));
            }
            let every = Some(every).filter(|every| (1.0..=YEAR).contains(every));
            match every.map(Seconds::try_from) {
                Some(Ok(every)) => Ok(Timing::Interval(every)),
                _ => Err(invalid("interval_seconds", format!("must be a number from 1 to {YEAR}"))),
            }
        }
        (None, None) => Err(invalid("cron", "is required, unless interval_seconds is given".to_owned())),
        (Some(_), Some(_)) => {
            Err(invalid("interval_seconds", "cannot be combined with cron: give one of both".to_owned()))
        }
    }
}

fn grace(raw: Option<f64>) -> Result<Seconds, InvalidConfig> {
    let given = positive_seconds("misfire_grace_seconds", raw, 60, DAY);
    // A grace below the tick of the server would make every run a misfire.
    let message = format!("must be from 1 to {DAY}");
    given
        .ok()
        .filter(|grace| *grace >= Seconds::whole(1))
        .ok_or_else(|| invalid("misfire_grace_seconds", message))
}

fn invalid(field: &'static str, message: String) -> InvalidConfig {
    InvalidConfig { field, message }
}
