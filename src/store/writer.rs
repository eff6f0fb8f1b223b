//! One task owns the write connection and commits whatever has queued up as one transaction.
//!
//! Callers wait for the commit, so an answer means that the change is on disk. A thousand callers that arrive
//! while one commit is running share the next one.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use sqlx::{ConnectOptions, Connection as _, sqlite::SqliteConnectOptions};
use tokio::sync::{mpsc, oneshot};

use super::{StoreError, sqlite::journal::journal_prepare};
use crate::clock::Clock;

/// The write connection that an operation is given.
pub type Connection = sqlx::SqliteConnection;

/// What an operation returns: its work on the connection.
pub type WriteFuture<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// The most operations that one transaction takes; bounds how long the last caller waits.
const BATCH: usize = 512;

// Each execution is a round trip to the connection's thread, so what belongs together goes together.
const BEGIN: &str = "BEGIN IMMEDIATE";
const BEGIN_FIRST: &str = "BEGIN IMMEDIATE; SAVEPOINT op";
const NEXT: &str = "RELEASE op; SAVEPOINT op";

/// Tells the caller how the commit went; runs `apply` first if it went well.
type Settle = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type JobFuture<'c> = Pin<Box<dyn Future<Output = Done> + Send + 'c>>;

struct Done {
    failed: Option<StoreError>,
    settle: Settle,
}

trait Job: Send {
    /// Whether it is one statement, which is a transaction by itself.
    fn is_statement(&self) -> bool;
    fn run(self: Box<Self>, connection: &mut Connection) -> JobFuture<'_>;
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Write<F, A, U> {
    operation: F,
    is_statement: bool,
    apply: A,
    reply: oneshot::Sender<Result<U, StoreError>>,
}

impl<T, U, F, A> Job for Write<F, A, U>
where
    T: Send + 'static,
    U: Send + 'static,
    F: for<'c> FnOnce(&'c mut Connection) -> WriteFuture<'c, T> + Send + 'static,
    A: FnOnce(T) -> U + Send + 'static,
{
    fn is_statement(&self) -> bool {
        self.is_statement
    }

    fn run(self: Box<Self>, connection: &mut Connection) -> JobFuture<'_> {
        let Self { operation, apply, reply, .. } = *self;
        Box::pin(async move {
            // A caller that went away does not undo what is on disk: replies that nobody takes are dropped.
            match operation(connection).await {
                Ok(value) => Done {
                    failed: None,
                    settle: Box::new(move |commit| drop(reply.send(commit.map(|()| apply(value))))),
                },
                Err(error) => Done {
                    failed: Some(error.clone()),
                    settle: Box::new(move |_| drop(reply.send(Err(error)))),
                },
            }
        })
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }
}

/// Handle to the writer task. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    health: Arc<WriterHealth>,
}

/// How the writer is doing, readable without asking it.
#[derive(Debug)]
pub struct WriterHealth {
    depth: AtomicUsize,
    busy_since: AtomicI64,
    error: Mutex<Option<StoreError>>,
    errors: Mutex<std::collections::BTreeMap<&'static str, u64>>,
    commits: Mutex<Vec<CommitSample>>,
}

/// One finished transaction.
#[derive(Clone, Copy, Debug)]
pub struct CommitSample {
    /// From `BEGIN` until the commit returned.
    pub took: Duration,
    /// Operations in it.
    pub operations: usize,
}

impl WriterHealth {
    /// Operations that wait or run.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    /// Steady nanoseconds since which the running transaction has been busy; `None` while idle.
    #[must_use]
    pub fn busy_since(&self) -> Option<i64> {
        Some(self.busy_since.load(Ordering::Relaxed)).filter(|t| *t != 0)
    }

    /// The failure of the last transaction, if it failed.
    #[must_use]
    pub fn error(&self) -> Option<StoreError> {
        self.error.lock().clone()
    }

    /// Takes the transactions finished since the last call (at most a few thousand are kept).
    #[must_use]
    pub fn take_commits(&self) -> Vec<CommitSample> {
        std::mem::take(&mut *self.commits.lock())
    }

