//! Deleting what no rule of retention keeps.

use std::{cmp::Reverse, collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::view::instant;
use crate::{
    app::{Board, journal::NewEvent},
    domain::{
        Name, Time,
        retention::{Candidate, Decision, Reason, plan},
    },
    store::{
        Connection, StoreError,
        sqlite::backups::{JudgedRow, backup_delete, backup_types, backups_judged},
    },
};

/// Backups that one transaction deletes: bounds how long others wait for it.
const BATCH: usize = 256;
/// How often all types are looked at: what nobody adds to gets old as well.
const EVERY: Duration = Duration::from_hours(1);
/// The most backups that an answer lists.
const MAX_ITEMS: usize = 10_000;

/// What becomes of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PruneAction {
    /// It stays.
    Keep,
    /// It is deleted, or would be.
    Delete,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PruneReason {
    /// The field of the policy that keeps it; or `pinned`, `in_the_future`, `newest_verified`, `newest`, `no_policy`; or
    /// `no_rule` for what goes.
    pub rule: &'static str,
    /// For people, such as `last 3 of 7` or `daily 2026-11-24`.
    pub text: String,
}

impl From<&Reason> for PruneReason {
    fn from(reason: &Reason) -> Self {
        Self { rule: reason.word(), text: reason.to_string() }
    }
}

/// One backup, and what becomes of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PruneItem {
    /// Its id.
    pub backup_id: String,
    /// Its type.
    pub backup_type: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// Bytes of its documents.
    pub size_bytes: i64,
    /// What becomes of it.
    pub action: PruneAction,
    /// Why.
    pub reasons: Vec<PruneReason>,
}

/// What pruning did, or would do.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Pruned {
    /// Types in their order, the backups of each newest first. At most 10000; those that go have the precedence.
    pub items: Vec<PruneItem>,
    /// Backups that are not listed.
    pub omitted: usize,
    /// How many were deleted, or would be.
    pub deleted: usize,
    /// How many stay.
    pub kept: usize,
    /// Bytes of the documents that were deleted, or would be. What other backups share of them stays stored.
    pub deleted_bytes: i64,
    /// Whether nothing was done.
    pub dry_run: bool,
}

/// Types to look at soon.
#[derive(Debug, Default)]
pub(super) struct Due {
    types: Mutex<BTreeSet<Name>>,
    last: Mutex<Option<Time>>,
    /// Who prunes by itself: one at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Due {
    /// There is a new backup of that type.
    pub(super) fn add(&self, backup_type: Name) {
        self.types.lock().insert(backup_type);
    }

    /// Whether an hour has passed since the last time that this was true; at first it is.
    fn is_hour(&self, now: Time) -> bool {
        let mut last = self.last.lock();
        let is_due = last.is_none_or(|last| now.since(last) >= EVERY);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}

/// A plan with the rows that it is about.
type Judged = Vec<(JudgedRow, Decision)>;

impl Board {
    /// Deletes what no rule keeps, of one type or of all. Each transaction decides on what is there in it.
    pub async fn backups_prune(
        self: &Arc<Self>,
        backup_type: Option<&Name>,
        dry_run: bool,
    ) -> Result<Pruned, StoreError> {
        let types = if let Some(name) = backup_type {
            vec![name.clone()]
        } else {
            let known = backup_types(&self.store.readers).await?;
            known.into_iter().filter_map(|raw| Name::try_from(raw).ok()).collect()
        };
        let mut pruned = Pruned { dry_run, ..Pruned::default() };
        for name in types {
            let judged = if dry_run { self.judge_now(&name).await? } else { self.prune_type(&name).await? };
            pruned.take(&name, judged);
        }
        Ok(pruned)
    }

    /// What would become of the backups of a type.
    async fn judge_now(&self, backup_type: &Name) -> Result<Judged, StoreError> {
        let mut connection = self.store.readers.acquire().await?;
        self.judge(&mut connection, backup_type).await
    }

    async fn judge(&self, connection: &mut Connection, backup_type: &Name) -> Result<Judged, StoreError> {
        let mut rows = backups_judged(connection, backup_type.as_str()).await?;
        let candidates: Vec<_> = rows.iter().map(candidate).collect();
        let policy = self.retention_of(backup_type.as_str());
        let mut decisions = plan(&policy, &candidates, self.clock.wall());
        decisions.sort_unstable_by_key(|decision| decision.id);
        rows.sort_unstable_by_key(|row| row.id);
        Ok(rows.into_iter().zip(decisions).collect())
    }

