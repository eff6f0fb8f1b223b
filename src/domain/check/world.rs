//! A check and what happens to it.

use proptest::prelude::*;

use super::*;

pub(super) const SECOND: i64 = 1_000_000_000;

/// Something that happens.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Wait(i64),
    /// To the next change, or so many nanoseconds short of it.
    ToChange(i64),
    ToRun,
    Push(Status),
    Signal(Signal),
    Begin,
    /// With one of the tokens so far.
    Finish(usize, Status),
    Cancel(usize),
    RunNow,
}

pub(super) fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(&Status::ALL[..])
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let signal = prop_oneof![
        2 => Just(Signal::Start),
        2 => Just(Signal::Success),
        1 => Just(Signal::Fail),
        1 => (0..3_u8).prop_map(Signal::Exit),
    ];
    prop_oneof![
        3 => (0..200 * SECOND).prop_map(Op::Wait),
        2 => (0..2_i64).prop_map(Op::ToChange),
        3 => Just(Op::ToRun),
        4 => status().prop_map(Op::Push),
        6 => signal.prop_map(Op::Signal),
        4 => Just(Op::Begin),
        5 => (0..4_usize, status()).prop_map(|(pick, status)| Op::Finish(pick, status)),
        1 => (0..4_usize).prop_map(Op::Cancel),
        1 => Just(Op::RunNow),
    ]
}

/// A small configuration of any kind.
pub(super) fn spec() -> impl Strategy<Value = CheckSpec> {
    let times = (1..60_u32, prop::option::of(1..90_u32), 0..6_u32);
    (prop::sample::select(&CheckKind::ALL[..]), 1..4_u32, 1..4_u32, times).prop_map(
        |(kind, failure, success, (interval, other, jitter))| {
            let (interval, other) = (f64::from(interval), other.map(f64::from));
            let given = |is_taken: bool, value: f64| is_taken.then_some(value);
            CheckSpec {
                kind,
                failure_threshold: Some(failure),
                success_threshold: Some(success),
                interval_seconds: given(kind != CheckKind::Push, interval),
                stale_after_seconds: other.filter(|_| kind != CheckKind::Heartbeat),
                max_run_seconds: other.filter(|_| kind == CheckKind::Heartbeat),
                jitter: given(kind.is_active(), f64::from(jitter) / 10.0),
                url: (kind == CheckKind::Http).then(|| "https://example.com/health".to_owned()),
                address: (kind == CheckKind::Tcp).then(|| "example.com:5432".to_owned()),
                breaker: (kind == CheckKind::Breaker).then(|| name("kraken_api")),
                metric_name: (kind == CheckKind::Metric).then(|| "portfolio_drawdown".to_owned()),
                red_if: (kind == CheckKind::Metric)
                    .then_some(MetricRule { comparison: Comparison::Greater, threshold: 0.15 }),
                ..CheckSpec::default()
            }
        },
    )
}

pub(super) fn name(raw: &str) -> Name {
    Name::try_from(raw).unwrap()
}

pub(super) fn config(spec: &CheckSpec) -> Arc<CheckConfig> {
    Arc::new(spec.clone().try_into().unwrap())
}

pub(super) fn wall(now: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(now) + 1_766_000_000_000_000_000).unwrap()
}

/// A check that lives through a history.
pub(super) struct World {
    pub(super) now: i64,
    pub(super) check: Check,
    pub(super) journal: Journal,
    pub(super) tokens: Vec<RunToken>,
    /// By how much its clock is ahead of the world's.
    pub(super) shift: i64,
}

impl World {
    pub(super) fn new(spec: &CheckSpec) -> Self {
        let check = Check::new(&name("kraken"), config(spec), Time::from_nanos(0));
        Self { now: 0, check, journal: Journal::new(), tokens: Vec::new(), shift: 0 }
    }

    pub(super) fn time(&self) -> Time {
        Time::from_nanos(self.now + self.shift)
    }

    fn go_to(&mut self, at: Option<Time>, early: i64) {
        if let Some(at) = at {
            self.now = self.now.max(at.as_nanos() - self.shift - early);
        }
    }

    pub(super) fn look(&mut self) {
        let now = self.time();
        self.check.advance(now, &mut self.journal);
    }

    pub(super) fn step(&mut self, op: &Op) {
        let (now, wall) = (self.time(), wall(self.now));
        let journal = &mut self.journal;
        match op {
            Op::Wait(nanos) => self.now += nanos,
            Op::ToChange(early) => self.go_to(self.check.next_change(), *early),
            Op::ToRun => self.go_to(self.check.next_run(), 0),
            Op::Push(status) => {
                let _ = self.check.push(now, wall, Observation::new(*status, "seen"), journal);
            }
            Op::Signal(signal) => {
                let _ = self.check.signal(now, wall, *signal, "said", journal);
            }
            Op::Begin => self.tokens.extend(self.check.begin(now)),
            Op::Finish(pick, status) => {
                if let Some(token) = self.token(*pick) {
                    let seen = Observation::new(*status, "seen");
                    self.check.finish(token, now, wall, seen, &mut self.journal);
                }
            }
            Op::Cancel(pick) => {
                if let Some(token) = self.token(*pick) {
                    self.check.cancel(token);
                }
            }
            Op::RunNow => {
                self.check.run_now(now);
            }
        }
    }

    pub(super) fn live(&mut self, ops: &[Op]) {
        for op in ops {
            self.step(op);
        }
    }

    /// One of the latest tokens; 0 is the latest.
    pub(super) fn token(&self, pick: usize) -> Option<RunToken> {
        self.tokens.iter().rev().nth(pick).copied()
    }

    /// Stops and starts on a clock that is `shift` ahead of that before.
    pub(super) fn restart(&mut self, shift: i64) {
        let saved = serde_json::to_string(&self.check.save()).unwrap();
        let saved = serde_json::from_str(&saved).unwrap();
        self.shift += shift;
        let config = self.check.config().clone();
        let now = self.time();
        self.check = Check::restore(&name("kraken"), config, saved, now, shift, &mut self.journal);
    }

    /// What happened, on the world's clock.
    pub(super) fn story(&self) -> Vec<(Standing, Standing, Cause, u64)> {
        self.journal.iter().map(|change| (change.from, change.to, change.cause, change.number)).collect()
    }
}
