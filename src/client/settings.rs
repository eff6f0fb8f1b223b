//! Where the board is, and how it is asked.

use std::{env, fmt, time::Duration};

use super::ClientError;

/// Where the board is, who asks, and how long to wait.
#[derive(Clone)]
pub struct Settings {
    /// Base address of the server.
    pub url: String,
    /// Bearer token.
    pub token: Option<String>,
    /// Who asks. Consecutive failures and fair shares are counted for each client.
    pub client: String,
    /// How long an answer may take, connecting included.
    pub timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How many processes share the limits: what a client takes of a limit while the server is away and has never
    /// told it its share.
    pub fallback_peers: u32,
}

impl Settings {
    /// The defaults for a server at that address.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// From `FUSEBOARD_URL`, `FUSEBOARD_TOKEN`, `FUSEBOARD_CLIENT`, `FUSEBOARD_TIMEOUT`, `FUSEBOARD_CONNECT_TIMEOUT`
    /// and `FUSEBOARD_FALLBACK_PEERS`, as the Python client.
    pub fn from_env() -> Result<Self, ClientError> {
        let mut settings = Self::default();
        let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(url) = given("FUSEBOARD_URL") {
            settings.url = url;
        }
        settings.token = given("FUSEBOARD_TOKEN");
        if let Some(client) = given("FUSEBOARD_CLIENT") {
            settings.client = client;
        }
        for (name, span) in [
            ("FUSEBOARD_TIMEOUT", &mut settings.timeout),
            ("FUSEBOARD_CONNECT_TIMEOUT", &mut settings.connect_timeout),
        ] {
            if let Some(value) = given(name) {
                *span = seconds(&value).ok_or_else(|| invalid(name, "must be seconds, more than 0"))?;
            }
        }
        if let Some(value) = given("FUSEBOARD_FALLBACK_PEERS") {
            let peers = value.parse().ok().filter(|peers| *peers > 0);
            settings.fallback_peers = peers
                .ok_or_else(|| invalid("FUSEBOARD_FALLBACK_PEERS", "must be a whole number from 1 on"))?;
        }
        Ok(settings)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:7077".to_owned(),
            token: None,
            client: format!("{}-{}", std::process::id(), uuid::Uuid::from_bytes(random()).simple()),
            timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_millis(250),
            fallback_peers: 1,
        }
    }
}

/// The token does not print.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("client", &self.client)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("fallback_peers", &self.fallback_peers)
            .finish_non_exhaustive()
    }
}

/// Zeros where the system has no randomness: then clients of one process id are taken for one.
fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    let _ = getrandom::fill(&mut bytes);
    bytes
}

fn seconds(value: &str) -> Option<Duration> {
    let seconds: f64 = value.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_zero())
}

fn invalid(name: &str, message: &str) -> ClientError {
    ClientError::Invalid(format!("{name}: {message}"))
}
