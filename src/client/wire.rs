//! Requests and answers.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{StatusCode, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    ClientError, Settings,
    error::Reason,
    guard::{GuardBreaker, GuardLimiter, Rules},
    outbox::Report,
};
use crate::domain::{
    breaker::{BreakerSpec, StateName},
    limiter::LimiterSpec,
};

/// Answers are small; one that is not is none.
const MAX_ANSWER: usize = 8 << 20;

/// Carries requests to one server.
#[derive(Debug)]
pub(super) struct Wire {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Unreachable, silent, overloaded, or no Fuseboard.
    Away(String),
    /// The request itself is at fault.
    Rejected(ClientError),
}

/// `POST /v1/calls`.
#[derive(Debug, Serialize)]
pub(super) struct Ask<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<&'a str>,
    limiters: Vec<AskTokens<'a>>,
    max_wait_seconds: f64,
    client: &'a str,
    outcomes: &'a [Report],
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<AskConfig<'a>>,
}

#[derive(Debug, Serialize)]
struct AskTokens<'a> {
    name: &'a str,
    tokens: f64,
}

#[derive(Debug, Serialize)]
struct AskConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<&'a BreakerSpec>,
    limiters: BTreeMap<&'a str, &'a LimiterSpec>,
}

impl<'a> Ask<'a> {
    pub(super) fn of(rules: &'a Rules, client: &'a str, outcomes: &'a [Report], creating: bool) -> Self {
        let tokens = |limiter: &'a GuardLimiter| AskTokens {
            name: limiter.name.as_str(),
            tokens: limiter.tokens.as_f64(),
        };
        let config = creating.then(|| AskConfig {
            breaker: rules.breaker.as_ref().map(|breaker: &GuardBreaker| &breaker.spec),
            limiters: rules.limiters.iter().map(|limiter| (limiter.name.as_str(), &limiter.spec)).collect(),
        });
        Self {
            breaker: rules.breaker.as_ref().map(|breaker| breaker.name.as_str()),
            limiters: rules.limiters.iter().map(tokens).collect(),
            max_wait_seconds: rules.max_wait.as_secs_f64(),
            client,
            outcomes,
            config,
        }
    }
}

/// The board's decision.
#[derive(Debug, Deserialize)]
pub(super) struct Decision {
    pub(super) allowed: bool,
    pub(super) call_id: Option<String>,
    pub(super) breaker_state: Option<StateName>,
    pub(super) wait_seconds: Option<f64>,
    pub(super) reason: Option<Reason>,
    pub(super) denied_by: Option<String>,
    pub(super) retry_after_seconds: Option<f64>,
    pub(super) fallback_share: Option<f64>,
    pub(super) fallback_permits: Option<f64>,
    pub(super) fallback_after_seconds: Option<f64>,
}

/// What an error says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Result<Self, ClientError> {
        let wrong = |message: String| ClientError::Invalid(format!("{}: {message}", settings.url));
        let base = settings.url.trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).map_err(|error| wrong(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("is no address of a server".to_owned()));
        }
        // A second installation of the provider is refused and harmless.
        drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none());
        if url.scheme() == "http" {
            // Without this, a container without any root certificates could not even ask by plain HTTP.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { http, base, token: settings.token.clone() })
    }

    /// Sends JSON, reads JSON.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Failure> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.exchange(request).await
    }

    /// Sends JSON that counts once, however often it is sent under the same key.
    pub(super) async fn post_once(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
        key: &str,
    ) -> Result<(), Failure> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.exchange::<serde::de::IgnoredAny>(request.header("idempotency-key", key)).await.map(drop)
    }

    /// Whether the server takes requests.
    pub(super) async fn probe(&self) -> bool {
        let request = self.http.get(format!("{}/readyz", self.base));
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }

    async fn exchange<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Failure> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let away = |error: reqwest::Error| Failure::Away(crate::domain::text::with_causes(&error));
        let mut answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(away)? {
            if body.len() + piece.len() > MAX_ANSWER {
                return Err(Failure::Away("an answer without end".to_owned()));
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            let parsed = serde_json::from_slice(&body);
            return parsed.map_err(|error| Failure::Away(format!("not an answer of a board: {error}")));
        }
        let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
        if is_away(status, &problem) {
            return Err(Failure::Away(format!("status {status} {}", problem.detail)));
        }
        let Problem { code, detail } = problem;
        Err(Failure::Rejected(ClientError::Rejected { status: status.as_u16(), code, detail }))
    }
}

/// Whether the server, rather than the request, is at fault. An error that is no problem document is not a board's.
fn is_away(status: StatusCode, problem: &Problem) -> bool {
    status.is_server_error()
        || status.is_redirection()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
        || problem.code.is_empty()
}

/// What `Retry-After` (RFC 9110, section 10.2.3) asks for: seconds, or a date.
pub(super) fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    crate::outbound::retry_after_of(headers.get(header::RETRY_AFTER)?.to_str().ok()?)
}

/// A span that the board named; none if it makes no sense.
pub(super) fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
