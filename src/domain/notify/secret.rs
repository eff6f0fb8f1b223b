//! Texts that are shown to nobody.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::check::REDACTED;

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
        assert_eq!(format!("{:?}", Concealed::new("hunter2".to_owned())), "[redacted]");
        assert!(Concealed::shown().check(10).is_err());
    }
}
