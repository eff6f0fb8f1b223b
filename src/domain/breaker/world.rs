//! A breaker beside its model.

use std::sync::Arc;

use super::{
    history::Op,
    model::{Model, nanos},
    *,
};

const NAMES: [&str; 4] = ["", "bot-1", "bot-2", "bot-3"];

pub(super) fn config(spec: &BreakerSpec) -> Arc<BreakerConfig> {
    Arc::new(spec.clone().try_into().unwrap())
}

#[derive(Clone, Debug)]
struct Call {
    id: u64,
    client: u64,
    generation: u64,
    deadline: Time,
    ended: Option<(Outcome, f64)>,
}

/// A breaker and its model, living through the same history.
pub(super) struct World {
    pub(super) now: i64,
    pub(super) breaker: Breaker,
    model: Model,
    saved: (SavedBreaker, Model),
    calls: Vec<Call>,
    journal: Journal,
    crashed_in: Option<u64>,
}

impl World {
    pub(super) fn new(spec: BreakerSpec, now: i64) -> Self {
        let breaker = Breaker::new(config(&spec), Time::from_nanos(now));
        let model = Model::new(spec);
        let saved = (breaker.save(), model.clone());
        Self { now, breaker, model, saved, calls: Vec::new(), journal: Journal::new(), crashed_in: None }
    }

    fn time(&self) -> Time {
        Time::from_nanos(self.now)
    }

    fn step(&mut self, op: &Op) {
        let now = self.time();
        match op {
            Op::Wait(nanos) => self.now += nanos,
            Op::ToTimer(early) => {
                if let Some(due) = self.breaker.next_timer() {
                    self.now = self.now.max(due.as_nanos() - early);
                }
            }
            Op::Call { client, then } => {
                self.call(*client);
                if let (Some((outcome, seconds)), Some(last)) = (then, self.calls.len().checked_sub(1)) {
                    self.report(last, *outcome, *seconds);
                }
            }
            Op::Report { pick, outcome, seconds } if !self.calls.is_empty() => {
                self.report(pick % self.calls.len(), *outcome, *seconds);
            }
            Op::Expire(pick) if !self.calls.is_empty() => {
                let index = pick % self.calls.len();
                if self.calls[index].ended.is_none() {
                    self.calls[index].ended = Some((Outcome::Ignored, 0.0));
                    let Call { id, generation, .. } = self.calls[index];
                    self.breaker.expire(generation, id);
                    self.model.expire(generation, id);
                }
            }
            Op::Set { target, ttl } => {
                let span = ttl.map(Duration::from_secs_f64);
                let result = self.breaker.set_state(now, *target, span, "ann", "why", &mut self.journal);
                assert_eq!(result.is_ok(), self.model.set_state(self.now, *target, ttl.map(nanos)));
            }
            Op::Reset => {
                self.breaker.reset(now, "ann", "", &mut self.journal);
                self.model.reset(self.now);
            }
            Op::Reconfigure(spec) => {
                self.breaker.reconfigure(config(spec), now, &mut self.journal);
                self.model.reconfigure(self.now, spec.clone());
                self.saved = (self.breaker.save(), self.model.clone());
            }
            Op::Snapshot => self.saved = (self.breaker.save(), self.model.clone()),
            Op::Reload => {
                let text = serde_json::to_string(&self.breaker.save()).unwrap();
                let saved = serde_json::from_str(&text).unwrap();
                let restored = Breaker::restore(self.breaker.config.clone(), saved, now, 0, true);
                assert_eq!(restored.save(), self.breaker.save());
                self.breaker = restored;
            }
            Op::Crash => {
                let (saved, model) = self.saved.clone();
                self.breaker = Breaker::restore(self.breaker.config.clone(), saved, now, 0, false);
                self.model = model;
                self.model.crash(self.now);
                self.crashed_in = Some(self.breaker.generation());
            }
            Op::Report { .. } | Op::Expire(_) => {}
        }
    }

