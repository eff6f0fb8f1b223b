//! A check as it is shown.

use std::{borrow::Cow, time::Duration};

use super::{Check, CheckResult, Expectation, Mode, Source, Status, heartbeat::Fault};
use crate::domain::{Seconds, Time, health::Standing};

/// A check at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckView<'a> {
    /// Its status, and whether that still holds.
    pub standing: Standing,
    /// What there is to say: the message of the last result, and why the status is another than that of it.
    pub message: Cow<'a, str>,
    /// When it began to show this.
    pub since: Time,
    /// How many times it has changed what it shows.
    pub changes: u64,
    /// The last result.
    pub last: Option<&'a CheckResult>,
    /// How old that is.
    pub age: Option<Duration>,
    /// Red results in a row, up to the last.
    pub consecutive_failures: u32,
    /// Other results in a row, up to the last.
    pub consecutive_successes: u32,
    /// When the board runs it next.
    pub next_run: Option<Time>,
    /// Whether a run is in flight, or a job has started and not ended.
    pub running: bool,
    /// When the awaited ping is late, or was.
    pub late_at: Option<Time>,
}

impl Check {
    /// The check at `now`; [`advance`](Self::advance) to it first.
    #[must_use]
    pub fn view(&self, now: Time) -> CheckView<'_> {
        CheckView {
            standing: self.standing,
            message: self.message(),
            since: self.since,
            changes: self.changes,
            last: self.last.as_ref(),
            age: self.last.as_ref().map(|last| now.since(last.at)),
            consecutive_failures: self.tally.reds(),
            consecutive_successes: self.tally.others(),
            next_run: self.next_run(),
            running: match &self.mode {
                Mode::Push => false,
                Mode::Heartbeat(beats) => beats.started().is_some(),
                Mode::Active(runs) => runs.is_in_flight(),
            },
            late_at: match (&self.mode, &self.config.source) {
                (Mode::Heartbeat(beats), Source::Heartbeat(heartbeat)) => beats.deadline(heartbeat),
                _ => None,
            },
        }
    }

    /// What there is to say. Depends on nothing that goes with time alone.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        if let Mode::Heartbeat(beats) = &self.mode
            && let Some(fault) = beats.fault()
        {
            return self.silence(fault).into();
        }
        let Some(last) = &self.last else { return self.nothing().into() };
        let said = last.observation.message();
        let thresholds = self.config.thresholds;
        if self.standing.stale {
            let span = self.stale_at().map_or(0.0, |at| Seconds::from(at.since(last.at)).into());
            return joined(format!("no result for {span} s; the last one"), said);
        }
        match (self.standing.status, last.observation.status()) {
            (Status::Red, Status::Green | Status::Yellow) => {
                joined(format!("{} of {} successes", self.tally.others(), thresholds.success), said)
            }
            (Status::Green | Status::Yellow, Status::Red) => {
                joined(format!("{} of {} failures", self.tally.reds(), thresholds.failure), said)
            }
            _ => Cow::Borrowed(said),
        }
    }

    fn nothing(&self) -> &'static str {
        if matches!(self.mode, Mode::Heartbeat(_)) { "no ping yet" } else { "no result yet" }
    }

    fn silence(&self, fault: Fault) -> String {
        let Source::Heartbeat(heartbeat) = &self.config.source else { return String::new() };
        let Expectation::Every(interval) = heartbeat.expectation;
        let (every, grace) = (f64::from(interval), f64::from(heartbeat.grace));
        match fault {
            Fault::Late => format!("late: no ping for {every} s and {grace} s of grace"),
            Fault::MissedStart => format!("missed: no start for {every} s and {grace} s of grace"),
            Fault::RunTooLong => {
                let most = heartbeat.max_run.map_or(0.0, f64::from);
                format!("running for more than {most} s")
            }
        }
    }
}

fn joined(what: String, said: &str) -> Cow<'static, str> {
    Cow::Owned(if said.is_empty() { what } else { format!("{what}: {said}") })
}
