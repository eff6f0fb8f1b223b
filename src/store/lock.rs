//! Whether somebody has the database open.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::StoreError;

/// A lock on the file `{database}.lock`, which stays where it is. All that open the database share it; whoever puts another
/// file in its place has it alone. SQLite's own locks are not enough for that: they belong to the file, not to its name, so
/// a server that starts at that moment would go on with the file that is set aside.
#[derive(Clone, Debug)]
pub struct Lock(Option<Arc<File>>);

/// What the file says once there is a database. It outlives a database that was emptied, which nothing else tells from a new one.
const MARK: &[u8] = b"The database beside this file is in use, or was.\n";

impl Lock {
    /// Shared with all that have the database open. Where no such file can be made, nobody is kept out.
    pub(super) fn shared(database: &Path) -> Result<Self, StoreError> {
        let Ok(file) = open(database) else { return Ok(Self(None)) };
        taken(&file.try_lock_shared()).map(|is_locked| Self(is_locked.then(|| Arc::new(file))))
    }

    /// Alone; [`StoreError::Locked`] if somebody has the database open.
    pub(super) fn alone(database: &Path) -> Result<Self, StoreError> {
        let file = open(database).map_err(|error| StoreError::Io(error.to_string()))?;
        taken(&file.try_lock()).map(|is_locked| Self(is_locked.then(|| Arc::new(file))))
    }

    /// Whether there was a database once.
    pub(super) fn is_marked(&self) -> bool {
        let size = self.0.as_deref().and_then(|file| file.metadata().ok()).map(|file| file.len());
        size.is_some_and(|size| size > 0)
    }

    /// Notes that there is a database. Somebody else's file stays as it is.
    pub(super) fn mark_used(&self) {
        if let Some(mut file) = self.0.as_deref().filter(|_| !self.is_marked()) {
            let _ = file.write_all(MARK);
        }
    }
}

fn open(database: &Path) -> std::io::Result<File> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    // Somebody else's file can be locked without writing to it.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .or_else(|_| File::open(&path))
}

/// Whether it was locked: some file systems cannot do that.
fn taken(result: &Result<(), TryLockError>) -> Result<bool, StoreError> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(_)) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_share_it_or_one_has_it_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let database = folder.path().join("board.db");
        let (one, other) = (Lock::shared(&database).unwrap(), Lock::shared(&database).unwrap());
        assert!(matches!(Lock::alone(&database), Err(StoreError::Locked)));
        drop((one, other));
        let alone = Lock::alone(&database).unwrap();
        assert!(matches!(Lock::shared(&database), Err(StoreError::Locked)));
        drop(alone);
        Lock::shared(&database).unwrap();
        Lock::shared(Path::new("/nowhere/board.db")).unwrap();
    }
}
