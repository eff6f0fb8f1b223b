//! All that can be set from outside, read once: flag over environment over file over default.

mod alerts;
mod backup;
mod backup_keys;
mod metrics;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde::Deserialize;

pub use alerts::AlertsSection;
pub use backup::BackupSection;
pub use backup_keys::BackupKeyArgs;
pub use metrics::MetricsSection;

use crate::{
    app::{
        Limits, backups::BackupOptions, metrics::MetricRules, notifications::NotificationOptions,
        tokens::Secret,
    },
    domain::{
        InvalidConfig, Name, Seconds,
        breaker::{BreakerConfig, BreakerSpec},
        check::{CheckConfig, CheckSpec},
        gate::{GateConfig, GateSpec},
        limiter::{LimiterConfig, LimiterSpec},
        notify::{
            MaintenanceWindowConfig, MaintenanceWindowSpec, ReceiverConfig, ReceiverSpec, RouteConfig,
            RouteSpec,
        },
        push_group::GroupLimits,
        retention::{RetentionPolicy, RetentionSpec},
        retry::{RetryPolicyConfig, RetryPolicySpec},
        schedule::{ScheduleConfig, ScheduleSpec},
        threshold::{ThresholdConfig, ThresholdSpec, own::OwnMetric},
    },
    http::json::with_suggestion,
    outbound::{Policy, policy::network},
};

/// Flags of `fuseboard serve`, with their environment variables.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:7077]
    #[arg(long, env = "FUSEBOARD_LISTEN", value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Database file; created when missing [default: fuseboard.db]
    #[arg(long, env = "FUSEBOARD_DB", value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Configuration file; SIGHUP reads it again
    #[arg(long, env = "FUSEBOARD_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A token with every right, beside those made with `fuseboard token`; better in the environment than here
    #[arg(long, env = "FUSEBOARD_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Certificate chain in PEM; turns TLS on together with --tls-key
    #[arg(long, env = "FUSEBOARD_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key in PEM
    #[arg(long, env = "FUSEBOARD_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Listen beyond loopback although there is no token
    #[arg(long, env = "FUSEBOARD_INSECURE_NO_AUTH")]
    pub insecure_no_auth: bool,
    /// Let anybody read /metrics
    #[arg(long, env = "FUSEBOARD_PUBLIC_METRICS")]
    pub public_metrics: bool,
    /// Threads that serve requests [default: the number of processors, at most 4]
    #[arg(long, env = "FUSEBOARD_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Log filter, such as `info` or `warn,access=info` [default: info]
    #[arg(long, env = "FUSEBOARD_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// Form of log lines [default: plain on a terminal, else json]
    #[arg(long, env = "FUSEBOARD_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Keys of backups
    #[command(flatten)]
    pub backup_keys: BackupKeyArgs,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For reading.
    #[serde(alias = "text")]
    Plain,
}

/// The configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The server itself.
    pub server: ServerSection,
    /// Bounds.
    pub limits: LimitsSection,
    /// What the server itself may reach.
    pub outbound: OutboundSection,
    /// Breakers that exist after the start, by name.
    pub breakers: BTreeMap<String, BreakerSpec>,
    /// Limiters that exist after the start, by name.
    pub limiters: BTreeMap<String, LimiterSpec>,
    /// Retry policies that exist after the start, by name.
    pub retry_policies: BTreeMap<String, RetryPolicySpec>,
    /// Checks that exist after the start, by name.
    pub checks: BTreeMap<String, CheckSpec>,
    /// Gates that exist after the start, by name.
    pub gates: BTreeMap<String, GateSpec>,
    /// Schedules that exist after the start, by name.
    pub schedules: BTreeMap<String, ScheduleSpec>,
    /// Thresholds that exist after the start, by id.
    pub thresholds: BTreeMap<String, ThresholdSpec>,
    /// How alerts are kept, and which come without being declared.
    pub alerts: AlertsSection,
    /// Policies of retention that exist after the start, by type of backups.
    pub retention: BTreeMap<String, RetentionSpec>,
    /// Receivers of notifications that exist after the start, by name.
    pub receivers: BTreeMap<String, ReceiverSpec>,
    /// Routes that exist after the start, by name.
    pub routes: BTreeMap<String, RouteSpec>,
    /// Maintenance windows that exist after the start, by name.
    pub maintenance_windows: BTreeMap<String, MaintenanceWindowSpec>,
    /// How notifications are sent.
    pub notifications: NotificationsSection,
    /// The seed's section: breakers and rate limits in its words.
    pub resilience: ResilienceSection,
    /// The seed's section for checks.
    pub health_checks: HealthChecksSection,
    /// How backups are kept.
    pub backup: BackupSection,
    /// What clients may push.
    pub metrics: MetricsSection,
    /// The seed's section for logs and metrics.
    pub monitoring: MonitoringSection,
}

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

