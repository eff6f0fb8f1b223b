//! Files that are there whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Who may read a file that may hold secrets: its owner.
const PRIVATE: u32 = 0o600;

/// A file that is being written under a temporary name beside its own. Dropped before it is kept, it is removed.
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
        let temporary = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(&temporary)?;
        Ok(Self { file, names: Some((temporary, path)) })
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
