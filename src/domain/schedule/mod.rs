//! Schedules: what runs by itself, when, and what became of it.
//!
//! A [`Schedule`] is told the wall time and answers with [`Decision`]s. Each must be on disk, together with
//! [`Schedule::save`], before it is acted upon:
//!
//! 1. clone the schedule and call [`due`](Schedule::due) on the clone;
//! 2. store what `save` gives and the rows of the decisions in one transaction;
//! 3. put the clone in the place of the schedule and begin its runs.
//!
//! After a crash before the second step the same decisions are taken again; after it the runs count as interrupted. Thus
//! no instant is ever started twice, and a run happens at most once.
//!
//! Instants are decided in the order of time up to a cursor that follows the clock. A clock that is set forward is like
//! a downtime. When it is set back the cursor goes with it, so that a wrong date far ahead does not stop the schedule for
//! good; what has been started is remembered and not started again.

pub mod action;
pub mod config;
pub mod cron;
mod pending;
pub mod run;
mod started;
pub mod target;
pub mod timing;
pub mod zone;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    action::{Action, ActionSpec, BackupSource, BackupSourceSpec, Method},
    config::{Misfire, Overlap, ScheduleConfig, ScheduleSpec},
    cron::Cron,
    run::{MAX_OUTPUT_BYTES, Missed, MissedReason, Outcome, Run, RunStatus, Trigger},
    target::{Headers, Target},
    timing::Timing,
    zone::Zone,
};
use self::{pending::Pending, started::Started};

/// Runs of one schedule that may go on at the same time when they may overlap.
pub const MAX_RUNNING: usize = 16;

/// What to do about instants that have come. Every row is to be stored; only a [`Decision::Run`] begins something.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Begin this run, whose status is `running`, and report its end to [`Schedule::finish`].
    Run(Run),
    /// Record that the time of one or more runs went by.
    Missed(Run),
    /// Record that one or more runs did not begin because another goes on.
    Skipped(Run),
}

impl Decision {
    /// The row to store.
    #[must_use]
    pub fn row(&self) -> &Run {
        match self {
            Self::Run(row) | Self::Missed(row) | Self::Skipped(row) => row,
        }
    }
}

/// A manual run was refused: another goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRunning {
    /// One that goes on.
    pub run_id: u64,
}

/// A schedule as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSchedule {
    config: ScheduleConfig,
    cursor: Timestamp,
    started: Started,
    running: Vec<Run>,
    next_id: u64,
}

/// A schedule and how far it has come. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: Arc<ScheduleConfig>,
    /// What was due until here is decided, as far as the clock has not been set back since.
    cursor: Timestamp,
    started: Started,
    running: BTreeMap<u64, Run>,
    next_id: u64,
    /// The first instant after the cursor that has not been started. None while disabled.
    next: Option<Timestamp>,
}

