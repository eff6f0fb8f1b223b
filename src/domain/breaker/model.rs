//! The breaker as one would explain it: keeps every record and recounts from scratch. Slow and simple.

use std::collections::BTreeSet;

use super::*;

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) spec: BreakerSpec,
    pub(super) generation: u64,
    pub(super) metrics: Metrics,
    pub(super) state: Shape,
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Closed(Log),
    Open { until: i64, reopened: i32 },
    HalfOpen { reopened: i32, began: Option<i64>, permits: Vec<(Option<u64>, i64)>, succeeded: Vec<u64> },
    Override { name: StateName, until: Option<i64>, previous: Box<Shape>, log: Log },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) in_flight: i64,
    records: Vec<Record>,
    /// Records before this one are not in the window.
    window_from: usize,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    at: i64,
    client: u64,
    failed: bool,
    slow: bool,
}

pub(super) fn nanos(seconds: f64) -> i64 {
    i64::try_from(Duration::from_secs_f64(seconds).as_nanos()).unwrap()
}

impl Log {
    fn streaks(&self) -> Vec<usize> {
        let clients: BTreeSet<u64> = self.records.iter().map(|record| record.client).collect();
        clients.into_iter().map(|client| self.streak(client)).collect()
    }

    fn streak(&self, client: u64) -> usize {
        self.records.iter().rev().filter(|r| r.client == client).take_while(|r| r.failed).count()
    }

    fn window(&self, spec: &BreakerSpec, now: i64) -> Vec<Record> {
        let Some(window) = &spec.window else { return Vec::new() };
        let size = window.size as usize;
        let records = &self.records[self.window_from..];
        match window.kind {
            WindowKind::Count => records[records.len().saturating_sub(size)..].to_vec(),
            WindowKind::Time => {
                let second = |at: i64| at.div_euclid(1_000_000_000);
                let inside = |r: &&Record| second(r.at) > second(now) - i64::from(window.size);
                records.iter().filter(inside).copied().collect()
            }
        }
    }

    #[expect(clippy::cast_precision_loss)]
    fn rates(&self, spec: &BreakerSpec, now: i64) -> (Option<f64>, Option<f64>) {
        let calls = self.window(spec, now);
        let enough = spec.window.as_ref().is_some_and(|w| calls.len() >= w.minimum_calls.unwrap() as usize);
        let rate = |n: usize| enough.then(|| n as f64 / calls.len() as f64);
        (rate(calls.iter().filter(|c| c.failed).count()), rate(calls.iter().filter(|c| c.slow).count()))
    }

    fn trips(&self, spec: &BreakerSpec) -> bool {
        let Some(last) = self.records.last() else { return false };
        let threshold = spec.failure_threshold.unwrap() as usize;
        let many = |n: usize| n >= spec.min_reporters.unwrap() as usize;
        let reached = self.streaks().into_iter().filter(|n| *n >= threshold).count();
        if last.failed && self.streak(last.client) >= threshold && many(reached) {
            return true;
        }
        let Some(rules) = &spec.window else { return false };
        let calls = self.window(spec, last.at);
        let clients = |which: fn(&Record) -> bool| {
            calls.iter().filter(|c| which(c)).map(|c| c.client).collect::<BTreeSet<_>>().len()
        };
        let (failing, slow) = self.rates(spec, last.at);
        failing >= rules.failure_rate && many(clients(|c| c.failed))
            || slow >= rules.slow_call_rate && many(clients(|c| c.slow))
    }
}

impl Model {
    pub(super) fn new(spec: BreakerSpec) -> Self {
        Self { spec, generation: 1, metrics: Metrics::default(), state: Shape::Closed(Log::default()) }
    }

    fn wait(&self, reopened: i32) -> i64 {
        let longest = self.spec.timeout_max_seconds.unwrap_or(f64::INFINITY);
        let growth = self.spec.timeout_multiplier.unwrap().powi(reopened);
        nanos((self.spec.timeout_seconds.unwrap() * growth).min(longest))
    }

    pub(super) fn lease(&self) -> i64 {
        nanos(self.spec.call_timeout_seconds.unwrap())
    }

    pub(super) fn go(&mut self, state: Shape) {
        self.generation += 1;
        self.state = state;
    }

    pub(super) fn open(&mut self, at: i64, reopened: i32) {
        self.go(Shape::Open { until: at + self.wait(reopened), reopened });
    }

