//! The probe that asks over HTTP.

use std::time::Duration;

use memchr::memmem;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{
    CheckSpec, ExpectedStatus, ExpectedStatusSpec, Headers, Observation,
    limits::{invalid, required, span, text, whole},
    parse::run_times,
};
use crate::domain::{Seconds, health::Status, invalid::InvalidConfig};

/// The most redirects that one run follows.
pub const MAX_REDIRECTS: usize = 5;

const LONGEST_URL: usize = 2048;
const LONGEST_BODY: usize = 16_384;
const LONGEST_NEEDLE: usize = 1024;
const MOST_READ: u32 = 16 << 20;

/// How to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// For the document.
    #[default]
    Get,
    /// For the headers alone.
    Head,
    /// By handing in the body.
    Post,
    /// By storing the body.
    Put,
    /// For what can be asked.
    Options,
}

impl HttpMethod {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Options => "OPTIONS",
        }
    }
}

/// What to ask and what to expect.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpProbe {
    /// Whom; `http` or `https`, without user and password.
    pub url: Url,
    /// How.
    pub method: HttpMethod,
    /// With these.
    pub headers: Headers,
    /// With this.
    pub body: Option<Box<str>>,
    /// How long all of it may take.
    pub timeout: Seconds,
    /// At most [`MAX_REDIRECTS`] times.
    pub follow_redirects: bool,
    /// Whether the certificate must be valid.
    pub tls_verify: bool,
    /// How much of the answer to read.
    pub max_response_bytes: u32,
    expected_status: ExpectedStatus,
    body_contains: Option<Box<str>>,
    json: Option<JsonExpectation>,
    certificate_expires_within: Option<Seconds>,
    slow: Option<Seconds>,
}

/// What must be at a place in a document.
#[derive(Clone, Debug, PartialEq)]
struct JsonExpectation {
    /// Empty for the whole document.
    pointer: Box<str>,
    /// If absent, anything.
    equals: Option<Value>,
}

/// What came back, after redirects.
#[derive(Clone, Copy, Debug)]
pub struct HttpAnswer<'a> {
    /// The status.
    pub status: u16,
    /// As much of the body as was read.
    pub body: &'a [u8],
    /// Whether that is all of it.
    pub is_complete: bool,
    /// How long it took, from before the name was resolved.
    pub duration: Duration,
    /// How long the server's certificate is still valid, where there is one.
    pub certificate_expires_in: Option<Duration>,
}

impl HttpProbe {
    pub(super) fn checked(spec: CheckSpec, interval: Seconds) -> Result<Self, InvalidConfig> {
        let (timeout, slow) = run_times(&spec, interval)?;
        let method = spec.method.unwrap_or_default();
        let body = text("body", spec.body, LONGEST_BODY)?;
        if method == HttpMethod::Head && body.is_some() {
            return invalid("body", "does not apply to method HEAD");
        }
        let body_contains = text("body_contains", spec.body_contains, LONGEST_NEEDLE)?;
        let json = JsonExpectation::checked(spec.json_pointer, spec.json_equals)?;
        if method == HttpMethod::Head && (body_contains.is_some() || json.is_some()) {
            let field = if body_contains.is_some() { "body_contains" } else { "json_pointer" };
            return invalid(field, "does not apply to method HEAD, whose answer has no body");
        }
        let within = "certificate_expires_within_seconds";
        Ok(Self {
            url: checked_url(&required("url", spec.url, "http")?)?,
            method,
            headers: spec.headers.unwrap_or_default().checked()?,
            body,
            timeout,
            follow_redirects: spec.follow_redirects.unwrap_or(true),
            tls_verify: spec.tls_verify.unwrap_or(true),
            max_response_bytes: whole("max_response_bytes", spec.max_response_bytes, 1 << 20, 1..=MOST_READ)?,
            expected_status: spec.expected_status.map(TryFrom::try_from).transpose()?.unwrap_or_default(),
            body_contains,
            json,
            certificate_expires_within: spec
                .certificate_expires_within_seconds
                .map(|given| span(within, given))
                .transpose()?,
            slow,
        })
    }

    pub(super) fn fill(&self, spec: CheckSpec) -> CheckSpec {
        CheckSpec {
            url: Some(self.url.to_string()),
            method: Some(self.method),
            expected_status: Some(ExpectedStatusSpec::from(&self.expected_status)),
            headers: Some(self.headers.clone()),
            body: self.body.as_deref().map(str::to_owned),
            body_contains: self.body_contains.as_deref().map(str::to_owned),
            json_pointer: self.json.as_ref().map(|json| json.pointer.to_string()),
            json_equals: self.json.as_ref().and_then(|json| json.equals.clone()),
            follow_redirects: Some(self.follow_redirects),
            tls_verify: Some(self.tls_verify),
            certificate_expires_within_seconds: self.certificate_expires_within.map(f64::from),
            max_response_bytes: Some(self.max_response_bytes),
            timeout_seconds: Some(self.timeout.into()),
            slow_seconds: self.slow.map(f64::from),
            ..spec
        }
    }

