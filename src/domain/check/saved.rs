//! A check at rest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Check, CheckConfig, CheckResult, Journal, Mode, Source, Tally};
use crate::domain::{Name, Time, health::Standing};

/// All that a check is, except for its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedCheck {
    /// What the results are of.
    target: Box<str>,
    standing: Standing,
    since: Time,
    changes: u64,
    tally: Tally,
    last: Option<CheckResult>,
    mode: Mode,
}

impl SavedCheck {
    /// How many times it had changed what it shows: of two, the one with more is newer.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

impl Check {
    /// All there is to restore the check from.
    #[must_use]
    pub fn save(&self) -> SavedCheck {
        SavedCheck {
            target: self.config.target().into(),
            standing: self.standing,
            since: self.since,
            changes: self.changes,
            tally: self.tally,
            last: self.last.clone(),
            mode: self.mode.clone(),
        }
    }

    /// The check that was saved, with all times moved by `shift_nanos` to the clock of `now`. Time went on while it was
    /// at rest: what became due meanwhile is in the journal. A run that was in flight is lost; what was saved of
    /// another target is forgotten.
    #[must_use]
    pub fn restore(
        name: &Name,
        config: Arc<CheckConfig>,
        saved: SavedCheck,
        now: Time,
        shift_nanos: i64,
        journal: &mut Journal,
    ) -> Self {
        let mut check = Self::new(name, config, now);
        let is_same = *saved.target == check.config.target() && saved.mode.fits(&check.config.source);
        check.standing = saved.standing;
        check.since = saved.since.shifted(shift_nanos).min(now);
        check.changes = saved.changes;
        if !is_same {
            check.forget(now, journal);
            return check;
        }
        check.mode = saved.mode;
        check.tally = saved.tally;
        check.last = saved.last;
        if let Some(last) = &mut check.last {
            last.at = last.at.shifted(shift_nanos).min(now);
        }
        match (&mut check.mode, &check.config.source) {
            (Mode::Heartbeat(beats), Source::Heartbeat(_)) => beats.shift(shift_nanos, now),
            (Mode::Active(runs), Source::Active(active)) => runs.shift(shift_nanos, active, now),
            _ => {}
        }
        check.refit(now, journal);
        check
    }
}
