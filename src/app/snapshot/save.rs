//! Saving what has changed once a second, and everything at a stop.

use std::sync::Arc;

use serde::Serialize;

use super::{SavedCall, Stop};
use crate::{
    app::{
        Board,
        breakers::BreakerCell,
        checks::CheckCell,
        definitions::Resource,
        limiters::{LimiterCell, MARK_KIND},
        retry_policies::RetryPolicyCell,
    },
    domain::Name,
    store::{
        Connection, StoreError,
        sqlite::{
            board,
            journal::{JournalRows, array, journal_put},
            series, states,
        },
    },
};

/// States written by one transaction of a running server.
const CHUNK: usize = 2_000;

impl Board {
    /// Writes the state of everything that changed, a bounded part at a time. Returns how many are left.
    pub async fn save_changed(self: &Arc<Self>) -> Result<usize, StoreError> {
        let breakers = take(&self.dirty.breakers);
        let limiters = take(&self.dirty.limiters);
        let policies = take(&self.dirty.retry_policies);
        let checks = take(&self.dirty.checks);
        let count = breakers.len() + limiters.len() + policies.len() + checks.len();
        if count > 0 {
            let rows = all_rows(&breakers, &limiters, &policies);
            let cells = checks.clone();
            let alive = text(&self.clock.now())?;
            let written = self
                .store
                .writer
                .write(move |connection| {
                    Box::pin(async move {
                        put_states(connection, &rows).await?;
                        put_states(connection, &[check_rows(&cells)]).await?;
                        board::board_put(connection, "alive", &alive).await
                    })
                })
                .await;
            if let Err(error) = written {
                // Tried again with the next snapshot. A resource may stand in the list twice then: harmless.
                self.dirty.breakers.lock().extend(breakers);
                self.dirty.limiters.lock().extend(limiters);
                self.dirty.retry_policies.lock().extend(policies);
                self.dirty.checks.lock().extend(checks);
                return Err(error);
            }
        }
        let dirty = &self.dirty;
        let left = dirty.breakers.lock().len() + dirty.limiters.lock().len();
        Ok(left + dirty.retry_policies.lock().len() + dirty.checks.lock().len())
    }

    /// A clean stop: everything exactly as it is, for a start that loses nothing.
    pub async fn save_for_stop(self: &Arc<Self>) -> Result<(), StoreError> {
        while self.flush_journal().await? > 0 {}
        while self.flush_results().await? > 0 {}
        let mut calls = Vec::new();
        self.calls.for_each(|id, call| {
            calls.push(SavedCall {
                id,
                breaker: call.breaker.as_ref().map(|(cell, generation)| (cell.name().clone(), *generation)),
                deadline: call.deadline,
                client: self.clients.name_of(call.client).to_string(),
                holds: call.holds.iter().flatten().map(|cell| cell.name().clone()).collect(),
            });
        });
        let stop = Stop {
            call_key: self.calls.key(),
            next_call: self.calls.next_id(),
            last_alert: self.alerts.last_id(),
            calls,
        };
        while self.save_metrics().await? > 0 {}
        while self.save_push_groups().await? > 0 {}
        save_all(self, Some(stop), 0).await
    }
}

