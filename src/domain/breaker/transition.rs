//! Changes of state and their causes.

use serde::{Deserialize, Serialize};

use super::{Breaker, State, StateName, metrics::Metrics};
use crate::domain::time::Time;

/// The transitions that an operation caused, in order.
pub type Journal = Vec<Transition>;

/// Most clients that a transition names.
const MAX_NAMED: usize = 16;

/// One change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The state before.
    pub from: StateName,
    /// The state after.
    pub to: StateName,
    /// Why.
    pub cause: Cause,
    /// Who asked for it, if anyone did.
    pub actor: Option<Box<str>>,
    /// Why they did.
    pub reason: Option<Box<str>>,
    /// The generation that it began.
    pub generation: u64,
    /// When it happened. For a timer: when it was due.
    pub at: Time,
    /// The counts until then.
    pub metrics: Metrics,
    /// The most consecutive failures of any client until then.
    pub failure_count: u32,
    /// Share of failed calls in the window until then; none below `minimum_calls`.
    pub failure_rate: Option<f64>,
    /// Share of slow calls in the window until then; none below `minimum_calls`.
    pub slow_call_rate: Option<f64>,
    /// The clients that were failing until then, most failures first; at most 16.
    pub reporters: Vec<String>,
}

/// Why a breaker changed its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Enough clients reached the threshold of consecutive failures.
    FailureThreshold,
    /// Too large a share of the calls in the window failed.
    FailureRate,
    /// Too large a share of the calls in the window was slow.
    SlowCallRate,
    /// The wait of an open breaker ended.
    TimeoutElapsed,
    /// Enough probes succeeded.
    HalfOpenSuccess,
    /// A probe failed.
    HalfOpenFailure,
    /// The breaker was half open for too long.
    HalfOpenTimeout,
    /// An operator set the state.
    Manual,
    /// An operator reset the breaker.
    Reset,
    /// An override ended.
    TtlElapsed,
}

impl Cause {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailureThreshold => "failure_threshold",
            Self::FailureRate => "failure_rate",
            Self::SlowCallRate => "slow_call_rate",
            Self::TimeoutElapsed => "timeout_elapsed",
            Self::HalfOpenSuccess => "half_open_success",
            Self::HalfOpenFailure => "half_open_failure",
            Self::HalfOpenTimeout => "half_open_timeout",
            Self::Manual => "manual",
            Self::Reset => "reset",
            Self::TtlElapsed => "ttl_elapsed",
        }
    }
}

/// What is known about why a transition happens.
#[derive(Clone, Copy)]
pub(super) struct Why<'a> {
    pub(super) cause: Cause,
    pub(super) actor: &'a str,
    pub(super) reason: &'a str,
    /// The client of the probe that failed.
    pub(super) reporter: Option<&'a str>,
}

impl Why<'_> {
    pub(super) fn of(cause: Cause) -> Self {
        Self { cause, actor: "", reason: "", reporter: None }
    }
}

impl Breaker {
    /// Goes to `next`, which begins a generation of its own. Time never goes back in the journal.
    pub(super) fn transition(&mut self, next: State, at: Time, why: Why<'_>, journal: &mut Journal) {
        let at = at.max(self.changed_at);
        let (failure_rate, slow_call_rate) = self.rates(at);
        let mut reporters: Vec<String> =
            self.reporters().into_iter().take(MAX_NAMED).map(|reporter| reporter.client).collect();
        reporters.extend(why.reporter.map(str::to_owned));
        self.generation = self.generation.saturating_add(1);
        journal.push(Transition {
            from: self.state.name(),
            to: next.name(),
            cause: why.cause,
            actor: some(why.actor),
            reason: some(why.reason),
            generation: self.generation,
            at,
            metrics: self.metrics,
            failure_count: self.failure_count().max(why.reporter.is_some().into()),
            failure_rate,
            slow_call_rate,
            reporters,
        });
        match (&self.state, &next) {
            (State::Closed(_), State::Open(_)) => self.tripped_with = self.failure_count(),
            (_, State::Closed(_) | State::MetricsOnly { .. }) => self.tripped_with = 0,
            _ => {}
        }
        self.changed_at = at;
        self.state = next;
    }
}

fn some(text: &str) -> Option<Box<str>> {
    if text.is_empty() { None } else { Some(text.into()) }
}