    /// What stayed of a type, and what is deleted. Who writes waits only if something is to be deleted.
    async fn prune_type(self: &Arc<Self>, backup_type: &Name) -> Result<Judged, StoreError> {
        let mut judged = self.judge_now(backup_type).await?;
        let mut gone = Vec::new();
        while judged.iter().any(|(_, decision)| !decision.keep) {
            let (left, deleted) = self.prune_batch(backup_type).await?;
            judged = left;
            gone.extend(deleted);
        }
        judged.extend(gone);
        Ok(judged)
    }

    /// Decides and deletes up to a batch in one transaction: what is left, and what is gone.
    async fn prune_batch(self: &Arc<Self>, backup_type: &Name) -> Result<(Judged, Judged), StoreError> {
        let (board, told) = (Arc::clone(self), Arc::clone(self));
        let (name, about) = (backup_type.clone(), backup_type.clone());
        let done = self.store.writer.write_then(
            move |connection| {
                Box::pin(async move {
                    let judged = board.judge(connection, &name).await?;
                    let (mut left, mut gone) = (Vec::new(), Vec::new());
                    for (row, decision) in judged {
                        if decision.keep || gone.len() >= BATCH {
                            left.push((row, decision));
                        } else {
                            backup_delete(connection, row.id).await?;
                            gone.push((row, decision));
                        }
                    }
                    Ok((left, gone))
                })
            },
            move |(left, gone)| {
                told.tell_pruned(&about, &gone);
                (left, gone)
            },
        );
        let (left, gone) = done.await?;
        self.backups.touch();
        Ok((left, gone))
    }

    fn tell_pruned(&self, backup_type: &Name, gone: &Judged) {
        if gone.is_empty() {
            return;
        }
        self.telemetry.backups.pruned.inc_by(gone.len() as u64);
        let ids: Vec<_> = gone.iter().map(|(row, _)| &row.backup_id).collect();
        let size: i64 = gone.iter().map(|(row, _)| row.size_bytes).sum();
        let event =
            NewEvent { at: self.clock.wall(), kind: "backup.pruned", resource: "backup", name: backup_type };
        self.journal.record(&event, &json!({ "backup_ids": ids, "size_bytes": size }), None);
        for (row, _) in gone {
            self.own_backup(&row.backup_id, backup_type.as_str(), &[]);
        }
    }

    /// Prunes the types that have new backups, and once an hour all.
    pub async fn prune_backups(self: &Arc<Self>) -> Result<(), StoreError> {
        let _turn = self.backups.due.turn.lock().await;
        if self.backups.due.is_hour(self.clock.now()) {
            self.backups.due.types.lock().clear();
            let done = self.backups_prune(None, false).await;
            if done.is_err() {
                *self.backups.due.last.lock() = None;
            }
            return done.map(drop);
        }
        loop {
            let next = self.backups.due.types.lock().pop_first();
            let Some(name) = next else { return Ok(()) };
            if let Err(error) = self.backups_prune(Some(&name), false).await {
                self.backups.due.add(name);
                return Err(error);
            }
        }
    }
}

fn candidate(row: &JudgedRow) -> Candidate {
    Candidate {
        id: row.id,
        at: instant(row.at),
        verified: row.verified,
        pinned: row.pinned,
        corrupt: row.damaged,
    }
}

impl Pruned {
    /// Adds the backups of one more type.
    fn take(&mut self, backup_type: &Name, mut judged: Judged) {
        judged.sort_unstable_by_key(|(row, _)| Reverse((row.at, row.id)));
        let goes = |(_, decision): &&(JudgedRow, Decision)| !decision.keep;
        let deleted = judged.iter().filter(goes).count();
        self.deleted += deleted;
        self.kept += judged.len() - deleted;
        self.deleted_bytes += judged.iter().filter(goes).map(|(row, _)| row.size_bytes).sum::<i64>();
        let item = |(row, decision): (JudgedRow, Decision)| PruneItem {
            backup_id: row.backup_id,
            backup_type: backup_type.to_string(),
            timestamp: instant(row.at),
            size_bytes: row.size_bytes,
            action: if decision.keep { PruneAction::Keep } else { PruneAction::Delete },
            reasons: decision.reasons.iter().map(PruneReason::from).collect(),
        };
        self.items.extend(judged.into_iter().map(item));
        for action in [PruneAction::Keep, PruneAction::Delete] {
            let mut excess = self.items.len().saturating_sub(MAX_ITEMS);
            self.omitted += excess;
            self.items.retain(|item| {
                let goes = excess > 0 && item.action == action;
                excess -= usize::from(goes);
                !goes
            });
            self.omitted -= excess;
        }
    }
}
