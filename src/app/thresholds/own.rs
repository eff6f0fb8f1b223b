//! What the board says about itself, told to thresholds as values of its own metrics.
//!
//! Whatever changes says so where it records the change, under its own lock. What was not heard, because the disk took
//! nothing or a threshold was declared only now, is found by looking at everything once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Found, Observed, ThresholdCell, Told};
use crate::{
    app::{Board, breakers::BreakerCell, checks::CheckCell, definitions::Resource, schedules::ScheduleCell},
    domain::{
        LabelSet, Name, StateName,
        check::CheckChanged,
        health::{Standing, Status},
        schedule::{Run, RunStatus},
        threshold::{ThresholdConfig, own::OwnMetric},
    },
    store::{StoreError, sqlite::backups::backups_damaged},
};

/// The longest part of a message that comes from elsewhere.
const LONGEST: usize = 1024;

/// Which of the board's own thresholds are there, and which metrics have to be looked at as a whole.
#[derive(Debug)]
pub(super) struct Unsettled {
    metrics: [AtomicBool; OwnMetric::ALL.len()],
    enabled: [AtomicBool; OwnMetric::ALL.len()],
}

impl Default for Unsettled {
    fn default() -> Self {
        Self {
            metrics: std::array::from_fn(|_| AtomicBool::new(true)),
            enabled: std::array::from_fn(|_| AtomicBool::new(true)),
        }
    }
}

/// Whether calls are refused and nobody meant it.
fn is_open(state: StateName) -> bool {
    matches!(state, StateName::Open | StateName::HalfOpen)
}

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.to_vec()).unwrap_or_default()
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

impl ThresholdCell {
    /// Values of the board's own metrics may have been missed.
    pub(super) fn find_own_again(&self, board: &Board) {
        if let Some(own) = OwnMetric::named(self.shared_config().metric_name()) {
            board.watched.own.metrics[own as usize].store(true, Ordering::Release);
        }
    }
}

impl Board {
    /// Says which of the board's own thresholds are there unless somebody declares them.
    pub fn set_built_in_thresholds(&self, is_on: impl Fn(OwnMetric) -> bool) {
        for own in OwnMetric::ALL {
            self.watched.own.enabled[own as usize].store(is_on(own), Ordering::Relaxed);
            let Some(cell) = self.thresholds.get(own.threshold_id()) else { continue };
            let Some(config) = self.preset_threshold(own) else { continue };
            if cell.is_preset.load(Ordering::Relaxed) && cell.config() != config {
                cell.reset(self, config);
            }
        }
    }

    pub(super) fn preset_threshold(&self, own: OwnMetric) -> Option<ThresholdConfig> {
        own.config(self.watched.own.enabled[own as usize].load(Ordering::Relaxed)).ok()
    }

    /// A breaker has another state, or is gone. It may be locked. `why` is empty where that is not known any more.
    pub(in crate::app) fn own_breaker(&self, name: &Name, state: Option<StateName>, why: &str) {
        let told = || match shortened(why) {
            "" => format!("breaker {name} is open: calls are refused"),
            why => format!("breaker {name} is open: calls are refused ({why})"),
        };
        self.own_observe(
            OwnMetric::BreakerOpen,
            || labels(&[("breaker", name.as_str())]),
            state.is_some_and(is_open),
            !why.is_empty(),
            told,
        );
    }

    /// A check shows something else, or is gone. It may be locked.
    pub(in crate::app) fn own_check(&self, name: &Name, standing: Option<Standing>, message: &str) {
        let is_red = standing.is_some_and(|standing| standing.for_gates() == Status::Red);
        let how = if standing.is_some_and(|standing| standing.stale) { "stale" } else { "red" };
        let told = || match shortened(message) {
            "" => format!("check {name} is {how}"),
            message => format!("check {name} is {how}: {message}"),
        };
        self.own_observe(OwnMetric::CheckRed, || labels(&[("check", name.as_str())]), is_red, true, told);
    }

    pub(in crate::app) fn own_check_changed(&self, name: &Name, change: &CheckChanged) {
        self.own_check(name, Some(change.to), &change.message);
    }

    /// Something became of a run of a schedule.
    pub(in crate::app) fn own_run(&self, name: &Name, run: &Run) {
        let is_missed = match run.status {
            RunStatus::Missed => true,
            RunStatus::Running => false,
            // They began, and said so.
            RunStatus::Succeeded | RunStatus::Failed => return,
        };
        self.own_schedule(name, is_missed, || run.scheduled_for.to_string());
    }

    pub(in crate::app) fn own_schedule(&self, name: &Name, is_missed: bool, due: impl FnOnce() -> String) {
        let told = || format!("schedule {name} did not run when it was due at {}", due());
        self.own_observe(
            OwnMetric::ScheduleMissed,
            || labels(&[("schedule", name.as_str())]),
            is_missed,
            true,
            told,
        );
    }

    /// A backup was found damaged, or whole, or is gone.
    pub(in crate::app) fn own_backup(&self, id: &str, backup_type: &str, damage: &[String]) {
        let about = || labels(&[("backup", id), ("backup_type", backup_type)]);
        let told = || format!("backup {id} is damaged: {}", shortened(&damage.join("; ")));
        self.own_observe(OwnMetric::BackupCorrupt, about, !damage.is_empty(), true, told);
    }

