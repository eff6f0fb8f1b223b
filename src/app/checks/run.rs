//! One run of a check, from its begin to its end, whatever happens in between.

use std::sync::{Arc, atomic::Ordering};

use super::{CheckCell, probe::is_remote};
use crate::{
    app::Board,
    domain::{
        Time,
        check::{CheckConfig, Observation, RunToken},
    },
};

/// A run in flight. Dropped without a result, it is cancelled.
pub(super) struct Run<'a> {
    board: &'a Board,
    cell: &'a Arc<CheckCell>,
    token: Option<RunToken>,
    pub(super) config: Arc<CheckConfig>,
}

impl<'a> Run<'a> {
    /// Begins a run; none if the check is gone, has one already, or is not run by the board.
    pub(super) fn begin(board: &'a Board, cell: &'a Arc<CheckCell>) -> Option<Self> {
        cell.queued.store(false, Ordering::Relaxed);
        if !cell.is_declared(board) {
            cell.give_up();
            return None;
        }
        let begun = cell.with_inner(board, |inner, now, _| {
            let token = inner.check.begin(now)?;
            inner.flight = Some(token);
            inner.begun += 1;
            Some((token, Arc::clone(inner.check.config())))
        });
        let Some((token, config)) = begun else {
            cell.give_up();
            return None;
        };
        cell.touch(board);
        Some(Self { board, cell, token: Some(token), config })
    }

    pub(super) fn finish(mut self, observation: Observation) {
        let Some(token) = self.token.take() else { return };
        let (board, cell) = (self.board, self.cell);
        let wall = board.clock.wall();
        if !cell.is_declared(board) {
            cell.inner.lock().flight = None;
            return cell.give_up();
        }
        let more = cell.with_inner(board, |inner, now, changes| {
            if inner.check.finish(token, now, wall, observation, changes)
                && let Some(last) = inner.check.last()
            {
                inner.tally.add(last);
                board.results.add(&cell.name, last);
            }
            inner.end()
        });
        cell.touch(board);
        cell.ended.notify_waiters();
        if more {
            board.runs.enqueue(cell);
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let Some(token) = self.token.take() else { return };
        self.cell.with_inner(self.board, |inner, _, _| {
            inner.check.cancel(token);
            inner.end();
        });
        self.cell.ended.notify_waiters();
    }
}

impl super::Inner {
    /// The run in flight has ended; whether somebody waits for another.
    fn end(&mut self) -> bool {
        self.flight = None;
        self.finished = self.begun;
        self.finished < self.wanted
    }
}

impl CheckCell {
    fn is_declared(self: &Arc<Self>, board: &Board) -> bool {
        board.checks.get(self.name.as_str()).is_some_and(|present| Arc::ptr_eq(&present, self))
    }

    /// There will be no run: nobody needs to wait for one.
    fn give_up(&self) {
        let mut inner = self.inner.lock();
        if inner.flight.is_none() {
            inner.finished = inner.finished.max(inner.wanted);
        }
        drop(inner);
        self.ended.notify_waiters();
    }

    /// The timer's time `at` has come: does what is due. A look that an earlier one has replaced meanwhile is none, or each
    /// would bring about another for ever.
    pub(super) fn wake(self: &Arc<Self>, board: &Board, at: Time) {
        if self.inner.lock().wake != Some(at) {
            return;
        }
        let is_due = |check: &crate::domain::check::Check, now: Time| {
            check.next_run().is_some_and(|at| at <= now) && board.runs.are_enabled()
        };
        let mut remote = false;
        let due = self.with_inner(board, |inner, now, changes| {
            inner.wake = None;
            inner.check.advance(now, changes);
            let due = inner.flight.is_none() && is_due(&inner.check, now);
            remote = due && is_remote(inner.check.config());
            // Before the timer is set again: what waits for its turn is due all the time.
            remote = remote && !self.queued.swap(true, Ordering::Relaxed);
            due
        });
        if remote {
            board.runs.ready.lock().push_back(Arc::clone(self));
        } else if due {
            self.glance(board, true);
        }
    }

    /// Looks into the board's memory, if that is what the check is for; unless it must, only at what is new.
    pub(super) fn glance(self: &Arc<Self>, board: &Board, must: bool) {
        let config = Arc::clone(self.inner.lock().check.config());
        let Some(seen) = board.glance(&config) else { return };
        let wall = board.clock.wall();
        // The error is that there is nothing new, or that somebody else looks right now.
        let _: Result<(), ()> = self.take(board, |inner, now, changes| {
            let is_new = inner.check.last().is_none_or(|last| last.observation != seen);
            if !(must || is_new) || !Arc::ptr_eq(inner.check.config(), &config) {
                return Err(());
            }
            let token = inner.check.begin(now).ok_or(())?;
            inner.check.finish(token, now, wall, seen, changes);
            Ok(())
        });
    }

    /// Asks for a run that begins from now on; its number. None if the board does not run this check, or has done it.
    pub(in crate::app) fn hasten(self: &Arc<Self>, board: &Board) -> Option<u64> {
        let mut inner = self.inner.lock();
        inner.check.next_run()?;
        if !is_remote(inner.check.config()) {
            drop(inner);
            self.glance(board, true);
            return None;
        }
        let number = inner.begun + 1;
        inner.wanted = number;
        let in_flight = inner.flight.is_some();
        drop(inner);
        if !in_flight {
            board.runs.enqueue(self);
        }
        Some(number)
    }

    /// Waits until the run of that number has ended.
    pub(in crate::app) async fn ended(&self, number: u64) {
        loop {
            let mut told = std::pin::pin!(self.ended.notified());
            told.as_mut().enable();
            if self.inner.lock().finished >= number {
                return;
            }
            told.await;
        }
    }
}
