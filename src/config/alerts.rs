//! `[alerts]`: how alerts are kept, and which thresholds there are without being declared.

use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::{
    app::{AppError, thresholds},
    domain::{
        Name, Seconds,
        threshold::{ThresholdSpec, own::OwnMetric},
    },
};

/// `[alerts]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsSection {
    /// The board's own thresholds: `true` (default), `false`, or a list of those that are on.
    pub built_in: Option<BuiltIn>,
    /// How long alerts are kept that are over.
    pub retention_days: Option<f64>,
    /// How many of them are kept.
    pub max_alerts: Option<usize>,
}

/// Which of the board's own thresholds are on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "true, false or a list of names such as \"breaker_open\"")]
pub enum BuiltIn {
    /// All or none.
    All(bool),
    /// These.
    Only(Vec<String>),
}

impl AlertsSection {
    pub(super) fn retention(&self) -> Result<Option<Duration>, ConfigError> {
        let wrong = |_| ConfigError("[alerts] retention_days must be a number from 0 to 3650".to_owned());
        let span = |days: f64| Seconds::try_from(days * 86_400.0).map(Seconds::get).map_err(wrong);
        self.retention_days.map(span).transpose()
    }

    /// Which are on. What the seed says about checks wins.
    pub(super) fn built_in(&self, alert_on_failure: Option<bool>) -> Result<Vec<OwnMetric>, ConfigError> {
        let mut on = match &self.built_in {
            None | Some(BuiltIn::All(true)) => OwnMetric::ALL.to_vec(),
            Some(BuiltIn::All(false)) => Vec::new(),
            Some(BuiltIn::Only(names)) => {
                names.iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?
            }
        };
        if let Some(alerts) = alert_on_failure {
            on.retain(|own| *own != OwnMetric::CheckRed);
            on.extend(alerts.then_some(OwnMetric::CheckRed));
        }
        Ok(on)
    }
}

fn named(name: &str) -> Result<OwnMetric, ConfigError> {
    OwnMetric::ALL.into_iter().find(|own| own.as_str() == name).ok_or_else(|| {
        let known = OwnMetric::ALL.map(OwnMetric::as_str).join(", ");
        ConfigError(format!("[alerts] built_in: there is no {name:?}; there are {known}"))
    })
}

/// What is left out of the definition of one of the board's own thresholds is as it was made.
pub(super) fn completed(id: &str, spec: ThresholdSpec) -> Result<ThresholdSpec, ConfigError> {
    // What is no name is refused where names are checked.
    let Ok(name) = Name::try_from(id) else { return Ok(spec) };
    thresholds::completed(&name, spec).map_err(|error| match error {
        AppError::Invalid(errors) => {
            let told: Vec<_> =
                errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
            ConfigError(format!("[thresholds.\"{id}\"] {}", told.join("; ")))
        }
        error => ConfigError(format!("[thresholds.\"{id}\"] {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    #[test]
    fn the_boards_own_thresholds_are_on_unless_they_are_switched_off() {
        for (text, wanted) in [
            ("", OwnMetric::ALL.to_vec()),
            ("[alerts]\nbuilt_in = true\n", OwnMetric::ALL.to_vec()),
            ("[alerts]\nbuilt_in = false\n", vec![]),
            ("[alerts]\nbuilt_in = ['breaker_open']\n", vec![OwnMetric::BreakerOpen]),
            (
                "[alerts]\nbuilt_in = false\n[health_checks]\nalert_on_failure = true\n",
                vec![OwnMetric::CheckRed],
            ),
            (
                "[alerts]\nbuilt_in = ['check_red', 'breaker_open']\n[health_checks]\nalert_on_failure = false\n",
                vec![OwnMetric::BreakerOpen],
            ),
        ] {
            let declared = File::parse(text).unwrap().declarations().unwrap();
            assert_eq!(declared.built_in_thresholds, wanted, "{text}");
        }
        for (text, wanted) in [
            ("[alerts]\nbuilt_in = ['x']\n", "there is no \"x\"; there are breaker_open, "),
            ("[thresholds.a]\nmetric_name = 'm'\n", "[thresholds.a] threshold: is required"),
            ("[thresholds.\"builtin.x\"]\n", "ids that begin with \"builtin.\" are taken"),
            (
                "[thresholds.\"builtin.check_red\"]\nmetric_name = 'm'\n",
                "metric_name: must be fuseboard_check_red",
            ),
        ] {
            let error = File::parse(text).unwrap().declarations().unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        let file = File::parse("[thresholds.\"builtin.check_red\"]\nenabled = false\n").unwrap();
        assert_eq!(file.declarations().unwrap().thresholds[0].1.enabled, Some(false));
        assert!(File::parse("[alerts]\nbuilt_in = 1\n").is_err());
    }
}
