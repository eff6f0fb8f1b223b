//! What a value, the time and a new configuration do to a threshold.

use std::sync::{Arc, atomic::Ordering};

use super::{
    Found, Observed, ThresholdCell, Told,
    decision::{Decision, Held, Inner, RETRY, message},
};
use crate::{
    app::{AppError, Board, alerts::Happened},
    domain::{
        LabelSet, Time,
        alert::{Acknowledgement, Alert},
        threshold::{Stage, ThresholdConfig},
    },
};

impl ThresholdCell {
    /// A value came.
    pub(super) fn observe(
        self: &Arc<Self>,
        board: &Board,
        observed: &Observed<'_>,
        told: Option<Told<'_>>,
        found: &mut Found,
    ) {
        let mut inner = self.inner.lock();
        let Inner { config, series, is_gone, .. } = &mut *inner;
        // Found by an index that may be a moment old.
        if *is_gone || !config.is_enabled() || config.metric_name() != observed.metric {
            return;
        }
        let Observed { labels, value, .. } = *observed;
        // What is no number is no value.
        if value.is_nan() || !config.matches(labels) {
            return;
        }
        board.telemetry.alerts.evaluations.inc();
        let breaches = config.breaches(value);
        let decision = Decision { board, cell: self, config: Arc::clone(config) };
        // Read under the lock, so that what happens later is never earlier.
        let now = board.clock.now();
        if config.alerts_on_no_data() {
            decision.forget_absence(series, labels, now);
        }
        if !series.contains_key(labels) {
            if !breaches && !config.alerts_on_no_data() {
                return;
            }
            if series.len() >= board.limits.max_series_per_threshold {
                board.telemetry.alerts.refused_series.inc();
                found.refused = Some(AppError::LimitReached {
                    what: "series of a threshold",
                    limit: board.limits.max_series_per_threshold,
                });
                return;
            }
            board.watched.series.fetch_add(1, Ordering::Relaxed);
            series.insert(labels.clone(), Held::new(now));
        }
        let Some(held) = series.get_mut(labels) else { return };
        let timing = config.timing();
        // What is due fires with what was known then.
        let stepped = decision
            .step(labels, held, |series, changes| series.advance(&timing, now, changes))
            .and_then(|_| {
                held.value = Some(value);
                if breaches && (held.alert.is_none() || told.is_none_or(|told| told.is_news)) {
                    held.told = told.map(|told| told.text.into());
                }
                decision.step(labels, held, |series, changes| series.observe(&timing, breaches, now, changes))
            });
        let is_new = match stepped {
            Ok(is_new) => is_new,
            Err(error) => {
                found.refused = Some(error);
                return;
            }
        };
        if breaches && held.series.stage() == Stage::Firing {
            if !is_new {
                decision.refresh(held, value);
            }
            found.alerts.extend(held.alert.clone().map(|alert| (alert, is_new)));
        }
        found.moved = found.moved.max(held.moved);
        let next = held.series.next_change(&timing);
        decision.tidy(series, labels);
        self.arm(board, &mut inner, next);
    }

    /// Time goes on.
    pub(super) fn advance(self: &Arc<Self>, board: &Board) {
        let mut inner = self.inner.lock();
        inner.wake = None;
        if inner.is_gone {
            return;
        }
        let decision = Decision { board, cell: self, config: Arc::clone(&inner.config) };
        let (timing, now) = (decision.config.timing(), board.clock.now());
        let mut later = None;
        let is_due = |held: &Held| held.series.next_change(&timing).is_some_and(|at| at <= now);
        let due: Vec<_> =
            inner.series.iter().filter(|(_, held)| is_due(held)).map(|(labels, _)| labels.clone()).collect();
        for labels in due {
            let Some(held) = inner.series.get_mut(&labels) else { continue };
            let step = decision.step(&labels, held, |series, changes| series.advance(&timing, now, changes));
            if step.is_err() {
                later = Some(now.after(RETRY));
                break;
            }
            decision.tidy(&mut inner.series, &labels);
        }
        let next = inner.series.values().filter_map(|held| held.series.next_change(&timing)).min();
        self.arm(board, &mut inner, later.or(next));
    }

    /// Has the board's timer look when there is something to do. An earlier one takes the place of a later one, and what
    /// is left of that finds nothing to do.
    fn arm(self: &Arc<Self>, board: &Board, inner: &mut Inner, next: Option<Time>) {
        if let Some(at) = next
            && inner.wake.is_none_or(|wake| at < wake)
        {
            inner.wake = Some(at);
            board.watched.timers.add(at, self);
        }
    }

