//! Outcomes that clients have counted by themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OutcomeRefusal;
use crate::{
    app::{
        Board,
        breakers::{BreakerCell, Origin},
        text::Text,
    },
    domain::{
        Seconds,
        breaker::{Absorbed, Aggregate, Client, Outcome, Run, StateName},
        object::objects,
    },
};

/// Equal outcomes, one after another.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// How the calls ended.
    pub outcome: Outcome,
    /// How many; from 1 to 10,000,000.
    #[schema(minimum = 1, maximum = 10_000_000)]
    pub count: u32,
    /// How many of them were slow, by the breaker's `slow_call_seconds`; 0 if left out. They count last.
    #[serde(default)]
    #[schema(maximum = 10_000_000)]
    pub slow: u32,
    /// How long they took together; 0 if left out.
    #[serde(default = "no_time")]
    pub duration_seconds: Seconds,
}

fn no_time() -> Seconds {
    Seconds::ZERO
}

/// What happened at one breaker since the last report.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = AggregateItem)]
#[serde(deny_unknown_fields)]
pub struct AggregateReport<'a> {
    /// Which breaker.
    #[serde(borrow)]
    #[schema(value_type = String)]
    pub breaker: Text<'a>,
    /// The generation in which the calls were admitted, as the replica told it.
    #[schema(maximum = 9_223_372_036_854_775_807i64)]
    pub generation: u64,
    /// Ascends with each report of the session on this breaker, from 1. A report that comes again counts nothing.
    #[schema(minimum = 1, maximum = 9_223_372_036_854_775_807i64)]
    pub sequence: u64,
    /// The outcomes in their order, as at most 1000 runs of equal ones.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 1000)]
    pub runs: Vec<RunReport>,
    /// Calls that the client turned away by itself, in whatever generation; 0 if left out.
    #[serde(default)]
    #[schema(maximum = 2_147_483_647)]
    pub rejected: u32,
    /// What went wrong last, for the history; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub error: Option<Text<'a>>,
}

/// Who counted.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// The client for which failures count.
    pub client: Option<&'a str>,
    /// Its process: sequence numbers are compared within a session.
    pub session: &'a str,
}

/// The answer to one aggregate, with the breaker as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AggregateAnswer {
    /// Whether it counted.
    pub recorded: bool,
    /// Why not: `duplicate`, `stale_generation`, `unknown`; null if it counted.
    pub reason: Option<OutcomeRefusal>,
    /// The breaker's state afterwards; null if there is none of that name.
    pub breaker_state: Option<StateName>,
    /// The generation of that state; null likewise.
    pub generation: Option<u64>,
    /// When a refused call may try again; null if it is not refused now or nobody knows.
    pub retry_after_seconds: Option<f64>,
}

impl Board {
    /// Takes outcomes that a client has counted by itself, in order, each report once.
    #[must_use]
    pub fn aggregates_take(
        self: &Arc<Self>,
        session: Session<'_>,
        reports: &[AggregateReport<'_>],
    ) -> Vec<AggregateAnswer> {
        let client = self.clients.identify(session.client);
        let name = self.clients.name_of(client);
        let sender = self.clients.sender(session.client, session.session);
        let take = |report: &AggregateReport<'_>| {
            let Some(cell) = self.breakers.get(report.breaker.as_str()) else {
                return AggregateAnswer::unknown();
            };
            let error = report.error.as_ref().map(Text::as_str);
            let origin = Origin { client: Some(&name), error };
            self.aggregate_take(&cell, report, sender, Client { hash: client, name: &name }, origin)
        };
        reports.iter().map(take).collect()
    }

    fn aggregate_take(
        self: &Arc<Self>,
        cell: &Arc<BreakerCell>,
        report: &AggregateReport<'_>,
        sender: u64,
        client: Client<'_>,
        origin: Origin<'_>,
    ) -> AggregateAnswer {
        let runs: Vec<Run> = report.runs.iter().map(Run::from).collect();
        let aggregate = Aggregate {
            generation: report.generation,
            sender,
            sequence: report.sequence,
            rejected: report.rejected,
            runs: if self.breakers_enabled() { &runs } else { &[] },
        };
        let (absorbed, view) = cell.with(self, Some(origin), |breaker, now, transitions| {
            let absorbed = breaker.absorb(now, client, &aggregate, transitions);
            (absorbed, (breaker.state(), breaker.generation(), breaker.retry_after(now)))
        });
        let (state, generation, retry_after) = view;
        let reason = match absorbed {
            Absorbed::Recorded => None,
            Absorbed::Duplicate => Some(OutcomeRefusal::Duplicate),
            Absorbed::StaleGeneration => Some(OutcomeRefusal::StaleGeneration),
        };
        for run in &runs {
            self.telemetry.count_outcomes(run.outcome, reason, run.count.into());
        }
        AggregateAnswer {
            recorded: reason.is_none(),
            reason,
            breaker_state: Some(state),
            generation: Some(generation),
            retry_after_seconds: retry_after.map(|span| span.as_secs_f64()),
        }
    }
}

impl AggregateAnswer {
    fn unknown() -> Self {
        Self {
            recorded: false,
            reason: Some(OutcomeRefusal::Unknown),
            breaker_state: None,
            generation: None,
            retry_after_seconds: None,
        }
    }
}

impl From<&RunReport> for Run {
    fn from(report: &RunReport) -> Self {
        Self {
            outcome: report.outcome,
            count: report.count,
            slow: report.slow,
            duration: report.duration_seconds.get(),
        }
    }
}
