//! Changes of what a check shows.

use serde::{Deserialize, Serialize};

use super::Check;
use crate::domain::{Time, health::Standing};

/// The changes that an operation caused, in order.
pub type Journal = Vec<CheckChanged>;

/// What a check shows is another status than before, or turned stale, or fresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckChanged {
    /// What it showed.
    pub from: Standing,
    /// What it shows.
    pub to: Standing,
    /// Why.
    pub cause: Cause,
    /// What it says.
    pub message: Box<str>,
    /// When it happened. For a timer: when it was due.
    pub at: Time,
    /// The number of this change: each has the next one.
    pub number: u64,
}

/// Why a check changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A result came in.
    Result,
    /// The last result is too long ago.
    Stale,
    /// A job has not ended when it should have.
    Late,
    /// A job that announces its starts has not started when it should have.
    MissedStart,
    /// A job has started and does not end.
    RunTooLong,
    /// The configuration is another.
    Reconfigured,
}

impl Cause {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Stale => "stale",
            Self::Late => "late",
            Self::MissedStart => "missed_start",
            Self::RunTooLong => "run_too_long",
            Self::Reconfigured => "reconfigured",
        }
    }
}

impl Check {
    /// Shows `to`; whether that is a change is decided here and nowhere else. Time never goes back in the journal.
    pub(super) fn show(&mut self, to: Standing, at: Time, cause: Cause, journal: &mut Journal) {
        let from = self.standing;
        if from == to {
            return;
        }
        self.standing = to;
        self.since = at.max(self.since);
        self.changes = self.changes.saturating_add(1);
        let message = self.message().into();
        journal.push(CheckChanged { from, to, cause, message, at: self.since, number: self.changes });
    }
}
