//! Use cases: what HTTP, tasks and the command line do with the board. Owns the live state.

mod actions;
pub mod alertmanager;
pub mod alerts;
pub mod backups;
pub mod board;
pub mod breakers;
mod call_table;
pub mod calls;
pub mod checks;
mod clients;
mod database;
pub mod definitions;
mod error;
pub mod events;
pub mod gates;
pub mod health;
pub mod idempotency;
pub mod journal;
pub mod limiters;
pub mod maintenance_windows;
pub mod metrics;
pub mod notifications;
mod pulse;
pub mod push_groups;
pub mod receivers;
mod registry;
pub mod replica;
pub mod retention;
pub mod retry_policies;
pub mod routes;
pub mod schedules;
pub mod silences;
mod snapshot;
pub mod thresholds;
mod timers;
pub mod tokens;
mod uuid;

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    clock::Clock,
    domain::{breaker::BreakerConfig, push_group::GroupLimits, series::SeriesLimits},
    outbound::Outbound,
    store::{Store, StoreError, objects::Objects},
    telemetry::Telemetry,
};

pub use crate::domain::text;
pub use call_table::{CallId, CallTable};
pub use error::{AppError, FieldError};
pub use registry::Registry;
pub use snapshot::Stop;

use alerts::Alerts;
use backups::{BackupOptions, Backups};
use breakers::BreakerCell;
use checks::{CheckCell, pings::Pings, results::Results, runs::Runs};
use clients::Clients;
use gates::{AdHoc, GateCell};
use idempotency::Answers;
use journal::Journal;
use limiters::LimiterCell;
use maintenance_windows::MaintenanceWindowCell;
use metrics::Metrics;
use notifications::{NotificationOptions, Notifications};
use pulse::Pulse;
use push_groups::PushGroups;
use receivers::ReceiverCell;
use retention::RetentionCell;
use retry_policies::RetryPolicyCell;
use routes::RouteCell;
use schedules::{ScheduleCell, runs::ScheduleRuns};
use silences::Silences;
use thresholds::{ThresholdCell, Watched};
use timers::Timers;
use tokens::Tokens;
use uuid::uuid;

/// The bounds of the board. Reaching one is an error that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Breakers.
    pub max_breakers: usize,
    /// Limiters.
    pub max_limiters: usize,
    /// Retry policies.
    pub max_retry_policies: usize,
    /// Checks.
    pub max_checks: usize,
    /// Runs of checks at once; further ones wait.
    pub max_check_runs: usize,
    /// Results kept of one check.
    pub max_results_per_check: usize,
    /// How long results are kept.
    pub check_results_retention: Duration,
    /// Gates.
    pub max_gates: usize,
    /// Pushed metrics and their series.
    pub series: SeriesLimits,
    /// Groups of pushed metrics.
    pub push_groups: GroupLimits,
    /// Calls that have entered and not reported.
    pub max_calls_in_flight: usize,
    /// Schedules.
    pub max_schedules: usize,
    /// Policies of retention.
    pub max_retention_policies: usize,
    /// Types of backups.
    pub max_backup_types: usize,
    /// Thresholds.
    pub max_thresholds: usize,
    /// Series that one threshold remembers: those that breach it or did lately, and with `no_data = "alert"` all.
    pub max_series_per_threshold: usize,
    /// Alerts kept that are over.
    pub max_alerts: usize,
    /// How long they are kept.
    pub alerts_retention: Duration,
    /// Alerts from outside that are firing.
    pub max_external_alerts: usize,
    /// Receivers of notifications.
    pub max_receivers: usize,
    /// Routes, without those inside of them.
    pub max_routes: usize,
    /// Silences, those that are over and still kept included.
    pub max_silences: usize,
    /// Maintenance windows.
    pub max_maintenance_windows: usize,
    /// Events kept for the whole board.
    pub max_events: usize,
    /// Events kept for one resource.
    pub max_events_per_resource: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_breakers: 200_000,
            max_limiters: 200_000,
            max_retry_policies: 10_000,
            max_checks: 10_000,
            max_check_runs: 128,
            max_results_per_check: 1_000,
            check_results_retention: Duration::from_secs(30 * 86_400),
            max_gates: 10_000,
            series: SeriesLimits::default(),
            push_groups: GroupLimits::default(),
            max_calls_in_flight: 1_000_000,
            max_schedules: 10_000,
            max_retention_policies: 10_000,
            max_backup_types: 10_000,
            max_thresholds: 10_000,
            max_series_per_threshold: 10_000,
            max_alerts: 100_000,
            alerts_retention: Duration::from_secs(90 * 86_400),
            max_external_alerts: 10_000,
            max_receivers: 1_000,
            max_routes: 1_000,
            max_silences: 10_000,
            max_maintenance_windows: 1_000,
            max_events: 1_000_000,
            max_events_per_resource: 1_000,
        }
    }
}

