//! Groups on disk: what has changed is written once a second, group by group.

use std::{cmp::Reverse, sync::Arc};

use serde::Serialize;

use crate::{
    app::Board,
    domain::{GroupingKey, push_group::SavedGroup},
    store::{Connection, Pairs, StoreError, sqlite::push_groups},
};

/// Bytes written by one transaction, about. Others wait for the disk meanwhile.
const CHUNK_BYTES: usize = 1 << 20;

/// What the store holds at the start.
#[derive(Debug)]
pub struct StoredGroups(Pairs);

/// Reads all of it.
pub async fn read(connection: &mut Connection) -> Result<StoredGroups, StoreError> {
    Ok(StoredGroups(push_groups::push_groups_load(connection).await?))
}

/// Rows on their way to the disk, as JSON.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    rows: Vec<u8>,
    gone: Vec<String>,
}

#[derive(Serialize)]
struct Row<'a>(String, &'a SavedGroup);

impl Batch {
    fn add(&mut self, board: &Board, key: &GroupingKey) -> Result<(), StoreError> {
        // The lock is held for pointers only.
        let copied = board.push_groups.groups.lock().copy(key);
        // A text within a text, so that it has no control characters.
        let labels = serde_json::to_string(key.labels())?;
        match copied {
            Some(copied) => {
                self.rows.push(if self.rows.is_empty() { b'[' } else { b',' });
                serde_json::to_writer(&mut self.rows, &Row(labels, &copied.save()))?;
            }
            None => self.gone.push(labels),
        }
        Ok(())
    }

    pub(crate) async fn write(mut self, connection: &mut Connection) -> Result<(), StoreError> {
        if !self.rows.is_empty() {
            self.rows.push(b']');
            let rows = String::from_utf8(self.rows).map_err(|error| StoreError::Other(error.to_string()))?;
            push_groups::push_groups_put(connection, &rows).await?;
        }
        if !self.gone.is_empty() {
            push_groups::push_groups_delete(connection, &serde_json::to_string(&self.gone)?).await?;
        }
        Ok(())
    }
}

impl Board {
    /// Writes the groups that have changed. Returns how many that were.
    pub async fn save_push_groups(&self) -> Result<usize, StoreError> {
        let _saving = self.push_groups.saving.lock().await;
        let dirty = self.push_groups.groups.lock().take_dirty();
        let mut written = 0;
        while written < dirty.len() {
            match self.save_some(&dirty[written..]).await {
                Ok(count) => written += count,
                Err(error) => {
                    // Tried again with the next step.
                    self.push_groups.groups.lock().give_back(dirty[written..].to_vec());
                    return Err(error);
                }
            }
        }
        Ok(written)
    }

    async fn save_some(&self, keys: &[Arc<GroupingKey>]) -> Result<usize, StoreError> {
        let (mut batch, mut count) = (Batch::default(), 0);
        for key in keys {
            batch.add(self, key)?;
            count += 1;
            if batch.rows.len() >= CHUNK_BYTES {
                break;
            }
        }
        let write = self.store.writer.write(move |connection| Box::pin(batch.write(connection)));
        write.await.map(|()| count)
    }

    /// All groups, to be written together with the zero of their times.
    pub(crate) fn push_groups_rows(&self) -> Result<Batch, StoreError> {
        let keys = self.push_groups.groups.lock().keys();
        let mut batch = Batch::default();
        keys.iter().try_for_each(|key| batch.add(self, key))?;
        Ok(batch)
    }

    /// Puts in what was saved, with all times moved. Whatever cannot be put in is told and left out: metrics must not keep
    /// a board from starting.
    pub(crate) fn restore_push_groups(&self, stored: &StoredGroups, shift: i64) -> Result<(), StoreError> {
        let mut saved = Vec::new();
        for (labels, state) in stored.0.iter() {
            let labels: String = serde_json::from_str(labels)?;
            let key: GroupingKey = serde_json::from_value(labels.into())?;
            saved.push((key, serde_json::from_str::<SavedGroup>(state)?));
        }
        // After a crash those of some instants may be there together: the newer is right.
        saved.sort_by_key(|(_, saved)| Reverse(saved.pushed_at()));
        let now = self.clock.now();
        let mut groups = self.push_groups.groups.lock();
        for (key, saved) in saved {
            let group = key.labels().as_str().to_owned();
            match groups.restore(key, saved, (now, shift)) {
                Ok(misfits) if misfits.is_empty() => {}
                Ok(misfits) => tracing::warn!(group, ?misfits, "pushed metrics do not fit to newer ones"),
                Err(error) => tracing::error!(group, %error, "pushed metrics cannot be read"),
            }
        }
        Ok(())
    }
}
