//! Maintenance windows: times that come again, in which nobody is told of certain alerts.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Matchers, invalid};
use crate::domain::{
    InvalidConfig, LabelSet, Seconds,
    schedule::{cron::Cron, timing::Timing, zone::Zone},
    schema::MatcherText,
    text::is_longer,
};

const LONGEST_TEXT: usize = 1024;
/// A week.
const LONGEST: f64 = 604_800.0;
/// How far back is looked first for the latest one that has begun: `cron` counts minutes.
const SHORTEST: Duration = Duration::from_secs(60);

/// A maintenance window: either `cron` with `duration_seconds`, or `starts_at` with `ends_at`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceWindowSpec {
    /// Which alerts, as matchers on their labels: `severity="warning"`, `job=~"node.*"`. Default all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<MatcherText>, max_items = 64)]
    pub matchers: Vec<String>,
    /// When it begins, as the `cron` of a schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("0 2 * * SUN"))]
    pub cron: Option<String>,
    /// IANA name of the zone whose clocks `cron` means. Default `UTC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub timezone: Option<String>,
    /// How long it lasts each time, with `cron`; from 60 to 604800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 604_800)]
    pub duration_seconds: Option<f64>,
    /// When it begins, if it comes once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Timestamp>,
    /// When it ends, if it comes once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Timestamp>,
    /// Whether it holds. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// For people; at most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub comment: Option<String>,
    /// Who wanted it; at most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub created_by: Option<String>,
}

/// A maintenance window, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct MaintenanceWindowConfig {
    matchers: Matchers,
    times: Times,
    enabled: bool,
    comment: Option<String>,
    created_by: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Times {
    Recurring { timing: Timing, duration: Seconds },
    Once { starts_at: Timestamp, ends_at: Timestamp },
}

impl TryFrom<MaintenanceWindowSpec> for MaintenanceWindowConfig {
    type Error = InvalidConfig;

    fn try_from(spec: MaintenanceWindowSpec) -> Result<Self, InvalidConfig> {
        for (field, text) in [("comment", &spec.comment), ("created_by", &spec.created_by)] {
            if text.as_ref().is_some_and(|text| is_longer(text, LONGEST_TEXT)) {
                return invalid(field, format!("must be at most {LONGEST_TEXT} characters long"));
            }
        }
        let matchers = Matchers::parse(&spec.matchers).or_else(|error| invalid("matchers", error))?;
        let (times, enabled) = (times(&spec)?, spec.enabled.unwrap_or(true));
        Ok(Self { matchers, times, enabled, comment: spec.comment, created_by: spec.created_by })
    }
}

fn times(spec: &MaintenanceWindowSpec) -> Result<Times, InvalidConfig> {
    let Some(cron) = &spec.cron else {
        if spec.timezone.is_some() || spec.duration_seconds.is_some() {
            let field = if spec.timezone.is_some() { "timezone" } else { "duration_seconds" };
            return invalid(field, "means nothing without cron");
        }
        return match (spec.starts_at, spec.ends_at) {
            (Some(starts_at), Some(ends_at)) if starts_at < ends_at => Ok(Times::Once { starts_at, ends_at }),
            (Some(_), Some(_)) => invalid("ends_at", "must be later than starts_at"),
            (Some(_), None) => invalid("ends_at", "is required with starts_at"),
            (None, Some(_)) => invalid("starts_at", "is required with ends_at"),
            (None, None) => invalid("cron", "is required, unless starts_at and ends_at are given"),
        };
    };
    if spec.starts_at.is_some() || spec.ends_at.is_some() {
        let field = if spec.starts_at.is_some() { "starts_at" } else { "ends_at" };
        return invalid(field, "cannot be combined with cron");
    }
    let given = spec.duration_seconds.filter(|given| (60.0..=LONGEST).contains(given));
    let Some(Ok(duration)) = given.map(Seconds::try_from) else {
        return invalid("duration_seconds", format!("must be a number from 60 to {LONGEST} with cron"));
    };
    let zone = spec.timezone.as_deref().map_or(Ok(Zone::utc()), Zone::parse)?;
    Ok(Times::Recurring { timing: Timing::Cron { cron: Cron::parse(cron)?, zone }, duration })
}

impl From<&MaintenanceWindowConfig> for MaintenanceWindowSpec {
    fn from(config: &MaintenanceWindowConfig) -> Self {
        let spec = Self {
            matchers: config.matchers.texts(),
            enabled: Some(config.enabled),
            comment: config.comment.clone(),
            created_by: config.created_by.clone(),
            ..Self::default()
        };
        match &config.times {
            Times::Once { starts_at, ends_at } => {
                Self { starts_at: Some(*starts_at), ends_at: Some(*ends_at), ..spec }
            }
            Times::Recurring { timing: Timing::Cron { cron, zone }, duration } => Self {
                cron: Some(cron.as_str().to_owned()),
                timezone: Some(zone.name().to_owned()),
                duration_seconds: Some((*duration).into()),
                ..spec
            },
            Times::Recurring { duration, .. } => Self { duration_seconds: Some((*duration).into()), ..spec },
        }
    }
}

impl MaintenanceWindowConfig {
    /// Whether it is open at an instant.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.enabled
            && match &self.times {
                Times::Once { starts_at, ends_at } => *starts_at <= now && now < *ends_at,
                Times::Recurring { timing, duration } => first_open(timing, *duration, now).is_some(),
            }
    }

    /// If it is open at an instant, when it ends.
    #[must_use]
    pub fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.is_open(now) {
            return None;
        }
        match &self.times {
            Times::Once { ends_at, .. } => Some(*ends_at),
            Times::Recurring { timing, duration } => {
                last_open(timing, *duration, now)?.checked_add(duration.get()).ok()
            }
        }
    }

    /// When it opens next, after an instant.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.times {
            _ if !self.enabled => None,
            Times::Once { starts_at, .. } => Some(*starts_at).filter(|starts_at| *starts_at > now),
            Times::Recurring { timing, .. } => timing.next_after(now),
        }
    }

    /// Whether it is about alerts with these labels.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.matchers.matches(labels)
    }
}

