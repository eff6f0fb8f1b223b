//! Health checks: results and time in, status and changes out.
//!
//! A check shows a [`Standing`]: the status that its results amount to, and whether that still holds. It shows red and
//! stale until its first result. A result holds for a while (`stale_after_seconds`) and then turns stale, with its
//! status; a heartbeat that stays away turns red and stale. Each change is reported once, at the instant at which it
//! was due, however often anybody looks.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Name, Time,
    health::{Standing, Status},
};

mod change;
mod config;
mod expected;
mod headers;
mod heartbeat;
mod http;
mod labels;
mod limits;
mod metric;
mod observation;
mod parse;
mod runs;
mod saved;
mod spec;
mod tally;
mod tcp;
mod timers;
mod view;

pub use change::{Cause, CheckChanged, Journal};
pub use config::{Active, CheckConfig, Expectation, Heartbeat, Probe, Source, Thresholds};
pub use expected::{ExpectedStatus, ExpectedStatusSpec, StatusPattern};
pub(in crate::domain) use headers::is_secret;
pub use headers::{Headers, REDACTED};
pub use heartbeat::Signal;
pub(in crate::domain) use http::checked_url;
pub use http::{HttpAnswer, HttpMethod, HttpProbe, MAX_REDIRECTS};
pub use labels::Labels;
pub(in crate::domain) use metric::checked_metric_name;
pub use metric::{Comparison, MetricProbe, MetricRule, judge_breaker};
pub use observation::{CheckPush, CheckResult, Observation};
pub use runs::RunToken;
pub use saved::SavedCheck;
pub use spec::{CheckKind, CheckSpec};
pub use tcp::{Address, TcpProbe};
pub use view::CheckView;

use heartbeat::Beats;
use runs::Runs;
use tally::Tally;

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    config: Arc<CheckConfig>,
    /// Tells the jitter of its runs from that of others.
    seed: u64,
    standing: Standing,
    since: Time,
    changes: u64,
    tally: Tally,
    last: Option<CheckResult>,
    mode: Mode,
}

/// What is remembered for a [`Source`], besides the last result.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Push,
    Heartbeat(Beats),
    Active(Runs),
}

/// The check takes its results from elsewhere: one that the board runs takes no push, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongKind {
    /// What it is.
    pub kind: CheckKind,
}

impl Mode {
    fn new(source: &Source, runs: u64, now: Time) -> Self {
        match source {
            Source::Push { .. } => Self::Push,
            Source::Heartbeat(_) => Self::Heartbeat(Beats::default()),
            Source::Active(_) => Self::Active(Runs::new(runs, now)),
        }
    }

    fn fits(&self, source: &Source) -> bool {
        match self {
            Self::Push => matches!(source, Source::Push { .. }),
            Self::Heartbeat(_) => matches!(source, Source::Heartbeat(_)),
            Self::Active(_) => matches!(source, Source::Active(_)),
        }
    }
}

