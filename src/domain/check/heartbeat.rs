//! What a job says, and what its silence means.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Cause, Heartbeat, Observation};
use crate::domain::{Time, health::Status};

/// What a job says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It began. That is no result, and nothing that is late is less late for it.
    Start,
    /// It is done.
    Success,
    /// It failed.
    Fail,
    /// It ended with that status; 0 is success.
    Exit(u8),
}

impl Signal {
    /// Whether a result follows from it.
    #[must_use]
    pub const fn is_result(self) -> bool {
        !matches!(self, Self::Start)
    }

    pub(super) fn observation(self, ran: Option<Duration>, log: &str) -> Observation {
        let observation = match self {
            Self::Start => Observation::new(Status::Green, "started"),
            Self::Success => Observation::new(Status::Green, "done"),
            Self::Fail => Observation::new(Status::Red, "failed"),
            Self::Exit(0) => Observation::new(Status::Green, "done").with("exit_status", json!(0)),
            Self::Exit(status) => Observation::new(Status::Red, format!("failed with exit status {status}"))
                .with("exit_status", json!(status)),
        };
        let observation = observation.with_log(log);
        match ran {
            Some(ran) => observation.took(ran),
            None => observation,
        }
    }
}

/// What is known of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beats {
    /// When it last said that it is done or failed.
    last: Option<Time>,
    /// When the run began that has not ended.
    started: Option<Time>,
    /// Whether it ever said that it starts.
    announces: bool,
    fault: Option<Fault>,
}

/// What is wrong with a job, until it next ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    /// It began and does not end.
    RunTooLong,
    /// No end when one was due; if it began, it has not ended.
    Late,
    /// Neither a start nor an end, of a job that announces its starts.
    MissedStart,
}

impl Fault {
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::RunTooLong => Cause::RunTooLong,
            Self::Late => Cause::Late,
            Self::MissedStart => Cause::MissedStart,
        }
    }

    /// Whether what is known of the job no longer holds.
    pub(super) fn is_silence(self) -> bool {
        self != Self::RunTooLong
    }
}

impl Beats {
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(super) fn started(&self) -> Option<Time> {
        self.started
    }

    /// When silence becomes a failure, or became one; none before the first ping.
    pub(super) fn deadline(&self, config: &Heartbeat) -> Option<Time> {
        self.last.map(|last| config.late_at(last))
    }

    /// When silence becomes a failure; none before the first ping, and while it is one.
    fn late_at(&self, config: &Heartbeat) -> Option<Time> {
        let is_silent = self.fault.is_some_and(Fault::is_silence);
        self.deadline(config).filter(|_| !is_silent)
    }

    /// When a run takes too long; none while something is wrong already.
    fn too_long_at(&self, config: &Heartbeat) -> Option<Time> {
        let (started, most) = self.started.zip(config.max_run)?;
        self.fault.is_none().then(|| started.after(most.get()))
    }

    pub(super) fn next_fault(&self, config: &Heartbeat) -> Option<Time> {
        self.late_at(config).into_iter().chain(self.too_long_at(config)).min()
    }

    /// The fault that [`next_fault`](Self::next_fault) announced for `due`.
    pub(super) fn fail(&mut self, config: &Heartbeat, due: Time) -> Fault {
        let fault = if self.late_at(config) != Some(due) {
            Fault::RunTooLong
        } else if self.announces && self.started.is_none() {
            Fault::MissedStart
        } else {
            Fault::Late
        };
        self.fault = Some(fault);
        fault
    }

    pub(super) fn start(&mut self, now: Time) {
        self.started = Some(now);
        self.announces = true;
    }

    /// The job ended; how long it ran, if it said when it began.
    pub(super) fn end(&mut self, now: Time) -> Option<Duration> {
        self.last = self.last.max(Some(now));
        self.fault = None;
        self.started.take().map(|started| now.since(started))
    }

    /// On the clock of `now`, moved by `shift_nanos`.
    pub(super) fn shift(&mut self, shift_nanos: i64, now: Time) {
        for at in [&mut self.last, &mut self.started] {
            *at = at.map(|at| at.shifted(shift_nanos).min(now));
        }
    }
}
