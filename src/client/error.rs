//! Why a call did not go.

use std::{fmt, time::Duration};

/// The board could not decide, and nobody may in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// A setting, a name or a configuration is not possible.
    #[error("{0}")]
    Invalid(String),
    /// The server refuses the request: a wrong token, a configuration that it does not take. It does not go away by
    /// itself, so it is no reason to decide locally.
    #[error("the board refuses the request: {status} {code}: {detail}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The stable code of its problem document.
        code: String,
        /// What it says.
        detail: String,
    },
    /// There is no tokio runtime here.
    #[error("the client needs a tokio runtime")]
    NoRuntime,
}

/// A call may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// The breaker or limiter that refused.
    pub by: Option<String>,
    /// When to ask again; none if nobody knows.
    pub retry_after: Option<Duration>,
    /// Whether this process decided, because the server was away.
    pub is_local: bool,
}

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The breaker is open, or forced open.
    BreakerOpen,
    /// The breaker is half open, and its permits are all out.
    HalfOpenFull,
    /// There are no tokens within the wait.
    RateLimited,
    /// Too many calls are in flight.
    ConcurrencyFull,
    /// The server is away, and the guard is to deny then.
    Unavailable,
    /// One that this client does not know yet.
    #[serde(other)]
    Other,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            Reason::BreakerOpen => "the breaker is open",
            Reason::HalfOpenFull => "the breaker is half open and all its permits are out",
            Reason::RateLimited => "there are no tokens",
            Reason::ConcurrencyFull => "too many calls are in flight",
            Reason::Unavailable => "the board is away",
            Reason::Other => "the board refuses the call",
        })?;
        if let Some(by) = &self.by {
            write!(f, " ({by})")?;
        }
        if let Some(span) = self.retry_after {
            write!(f, ", try again in {:.1} s", span.as_secs_f64())?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Why there is no permit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// The call may not be made now.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It could not be asked for.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Why a guarded call has no result.
#[derive(Debug, thiserror::Error)]
pub enum GuardError<E> {
    /// It was not made.
    #[error(transparent)]
    NotMade(#[from] EnterError),
    /// It was made, and failed.
    #[error("{0}")]
    Call(E),
}

impl<E> GuardError<E> {
    /// The refusal, if it is one.
    pub fn refused(&self) -> Option<&Refused> {
        match self {
            Self::NotMade(EnterError::Refused(refused)) => Some(refused),
            Self::NotMade(EnterError::Client(_)) | Self::Call(_) => None,
        }
    }
}