    /// Takes the failed transactions since the last call, counted by reason.
    #[must_use]
    pub fn take_errors(&self) -> std::collections::BTreeMap<&'static str, u64> {
        std::mem::take(&mut *self.errors.lock())
    }

    fn record(&self, result: &Result<(), StoreError>, sample: CommitSample) {
        *self.error.lock() = result.as_ref().err().cloned();
        if let Err(error) = result {
            *self.errors.lock().entry(error.kind()).or_default() += 1;
        }
        let mut commits = self.commits.lock();
        if result.is_ok() && commits.len() < 4096 {
            commits.push(sample);
        }
    }
}

/// The answer to a queued operation: await it to know that the change is on disk.
pub type Pending<T> = oneshot::Receiver<Result<T, StoreError>>;

impl Writer {
    pub(super) fn new(
        connection: Connection,
        options: SqliteConnectOptions,
        capacity: usize,
        clock: Clock,
    ) -> (Self, WriterTask) {
        let (queue, jobs) = mpsc::channel(capacity);
        let health = Arc::new(WriterHealth {
            depth: AtomicUsize::new(0),
            busy_since: AtomicI64::new(0),
            error: Mutex::new(None),
            errors: Mutex::default(),
            commits: Mutex::new(Vec::new()),
        });
        let task =
            WriterTask { connection: Some(connection), options, jobs, health: Arc::clone(&health), clock };
        (Self { queue, health }, task)
    }

    /// How the writer is doing.
    #[must_use]
    pub fn health(&self) -> &WriterHealth {
        &self.health
    }

    /// Queues `operation`. Once its transaction is on disk, `apply` runs in commit order and its result
    /// is the answer; after a failure `apply` does not run.
    ///
    /// `apply` must be short: it runs on the writer's task.
    pub fn submit<T, U, F, A>(&self, operation: F, apply: A) -> Result<Pending<U>, StoreError>
    where
        T: Send + 'static,
        U: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> WriteFuture<'c, T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Write { operation, is_statement: false, apply, reply }))?;
        Ok(answer)
    }

    fn queue(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.health.depth.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(job).map_err(|e| {
            self.health.depth.fetch_sub(1, Ordering::Relaxed);
            match e {
                mpsc::error::TrySendError::Full(_) => StoreError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
            }
        })
    }

    /// Like [`Writer::submit`], and waits for the answer.
    pub async fn write_then<T, U, F, A>(&self, operation: F, apply: A) -> Result<U, StoreError>
    where
        T: Send + 'static,
        U: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> WriteFuture<'c, T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        self.submit(operation, apply)?.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Like [`Writer::write_then`] with nothing to apply.
    pub async fn write<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> WriteFuture<'c, T> + Send + 'static,
    {
        self.write_then(operation, |value| value).await
    }

    /// Like [`Writer::write`], for an operation that is one statement: when nothing else waits, it is the whole
    /// transaction, without the ways to the connection's thread for its begin and its end.
    pub async fn write_statement<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> WriteFuture<'c, T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Write { operation, is_statement: true, apply: |value| value, reply }))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// The task behind a [`Writer`]. Ends when every handle is gone and the queue is empty.
#[derive(Debug)]
pub struct WriterTask {
    connection: Option<Connection>,
    options: SqliteConnectOptions,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    health: Arc<WriterHealth>,
    clock: Clock,
}

