//! Limiters: live cells, acquire, leases, penalties.

mod leases;

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::leases::{LeaseAsk, Leased, Released, Renewal, Renewed, Spent};
use super::{
    AppError, Board, Limits,
    calls::DenyReason,
    definitions::Resource,
    idempotency::{Answer, IdempotencyKey, StoredAnswer},
    journal::NewEvent,
    registry::Registry,
};
use crate::{
    domain::{
        Name, Time, Tokens,
        limiter::{Denied, Limiter, LimiterAlgorithm, LimiterConfig, LimiterSpec, Mark},
    },
    store::sqlite::states,
};

/// The kind under which durable marks are stored.
pub const MARK_KIND: &str = "limiter_mark";

/// One live limiter.
#[derive(Debug)]
pub struct LimiterCell {
    name: Name,
    dirty: AtomicBool,
    inner: Mutex<Limiter>,
}

impl Resource for LimiterCell {
    const KIND: &'static str = "limiter";
    const STATE_KINDS: &'static [&'static str] = &["limiter", MARK_KIND];
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_limiters;
    type Spec = LimiterSpec;
    type Config = LimiterConfig;

    fn spec(config: &LimiterConfig) -> LimiterSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.limiters
    }

    fn create(board: &Board, name: Name, config: LimiterConfig) -> Self {
        Self::new(name, Limiter::new(config, board.clock.now(), board.clock.wall_offset()))
    }

    fn reconfigure(self: &Arc<Self>, board: &Board, config: LimiterConfig) {
        self.lock(board).reconfigure(config, board.clock.now());
    }

    /// What a short limiter has granted needs no mark, and needs one as soon as the limiter is a long one.
    fn state_with(&self, board: &Board, config: &LimiterConfig) -> Option<(&'static str, String)> {
        let now = board.clock.now();
        let mut changed = self.inner.lock().clone();
        changed.reconfigure(config.clone(), now);
        let mark = changed.mark_needed(now)?;
        Some((MARK_KIND, serde_json::to_string(&[(self.name.as_str(), mark)]).ok()?))
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> LimiterConfig {
        self.inner.lock().config().clone()
    }
}

impl LimiterCell {
    /// A cell around a limiter.
    #[must_use]
    pub fn new(name: Name, limiter: Limiter) -> Self {
        Self { name, dirty: AtomicBool::new(false), inner: Mutex::new(limiter) }
    }

    /// Locks the limiter for a change.
    pub(super) fn lock(self: &Arc<Self>, board: &Board) -> MutexGuard<'_, Limiter> {
        if !self.dirty.load(Ordering::Relaxed) && !self.dirty.swap(true, Ordering::Relaxed) {
            board.dirty.limiters.lock().push(Arc::clone(self));
        }
        self.inner.lock()
    }

    /// Reads the limiter. For metrics.
    pub fn peek<T>(&self, read: impl FnOnce(&mut Limiter) -> T) -> T {
        read(&mut self.inner.lock())
    }

    /// Serialises the state for the store, and counts as saved from here on.
    #[must_use]
    pub fn save(&self) -> String {
        self.dirty.store(false, Ordering::Relaxed);
        serde_json::to_string(&self.inner.lock().save()).unwrap_or_default()
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self, now: Time) -> LimiterView {
        let mut limiter = self.inner.lock();
        let stats = limiter.stats();
        let spec = LimiterSpec::from(limiter.config());
        LimiterView {
            name: self.name.clone(),
            algorithm: limiter.config().algorithm(),
            requests_per_second: limiter.config().sustained_rate(),
            burst_size: limiter.config().capacity().as_f64(),
            available_tokens: limiter.available(now).as_f64(),
            in_use: limiter.in_use(now).as_f64(),
            waiting: limiter.waiting(now),
            live_clients: limiter.live_clients(now),
            blocked_seconds: limiter.blocked_until(now).map(|t| t.since(now).as_secs_f64()),
            total_requests: stats.total_requests,
            throttled_requests: stats.throttled_requests,
            throttle_rate: rate(stats.throttled_requests, stats.total_requests),
            config: spec,
        }
    }
}

