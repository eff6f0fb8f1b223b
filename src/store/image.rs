//! An empty board as a file. The build makes it of the migrations, so that the first start writes it at once instead of
//! running them, which took a quarter of it.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/empty.db"));

/// Puts an empty board where no file is; false if there is one. It appears with all that it holds, or not at all.
///
/// Fails where the file system has no files without a name, or none that get one later: SQLite makes the file then.
pub(super) fn install(database: &Path) -> io::Result<bool> {
    if database.try_exists()? || has_remains(database)? {
        return Ok(false);
    }
    let folder = match database.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mode = Mode::from_raw_mode(0o644);
    let mut file = File::from(open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode)?);
    file.write_all(IMAGE)?;
    // What is committed later is in the log only, and of no use without this.
    file.sync_all()?;
    let nameless = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    match linkat(CWD, &nameless, CWD, database, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    File::open(folder)?.sync_all()?;
    Ok(true)
}

/// Whether logs of a file that is gone are there. SQLite drops them when it makes the file; it would take them for those of
/// one that is there.
fn has_remains(database: &Path) -> io::Result<bool> {
    for suffix in ["-wal", "-journal"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        if fs::exists(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let database = folder.path().join("board.db");
        assert!(install(&database).unwrap());
        assert_eq!(fs::read(&database).unwrap(), IMAGE);
        for there in [b"".as_slice(), b"something"] {
            fs::write(&database, there).unwrap();
            assert!(!install(&database).unwrap());
            assert_eq!(fs::read(&database).unwrap(), there);
        }
        fs::remove_file(&database).unwrap();
        std::os::unix::fs::symlink("elsewhere", &database).unwrap();
        assert!(!install(&database).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn logs_of_a_file_that_is_gone_are_left_to_sqlite() {
        for remains in ["board.db-wal", "board.db-journal"] {
            let folder = tempfile::TempDir::new().unwrap();
            fs::write(folder.path().join(remains), "log").unwrap();
            assert!(!install(&folder.path().join("board.db")).unwrap());
        }
        assert!(install(Path::new("/nowhere/board.db")).is_err());
    }
}
