//! Every error on the wire: RFC 9457 `application/problem+json` with a stable `code`.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::{AppError, FieldError},
    domain::push_group::PushRefusal,
    store::StoreError,
};

/// The media type of errors.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The stable word for a kind of error. Clients decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is not HTTP as it should be: a bad path, query or header.
    BadRequest,
    /// The body is not JSON.
    BadJson,
    /// The body is not in a format of metrics.
    BadMetrics,
    /// Pushed metrics do not fit to themselves or to those that are there.
    InconsistentMetrics,
    /// No or a wrong token.
    Unauthorized,
    /// The token's scope is too small.
    Forbidden,
    /// No such resource or path.
    NotFound,
    /// The path does not know this method; see `Allow`.
    MethodNotAllowed,
    /// The client accepts nothing that the server can make.
    NotAcceptable,
    /// The body did not arrive in time.
    RequestTimeout,
    /// The resource is not in a state for this.
    Conflict,
    /// The schedule cannot run because another run of it goes on.
    StillRunning,
    /// The first request with this `Idempotency-Key` is not finished.
    IdempotencyInProgress,
    /// `If-Match` or `If-None-Match` did not hold.
    PreconditionFailed,
    /// The backup is pinned.
    Pinned,
    /// Documents of a backup are not what was stored.
    BackupCorrupt,
    /// Documents of a backup are encrypted with a key that the server does not have.
    BackupKeyMissing,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// The body is of a type or coding that the server does not read.
    UnsupportedMediaType,
    /// Well-formed, but a value cannot be; `errors` names the fields.
    ValidationFailed,
    /// This `Idempotency-Key` was used with another request.
    IdempotencyMismatch,
    /// A limiter refused, and the caller asked for `?strict=true`; or pings come too often.
    RateLimited,
    /// Headers are larger than allowed.
    HeadersTooLarge,
    /// A bug of the server.
    InternalError,
    /// A breaker refused, and the caller asked for `?strict=true`.
    BreakerOpen,
    /// A gate refused, and the caller asked for `?strict=true`.
    GateClosed,
    /// The server sheds load or is stopping.
    Overloaded,
    /// The change is not on disk.
    StorageUnavailable,
    /// A bound on the number of resources is reached.
    LimitReached,
}

impl Code {
    /// The only table of statuses.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::BadJson | Self::BadMetrics | Self::InconsistentMetrics => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict | Self::StillRunning | Self::Pinned | Self::IdempotencyInProgress => {
                StatusCode::CONFLICT
            }
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed | Self::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::InternalError | Self::BackupCorrupt => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BreakerOpen
            | Self::GateClosed
            | Self::Overloaded
            | Self::StorageUnavailable
            | Self::BackupKeyMissing => StatusCode::SERVICE_UNAVAILABLE,
            Self::LimitReached => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// The code that a bare status of the framework stands for.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::PAYLOAD_TOO_LARGE => Self::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::SERVICE_UNAVAILABLE => Self::Overloaded,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::URI_TOO_LONG => Self::HeadersTooLarge,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::InternalError,
        }
    }

    /// The word, as in the body.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::BadJson => "bad_json",
            Self::BadMetrics => "bad_metrics",
            Self::InconsistentMetrics => "inconsistent_metrics",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotAcceptable => "not_acceptable",
            Self::RequestTimeout => "request_timeout",
            Self::Conflict => "conflict",
            Self::StillRunning => "still_running",
            Self::IdempotencyInProgress => "idempotency_in_progress",
            Self::Pinned => "pinned",
            Self::BackupCorrupt => "backup_corrupt",
            Self::BackupKeyMissing => "backup_key_missing",
            Self::PreconditionFailed => "precondition_failed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::ValidationFailed => "validation_failed",
            Self::IdempotencyMismatch => "idempotency_mismatch",
            Self::RateLimited => "rate_limited",
            Self::HeadersTooLarge => "headers_too_large",
            Self::InternalError => "internal_error",
            Self::BreakerOpen => "breaker_open",
            Self::GateClosed => "gate_closed",
            Self::Overloaded => "overloaded",
            Self::StorageUnavailable => "storage_unavailable",
            Self::LimitReached => "limit_reached",
        }
    }
}

