//! The server's own metrics.

use std::sync::OnceLock;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::{
    app::calls::{DenyReason, OutcomeRefusal},
    domain::breaker::Outcome,
};

/// The statuses that the server answers with; each has its own counter per route.
const STATUSES: [u16; 23] = [
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 422, 429, 431, 500, 503,
    507, 0,
];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"];

const REQUEST_BUCKETS: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Every metric that the server keeps of itself. Those of breakers and limiters are read from their state when
/// `/metrics` is asked for.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    routes: Vec<RouteMetrics>,
    requests: IntCounterVec,
    /// Requests being worked on.
    pub requests_in_flight: IntGauge,
    /// Requests refused because too many were being worked on.
    pub requests_shed: IntCounter,
    /// Open connections.
    pub connections: IntGauge,
    /// Open event streams.
    pub event_streams: IntGauge,
    decisions: [IntCounter; 5],
    outcomes: [IntCounter; 3],
    outcomes_refused: [IntCounter; 4],
    /// Calls that never reported.
    pub expired_calls: IntCounter,
    /// Calls that have entered and not reported.
    pub calls_in_flight: IntGauge,
    /// Operations waiting for the writer.
    pub writer_queue: IntGauge,
    /// Duration of transactions.
    pub commit_seconds: Histogram,
    /// Operations per transaction.
    pub commit_operations: Histogram,
    /// Writes that failed, by reason.
    pub write_errors: IntCounterVec,
    /// Events that are not on disk yet.
    pub journal_waiting: IntGauge,
    /// Events lost to history because the disk took none for too long.
    pub journal_dropped: IntGauge,
    /// Whether the database file is whole.
    pub database: DatabaseGauges,
    /// How much checks have to do.
    pub checks: CheckGauges,
    /// What was done with backups.
    pub backups: BackupCounters,
    /// Thresholds and alerts.
    pub alerts: AlertFigures,
    /// What became of notifications.
    pub notifications: NotificationMetrics,
    /// Failed or late steps of background tasks.
    pub task_failures: IntCounterVec,
}

/// What was done with backups.
#[derive(Debug)]
pub struct BackupCounters {
    /// Verifications, by what they found.
    pub verifications: IntCounterVec,
    /// Backups that rules of retention deleted.
    pub pruned: IntCounter,
    /// Stored bytes that were freed.
    pub freed_bytes: IntCounter,
}

impl BackupCounters {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let verifications = IntCounterVec::new(
            Opts::new("fuseboard_backup_verifications_total", "Verifications, by what they found."),
            &["result"],
        )?;
        Ok(Self {
            verifications: register(registry, verifications)?,
            pruned: counter("fuseboard_backups_pruned_total", "Backups that rules of retention deleted.")?,
            freed_bytes: counter("fuseboard_backup_freed_bytes_total", "Stored bytes that were freed.")?,
        })
    }

    /// Notes what a verification found.
    pub fn verified(&self, is_whole: bool) {
        self.verifications.with_label_values(&[if is_whole { "valid" } else { "damaged" }]).inc();
    }
}

/// Thresholds and alerts.
#[derive(Debug)]
pub struct AlertFigures {
    /// Values that thresholds were shown.
    pub evaluations: IntCounter,
    /// Series that a threshold did not remember because it has too many.
    pub refused_series: IntCounter,
    /// What happened to alerts, by event.
    pub transitions: IntCounterVec,
    /// Alerts that are firing, by level.
    pub firing: IntGaugeVec,
    /// Thresholds.
    pub thresholds: IntGauge,
    /// Series that thresholds remember.
    pub series: IntGauge,
}

fn build_info() -> Result<IntGauge, prometheus::Error> {
    let info = Opts::new("fuseboard_build_info", "Version of the server; always 1.");
    let build = IntGauge::with_opts(info.const_label("version", env!("CARGO_PKG_VERSION")))?;
    build.set(1);
    Ok(build)
}

impl AlertFigures {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let transitions = Opts::new("fuseboard_alert_transitions_total", "What happened to alerts.");
        let firing = Opts::new("fuseboard_alerts_firing", "Alerts that are firing.");
        Ok(Self {
            evaluations: counter(
                "fuseboard_threshold_evaluations_total",
                "Values that thresholds were shown.",
            )?,
            refused_series: counter(
                "fuseboard_threshold_series_refused_total",
                "Values of series that a threshold did not remember because it has too many.",
            )?,
            transitions: register(registry, IntCounterVec::new(transitions, &["kind"])?)?,
            firing: register(registry, IntGaugeVec::new(firing, &["level"])?)?,
            thresholds: gauge("fuseboard_thresholds", "Thresholds, the board's own included.")?,
            series: gauge("fuseboard_threshold_series", "Series that thresholds remember.")?,
        })
    }
}

