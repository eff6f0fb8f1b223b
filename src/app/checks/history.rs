//! Changes of checks go into the board's history.

use serde::Serialize;

use super::CheckCell;
use crate::{
    app::{Board, definitions::Resource, journal::NewEvent},
    domain::{
        Name,
        check::{Cause, CheckChanged},
        health::Status,
    },
};

/// A change as the events carry it.
#[derive(Clone, Debug, Serialize)]
struct ChangeData<'a> {
    from: Status,
    to: Status,
    was_stale: bool,
    stale: bool,
    cause: Cause,
    message: &'a str,
    number: u64,
}

impl Board {
    pub(in crate::app) fn record_check_changes(&self, name: &Name, changes: &[CheckChanged]) {
        for change in changes {
            let data = ChangeData {
                from: change.from.status,
                to: change.to.status,
                was_stale: change.from.stale,
                stale: change.to.stale,
                cause: change.cause,
                message: &change.message,
                number: change.number,
            };
            let at = self.clock.wall_at(change.at);
            let event = NewEvent { at, kind: "check.changed", resource: CheckCell::KIND, name };
            self.journal.record(&event, &data, None);
            self.own_check_changed(name, change);
        }
    }
}
