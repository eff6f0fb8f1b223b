//! What a result says of the upstream.

use std::{fmt::Display, time::Duration};

use reqwest::{StatusCode, header::HeaderMap};

use super::{Outcome, wire::retry_after};

/// What a result says of the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How the call counts.
    pub outcome: Outcome,
    /// What went wrong, for the history.
    pub error: Option<String>,
    /// How much silence the upstream asks for; the guard's limiters grant nobody anything until then.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// It worked.
    #[must_use]
    pub fn success() -> Self {
        Self { outcome: Outcome::Success, error: None, retry_after: None }
    }

    /// It failed.
    #[must_use]
    pub fn failure(error: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failure, error: Some(error.into()), retry_after: None }
    }

    /// It says nothing about the upstream.
    #[must_use]
    pub fn ignored() -> Self {
        Self { outcome: Outcome::Ignored, error: None, retry_after: None }
    }
}

/// Judges results. Functions do: `|result: &Result<Response, Error>| Verdict::success()`.
pub trait Classify<T, E> {
    /// What this result says of the upstream.
    fn classify(&self, result: &Result<T, E>) -> Verdict;
}

impl<F, T, E> Classify<T, E> for F
where
    F: Fn(&Result<T, E>) -> Verdict,
{
    fn classify(&self, result: &Result<T, E>) -> Verdict {
        self(result)
    }
}

/// Judges answers over HTTP: errors of the transport, 5xx and 429 are failures, and `Retry-After` of 429 and 503 is
/// taken at its word. Other answers, 4xx among them, are successes: the upstream works.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpStatus;

impl HttpStatus {
    fn judge(status: StatusCode, headers: &HeaderMap) -> Verdict {
        let slow_down = status == StatusCode::TOO_MANY_REQUESTS;
        if !slow_down && !status.is_server_error() {
            return Verdict::success();
        }
        let asks = slow_down || status == StatusCode::SERVICE_UNAVAILABLE;
        let retry_after = if asks { retry_after(headers) } else { None };
        Verdict { retry_after, ..Verdict::failure(format!("status {}", status.as_u16())) }
    }
}

impl<B, E: Display> Classify<axum::http::Response<B>, E> for HttpStatus {
    fn classify(&self, result: &Result<axum::http::Response<B>, E>) -> Verdict {
        match result {
            Ok(answer) => Self::judge(answer.status(), answer.headers()),
            Err(error) => Verdict::failure(error.to_string()),
        }
    }
}

impl<E: Display> Classify<reqwest::Response, E> for HttpStatus {
    fn classify(&self, result: &Result<reqwest::Response, E>) -> Verdict {
        match result {
            Ok(answer) => Self::judge(answer.status(), answer.headers()),
            Err(error) => Verdict::failure(error.to_string()),
        }
    }
}
