//! A limiter, its disk, and clients that spend as badly as they may.

use std::time::Duration;

use serde_json::Value;

use crate::domain::{
    Time, Tokens,
    limiter::{Denied, Limiter, LimiterConfig, Mark, SavedLimiter, Spend},
};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Wait(i64),
    Acquire {
        micros: u64,
        max_wait: i64,
    },
    /// Made later by another limiter of the same call.
    AcquireLater {
        micros: u64,
        not_before: i64,
    },
    Lease {
        wanted: u64,
        min: u64,
        early: bool,
        /// Shorter than the limiter's own span, or not.
        span: i64,
    },
    /// Spent without asking.
    Debit(u64),
    Release {
        which: usize,
        unused: u64,
    },
    Penalize(i64),
    Reconfigure(usize),
    Snapshot,
    Crash {
        down: i64,
        shift: i64,
    },
    CleanStop {
        down: i64,
        shift: i64,
    },
}

#[derive(Clone, Debug)]
struct Out {
    id: u64,
    micros: u64,
    since: i64,
    until: i64,
}

/// All instants are of a clock that no restart touches; the limiter sees them moved by `zero`.
pub(super) struct World {
    pub(super) limiter: Limiter,
    configs: Vec<LimiterConfig>,
    config: usize,
    pub(super) now: i64,
    zero: i64,
    wall: i64,
    next_id: u64,
    /// What was certainly used: when, and how much.
    pub(super) spent: Vec<(i64, u64)>,
    /// Permits that are over: from, to (exclusive), how many.
    pub(super) flights: Vec<(i64, i64, u64)>,
    out: Vec<Out>,
    disk: Option<String>,
    disk_mark: Option<Mark>,
}

fn span(nanos: i64) -> Duration {
    Duration::from_nanos(nanos.unsigned_abs())
}

impl World {
    pub(super) fn new(configs: Vec<LimiterConfig>, now: i64, wall: i64) -> Self {
        let limiter = Limiter::new(configs[0].clone(), Time::from_nanos(now), wall);
        Self {
            limiter,
            configs,
            config: 0,
            now,
            zero: 0,
            wall,
            next_id: 1,
            spent: Vec::new(),
            flights: Vec::new(),
            out: Vec::new(),
            disk: None,
            disk_mark: None,
        }
    }

    fn config(&self) -> &LimiterConfig {
        &self.configs[self.config]
    }

    fn counts_flights(&self) -> bool {
        matches!(self.config(), LimiterConfig::Concurrency { .. })
    }

    pub(super) fn time(&self) -> Time {
        Time::from_nanos(self.now + self.zero)
    }

    fn real(&self, at: Time) -> i64 {
        at.as_nanos() - self.zero
    }

    /// The limiter's state, but for what it counts for show.
    fn state(&mut self) -> Value {
        let now = self.time();
        self.limiter.waiting(now);
        let mut state = serde_json::to_value(self.limiter.save()).expect("a value");
        for shown in ["stats", "clients"] {
            state.as_object_mut().expect("an object").remove(shown);
        }
        state
    }

    /// What the app does before it answers.
    fn write_mark(&mut self) {
        if let Some(mark) = self.limiter.mark_needed(self.time()) {
            self.limiter.mark_saved(mark);
            self.disk_mark = Some(mark);
            assert_eq!(self.limiter.mark_needed(self.time()), None);
        }
    }

    fn honest(&self, micros: u64, max_wait: i64, denied: Denied) {
        let (Denied::Later { retry_after }
        | Denied::Concurrency { retry_after }
        | Denied::TooManyWaiters { retry_after }) = denied
        else {
            return;
        };
        assert!(retry_after > Duration::ZERO);
        let then = self.time().after(retry_after);
        let ask = |at: Time| {
            self.limiter.clone().acquire(at, Tokens::from_micros(micros), span(max_wait), u64::MAX)
        };
        assert!(ask(then).is_ok(), "{denied:?} then {:?}", ask(then));
        assert!(ask(then.before(Duration::from_nanos(1))).is_err(), "{denied:?} but earlier");
    }

    fn granted(&mut self, id: u64, at: i64, micros: u64) {
        assert!(at >= self.now);
        if self.counts_flights() {
            let until = at + i64::try_from(self.config().lease().as_nanos()).unwrap();
            self.out.push(Out { id, micros, since: at, until });
        } else {
            self.spent.push((at, micros));
        }
        self.write_mark();
    }

    fn over(&mut self, out: &Out, end: i64, micros: u64) {
        if self.counts_flights() {
            self.flights.push((out.since, end.max(out.since), out.micros));
        } else {
            self.spent.push((end, micros));
        }
    }

