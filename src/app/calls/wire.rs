//! What calls ask and are answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{call_table::CallId, text::Text},
    domain::{
        Name, Seconds, Tokens,
        breaker::{Outcome, StateName},
    },
};

/// Tokens of one limiter.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = LimiterAskBody)]
#[serde(deny_unknown_fields)]
pub struct LimiterAsk<'a> {
    /// The limiter's name.
    #[serde(borrow)]
    #[schema(value_type = Name)]
    pub name: Text<'a>,
    /// How many tokens; 1 if left out.
    #[serde(default = "one")]
    pub tokens: Tokens,
}

fn one() -> Tokens {
    Tokens::ONE
}

/// The outcome of an earlier call.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = OutcomeItem)]
#[serde(deny_unknown_fields)]
pub struct OutcomeReport<'a> {
    /// Which call.
    #[serde(borrow)]
    #[schema(value_type = String)]
    pub call_id: Text<'a>,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took; 0 if left out.
    #[serde(default = "no_time")]
    pub duration_seconds: Seconds,
    /// What went wrong, for the history; at most 1024 characters.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub error: Option<Text<'a>>,
}

fn no_time() -> Seconds {
    Seconds::ZERO
}

/// What a call asks for.
#[derive(Debug)]
pub struct CallAsk<'a> {
    /// The breaker to enter.
    pub breaker: Option<&'a str>,
    /// The limiters to take tokens from.
    pub limiters: &'a [LimiterAsk<'a>],
    /// How long the caller is ready to sleep first.
    pub max_wait: Duration,
    /// Who calls.
    pub client: Option<&'a str>,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenyReason {
    /// The breaker is open, or forced open.
    BreakerOpen,
    /// The breaker is half-open and its permits are all out.
    HalfOpenFull,
    /// A limiter has no tokens within `max_wait_seconds`.
    RateLimited,
    /// A concurrency limiter has no free permit.
    ConcurrencyFull,
}

/// The answer to `POST /v1/calls`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallDecision {
    /// Whether to make the call.
    pub allowed: bool,
    /// The id under which to report the outcome; null if refused.
    #[schema(value_type = Option<String>)]
    pub call_id: Option<CallId>,
    /// The breaker's state after the decision; null without a breaker.
    pub breaker_state: Option<StateName>,
    /// How long to sleep before making the call; null if refused.
    pub wait_seconds: Option<f64>,
    /// Why it was refused; null if allowed.
    pub reason: Option<DenyReason>,
    /// The breaker or limiter that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<Name>,
    /// When the same call would be allowed, if nobody else acts; null if allowed or if nobody knows.
    pub retry_after_seconds: Option<f64>,
    /// The smallest fair share of the limiters named: tokens per second to spend while the server is away. Limiters of the
    /// algorithm `concurrency` do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_share: Option<f64>,
    /// The smallest fair share of those of the algorithm `concurrency`: calls at once while the server is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_permits: Option<f64>,
    /// How long the client keeps still before it spends these shares: until then what others were granted may still count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_after_seconds: Option<f64>,
    /// The answers to the `outcomes` of the request, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<OutcomeAnswer>,
}

/// The answer to one reported outcome.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OutcomeAnswer {
    /// Whether it counted.
    pub recorded: bool,
    /// Why not; null if it counted.
    pub reason: Option<OutcomeRefusal>,
    /// The breaker's state afterwards; null if the call had no breaker or is not known.
    pub breaker_state: Option<StateName>,
}

/// Why an outcome did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeRefusal {
    /// The call has reported before.
    Duplicate,
    /// The call's lease had run out.
    Expired,
    /// The breaker has changed its state since the call entered.
    StaleGeneration,
    /// There is no such call.
    Unknown,
}
