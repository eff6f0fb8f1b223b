//! Outcomes on their way to the board.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, oneshot, watch};

use crate::domain::{Name, Time, breaker::Outcome};

/// More are not kept: the oldest have outlived their permits anyway.
const MOST_KEPT: usize = 10_000;
/// How long a success may wait for a call to ride along with.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest text of an error, in bytes.
const MAX_ERROR: usize = 1024;

/// How a call went.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) call_id: String,
    pub(super) outcome: Outcome,
    pub(super) duration_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Whoever wants to know that the board has it.
    #[serde(skip)]
    pub(super) told: Option<oneshot::Sender<()>>,
}

/// What waits to be sent. A report is in it until the board has answered; the board knows what it has seen already.
#[derive(Debug)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    unsettled: watch::Sender<usize>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: VecDeque<Report>,
    /// When the first of them must leave.
    due: Option<Time>,
    penalties: HashMap<Name, Time>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), unsettled: watch::Sender::new(0), changed: Notify::new() }
    }

    /// Adds a report; a failure is due at once.
    pub(super) fn push(&self, report: Report, now: Time) {
        let patience = if report.outcome == Outcome::Failure { Duration::ZERO } else { PATIENCE };
        let mut waiting = self.waiting.lock();
        waiting.reports.push_back(report);
        let lost = waiting.reports.len().saturating_sub(MOST_KEPT);
        waiting.reports.drain(..lost);
        let due = now.after(patience);
        waiting.due = Some(waiting.due.map_or(due, |earlier| earlier.min(due)));
        drop(waiting);
        self.unsettled.send_modify(|count| *count = (*count + 1).saturating_sub(lost));
        self.changed.notify_one();
    }

    /// The upstream of this limiter asked for silence until then.
    pub(super) fn penalize(&self, limiter: &Name, until: Time) {
        let mut waiting = self.waiting.lock();
        let known = waiting.penalties.entry(limiter.clone()).or_insert(until);
        *known = until.max(*known);
        drop(waiting);
        self.changed.notify_one();
    }

    pub(super) fn take_penalties(&self) -> HashMap<Name, Time> {
        std::mem::take(&mut self.waiting.lock().penalties)
    }

    /// The oldest, at most so many. They return if the batch is dropped before it is settled.
    pub(super) fn take(&self, most: usize) -> Batch<'_> {
        let mut waiting = self.waiting.lock();
        let count = waiting.reports.len().min(most);
        let reports: Vec<Report> = waiting.reports.drain(..count).collect();
        if waiting.reports.is_empty() {
            waiting.due = None;
        }
        Batch { outbox: self, reports }
    }

    /// When something must leave; none if nothing waits.
    pub(super) fn due(&self) -> Option<Time> {
        let waiting = self.waiting.lock();
        if waiting.penalties.is_empty() { waiting.due } else { Some(Time::MIN) }
    }

    /// Something was added.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Until the board has answered all reports.
    pub(super) async fn settled(&self) {
        drop(self.unsettled.subscribe().wait_for(|count| *count == 0).await);
    }
}

/// Reports that are being sent.
pub(super) struct Batch<'a> {
    outbox: &'a Outbox,
    pub(super) reports: Vec<Report>,
}

impl Batch<'_> {
    /// The board has them, or will never take them.
    pub(super) fn settled(mut self) {
        let reports = std::mem::take(&mut self.reports);
        let count = reports.len();
        for told in reports.into_iter().filter_map(|report| report.told) {
            let _ = told.send(());
        }
        self.outbox.unsettled.send_modify(|left| *left = left.saturating_sub(count));
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.reports.is_empty() {
            return;
        }
        let mut waiting = self.outbox.waiting.lock();
        for report in self.reports.drain(..).rev() {
            waiting.reports.push_front(report);
        }
        waiting.due = Some(Time::MIN);
        drop(waiting);
        self.outbox.changed.notify_one();
    }
}

/// As much of the text as the board takes.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > MAX_ERROR {
        let end = (0..=MAX_ERROR).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