    pub(super) fn half_open(&mut self, reopened: i32) {
        self.go(Shape::HalfOpen { reopened, began: None, permits: vec![], succeeded: vec![] });
    }

    pub(super) fn advance(&mut self, now: i64) {
        loop {
            match self.state.clone() {
                Shape::Open { until, reopened } if until <= now => self.half_open(reopened),
                Shape::HalfOpen { succeeded, .. }
                    if succeeded.len() >= self.spec.half_open_successes.unwrap() as usize =>
                {
                    self.go(Shape::Closed(Log::default()));
                }
                Shape::HalfOpen { reopened, began: Some(began), .. } => {
                    match self.spec.half_open_timeout_seconds.map(|s| began + nanos(s)) {
                        Some(end) if end <= now => self.open(end, reopened + 1),
                        _ => return,
                    }
                }
                Shape::Override { until: Some(until), previous, .. } if until <= now => {
                    self.go(match *previous {
                        Shape::HalfOpen { reopened, .. } => Shape::Open { until, reopened },
                        Shape::Closed(_) => Shape::Closed(Log::default()),
                        previous => previous,
                    });
                }
                _ => return,
            }
        }
    }

    /// Reclaims what is over and says whether a call may enter.
    pub(super) fn check(&mut self, now: i64) -> bool {
        self.advance(now);
        match &mut self.state {
            Shape::Closed(_) => true,
            Shape::Open { .. } => false,
            Shape::HalfOpen { permits, succeeded, .. } => {
                permits.retain(|(_, deadline)| *deadline > now);
                permits.len() + succeeded.len() < self.spec.half_open_max_calls.unwrap() as usize
            }
            Shape::Override { name, .. } => *name != StateName::ForcedOpen,
        }
    }

    pub(super) fn enter(&mut self, now: i64, call: u64) {
        let deadline = now + self.lease();
        self.metrics.total_calls += 1;
        match &mut self.state {
            Shape::HalfOpen { began, permits, .. } => {
                began.get_or_insert(now);
                permits.push((Some(call), deadline));
            }
            Shape::Override { name: StateName::Disabled, .. } => self.metrics.total_calls -= 1,
            Shape::Closed(log) | Shape::Override { log, .. } => log.in_flight += 1,
            Shape::Open { .. } => unreachable!(),
        }
    }

    pub(super) fn report(
        &mut self,
        now: i64,
        generation: u64,
        call: u64,
        client: u64,
        outcome: Outcome,
        seconds: f64,
    ) -> Reported {
        self.advance(now);
        if generation != self.generation {
            return Reported::StaleGeneration;
        }
        let slow = self.spec.window.as_ref().is_some_and(|w| seconds > w.slow_call_seconds.unwrap());
        let failed = outcome == Outcome::Failure;
        let mut trip = false;
        let mut reopen = None;
        match &mut self.state {
            Shape::Override { name: StateName::Disabled, .. } => return Reported::Recorded,
            Shape::Closed(log) | Shape::Override { log, .. } => {
                log.in_flight = (log.in_flight - 1).max(0);
                if outcome != Outcome::Ignored {
                    log.records.push(Record { at: now, client, failed, slow });
                    trip = log.trips(&self.spec);
                }
            }
            Shape::HalfOpen { reopened, permits, succeeded, .. } => {
                let own = permits.iter().position(|(id, _)| *id == Some(call));
                let held = match own {
                    None if succeeded.contains(&call) => None,
                    None => permits.iter().position(|(id, deadline)| id.is_none() && *deadline > now),
                    own => own.filter(|index| permits[*index].1 > now),
                };
                let Some(held) = held else { return Reported::Expired };
                if own.is_some() || outcome != Outcome::Ignored {
                    permits.remove(held);
                }
                match outcome {
                    Outcome::Success => succeeded.push(call),
                    Outcome::Failure => reopen = Some(*reopened + 1),
                    Outcome::Ignored => {}
                }
            }
            Shape::Open { .. } => return Reported::Expired,
        }
        match outcome {
            Outcome::Success => {
                self.metrics.success_calls += 1;
                self.metrics.success_time += Duration::from_secs_f64(seconds);
            }
            Outcome::Failure => {
                self.metrics.failure_calls += 1;
                self.metrics.failure_time += Duration::from_secs_f64(seconds);
            }
            Outcome::Ignored => self.metrics.ignored_calls += 1,
        }
        self.metrics.slow_calls += u64::from(slow && outcome != Outcome::Ignored);
        if let Some(reopened) = reopen {
            self.open(now, reopened);
        } else if trip && matches!(self.state, Shape::Closed(_)) {
            self.open(now, 0);
        }
        self.advance(now);
        Reported::Recorded
    }

