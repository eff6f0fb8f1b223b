//! Why the store could not do its part.

/// A failure of the store. Each has a clear reason that operators can act on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the database's write lock.
    #[error("the database is locked by another process")]
    Locked,
    /// The disk, or the database's quota, is full.
    #[error("the disk is full")]
    Full,
    /// The database file or its file system cannot be written.
    #[error("the database is read-only")]
    ReadOnly,
    /// The file is not a database, or is damaged.
    #[error("the database file is damaged: {0}")]
    Corrupt(String),
    /// The operating system failed to read or write.
    #[error("the disk failed: {0}")]
    Io(String),
    /// The object store failed, or is not the right one. Where, and why.
    #[error("the object store failed: {0}")]
    ObjectStore(String),
    /// The bounded queue of the writer is full.
    #[error("too many writes are waiting")]
    QueueFull,
    /// The writer has stopped; the server is shutting down.
    #[error("the store is closed")]
    Closed,
    /// Anything else that SQLite said.
    #[error("{0}")]
    Other(String),
}

impl StoreError {
    /// A stable word for metrics and probes.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Corrupt(_) => "corrupt",
            Self::Io(_) => "io",
            Self::ObjectStore(_) => "object_store",
            Self::QueueFull => "queue_full",
            Self::Closed => "closed",
            Self::Other(_) => "other",
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(db) = &error else {
            return match error {
                sqlx::Error::Io(io) => Self::Io(io.to_string()),
                sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Closed,
                sqlx::Error::PoolTimedOut => Self::Locked,
                // The schema is ours: a value of another kind was not written by us.
                sqlx::Error::ColumnDecode { .. } => Self::Corrupt(error.to_string()),
                other => Self::Other(other.to_string()),
            };
        };
        let message = db.message().to_owned();
        // Extended result codes carry the primary one in the low byte: https://sqlite.org/rescode.html
        match db.code().and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(10 | 14) => Self::Io(message),
            Some(13) => Self::Full,
            Some(11 | 26) => Self::Corrupt(message),
            _ => Self::Other(message),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(e) => e.into(),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(format!("a stored document does not parse: {error}"))
    }
}