/// The earliest of those that have begun and not ended.
fn first_open(timing: &Timing, duration: Seconds, now: Timestamp) -> Option<Timestamp> {
    timing.next_after(now.checked_sub(duration.get()).ok()?).filter(|begun| *begun <= now)
}

/// The latest of them, which ends last: one may begin before those before it have ended.
fn last_open(timing: &Timing, duration: Seconds, now: Timestamp) -> Option<Timestamp> {
    let spans = std::iter::successors(Some(SHORTEST), |span| span.checked_mul(2));
    let mut spans = spans.take_while(|span| *span < duration.get()).chain([duration.get()]);
    let begun = spans
        .find_map(|span| timing.next_after(now.checked_sub(span).ok()?).filter(|begun| *begun <= now))?;
    let later = std::iter::successors(Some(begun), |begun| timing.next_after(*begun));
    later.take_while(|begun| *begun <= now).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: serde_json::Value) -> Result<MaintenanceWindowConfig, InvalidConfig> {
        serde_json::from_value::<MaintenanceWindowSpec>(json).unwrap().try_into()
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_recurring_window_opens_by_the_clocks_of_its_zone() {
        let window = checked(serde_json::json!({
            "cron": "0 2 * * SUN", "timezone": "Europe/Berlin", "duration_seconds": 7200, "matchers": ["job=node"],
            "comment": "the provider's", "created_by": "mira",
        }))
        .unwrap();
        // Sunday, 7 March 2027; Berlin is an hour ahead.
        for (time, open) in [
            ("2027-03-07T00:59:59Z", false),
            ("2027-03-07T01:00:00Z", true),
            ("2027-03-07T02:59:59Z", true),
            ("2027-03-07T03:00:00Z", false),
            ("2027-03-08T01:30:00Z", false),
        ] {
            assert_eq!(window.is_open(at(time)), open, "{time}");
        }
        assert_eq!(window.ends_at(at("2027-03-07T01:30:00Z")), Some(at("2027-03-07T03:00:00Z")));
        assert_eq!(window.next_after(at("2027-03-07T01:30:00Z")), Some(at("2027-03-14T01:00:00Z")));
        assert!(window.matches(&LabelSet::from_pairs(vec![("job", "node")]).unwrap()));
        assert!(!window.matches(&LabelSet::default()));
        let spec = MaintenanceWindowSpec::from(&window);
        assert_eq!(MaintenanceWindowConfig::try_from(spec).unwrap(), window);
    }

    #[test]
    fn of_windows_that_overlap_the_last_one_says_when_it_is_over() {
        let window =
            checked(serde_json::json!({ "cron": "* * * * *", "duration_seconds": 604_800 })).unwrap();
        assert_eq!(window.ends_at(at("2027-03-07T01:00:30Z")), Some(at("2027-03-14T01:00:00Z")));
        let window =
            checked(serde_json::json!({ "cron": "0 1,2 * * *", "duration_seconds": 14_400 })).unwrap();
        assert_eq!(window.ends_at(at("2027-03-07T01:59:59Z")), Some(at("2027-03-07T05:00:00Z")));
        assert_eq!(window.ends_at(at("2027-03-07T04:30:00Z")), Some(at("2027-03-07T06:00:00Z")));
        assert_eq!(window.ends_at(at("2027-03-07T06:00:00Z")), None);
    }

    #[test]
    fn a_single_window_opens_once_and_a_disabled_one_never() {
        let times =
            serde_json::json!({ "starts_at": "2027-03-07T01:00:00Z", "ends_at": "2027-03-07T02:00:00Z" });
        let window = checked(times.clone()).unwrap();
        assert!(window.is_open(at("2027-03-07T01:00:00Z")) && !window.is_open(at("2027-03-07T02:00:00Z")));
        assert!(window.matches(&LabelSet::default()), "without matchers all");
        let mut disabled = times;
        disabled["enabled"] = false.into();
        assert!(!checked(disabled).unwrap().is_open(at("2027-03-07T01:00:00Z")));
    }

    #[test]
    fn nonsense_is_refused_by_its_field() {
        for (json, field) in [
            (serde_json::json!({}), "cron"),
            (serde_json::json!({ "cron": "0 2 * * *" }), "duration_seconds"),
            (serde_json::json!({ "cron": "0 2 * * *", "duration_seconds": 59 }), "duration_seconds"),
            (serde_json::json!({ "cron": "61 2 * * *", "duration_seconds": 60 }), "cron"),
            (
                serde_json::json!({ "cron": "0 2 * * *", "duration_seconds": 60, "timezone": "Nowhere" }),
                "timezone",
            ),
            (serde_json::json!({ "starts_at": "2027-03-07T01:00:00Z" }), "ends_at"),
            (
                serde_json::json!({ "starts_at": "2027-03-07T01:00:00Z", "ends_at": "2027-03-07T01:00:00Z" }),
                "ends_at",
            ),
            (serde_json::json!({ "cron": "@daily", "duration_seconds": 60, "matchers": ["("] }), "matchers"),
            (
                serde_json::json!({ "cron": "@daily", "duration_seconds": 60, "created_by": "m".repeat(1025) }),
                "created_by",
            ),
        ] {
            assert_eq!(checked(json.clone()).unwrap_err().field, field, "{json}");
        }
    }
}