/// The board: live state in memory, what must survive in the store.
#[derive(Debug)]
pub struct Board {
    /// Steady and wall time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// The bounds.
    pub limits: Limits,
    /// The server's own metrics.
    pub telemetry: Arc<Telemetry>,
    /// Breakers by name.
    pub breakers: Registry<BreakerCell>,
    /// Limiters by name.
    pub limiters: Registry<LimiterCell>,
    /// Retry policies by name.
    pub retry_policies: Registry<RetryPolicyCell>,
    /// Checks by name.
    pub checks: Registry<CheckCell>,
    /// Results of checks on their way to the disk.
    pub results: Results,
    /// Runs of checks.
    pub runs: Runs,
    /// Gates by name.
    pub gates: Registry<GateCell>,
    /// Gates without a name.
    pub ad_hoc: AdHoc,
    /// Backups.
    pub backups: Backups,
    /// Policies of retention by type of backups.
    pub retention: Registry<RetentionCell>,
    /// Metrics that clients push.
    pub series: Metrics,
    /// Groups of metrics that are pushed whole.
    pub push_groups: PushGroups,
    /// Calls in flight.
    pub calls: CallTable,
    /// Schedules by name.
    pub schedules: Registry<ScheduleCell>,
    /// Runs of schedules.
    pub schedule_runs: ScheduleRuns,
    /// Thresholds by id.
    pub thresholds: Registry<ThresholdCell>,
    /// Which of them look at what.
    pub watched: Watched,
    /// Alerts.
    pub alerts: Alerts,
    /// Receivers of notifications by name.
    pub receivers: Registry<ReceiverCell>,
    /// Routes by name.
    pub routes: Registry<RouteCell>,
    /// Silences.
    pub silences: Silences,
    /// Maintenance windows by name.
    pub maintenance_windows: Registry<MaintenanceWindowCell>,
    /// Notifications.
    pub notifications: Notifications,
    /// What happened.
    pub journal: Journal,
    /// Answers to repeat.
    pub answers: Arc<Answers>,
    /// Who may do what.
    pub tokens: Tokens,
    /// Makes requests of its own.
    pub outbound: Outbound,
    breakers_enabled: std::sync::atomic::AtomicBool,
    clients: Clients,
    timers: Timers<BreakerCell>,
    pings: Pings,
    dirty: Dirty,
    pulse: Pulse,
    configs: Mutex<foldhash::HashMap<String, std::sync::Weak<BreakerConfig>>>,
}

/// What has changed since the last snapshot.
#[derive(Debug, Default)]
struct Dirty {
    breakers: Mutex<Vec<Arc<BreakerCell>>>,
    limiters: Mutex<Vec<Arc<LimiterCell>>>,
    retry_policies: Mutex<Vec<Arc<RetryPolicyCell>>>,
    checks: Mutex<Vec<Arc<CheckCell>>>,
    /// The last event when the history of the whole board was pruned; 0 before the first time.
    pruned_at: std::sync::atomic::AtomicI64,
    /// Resources with new events since the last pruning.
    noisy: Mutex<foldhash::HashMap<(&'static str, crate::domain::Name), usize>>,
}

impl Board {
    /// Loads everything from the store and goes on where the last process stopped.
    pub async fn load(
        clock: Clock,
        store: Store,
        limits: Limits,
        telemetry: Arc<Telemetry>,
        outbound: Outbound,
        (backups, objects): (BackupOptions, Option<Objects>),
        notifications: NotificationOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let (loaded, seed) = snapshot::read(&store, &clock).await?;
        let board = Arc::new(Self {
            checks: Registry::default(),
            results: Results::new(loaded.last_result()),
            runs: Runs::new(limits.max_check_runs),
            gates: Registry::default(),
            ad_hoc: AdHoc::default(),
            backups: Backups::new(backups, objects),
            retention: Registry::default(),
            pings: Pings::new(loaded.ping_secret()),
            push_groups: PushGroups::new(limits.push_groups, clock.wall()),
            store,
            telemetry,
            breakers: Registry::default(),
            limiters: Registry::default(),
            series: Metrics::new(limits.series),
            retry_policies: Registry::default(),
            calls: CallTable::new(loaded.call_key(), loaded.next_call()),
            schedules: Registry::default(),
            schedule_runs: ScheduleRuns::default(),
            thresholds: Registry::default(),
            watched: Watched::default(),
            alerts: Alerts::new(loaded.last_alert()),
            receivers: Registry::default(),
            routes: Registry::default(),
            silences: Silences::default(),
            maintenance_windows: Registry::default(),
            notifications: Notifications::new(notifications, clock.wall()),
            journal: Journal::new(loaded.last_event()),
            answers: Arc::default(),
            tokens: Tokens::default(),
            outbound,
            breakers_enabled: std::sync::atomic::AtomicBool::new(true),
            clients: Clients::new(seed),
            timers: Timers::default(),
            dirty: Dirty::default(),
            pulse: Pulse::default(),
            configs: Mutex::default(),
            limits,
            clock,
        });
        snapshot::restore(&board, loaded).await?;
        Ok(board)
    }