    pub(super) fn run(&mut self, step: &Step) {
        self.next_id += 1;
        let id = self.next_id;
        let now = self.time();
        match *step {
            Step::Wait(nanos) => self.now += nanos,
            Step::Acquire { micros, max_wait } => {
                let before = self.state();
                match self.limiter.acquire(now, Tokens::from_micros(micros), span(max_wait), id) {
                    Ok(at) => {
                        assert!(at <= now.after(span(max_wait)));
                        self.granted(id, self.real(at), micros);
                    }
                    Err(denied) => {
                        assert_eq!(self.state(), before, "a refusal consumes nothing");
                        self.honest(micros, max_wait, denied);
                    }
                }
            }
            Step::AcquireLater { micros, not_before } => {
                let not_before = now.after(span(not_before));
                if let Ok(at) = self.limiter.ready_at(now, not_before, Tokens::from_micros(micros)) {
                    assert!(at >= not_before);
                    self.limiter.grant(now, at, Tokens::from_micros(micros), id);
                    self.granted(id, self.real(at), micros);
                }
            }
            Step::Lease { wanted, min, early, span } => self.lease(id, wanted, min, early, span),
            Step::Debit(micros) => self.debit(micros),
            Step::Release { which, unused } => self.release(which, unused),
            Step::Penalize(nanos) => {
                self.limiter.penalize(now, span(nanos));
                let until = self.limiter.blocked_until(now).expect("blocked");
                assert!(until >= now.after(span(nanos)));
                assert!(self.limiter.peek(now).is_err());
                assert_eq!(self.limiter.available(now), Tokens::ZERO);
            }
            Step::Reconfigure(which) => {
                self.config = which % self.configs.len();
                self.limiter.reconfigure(self.config().clone(), now);
                self.write_mark();
            }
            Step::Snapshot => self.snapshot(),
            Step::Crash { down, shift } => self.restart(down, shift, false),
            Step::CleanStop { down, shift } => {
                self.snapshot();
                self.restart(down, shift, true);
            }
        }
    }

    fn snapshot(&mut self) {
        self.disk = Some(serde_json::to_string(&self.limiter.save()).expect("text"));
    }

    fn restart(&mut self, down: i64, shift: i64, clean: bool) {
        self.now += down;
        self.zero += shift;
        let saved = self.disk.as_ref().map(|text| serde_json::from_str::<SavedLimiter>(text).expect("saved"));
        let (config, now, wall) = (self.config().clone(), self.time(), self.wall - self.zero);
        self.limiter = Limiter::restore(config, saved, self.disk_mark, now, shift, wall, clean);
        if shift != 0 {
            // The disk is rewritten for the new clock.
            self.snapshot();
            self.disk_mark = Some(self.limiter.save().mark());
        }
    }

    /// What fits counts like an acquire; what does not was spent before anybody could know.
    fn debit(&mut self, micros: u64) {
        let now = self.time();
        let fits = self.limiter.available(now).micros().min(micros);
        let spend = Spend { at: now, tokens: Tokens::from_micros(micros) };
        let counted = self.limiter.debit(now, 0, &[spend]);
        if self.counts_flights() {
            assert_eq!(counted, Tokens::ZERO);
        } else {
            assert_eq!(counted, Tokens::from_micros(micros).min(self.config().capacity()));
            self.spent.push((self.now, fits));
        }
        self.write_mark();
    }

    fn lease(&mut self, id: u64, wanted: u64, min: u64, early: bool, nanos: i64) {
        let now = self.time();
        let before = self.state();
        let (most, least, whole) =
            (Tokens::from_micros(wanted), Tokens::from_micros(min), self.config().lease());
        match self.limiter.lease(now, most, least, (id, id), span(nanos)) {
            Ok(lease) => {
                let micros = lease.tokens.micros();
                assert!(lease.until <= now.after(span(nanos).min(whole)));
                assert!(micros >= min && micros <= wanted.max(min) && micros > 0 && lease.until >= now);
                let out = Out { id, micros, since: self.now, until: self.real(lease.until) };
                self.write_mark();
                if early && !self.counts_flights() {
                    self.spent.push((self.now, micros));
                } else {
                    self.out.push(out);
                }
            }
            Err(denied) => {
                assert_eq!(self.state(), before, "a refusal consumes nothing");
                self.honest(min.max(1), 0, denied);
            }
        }
    }

    fn release(&mut self, which: usize, unused: u64) {
        if self.out.is_empty() {
            return;
        }
        let out = self.out.remove(which % self.out.len());
        let now = self.time();
        match self.limiter.release(now, out.id, Tokens::from_micros(unused)) {
            Some(back) => {
                assert!(back.micros() <= out.micros && self.now < out.until);
                assert_eq!(self.limiter.release(now, out.id, Tokens::ONE), None, "twice");
                self.over(&out, self.now, out.micros - back.micros());
            }
            // Who cannot give back spends at the last instant; a permit really ends.
            None if self.counts_flights() => self.over(&out, self.now.min(out.until), 0),
            None => self.over(&out, out.until, out.micros),
        }
    }

    /// Everybody spends what is left, at the last instant; then everything is available again.
    pub(super) fn end(&mut self) {
        for out in std::mem::take(&mut self.out) {
            self.over(&out, out.until, out.micros);
        }
        self.spent.sort_unstable();
        self.now += 400_000_000_000_000;
        let now = self.time();
        assert_eq!(self.limiter.available(now), self.config().capacity(), "nothing wedges");
        assert_eq!((self.limiter.leased(now), self.limiter.waiting(now)), (Tokens::ZERO, 0));
        assert_eq!(self.limiter.acquire(now, self.config().capacity(), Duration::ZERO, 0), Ok(now));
    }
}
