//! Taking a backup back: who did, when, and why.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{NewBackup, Reading, Received, Span, view::instant};
use crate::{
    app::{AppError, Board, journal::NewEvent, tokens::Scope},
    domain::{
        Name,
        backup::{BackupId, Origin},
        check::Labels,
    },
    store::sqlite::backups::{RestoreRow, restore_add, restores_before},
};

/// What is said of a restore.
#[derive(Clone, Debug, Default)]
pub struct NewRestore {
    /// By which client.
    pub client: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// By whose token.
    pub actor: Option<Arc<str>>,
}

/// The type of the backups of states before a restore.
const PRE_RESTORE: &str = "pre_restore";

/// Something that was taken back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RestoreView {
    /// Its number.
    pub id: i64,
    /// What.
    pub backup_id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// By whose token.
    pub actor: Option<String>,
    /// By which client.
    pub client: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The backup of the state before.
    pub pre_restore_backup_id: Option<String>,
}

impl From<RestoreRow> for RestoreView {
    fn from(row: RestoreRow) -> Self {
        Self {
            id: row.id,
            backup_id: row.backup_id,
            timestamp: instant(row.at),
            actor: row.actor,
            client: row.client,
            reason: row.reason,
            pre_restore_backup_id: row.pre_restore,
        }
    }
}

impl Board {
    /// Stores the caller's state as of `at`, if it came along; then reads a backup whole for somebody with this scope, and
    /// notes that it was taken back. When this returns, all of that is on disk.
    pub async fn backup_restore(
        self: &Arc<Self>,
        id: &BackupId,
        new: NewRestore,
        current: Received,
        at: Timestamp,
        scope: Option<Scope>,
    ) -> Result<(RestoreView, Reading), AppError> {
        let pre_restore = self.backup_before_restore(&new, current, at).await?;
        let reading = self.backup_read(id, &Span::All, scope).await?;
        let backup_type = self.backup_row(id).await?.backup_type;
        let mut row = RestoreRow {
            id: 0,
            backup_id: id.to_string(),
            at: self.clock.wall_nanos(),
            actor: new.actor.as_deref().map(str::to_owned),
            client: new.client,
            reason: new.reason,
            pre_restore,
        };
        let board = Arc::clone(self);
        let view = self
            .store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move {
                        row.id = restore_add(connection, &row).await?;
                        Ok(RestoreView::from(row))
                    })
                },
                move |view| {
                    if let Ok(name) = Name::try_from(backup_type) {
                        let kind = "backup.restored";
                        let event =
                            NewEvent { at: board.clock.wall(), kind, resource: "backup", name: &name };
                        board.journal.record(&event, &view, None);
                    }
                    view
                },
            )
            .await?;
        Ok((view, reading))
    }

    async fn backup_before_restore(
        self: &Arc<Self>,
        new: &NewRestore,
        current: Received,
        at: Timestamp,
    ) -> Result<Option<String>, AppError> {
        if !current.is_present {
            return Ok(None);
        }
        let backup_type =
            Name::try_from(PRE_RESTORE).map_err(|e| AppError::invalid("current", e.to_string()))?;
        let (labels, actor, origin) = (Labels::default(), new.actor.clone(), Origin::Request);
        let new = NewBackup { backup_type, labels, pinned: false, actor, at, origin };
        Ok(Some(self.backup_create(current, new, None).await?.0.backup_id))
    }

    /// Up to `limit` restores before `before`, newest first, of one backup or of all; and the cursor of the next page.
    pub async fn restores(
        &self,
        id: Option<&BackupId>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<RestoreView>, Option<i64>), AppError> {
        let most = i64::try_from(limit).unwrap_or(1000) + 1;
        let before = before.unwrap_or(i64::MAX);
        let mut rows = restores_before(&self.store.readers, id.map(BackupId::as_str), before, most).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| row.id);
        Ok((rows.into_iter().map(RestoreView::from).collect(), next))
    }
}