/// `[limits]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Breakers.
    pub max_breakers: Option<usize>,
    /// Limiters.
    pub max_limiters: Option<usize>,
    /// Retry policies.
    pub max_retry_policies: Option<usize>,
    /// Checks.
    pub max_checks: Option<usize>,
    /// Runs of checks at once; further ones wait.
    pub max_check_runs: Option<usize>,
    /// Results kept of one check.
    pub max_results_per_check: Option<usize>,
    /// How long results are kept.
    pub check_results_retention_days: Option<f64>,
    /// Gates.
    pub max_gates: Option<usize>,
    /// Schedules.
    pub max_schedules: Option<usize>,
    /// Policies of retention.
    pub max_retention_policies: Option<usize>,
    /// Types of backups.
    pub max_backup_types: Option<usize>,
    /// Groups of metrics that are pushed whole, as to Pushgateway.
    pub max_push_groups: Option<usize>,
    /// Their series.
    pub max_push_group_series: Option<usize>,
    /// Bytes that they take, about.
    pub max_push_group_bytes: Option<usize>,
    /// Receivers of notifications.
    pub max_receivers: Option<usize>,
    /// Routes, without those inside of them.
    pub max_routes: Option<usize>,
    /// Silences, those that are over and still kept included.
    pub max_silences: Option<usize>,
    /// Maintenance windows.
    pub max_maintenance_windows: Option<usize>,
    /// Calls that have entered and not reported.
    pub max_calls_in_flight: Option<usize>,
    /// Thresholds.
    pub max_thresholds: Option<usize>,
    /// Series that one threshold remembers.
    pub max_series_per_threshold: Option<usize>,
    /// Alerts from outside that are firing.
    pub max_external_alerts: Option<usize>,
    /// Events kept for the whole board.
    pub max_events: Option<usize>,
    /// Events kept for one resource.
    pub max_events_per_resource: Option<usize>,
    /// Bytes of a request's body.
    pub max_body_bytes: Option<usize>,
    /// Requests worked on at once.
    pub max_requests_in_flight: Option<usize>,
    /// Open connections.
    pub max_connections: Option<usize>,
    /// Operations waiting for the disk.
    pub max_queued_writes: Option<usize>,
}

