//! Outcomes come back, or do not.

use crate::{
    app::{
        Board,
        breakers::Origin,
        call_table::Absent,
        calls::{OutcomeAnswer, OutcomeRefusal, OutcomeReport},
        text::Text,
    },
    domain::{
        Time, Tokens,
        breaker::{Client, Reported},
    },
};

impl Board {
    /// Takes the outcomes of calls, in order.
    #[must_use]
    pub fn call_outcomes(&self, reports: &[OutcomeReport<'_>]) -> Vec<OutcomeAnswer> {
        let now = self.clock.now();
        let take = |report| {
            let answer = self.take_outcome(report, now);
            self.telemetry.count_outcome(report.outcome, answer.reason);
            answer
        };
        reports.iter().map(take).collect()
    }

    fn take_outcome(&self, report: &OutcomeReport<'_>, now: Time) -> OutcomeAnswer {
        let Some(id) = self.calls.decode(report.call_id.as_str()) else {
            return OutcomeAnswer::refused(OutcomeRefusal::Unknown);
        };
        let call = match self.calls.take(id) {
            Ok(call) => call,
            Err(absent) => return OutcomeAnswer::refused(absent.into()),
        };
        for cell in call.holds.iter().flatten() {
            cell.lock(self).release(now, id, Tokens::ZERO);
        }
        let expired = call.deadline <= now;
        let Some((cell, generation)) = &call.breaker else {
            let reason = expired.then_some(OutcomeRefusal::Expired);
            return OutcomeAnswer { recorded: !expired, reason, breaker_state: None };
        };
        let name = self.clients.name_of(call.client);
        let origin = Origin { client: Some(&name), error: report.error.as_ref().map(Text::as_str) };
        cell.with_at(self, now, Some(origin), |breaker, now, transitions| {
            breaker.advance(now, transitions);
            let reported = if expired {
                breaker.expire(*generation, id);
                Reported::Expired
            } else {
                let client = Client { hash: call.client, name: &name };
                let duration = report.duration_seconds.get();
                breaker.report(now, *generation, id, client, report.outcome, duration, transitions)
            };
            let reason = match reported {
                Reported::Recorded => None,
                Reported::StaleGeneration => Some(OutcomeRefusal::StaleGeneration),
                Reported::Expired => Some(OutcomeRefusal::Expired),
            };
            OutcomeAnswer { recorded: reason.is_none(), reason, breaker_state: Some(breaker.state()) }
        })
    }

    /// Gives back the permits of calls that never reported.
    pub fn expire_calls(&self) {
        let now = self.clock.now();
        for (id, call) in self.calls.sweep(now) {
            self.telemetry.expired_calls.inc();
            for cell in call.holds.iter().flatten() {
                cell.lock(self).release(now, id, Tokens::ZERO);
            }
            if let Some((cell, generation)) = call.breaker {
                cell.with(self, None, |breaker, now, transitions| {
                    breaker.advance(now, transitions);
                    breaker.expire(generation, id);
                });
            }
        }
    }
}

impl OutcomeAnswer {
    fn refused(reason: OutcomeRefusal) -> Self {
        Self { recorded: false, reason: Some(reason), breaker_state: None }
    }
}

impl From<Absent> for OutcomeRefusal {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Duplicate => Self::Duplicate,
            Absent::Expired => Self::Expired,
            Absent::Unknown => Self::Unknown,
        }
    }
}
