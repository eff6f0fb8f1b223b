//! The history of results: collected in memory, written in groups once a second.

use std::{collections::VecDeque, sync::Arc};

use foldhash::HashMap;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    app::{AppError, Board},
    domain::{Name, check::CheckResult, health::Status},
    store::{
        StoreError,
        sqlite::checks::{self, CheckResultRow},
    },
};

/// Results that may wait for a disk that does not take them. Beyond it the oldest are lost to history.
const WAITING: usize = 5_000;
/// Results written by one transaction.
const CHUNK: usize = 1_000;

/// Results on their way to the disk.
#[derive(Debug)]
pub struct Results {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    next_id: i64,
    waiting: VecDeque<Waiting>,
    dropped: u64,
    /// New results of each check since it was last pruned.
    added: HashMap<Name, usize>,
}

#[derive(Clone, Debug)]
struct Waiting {
    id: i64,
    check: Name,
    result: Arc<CheckResult>,
}

impl Results {
    /// Goes on after `last_id`.
    #[must_use]
    pub fn new(last_id: i64) -> Self {
        let (waiting, added) = (VecDeque::new(), HashMap::default());
        Self { inner: Mutex::new(Inner { next_id: last_id + 1, waiting, dropped: 0, added }) }
    }

    pub(super) fn add(&self, check: &Name, result: &CheckResult) {
        let result = Arc::new(result.clone());
        let mut inner = self.inner.lock();
        let id = inner.next_id;
        inner.next_id += 1;
        if inner.waiting.len() >= WAITING {
            inner.waiting.pop_front();
            inner.dropped += 1;
        }
        inner.waiting.push_back(Waiting { id, check: check.clone(), result });
    }

    /// Forgets what waits of a check: another one of its name would inherit it.
    pub(super) fn forget(&self, check: &Name) {
        let mut inner = self.inner.lock();
        inner.waiting.retain(|waiting| waiting.check != *check);
        inner.added.remove(check);
    }

    /// How many are not on disk yet, and how many were lost to a disk that took none.
    #[must_use]
    pub fn backlog(&self) -> (usize, u64) {
        let inner = self.inner.lock();
        (inner.waiting.len(), inner.dropped)
    }

    fn settle(&self, last: i64) {
        let mut inner = self.inner.lock();
        while inner.waiting.front().is_some_and(|first| first.id <= last) {
            let Some(Waiting { check, .. }) = inner.waiting.pop_front() else { break };
            *inner.added.entry(check).or_default() += 1;
        }
    }

    /// Checks with so many new results that they may have crossed their bound.
    pub(crate) fn take_noisy(&self, slack: usize) -> Vec<Name> {
        let mut inner = self.inner.lock();
        inner.added.extract_if(|_, added| *added >= slack).map(|(name, _)| name).collect()
    }
}

impl Waiting {
    /// What [`checks::check_results_add`] takes.
    fn row(&self) -> impl Serialize {
        let CheckResult { observation, timestamp, .. } = &*self.result;
        let at = i64::try_from(timestamp.as_nanosecond()).unwrap_or(i64::MAX);
        let duration = observation.duration().map(|span| span.as_secs_f64());
        let (details, error) = (observation.details(), observation.error());
        (self.id, &self.check, at, observation.status(), observation.message(), details, error, duration)
    }
}

/// A result as stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResultView {
    /// Grows with every result of the board.
    pub id: i64,
    /// How it was.
    pub status: Status,
    /// In a sentence.
    pub message: String,
    /// When, by the wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// What else is of interest.
    #[schema(value_type = Object)]
    pub details: Box<RawValue>,
    /// What went wrong.
    pub error: Option<String>,
    /// How long it took to find out; of a heartbeat, how long the job ran.
    pub duration_seconds: Option<f64>,
}

impl From<CheckResultRow> for ResultView {
    fn from(row: CheckResultRow) -> Self {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == row.status);
        Self {
            id: row.id,
            status: status.unwrap_or(Status::Red),
            message: row.message,
            timestamp: Timestamp::from_nanosecond(i128::from(row.at)).unwrap_or(Timestamp::UNIX_EPOCH),
            details: RawValue::from_string(row.details).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            error: row.error,
            duration_seconds: row.duration_seconds,
        }
    }
}

impl Board {
    /// Writes waiting results, a bounded part of them. Returns how many.
    pub async fn flush_results(&self) -> Result<usize, StoreError> {
        let rows: Vec<Waiting> = self.results.inner.lock().waiting.iter().take(CHUNK).cloned().collect();
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(0) };
        let text = serde_json::to_string(&rows.iter().map(Waiting::row).collect::<Vec<_>>())?;
        let write = self.store.writer.write(move |connection| {
            Box::pin(async move { checks::check_results_add(connection, &text).await })
        });
        write.await?;
        self.results.settle(last);
        Ok(rows.len())
    }

    /// Up to `limit` results of a check before `before`, newest first, and the cursor for the next page.
    pub async fn check_results(
        &self,
        name: &Name,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<ResultView>, Option<i64>), AppError> {
        // So that a reader sees its own writes; a disk that takes none does not hold the reader up.
        while matches!(self.flush_results().await, Ok(CHUNK..)) {}
        let most = i64::try_from(limit).unwrap_or(1000).max(1) + 1;
        let before = before.unwrap_or(i64::MAX);
        let mut rows = checks::check_results_before(&self.store.readers, name.as_str(), before, most).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| last.id);
        Ok((rows.into_iter().map(ResultView::from).collect(), next))
    }
}
