//! Retry policies: one shared budget of retries for the whole fleet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AppError, Board, Limits, definitions::Resource, registry::Registry};
use crate::domain::{
    Name, Time,
    retry::{Refusal, RetryPolicy, RetryPolicyConfig, RetryPolicySpec},
};

/// One live retry policy.
#[derive(Debug)]
pub struct RetryPolicyCell {
    name: Name,
    dirty: AtomicBool,
    inner: Mutex<RetryPolicy>,
}

impl Resource for RetryPolicyCell {
    const KIND: &'static str = "retry_policy";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_retry_policies;
    type Spec = RetryPolicySpec;
    type Config = RetryPolicyConfig;

    fn spec(config: &RetryPolicyConfig) -> RetryPolicySpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.retry_policies
    }

    fn create(board: &Board, name: Name, config: RetryPolicyConfig) -> Self {
        Self::new(name, RetryPolicy::new(config, board.clock.now()))
    }

    fn reconfigure(self: &Arc<Self>, board: &Board, config: RetryPolicyConfig) {
        self.inner.lock().reconfigure(config, board.clock.now());
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> RetryPolicyConfig {
        self.inner.lock().config().clone()
    }
}

/// A retry policy as answered by `GET /v1/retry-policies/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RetryPolicyView {
    /// The policy's name.
    pub name: Name,
    /// First attempts so far.
    pub total_calls: u64,
    /// Retries granted so far.
    pub total_retries: u64,
    /// Retries refused so far.
    pub refused_retries: u64,
    /// Retries that would be granted now.
    pub budget_remaining: u64,
    /// Retries that count against the budget now: those of the last `budget_window_seconds`.
    pub budget_used: u64,
    /// The configuration, every field filled.
    pub config: RetryPolicySpec,
}

/// The answer to `attempts`.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct AttemptAnswer {
    /// Whether to make this attempt.
    pub allowed: bool,
    /// How long to wait before it.
    pub delay_seconds: f64,
    /// Why not: `attempts_exhausted` or `budget_exhausted`.
    pub reason: Option<&'static str>,
    /// Retries that would still be granted now.
    pub budget_remaining: u64,
}

impl RetryPolicyCell {
    /// A cell around a policy.
    #[must_use]
    pub fn new(name: Name, policy: RetryPolicy) -> Self {
        Self { name, dirty: AtomicBool::new(false), inner: Mutex::new(policy) }
    }

    /// Reads the policy. For metrics.
    pub fn peek<T>(&self, read: impl FnOnce(&mut RetryPolicy) -> T) -> T {
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
    pub fn view(&self, now: Time) -> RetryPolicyView {
        let mut policy = self.inner.lock();
        let stats = policy.stats();
        RetryPolicyView {
            name: self.name.clone(),
            total_calls: stats.calls,
            total_retries: stats.retries,
            refused_retries: stats.refused,
            budget_remaining: policy.budget_remaining(now),
            budget_used: policy.budget_used(now),
            config: policy.config().into(),
        }
    }
}

impl Board {
    /// Asks for attempt number `attempt` (the first try is 1), and after which delay.
    pub fn retry_attempt(
        &self,
        cell: &Arc<RetryPolicyCell>,
        attempt: u32,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Result<AttemptAnswer, AppError> {
        if attempt == 0 {
            return Err(AppError::invalid("attempt", "counts from 1, the first try"));
        }
        let now = self.clock.now();
        if !cell.dirty.swap(true, Ordering::Relaxed) {
            self.dirty.retry_policies.lock().push(Arc::clone(cell));
        }
        let mut policy = cell.inner.lock();
        let decision = policy.attempt(now, attempt, retry_after, random);
        Ok(AttemptAnswer {
            allowed: decision.allowed,
            delay_seconds: decision.delay.as_secs_f64(),
            reason: decision.reason.map(|refusal| match refusal {
                Refusal::AttemptsExhausted => "attempts_exhausted",
                Refusal::BudgetExhausted => "budget_exhausted",
            }),
            budget_remaining: policy.budget_remaining(now),
        })
    }
}
