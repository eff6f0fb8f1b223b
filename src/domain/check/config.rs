//! A check, checked.

use serde::{Deserialize, Serialize};

use super::{CheckKind, CheckSpec, HttpProbe, Labels, MetricProbe, TcpProbe};
use crate::domain::{Name, Seconds, Time};

/// What a check is, and what its results mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "CheckSpec", into = "CheckSpec")]
pub struct CheckConfig {
    /// What it is for.
    pub description: Option<Box<str>>,
    /// Whether red here makes the whole red.
    pub critical: bool,
    /// What to find it by.
    pub labels: Labels,
    /// How many results turn it.
    pub thresholds: Thresholds,
    /// Where its results come from.
    pub source: Source,
}

/// How many results in a row turn a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Red ones, to red.
    pub failure: u32,
    /// Others, away from red.
    pub success: u32,
}

/// Where results come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// They are sent.
    Push {
        /// For how long one holds.
        stale_after: Seconds,
    },
    /// They are signals of a job.
    Heartbeat(Heartbeat),
    /// The board sees to them.
    Active(Active),
}

/// What is expected of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// When a ping is due.
    pub expectation: Expectation,
    /// How late it may be.
    pub grace: Seconds,
    /// How long a run may take.
    pub max_run: Option<Seconds>,
}

/// When the ping after a ping is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// So long after it.
    Every(Seconds),
}

/// What the board does by itself, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    /// Time between runs.
    pub interval: Seconds,
    /// Share of the interval by which a run may come early.
    pub jitter: f64,
    /// For how long a result holds.
    pub stale_after: Seconds,
    /// What to do.
    pub probe: Probe,
}

/// What to do to get a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Ask over HTTP.
    Http(Box<HttpProbe>),
    /// Connect.
    Tcp(TcpProbe),
    /// Look at the breaker of that name.
    Breaker(Name),
    /// Look at a metric.
    Metric(MetricProbe),
}

impl CheckConfig {
    /// What a result for a name that nobody knows creates: a push check with all defaults.
    #[must_use]
    pub fn push() -> Self {
        Self {
            description: None,
            critical: true,
            labels: Labels::default(),
            thresholds: Thresholds { failure: 1, success: 1 },
            source: Source::Push { stale_after: Seconds::whole(300) },
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> CheckKind {
        match &self.source {
            Source::Push { .. } => CheckKind::Push,
            Source::Heartbeat(_) => CheckKind::Heartbeat,
            Source::Active(active) => active.probe.kind(),
        }
    }

    /// The specification with every default filled in, without secrets: what clients may see.
    #[must_use]
    pub fn view(&self) -> CheckSpec {
        let mut spec = CheckSpec::from(self);
        spec.headers = spec.headers.map(|headers| headers.redacted());
        spec
    }

    /// What it looks at. A result for one target says nothing about another.
    pub(super) fn target(&self) -> String {
        let kind = self.kind().as_str();
        match &self.source {
            Source::Push { .. } | Source::Heartbeat(_) => kind.to_owned(),
            Source::Active(active) => format!("{kind} {}", active.probe.target()),
        }
    }
}

impl Heartbeat {
    /// When silence after a ping at `last` becomes a failure.
    #[must_use]
    pub fn late_at(&self, last: Time) -> Time {
        let Expectation::Every(interval) = self.expectation;
        last.after(interval.get()).after(self.grace.get())
    }
}

impl Probe {
    /// The kind of check that does it.
    #[must_use]
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Http(_) => CheckKind::Http,
            Self::Tcp(_) => CheckKind::Tcp,
            Self::Breaker(_) => CheckKind::Breaker,
            Self::Metric(_) => CheckKind::Metric,
        }
    }

    /// How long it may take in all; no time for what is looked up in memory.
    #[must_use]
    pub fn timeout(&self) -> Seconds {
        match self {
            Self::Http(probe) => probe.timeout,
            Self::Tcp(probe) => probe.timeout,
            Self::Breaker(_) | Self::Metric(_) => Seconds::ZERO,
        }
    }

    fn target(&self) -> String {
        match self {
            Self::Http(probe) => format!("{} {}", probe.method.as_str(), probe.url),
            Self::Tcp(probe) => probe.address.to_string(),
            Self::Breaker(name) => name.to_string(),
            Self::Metric(probe) => format!("{}{{{}}}", probe.name, probe.labels),
        }
    }
}