    /// Takes over another configuration. What it does not look at any more is over; the rest is judged by its last value.
    pub(super) fn judge_anew(self: &Arc<Self>, board: &Board, config: ThresholdConfig) {
        let mut inner = self.inner.lock();
        let before = std::mem::replace(&mut inner.config, Arc::new(config));
        let decision = Decision { board, cell: self, config: Arc::clone(&inner.config) };
        let (config, timing, now) = (&decision.config, decision.config.timing(), board.clock.now());
        let looks = config.is_enabled() && config.metric_name() == before.metric_name();
        let labels: Vec<_> = inner.series.keys().cloned().collect();
        for labels in labels {
            let Some(held) = inner.series.get_mut(&labels) else { continue };
            if !looks || !config.matches(&labels) {
                decision.end(&mut inner.series, &labels, now);
                continue;
            }
            // A series without a value is one that is missed.
            let breaches = held.value.map_or(config.alerts_on_no_data(), |value| config.breaches(value));
            let was_firing = held.alert.clone();
            // An operator's change is in force whatever the disk takes.
            decision.force(&labels, held, |series, changes| {
                series.judge_anew(&timing, breaches, now, changes);
            });
            if let (Some(before), Some(alert)) = (was_firing, &held.alert)
                && before.id == alert.id
            {
                let value = alert.value;
                let alert = Alert {
                    level: config.level(),
                    rule: Some(config.rule()),
                    message: message(config, value, held.told.as_deref()),
                    ..Alert::clone(alert)
                };
                if alert != *before {
                    let alert = Arc::new(Alert { updated_at: board.clock.wall(), ..alert });
                    held.moved = board.record_alert(Happened::Updated, &alert, Vec::new());
                    held.alert = Some(alert);
                }
            }
            if held.series.stage() == Stage::Inactive && !config.alerts_on_no_data() {
                decision.end(&mut inner.series, &labels, now);
            }
        }
        let next = inner.series.values().filter_map(|held| held.series.next_change(&timing)).min();
        self.arm(board, &mut inner, next);
    }

    /// It was deleted: its alerts are over.
    pub(super) fn retire(&self, board: &Board) {
        let mut inner = self.inner.lock();
        inner.is_gone = true;
        let decision = Decision { board, cell: self, config: Arc::clone(&inner.config) };
        let labels: Vec<_> = inner.series.keys().cloned().collect();
        for labels in labels {
            decision.end(&mut inner.series, &labels, board.clock.now());
        }
    }

    /// Where the absence of values is an alert and nothing is known yet, something stands for all series.
    pub(super) fn expect_values(self: &Arc<Self>, board: &Board) {
        let mut inner = self.inner.lock();
        let config = Arc::clone(&inner.config);
        if inner.is_gone || !config.is_enabled() || !config.alerts_on_no_data() || !inner.series.is_empty() {
            return;
        }
        let held = Held::new(board.clock.now());
        let next = held.series.next_change(&config.timing());
        board.watched.series.fetch_add(1, Ordering::Relaxed);
        inner.series.insert(config.absent_labels(), held);
        self.arm(board, &mut inner, next);
    }

    /// Somebody has seen the alert of a series; none if it is not that one any more.
    pub(in crate::app) fn acknowledge(
        &self,
        board: &Board,
        alert: &Alert,
        seen: &Acknowledgement,
    ) -> Option<(Arc<Alert>, i64)> {
        let mut inner = self.inner.lock();
        let held = inner.series.get_mut(&alert.labels)?;
        let present = held.alert.as_ref().filter(|present| present.id == alert.id)?;
        let acknowledged = Arc::new(present.seen_by(seen));
        held.moved = board.record_alert(Happened::Acknowledged, &acknowledged, Vec::new());
        held.alert = Some(Arc::clone(&acknowledged));
        Some((acknowledged, held.moved))
    }

    /// For metrics and views.
    pub(super) fn peek<T>(&self, read: impl FnOnce(&Inner) -> T) -> T {
        read(&self.inner.lock())
    }

    /// Puts in what was there before a restart.
    pub(super) fn resume(self: &Arc<Self>, board: &Board, labels: LabelSet, held: Held) {
        let mut inner = self.inner.lock();
        let next = held.series.next_change(&inner.config.timing());
        if inner.series.insert(labels, held).is_none() {
            board.watched.series.fetch_add(1, Ordering::Relaxed);
        }
        self.arm(board, &mut inner, next);
    }
}
