//! Headers that tell browsers what not to do with an answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// For what is no page: it loads nothing, and stands in no frame.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What browsers are told with each answer.
#[derive(Clone, Debug, Default)]
pub struct BrowserRules {
    /// `Strict-Transport-Security`, if the operator wants it.
    transport: Option<HeaderValue>,
}

impl BrowserRules {
    /// For a server whose host is to be asked by TLS only for so many seconds, if for any.
    #[must_use]
    pub fn new(hsts_max_age_seconds: Option<u64>) -> Self {
        let transport =
            hsts_max_age_seconds.and_then(|age| HeaderValue::from_str(&format!("max-age={age}")).ok());
        Self { transport }
    }

    /// Puts the headers on an answer. Pages have policies of their own. Answers to programs, by far the most, are spared all
    /// but the one that keeps them from being taken for something else.
    pub(super) fn put(&self, headers: &mut HeaderMap, is_for_programs: bool) {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
        if let Some(transport) = &self.transport {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, transport.clone());
        }
        if is_for_programs {
            return;
        }
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NO_PAGE);
        headers.entry(header::REFERRER_POLICY).or_insert(NO_REFERRER);
        headers.entry(RESOURCE_POLICY).or_insert(SAME_ORIGIN);
    }
}
