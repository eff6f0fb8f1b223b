//! What decides while the server is away: the board's own rules, in this process alone.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{
    error::{Reason, Refused},
    guard::{GuardBreaker, GuardLimiter, Rules},
    wire::{Decision, span},
};
use crate::domain::{
    Name, Time, Tokens,
    breaker::{Breaker, Client, Journal, Outcome, RefusedReason, StateName},
    limiter::{Denied, Limiter, LimiterConfig, LimiterSpec, common_instant},
};

/// The most entries of one limiter that say what was spent; of more, each two count as one, as late as the later of them.
const MOST_SPENT: usize = 1000;

/// This process is one client to itself.
const MYSELF: Client<'static> = Client { hash: 0, name: "" };

/// Breakers that follow the board's, and shares of its limiters.
#[derive(Debug)]
pub(super) struct Local {
    peers: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    breakers: HashMap<Name, LocalBreaker>,
    limiters: HashMap<Name, Limiter>,
    shares: HashMap<Name, Share>,
    /// Until when the upstreams asked for silence.
    silent: HashMap<Name, Time>,
    calls: u64,
    spent: Spends,
}

/// What was spent of rates, and when.
pub(super) type Spends = HashMap<Name, Vec<(Time, Tokens)>>;

#[derive(Debug)]
struct LocalBreaker {
    breaker: Breaker,
    /// What the board said: closed to everybody until then.
    shut_until: Time,
}

/// What the board said of a limiter.
#[derive(Clone, Copy, Debug)]
struct Share {
    size: f64,
    /// For so long what it granted to others may still count.
    pause: Duration,
}

/// Leave of this process to make one call.
#[derive(Debug)]
pub(super) struct Permit {
    call: u64,
    breaker: Option<(Name, u64)>,
    limiters: Vec<Name>,
}

impl Local {
    pub(super) fn new(peers: u32) -> Self {
        Self { peers: peers.max(1), state: Mutex::default() }
    }

    /// Decides; how long to wait before the call.
    pub(super) fn begin(&self, rules: &Rules, now: Time) -> Result<(Permit, Duration), Refused> {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.calls += 1;
        let call = state.calls;
        if let Some(guard) = &rules.breaker {
            state
                .breaker(guard, now)
                .check(now)
                .map_err(|(reason, retry)| refused(reason, &guard.name, retry))?;
        }
        let at = common_instant(now, rules.limiters.len(), |i, at| {
            let guard = &rules.limiters[i];
            let ready =
                state.limiter(guard, self.peers, now).ready_within(now, at, guard.tokens, rules.max_wait);
            ready.map_err(|denied| denied_by(denied, &guard.name))
        })?;
        for guard in &rules.limiters {
            if let Some(limiter) = state.limiters.get_mut(&guard.name) {
                limiter.grant(now, at, guard.tokens, call);
                if limiter.config().sustained_rate().is_some() {
                    note(&mut state.spent, &guard.name, at, guard.tokens);
                }
            }
        }
        let breaker = rules.breaker.as_ref().map(|guard| {
            let permit = state.breaker(guard, now).breaker.enter(now, call);
            (guard.name.clone(), permit.generation)
        });
        let limiters = rules.limiters.iter().map(|guard| guard.name.clone()).collect();
        Ok((Permit { call, breaker, limiters }, at.since(now)))
    }

    /// The outcome of a call that this process has let go.
    pub(super) fn end(&self, permit: Permit, outcome: Outcome, duration: Duration, now: Time) {
        let mut state = self.state.lock();
        if let Some((name, generation)) = permit.breaker
            && let Some(local) = state.breakers.get_mut(&name)
        {
            let journal = &mut Journal::new();
            local.breaker.report(now, generation, permit.call, MYSELF, outcome, duration, journal);
        }
        for name in permit.limiters {
            if let Some(limiter) = state.limiters.get_mut(&name)
                && matches!(limiter.config(), LimiterConfig::Concurrency { .. })
            {
                limiter.release(now, permit.call, limiter.config().capacity());
            }
        }
    }

    /// What this process has spent by itself, each once.
    pub(super) fn take_spent(&self) -> Spends {
        mem::take(&mut self.state.lock().spent)
    }

