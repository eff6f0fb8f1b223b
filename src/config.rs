//! All that can be set from outside, read once: flag over environment over file over default.

mod alerts;
mod backup;
mod backup_keys;
mod declarations;
mod limits;
mod metrics;
mod sections;
mod status_page;

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
pub use declarations::Declarations;
pub use limits::LimitsSection;
pub use metrics::MetricsSection;
pub use sections::{
    HealthChecksSection, MonitoringSection, NotificationsSection, OutboundSection, ResilienceSection,
    SeedBreaker, ServerSection,
};
pub use status_page::{StatusPage, StatusPageSection};

use crate::{
    app::{Limits, backups::BackupOptions, notifications::NotificationOptions, tokens::Secret},
    domain::{
        Seconds,
        breaker::BreakerSpec,
        check::CheckSpec,
        gate::GateSpec,
        limiter::LimiterSpec,
        notify::{MaintenanceWindowSpec, ReceiverSpec, RouteSpec},
        retention::RetentionSpec,
        retry::RetryPolicySpec,
        schedule::ScheduleSpec,
        threshold::ThresholdSpec,
    },
    http::json::with_suggestion,
    outbound::Policy,
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
    /// What everybody may see.
    pub status_page: StatusPageSection,
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
    /// For how many seconds browsers are to ask this host by TLS only.
    pub hsts_max_age_seconds: Option<u64>,
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
    /// What everybody may see at `/status`, if anything.
    pub status_page: Option<StatusPage>,
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
        if server.hsts_max_age_seconds.is_some() && tls.is_none() {
            return Err(ConfigError("hsts_max_age_seconds needs tls_cert and tls_key".to_owned()));
        }
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
            hsts_max_age_seconds: server.hsts_max_age_seconds,
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
            status_page: file.status_page.page()?,
            declarations: file.declarations()?,
            warnings,
        })
    }
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
}

#[cfg(test)]
mod tests;