impl File {
    fn limits(&self) -> Result<Limits, ConfigError> {
        let bounds = &self.limits;
        let defaults = Limits::default();
        Ok(Limits {
            max_breakers: bounds.max_breakers.unwrap_or(defaults.max_breakers),
            max_limiters: bounds.max_limiters.unwrap_or(defaults.max_limiters),
            max_retry_policies: bounds.max_retry_policies.unwrap_or(defaults.max_retry_policies),
            max_checks: bounds.max_checks.unwrap_or(defaults.max_checks),
            max_check_runs: match bounds.max_check_runs {
                Some(runs @ 1..=10_000) => runs,
                None => defaults.max_check_runs,
                Some(_) => {
                    return Err(ConfigError("[limits] max_check_runs must be from 1 to 10000".to_owned()));
                }
            },
            max_results_per_check: bounds.max_results_per_check.unwrap_or(defaults.max_results_per_check),
            check_results_retention: match bounds.check_results_retention_days {
                Some(days) => retention(days)?,
                None => defaults.check_results_retention,
            },
            series: self.metrics.limits(),
            max_gates: bounds.max_gates.unwrap_or(defaults.max_gates),
            push_groups: GroupLimits {
                max_groups: bounds.max_push_groups.unwrap_or(defaults.push_groups.max_groups),
                max_series: bounds.max_push_group_series.unwrap_or(defaults.push_groups.max_series),
                max_bytes: bounds.max_push_group_bytes.unwrap_or(defaults.push_groups.max_bytes),
            },
            max_calls_in_flight: bounds.max_calls_in_flight.unwrap_or(defaults.max_calls_in_flight),
            max_schedules: bounds.max_schedules.unwrap_or(defaults.max_schedules),
            max_backup_types: bounds.max_backup_types.unwrap_or(defaults.max_backup_types),
            max_retention_policies: bounds.max_retention_policies.unwrap_or(defaults.max_retention_policies),
            max_thresholds: bounds.max_thresholds.unwrap_or(defaults.max_thresholds),
            max_series_per_threshold: bounds
                .max_series_per_threshold
                .unwrap_or(defaults.max_series_per_threshold),
            max_alerts: self.alerts.max_alerts.unwrap_or(defaults.max_alerts),
            alerts_retention: self.alerts.retention()?.unwrap_or(defaults.alerts_retention),
            max_external_alerts: bounds.max_external_alerts.unwrap_or(defaults.max_external_alerts),
            max_receivers: bounds.max_receivers.unwrap_or(defaults.max_receivers),
            max_routes: bounds.max_routes.unwrap_or(defaults.max_routes),
            max_silences: bounds.max_silences.unwrap_or(defaults.max_silences),
            max_maintenance_windows: bounds
                .max_maintenance_windows
                .unwrap_or(defaults.max_maintenance_windows),
            max_events: bounds.max_events.unwrap_or(defaults.max_events),
            max_events_per_resource: bounds
                .max_events_per_resource
                .unwrap_or(defaults.max_events_per_resource),
        })
    }
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
    fn policy(&self) -> Result<Policy, ConfigError> {
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
    fn options(&self) -> Result<NotificationOptions, ConfigError> {
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

/// What the file declares, checked.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Breakers.
    pub breakers: Vec<(Name, BreakerSpec)>,
    /// Limiters.
    pub limiters: Vec<(Name, LimiterSpec)>,
    /// Retry policies.
    pub retry_policies: Vec<(Name, RetryPolicySpec)>,
    /// Checks.
    pub checks: Vec<(Name, CheckSpec)>,
    /// Push checks that are made unless there is a check of that name.
    pub seed_checks: Vec<(Name, CheckSpec)>,
    /// Gates.
    pub gates: Vec<(Name, GateSpec)>,
    /// Schedules.
    pub schedules: Vec<(Name, ScheduleSpec)>,
    /// Thresholds.
    pub thresholds: Vec<(Name, ThresholdSpec)>,
    /// The board's own thresholds that are on.
    pub built_in_thresholds: Vec<OwnMetric>,
    /// Policies of retention.
    pub retention: Vec<(Name, RetentionSpec)>,
    /// What new metrics are like.
    pub metrics: MetricRules,
    /// Receivers of notifications.
    pub receivers: Vec<(Name, ReceiverSpec)>,
    /// Routes.
    pub routes: Vec<(Name, RouteSpec)>,
    /// Maintenance windows.
    pub maintenance_windows: Vec<(Name, MaintenanceWindowSpec)>,
    /// Whether breakers are asked at all.
    pub breakers_enabled: bool,
    /// Whether the server runs checks by itself.
    pub checks_enabled: bool,
}

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The database file.
    pub db: PathBuf,
    /// The file to read again on SIGHUP.
    pub file: Option<PathBuf>,
    /// A token with every right.
    pub token: Option<Secret>,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Listen beyond loopback without a token.
    pub insecure_no_auth: bool,
    /// Let anybody read `/metrics`.
    pub public_metrics: bool,
    /// Whether there is a `/metrics`.
    pub metrics_enabled: bool,
    /// Threads that serve requests.
    pub threads: usize,
    /// Log filter.
    pub log: String,
    /// Form of log lines.
    pub log_format: LogFormat,
    /// How long a client may take to send the head of a request, or to finish TLS.
    pub head_timeout: Duration,
    /// How long a connection may stay open between requests.
    pub idle_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long `/readyz` fails before the listener closes.
    pub shutdown_delay: Duration,
    /// How long running requests may take to finish.
    pub drain: Duration,
    /// Bounds of the board.
    pub limits: Limits,
    /// Bytes of a request's body.
    pub max_body_bytes: usize,
    /// Requests worked on at once.
    pub max_requests_in_flight: usize,
    /// Open connections.
    pub max_connections: usize,
    /// Operations waiting for the disk.
    pub max_queued_writes: usize,
    /// What the server itself may reach.
    pub outbound: Policy,
    /// How backups are kept.
    pub backups: BackupOptions,
    /// How notifications are sent.
    pub notifications: NotificationOptions,
    /// What the file declares.
    pub declarations: Declarations,
    /// What an operator should know, for the log.
    pub warnings: Vec<String>,
}

/// The configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Puts flags, environment and file together.
    pub fn load(args: &ServeArgs) -> Result<Self, ConfigError> {
        let file = match &args.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        Self::build(args, &file).map_err(|ConfigError(message)| match &args.config {
            Some(path) => ConfigError(format!("{}: {message}", path.display())),
            None => ConfigError(message),
        })
    }

