//! Sections of the file that are a few keys each.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{ConfigError, LogFormat};
use crate::{
    app::notifications::NotificationOptions,
    domain::{Seconds, check::CheckSpec},
    outbound::{Policy, policy::network},
};

/// `[server]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Like `--listen`.
    pub listen: Option<SocketAddr>,
    /// Like `--db`.
    pub db: Option<PathBuf>,
    /// Like `--tls-cert`.
    pub tls_cert: Option<PathBuf>,
    /// Like `--tls-key`.
    pub tls_key: Option<PathBuf>,
    /// With TLS: for how many seconds browsers are to ask this host by TLS only, on whatever port.
    pub hsts_max_age_seconds: Option<u64>,
    /// Like `--insecure-no-auth`.
    pub insecure_no_auth: bool,
    /// Like `--public-metrics`.
    pub public_metrics: bool,
    /// Like `--threads`.
    pub threads: Option<usize>,
    /// How long a client may take to send the head of a request, or to finish TLS.
    pub head_timeout_seconds: Option<Seconds>,
    /// How long a connection may stay open between requests.
    pub idle_timeout_seconds: Option<Seconds>,
    /// How long a request may take, its body included.
    pub request_timeout_seconds: Option<Seconds>,
    /// How long after SIGTERM `/readyz` fails before the server takes no more connections.
    pub shutdown_delay_seconds: Option<Seconds>,
    /// How long running requests may take to finish after that.
    pub drain_seconds: Option<Seconds>,
}

/// `[outbound]`: networks that checks, webhooks and sources of backups may reach, and may not. See [`Policy`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundSection {
    /// May be reached, whatever they are.
    pub allow: Vec<String>,
    /// Must not be reached, even if `allow` has them.
    pub deny: Vec<String>,
    /// Whether only what `allow` has may be reached.
    pub allow_only: bool,
}

impl OutboundSection {
    pub(super) fn policy(&self) -> Result<Policy, ConfigError> {
        let networks = |key: &str, raw: &[String]| {
            let wrong = |error| ConfigError(format!("[outbound] {key}: {error}"));
            raw.iter().map(|raw| network(raw).map_err(wrong)).collect::<Result<_, _>>()
        };
        Ok(Policy {
            allow: networks("allow", &self.allow)?,
            deny: networks("deny", &self.deny)?,
            allow_only: self.allow_only,
        })
    }
}

/// `[notifications]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationsSection {
    /// Where people reach this board, such as `https://board.example.com`. Notifications link to it.
    pub external_url: Option<String>,
}

impl NotificationsSection {
    pub(super) fn options(&self) -> Result<NotificationOptions, ConfigError> {
        let wrong = || ConfigError("[notifications] external_url must be an http or https URL".to_owned());
        let external_url = self.external_url.clone().unwrap_or_default();
        let is_web = |url: url::Url| matches!(url.scheme(), "http" | "https");
        if !external_url.is_empty() && !url::Url::parse(&external_url).is_ok_and(is_web) {
            return Err(wrong());
        }
        Ok(NotificationOptions { external_url })
    }
}

/// `[resilience]`, as the seed has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResilienceSection {
    /// False lets every call pass its breaker.
    pub circuit_breaker_enabled: bool,
    /// Default of `threshold` for the breakers below.
    pub circuit_breaker_threshold: Option<u32>,
    /// Default of `timeout_seconds` for the breakers below.
    pub circuit_breaker_timeout: Option<f64>,
    /// Token buckets: requests per second by name.
    pub rate_limits: BTreeMap<String, f64>,
    /// Breakers by name.
    pub circuit_breaker: BTreeMap<String, SeedBreaker>,
}

impl Default for ResilienceSection {
    fn default() -> Self {
        Self {
            circuit_breaker_enabled: true,
            circuit_breaker_threshold: None,
            circuit_breaker_timeout: None,
            rate_limits: BTreeMap::new(),
            circuit_breaker: BTreeMap::new(),
        }
    }
}

/// `[resilience.circuit_breaker.<name>]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedBreaker {
    /// Consecutive failures.
    pub threshold: Option<u32>,
    /// Wait of the open state.
    pub timeout_seconds: Option<f64>,
    /// Permits of the half-open state.
    pub half_open_max_calls: Option<u32>,
}

/// `[health_checks]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthChecksSection {
    /// False stops the runs that the server makes by itself; whatever the kind of check, results then turn stale.
    pub enabled: Option<bool>,
    /// How often the application sends a result for each of `checks`; one that is three times as old is stale.
    pub interval_seconds: Option<Seconds>,
    /// Whether red ones alert: switches `builtin.check_red` on or off, whatever `[alerts]` says.
    pub alert_on_failure: Option<bool>,
    /// Push checks that exist after the start, unless they are declared otherwise.
    pub checks: Vec<String>,
}

/// `[monitoring]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitoringSection {
    /// Like `--log`.
    pub log_level: Option<String>,
    /// Like `--log-format`.
    pub log_format: Option<LogFormat>,
    /// False hides `/metrics`.
    pub metrics_enabled: Option<bool>,
}

impl HealthChecksSection {
    pub(super) fn push_checks(&self) -> Result<BTreeMap<String, CheckSpec>, ConfigError> {
        let interval = self.interval_seconds.map_or(60.0, f64::from);
        if interval <= 0.0 {
            return Err(ConfigError("[health_checks] interval_seconds must be more than 0".to_owned()));
        }
        let spec = CheckSpec {
            stale_after_seconds: Some((interval * 3.0).clamp(1.0, Seconds::MAX)),
            ..CheckSpec::default()
        };
        Ok(self.checks.iter().map(|name| (name.clone(), spec.clone())).collect())
    }
}
