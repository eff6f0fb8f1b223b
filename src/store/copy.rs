//! The database as a file: copied while it is in use, and looked at.

use std::{fs, path::Path, time::Duration};

use sqlx::{ConnectOptions, Connection as _, sqlite::SqliteConnectOptions};

use super::{
    Connection, StoreError,
    open::MIGRATIONS,
    sqlite::{
        board,
        facts::{self, Fault},
    },
};

/// How long a statement waits for another process's lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// What was found in a database.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The number of its last migration.
    pub schema: i64,
    /// Chunks of backups whose content lies in an object store.
    pub elsewhere: i64,
    /// What SQLite says is wrong with it. With any of this, nothing else was looked at.
    pub damage: Vec<String>,
    /// What does not fit together.
    pub faults: Vec<Fault>,
}

/// Copies a database into an empty file as it is at this instant, whoever writes to it meanwhile. Once this returns, the
/// copy is whole.
pub async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let to = to.to_str().ok_or_else(|| StoreError::Other("the name of the copy is no UTF-8".to_owned()))?;
    let mut connection = open_to_read(from).await?;
    check_kind(&mut connection).await?;
    sqlx::query("VACUUM INTO ?1").bind(to).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Looks at a whole database, as of one instant.
pub async fn examine(path: &Path) -> Result<Examined, StoreError> {
    let mut connection = open_to_read(path).await?;
    sqlx::query("BEGIN").execute(&mut connection).await?;
    let schema = check_kind(&mut connection).await?;
    let said = facts::integrity(&mut connection).await?;
    let damage: Vec<_> = said.into_iter().filter(|line| line != "ok").collect();
    let mut examined = Examined { schema, elsewhere: 0, damage, faults: Vec::new() };
    if examined.damage.is_empty() {
        examined.elsewhere = facts::chunks_elsewhere(&mut connection).await?;
        examined.faults = facts::faults(&mut connection).await?;
    }
    connection.close().await?;
    Ok(examined)
}

/// What is wrong with the pages of a database, all of which are read; nothing if they are whole. A server may use it meanwhile.
///
/// SQLite keeps no sums of its pages: a value that has changed into another is not found.
pub async fn damage(path: &Path) -> Result<Vec<String>, StoreError> {
    let look = async {
        let mut connection = open_to_read(path).await?;
        let said = facts::quick_check(&mut connection).await?;
        connection.close().await?;
        Ok(said)
    };
    match look.await {
        Ok(said) => Ok(said.into_iter().filter(|line| line != "ok").collect()),
        Err(error @ StoreError::Corrupt(_)) => Ok(vec![error.to_string()]),
        Err(error) => Err(error),
    }
}

/// Makes a copy one that no server has stopped cleanly: what came after it is not known, so a server that starts with it
/// must assume the worst.
pub async fn forget_stop(path: &Path) -> Result<(), StoreError> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
    let mut connection = options.disable_statement_logging().connect().await?;
    board::board_delete(&mut connection, "stop").await?;
    connection.close().await?;
    Ok(())
}

/// Opens a database that must be there, only to read it.
async fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !fs::metadata(path)?.is_file() {
        return Err(StoreError::Other("it is not a file".to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(PATIENCE)
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// The number of the last migration of a database that this program can use.
async fn check_kind(connection: &mut Connection) -> Result<i64, StoreError> {
    if !facts::is_board(connection).await? {
        return Err(StoreError::Other("it is not a database of Fuseboard".to_owned()));
    }
    let schema = facts::schema(connection).await?;
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    if schema > known {
        let message = format!("it is of a later version: its schema is {schema}, this program knows {known}");
        return Err(StoreError::Other(message));
    }
    Ok(schema)
}