    /// Remembers what the board has decided, which wins over what this process would have.
    pub(super) fn follow(&self, rules: &Rules, decision: &Decision, now: Time) {
        let mut state = self.state.lock();
        for guard in &rules.limiters {
            let told = match guard.config.sustained_rate() {
                Some(_) => decision.fallback_share,
                None => decision.fallback_permits,
            };
            let Some(size) = told.filter(|share| *share > 0.0) else { continue };
            let pause = decision.fallback_after_seconds.and_then(span).unwrap_or_default();
            let share = Share { size, pause };
            match state.shares.get_mut(&guard.name) {
                Some(known) => *known = share,
                None => drop(state.shares.insert(guard.name.clone(), share)),
            }
        }
        if let (Some(guard), Some(told)) = (&rules.breaker, decision.breaker_state) {
            let retry = decision.retry_after_seconds.and_then(span);
            state.breaker(guard, now).follow(told, retry, now);
        }
    }

    /// Counts an outcome that the board decides about, so that its loss finds the counts right.
    pub(super) fn tally(&self, breaker: &Name, outcome: Outcome, duration: Duration, now: Time) {
        let mut state = self.state.lock();
        state.calls += 1;
        let call = state.calls;
        if let Some(local) = state.breakers.get_mut(breaker)
            && local.breaker.state() == StateName::Closed
        {
            let permit = local.breaker.enter(now, call);
            let journal = &mut Journal::new();
            local.breaker.report(now, permit.generation, call, MYSELF, outcome, duration, journal);
        }
    }

    /// The server has just gone: what it granted last may still be running, so shares begin empty.
    pub(super) fn begin_afresh(&self) {
        self.state.lock().limiters.clear();
    }

    /// The upstream asked for silence, whoever decides until it ends.
    pub(super) fn penalize(&self, limiter: &Name, span: Duration, now: Time) {
        let mut state = self.state.lock();
        let until = state.silent.entry(limiter.clone()).or_insert(Time::MIN);
        *until = now.after(span).max(*until);
        if let Some(limiter) = state.limiters.get_mut(limiter) {
            limiter.penalize(now, span);
        }
    }
}

fn note(spent: &mut Spends, limiter: &Name, at: Time, tokens: Tokens) {
    let entries = match spent.get_mut(limiter) {
        Some(entries) => entries,
        None => spent.entry(limiter.clone()).or_default(),
    };
    if entries.len() >= MOST_SPENT {
        let sum = |pair: &[(Time, Tokens)]| {
            Tokens::from_micros(pair.iter().fold(0, |sum, (_, tokens)| tokens.micros().saturating_add(sum)))
        };
        *entries = entries
            .chunks(2)
            .map(|pair| (pair.iter().map(|(at, _)| *at).max().unwrap_or(at), sum(pair)))
            .collect();
    }
    entries.push((at, tokens));
}

impl State {
    fn breaker(&mut self, guard: &GuardBreaker, now: Time) -> &mut LocalBreaker {
        self.breakers.entry(guard.name.clone()).or_insert_with(|| LocalBreaker {
            breaker: Breaker::new(Arc::clone(&guard.config), now),
            shut_until: Time::MIN,
        })
    }

    fn limiter(&mut self, guard: &GuardLimiter, peers: u32, now: Time) -> &mut Limiter {
        self.limiters.entry(guard.name.clone()).or_insert_with(|| {
            let mut limiter = begun(guard, self.shares.get(&guard.name).copied(), peers, now);
            if let Some(until) = self.silent.get(&guard.name) {
                limiter.penalize(now, until.since(now));
            }
            limiter
        })
    }
}

impl LocalBreaker {
    fn check(&mut self, now: Time) -> Result<(), (Reason, Option<Duration>)> {
        if now < self.shut_until {
            return Err((Reason::BreakerOpen, Some(self.shut_until.since(now))));
        }
        self.breaker.check(now, &mut Journal::new()).map_err(|refused| {
            let reason = match refused.reason {
                RefusedReason::Open => Reason::BreakerOpen,
                RefusedReason::HalfOpenFull => Reason::HalfOpenFull,
            };
            (reason, refused.retry_after)
        })
    }

