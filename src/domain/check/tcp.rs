//! The probe that connects.

use std::{fmt, time::Duration};

use memchr::memmem;
use url::Host;

use super::{
    CheckSpec, Observation,
    http::slowness,
    limits::{invalid, required, text},
    parse::run_times,
};
use crate::domain::{Seconds, health::Status, invalid::InvalidConfig};

const LONGEST_SEND: usize = 4096;
const LONGEST_NEEDLE: usize = 1024;

/// Where to connect to and what to expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpProbe {
    /// Where to.
    pub address: Address,
    /// What to send then.
    pub send: Option<Box<str>>,
    /// What must come back.
    pub expect_contains: Option<Box<str>>,
    /// How long all of it may take.
    pub timeout: Seconds,
    slow: Option<Seconds>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A domain name, or an IP address.
    pub host: Host<String>,
    /// From 1 on.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl TcpProbe {
    pub(super) fn checked(spec: CheckSpec, interval: Seconds) -> Result<Self, InvalidConfig> {
        let (timeout, slow) = run_times(&spec, interval)?;
        let Some(address) = address(&required("address", spec.address, "tcp")?) else {
            return invalid("address", "must be host:port, with an IPv6 address in brackets");
        };
        Ok(Self {
            address,
            send: text("send", spec.send, LONGEST_SEND)?,
            expect_contains: text("expect_contains", spec.expect_contains, LONGEST_NEEDLE)?,
            timeout,
            slow,
        })
    }

    pub(super) fn fill(&self, spec: CheckSpec) -> CheckSpec {
        CheckSpec {
            address: Some(self.address.to_string()),
            send: self.send.as_deref().map(str::to_owned),
            expect_contains: self.expect_contains.as_deref().map(str::to_owned),
            timeout_seconds: Some(self.timeout.into()),
            slow_seconds: self.slow.map(f64::from),
            ..spec
        }
    }

    /// Whether what came back so far holds what must; if not, there is reason to read on.
    #[must_use]
    pub fn is_satisfied(&self, received: &[u8]) -> bool {
        self.expect_contains.as_ref().is_none_or(|needle| memmem::find(received, needle.as_bytes()).is_some())
    }

    /// What a connection means on which that came back.
    #[must_use]
    pub fn judge(&self, received: &[u8], duration: Duration) -> Observation {
        let (status, message) = if self.is_satisfied(received) {
            slowness(self.slow, duration).unwrap_or_else(|| (Status::Green, "connected".to_owned()))
        } else {
            let needle = self.expect_contains.as_deref().unwrap_or_default();
            (Status::Red, format!("the answer does not contain {needle:?}"))
        };
        Observation::new(status, message).took(duration)
    }
}

fn address(raw: &str) -> Option<Address> {
    let (host, port) = raw.rsplit_once(':')?;
    let port = port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok())??;
    if host.is_empty() || port == 0 {
        return None;
    }
    Some(Address { host: Host::parse(host).ok()?, port })
}