/// An error as it goes out.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    header: Option<(header::HeaderName, HeaderValue)>,
}

/// The body of an error.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Identifies the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// The stable word to decide by.
    pub code: Code,
    /// What is wrong, for people.
    pub detail: &'a str,
    /// The rejected fields; empty if it is not about fields.
    pub errors: &'a [FieldError],
    /// The path of the request.
    pub instance: &'a str,
}

impl Problem {
    /// An error of a kind.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after: None, header: None }
    }

    /// A rejected field.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        AppError::invalid(field, message).into()
    }

    /// With the fields or checks that it is about.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// With a `Retry-After` header.
    #[must_use]
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after = Some(span);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Its kind.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The body; `instance` is the path of the request.
    #[must_use]
    pub fn body<'a>(&'a self, instance: &'a str) -> ProblemBody<'a> {
        let status = self.code.status();
        ProblemBody {
            kind: format!("urn:fuseboard:problem:{}", self.code.as_str()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code,
            detail: &self.detail,
            errors: &self.errors,
            instance,
        }
    }

    /// The response; `instance` is the path of the request.
    #[must_use]
    pub fn respond(&self, instance: &str) -> Response {
        let body = serde_json::to_vec(&self.body(instance)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(span) = self.retry_after {
            headers.insert(header::RETRY_AFTER, retry_after_value(span));
        }
        if let Some((name, value)) = self.header.clone() {
            headers.insert(name, value);
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fuseboard\""));
        }
        response
    }
}

/// `Retry-After` counts whole seconds; rounding up keeps it honest.
#[must_use]
pub fn retry_after_value(span: Duration) -> HeaderValue {
    HeaderValue::from(span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0)).max(1))
}

/// The path is added by the edge, which alone knows it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let detail = error.to_string();
        let code = match &error {
            AppError::NotFound { .. } => Code::NotFound,
            AppError::Invalid(_) => Code::ValidationFailed,
            AppError::IllegalTransition { .. }
            | AppError::WrongKind { .. }
            | AppError::BuiltIn { .. }
            | AppError::StillFiring { .. }
            | AppError::Push(PushRefusal::Mode { .. })
            | AppError::Delivered(_) => Code::Conflict,
            AppError::TooOften { .. } => Code::RateLimited,
            AppError::StillRunning { .. } => Code::StillRunning,
            AppError::BackupCorrupt { .. } => Code::BackupCorrupt,
            AppError::BackupKeyMissing { .. } => Code::BackupKeyMissing,
            AppError::Pinned(_) => Code::Pinned,
            AppError::ScopeNeeded { .. } => Code::Forbidden,
            AppError::TooLarge { .. } | AppError::TooLargeToCompare { .. } => Code::PayloadTooLarge,
            AppError::BadJson(_) => Code::BadJson,
            AppError::Push(PushRefusal::Full { .. }) | AppError::LimitReached { .. } => Code::LimitReached,
            AppError::Push(_) => Code::InconsistentMetrics,
            AppError::PreconditionFailed(_) => Code::PreconditionFailed,
            AppError::IdempotencyMismatch => Code::IdempotencyMismatch,
            AppError::IdempotencyInProgress => Code::IdempotencyInProgress,
            AppError::Overloaded { .. } => Code::Overloaded,
            AppError::Storage(_) => Code::StorageUnavailable,
        };
        let mut problem = Self::new(code, detail);
        match error {
            AppError::Invalid(errors) => problem.errors = errors,
            AppError::Overloaded { retry_after } | AppError::TooOften { retry_after } => {
                problem.retry_after = Some(retry_after);
            }
            AppError::Storage(_) => problem.retry_after = Some(Duration::from_secs(1)),
            _ => {}
        }
        problem
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        AppError::from(error).into()
    }
}