    fn call(&mut self, client: u64) {
        let now = self.time();
        let answer = self.breaker.check(now, &mut self.journal);
        assert_eq!(answer.is_ok(), self.model.check(self.now));
        if let Err(refused) = answer {
            self.is_honest(refused);
            self.breaker.reject();
            self.model.metrics.total_calls += 1;
            self.model.metrics.rejected_calls += 1;
            return;
        }
        let id = self.calls.len() as u64;
        let permit = self.breaker.enter(now, id);
        self.model.enter(self.now, id);
        let Permit { generation, deadline } = permit;
        self.calls.push(Call { id, client, generation, deadline, ended: None });
        if self.breaker.state() == StateName::HalfOpen {
            let own = |call: &&Call| call.generation == generation;
            let out = |call: &&Call| call.ended.is_none() && call.deadline > now;
            let used = self.calls.iter().filter(own).filter(out).count();
            let good = |call: &&Call| matches!(call.ended, Some((Outcome::Success, _)));
            let succeeded = self.calls.iter().filter(own).filter(good).count();
            let most = self.breaker.config.half_open_max_calls as usize;
            assert!(used <= most, "{used} probes of {most}");
            assert!(used + succeeded <= most || self.crashed_in == Some(generation));
        }
    }

    /// The same answer until the time that was told, another one then.
    fn is_honest(&self, refused: Refused) {
        let Some(after) = refused.retry_after else { return };
        let then = self.time().after(after);
        let mut early = self.breaker.clone();
        assert!(
            after.is_zero() || early.check(then.before(Duration::from_nanos(1)), &mut Vec::new()).is_err()
        );
        assert_eq!(self.breaker.clone().check(then, &mut Vec::new()), Ok(()));
    }

    fn report(&mut self, index: usize, outcome: Outcome, seconds: f64) {
        let call = self.calls[index].clone();
        self.breaker.advance(self.time(), &mut self.journal);
        let counts = matches!(self.breaker.state(), StateName::Closed | StateName::MetricsOnly);
        if call.ended.is_some() && call.generation == self.breaker.generation() && counts {
            return; // the registry of calls lets no outcome through twice
        }
        let (outcome, seconds) = call.ended.unwrap_or((outcome, seconds));
        let before = self.breaker.save();
        let client = Client { hash: call.client, name: NAMES[usize::try_from(call.client).unwrap()] };
        let duration = Duration::from_secs_f64(seconds);
        let reported = self.breaker.report(
            self.time(),
            call.generation,
            call.id,
            client,
            outcome,
            duration,
            &mut self.journal,
        );
        let expected = self.model.report(self.now, call.generation, call.id, call.client, outcome, seconds);
        assert_eq!(reported, expected);
        if reported == Reported::Recorded {
            self.calls[index].ended = Some((outcome, seconds));
        } else {
            assert_eq!(self.breaker.save(), before, "{reported:?} changed something");
        }
    }

    /// Brings both up to now, compares all that can be seen, and checks the journal.
    fn compare(&mut self, generation: u64, state: StateName) {
        self.breaker.advance(self.time(), &mut self.journal);
        self.model.advance(self.now);
        let view = self.breaker.view(self.time());
        let rates = (view.failure_rate, view.slow_call_rate);
        let sight = (
            view.state,
            view.failure_count as usize,
            rates,
            view.buffered.total as usize,
            i64::from(view.in_flight),
        );
        assert_eq!(sight, self.model.sight(self.now));
        assert_eq!(view.metrics, self.model.metrics);
        assert_eq!(view.generation, self.model.generation);
        let (mut generation, mut state, mut at) = (generation, state, Time::MIN);
        for step in self.journal.drain(..) {
            assert_eq!((step.generation, step.from), (generation + 1, state));
            assert!(step.at >= at && step.at.as_nanos() <= self.now);
            (generation, state, at) = (step.generation, step.to, step.at);
        }
        assert_eq!((generation, state), (view.generation, view.state));
        if self.saved.0.generation() != view.generation {
            self.saved = (self.breaker.save(), self.model.clone()); // transitions are stored at once
        }
    }

    pub(super) fn live(&mut self, ops: &[Op]) {
        for op in ops {
            let (mut generation, mut state) = (self.breaker.generation(), self.breaker.state());
            self.step(op);
            if matches!(op, Op::Crash) {
                (generation, state) = (self.breaker.generation(), self.breaker.state());
            }
            self.compare(generation, state);
        }
    }
}
