//! What the board says about itself in numbers: 1 while something is wrong, else 0. Nobody can push these.

use super::{ThresholdConfig, ThresholdSpec};
use crate::domain::{InvalidConfig, alert::AlertLevel, check::Comparison};

/// What the names of the board's own metrics begin with.
const PREFIX: &str = "fuseboard_";
const BUILT_IN: &str = "builtin.";

/// A metric of the board about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnMetric {
    /// A breaker is open, or half open and not closed yet. Label `breaker`.
    BreakerOpen,
    /// A check is red, or what it said is too long ago to rely on. Label `check`.
    CheckRed,
    /// A schedule did not run when it was due. Label `schedule`.
    ScheduleMissed,
    /// A backup is damaged. Labels `backup` and `backup_type`.
    BackupCorrupt,
}

impl OwnMetric {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::BreakerOpen, Self::CheckRed, Self::ScheduleMissed, Self::BackupCorrupt];

    /// The word for it in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakerOpen => "breaker_open",
            Self::CheckRed => "check_red",
            Self::ScheduleMissed => "schedule_missed",
            Self::BackupCorrupt => "backup_corrupt",
        }
    }

    /// The metric's name.
    #[must_use]
    pub const fn metric(self) -> &'static str {
        match self {
            Self::BreakerOpen => "fuseboard_breaker_open",
            Self::CheckRed => "fuseboard_check_red",
            Self::ScheduleMissed => "fuseboard_schedule_missed",
            Self::BackupCorrupt => "fuseboard_backup_corrupt",
        }
    }

    /// The id of the threshold that is there without being declared.
    #[must_use]
    pub const fn threshold_id(self) -> &'static str {
        match self {
            Self::BreakerOpen => "builtin.breaker_open",
            Self::CheckRed => "builtin.check_red",
            Self::ScheduleMissed => "builtin.schedule_missed",
            Self::BackupCorrupt => "builtin.backup_corrupt",
        }
    }

    /// The metric of that name.
    #[must_use]
    pub fn named(metric: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.metric() == metric)
    }

    /// What the threshold of that id looks at, if it is one that is there without being declared.
    #[must_use]
    pub fn of_threshold(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.threshold_id() == id)
    }

    const fn level(self) -> AlertLevel {
        match self {
            Self::BreakerOpen | Self::CheckRed => AlertLevel::Error,
            Self::ScheduleMissed => AlertLevel::Warning,
            Self::BackupCorrupt => AlertLevel::Critical,
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::BreakerOpen => "A breaker opened: calls are refused.",
            Self::CheckRed => "A check turned red, or its results stopped coming.",
            Self::ScheduleMissed => "A schedule did not run when it was due.",
            Self::BackupCorrupt => "A backup is damaged.",
        }
    }

    /// The threshold that is there without being declared.
    #[must_use]
    pub fn threshold(self, enabled: bool) -> ThresholdSpec {
        ThresholdSpec {
            metric_name: Some(self.metric().to_owned()),
            comparison: Some(Comparison::Greater),
            threshold: Some(0.0),
            level: Some(self.level()),
            description: Some(self.description().to_owned()),
            enabled: Some(enabled),
            ..ThresholdSpec::default()
        }
    }

    /// The same, checked.
    pub fn config(self, enabled: bool) -> Result<ThresholdConfig, InvalidConfig> {
        self.threshold(enabled).try_into()
    }
}

/// Whether it is one of the board's own, or could be.
#[must_use]
pub fn is_reserved(metric: &str) -> bool {
    metric.starts_with(PREFIX) || metric.starts_with("resilience4j_")
}

/// Whether it could be the id of a threshold that is there without being declared.
#[must_use]
pub fn is_reserved_id(id: &str) -> bool {
    id.starts_with(BUILT_IN)
}
