//! Headers of a request, whose secrets do not print.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::limits::invalid;
use crate::domain::{
    invalid::InvalidConfig,
    schema::{HeaderName, HeaderValue},
};

const MOST: usize = 32;
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 8192;
/// What a view shows in place of a secret. As a value it is refused, so that no view is stored by mistake.
pub const REDACTED: &str = "[redacted]";
/// The server's own business: they frame the message.
const FRAMING: [&str; 6] = ["connection", "content-length", "te", "trailer", "transfer-encoding", "upgrade"];
/// A header whose name holds one of these has a secret for its value.
const SECRETS: [&str; 10] =
    ["auth", "cookie", "credential", "jwt", "key", "passw", "secret", "session", "signature", "token"];

/// Headers by name. As debug output and in views the secrets among them are not shown; serialized they are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = BTreeMap<HeaderName, HeaderValue>)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// Names in lower case and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + use<'_> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The headers with `[redacted]` for each value that looks like a secret: `Authorization`, `Cookie`, `X-Api-Key`
    /// and whatever else has a name like these.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let shown = |(name, value): (&str, &str)| {
            (name.to_owned(), if is_secret(name) { REDACTED } else { value }.to_owned())
        };
        Self(self.iter().map(shown).collect())
    }

    pub(in crate::domain) fn checked(self) -> Result<Self, InvalidConfig> {
        if self.0.len() > MOST {
            return invalid("headers", format!("must be at most {MOST} headers"));
        }
        let mut checked = BTreeMap::new();
        for (name, value) in self.0 {
            let name = checked_name(&name)?;
            if value.len() > LONGEST_VALUE || !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b))
            {
                let rule = format!("at most {LONGEST_VALUE} printable ASCII characters");
                return invalid("headers", format!("the value of {name:?} must be {rule}"));
            }
            if value == REDACTED {
                return invalid(
                    "headers",
                    format!("the value of {name:?} is what views show; give the secret"),
                );
            }
            if checked.contains_key(&name) {
                return invalid("headers", format!("{name:?} is given twice"));
            }
            checked.insert(name, value);
        }
        Ok(Self(checked))
    }
}

impl From<BTreeMap<String, String>> for Headers {
    fn from(raw: BTreeMap<String, String>) -> Self {
        Self(raw)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.redacted().0).finish()
    }
}

/// Whether the value of a header of that name is a secret.
pub(in crate::domain) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|part| name.contains(part))
}

/// The name in lower case, if it is one (RFC 9110, section 5.6.2: token).
fn checked_name(raw: &str) -> Result<String, InvalidConfig> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if raw.is_empty() || raw.len() > LONGEST_NAME || !raw.bytes().all(is_token) {
        return invalid("headers", format!("{raw:?} is not the name of a header"));
    }
    let name = raw.to_ascii_lowercase();
    if FRAMING.contains(&name.as_str()) {
        return invalid("headers", format!("{raw:?} cannot be set"));
    }
    Ok(name)
}
