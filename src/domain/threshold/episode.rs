//! Where a series stands with a threshold.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::Time;

/// How long the parts of an episode take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From the first breach until it fires.
    pub wait: Duration,
    /// From the last breach until it is over.
    pub keep: Duration,
    /// What happens without values.
    pub unseen: Unseen,
}

/// What a series means that has no values for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// What it meant before.
    Keeps,
    /// After so long, that all is well.
    IsWell(Duration),
    /// After so long, a breach.
    Breaches(Duration),
}

/// How far an episode is. In `Pending` and `Firing` the threshold is breached, else not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// There is none.
    Inactive,
    /// Breached, not yet for long enough.
    Pending {
        /// Since when.
        since: Time,
    },
    /// Breached for long enough.
    Firing,
    /// Well again, not yet for long enough: it still fires.
    Recovering {
        /// Since when.
        since: Time,
    },
}

impl Stage {
    /// Whether there is an alert.
    #[must_use]
    pub const fn is_firing(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering { .. })
    }
}

/// What an episode did that others are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It fires.
    Fired,
    /// It is over.
    Resolved,
}

/// When it did so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// When: as soon as it was due, whoever looked when.
    pub at: Time,
    /// What.
    pub turn: Turn,
    /// Whether for want of values.
    pub is_unseen: bool,
}

/// A series in the eyes of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    stage: Stage,
    seen: Time,
    is_unseen: bool,
}

/// A series as it is stored, with its last value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSeries {
    /// How far it is.
    pub stage: Stage,
    /// The last value.
    #[serde(default, with = "crate::domain::any_number")]
    pub value: Option<f64>,
}

enum Due {
    Unseen { breaches: bool },
    Stage(Turn),
}

impl Series {
    /// One that is seen for the first time.
    #[must_use]
    pub const fn new(now: Time) -> Self {
        Self { stage: Stage::Inactive, seen: now, is_unseen: false }
    }

    /// As it was before a restart. Nobody could send a value meanwhile, so it counts as seen now.
    #[must_use]
    pub fn restore(stage: Stage, now: Time, shift: i64) -> Self {
        let here = |since: Time| since.shifted(shift).min(now);
        let stage = match stage {
            Stage::Pending { since } => Stage::Pending { since: here(since) },
            Stage::Recovering { since } => Stage::Recovering { since: here(since) },
            other => other,
        };
        Self { stage, ..Self::new(now) }
    }

    /// How far it is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether its values stopped coming.
    #[must_use]
    pub const fn is_unseen(&self) -> bool {
        self.is_unseen
    }

    /// When the last value came.
    #[must_use]
    pub const fn seen(&self) -> Time {
        self.seen
    }

    /// A value came.
    pub fn observe(&mut self, timing: &Timing, breaches: bool, now: Time, changes: &mut Vec<Changed>) {
        self.advance(timing, now, changes);
        self.seen = self.seen.max(now);
        self.is_unseen = false;
        self.turn(timing, breaches, now, changes);
    }

    /// Time goes on.
    pub fn advance(&mut self, timing: &Timing, now: Time, changes: &mut Vec<Changed>) {
        while let Some((at, due)) = self.due(timing).filter(|(at, _)| *at <= now) {
            match due {
                Due::Unseen { breaches } => {
                    self.is_unseen = true;
                    self.turn(timing, breaches, at, changes);
                }
                Due::Stage(Turn::Fired) => self.fire(at, changes),
                Due::Stage(Turn::Resolved) => self.resolve(at, changes),
            }
        }
    }

    /// When it changes without a value.
    #[must_use]
    pub fn next_change(&self, timing: &Timing) -> Option<Time> {
        self.due(timing).map(|(at, _)| at)
    }

    /// The last value means something else now.
    pub fn judge_anew(&mut self, timing: &Timing, breaches: bool, now: Time, changes: &mut Vec<Changed>) {
        if !self.is_unseen {
            self.turn(timing, breaches, now, changes);
        }
        self.advance(timing, now, changes);
    }

    /// Nobody looks at it any more.
    pub fn end(&mut self, now: Time, changes: &mut Vec<Changed>) {
        if self.stage.is_firing() {
            self.resolve(now, changes);
        }
        self.stage = Stage::Inactive;
    }

    /// What is due next. Of two at the same instant the stage comes first.
    fn due(&self, timing: &Timing) -> Option<(Time, Due)> {
        let stage = match self.stage {
            Stage::Pending { since } => Some((since.after(timing.wait), Due::Stage(Turn::Fired))),
            Stage::Recovering { since } => Some((since.after(timing.keep), Due::Stage(Turn::Resolved))),
            Stage::Inactive | Stage::Firing => None,
        };
        let unseen = match timing.unseen {
            _ if self.is_unseen => None,
            Unseen::Keeps => None,
            Unseen::IsWell(after) => Some((self.seen.after(after), Due::Unseen { breaches: false })),
            Unseen::Breaches(after) => Some((self.seen.after(after), Due::Unseen { breaches: true })),
        };
        [stage, unseen].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn turn(&mut self, timing: &Timing, breaches: bool, at: Time, changes: &mut Vec<Changed>) {
        match (self.stage, breaches) {
            (Stage::Inactive, true) if timing.wait.is_zero() => self.fire(at, changes),
            (Stage::Inactive, true) => self.stage = Stage::Pending { since: at },
            (Stage::Pending { .. }, false) => self.stage = Stage::Inactive,
            (Stage::Firing, false) if timing.keep.is_zero() => self.resolve(at, changes),
            (Stage::Firing, false) => self.stage = Stage::Recovering { since: at },
            (Stage::Recovering { .. }, true) => self.stage = Stage::Firing,
            (Stage::Inactive | Stage::Recovering { .. }, false)
            | (Stage::Pending { .. } | Stage::Firing, true) => {}
        }
    }

    fn fire(&mut self, at: Time, changes: &mut Vec<Changed>) {
        self.stage = Stage::Firing;
        changes.push(Changed { at, turn: Turn::Fired, is_unseen: self.is_unseen });
    }

    fn resolve(&mut self, at: Time, changes: &mut Vec<Changed>) {
        self.stage = Stage::Inactive;
        changes.push(Changed { at, turn: Turn::Resolved, is_unseen: self.is_unseen });
    }
}