impl Check {
    /// A check without results: red and stale. If the board runs it, the first run is due at once.
    #[must_use]
    pub fn new(name: &Name, config: Arc<CheckConfig>, now: Time) -> Self {
        let mode = Mode::new(&config.source, 0, now);
        Self {
            config,
            seed: runs::seed(name),
            standing: Standing::UNKNOWN,
            since: now,
            changes: 0,
            tally: Tally::default(),
            last: None,
            mode,
        }
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Arc<CheckConfig> {
        &self.config
    }

    /// What it shows as of the last [`advance`](Self::advance).
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The last result.
    #[must_use]
    pub fn last(&self) -> Option<&CheckResult> {
        self.last.as_ref()
    }

    /// Takes a result from the process that knows.
    ///
    /// # Errors
    /// [`WrongKind`] unless the check is a `push` check. Nothing changed.
    pub fn push(
        &mut self,
        now: Time,
        wall: Timestamp,
        observation: Observation,
        journal: &mut Journal,
    ) -> Result<(), WrongKind> {
        if self.mode != Mode::Push {
            return Err(self.wrong_kind());
        }
        self.record(now, wall, observation, journal);
        Ok(())
    }

    /// Takes what a job says, with the end of what else it has to say.
    ///
    /// # Errors
    /// [`WrongKind`] unless the check is a `heartbeat`. Nothing changed.
    pub fn signal(
        &mut self,
        now: Time,
        wall: Timestamp,
        signal: Signal,
        log: &str,
        journal: &mut Journal,
    ) -> Result<(), WrongKind> {
        self.advance(now, journal);
        let Mode::Heartbeat(beats) = &mut self.mode else { return Err(self.wrong_kind()) };
        if !signal.is_result() {
            beats.start(now);
            return Ok(());
        }
        let observation = signal.observation(beats.end(now), log);
        self.record(now, wall, observation, journal);
        Ok(())
    }

    /// When the board is to run it, if it does: when [`begin`](Self::begin) is due and will be granted.
    #[must_use]
    pub fn next_run(&self) -> Option<Time> {
        match (&self.mode, &self.config.source) {
            (Mode::Active(runs), Source::Active(active)) => Some(runs.next(active, self.seed)),
            _ => None,
        }
    }

    /// Begins a run, due or not; none while one is in flight, and if the board does not run this check.
    ///
    /// A run that neither [`finish`](Self::finish)es nor is [`cancel`](Self::cancel)led counts as lost after twice its
    /// timeout and ten seconds.
    pub fn begin(&mut self, now: Time) -> Option<RunToken> {
        match (&mut self.mode, &self.config.source) {
            (Mode::Active(runs), Source::Active(active)) => runs.begin(active, self.seed, now),
            _ => None,
        }
    }

    /// Takes the result of a run. If the run is no longer the one in flight, nothing changes and the answer is false.
    pub fn finish(
        &mut self,
        token: RunToken,
        now: Time,
        wall: Timestamp,
        observation: Observation,
        journal: &mut Journal,
    ) -> bool {
        let counts = self.cancel(token);
        if counts {
            self.record(now, wall, observation, journal);
        }
        counts
    }

    /// Ends a run without a result; whether it was the one in flight.
    pub fn cancel(&mut self, token: RunToken) -> bool {
        let Mode::Active(runs) = &mut self.mode else { return false };
        runs.end(token)
    }

    /// Makes the next run due now, or once the one in flight has ended; whether the board runs this check.
    pub fn run_now(&mut self, now: Time) -> bool {
        let Mode::Active(runs) = &mut self.mode else { return false };
        runs.hasten(now);
        true
    }

    /// Goes on under another configuration. What was seen of another target says nothing about this one: then the
    /// check begins anew, red and stale. Else the results so far count under the new thresholds, and a heartbeat that
    /// is late stays so until its next ping.
    pub fn reconfigure(&mut self, config: Arc<CheckConfig>, now: Time, journal: &mut Journal) {
        self.advance(now, journal);
        let before = std::mem::replace(&mut self.config, config);
        if before.target() != self.config.target() {
            self.forget(now, journal);
            return;
        }
        if let (Mode::Active(runs), Source::Active(then), Source::Active(active)) =
            (&mut self.mode, &before.source, &self.config.source)
        {
            runs.refit(then, active, now);
        }
        self.refit(now, journal);
    }

    fn wrong_kind(&self) -> WrongKind {
        WrongKind { kind: self.config.kind() }
    }

    fn forget(&mut self, now: Time, journal: &mut Journal) {
        let runs = if let Mode::Active(runs) = &self.mode { runs.number() } else { 0 };
        self.mode = Mode::new(&self.config.source, runs, now);
        self.tally = Tally::default();
        self.last = None;
        self.show(Standing::UNKNOWN, now, Cause::Reconfigured, journal);
    }

    /// Shows what the results so far amount to under the configuration.
    fn refit(&mut self, now: Time, journal: &mut Journal) {
        self.tally.settle(self.config.thresholds);
        let holds = self.stale_at().is_some_and(|stale_at| now < stale_at);
        let stale = self.standing.stale && !holds;
        self.show(Standing { status: self.tally.status(), stale }, now, Cause::Reconfigured, journal);
        self.advance(now, journal);
    }

    fn record(&mut self, now: Time, wall: Timestamp, observation: Observation, journal: &mut Journal) {
        self.advance(now, journal);
        let at = self.last.as_ref().map_or(now, |last| last.at.max(now));
        self.tally.count(observation.status(), self.config.thresholds);
        self.last = Some(CheckResult { observation, at, timestamp: wall });
        self.show(Standing::fresh(self.tally.status()), at, Cause::Result, journal);
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