    fn build(args: &ServeArgs, file: &File) -> Result<Self, ConfigError> {
        let (server, bounds) = (&file.server, &file.limits);
        let mut warnings = Vec::new();
        let tls_cert = args.tls_cert.clone().or_else(|| server.tls_cert.clone());
        let tls_key = args.tls_key.clone().or_else(|| server.tls_key.clone());
        let tls = match (tls_cert, tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(ConfigError("tls_cert and tls_key belong together".to_owned())),
        };
        let seconds = |given: Option<Seconds>, default: f64| {
            given.map_or(Duration::from_secs_f64(default), Seconds::get)
        };
        let threads = args.threads.or(server.threads).unwrap_or_else(default_threads);
        if threads == 0 || threads > 256 {
            return Err(ConfigError("threads must be from 1 to 256".to_owned()));
        }
        let interactive = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let default_format = if interactive { LogFormat::Plain } else { LogFormat::Json };
        Ok(Self {
            listen: args.listen.or(server.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7077))),
            db: args.db.clone().or_else(|| server.db.clone()).unwrap_or_else(|| "fuseboard.db".into()),
            file: args.config.clone(),
            token: args.token.clone().filter(|token| !token.is_empty()).map(Secret::new),
            tls,
            insecure_no_auth: args.insecure_no_auth || server.insecure_no_auth,
            public_metrics: args.public_metrics || server.public_metrics,
            metrics_enabled: file.monitoring.metrics_enabled.unwrap_or(true),
            threads,
            log: args
                .log
                .clone()
                .or_else(|| file.monitoring.log_level.clone())
                .unwrap_or_else(|| "info".into()),
            log_format: args.log_format.or(file.monitoring.log_format).unwrap_or(default_format),
            head_timeout: seconds(server.head_timeout_seconds, 10.0),
            idle_timeout: seconds(server.idle_timeout_seconds, 120.0),
            request_timeout: seconds(server.request_timeout_seconds, 30.0),
            shutdown_delay: seconds(server.shutdown_delay_seconds, 1.0),
            drain: seconds(server.drain_seconds, 10.0),
            limits: file.limits()?,
            max_body_bytes: bounds.max_body_bytes.unwrap_or(4 << 20),
            max_requests_in_flight: bounds.max_requests_in_flight.unwrap_or(4096),
            max_connections: bounds.max_connections.unwrap_or(10_000),
            max_queued_writes: bounds.max_queued_writes.unwrap_or(10_000).max(1),
            outbound: file.outbound.policy()?,
            backups: BackupOptions {
                keys: backup_keys::keyring(&args.backup_keys, &file.backup, &mut warnings)?,
                ..file.backup.options()?
            },
            notifications: file.notifications.options()?,
            declarations: file.declarations()?,
            warnings,
        })
    }
}

