//! Content of chunks in an object store. A name is on disk before its object is put, and stays there until a chunk refers
//! to it; so nothing that was put is ever forgotten, whatever interrupts it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Backups, blob::Incoming};
use crate::{
    app::{Board, text::hex},
    store::{
        Connection, StoreError,
        objects::Objects,
        random,
        sqlite::{
            blobs::{ChunkRow, Readable, chunk_locate},
            objects::{
                object_doom, object_use, objects_announce, objects_are_late, objects_doom_late,
                objects_doomed, objects_forget, store_place, store_put, store_was_at,
            },
        },
    },
};

/// How long after its announcement an object is given up. Longer than a put with all its repetitions takes, and than a
/// request of a process that died may still be under way.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(600);
/// Objects that are deleted together.
const BATCH: i64 = 128;
/// Such batches of one step: bounds how long a stop waits for it.
const BATCHES: usize = 8;
/// Objects that are read at once for one reader.
const READS: usize = 8;
/// How often a chunk that moves is looked for again.
const MOVES: usize = 5;

impl Backups {
    fn objects(&self) -> Option<&Objects> {
        self.objects.as_ref()
    }
}

impl Board {
    /// Which chunks can be read: those whose key and whose object store are at hand.
    pub(super) async fn readable(&self) -> Result<Readable, StoreError> {
        let keys = self.backups.sealer.keys().ids();
        let keys: Vec<String> = keys.iter().map(|id| id.to_string().to_uppercase()).collect();
        let store = match self.backups.objects() {
            Some(objects) => format!("{}/", self.object_store_id(objects).await?),
            None => String::new(),
        };
        Ok(Readable { keys: serde_json::to_string(&keys)?, store })
    }

    /// Puts the content of new chunks into the object store, if there is one. The transaction that stores the chunks must
    /// [`settle`] them.
    pub(super) async fn ship(&self, chunks: &mut [Incoming]) -> Result<(), StoreError> {
        let rows = chunks.iter_mut().filter_map(|chunk| match chunk {
            Incoming::New(row) => Some(row),
            Incoming::Known { .. } => None,
        });
        let rows = rows.collect();
        self.ship_rows(rows).await
    }

    /// Like [`Board::ship`], for these rows.
    pub(super) async fn ship_rows(&self, rows: Vec<&mut ChunkRow>) -> Result<(), StoreError> {
        let Some(objects) = self.backups.objects().filter(|_| !rows.is_empty()) else { return Ok(()) };
        let store = self.object_store_id(objects).await?;
        // All of a batch lie in one folder, which a directory then syncs once. The name says nothing of the content.
        let folder = hex(&random::<1>()?);
        let (mut locations, mut contents) = (Vec::new(), Vec::new());
        for row in rows {
            let Some(content) = row.content.take() else { continue };
            let name = format!("{folder}/{}", hex(&random::<16>()?));
            let location = format!("{store}/{name}");
            locations.push(location.clone());
            row.location = Some(location);
            contents.push((name, Bytes::from(content)));
        }
        let (locations, now) = (serde_json::to_string(&locations)?, self.clock.wall_nanos());
        let announce = self.store.writer.write(move |connection| {
            Box::pin(async move { objects_announce(connection, &locations, now).await })
        });
        announce.await?;
        objects.put(contents).await
    }

    /// Brings the content of chunks that lie in the object store.
    pub(super) async fn fetch(&self, rows: Vec<ChunkRow>) -> Result<Vec<ChunkRow>, StoreError> {
        if rows.iter().all(|row| row.location.is_none()) {
            return Ok(rows);
        }
        stream::iter(rows).map(|row| self.fetch_one(row)).buffered(READS).try_collect().await
    }

    async fn fetch_one(&self, mut row: ChunkRow) -> Result<ChunkRow, StoreError> {
        for _ in 0..MOVES {
            let Some(location) = row.location.clone() else { return Ok(row) };
            let (objects, name) = self.object_store_of(&location).await?;
            row.content = objects.get(name).await?;
            if row.content.is_some() {
                return Ok(row);
            }
            // It may have been sealed anew since the row was read.
            match chunk_locate(&self.store.readers, &row.hash).await? {
                Some(now) if now.location.as_ref() != Some(&location) => {
                    row = ChunkRow { start: row.start, ..now };
                }
                _ => {
                    self.expect_marker(objects).await?;
                    return Ok(row);
                }
            }
        }
        Err(StoreError::ObjectStore("a chunk moves faster than it can be read".to_owned()))
    }

