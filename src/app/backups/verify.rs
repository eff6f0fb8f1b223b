//! Looking whether backups are whole.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use utoipa::ToSchema;

use super::{BackupView, Backups, read::InUse, read::ReadError};
use crate::{
    app::{AppError, Board, checks::CheckCell, definitions::OnExisting},
    domain::{
        Name, Seconds, Time,
        backup::BackupId,
        check::{CheckSpec, Observation},
        health::Status,
    },
    store::{
        StoreError,
        sqlite::backups::{BackupRow, TypeRow, backup_mark, backups_unverified},
    },
};

/// Backups that one step verifies.
const STEP: i64 = 16;
/// The check that turns red when a backup is damaged.
const CHECK: &str = "backups";
/// It is told what it knows already every quarter of this.
pub(super) const STALE_AFTER: Seconds = Seconds::whole(3600);

/// When a backup that could not be verified is tried again.
const RETRY: Duration = Duration::from_secs(600);

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verdict {
    /// Whether every byte is what was stored.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<String>,
}

impl Backups {
    /// The next verification of a backup is due after a while.
    fn defer(&self, id: &BackupId, now: Time, span: Duration) {
        self.deferred.lock().insert(id.to_string(), now.after(span));
    }

    /// How many verifications are not due yet.
    fn count_deferred(&self, now: Time) -> i64 {
        let mut deferred = self.deferred.lock();
        deferred.retain(|_, due| *due > now);
        i64::try_from(deferred.len()).unwrap_or(i64::MAX)
    }

    fn is_deferred(&self, id: &str) -> bool {
        self.deferred.lock().contains_key(id)
    }
}

impl Board {
    /// Reads a whole backup and compares it with its hashes. What was found is stored with it.
    pub async fn backup_verify(self: &Arc<Self>, id: &BackupId) -> Result<Verdict, AppError> {
        let row = self.backup_row(id).await?;
        let _in_use = InUse::new(self, row.blob);
        let errors = match self.blob_digest(&row).await {
            Ok(digest) if digest[..] == row.sha256[..] => Vec::new(),
            Ok(_) => vec!["the documents do not match their SHA-256".to_owned()],
            Err(ReadError::Store(error)) => return Err(error.into()),
            Err(ReadError::KeyMissing(key)) => {
                return Err(AppError::BackupKeyMissing { id: id.to_string(), key });
            }
            Err(error @ (ReadError::Damaged { .. } | ReadError::Missing(_))) => vec![error.to_string()],
        };
        // Deleted meanwhile, it may have been swept as well.
        self.backup_row(id).await?;
        if errors.is_empty() {
            self.backup_whole(&row).await?;
        } else {
            self.note_damaged_chunks(&row).await?;
            self.backup_damaged(&row, &errors).await?;
        }
        self.telemetry.backups.verified(errors.is_empty());
        Ok(Verdict { valid: errors.is_empty(), errors })
    }

    async fn backup_whole(self: &Arc<Self>, row: &BackupRow) -> Result<(), StoreError> {
        let (id, now) = (row.id, self.clock.wall_nanos());
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move { backup_mark(connection, id, Some(now), None).await })
            })
            .await?;
        self.own_backup(&row.backup_id, &row.backup_type, &[]);
        self.backups.touch();
        Ok(())
    }

    /// Stores that a backup is damaged, and tells it once.
    pub(super) async fn backup_damaged(
        self: &Arc<Self>,
        row: &BackupRow,
        errors: &[String],
    ) -> Result<(), StoreError> {
        let id = row.id;
        let damage = serde_json::to_string(errors)?;
        if row.damage.as_deref() == Some(&damage) {
            return Ok(());
        }
        let view = BackupView::from(&BackupRow { damage: Some(damage.clone()), ..row.clone() });
        let (board, was_known) = (Arc::clone(self), row.damage.is_some());
        self.store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move { backup_mark(connection, id, None, Some(&damage)).await })
                },
                // What else is found in a damaged one is no news.
                move |()| {
                    if !was_known {
                        board.backup_event("backup.corrupt", &view);
                    }
                },
            )
            .await?;
        self.backups.touch();
        Ok(())
    }

    /// Verifies some of the backups that were not verified for long, and tells the check `backups` what there is.
    pub async fn verify_backups(self: &Arc<Self>) -> Result<(), StoreError> {
        let result = self.verify_some().await;
        self.refresh_backups().await?;
        self.report_backups().await;
        result
    }

    async fn verify_some(self: &Arc<Self>) -> Result<(), StoreError> {
        let interval = self.backups.options.verify_interval.get();
        let span = i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX);
        let due = self.clock.wall_nanos().saturating_sub(span);
        // Those that cannot be verified must not stand in the way of the others.
        let most = STEP.saturating_add(self.backups.count_deferred(self.clock.now()));
        let waiting = backups_unverified(&self.store.readers, due, most).await?;
        let step = usize::try_from(STEP).unwrap_or(usize::MAX);
        for id in waiting.into_iter().filter(|id| !self.backups.is_deferred(id)).take(step) {
            let Ok(id) = BackupId::try_from(id.as_str()) else { continue };
            match self.backup_verify(&id).await {
                Ok(Verdict { valid: true, .. }) | Err(AppError::NotFound { .. }) => {}
                Ok(Verdict { valid: false, .. }) => self.backups.defer(&id, self.clock.now(), interval),
                Err(error) => {
                    self.backups.defer(&id, self.clock.now(), RETRY.min(interval));
                    match error {
                        AppError::Storage(error) => return Err(error),
                        error => tracing::warn!(%id, %error, "a backup could not be verified"),
                    }
                }
            }
        }
        Ok(())
    }

    /// Nobody gets a check for backups who has none.
    async fn report_backups(self: &Arc<Self>) {
        let types = self.backups.types();
        let sum = |figure: fn(&TypeRow) -> i64| types.iter().map(figure).sum::<i64>();
        let (count, verified, damaged) = (sum(|t| t.count), sum(|t| t.verified), sum(|t| t.damaged));
        let Ok(name) = Name::try_from(CHECK) else { return };
        if count == 0 && self.checks.get(CHECK).is_none() {
            return;
        }
        let observation = if damaged > 0 {
            Observation::new(Status::Red, format!("{damaged} of {count} backups are damaged"))
        } else {
            Observation::new(Status::Green, format!("{verified} of {count} backups verified, none damaged"))
        };
        if !self.backups.is_news(&observation, self.clock.now()) {
            return;
        }
        let spec =
            CheckSpec { stale_after_seconds: Some(STALE_AFTER.get().as_secs_f64()), ..CheckSpec::default() };
        if self.checks.get(CHECK).is_none()
            && let Err(error) = self.declare::<CheckCell>(name.clone(), spec, OnExisting::Keep).await
        {
            tracing::warn!(%error, "the check of backups could not be made");
            return;
        }
        if let Err(error) = self.check_push(name, observation).await {
            tracing::warn!(%error, "the check of backups takes no results");
        }
    }
}