fn retention(days: f64) -> Result<Duration, ConfigError> {
    let seconds = Seconds::try_from(days * 86_400.0).map_err(|_| {
        ConfigError("[limits] check_results_retention_days must be a number from 0 to 3650".to_owned())
    })?;
    Ok(seconds.get())
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4)
}

impl File {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError(format!("cannot read {}: {e}", path.display())))?;
        Self::parse(&text)
            .map_err(|ConfigError(message)| ConfigError(format!("{}: {message}", path.display())))
    }

    /// Parses a file's text; an unknown key is an error that names the nearest known one.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let message = with_suggestion(error.message());
            ConfigError(line.map_or(message.clone(), |line| format!("line {line}: {message}")))
        })
    }

    /// What the file declares, checked.
    pub fn declarations(&self) -> Result<Declarations, ConfigError> {
        let seed = &self.resilience;
        let mut breakers: BTreeMap<String, BreakerSpec> = seed
            .circuit_breaker
            .iter()
            .map(|(name, breaker)| {
                let spec = BreakerSpec {
                    failure_threshold: breaker.threshold.or(seed.circuit_breaker_threshold),
                    timeout_seconds: breaker.timeout_seconds.or(seed.circuit_breaker_timeout),
                    half_open_max_calls: breaker.half_open_max_calls,
                    ..BreakerSpec::default()
                };
                (name.clone(), spec)
            })
            .collect();
        let mut limiters: BTreeMap<String, LimiterSpec> = seed
            .rate_limits
            .iter()
            .map(|(name, rate)| {
                (name.clone(), LimiterSpec { requests_per_second: Some(*rate), ..LimiterSpec::default() })
            })
            .collect();
        if let Some(name) = self.breakers.keys().find(|name| breakers.contains_key(*name)) {
            return Err(twice("breaker", name));
        }
        if let Some(name) = self.limiters.keys().find(|name| limiters.contains_key(*name)) {
            return Err(twice("limiter", name));
        }
        if self.gates.contains_key("evaluate") {
            // Its path is that of gates without a name.
            return Err(ConfigError("[gates.evaluate]: the name is taken; choose another one".to_owned()));
        }
        let mut thresholds = BTreeMap::new();
        for (id, spec) in &self.thresholds {
            thresholds.insert(id.clone(), alerts::completed(id, spec.clone())?);
        }
        breakers.extend(self.breakers.clone());
        limiters.extend(self.limiters.clone());
        Ok(Declarations {
            breakers: checked("breakers", breakers, |spec| BreakerConfig::try_from(spec).map(drop))?,
            limiters: checked("limiters", limiters, |spec| LimiterConfig::try_from(spec).map(drop))?,
            retry_policies: checked("retry_policies", self.retry_policies.clone(), |spec| {
                RetryPolicyConfig::try_from(spec).map(drop)
            })?,
            checks: checked("checks", self.checks.clone(), |spec| CheckConfig::try_from(spec).map(drop))?,
            seed_checks: checked("health_checks", self.health_checks.push_checks()?, |spec| {
                CheckConfig::try_from(spec).map(drop)
            })?,
            gates: checked("gates", self.gates.clone(), |spec| GateConfig::try_from(spec).map(drop))?,
            schedules: checked("schedules", self.schedules.clone(), |spec| {
                ScheduleConfig::try_from(spec).map(drop)
            })?,
            retention: checked("retention", self.retention.clone(), |spec| {
                RetentionPolicy::try_from(spec).map(drop)
            })?,
            metrics: self.metrics.rules()?,
            thresholds: checked("thresholds", thresholds, |spec| ThresholdConfig::try_from(spec).map(drop))?,
            built_in_thresholds: self.alerts.built_in(self.health_checks.alert_on_failure)?,
            receivers: checked("receivers", self.receivers.clone(), |spec| {
                ReceiverConfig::try_from(spec).map(drop)
            })?,
            routes: checked("routes", self.routes.clone(), |spec| RouteConfig::try_from(spec).map(drop))?,
            maintenance_windows: checked("maintenance_windows", self.maintenance_windows.clone(), |spec| {
                MaintenanceWindowConfig::try_from(spec).map(drop)
            })?,
            breakers_enabled: seed.circuit_breaker_enabled,
            checks_enabled: self.health_checks.enabled.unwrap_or(true),
        })
    }
}