    /// Whether the body must be read.
    #[must_use]
    pub fn wants_body(&self) -> bool {
        self.body_contains.is_some() || self.json.is_some()
    }

    /// Whether the end of the server's certificate must be known.
    #[must_use]
    pub fn wants_certificate(&self) -> bool {
        self.certificate_expires_within.is_some()
    }

    /// What an answer means: red if it is not what is expected, yellow if it is but slow, or with a certificate that
    /// ends soon.
    #[must_use]
    pub fn judge(&self, answer: &HttpAnswer<'_>) -> Observation {
        let (status, message) = self.verdict(answer);
        let mut observation =
            Observation::new(status, message).took(answer.duration).with("http_status", json!(answer.status));
        if let Some(left) = answer.certificate_expires_in {
            observation = observation.with("certificate_expires_in_seconds", json!(left.as_secs()));
        }
        observation
    }

    fn verdict(&self, answer: &HttpAnswer<'_>) -> (Status, String) {
        if let Some(fault) = self.fault(answer) {
            return (Status::Red, fault);
        }
        if let (Some(least), Some(left)) = (self.certificate_expires_within, answer.certificate_expires_in)
            && left <= least.get()
        {
            return (Status::Yellow, format!("the certificate ends in {} days", left.as_secs() / 86_400));
        }
        slowness(self.slow, answer.duration)
            .unwrap_or_else(|| (Status::Green, format!("status {}", answer.status)))
    }

    fn fault(&self, answer: &HttpAnswer<'_>) -> Option<String> {
        if !self.expected_status.contains(answer.status) {
            return Some(format!("status {}, expected {}", answer.status, self.expected_status));
        }
        let cut = if answer.is_complete { "" } else { " (it is longer than max_response_bytes)" };
        if let Some(needle) = &self.body_contains
            && memmem::find(answer.body, needle.as_bytes()).is_none()
        {
            return Some(format!("the answer does not contain {needle:?}{cut}"));
        }
        self.json.as_ref()?.fault(answer.body).map(|fault| fault + cut)
    }
}

/// What is said of a run that took longer than it should.
pub(super) fn slowness(slow: Option<Seconds>, duration: Duration) -> Option<(Status, String)> {
    let slow = slow.filter(|slow| duration > slow.get())?;
    Some((Status::Yellow, format!("slower than {} s", f64::from(slow))))
}

/// A URL that can be asked; errors are about the field `url`.
pub(in crate::domain) fn checked_url(raw: &str) -> Result<Url, InvalidConfig> {
    if raw.len() > LONGEST_URL {
        return invalid("url", format!("must be at most {LONGEST_URL} bytes long"));
    }
    let url = match Url::parse(raw) {
        Ok(url) => url,
        Err(error) => return invalid("url", format!("must be a URL: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return invalid("url", "must start with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("url", "must not hold a user or password; send an Authorization header");
    }
    if url.port() == Some(0) {
        return invalid("url", "must not have port 0: nobody can listen there");
    }
    Ok(url)
}

impl JsonExpectation {
    fn checked(pointer: Option<String>, equals: Option<Value>) -> Result<Option<Self>, InvalidConfig> {
        if pointer.is_none() && equals.is_none() {
            return Ok(None);
        }
        let pointer = pointer.unwrap_or_default();
        if pointer.len() > LONGEST_NEEDLE || !is_pointer(&pointer) {
            let rule = "empty or starts with /, and ~ is followed by 0 or 1";
            return invalid("json_pointer", format!("must be a JSON pointer (RFC 6901): {rule}"));
        }
        if equals.as_ref().is_some_and(|value| value.to_string().len() > LONGEST_BODY) {
            return invalid("json_equals", format!("must be at most {LONGEST_BODY} bytes of JSON"));
        }
        Ok(Some(Self { pointer: pointer.into(), equals }))
    }

    fn fault(&self, body: &[u8]) -> Option<String> {
        let Ok(document) = serde_json::from_slice::<Value>(body) else {
            return Some("the answer is not JSON".to_owned());
        };
        match (document.pointer(&self.pointer), &self.equals) {
            (None, _) => Some(format!("the answer has nothing at {:?}", self.pointer)),
            (Some(found), Some(wanted)) if !is_equal(found, wanted) => Some(format!(
                "{:?} of the answer is {}, expected {}",
                self.pointer,
                short(found),
                short(wanted)
            )),
            _ => None,
        }
    }
}

fn is_pointer(raw: &str) -> bool {
    (raw.is_empty() || raw.starts_with('/'))
        && raw.split('~').skip(1).all(|rest| rest.starts_with('0') || rest.starts_with('1'))
}

/// Equality of JSON, in which 1 is 1.0.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) if x.is_f64() != y.is_f64() => x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| is_equal(x, y))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| is_equal(x, y)))
        }
        _ => a == b,
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