/// What became of notifications.
#[derive(Debug)]
pub struct NotificationMetrics {
    attempts: IntCounterVec,
    seconds: HistogramVec,
    /// Those that are to be delivered.
    pub pending: IntGauge,
    /// Those that are being sent.
    pub in_flight: IntGauge,
    /// Those that were given up and are kept.
    pub dead: IntGauge,
    /// Groups of alerts that are told together.
    pub groups: IntGauge,
    /// Silences that hold.
    pub silences: IntGauge,
    /// Alerts that fire and of which nobody is told.
    pub silenced_alerts: IntGauge,
}

impl NotificationMetrics {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let attempts = IntCounterVec::new(
            Opts::new(
                "fuseboard_notification_attempts_total",
                "Attempts to deliver notifications, by kind of receiver and result.",
            ),
            &["kind", "result"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "fuseboard_notification_duration_seconds",
                "Duration of attempts to deliver notifications, by kind of receiver.",
            )
            .buckets(REQUEST_BUCKETS.to_vec()),
            &["kind"],
        )?;
        let attempts = register(registry, attempts)?;
        for kind in crate::domain::notify::ReceiverKind::ALL {
            for result in ["delivered", "failed"] {
                attempts.with_label_values(&[kind.as_str(), result]);
            }
        }
        Ok(Self {
            attempts,
            seconds: register(registry, seconds)?,
            pending: gauge("fuseboard_notifications_pending", "Notifications that are to be delivered.")?,
            in_flight: gauge("fuseboard_notifications_in_flight", "Notifications that are being sent.")?,
            dead: gauge("fuseboard_notifications_dead", "Notifications that were given up and are kept.")?,
            groups: gauge("fuseboard_notification_groups", "Groups of alerts that are told together.")?,
            silences: gauge("fuseboard_silences_active", "Silences that hold.")?,
            silenced_alerts: gauge(
                "fuseboard_alerts_silenced",
                "Alerts that fire and of which nobody is told, because of silences or maintenance windows.",
            )?,
        })
    }

    /// Notes an attempt to deliver to a receiver of a kind.
    pub fn attempted(&self, kind: &str, is_delivered: bool, seconds: f64) {
        let result = if is_delivered { "delivered" } else { "failed" };
        self.attempts.with_label_values(&[kind, result]).inc();
        self.seconds.with_label_values(&[kind]).observe(seconds);
    }
}

/// Whether the database file is whole.
#[derive(Debug)]
pub struct DatabaseGauges {
    /// 1 if the last check found damage.
    pub damaged: IntGauge,
    /// When that was, in seconds since 1970.
    pub checked: IntGauge,
}

impl DatabaseGauges {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            damaged: gauge(
                "fuseboard_database_damaged",
                "1 if the last check of the database file found damage.",
            )?,
            checked: gauge(
                "fuseboard_database_check_timestamp_seconds",
                "When the database file was last checked as a whole; 0 before the first time.",
            )?,
        })
    }
}

/// How much checks have to do.
#[derive(Debug)]
pub struct CheckGauges {
    /// Runs in flight.
    pub runs_in_flight: IntGauge,
    /// Runs that wait for a place.
    pub runs_waiting: IntGauge,
    /// Results that are not on disk yet.
    pub results_waiting: IntGauge,
    /// Results lost to history because the disk took none for too long.
    pub results_dropped: IntGauge,
}

impl CheckGauges {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        Ok(Self {
            runs_in_flight: gauge("fuseboard_check_runs_in_flight", "Runs of checks in flight.")?,
            runs_waiting: gauge(
                "fuseboard_check_runs_waiting",
                "Runs of checks that are due and wait for a place.",
            )?,
            results_waiting: gauge(
                "fuseboard_check_results_waiting",
                "Results of checks that are not on disk yet.",
            )?,
            results_dropped: gauge(
                "fuseboard_check_results_dropped",
                "Results of checks lost to history since the start because the disk took none for too long.",
            )?,
        })
    }
}

#[derive(Debug)]
struct RouteMetrics {
    route: &'static str,
    seconds: Histogram,
    counts: Box<[OnceLock<IntCounter>]>,
}