/// A limiter as answered by `GET /v1/limiters/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LimiterView {
    /// The limiter's name.
    pub name: Name,
    /// `token_bucket`, `sliding_window`, `fixed_window` or `concurrency`.
    pub algorithm: LimiterAlgorithm,
    /// The sustained rate, in tokens per second; null for `concurrency`.
    pub requests_per_second: Option<f64>,
    /// The most tokens that can be taken at one instant.
    pub burst_size: f64,
    /// Tokens that could be taken now.
    pub available_tokens: f64,
    /// Tokens held by leases and running calls.
    pub in_use: f64,
    /// Reservations whose time has not come yet.
    pub waiting: usize,
    /// Clients seen in the last minute.
    pub live_clients: u32,
    /// How long everybody still waits because of a penalty; null without one.
    pub blocked_seconds: Option<f64>,
    /// Requests for tokens so far.
    pub total_requests: u64,
    /// Those that were refused or made to wait.
    pub throttled_requests: u64,
    /// Share of throttled requests; 0 when there were none.
    pub throttle_rate: f64,
    /// The configuration, every field filled.
    pub config: LimiterSpec,
}

/// The answer to `acquire`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Acquired {
    /// Whether the tokens are granted.
    pub allowed: bool,
    /// Tokens that could still be taken now.
    pub remaining: f64,
    /// How long to sleep before using the tokens; null if refused.
    pub wait_seconds: Option<f64>,
    /// When the same request would be granted; null if allowed.
    pub retry_after_seconds: Option<f64>,
    /// Tokens per second that this client may spend on its own while it cannot reach the server; for `concurrency`, calls
    /// at once.
    pub fallback_share: Option<f64>,
    /// How long it keeps still before it does so: until then what others were granted may still count. Absent if not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_after_seconds: Option<f64>,
    /// Why it was refused: `rate_limited` or `concurrency_full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<DenyReason>,
    /// For `concurrency`: the permit to give to `release`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_id: Option<String>,
    /// For `concurrency`: when the permit runs out by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<f64>,
}

/// Marks that must be on disk before an answer may leave.
pub type Marks = Vec<(Arc<LimiterCell>, Mark)>;

impl Board {
    /// Takes tokens, now or reserved within `max_wait`.
    pub fn limiter_acquire(
        &self,
        cell: &Arc<LimiterCell>,
        tokens: Tokens,
        max_wait: Duration,
        client: Option<&str>,
        marks: &mut Marks,
    ) -> Result<Acquired, AppError> {
        self.beat();
        let now = self.clock.now();
        let client = self.clients.identify(client);
        let mut limiter = cell.lock(self);
        limiter.seen(now, client);
        let is_concurrency = limiter.config().algorithm() == LimiterAlgorithm::Concurrency;
        let hold = if is_concurrency { self.calls.fresh_id() } else { 0 };
        self.disk_bears(&limiter, tokens)?;
        let decision = if tokens == Tokens::ZERO {
            limiter.peek(now).map(|()| now)
        } else {
            limiter.acquire(now, tokens, max_wait, hold)
        };
        let mut answer = Acquired {
            allowed: decision.is_ok(),
            remaining: limiter.available(now).as_f64(),
            wait_seconds: None,
            retry_after_seconds: None,
            fallback_share: limiter.fallback_share(now),
            fallback_after_seconds: pause(limiter.fallback_after(now)),
            reason: None,
            lease_id: None,
            expires_in_seconds: None,
        };
        match decision {
            Ok(at) => {
                answer.wait_seconds = Some(at.since(now).as_secs_f64());
                if is_concurrency && tokens != Tokens::ZERO {
                    answer.lease_id = Some(self.calls.encode(hold).to_string());
                    answer.expires_in_seconds = Some(limiter.config().lease().as_secs_f64());
                }
                if let Some(mark) = limiter.mark_needed(now) {
                    marks.push((Arc::clone(cell), mark));
                }
            }
            Err(denied) => {
                let (reason, retry_after) = refusal(&denied, "tokens", limiter.config())?;
                answer.reason = Some(reason);
                answer.retry_after_seconds = Some(retry_after.as_secs_f64());
            }
        }
        Ok(answer)
    }

