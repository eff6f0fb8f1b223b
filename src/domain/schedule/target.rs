//! An HTTP endpoint that a schedule calls: checked for form. Whether its address may be called is decided when it is.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::domain::{InvalidConfig, Seconds, check};

const MAX_URL: usize = 2048;
const MAX_HEADERS: usize = 32;
const MAX_HEADER: usize = 4096;
/// Headers that belong to the connection, not to the caller.
const RESERVED: [&str; 7] =
    ["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// Headers of a request by name. Their values do not print: one of them is often a token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = TargetHeaders, value_type = std::collections::BTreeMap<String, String>)]
#[serde(transparent)]
pub struct Headers(pub BTreeMap<String, String>);

impl Headers {
    /// The headers with `[redacted]` for each value that looks like a secret, as [`check::Headers::redacted`] shows them.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let shown = check::Headers::from(self.0.clone()).redacted();
        Self(shown.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Names of the fields that a target came from, for errors.
pub(super) struct TargetFields {
    pub(super) url: &'static str,
    pub(super) headers: &'static str,
    pub(super) timeout_seconds: &'static str,
}

/// Where to send a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Absolute, `http` or `https`, without user and fragment.
    pub url: String,
    /// Sent along.
    pub headers: Headers,
    /// How long the whole exchange may take.
    pub timeout: Seconds,
}

impl Target {
    pub(super) fn checked(
        fields: &TargetFields,
        url: String,
        headers: Headers,
        timeout_seconds: Option<f64>,
    ) -> Result<Self, InvalidConfig> {
        check_url(&url).map_err(|why| invalid(fields.url, why))?;
        check_headers(&headers.0).map_err(|why| invalid(fields.headers, &why))?;
        let timeout = positive_seconds(fields.timeout_seconds, timeout_seconds, 30, 300)?;
        Ok(Self { url, headers, timeout })
    }
}

/// More than 0 and at most `most`.
pub(super) fn positive_seconds(
    field: &'static str,
    raw: Option<f64>,
    default: u32,
    most: u32,
) -> Result<Seconds, InvalidConfig> {
    let Some(raw) = raw else { return Ok(Seconds::whole(default)) };
    match Seconds::try_from(raw) {
        Ok(span) if !span.is_zero() && span <= Seconds::whole(most) => Ok(span),
        _ => Err(invalid(field, &format!("must be more than 0 and at most {most}"))),
    }
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let scheme_ends = url.find("://").ok_or("must be an absolute http or https URL")?;
    let (scheme, rest) = (&url[..scheme_ends], &url[scheme_ends + 3..]);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        Err("must be an absolute http or https URL")
    } else if url.len() > MAX_URL {
        Err("must be at most 2048 bytes")
    } else if !url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'"' | b'<' | b'>')) {
        Err("must be plain ASCII without spaces; encode others as %XX")
    } else if url.contains('#') {
        Err("must have no fragment")
    } else if authority.contains('@') {
        Err("must have no user in it; send an authorization header")
    } else if !is_authority(authority) {
        Err("must name a host, and at most a port after it")
    } else if url::Url::parse(url).is_err() {
        // As whoever calls it reads it: 999.1.1.1 and 1.2.3.4.5 are no addresses, and names neither.
        Err("must name a host that can exist")
    } else {
        Ok(())
    }
}

fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let numbered = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_ok = match numbered {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        }
    };
    host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    if headers.len() > MAX_HEADERS {
        return Err(format!("must be at most {MAX_HEADERS}"));
    }
    headers.iter().try_for_each(|(name, value)| {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        // A value must not end its line: what follows would be another header.
        let visible = |b: u8| b.is_ascii_graphic() || matches!(b, b' ' | b'\t');
        if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
            Err(format!("{name:?} is no header name"))
        } else if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            Err(format!("{name} cannot be set"))
        } else if value == check::REDACTED {
            Err(format!("the value of {name} is what views show; give the secret"))
        } else if value.len() > MAX_HEADER || !value.bytes().all(visible) {
            Err(format!("the value of {name} must be at most {MAX_HEADER} visible ASCII characters"))
        } else {
            Ok(())
        }
    })
}

fn invalid(field: &'static str, message: &str) -> InvalidConfig {
    InvalidConfig { field, message: message.to_owned() }
}