impl Telemetry {
    /// All metrics, for these routes.
    pub fn new(routes: &[&'static str]) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        register(&registry, build_info()?)?;
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let counter = |name: &str, help: &str| register(&registry, IntCounter::new(name, help)?);
        let gauge = |name: &str, help: &str| register(&registry, IntGauge::new(name, help)?);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let seconds = register(
            &registry,
            HistogramVec::new(
                HistogramOpts::new(
                    "fuseboard_http_request_duration_seconds",
                    "Duration of requests, by route.",
                )
                .buckets(REQUEST_BUCKETS.to_vec()),
                &["route"],
            )?,
        )?;
        let requests =
            counters("fuseboard_http_requests_total", "Requests answered.", &["route", "method", "status"])?;
        let routes = routes
            .iter()
            .map(|&route| RouteMetrics {
                route,
                seconds: seconds.with_label_values(&[route]),
                counts: (0..METHODS.len() * STATUSES.len()).map(|_| OnceLock::new()).collect(),
            })
            .collect();
        let decisions = counters(
            "fuseboard_call_decisions_total",
            "Decisions on calls: allowed, or why refused.",
            &["decision"],
        )?;
        let outcomes =
            counters("fuseboard_call_outcomes_total", "Outcomes that were recorded.", &["outcome"])?;
        let refused = counters(
            "fuseboard_call_outcomes_refused_total",
            "Outcomes that moved nothing, by reason.",
            &["reason"],
        )?;
        Ok(Self {
            routes,
            requests,
            requests_in_flight: gauge("fuseboard_http_requests_in_flight", "Requests being worked on.")?,
            requests_shed: counter("fuseboard_http_requests_shed_total", "Requests refused to shed load.")?,
            connections: gauge("fuseboard_http_connections", "Open connections.")?,
            event_streams: gauge("fuseboard_event_streams", "Open event streams.")?,
            decisions: ["allowed", "breaker_open", "half_open_full", "rate_limited", "concurrency_full"]
                .map(|label| decisions.with_label_values(&[label])),
            outcomes: ["success", "failure", "ignored"].map(|label| outcomes.with_label_values(&[label])),
            outcomes_refused: ["duplicate", "expired", "stale_generation", "unknown"]
                .map(|label| refused.with_label_values(&[label])),
            expired_calls: counter("fuseboard_calls_expired_total", "Calls that never reported an outcome.")?,
            calls_in_flight: gauge(
                "fuseboard_calls_in_flight",
                "Calls that entered and did not report yet.",
            )?,
            writer_queue: gauge("fuseboard_writer_queue_operations", "Operations waiting for the disk.")?,
            commit_seconds: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "fuseboard_writer_commit_duration_seconds",
                        "Duration of transactions.",
                    )
                    .buckets(REQUEST_BUCKETS.to_vec()),
                )?,
            )?,
            commit_operations: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("fuseboard_writer_commit_operations", "Operations per transaction.")
                        .buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
                )?,
            )?,
            write_errors: counters(
                "fuseboard_writer_errors_total",
                "Transactions that failed, by reason.",
                &["reason"],
            )?,
            journal_waiting: gauge("fuseboard_journal_waiting_events", "Events that are not on disk yet.")?,
            journal_dropped: gauge(
                "fuseboard_journal_dropped_events",
                "Events lost to history since the start because the disk took none for too long.",
            )?,
            database: DatabaseGauges::new(&registry)?,
            checks: CheckGauges::new(&registry)?,
            backups: BackupCounters::new(&registry)?,
            alerts: AlertFigures::new(&registry)?,
            notifications: NotificationMetrics::new(&registry)?,
            task_failures: counters(
                "fuseboard_task_failures_total",
                "Background steps that failed, panicked or took too long.",
                &["task"],
            )?,
            registry,
        })
    }

    /// Notes an answered request.
    pub fn count_request(&self, route: usize, method: &str, status: u16, seconds: f64) {
        let Some(metrics) = self.routes.get(route) else { return };
        metrics.seconds.observe(seconds);
        let m = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let s = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len() - 1);
        metrics.counts[m * STATUSES.len() + s]
            .get_or_init(|| {
                let status = if STATUSES[s] == 0 { "other".to_owned() } else { status.to_string() };
                self.requests.with_label_values(&[metrics.route, METHODS[m], &status])
            })
            .inc();
    }

    /// Notes a decision on a call.
    pub fn count_decision(&self, refused: Option<DenyReason>) {
        let i = match refused {
            None => 0,
            Some(DenyReason::BreakerOpen) => 1,
            Some(DenyReason::HalfOpenFull) => 2,
            Some(DenyReason::RateLimited) => 3,
            Some(DenyReason::ConcurrencyFull) => 4,
        };
        self.decisions[i].inc();
    }

    /// Notes a reported outcome.
    pub fn count_outcome(&self, outcome: Outcome, refused: Option<OutcomeRefusal>) {
        self.count_outcomes(outcome, refused, 1);
    }

    /// Notes so many of them.
    pub fn count_outcomes(&self, outcome: Outcome, refused: Option<OutcomeRefusal>, calls: u64) {
        let counter = match refused {
            None => match outcome {
                Outcome::Success => &self.outcomes[0],
                Outcome::Failure => &self.outcomes[1],
                Outcome::Ignored => &self.outcomes[2],
            },
            Some(OutcomeRefusal::Duplicate) => &self.outcomes_refused[0],
            Some(OutcomeRefusal::Expired) => &self.outcomes_refused[1],
            Some(OutcomeRefusal::StaleGeneration) => &self.outcomes_refused[2],
            Some(OutcomeRefusal::Unknown) => &self.outcomes_refused[3],
        };
        counter.inc_by(calls);
    }

    /// All of them, as they are now.
    #[must_use]
    pub fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