impl WriterTask {
    /// Serves the queue until it closes, then checkpoints and closes the database.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.jobs.recv_many(&mut batch, BATCH).await > 0 {
            self.commit(std::mem::take(&mut batch)).await;
        }
        if let Some(mut connection) = self.connection.take() {
            drop(sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await);
            drop(connection.close().await);
        }
    }

    async fn commit(&mut self, batch: Vec<Box<dyn Job>>) {
        let operations = batch.len();
        let start = self.clock.now();
        self.health.busy_since.store(start.as_nanos(), Ordering::Relaxed);
        let mut settles = Vec::with_capacity(operations);
        let is_statement = operations == 1 && batch[0].is_statement();
        let mut jobs = batch.into_iter();
        let result = if is_statement {
            self.statement(&mut jobs, &mut settles).await
        } else {
            self.transaction(&mut jobs, operations == 1, &mut settles).await
        };
        if let Err(error) = &result {
            // After a failed write SQLite may have rolled back by itself, and a remounted or replaced
            // file is seen only by a new connection.
            self.connection = None;
            tracing::error!(error = %error, operations, "a transaction failed; its operations were refused");
            jobs.for_each(|job| job.refuse(error.clone()));
        }
        let took = self.clock.now().since(start);
        self.health.record(&result, CommitSample { took, operations });
        self.health.busy_since.store(0, Ordering::Relaxed);
        self.health.depth.fetch_sub(operations, Ordering::Relaxed);
        for settle in settles {
            settle(result.clone());
        }
    }

    /// Runs all jobs in one transaction. One that fails by itself is undone alone; a failing disk fails all.
    async fn transaction(
        &mut self,
        jobs: &mut std::vec::IntoIter<Box<dyn Job>>,
        single: bool,
        settles: &mut Vec<Settle>,
    ) -> Result<(), StoreError> {
        let connection = self.begin(if single { BEGIN } else { BEGIN_FIRST }).await?;
        while let Some(job) = jobs.next() {
            let done = job.run(connection).await;
            settles.push(done.settle);
            match done.failed {
                // The last savepoint ends with the transaction.
                None if jobs.len() == 0 => {}
                None => execute(connection, NEXT).await?,
                Some(StoreError::Other(_)) if single => return execute(connection, "ROLLBACK").await,
                // The savepoint stays, for the next operation.
                Some(StoreError::Other(_)) => execute(connection, "ROLLBACK TO op").await?,
                Some(disk) => return Err(disk),
            }
        }
        execute(connection, "COMMIT").await
    }

    /// Runs the only job, which SQLite undoes by itself if it fails.
    async fn statement(
        &mut self,
        jobs: &mut std::vec::IntoIter<Box<dyn Job>>,
        settles: &mut Vec<Settle>,
    ) -> Result<(), StoreError> {
        let connection = self.connection().await?;
        let Some(job) = jobs.next() else { return Ok(()) };
        let done = job.run(connection).await;
        settles.push(done.settle);
        match done.failed {
            None | Some(StoreError::Other(_)) => Ok(()),
            Some(disk) => Err(disk),
        }
    }

    async fn begin(&mut self, statement: &'static str) -> Result<&mut Connection, StoreError> {
        let connection = self.connection().await?;
        execute(connection, statement).await?;
        Ok(connection)
    }

    async fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let mut connection = self.options.connect().await?;
            journal_prepare(&mut connection).await?;
            connection
        };
        Ok(self.connection.insert(connection))
    }
}

async fn execute(connection: &mut Connection, statement: &'static str) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, StoreOptions, sqlite::board};

    fn put(key: &'static str, fails: bool) -> impl for<'c> FnOnce(&'c mut Connection) -> WriteFuture<'c, ()> {
        move |connection| {
            Box::pin(async move {
                board::board_put(connection, key, "1").await?;
                if fails { Err(StoreError::Other("no".to_owned())) } else { Ok(()) }
            })
        }
    }

    #[tokio::test]
    async fn an_operation_that_fails_is_undone_alone() {
        let dir = tempfile::TempDir::new().unwrap();
        let options =
            StoreOptions { path: dir.path().join("db"), busy_timeout: Duration::from_secs(1), queue: 16 };
        let (store, task) = Store::open(&options, Clock::system()).await.unwrap();
        // All of them wait before the task runs, so they share a transaction; the last one has its own.
        let plan = [("a", false), ("b", true), ("c", false), ("d", true)];
        let answers: Vec<_> =
            plan.iter().map(|(key, fails)| store.writer.submit(put(key, *fails), |()| ()).unwrap()).collect();
        let task = tokio::spawn(task.run());
        for (answer, (key, fails)) in answers.into_iter().zip(plan) {
            assert_eq!(answer.await.unwrap().is_err(), fails, "{key}");
        }
        assert!(store.writer.write(put("e", true)).await.is_err());
        assert_eq!(
            store.writer.health().take_commits().iter().map(|c| c.operations).collect::<Vec<_>>(),
            [4, 1]
        );
        for (key, stored) in [("a", true), ("b", false), ("c", true), ("d", false), ("e", false)] {
            let found: Option<String> = sqlx::query_scalar("SELECT value FROM board WHERE key = ?1")
                .bind(key)
                .fetch_optional(&store.readers)
                .await
                .unwrap();
            assert_eq!(found.is_some(), stored, "{key}");
        }
        store.readers.close().await;
        drop(store);
        task.await.unwrap();
    }
}