    /// The store that has an object, and the object's name there.
    async fn object_store_of<'a>(&self, location: &'a str) -> Result<(&Objects, &'a str), StoreError> {
        let (store, name) = location.split_once('/').unwrap_or((location, ""));
        if let Some(objects) = self.backups.objects()
            && self.object_store_id(objects).await? == store
        {
            return Ok((objects, name));
        }
        let place = store_place(&self.store.readers, store).await?;
        let place = place.unwrap_or_else(|| format!("an unknown place (it is marked {store})"));
        let message = format!("chunks lie in the object store that was at {place}, which is not configured");
        Err(StoreError::ObjectStore(message))
    }

    /// The id of the object store; it is marked when it is used for the first time.
    async fn object_store_id(&self, objects: &Objects) -> Result<&str, StoreError> {
        let id = self.backups.object_store.get_or_try_init(|| self.identify(objects)).await?;
        Ok(id)
    }

    async fn identify(&self, objects: &Objects) -> Result<String, StoreError> {
        let place = objects.place().to_owned();
        let id = match objects.marker().await? {
            Some(id) => id,
            None if store_was_at(&self.store.readers, &place).await? => return Err(unmarked(&place)),
            None => {
                objects.mark(&hex(&random::<8>()?)).await?;
                // Another server may have been faster.
                objects.marker().await?.ok_or_else(|| unmarked(&place))?
            }
        };
        let (known, at) = (id.clone(), place.clone());
        let note = self
            .store
            .writer
            .write(move |connection| Box::pin(async move { store_put(connection, &known, &at).await }));
        note.await?;
        tracing::info!(place, id, "chunks of backups go into this object store");
        Ok(id)
    }

    /// An object is only gone if its store is there.
    async fn expect_marker(&self, objects: &Objects) -> Result<(), StoreError> {
        let expected = self.object_store_id(objects).await?;
        match objects.marker().await? {
            Some(id) if id == expected => Ok(()),
            _ => Err(unmarked(objects.place())),
        }
    }

    /// Deletes objects that no chunk refers to.
    pub async fn delete_objects(&self) -> Result<(), StoreError> {
        let Some(objects) = self.backups.objects() else { return Ok(()) };
        // An operator hears of a store that cannot be used before somebody needs it.
        let store = self.object_store_id(objects).await?;
        let span = i64::try_from(GIVEN_UP_AFTER.as_nanos()).unwrap_or(i64::MAX);
        let before = self.clock.wall_nanos().saturating_sub(span);
        if objects_are_late(&self.store.readers, before).await? {
            let doom = self.store.writer.write(move |connection| {
                Box::pin(async move { objects_doom_late(connection, before).await })
            });
            doom.await?;
        }
        for _ in 0..BATCHES {
            let doomed = objects_doomed(&self.store.readers, store, BATCH).await?;
            if doomed.is_empty() {
                break;
            }
            let names = doomed.iter().filter_map(|at| at.split_once('/')).map(|(_, name)| name.to_owned());
            objects.delete(names.collect()).await?;
            let doomed = serde_json::to_string(&doomed)?;
            let forget = self
                .store
                .writer
                .write(move |connection| Box::pin(async move { objects_forget(connection, &doomed).await }));
            forget.await?;
            self.backups.touch();
        }
        Ok(())
    }
}

/// Within the transaction that stored a chunk, or found that it was not needed: what becomes of its object.
pub(super) async fn settle(
    connection: &mut Connection,
    row: &ChunkRow,
    is_stored: bool,
) -> Result<(), StoreError> {
    let Some(location) = &row.location else { return Ok(()) };
    if !is_stored {
        return object_doom(connection, location).await;
    }
    if object_use(connection, location).await? {
        return Ok(());
    }
    Err(StoreError::Other("putting an object took so long that it was given up".to_owned()))
}

fn unmarked(place: &str) -> StoreError {
    StoreError::ObjectStore(format!(
        "{place}: its marker is gone, so it is not the object store that it was; is the disk mounted, the bucket the \
         right one?"
    ))
}
