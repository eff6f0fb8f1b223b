//! The states, each with what belongs to it.

use serde::{Deserialize, Serialize};

use super::{counting::Counting, half_open::HalfOpen};
use crate::domain::time::Time;

/// Name of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused for a while.
    Open,
    /// A few calls pass to see whether the dependency works again.
    HalfOpen,
    /// An operator refuses all calls.
    ForcedOpen,
    /// An operator lets all calls pass uncounted.
    Disabled,
    /// An operator lets all calls pass; they are counted but never trip the breaker.
    MetricsOnly,
}

impl StateName {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Closed, Self::Open, Self::HalfOpen, Self::ForcedOpen, Self::Disabled, Self::MetricsOnly];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }

    /// Whether an operator's override, as opposed to a state that the breaker works out itself.
    #[must_use]
    pub const fn is_override(self) -> bool {
        matches!(self, Self::ForcedOpen | Self::Disabled | Self::MetricsOnly)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Closed(Counting),
    Open(Wait),
    HalfOpen(Box<HalfOpen>),
    ForcedOpen(Override),
    Disabled(Override),
    MetricsOnly { over: Override, counting: Counting },
}

/// The wait of an open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wait {
    pub(super) until: Time,
    /// How many times it has gone from half open to open without closing.
    pub(super) reopened: u32,
}

/// An operator's word, and the state to return to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Override {
    pub(super) until: Option<Time>,
    pub(super) previous: Place,
}

/// A state that the breaker works out itself, reduced to what outlasts an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    Closed,
    Open(Wait),
    HalfOpen { reopened: u32 },
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(Counting::default())
    }
}

impl Override {
    /// When calls may pass again, as far as that is known.
    pub(super) fn next_chance(&self) -> Option<Time> {
        self.until.map(|end| match self.previous {
            Place::Open(wait) => end.max(wait.until),
            Place::Closed | Place::HalfOpen { .. } => end,
        })
    }
}

impl Place {
    /// The state that an override which ends at `at` gives way to. What was half open opens with its
    /// wait over: the probes that follow belong to a new generation, so their number stays exact.
    pub(super) fn resumed(self, at: Time) -> State {
        match self {
            Self::Closed => State::default(),
            Self::Open(wait) => State::Open(wait),
            Self::HalfOpen { reopened } => State::Open(Wait { until: at, reopened }),
        }
    }

    pub(super) fn reopened(self) -> u32 {
        match self {
            Self::Closed => 0,
            Self::Open(wait) => wait.reopened,
            Self::HalfOpen { reopened } => reopened,
        }
    }
}

impl State {
    pub(super) fn name(&self) -> StateName {
        match self {
            Self::Closed(_) => StateName::Closed,
            Self::Open(_) => StateName::Open,
            Self::HalfOpen(_) => StateName::HalfOpen,
            Self::ForcedOpen(_) => StateName::ForcedOpen,
            Self::Disabled(_) => StateName::Disabled,
            Self::MetricsOnly { .. } => StateName::MetricsOnly,
        }
    }

    /// The state below an override, or this one.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Closed(_) => Place::Closed,
            Self::Open(wait) => Place::Open(*wait),
            Self::HalfOpen(probes) => Place::HalfOpen { reopened: probes.reopened() },
            Self::ForcedOpen(over) | Self::Disabled(over) | Self::MetricsOnly { over, .. } => over.previous,
        }
    }

    pub(super) fn counting(&self) -> Option<&Counting> {
        match self {
            Self::Closed(counting) | Self::MetricsOnly { counting, .. } => Some(counting),
            _ => None,
        }
    }

    pub(super) fn counting_mut(&mut self) -> Option<&mut Counting> {
        match self {
            Self::Closed(counting) | Self::MetricsOnly { counting, .. } => Some(counting),
            _ => None,
        }
    }

    pub(super) fn override_mut(&mut self) -> Option<&mut Override> {
        match self {
            Self::ForcedOpen(over) | Self::Disabled(over) | Self::MetricsOnly { over, .. } => Some(over),
            _ => None,
        }
    }

    /// The wait of this state, or of the one below an override.
    pub(super) fn wait_mut(&mut self) -> Option<&mut Wait> {
        match self {
            Self::Open(wait) => Some(wait),
            state => match &mut state.override_mut()?.previous {
                Place::Open(wait) => Some(wait),
                Place::Closed | Place::HalfOpen { .. } => None,
            },
        }
    }
}
