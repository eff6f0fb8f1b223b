//! What stands before a call.

use std::{sync::Arc, time::Duration};

use super::ClientError;
use crate::domain::{
    Name, Tokens,
    breaker::{BreakerConfig, BreakerSpec},
    limiter::{LimiterConfig, LimiterSpec},
};

/// What a guard does while the server is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnavailable {
    /// This process decides: the same breaker rule, and its share of each limit.
    #[default]
    Local,
    /// Every call may go.
    Allow,
    /// No call may go.
    Deny,
}

/// The breaker and the limiters of a call. Cheap to clone.
///
/// The names are the board's: every process that uses `kraken_api` shares one breaker and one limiter. The
/// configurations create what does not exist; what exists is never changed by them.
#[derive(Clone, Debug, Default)]
pub struct Guard(pub(super) Arc<Rules>);

#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) breaker: Option<GuardBreaker>,
    pub(super) limiters: Vec<GuardLimiter>,
    pub(super) max_wait: Duration,
    pub(super) on_unavailable: OnUnavailable,
}

#[derive(Clone, Debug)]
pub(super) struct GuardBreaker {
    pub(super) name: Name,
    pub(super) spec: BreakerSpec,
    pub(super) config: Arc<BreakerConfig>,
}

#[derive(Clone, Debug)]
pub(super) struct GuardLimiter {
    pub(super) name: Name,
    pub(super) tokens: Tokens,
    pub(super) spec: LimiterSpec,
    pub(super) config: LimiterConfig,
}

impl Guard {
    /// Nothing yet: name a breaker, limiters or both.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters this breaker.
    pub fn breaker(self, name: &str, spec: BreakerSpec) -> Result<Self, ClientError> {
        let name = checked(name)?;
        let config = BreakerConfig::try_from(spec.clone())
            .map_err(|error| ClientError::Invalid(format!("breaker {}: {error}", name.as_str())))?;
        Ok(self.with(|rules| rules.breaker = Some(GuardBreaker { name, spec, config: Arc::new(config) })))
    }

    /// Takes a token of this limiter.
    pub fn limiter(self, name: &str, spec: LimiterSpec) -> Result<Self, ClientError> {
        self.tokens(name, 1.0, spec)
    }

    /// Takes so many tokens of this limiter, more than 0.
    pub fn tokens(self, name: &str, tokens: f64, spec: LimiterSpec) -> Result<Self, ClientError> {
        let name = checked(name)?;
        let wrong = |message: String| ClientError::Invalid(format!("limiter {}: {message}", name.as_str()));
        let config = LimiterConfig::try_from(spec.clone()).map_err(|error| wrong(error.to_string()))?;
        let tokens = Tokens::try_from(tokens).map_err(|error| wrong(error.to_string()))?;
        if tokens.micros() == 0 {
            return Err(wrong("tokens must be more than 0".to_owned()));
        }
        if self.0.limiters.iter().any(|limiter| limiter.name == name) {
            return Err(wrong("is named twice".to_owned()));
        }
        Ok(self.with(|rules| rules.limiters.push(GuardLimiter { name, tokens, spec, config })))
    }

    /// Waits so long for its tokens; none if left out. They are reserved, so nobody polls.
    #[must_use]
    pub fn max_wait(self, span: Duration) -> Self {
        self.with(|rules| rules.max_wait = span)
    }

    /// What to do while the server is away.
    #[must_use]
    pub fn on_unavailable(self, what: OnUnavailable) -> Self {
        self.with(|rules| rules.on_unavailable = what)
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

fn checked(name: &str) -> Result<Name, ClientError> {
    Name::try_from(name).map_err(|error| ClientError::Invalid(format!("{name:?}: {error}")))
}