    pub(super) fn expire(&mut self, generation: u64, call: u64) {
        if generation == self.generation {
            match &mut self.state {
                Shape::Closed(log) | Shape::Override { log, .. } => {
                    log.in_flight = (log.in_flight - 1).max(0);
                }
                Shape::HalfOpen { permits, .. } => permits.retain(|(id, _)| *id != Some(call)),
                Shape::Open { .. } => {}
            }
        }
    }

    pub(super) fn set_state(&mut self, now: i64, target: StateName, ttl: Option<i64>) -> bool {
        self.advance(now);
        if ttl.is_some() && !target.is_override() {
            return false;
        }
        let previous = match self.state.clone() {
            Shape::Override { previous, .. } => previous,
            base => Box::new(base),
        };
        match (target, &self.state) {
            (StateName::HalfOpen, Shape::Closed(_)) => return false,
            (StateName::Closed, Shape::Closed(_))
            | (StateName::Open, Shape::Open { .. })
            | (StateName::HalfOpen, Shape::HalfOpen { .. }) => {}
            (StateName::Closed, _) => self.go(Shape::Closed(Log::default())),
            (StateName::Open, _) => self.open(now, 0),
            (StateName::HalfOpen, _) => self.half_open(match *previous {
                Shape::Open { reopened, .. } | Shape::HalfOpen { reopened, .. } => reopened,
                _ => 0,
            }),
            (name, _) => {
                let until = ttl.map(|ttl| now + ttl);
                self.go(Shape::Override { name, until, previous, log: Log::default() });
            }
        }
        true
    }

    pub(super) fn reset(&mut self, now: i64) {
        self.advance(now);
        self.go(Shape::Closed(Log::default()));
        self.metrics = Metrics::default();
    }

    pub(super) fn reconfigure(&mut self, now: i64, spec: BreakerSpec) {
        self.advance(now);
        let untracked = self.spec.min_reporters == Some(1) && spec.min_reporters > Some(1);
        let changed = self.spec.window != spec.window || untracked;
        self.spec = spec;
        let this = self.clone();
        let mut state = &mut self.state;
        if let Shape::Closed(log) | Shape::Override { log, .. } = state
            && changed
        {
            log.window_from = log.records.len();
        }
        if let Shape::Override { previous, .. } = state {
            state = previous;
        }
        if let Shape::Open { until, reopened } = state {
            *until = (*until).min(now + this.wait(*reopened));
        }
        self.advance(now);
    }

    pub(super) fn crash(&mut self, now: i64) {
        let lease = self.lease();
        match &mut self.state {
            Shape::Closed(log) | Shape::Override { log, .. } => log.in_flight = 0,
            Shape::HalfOpen { began, permits, succeeded, .. } => {
                let most = self.spec.half_open_max_calls.unwrap() as usize;
                permits.retain(|(_, deadline)| *deadline > now);
                let end = permits.iter().map(|(_, deadline)| *deadline).fold(now + lease, i64::max);
                let possible = most.saturating_sub(succeeded.len()).max(permits.len());
                *permits = vec![(None, end); possible];
                began.get_or_insert(now);
            }
            Shape::Open { .. } => {}
        }
    }

    /// State, failure count, rates, calls in the window and in flight.
    pub(super) fn sight(&self, now: i64) -> (StateName, usize, (Option<f64>, Option<f64>), usize, i64) {
        match &self.state {
            Shape::Open { .. } => (StateName::Open, 0, (None, None), 0, 0),
            Shape::HalfOpen { permits, .. } => {
                let out = permits.iter().filter(|(_, deadline)| *deadline > now).count();
                (StateName::HalfOpen, 0, (None, None), 0, i64::try_from(out).unwrap())
            }
            Shape::Closed(log) | Shape::Override { log, .. } => (
                if let Shape::Override { name, .. } = &self.state { *name } else { StateName::Closed },
                log.streaks().into_iter().max().unwrap_or(0),
                log.rates(&self.spec, now),
                log.window(&self.spec, now).len(),
                log.in_flight,
            ),
        }
    }
}
