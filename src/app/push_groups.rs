//! Groups of metrics that are pushed whole, as to Pushgateway: kept in memory behind one short lock, saved within a second.
//!
//! Bodies are parsed and given their group's labels without the lock, and what a push replaces is dropped without it.

mod save;

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use foldhash::fast::RandomState;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::{AppError, Board, thresholds::Observed};
use crate::domain::{
    GroupingKey, LabelSet, Seconds, Time,
    exposition::{Format, MetricFamily, MetricType},
    push_group::{
        Body, GroupGuests, GroupLimits, GroupView, Groups, Place, PushRefusal, Stamp, Totals, Usage, Write,
    },
};

pub use save::StoredGroups;
pub(super) use save::read;

/// All groups, and how pushes went.
#[derive(Debug)]
pub struct PushGroups {
    groups: Mutex<Groups>,
    hasher: RandomState,
    limits: GroupLimits,
    started_at: Timestamp,
    /// Held by whoever writes groups to the disk.
    saving: tokio::sync::Mutex<()>,
    taken: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    expired: AtomicU64,
}

/// Why a push was refused, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is in no format.
    Malformed,
    /// It does not fit to itself or others.
    Inconsistent,
    /// There is no room.
    Full,
}

impl Reason {
    const ALL: [Self; 3] = [Self::Malformed, Self::Inconsistent, Self::Full];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Inconsistent => "inconsistent",
            Self::Full => "full",
        }
    }
}

/// How it stands with all groups.
#[derive(Clone, Debug)]
pub struct GroupFigures {
    /// What there is.
    pub usage: Usage,
    /// What there may be.
    pub limits: GroupLimits,
    /// Pushes that were taken.
    pub taken: u64,
    /// Pushes that were refused, by reason.
    pub refused: [(Reason, u64); 3],
    /// Groups that went at their time.
    pub expired: u64,
}

/// What a push is for.
#[derive(Clone, Debug)]
pub struct PushTarget {
    /// The group.
    pub key: GroupingKey,
    /// How long it lives after this push.
    pub ttl: Option<Seconds>,
    /// Who pushes, if the group is summed over its pushers.
    pub client: Option<String>,
}

impl PushGroups {
    /// None yet.
    #[must_use]
    pub fn new(limits: GroupLimits, started_at: Timestamp) -> Self {
        let groups = Groups::new(limits);
        Self {
            hasher: groups.hasher(),
            groups: Mutex::new(groups),
            limits,
            started_at,
            saving: tokio::sync::Mutex::default(),
            taken: AtomicU64::new(0),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
            expired: AtomicU64::new(0),
        }
    }

    /// When the server was started.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    fn refuse(&self, reason: Reason) {
        self.refused[reason as usize].fetch_add(1, Relaxed);
    }
}

impl Board {
    /// Takes a push, or nothing of it.
    pub async fn push_group_write(
        &self,
        target: &PushTarget,
        families: Vec<MetricFamily>,
        write: Write,
    ) -> Result<(), AppError> {
        let stamp = self.push_stamp();
        let watched = self.watched(&families);
        let taken = match &target.client {
            Some(client) => self.push_totals(target, client, families, stamp),
            None => self.push_whole(target, families, write, stamp),
        };
        match taken {
            Ok(()) => {
                self.push_groups.taken.fetch_add(1, Relaxed);
                if !watched.is_empty() {
                    self.observe_group(&target.key, &watched).await;
                }
                Ok(())
            }
            Err(refusal) => {
                let is_full = matches!(refusal, PushRefusal::Full { .. });
                self.push_groups.refuse(if is_full { Reason::Full } else { Reason::Inconsistent });
                self.push_groups.groups.lock().fail(&target.key, stamp);
                Err(refusal.into())
            }
        }
    }

    /// Names of pushed metrics, and of parts of them, that a threshold looks at.
    fn watched(&self, families: &[MetricFamily]) -> Vec<String> {
        let mut watched = Vec::new();
        for family in families {
            let suffixes: &[&str] = match family.kind {
                MetricType::Histogram | MetricType::Summary => &["_sum", "_count"],
                _ if self.thresholds_watch(&family.name) => &[""],
                _ => &[],
            };
            let names = suffixes.iter().map(|suffix| format!("{}{suffix}", family.name));
            watched.extend(names.filter(|name| self.thresholds_watch(name)));
        }
        watched
    }

    /// Shows what a group has of metrics to thresholds.
    async fn observe_group(&self, key: &GroupingKey, metrics: &[String]) {
        let mut values = Vec::new();
        {
            let groups = self.push_groups.groups.lock();
            for metric in metrics {
                let of_metric = groups.values(key, metric).into_iter();
                values.extend(of_metric.map(|(labels, value)| (metric, labels, value)));
            }
        }
        let observed: Vec<_> =
            values.iter().map(|(metric, labels, value)| Observed { metric, labels, value: *value }).collect();
        self.thresholds_observe(&observed).await;
    }

    fn push_whole(
        &self,
        target: &PushTarget,
        families: Vec<MetricFamily>,
        write: Write,
        stamp: Stamp,
    ) -> Result<(), PushRefusal> {
        let PushTarget { key, ttl, .. } = target;
        let body = Body::new(families, key, &self.push_groups.hasher)?;
        let place = Place { key, ttl: *ttl, stamp };
        let replaced = {
            let mut groups = self.groups_at(stamp.at);
            groups.push(place, body, write, &|name| self.kind_elsewhere(name))?
        };
        drop(replaced);
        Ok(())
    }

