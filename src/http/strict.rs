//! `?strict=true`: refusals as statuses, for callers that only look at the status.

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{
    json::Json,
    problem::{Code, Problem},
};
use crate::app::calls::DenyReason;

/// Whether refusals become statuses.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StrictQuery {
    /// Answer a refusal with 429 or 503 and `Retry-After` instead of 200 and `"allowed": false`.
    #[serde(default)]
    #[param(default = false)]
    pub strict: bool,
}

/// What a refusal says.
#[derive(Clone, Debug)]
pub struct Refusal<'a> {
    /// Why.
    pub reason: DenyReason,
    /// Which breaker or limiter.
    pub by: &'a str,
    /// When to try again.
    pub retry_after_seconds: Option<f64>,
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The answer as it is, or the refusal as a status.
pub fn answer<T: Serialize>(
    query: StrictQuery,
    body: T,
    refusal: Option<&Refusal<'_>>,
    remaining: Option<f64>,
) -> Response {
    let Some(refusal) = refusal.filter(|_| query.strict) else { return Json(body).into_response() };
    let code = match refusal.reason {
        DenyReason::BreakerOpen | DenyReason::HalfOpenFull => Code::BreakerOpen,
        DenyReason::RateLimited | DenyReason::ConcurrencyFull => Code::RateLimited,
    };
    let why = match refusal.reason {
        DenyReason::BreakerOpen => "the breaker is open",
        DenyReason::HalfOpenFull => "the breaker is half-open and its permits are out",
        DenyReason::RateLimited => "the limit is reached",
        DenyReason::ConcurrencyFull => "all permits are taken",
    };
    let mut problem = Problem::new(code, format!("{}: {why}", refusal.by));
    if let Some(span) = refusal.retry_after_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
        problem = problem.retry_after(span);
    }
    if code == Code::RateLimited {
        // draft-ietf-httpapi-ratelimit-headers: "name";r=remaining;t=seconds
        let reset = refusal.retry_after_seconds.unwrap_or_default().ceil();
        let text = format!("\"{}\";r={:.0};t={reset:.0}", refusal.by, remaining.unwrap_or_default().floor());
        if let Ok(value) = HeaderValue::from_str(&text) {
            problem = problem.header(RATE_LIMIT, value);
        }
    }
    problem.into_response()
}