    fn follow(&mut self, told: StateName, retry: Option<Duration>, now: Time) {
        match told {
            StateName::Closed | StateName::Disabled | StateName::MetricsOnly => {
                self.shut_until = Time::MIN;
                self.go_through(&[StateName::Closed], now);
            }
            StateName::HalfOpen => {
                self.shut_until = Time::MIN;
                self.go_through(&[StateName::Open, StateName::HalfOpen], now);
            }
            // As long as the board would wait; then a few calls may find out.
            StateName::Open | StateName::ForcedOpen => {
                self.shut_until = now.after(retry.unwrap_or(self.breaker.config().timeout()));
                self.go_through(&[StateName::Open, StateName::HalfOpen], now);
            }
        }
    }

    /// Goes through these states to the last of them, unless it is there.
    fn go_through(&mut self, path: &[StateName], now: Time) {
        if path.last() == Some(&self.breaker.state()) {
            return;
        }
        for state in path {
            let _ = self.breaker.set_state(now, *state, None, "", "", &mut Journal::new());
        }
    }
}

fn begun(guard: &GuardLimiter, share: Option<Share>, peers: u32, now: Time) -> Limiter {
    let Some(share) = share else { return Limiter::new(own_part(guard, peers), now, 0) };
    let mut limiter = Limiter::new(share_of(guard, share.size), now, 0);
    if let LimiterConfig::TokenBucket { burst_size, .. } = limiter.config() {
        // Empty.
        let all = Tokens::whole(*burst_size);
        let _ = limiter.acquire(now, all, Duration::ZERO, 0);
    }
    // Quiet as long as what the board granted last counts.
    limiter.penalize(now, share.pause.max(window(&guard.config).unwrap_or_default()));
    limiter
}

/// Of a limit that the board has never told the share of: the guard's own, divided among the peers.
fn own_part(guard: &GuardLimiter, peers: u32) -> LimiterConfig {
    let capacity = guard.config.capacity().as_f64() / f64::from(peers);
    match guard.config.sustained_rate() {
        Some(rate) => bucket(guard, rate / f64::from(peers), capacity),
        None => permits(guard, capacity),
    }
}

/// Of a limit whose share the board has told: evenly, without a burst.
fn share_of(guard: &GuardLimiter, share: f64) -> LimiterConfig {
    if guard.config.sustained_rate().is_none() {
        return permits(guard, share);
    }
    let rate = match window(&guard.config).map(|period| period.as_secs_f64()) {
        None => share,
        // So many in any window, and a little slower than even: then it never has one more.
        Some(period) if share * period >= 1.0 => (share * period + 1e-9).floor() / period * (1.0 - 1e-6),
        Some(period) => 1.0 / (period * (1.0 / (share * period)).ceil()),
    };
    bucket(guard, rate, 1.0)
}

/// The span in which no more than the limit may go.
fn window(config: &LimiterConfig) -> Option<Duration> {
    match config {
        LimiterConfig::SlidingWindow { period_seconds, .. }
        | LimiterConfig::FixedWindow { period_seconds, .. } => Some(period_seconds.get()),
        LimiterConfig::TokenBucket { .. } | LimiterConfig::Concurrency { .. } => None,
    }
}

fn bucket(guard: &GuardLimiter, rate: f64, burst: f64) -> LimiterConfig {
    let spec = LimiterSpec {
        requests_per_second: Some(rate.clamp(1e-6, 1e6)),
        burst_size: Some(whole(burst.floor().max(guard.tokens.as_f64().ceil()))),
        ..LimiterSpec::default()
    };
    LimiterConfig::try_from(spec).unwrap_or_else(|_| guard.config.clone())
}

fn permits(guard: &GuardLimiter, limit: f64) -> LimiterConfig {
    let spec = LimiterSpec { limit: Some(whole(limit.floor())), ..guard.spec.clone() };
    LimiterConfig::try_from(spec).unwrap_or_else(|_| guard.config.clone())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn whole(count: f64) -> u32 {
    count.clamp(1.0, 1e9) as u32
}

fn refused(reason: Reason, by: &Name, retry_after: Option<Duration>) -> Refused {
    Refused { reason, by: Some(by.as_str().to_owned()), retry_after, is_local: true }
}

fn denied_by(denied: Denied, by: &Name) -> Refused {
    match denied {
        Denied::Concurrency { retry_after } => refused(Reason::ConcurrencyFull, by, Some(retry_after)),
        Denied::Later { retry_after } | Denied::TooManyWaiters { retry_after } => {
            refused(Reason::RateLimited, by, Some(retry_after))
        }
        Denied::NeverFits => refused(Reason::RateLimited, by, None),
    }
}
