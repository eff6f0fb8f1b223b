//! Opening the database: options, migrations, the writer and the readers.

use std::{path::PathBuf, time::Duration};

use sqlx::{
    ConnectOptions, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{StoreError, Writer, lock::Lock, sqlite::journal::journal_prepare, writer::WriterTask};
use crate::clock::Clock;

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

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
    _lock: Lock,
}

impl Store {
    /// Opens the file, brings its schema up to date and starts the writer task.
    pub async fn open(options: &StoreOptions, clock: Clock) -> Result<(Self, WriterTask), StoreError> {
        let lock = Lock::shared(&options.path)?;
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
        let mut connection = connect.connect().await?;
        // The first commit that is waited for syncs these too; until then nothing was promised.
        pragma(&mut connection, "PRAGMA synchronous = NORMAL").await?;
        MIGRATIONS.run(&mut connection).await?;
        pragma(&mut connection, "PRAGMA synchronous = FULL").await?;
        journal_prepare(&mut connection).await?;
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
        Ok((Self { writer, readers, _lock: lock }, task))
    }
}

async fn pragma(connection: &mut sqlx::SqliteConnection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}
