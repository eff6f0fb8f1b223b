//! Backups: documents that processes leave here and get back byte for byte.

mod blob;
mod create;
mod cutter;
mod damage;
mod diff;
mod list;
mod objects;
mod own;
mod prune;
mod read;
mod reseal;
mod restore;
mod sweep;
mod tally;
mod upload;
mod verify;
pub mod view;

use std::sync::{Arc, atomic::AtomicBool};

use foldhash::HashMap;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use super::{AppError, Board};
use crate::{
    domain::{Seconds, Time, backup::BackupId, check::Observation, retention::RetentionPolicy},
    store::{
        objects::{Objects, Place},
        seal::{Keyring, Sealer},
        sqlite::backups::{BackupRow, TypeRow, backup_get},
    },
};

pub use create::NewBackup;
pub use diff::MAX_DIFF_BYTES;
pub use list::BackupQuery;
pub use prune::{PruneAction, PruneItem, PruneReason, Pruned};
pub use read::{Reading, Span};
pub use restore::{NewRestore, RestoreView};
pub use tally::Chunks;
pub use upload::{Received, Upload};
pub use verify::Verdict;

use reseal::Progress;
pub use view::BackupView;

/// States of applications that are fetched at once: each may take 64 MiB of memory.
const FETCHES: usize = 4;

/// How backups are kept.
#[derive(Clone, Debug)]
pub struct BackupOptions {
    /// The most bytes of one backup's request.
    pub max_bytes: u64,
    /// zstd's level; none for no compression.
    pub level: Option<i32>,
    /// How many are received at once; further ones wait.
    pub max_uploads: usize,
    /// How old a verification may be before it is repeated.
    pub verify_interval: Seconds,
    /// How old the last backup that the board made of itself may be; none if it makes none.
    pub automatic: Option<Seconds>,
    /// Which backups stay whose type has no policy of its own.
    pub retention: Arc<RetentionPolicy>,
    /// What encrypts chunks at rest; without a current key they are not encrypted.
    pub keys: Keyring,
    /// The object store that new chunks go to; without one they stay in the database.
    pub store: Option<Place>,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 30,
            level: Some(3),
            max_uploads: 8,
            verify_interval: Seconds::whole(86_400),
            automatic: None,
            retention: Arc::new(RetentionPolicy::everything()),
            keys: Keyring::default(),
            store: None,
        }
    }
}

/// What the board keeps in memory about backups.
#[derive(Debug)]
pub struct Backups {
    pub(super) options: BackupOptions,
    pub(super) sealer: Arc<Sealer>,
    uploads: Arc<Semaphore>,
    diffs: Arc<Semaphore>,
    /// What to prune soon.
    due: prune::Due,
    /// Turns of those that fetch the state of an application.
    pub(super) fetching: Semaphore,
    /// The last backup that the board made of itself, and since when this process knows of it.
    last_own: Mutex<Option<(i64, Time)>>,
    /// How many read each blob: what is read is not swept.
    reading: Mutex<HashMap<i64, usize>>,
    /// What there is, by type, as of the last look.
    types: Mutex<Arc<Vec<TypeRow>>>,
    /// What is stored for all together, as of the last look.
    chunks: Mutex<Chunks>,
    /// Keys of chunks that are not at hand, as of the last look.
    missing_keys: Mutex<Vec<String>>,
    /// Whether `types`, `chunks` and `missing_keys` may be out of date.
    changed: AtomicBool,
    /// What the check of backups was told last, and when.
    told: Mutex<Option<(Observation, Time)>>,
    /// Backups whose next verification is not due before a time, since the last one did not find them whole.
    deferred: Mutex<HashMap<String, Time>>,
    objects: Option<Objects>,
    /// The id that the object store is marked with, once it is known.
    object_store: OnceCell<String>,
    /// How far chunks are sealed anew.
    progress: Mutex<Progress>,
}

impl Backups {
    pub(super) fn new(options: BackupOptions, objects: Option<Objects>) -> Self {
        Self {
            sealer: Arc::new(Sealer::new(options.level, options.keys.clone())),
            uploads: Arc::new(Semaphore::new(options.max_uploads)),
            diffs: Arc::new(Semaphore::new(diff::MAX_DIFFS)),
            due: prune::Due::default(),
            fetching: Semaphore::new(FETCHES),
            last_own: Mutex::default(),
            reading: Mutex::default(),
            types: Mutex::default(),
            chunks: Mutex::default(),
            missing_keys: Mutex::default(),
            changed: AtomicBool::new(true),
            told: Mutex::default(),
            deferred: Mutex::default(),
            objects,
            object_store: OnceCell::new(),
            progress: Mutex::new(Progress::new(&options.keys)),
            options,
        }
    }

    /// The most bytes of one backup's request.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.options.max_bytes
    }
}

impl Board {
    /// What is known of a backup.
    pub(super) async fn backup_row(&self, id: &BackupId) -> Result<BackupRow, AppError> {
        backup_get(&self.store.readers, id.as_str())
            .await?
            .ok_or_else(|| AppError::NotFound { resource: "backup", name: id.to_string() })
    }
}
