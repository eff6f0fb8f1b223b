//! Making a backup of documents that were received.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    BackupView, Received,
    blob::{Incoming, OpenBlob, Written, pack, put},
    upload,
};
use crate::{
    app::{
        AppError, Board,
        idempotency::{Answer, IdempotencyKey},
        journal::NewEvent,
    },
    domain::{
        Name,
        backup::{BackupId, Origin},
        check::Labels,
    },
    store::{
        Connection, StoreError, random,
        sqlite::{
            backups::{BackupRow, backup_add, type_fits},
            blobs::{Readable, blob_keep, blob_open},
            idempotency::{AnswerRow, answer_put},
        },
    },
};

/// Status of an answer that says that something was made.
const CREATED: u16 = 201;

/// What is said of a new backup.
#[derive(Clone, Debug)]
pub struct NewBackup {
    /// Its type.
    pub backup_type: Name,
    /// Its labels.
    pub labels: Labels,
    /// Whether it may not be deleted.
    pub pinned: bool,
    /// Whose token makes it.
    pub actor: Option<Arc<str>>,
    /// As of when.
    pub at: Timestamp,
    /// Where its documents came from.
    pub origin: Origin,
}

enum Stored {
    /// There are too many types of backups.
    Full,
    Done(Box<BackupView>, Bytes),
    /// Chunks that were there are not any more; the others are in this blob.
    Missing(i64, Written),
    /// The id is taken; all chunks are in this blob, and new ones took so many bytes.
    Taken(i64, i64),
}

impl Board {
    /// Makes a backup. When this returns it is on disk, and so is the answer for its `Idempotency-Key`.
    pub async fn backup_create(
        self: &Arc<Self>,
        received: Received,
        new: NewBackup,
        key: Option<IdempotencyKey>,
    ) -> Result<(BackupView, Answer), AppError> {
        let Received { sha256, documents, size, mut stored, mut blob, mut rest, .. } = received;
        let documents: Vec<_> = documents.iter().map(|d| (&d.key, d.offset, d.length)).collect();
        let mut row = BackupRow {
            id: 0,
            backup_id: String::new(),
            backup_type: new.backup_type.as_str().to_owned(),
            at: i64::try_from(new.at.as_nanosecond()).unwrap_or(i64::MAX),
            blob: 0,
            size_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            stored_bytes: 0,
            compressed: self.backups.sealer.compresses(),
            sha256: sha256.to_vec(),
            labels: serde_json::to_string(&new.labels).map_err(StoreError::from)?,
            pinned: new.pinned,
            actor: new.actor.as_deref().map(str::to_owned),
            verified_at: None,
            damage: None,
            documents: serde_json::to_string(&documents).map_err(StoreError::from)?,
            source: new.origin.as_str().to_owned(),
        };
        loop {
            row.backup_id =
                BackupId::new(&new.backup_type, new.at, u64::from_ne_bytes(random()?)).to_string();
            row.stored_bytes = i64::try_from(stored).unwrap_or(i64::MAX);
            row.blob = blob.as_ref().map_or(0, OpenBlob::id);
            let chunks = if rest.is_empty() { Vec::new() } else { pack(self, rest.clone()).await? };
            match self.backup_commit(row.clone(), chunks, key.clone()).await? {
                Stored::Done(view, body) => {
                    if let Some(blob) = blob {
                        blob.kept();
                    }
                    self.backups.touch();
                    self.backups.due.add(new.backup_type);
                    return Ok((*view, Answer { status: CREATED, body }));
                }
                Stored::Full => {
                    let limit = self.limits.max_backup_types;
                    return Err(AppError::LimitReached { what: "types of backups", limit });
                }
                Stored::Missing(id, written) => {
                    let blob = blob.get_or_insert_with(|| OpenBlob::adopt(self, id));
                    let Written::Missing { stored: new, hashes } = written else { continue };
                    rest.retain(|chunk| hashes.contains(&chunk.hash));
                    stored += new + upload::write_again(self, blob.id(), std::mem::take(&mut rest)).await?;
                }
                Stored::Taken(id, bytes) => {
                    blob.get_or_insert_with(|| OpenBlob::adopt(self, id));
                    (rest, stored) = (Vec::new(), u64::try_from(bytes).unwrap_or_default());
                }
            }
        }
    }

    async fn backup_commit(
        self: &Arc<Self>,
        row: BackupRow,
        chunks: Vec<Incoming>,
        key: Option<IdempotencyKey>,
    ) -> Result<Stored, StoreError> {
        let board = Arc::clone(self);
        let (seconds, readable) = (self.clock.wall().as_second(), self.readable().await?);
        let most = i64::try_from(self.limits.max_backup_types).unwrap_or(i64::MAX);
        self.store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move {
                        if !type_fits(connection, &row.backup_type, most).await? {
                            return Ok(Stored::Full);
                        }
                        commit(connection, row, (&chunks, &readable), key, seconds).await
                    })
                },
                move |stored| {
                    if let Stored::Done(view, _) = &stored {
                        board.backup_event("backup.created", view);
                    }
                    stored
                },
            )
            .await
    }

    /// Tells what happened to a backup; the event bears the name of its type.
    pub(super) fn backup_event(&self, kind: &'static str, view: &BackupView) {
        let Ok(name) = Name::try_from(view.backup_type.as_str()) else { return };
        let event = NewEvent { at: self.clock.wall(), kind, resource: "backup", name: &name };
        let data = serde_json::json!({
            "backup_id": view.backup_id, "size_bytes": view.size_bytes, "sha256": view.sha256,
            "errors": view.errors,
        });
        self.journal.record(&event, &data, None);
        match kind {
            "backup.corrupt" => self.own_backup(&view.backup_id, &view.backup_type, &view.errors),
            "backup.deleted" => self.own_backup(&view.backup_id, &view.backup_type, &[]),
            _ => {}
        }
    }
}

async fn commit(
    connection: &mut Connection,
    mut row: BackupRow,
    (chunks, readable): (&[Incoming], &Readable),
    key: Option<IdempotencyKey>,
    seconds: i64,
) -> Result<Stored, StoreError> {
    if row.blob == 0 {
        row.blob = blob_open(connection).await?;
    }
    match put(connection, row.blob, chunks, readable).await? {
        Written::All { stored } => {
            row.stored_bytes = row.stored_bytes.saturating_add(i64::try_from(stored).unwrap_or(i64::MAX));
        }
        missing @ Written::Missing { .. } => return Ok(Stored::Missing(row.blob, missing)),
    }
    if !backup_add(connection, &row).await? {
        return Ok(Stored::Taken(row.blob, row.stored_bytes));
    }
    blob_keep(connection, row.blob).await?;
    let view = BackupView::from(&row);
    let body = serde_json::to_vec(&view)?;
    if let Some(key) = key {
        let answer = AnswerRow {
            fingerprint: key.fingerprint.to_vec(),
            status: i64::from(CREATED),
            body: body.clone(),
        };
        answer_put(connection, &key.key, &answer, seconds).await?;
    }
    Ok(Stored::Done(Box::new(view), body.into()))
}
