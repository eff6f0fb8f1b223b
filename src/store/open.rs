//! Opening the database: options, migrations, the writer and the readers.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
    },
};

use super::{StoreError, Writer, image, lock::Lock, sqlite::journal::journal_prepare, writer::WriterTask};
use crate::clock::Clock;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Of a database of SQLite, in bytes.
const SMALLEST_PAGE: u64 = 512;

/// How to open the database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The database file; created when missing.
    pub path: PathBuf,
    /// How long one statement waits for another process's lock.
    pub busy_timeout: Duration,
    /// How many operations may wait for the writer before it answers that the queue is full.
    pub queue: usize,
}

/// The open database: one writer, several readers.
#[derive(Clone, Debug)]
pub struct Store {
    /// The only way to write.
    pub writer: Writer,
    /// Read-only connections, opened when first needed.
    pub readers: SqlitePool,
    /// The database file.
    pub path: PathBuf,
    _lock: Lock,
}

impl Store {
    /// Opens the file, brings its schema up to date and starts the writer task.
    pub async fn open(options: &StoreOptions, clock: Clock) -> Result<(Self, WriterTask), StoreError> {
        let lock = Lock::shared(&options.path)?;
        refuse_cut_off(&options.path, &lock)?;
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(options.busy_timeout)
            .pragma("trusted_schema", "OFF")
            .pragma("cache_size", "-2000")
            .pragma("journal_size_limit", "67108864")
            .command_buffer_size(256)
            .disable_statement_logging();
        // Where it cannot be written at once, SQLite makes the file, and says why if it cannot either.
        let is_new = image::install(&options.path).unwrap_or(false);
        let mut connection = connect.connect().await?;
        if !is_new {
            // The first commit that is waited for syncs these too; until then nothing was promised.
            pragma(&mut connection, "PRAGMA synchronous = NORMAL").await?;
            MIGRATIONS.run(&mut connection).await?;
            pragma(&mut connection, "PRAGMA synchronous = FULL").await?;
        }
        journal_prepare(&mut connection).await?;
        lock.mark_used();
        let readers = SqlitePoolOptions::new()
            .min_connections(0)
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy_with(
                connect.clone().create_if_missing(false).read_only(true).pragma("query_only", "ON"),
            );
        // A file that vanished is an error; an empty one in its place would hide that.
        let again = connect.create_if_missing(false);
        let (writer, task) = Writer::new(connection, again, options.queue, clock);
        Ok((Self { writer, readers, path: options.path.clone(), _lock: lock }, task))
    }
}

/// SQLite takes an empty file for a new database. Where there was one before, that would hide that all of it is lost. A page
/// of which a part is missing is one to SQLite, and nothing misses it until it is read.
fn refuse_cut_off(path: &Path, lock: &Lock) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(file) if file.is_file() && file.len() == 0 && (lock.is_marked() || has_log(path)) => {
            Err(StoreError::Corrupt("it is empty, and was not before".to_owned()))
        }
        Ok(file) if file.is_file() && file.len() % SMALLEST_PAGE != 0 && !has_log(path) => {
            Err(StoreError::Corrupt("its end is missing".to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && lock.is_marked() => {
            tracing::warn!(database = %path.display(), "the database that was here is gone; a new one is made");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether there are changes that SQLite has yet to bring into the file.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|file| file.len() > 0)
}

async fn pragma(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(path: &str) -> SqliteConnection {
        SqliteConnectOptions::new().filename(path).connect().await.unwrap()
    }

    async fn schema(connection: &mut SqliteConnection) -> Vec<(String, String, Option<String>)> {
        sqlx::query_as("SELECT type, name, sql FROM sqlite_schema ORDER BY name")
            .fetch_all(connection)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_image_has_what_the_migrations_make() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("board.db");
        assert!(image::install(&path).unwrap());
        let (mut image, mut made) = (opened(path.to_str().unwrap()).await, opened(":memory:").await);
        MIGRATIONS.run(&mut made).await.unwrap();
        assert_eq!(schema(&mut image).await, schema(&mut made).await);
        // Checks the hashes of all that was done, and would do what is missing.
        MIGRATIONS.run(&mut image).await.unwrap();
        let done: Vec<(i64, bool)> =
            sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut image)
                .await
                .unwrap();
        assert_eq!(done, MIGRATIONS.iter().map(|migration| (migration.version, true)).collect::<Vec<_>>());
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut image).await.unwrap();
        assert_eq!(mode, "wal");
    }
}
