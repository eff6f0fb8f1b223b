//! Texts that are shown to nobody.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use crate::domain::check::{REDACTED, is_secret};

/// A secret of a configuration. It is stored, but neither printed nor shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String, format = Password)]
#[serde(transparent)]
pub struct Concealed(String);

impl Concealed {
    /// The secret, for using it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is shown in its place.
    #[must_use]
    pub fn shown() -> Self {
        Self(REDACTED.to_owned())
    }

    /// Of a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// A text that can be a secret: not what views show in its place.
    pub fn check(&self, longest: usize) -> Result<(), String> {
        if self.0.contains(REDACTED) {
            return Err("is what views show; give the secret".to_owned());
        }
        if self.0.is_empty() || self.0.len() > longest {
            return Err(format!("must be 1 to {longest} bytes long"));
        }
        Ok(())
    }
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A URL without what may be a secret: its path and query.
#[must_use]
pub fn redacted_url(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else { return REDACTED.to_owned() };
    let origin = parsed.origin().ascii_serialization();
    if parsed.path() == "/" && parsed.query().is_none() {
        return format!("{origin}/");
    }
    format!("{origin}/{REDACTED}")
}

/// Shorter texts are words rather than secrets.
const SHORTEST_SECRET: usize = 6;

/// What somebody says who was asked at `url` with `headers`, without what of these may be a secret: many say in an error
/// which path they do not know.
#[must_use]
pub fn without_secrets<'a>(
    said: &str,
    url: &Url,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> String {
    let decoded = |text: &str| -> Vec<String> {
        form_urlencoded::parse(text.as_bytes()).map(|(text, _)| text.into_owned()).collect()
    };
    let mut secrets: Vec<String> = vec![url.path().trim_matches('/').to_owned()];
    secrets.extend(url.path().split('/').map(str::to_owned));
    secrets.extend(url.query().map(str::to_owned));
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    secrets.extend(url.query().into_iter().flat_map(|query| query.split(['&', '='])).map(str::to_owned));
    for (_, value) in headers.filter(|(name, _)| is_secret(name)) {
        secrets.push(value.to_owned());
        secrets.extend(value.split_once(' ').map(|(_, key)| key.trim().to_owned()));
    }
    let plain: Vec<_> = secrets.iter().flat_map(|secret| decoded(secret)).collect();
    secrets.extend(plain);
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    // The longest first: the others are parts of them.
    secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    secrets.dedup();
    secrets.iter().fold(said.to_owned(), |said, secret| said.replace(secret.as_str(), REDACTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_path_or_query_is_shown() {
        for (url, shown) in [
            ("https://hooks.test/services/T0/B0/hunter2", "https://hooks.test/[redacted]"),
            ("http://a.test:8080/", "http://a.test:8080/"),
            ("http://a.test/?key=hunter2", "http://a.test/[redacted]"),
            ("no url hunter2", "[redacted]"),
        ] {
            assert_eq!(redacted_url(url), shown);
        }
        let url = Url::parse("https://hooks.test/services/T0/hunter%202?key=hunter3&x=1").unwrap();
        let headers = [("authorization", "Bearer hunter4"), ("x-team", "ops1")];
        for (said, shown) in [
            ("Cannot POST /services/T0/hunter%202?key=hunter3&x=1", "Cannot POST /[redacted]?[redacted]"),
            ("no hunter 2, T0 or hunter3 here", "no [redacted], T0 or [redacted] here"),
            ("bad token hunter4 of ops1", "bad token [redacted] of ops1"),
            ("Authorization: Bearer hunter4", "Authorization: [redacted]"),
            ("no_service", "no_service"),
        ] {
            assert_eq!(without_secrets(said, &url, headers.into_iter()), shown);
        }
        assert_eq!(format!("{:?}", Concealed::new("hunter2".to_owned())), "[redacted]");
        assert!(Concealed::shown().check(10).is_err());
    }
}
