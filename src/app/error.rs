//! Why a use case was refused. `http::problem` maps each to one status code.

use std::time::Duration;

use super::tokens::Scope;
use crate::{
    domain::{InvalidConfig, Name, StateName, check::CheckKind, push_group::PushRefusal},
    store::{StoreError, seal::KeyId},
};

/// One rejected field of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `window.size`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A refusal by the application.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such resource.
    #[error("there is no {resource} named \"{name}\"")]
    NotFound {
        /// Kind of the resource.
        resource: &'static str,
        /// Its name.
        name: String,
    },
    /// A well-formed request with a value that cannot be.
    #[error("{}", summary(.0))]
    Invalid(Vec<FieldError>),
    /// The breaker cannot go from one state to the other.
    #[error("a breaker cannot go from {} to {}", from.as_str(), to.as_str())]
    IllegalTransition {
        /// The state it is in.
        from: StateName,
        /// The state that was asked for.
        to: StateName,
    },
    /// The check takes its results from elsewhere.
    #[error("the check \"{name}\" is of kind {}, this is for kind {wanted}", kind.as_str())]
    WrongKind {
        /// The check.
        name: Name,
        /// What it is.
        kind: CheckKind,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// Pings that may come only so often came too often.
    #[error(
        "pings of this check come too often: twenty may come at once, and one a second over time; this one was not counted"
    )]
    TooOften {
        /// When to try again.
        retry_after: Duration,
    },
    /// It is there without being declared, and cannot go.
    #[error("the {what} \"{name}\" is built in; declare it with enabled = false to switch it off")]
    BuiltIn {
        /// Kind of the resource.
        what: &'static str,
        /// Its name.
        name: Name,
    },
    /// An alert that is firing stays in the history.
    #[error("the alert {id} is firing; only alerts that are over can be deleted")]
    StillFiring {
        /// Which.
        id: i64,
    },
    /// A schedule cannot run again yet.
    #[error("run {run_id} of this schedule goes on")]
    StillRunning {
        /// The run that goes on.
        run_id: u64,
    },
    /// Documents of a backup are not what was stored.
    #[error("the backup \"{id}\" is damaged: {}", errors.join("; "))]
    BackupCorrupt {
        /// The backup.
        id: String,
        /// What is wrong.
        errors: Vec<String>,
    },
    /// Documents of a backup are encrypted with a key that is not configured.
    #[error(
        "the backup \"{id}\" cannot be read: it is encrypted with the key {key}, which is not configured"
    )]
    BackupKeyMissing {
        /// The backup.
        id: String,
        /// Which key.
        key: KeyId,
    },
    /// The backup is protected.
    #[error("the backup \"{0}\" is pinned; unpin it first")]
    Pinned(String),
    /// The documents of the backup are for those with a larger scope.
    #[error(
        "the backup \"{id}\" holds secrets of the board: this needs the scope {needed}; the token has {has}"
    )]
    ScopeNeeded {
        /// The backup.
        id: String,
        /// What is needed.
        needed: Scope,
        /// What the token has.
        has: Scope,
    },
    /// The body is larger than it may be.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// How large it may be.
        limit: u64,
    },
    /// Documents are too large to be compared.
    #[error("{reason}")]
    TooLargeToCompare {
        /// Which, and how large they may be.
        reason: String,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    BadJson(String),
    /// Pushed metrics do not fit, or have no room.
    #[error("{0}")]
    Push(#[from] PushRefusal),
    /// The notification is delivered: there is nothing to try again.
    #[error("notification {0} is delivered")]
    Delivered(i64),
    /// `If-Match` or `If-None-Match` did not hold.
    #[error("{0}")]
    PreconditionFailed(&'static str),
    /// The same `Idempotency-Key` came with another request.
    #[error("this Idempotency-Key was used with another request")]
    IdempotencyMismatch,
    /// The first request with this `Idempotency-Key` is still being worked on.
    #[error("a request with this Idempotency-Key is still being worked on")]
    IdempotencyInProgress,
    /// A bound of the server is reached.
    #[error(
        "there are {limit} resources of kind {what} already, and no more are allowed; see [limits] of the configuration"
    )]
    LimitReached {
        /// What is bounded.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The server sheds load.
    #[error("the server has too much to do; try again later")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The change could not be made durable.
    #[error("{}", told(.0))]
    Storage(#[from] StoreError),
}

/// The object store is asked when something is read, too.
fn told(error: &StoreError) -> String {
    match error {
        StoreError::ObjectStore(_) => error.to_string(),
        _ => format!("the change is not on disk: {error}"),
    }
}

fn summary(errors: &[FieldError]) -> String {
    match errors {
        [one] => format!("{}: {}", one.field, one.message),
        many => format!("{} fields are invalid", many.len()),
    }
}

impl AppError {
    /// A single invalid field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { field: field.into(), message: message.into() }])
    }
}

impl From<InvalidConfig> for AppError {
    fn from(error: InvalidConfig) -> Self {
        Self::invalid(error.field, error.message)
    }
}