    /// Whether breakers are asked at all. Off, every call passes its breaker.
    #[must_use]
    pub fn breakers_enabled(&self) -> bool {
        self.breakers_enabled.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Switches all breakers on or off.
    pub fn set_breakers_enabled(&self, enabled: bool) {
        self.breakers_enabled.store(enabled, std::sync::atomic::Ordering::Relaxed);
    }

    /// After a failed write, tries a small one, so that readiness returns with the disk.
    pub async fn probe_disk(&self) -> Result<(), StoreError> {
        if self.store.writer.health().error().is_none() {
            return Ok(());
        }
        let now = self.clock.wall().to_string();
        self.store
            .writer
            .write(move |connection| {
                Box::pin(
                    async move { crate::store::sqlite::board::board_put(connection, "probe", &now).await },
                )
            })
            .await
    }

    /// Brings the metrics up to date that are read rather than counted.
    pub fn refresh_telemetry(&self) {
        let gauge =
            |gauge: &prometheus::IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        let health = self.store.writer.health();
        let (waiting, dropped) = self.journal.backlog();
        gauge(&self.telemetry.calls_in_flight, self.calls.len());
        gauge(&self.telemetry.writer_queue, health.depth());
        gauge(&self.telemetry.journal_waiting, waiting);
        gauge(&self.telemetry.journal_dropped, usize::try_from(dropped).unwrap_or(usize::MAX));
        let alerts = &self.telemetry.alerts;
        gauge(&alerts.thresholds, self.thresholds.len());
        gauge(&alerts.series, self.watched.remembered());
        for (level, count) in self.alerts.count_firing() {
            gauge(&alerts.firing.with_label_values(&[level.as_str()]), count);
        }
        let (running, in_line) = self.runs.load();
        let (unsaved, lost) = self.results.backlog();
        gauge(&self.telemetry.checks.runs_in_flight, running);
        gauge(&self.telemetry.checks.runs_waiting, in_line);
        gauge(&self.telemetry.checks.results_waiting, unsaved);
        gauge(&self.telemetry.checks.results_dropped, usize::try_from(lost).unwrap_or(usize::MAX));
        self.refresh_notification_telemetry();
        for commit in health.take_commits() {
            self.telemetry.commit_seconds.observe(commit.took.as_secs_f64());
            self.telemetry
                .commit_operations
                .observe(f64::from(u32::try_from(commit.operations).unwrap_or(u32::MAX)));
        }
        for (reason, count) in health.take_errors() {
            self.telemetry.write_errors.with_label_values(&[reason]).inc_by(count);
        }
    }

    /// One shared copy of equal breaker configurations: thousands of breakers have the same.
    pub(crate) fn shared_config(&self, config: BreakerConfig) -> Arc<BreakerConfig> {
        let key =
            serde_json::to_string(&crate::domain::breaker::BreakerSpec::from(&config)).unwrap_or_default();
        let mut configs = self.configs.lock();
        if let Some(shared) = configs.get(&key).and_then(std::sync::Weak::upgrade) {
            return shared;
        }
        if configs.len() >= 1024 {
            configs.retain(|_, config| config.strong_count() > 0);
        }
        let shared = Arc::new(config);
        configs.insert(key, Arc::downgrade(&shared));
        shared
    }
}
