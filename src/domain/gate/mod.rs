//! Gates: may I go?
//!
//! A gate names what must be well and says how bad it may be. It fails closed: what does not exist, what is stale, and
//! what cannot be known counts as red, and closes it.

use serde::Serialize;

use super::{
    Name, StateName,
    alert::AlertLevel,
    check::{Labels, judge_breaker},
    health::{Standing, Status},
};

mod config;
#[cfg(test)]
mod tests;

pub use config::{GateAlertsSpec, GateConfig, GateSpec, MaxStatus};

/// What a gate looks at, as it is now.
pub trait Facts {
    /// The check of that name; none if there is none.
    fn check(&self, name: &Name) -> Option<CheckFact>;
    /// The checks that have all these labels.
    fn checks_labelled(&self, labels: &Labels) -> Vec<CheckFact>;
    /// The state of the breaker of that name; none if there is none.
    fn breaker(&self, name: &Name) -> Option<StateName>;
    /// The alerts that are firing.
    fn alerts(&self) -> Vec<AlertFact>;
}

/// How a check is.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckFact {
    /// Its name.
    pub name: Name,
    /// What it shows.
    pub standing: Standing,
    /// Whether red there is red here.
    pub critical: bool,
    /// What it says.
    pub message: String,
}

/// An alert that is firing.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertFact {
    /// The metric it is about.
    pub metric_name: String,
    /// How grave it is.
    pub level: AlertLevel,
    /// What it says.
    pub message: String,
}

/// The answer of a gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Evaluation {
    /// Whether to go. So if, and only if, nothing is blocking.
    pub allowed: bool,
    /// The worst of all that was looked at. What is red and not critical counts as yellow; what is stale, as red.
    pub overall_status: Status,
    /// What stands in the way, worst first.
    pub blocking: Vec<Blocking>,
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Blocking {
    /// What it is.
    pub kind: BlockingKind,
    /// Its name: of the check, the breaker, the alert's metric; of `check_labels`, the labels that no check has.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// What there is to say.
    pub message: String,
}

/// What can stand in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockingKind {
    /// A check.
    Check,
    /// Labels that no check has.
    CheckLabels,
    /// A breaker.
    Breaker,
    /// An alert.
    Alert,
}

impl BlockingKind {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::CheckLabels => "check labels",
            Self::Breaker => "breaker",
            Self::Alert => "alert",
        }
    }
}

/// One of the things that a gate looks at, with what it weighs.
struct Finding {
    weight: Status,
    blocking: Blocking,
}

impl Finding {
    fn new(kind: BlockingKind, name: &impl ToString, status: Status, message: impl Into<String>) -> Self {
        let blocking = Blocking { kind, name: name.to_string(), status, message: message.into() };
        Self { weight: status, blocking }
    }

    fn of_check(fact: CheckFact) -> Self {
        let CheckFact { name, standing, critical, message } = fact;
        let message = if standing.stale { format!("stale: {message}") } else { message };
        let status = standing.for_gates();
        // What nothing is known about is not known to be uncritical either.
        let weight = status.weighed(critical || standing.stale);
        Self { weight, ..Self::new(BlockingKind::Check, &name, status, message) }
    }

    fn of_breaker(name: &Name, state: Option<StateName>) -> Self {
        let seen = judge_breaker(state);
        Self::new(BlockingKind::Breaker, name, seen.status(), seen.message())
    }
}

impl GateConfig {
    /// What it is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Whether to go, as things are. Also without checking by name or label, an alert of the level blocks whatever
    /// `max_status` says.
    #[must_use]
    pub fn evaluate(&self, facts: &impl Facts) -> Evaluation {
        let most = Status::from(self.max_status);
        let mut findings = self.checks(facts);
        findings.extend(self.breakers.iter().map(|name| Finding::of_breaker(name, facts.breaker(name))));
        let alerts = self.alerts(facts);
        let overall_status =
            findings.iter().chain(&alerts).map(|finding| finding.weight).max().unwrap_or(Status::Green);
        findings.retain(|finding| finding.weight > most);
        let mut blocking: Vec<Blocking> =
            findings.into_iter().chain(alerts).map(|finding| finding.blocking).collect();
        blocking.sort_by_key(|blocking| std::cmp::Reverse(blocking.status));
        Evaluation { allowed: blocking.is_empty(), overall_status, blocking }
    }

    fn checks(&self, facts: &impl Facts) -> Vec<Finding> {
        let by_name = |name: &Name| {
            facts.check(name).map_or_else(
                || Finding::new(BlockingKind::Check, name, Status::Red, "there is no such check"),
                Finding::of_check,
            )
        };
        let mut findings: Vec<Finding> = self.checks.iter().map(by_name).collect();
        if self.check_labels.is_empty() {
            return findings;
        }
        let labelled = facts.checks_labelled(&self.check_labels);
        if labelled.is_empty() {
            let message = "no check has these labels";
            findings.push(Finding::new(BlockingKind::CheckLabels, &self.check_labels, Status::Red, message));
        }
        let further = labelled.into_iter().filter(|fact| !self.checks.contains(&fact.name));
        findings.extend(further.map(Finding::of_check));
        findings
    }

    /// The alerts that block.
    fn alerts(&self, facts: &impl Facts) -> Vec<Finding> {
        let Some(wanted) = &self.alerts else { return Vec::new() };
        let blocks = |alert: &AlertFact| {
            let names = &wanted.metric_names;
            alert.level >= wanted.min_level
                && (names.is_empty() || names.contains(alert.metric_name.as_str()))
        };
        let finding = |alert: AlertFact| {
            Finding::new(BlockingKind::Alert, &alert.metric_name, alert.level.status(), alert.message)
        };
        facts.alerts().into_iter().filter(blocks).map(finding).collect()
    }
}
