//! Another file in the place of the database.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sqlx::{
    ConnectOptions, Connection as _,
    sqlite::{SqliteConnectOptions, SqliteLockingMode},
};

use super::{Connection, StoreError, copy::PATIENCE, lock::Lock};

/// What SQLite keeps beside a database, by the ends of the names.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Puts the file `new` in the place of a database that nobody has open, and keeps what was there under the name that is
/// returned, with `stamp` in it. There is a database under the name at every instant; [`StoreError::Locked`] if somebody has
/// it open.
pub async fn replace(database: &Path, new: &Path, stamp: &str) -> Result<Option<PathBuf>, StoreError> {
    let _lock = Lock::alone(database)?;
    let exists = fs::exists(database)?;
    let held = if exists { take_alone(database).await? } else { None };
    let aside = set_aside(database, stamp)?;
    // They belong to the file that was there, which has them under its new name.
    for end in BESIDE {
        let name = with_end(database, end);
        if fs::exists(&name)? {
            fs::remove_file(&name)?;
        }
    }
    fs::rename(new, database)?;
    sync_folder(database)?;
    if let Some(connection) = held {
        drop(connection.close().await);
    }
    Ok(aside)
}

/// Brings all of a database into its one file, and keeps everybody out. A damaged one is left as it is.
async fn take_alone(database: &Path) -> Result<Option<Connection>, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(false)
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let taken = async {
        let mut connection = options.connect().await?;
        for statement in ["PRAGMA journal_mode = DELETE", "BEGIN EXCLUSIVE"] {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        Ok::<_, sqlx::Error>(connection)
    };
    match taken.await.map_err(StoreError::from) {
        Ok(connection) => Ok(Some(connection)),
        Err(error @ (StoreError::Corrupt(_) | StoreError::Other(_))) => {
            tracing::warn!(%error, "the database that is replaced cannot be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Gives a database, and what lies beside it, a second name.
fn set_aside(database: &Path, stamp: &str) -> io::Result<Option<PathBuf>> {
    let ends: Vec<_> = [""]
        .into_iter()
        .chain(BESIDE)
        .filter(|end| fs::exists(with_end(database, end)).unwrap_or(false))
        .collect();
    if ends.is_empty() {
        return Ok(None);
    }
    let name = |n: u32| match n {
        0 => with_end(database, &format!(".before-{stamp}")),
        n => with_end(database, &format!(".before-{stamp}-{n}")),
    };
    let aside = (0..1000)
        .map(name)
        .find(|name| !fs::exists(name).unwrap_or(true))
        .ok_or_else(|| io::Error::other("there is no free name for the database that was there"))?;
    for end in ends {
        fs::hard_link(with_end(database, end), with_end(&aside, end))?;
    }
    sync_folder(database)?;
    Ok(Some(aside))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Names in a folder are on disk once it is synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