impl HealthChecksSection {
    fn push_checks(&self) -> Result<BTreeMap<String, CheckSpec>, ConfigError> {
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

fn twice(kind: &str, name: &str) -> ConfigError {
    ConfigError(format!("the {kind} {name:?} is declared twice: in [resilience] and in a section of its own"))
}

fn checked<S: Clone>(
    section: &str,
    specs: BTreeMap<String, S>,
    check: impl Fn(S) -> Result<(), InvalidConfig>,
) -> Result<Vec<(Name, S)>, ConfigError> {
    specs
        .into_iter()
        .map(|(name, spec)| {
            let valid = Name::try_from(name.as_str())
                .map_err(|error| ConfigError(format!("[{section}] {name:?}: {error}")))?;
            check(spec.clone()).map_err(|error| {
                ConfigError(format!("[{section}.{name}] {}: {}", error.field, error.message))
            })?;
            Ok((valid, spec))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_loads() {
        let file = File::parse(include_str!("../fuseboard.toml")).unwrap();
        let declared = file.declarations().unwrap();
        assert!(declared.breakers_enabled);
        assert!(!declared.breakers.is_empty() && !declared.limiters.is_empty());
        assert!(!declared.checks.is_empty() && !declared.gates.is_empty());
        assert!(!declared.seed_checks.is_empty());
        assert!(!declared.schedules.is_empty() && !declared.thresholds.is_empty());
    }

    #[test]
    fn the_seeds_sections_load() {
        let file = File::parse(
            r#"
            [resilience]
            circuit_breaker_enabled = true
            circuit_breaker_threshold = 7
            circuit_breaker_timeout = 30
            [resilience.rate_limits]
            kraken = 10
            binance = 15
            coinbasepro = 8
            default = 5
            [resilience.circuit_breaker.kraken_api]
            timeout_seconds = 60
            half_open_max_calls = 2
            [health_checks]
            enabled = true
            interval_seconds = 60
            alert_on_failure = true
            checks = ["backtest", "exchange"]
            [backup]
            enabled = true
            interval_hours = 24
            retention_days = 30
            compress = true
            [monitoring]
            log_level = "INFO"
            log_format = "json"
            metrics_enabled = true
            "#,
        )
        .unwrap();
        let declared = file.declarations().unwrap();
        let (name, breaker) = &declared.breakers[0];
        assert_eq!(name.as_str(), "kraken_api");
        assert_eq!((breaker.failure_threshold, breaker.timeout_seconds), (Some(7), Some(60.0)));
        assert_eq!(declared.limiters.len(), 4);
        let (name, check) = &declared.seed_checks[0];
        assert_eq!((name.as_str(), check.stale_after_seconds), ("backtest", Some(180.0)));
        assert!(declared.checks_enabled);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("[servr]\n", "did you mean `server`?"),
            ("\n[server]\nlistn = '127.0.0.1:1'\n", "line 3: unknown field `listn`"),
            ("[server]\nlisten = 'nowhere'\n", "line 2"),
            ("[breakers.a]\nfailure_treshold = 3\n", "did you mean `failure_threshold`?"),
            ("[schedules.a]\ncorn = '@daily'\n", "did you mean `cron`?"),
            ("[metrics]\nmax_serie = 3\n", "did you mean `max_series`?"),
            ("x = ", "line 1"),
        ] {
            let error = File::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
        for (text, wanted) in [
            ("[breakers.a]\nfailure_threshold = 0\n", "[breakers.a] failure_threshold: "),
            ("[breakers.\"a b\"]\n", "[breakers] \"a b\": a name is"),
            (
                "[limiters.a]\nalgorithm = 'sliding_window'\nlimit = 0\nperiod_seconds = 1\n",
                "[limiters.a] limit: ",
            ),
            ("[checks.a]\nkind = 'http'\n", "[checks.a] url: "),
            ("[checks.a]\nkind = 'push'\nurl = 'http://x'\n", "[checks.a] url: does not apply"),
            ("[gates.a]\n", "[gates.a] checks: "),
            ("[health_checks]\nchecks = ['a b']\n", "[health_checks] \"a b\": a name is"),
            (
                "[health_checks]\ninterval_seconds = 0\nchecks = ['a']\n",
                "[health_checks] interval_seconds must",
            ),
            ("[gates.evaluate]\nchecks = ['a']\n", "[gates.evaluate]: the name is taken"),
            (
                "[schedules.a]\ncron = '61 * * * *'\naction = { kind = 'run_checks' }\n",
                "[schedules.a] cron: ",
            ),
            ("[limiters.a]\n[resilience.rate_limits]\na = 1\n", "declared twice"),
            ("[metrics]\nbuckets = [1, 1]\n", "[metrics] buckets: must be"),
            ("[metrics]\nttl_seconds = 0\n", "[metrics] ttl_seconds must"),
            (
                "[metrics.timer_buckets]\na = { start = 0, factor = 2, count = 3 }\n",
                "[metrics] timer_buckets.a: must be",
            ),
        ] {
            let error = File::parse(text).unwrap().declarations().unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn networks_are_checked() {
        let build = |text| Config::build(&ServeArgs::default(), &File::parse(text).unwrap());
        let config = build(
            "[outbound]\nallow = ['10.0.0.0/8', '169.254.169.254']\ndeny = ['10.9.0.0/16']\nallow_only = true\n",
        );
        let policy = config.unwrap().outbound;
        for (address, may) in
            [("10.0.0.1", true), ("169.254.169.254", true), ("10.9.0.1", false), ("1.1.1.1", false)]
        {
            assert_eq!(policy.check(address.parse().unwrap()).is_ok(), may, "{address}");
        }
        for (text, wanted) in [
            ("[outbound]\nallow = ['10.0.0.0/33']\n", "[outbound] allow: \"10.0.0.0/33\" is not a network"),
            ("[outbound]\ndeny = ['example.com']\n", "[outbound] deny: \"example.com\" is not a network"),
            ("[outbound]\ndeny = ['10.0.0.1/8']\n", "[outbound] deny: "),
        ] {
            let error = build(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
        for (text, wanted) in [
            ("[outbound]\nalow = []\n", "did you mean `allow`?"),
            ("[outbound]\nallow = '10.0.0.0/8'\n", "line 2: "),
        ] {
            let error = File::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn flags_win_over_the_file_and_secrets_do_not_print() {
        let file = File::parse("[server]\nlisten = '127.0.0.1:1'\ndb = 'file.db'\n").unwrap();
        let args = ServeArgs {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
            token: Some("hunter2".into()),
            ..ServeArgs::default()
        };
        let config = Config::build(&args, &file).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.db, PathBuf::from("file.db"));
        for (limits, wanted) in [
            ("max_check_runs = 0", "[limits] max_check_runs must"),
            ("check_results_retention_days = -1", "[limits] check_results_retention_days must"),
        ] {
            let file = File::parse(&format!("[limits]\n{limits}\n")).unwrap();
            let error = Config::build(&args, &file).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