    /// The server was frozen until now: what clients spend before they notice is set aside.
    pub(super) fn await_clients(&self, gone: Time) {
        let now = self.clock.now();
        for cell in self.limiters.all() {
            cell.lock(self).await_clients_of_frozen(gone, now);
        }
    }

    /// While the disk fails, what needs it is refused before anything is taken: its answer could not leave, and its
    /// tokens would be lost.
    pub(super) fn disk_bears(&self, limiter: &Limiter, tokens: Tokens) -> Result<(), AppError> {
        match limiter.exceeds_ceiling(tokens).then(|| self.store.writer.health().error()).flatten() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// Makes everybody wait: the upstream has said so. When this returns, it is in force and on disk.
    pub async fn limiter_penalize(
        &self,
        name: &str,
        retry_after: Duration,
        actor: &str,
        reason: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Answer, AppError> {
        let cell = self.find::<LimiterCell>(name)?;
        let now = self.clock.now();
        cell.lock(self).penalize(now, retry_after);
        let body = serde_json::to_vec(&cell.view(now)).unwrap_or_default();
        let answer = Answer { status: 200, body: body.into() };
        let data = serde_json::json!({
            "retry_after_seconds": retry_after.as_secs_f64(), "actor": actor, "reason": reason,
        });
        let event = NewEvent {
            at: self.clock.wall(),
            kind: "limiter.penalized",
            resource: LimiterCell::KIND,
            name: cell.name(),
        };
        let stored = key.map(|key| StoredAnswer { key, answer: answer.clone() });
        let id = self.journal.record(&event, &data, stored);
        self.journal.durable(id).await?;
        Ok(answer)
    }

    /// Makes marks durable. Only reservations, leases and limiters with long periods ever need one; see
    /// `domain::limiter`.
    pub async fn save_marks(&self, marks: Marks) -> Result<(), AppError> {
        if marks.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&str, &Mark)> = marks.iter().map(|(cell, mark)| (cell.name.as_str(), mark)).collect();
        let rows = serde_json::to_string(&rows).unwrap_or_default();
        self.store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move {
                        states::states_put(connection, MARK_KIND, LimiterCell::KIND, &rows).await
                    })
                },
                move |()| {
                    for (cell, mark) in marks {
                        cell.inner.lock().mark_saved(mark);
                    }
                },
            )
            .await?;
        Ok(())
    }
}

/// A pause on the wire, if there is one.
pub(super) fn pause(pause: Duration) -> Option<f64> {
    (!pause.is_zero()).then_some(pause.as_secs_f64())
}

/// How a refusal reads: its reason and when to try again. What can never be granted is the caller's mistake.
pub(super) fn refusal(
    denied: &Denied,
    field: &'static str,
    config: &LimiterConfig,
) -> Result<(DenyReason, Duration), AppError> {
    match denied {
        Denied::Later { retry_after } | Denied::TooManyWaiters { retry_after } => {
            Ok((DenyReason::RateLimited, *retry_after))
        }
        Denied::Concurrency { retry_after } => Ok((DenyReason::ConcurrencyFull, *retry_after)),
        Denied::NeverFits => {
            let message: Cow<'static, str> =
                format!("more than this limiter can ever grant, which is {}", config.capacity().as_f64())
                    .into();
            Err(AppError::invalid(field, message))
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for display")]
fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