/// `shift` is how far the zero of the steady clock has moved since the last time.
pub(super) async fn save_all(board: &Arc<Board>, stop: Option<Stop>, shift: i64) -> Result<(), StoreError> {
    // Untouched resources have no row and need none; a shifted clock needs all rows that there are.
    let states = if stop.is_some() {
        let breakers = std::mem::take(&mut *board.dirty.breakers.lock());
        let limiters = std::mem::take(&mut *board.dirty.limiters.lock());
        let policies = std::mem::take(&mut *board.dirty.retry_policies.lock());
        all_rows(&breakers, &limiters, &policies)
    } else {
        all_rows(&board.breakers.all(), &board.limiters.all(), &board.retry_policies.all())
    };
    let checks =
        if stop.is_some() { std::mem::take(&mut *board.dirty.checks.lock()) } else { board.checks.all() };
    let marks: Vec<_> = board
        .limiters
        .all()
        .iter()
        .filter_map(|cell| Some((cell.name().clone(), cell.peek(|limiter| limiter.mark())?)))
        .collect();
    let marks = text(&marks)?;
    let groups = if stop.is_some() { None } else { Some(board.push_groups_rows()?) };
    // Everything of alerts is in the journal, so only another zero of the clock changes what is stored.
    let series: Vec<_> = if stop.is_some() {
        Vec::new()
    } else {
        board.thresholds.all().iter().flat_map(|cell| cell.rows()).collect()
    };
    let series = JournalRows { series: array(&series)?, ..JournalRows::default() };
    let origin = text(&board.clock.origin())?;
    let alive = text(&board.clock.now())?;
    let stop = stop.as_ref().map(text).transpose()?;
    board
        .store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                put_states(connection, &states).await?;
                put_states(connection, &[check_rows(&checks)]).await?;
                states::states_put(connection, MARK_KIND, LimiterCell::KIND, &marks).await?;
                if shift != 0 {
                    series::series_shift(connection, shift).await?;
                }
                if let Some(groups) = groups {
                    groups.write(connection).await?;
                }
                journal_put(connection, series).await?;
                board::board_put(connection, "origin", &origin).await?;
                board::board_put(connection, "alive", &alive).await?;
                if let Some(stop) = stop {
                    board::board_put(connection, "stop", &stop).await?;
                }
                Ok(())
            })
        })
        .await
}

fn all_rows(
    breakers: &[Arc<BreakerCell>],
    limiters: &[Arc<LimiterCell>],
    policies: &[Arc<RetryPolicyCell>],
) -> [(&'static str, String); 3] {
    [
        (BreakerCell::KIND, rows(breakers, |cell| (cell.name(), cell.save()))),
        (LimiterCell::KIND, rows(limiters, |cell| (cell.name(), cell.save()))),
        (RetryPolicyCell::KIND, rows(policies, |cell| (cell.name(), cell.save()))),
    ]
}

/// To be called on the writer's task, see [`CheckCell::save`].
pub(in crate::app) fn check_rows(checks: &[Arc<CheckCell>]) -> (&'static str, String) {
    (CheckCell::KIND, rows(checks, |cell| (cell.name(), cell.save())))
}

pub(in crate::app) async fn put_states(
    connection: &mut Connection,
    states: &[(&'static str, String)],
) -> Result<(), StoreError> {
    for (kind, rows) in states {
        if !is_empty(rows) {
            states::states_put(connection, kind, kind, rows).await?;
        }
    }
    Ok(())
}

/// Whether a JSON array has nothing in it.
pub(in crate::app) const fn is_empty(rows: &str) -> bool {
    rows.len() <= 2
}

/// A JSON array of `[name, state]`, from states that are JSON already.
pub(in crate::app) fn rows<'a, R>(
    cells: &'a [Arc<R>],
    save: impl Fn(&'a Arc<R>) -> (&'a Name, String),
) -> String {
    let mut text = String::with_capacity(cells.len() * 128 + 2);
    text.push('[');
    for cell in cells {
        let (name, state) = save(cell);
        if text.len() > 1 {
            text.push(',');
        }
        // A name needs no escaping: see domain::Name.
        text.push_str("[\"");
        text.push_str(name.as_str());
        text.push_str("\",");
        text.push_str(&state);
        text.push(']');
    }
    text.push(']');
    text
}

fn take<R>(dirty: &parking_lot::Mutex<Vec<Arc<R>>>) -> Vec<Arc<R>> {
    let mut dirty = dirty.lock();
    let count = dirty.len().min(CHUNK);
    dirty.drain(..count).collect()
}

pub(super) fn text(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}