    fn push_totals(
        &self,
        target: &PushTarget,
        client: &str,
        families: Vec<MetricFamily>,
        stamp: Stamp,
    ) -> Result<(), PushRefusal> {
        let PushTarget { key, ttl, .. } = target;
        let totals = Totals::new(Body::without_instances(families, key, &self.push_groups.hasher)?)?;
        let place = Place { key, ttl: *ttl, stamp };
        self.groups_at(stamp.at).push_totals(place, client, &totals, &|name| self.kind_elsewhere(name))
    }

    /// Notes that a push could not be read.
    pub fn push_group_malformed(&self, target: &PushTarget) {
        self.push_groups.refuse(Reason::Malformed);
        let stamp = self.push_stamp();
        self.groups_at(stamp.at).fail(&target.key, stamp);
    }

    /// Deletes a group; of one that is summed, only what is remembered of the pusher, if one is named.
    pub fn push_group_delete(&self, target: &PushTarget) -> bool {
        let mut groups = self.swept_groups();
        match &target.client {
            Some(client) => groups.forget(&target.key, client),
            None => groups.delete(&target.key),
        }
    }

    /// Deletes all groups.
    pub fn push_groups_wipe(&self) {
        self.push_groups.groups.lock().wipe();
    }

    /// Deletes groups whose time is over.
    pub fn sweep_push_groups(&self) {
        drop(self.swept_groups());
    }

    /// All groups.
    #[must_use]
    pub fn push_groups_view(&self) -> Vec<GroupView> {
        self.swept_groups().views()
    }

    /// Families of all groups, for `/metrics`.
    #[must_use]
    pub fn push_groups_shown(&self, format: Format) -> GroupGuests {
        let shown = self.swept_groups().shown();
        GroupGuests::new(shown, format)
    }

    /// How it stands.
    #[must_use]
    pub fn push_groups_figures(&self) -> GroupFigures {
        let state = &self.push_groups;
        GroupFigures {
            usage: self.swept_groups().usage(),
            limits: state.limits,
            taken: state.taken.load(Relaxed),
            refused: Reason::ALL.map(|reason| (reason, state.refused[reason as usize].load(Relaxed))),
            expired: state.expired.load(Relaxed),
        }
    }

    /// Whether a metric that is no group's, as Prometheus sees it, fits to those of groups. No lock of others may be held.
    pub fn push_groups_check(&self, name: &str, kind: MetricType) -> Result<(), PushRefusal> {
        self.swept_groups().check_other(name, kind)
    }

    /// The value of a series and how long ago it was pushed.
    #[must_use]
    pub fn push_groups_latest(&self, metric: &str, labels: &LabelSet) -> Option<(f64, Duration)> {
        let now = self.clock.now();
        self.groups_at(now).latest(metric, labels, now)
    }

    /// Looks at all series of a metric.
    pub fn push_groups_each_latest(&self, metric: &str, look: impl FnMut(&LabelSet, f64, Duration)) {
        let now = self.clock.now();
        self.groups_at(now).each_latest(metric, now, look);
    }

    fn push_stamp(&self) -> Stamp {
        Stamp { at: self.clock.now(), wall: self.clock.wall_nanos() }
    }

    fn swept_groups(&self) -> parking_lot::MutexGuard<'_, Groups> {
        self.groups_at(self.clock.now())
    }

    /// Groups, without those whose time is over.
    fn groups_at(&self, now: Time) -> parking_lot::MutexGuard<'_, Groups> {
        let mut groups = self.push_groups.groups.lock();
        let expired = groups.sweep(now);
        if expired > 0 {
            self.push_groups.expired.fetch_add(u64::try_from(expired).unwrap_or_default(), Relaxed);
        }
        groups
    }

    /// The type of a metric that no group has. It may take the locks of those that are pushed sample by sample.
    fn kind_elsewhere(&self, name: &str) -> Option<MetricType> {
        let own = || OWN.iter().find(|(own, _)| *own == name).map(|(_, kind)| *kind);
        self.series.exposed_kind(name).or_else(own)
    }
}

/// Metrics of the board itself that others may have, too: each series of a group has a job, and none of these has.
const OWN: [(&str, MetricType); 16] = [
    ("process_cpu_seconds_total", MetricType::Counter),
    ("process_max_fds", MetricType::Gauge),
    ("process_open_fds", MetricType::Gauge),
    ("process_resident_memory_bytes", MetricType::Gauge),
    ("process_start_time_seconds", MetricType::Gauge),
    ("process_threads", MetricType::Gauge),
    ("process_virtual_memory_bytes", MetricType::Gauge),
    ("resilience4j_circuitbreaker_buffered_calls", MetricType::Gauge),
    ("resilience4j_circuitbreaker_calls_seconds", MetricType::Summary),
    ("resilience4j_circuitbreaker_failure_rate", MetricType::Gauge),
    ("resilience4j_circuitbreaker_not_permitted_calls_total", MetricType::Counter),
    ("resilience4j_circuitbreaker_slow_call_rate", MetricType::Gauge),
    ("resilience4j_circuitbreaker_slow_calls", MetricType::Gauge),
    ("resilience4j_circuitbreaker_state", MetricType::Gauge),
    ("resilience4j_ratelimiter_available_permissions", MetricType::Gauge),
    ("resilience4j_ratelimiter_waiting_threads", MetricType::Gauge),
];
