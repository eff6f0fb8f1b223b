//! Files that are there whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Who may read a file that may hold secrets: its owner.
const PRIVATE: u32 = 0o600;

/// How often a temporary name may be taken away before it is locked.
const ATTEMPTS: usize = 16;
/// What SQLite leaves beside a file that it was writing.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A file that is being written under a temporary name beside its own. Dropped before it is kept, it is removed; what a
/// killed process left is removed by the next one that writes the same file. It is locked while somebody writes to it.
#[derive(Debug)]
pub struct Draft {
    file: File,
    /// The temporary and the right name; none for what is no file, such as a pipe, which is written directly.
    names: Option<(PathBuf, PathBuf)>,
}

impl Draft {
    /// Begins; what is there under the right name stays until [`keep`](Self::keep). Only the owner may read it.
    pub fn new(path: &Path) -> Result<Self, String> {
        Self::open(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn open(path: &Path) -> io::Result<Self> {
        // A link stays one, and what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
            return Ok(Self { file: OpenOptions::new().write(true).open(&path)?, names: None });
        }
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_string_lossy();
        let prefix = format!(".{name}.");
        clear(&path, &prefix);
        let temporary = path.with_file_name(format!("{prefix}{}", std::process::id()));
        for _ in 0..ATTEMPTS {
            let file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&temporary)?;
            // Before it is locked another process may take it for a left one; where nothing can be locked, none does.
            let is_mine = file.lock().is_err() || is_still(&temporary, &file);
            if is_mine {
                return Ok(Self { file, names: Some((temporary, path)) });
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// The name that it has meanwhile; none for what is no file.
    pub fn name(&self) -> Option<&Path> {
        self.names.as_ref().map(|(temporary, _)| temporary.as_path())
    }

    /// Waits until what was written is on disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Somebody else has given it its name.
    pub fn gone(mut self) {
        self.names = None;
    }

    /// Gives it its name. Once this returns it is on disk.
    pub fn keep(mut self) -> Result<(), String> {
        let Some((temporary, path)) = self.names.take() else { return Ok(()) };
        let done = self.file.sync_all().and_then(|()| fs::rename(&temporary, &path)).and_then(|()| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        });
        done.map_err(|error| {
            drop(fs::remove_file(&temporary));
            format!("cannot write {}: {error}", path.display())
        })
    }
}

/// Removes what nobody writes to any more. That it fails is no reason not to write.
fn clear(path: &Path, prefix: &str) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
        if process.is_empty() || !process.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let left = folder.join(&name);
        let Ok(file) = File::open(&left) else { continue };
        if file.try_lock().is_ok() && is_still(&left, &file) {
            for end in BESIDE {
                drop(fs::remove_file(folder.join(format!("{prefix}{process}{end}"))));
            }
            drop(fs::remove_file(&left));
        }
    }
}

/// Whether a file still has that name.
fn is_still(path: &Path, file: &File) -> bool {
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(own)) => (there.dev(), there.ino()) == (own.dev(), own.ino()),
        _ => false,
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.names {
            drop(fs::remove_file(temporary));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_another_writes_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("copy.db");
        let at = |name: &str| folder.path().join(name);
        // The process that was killed may have had the same number, as the first one of a container.
        let own = format!(".copy.db.{}", std::process::id());
        for left in [".copy.db.17", ".copy.db.17-journal", own.as_str()] {
            fs::write(at(left), "half").unwrap();
        }
        for other in [".copy.db.18", ".copy.db.x", ".copy.db.", ".other.db.17"] {
            fs::write(at(other), "other").unwrap();
        }
        let writer = File::open(at(".copy.db.18")).unwrap();
        writer.lock().unwrap();
        let mut draft = Draft::new(&path).unwrap();
        draft.write_all(b"whole").unwrap();
        assert!(File::open(at(&own)).unwrap().try_lock().is_err(), "nobody may take it for a left one");
        draft.keep().unwrap();
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".copy.db.", ".copy.db.18", ".copy.db.x", ".other.db.17", "copy.db"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    }

    #[test]
    fn what_is_not_kept_leaves_the_file_that_was_there_and_nothing_else() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("state.json");
        fs::write(&path, "before").unwrap();
        let mut draft = Draft::new(&path).unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut draft = Draft::new(&link).unwrap();
        draft.write_all(b"after").unwrap();
        draft.keep().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        Draft::new(Path::new("/dev/null")).unwrap().keep().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
