//! How many results in a row turn a check.

use serde::{Deserialize, Serialize};

use super::Thresholds;
use crate::domain::health::Status;

/// The status that results in a row amount to, in the manner of a Kubernetes probe: red comes after `failure` red ones
/// in a row and goes after `success` others in a row; until then the status stays what it was. Between green and
/// yellow each result decides. A new check is red.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    status: Status,
    latest: Status,
    reds: u32,
    others: u32,
}

impl Tally {
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Red results in a row, up to the latest.
    pub(super) fn reds(&self) -> u32 {
        self.reds
    }

    /// Results in a row that were not red, up to the latest.
    pub(super) fn others(&self) -> u32 {
        self.others
    }

    pub(super) fn count(&mut self, latest: Status, thresholds: Thresholds) {
        self.latest = latest;
        if latest == Status::Red {
            self.reds = self.reds.saturating_add(1);
            self.others = 0;
        } else {
            self.others = self.others.saturating_add(1);
            self.reds = 0;
        }
        self.settle(thresholds);
    }

    /// Red at once, whatever the threshold. To leave it takes as many results as ever.
    pub(super) fn fail(&mut self) {
        *self = Self { reds: self.reds, ..Self::default() };
    }

    /// The counts under other thresholds.
    pub(super) fn settle(&mut self, thresholds: Thresholds) {
        let is_settled = match (self.status, self.latest) {
            (Status::Red, Status::Red) => false,
            (Status::Red, _) => self.others >= thresholds.success,
            (_, Status::Red) => self.reds >= thresholds.failure,
            _ => true,
        };
        if is_settled {
            self.status = self.latest;
        }
    }
}