    fn own_observe(
        &self,
        own: OwnMetric,
        labels: impl FnOnce() -> LabelSet,
        is_wrong: bool,
        is_news: bool,
        told: impl FnOnce() -> String,
    ) {
        if !self.thresholds_watch(own.metric()) {
            return;
        }
        let (labels, told) = (labels(), is_wrong.then(told));
        let observed =
            Observed { metric: own.metric(), labels: &labels, value: f64::from(u8::from(is_wrong)) };
        let mut found = Found::default();
        let told = told.as_deref().map(|text| Told { text, is_news });
        self.look(&observed, told, &mut found);
        if found.refused.is_some() {
            self.watched.own.metrics[own as usize].store(true, Ordering::Release);
        }
    }

    /// Looks at everything that thresholds may not have heard of.
    pub(super) async fn settle_own_metrics(self: &Arc<Self>) -> Result<(), StoreError> {
        for own in OwnMetric::ALL {
            let unsettled = &self.watched.own.metrics[own as usize];
            if !unsettled.load(Ordering::Acquire) || !self.journal.has_room_for_alerts() {
                continue;
            }
            // Before looking: who is refused meanwhile sets it again.
            unsettled.store(false, Ordering::Release);
            if !self.thresholds_watch(own.metric()) {
                continue;
            }
            match own {
                OwnMetric::BreakerOpen => self.find_open_breakers(),
                OwnMetric::CheckRed => self.find_red_checks(),
                OwnMetric::ScheduleMissed => self.find_missed_schedules(),
                OwnMetric::BackupCorrupt => {
                    if let Err(error) = self.find_corrupt_backups().await {
                        unsettled.store(true, Ordering::Release);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// The values of a label among the series that thresholds remember of a metric.
    fn own_remembered(&self, own: OwnMetric, label: &str) -> Vec<LabelSet> {
        let mut all = Vec::new();
        for cell in self.watched.looking_at(own.metric()) {
            cell.peek(|inner| {
                all.extend(inner.series.keys().filter(|labels| labels.get(label).is_some()).cloned());
            });
        }
        all
    }

    fn find_open_breakers(&self) {
        let known = self.own_remembered(OwnMetric::BreakerOpen, "breaker");
        for name in known.iter().filter_map(|labels| Name::try_from(&*labels.get("breaker")?).ok()) {
            match self.breakers.get(name.as_str()) {
                Some(cell) => self.look_at_breaker(&cell, true),
                None => self.own_breaker(&name, None, ""),
            }
        }
        for cell in self.breakers.all() {
            self.look_at_breaker(&cell, false);
        }
    }

    fn look_at_breaker(&self, cell: &BreakerCell, also_closed: bool) {
        // Under its lock, so that it does not change between the look and the telling.
        cell.peek(|breaker| {
            let state = breaker.state();
            if also_closed || is_open(state) {
                self.own_breaker(cell.name(), Some(state), "");
            }
        });
    }

    fn find_red_checks(&self) {
        let known = self.own_remembered(OwnMetric::CheckRed, "check");
        for name in known.iter().filter_map(|labels| Name::try_from(&*labels.get("check")?).ok()) {
            match self.checks.get(name.as_str()) {
                Some(cell) => self.look_at_check(&cell, true),
                None => self.own_check(&name, None, ""),
            }
        }
        for cell in self.checks.all() {
            self.look_at_check(&cell, false);
        }
    }

    fn look_at_check(&self, cell: &CheckCell, also_well: bool) {
        cell.peek(|check| {
            let standing = check.standing();
            // Of what never had a result nothing is known, and nothing turned red.
            let is_known = check.last().is_some() || !standing.stale;
            let is_red = is_known && standing.for_gates() == Status::Red;
            if is_red || also_well {
                self.own_check(cell.name(), is_red.then_some(standing), &check.message());
            }
        });
    }

    fn find_missed_schedules(&self) {
        let known = self.own_remembered(OwnMetric::ScheduleMissed, "schedule");
        let gone = known.iter().filter_map(|labels| Name::try_from(&*labels.get("schedule")?).ok());
        for name in gone.filter(|name| self.schedules.get(name.as_str()).is_none()) {
            self.own_schedule(&name, false, String::new);
        }
        for cell in self.schedules.all() {
            self.look_at_schedule(&cell);
        }
    }

    fn look_at_schedule(&self, cell: &ScheduleCell) {
        cell.peek(|_, history| {
            if let Some(last) = &history.last {
                let is_missed = last.status == RunStatus::Missed;
                self.own_schedule(cell.name(), is_missed, || last.scheduled_for.to_string());
            }
        });
    }

    async fn find_corrupt_backups(&self) -> Result<(), StoreError> {
        let known = self.own_remembered(OwnMetric::BackupCorrupt, "backup");
        let most = i64::try_from(self.limits.max_series_per_threshold).unwrap_or(i64::MAX);
        let damaged = backups_damaged(&self.store.readers, most).await?;
        for labels in &known {
            let (Some(id), Some(backup_type)) = (labels.get("backup"), labels.get("backup_type")) else {
                continue;
            };
            if !damaged.iter().any(|row| row.0 == *id) {
                self.own_backup(&id, &backup_type, &[]);
            }
        }
        for (id, backup_type, damage) in &damaged {
            let damage: Vec<String> = serde_json::from_str(damage)?;
            self.own_backup(id, backup_type, &damage);
        }
        Ok(())
    }
}