impl Schedule {
    /// A schedule whose first run is due after `now`. Its runs are numbered from `first_id`, which must be higher than
    /// any number that an earlier schedule of the name has given.
    #[must_use]
    pub fn new(config: ScheduleConfig, now: Timestamp, first_id: u64) -> Self {
        let mut schedule = Self {
            config: Arc::new(config),
            cursor: now,
            started: Started::default(),
            running: BTreeMap::new(),
            next_id: first_id,
            next: None,
        };
        schedule.look_ahead();
        schedule
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<ScheduleConfig> {
        &self.config
    }

    /// When it is due next. None if it is disabled or never due again. In the past only until [`Schedule::due`] is called.
    #[must_use]
    pub fn next_run_at(&self) -> Option<Timestamp> {
        self.next
    }

    /// The runs that go on, by their number.
    #[must_use]
    pub fn running(&self) -> impl ExactSizeIterator<Item = &Run> {
        self.running.values()
    }

    /// Decides on everything that was due until `now`; at most one run begins. Several instants at once, after a
    /// downtime or a clock set forward, are one misfire: the latest runs if it is on time or `run_once` says so, the
    /// others are counted. Call it at least every [`ScheduleConfig::misfire_grace`].
    pub fn due(&mut self, now: Timestamp) -> Vec<Decision> {
        if now < self.cursor {
            self.cursor = now;
            self.look_ahead();
            return Vec::new();
        }
        let from = std::mem::replace(&mut self.cursor, now);
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let Some(pending) = Pending::between(from, now, |time| self.next_unstarted(time)) else {
            return Vec::new();
        };
        let decisions = self.decide(&pending, now);
        self.look_ahead();
        decisions
    }

    /// The number that the next row gets.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Begins a run at once, also while disabled. Store its row and [`Schedule::save`] first, as with [`Schedule::due`].
    pub fn run_now(&mut self, now: Timestamp, actor: Option<String>) -> Result<Run, StillRunning> {
        if let Some(run_id) = self.blocker() {
            return Err(StillRunning { run_id });
        }
        let run = Run { actor, ..Run::begun(self.take_id(), now, now, Trigger::Manual) };
        self.running.insert(run.id, run.clone());
        Ok(run)
    }

    /// The end of a run: its final row. None if no such run goes on, as when the end is reported twice or too late.
    pub fn finish(
        &mut self,
        id: u64,
        now: Timestamp,
        outcome: Outcome,
        output: Option<Value>,
    ) -> Option<Run> {
        self.running.remove(&id).map(|run| run.finished(now, outcome, output))
    }

    /// Goes on under another configuration. If that changes when it is due, or enables it, the next run is the first one
    /// due after `now`, and what came before is nobody's; otherwise nothing about its time changes. Call
    /// [`Schedule::due`] before.
    pub fn replace(&mut self, config: ScheduleConfig, now: Timestamp) {
        if config.timing != self.config.timing || config.enabled != self.config.enabled {
            self.cursor = now;
        }
        self.config = Arc::new(config);
        self.look_ahead();
    }

    /// [`Schedule::replace`] with only `enabled` changed.
    pub fn set_enabled(&mut self, enabled: bool, now: Timestamp) {
        self.replace(ScheduleConfig { enabled, ..(*self.config).clone() }, now);
    }

    /// The state to store.
    #[must_use]
    pub fn save(&self) -> SavedSchedule {
        SavedSchedule {
            config: (*self.config).clone(),
            cursor: self.cursor,
            started: self.started.clone(),
            running: self.running.values().cloned().collect(),
            next_id: self.next_id,
        }
    }

    /// The schedule after a restart, and the final rows of the runs that the restart has interrupted. What was due
    /// meanwhile comes with the first [`Schedule::due`].
    #[must_use]
    pub fn restore(saved: SavedSchedule, now: Timestamp) -> (Self, Vec<Run>) {
        let mut schedule = Self {
            config: Arc::new(saved.config),
            cursor: saved.cursor,
            started: saved.started,
            running: BTreeMap::new(),
            next_id: saved.next_id,
            next: None,
        };
        schedule.look_ahead();
        (schedule, saved.running.into_iter().map(|run| run.interrupted(now)).collect())
    }

    fn decide(&mut self, pending: &Pending, now: Timestamp) -> Vec<Decision> {
        let late = now.duration_since(pending.last).unsigned_abs() > self.config.misfire_grace.get();
        let catch_up = self.config.misfire == Misfire::RunOnce;
        if late && !catch_up {
            return vec![Decision::Missed(Run::missed(self.take_id(), pending.all(MissedReason::Misfire)))];
        }
        if self.blocker().is_some() {
            return vec![Decision::Skipped(Run::missed(self.take_id(), pending.all(MissedReason::Overlap)))];
        }
        let mut decisions = Vec::with_capacity(2);
        let mut missed = pending.earlier();
        if !catch_up && let Some(missed) = missed.take() {
            decisions.push(Decision::Missed(Run::missed(self.take_id(), missed)));
        }
        let trigger = if late { Trigger::Misfire } else { Trigger::Schedule };
        let run = Run { missed, ..Run::begun(self.take_id(), pending.last, now, trigger) };
        self.started.insert(pending.last, |time| self.config.timing.next_after(time));
        self.running.insert(run.id, run.clone());
        decisions.push(Decision::Run(run));
        decisions
    }

    /// A run that goes on and keeps another one from beginning.
    fn blocker(&self) -> Option<u64> {
        let most = if self.config.overlap == Overlap::Allow { MAX_RUNNING } else { 1 };
        self.running.keys().next().copied().filter(|_| self.running.len() >= most)
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        id
    }

    fn look_ahead(&mut self) {
        self.next = if self.config.enabled { self.next_unstarted(self.cursor) } else { None };
    }

    fn next_unstarted(&self, mut time: Timestamp) -> Option<Timestamp> {
        loop {
            let next = self.config.timing.next_after(time)?;
            match self.started.end_of(next) {
                Some(end) => time = end,
                None => return Some(next),
            }
        }
    }
}
