//! Runs of schedules. A row is told and read as the JSON document of a run.

use sqlx::SqlitePool;

use crate::store::{Connection, StoreError};

/// The newest facts of one schedule's history.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LatestRow {
    /// The schedule.
    pub schedule: String,
    /// Its newest run, without output.
    pub run: Option<String>,
    /// When the newest run that began did so.
    pub started_at: Option<String>,
    /// When the newest run that succeeded ended.
    pub succeeded_at: Option<String>,
}

/// Adds runs or brings them to their end. `rows` is a JSON array of runs. A schedule that is no longer declared gets none.
pub async fn runs_put(connection: &mut Connection, schedule: &str, rows: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO runs (schedule, id, scheduled_for, started_at, finished_at, status, trigger, actor, missed, output)
         SELECT ?1, value ->> 'id', value ->> 'scheduled_for', value ->> 'started_at', value ->> 'finished_at',
                value ->> 'status', value ->> 'trigger', value ->> 'actor', nullif(value -> 'missed', 'null'),
                nullif(value -> 'output', 'null')
         FROM json_each(?2)
         WHERE EXISTS (SELECT 1 FROM definitions WHERE kind = 'schedule' AND name = ?1)
         ON CONFLICT DO UPDATE SET finished_at = excluded.finished_at, status = excluded.status,
                                   output = excluded.output",
    )
    .bind(schedule)
    .bind(rows)
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps the newest `keep` runs of a schedule, and those that go on.
pub async fn runs_prune(connection: &mut Connection, schedule: &str, keep: u32) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "DELETE FROM runs WHERE schedule = ?1 AND status <> 'running' AND id <= (
             SELECT id FROM runs WHERE schedule = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(schedule)
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// One run.
pub async fn run_get(pool: &SqlitePool, schedule: &str, id: i64) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT json_object('id', id, 'scheduled_for', scheduled_for, 'started_at', started_at,
                            'finished_at', finished_at, 'status', status, 'output', json(output),
                            'trigger', trigger, 'actor', actor, 'missed', json(missed))
         FROM runs WHERE schedule = ?1 AND id = ?2",
    )
    .bind(schedule)
    .bind(id)
    .fetch_optional(pool)
    .await?)
}

/// Up to `limit` runs before `before`, newest first, of one status or of all.
pub async fn runs_before(
    pool: &SqlitePool,
    schedule: &str,
    status: Option<&str>,
    before: i64,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT json_object('id', id, 'scheduled_for', scheduled_for, 'started_at', started_at,
                            'finished_at', finished_at, 'status', status, 'output', json(output),
                            'trigger', trigger, 'actor', actor, 'missed', json(missed))
         FROM runs WHERE schedule = ?1 AND id < ?3 AND (?2 IS NULL OR status = ?2) ORDER BY id DESC LIMIT ?4",
    )
    .bind(schedule)
    .bind(status)
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?)
}

/// The newest facts of every schedule, in the order of their names.
pub async fn runs_latest(connection: &mut Connection) -> Result<Vec<LatestRow>, StoreError> {
    Ok(sqlx::query_as(
        "SELECT name AS schedule,
                (SELECT json_object('id', id, 'scheduled_for', scheduled_for, 'started_at', started_at,
                                    'finished_at', finished_at, 'status', status, 'output', NULL,
                                    'trigger', trigger, 'actor', actor, 'missed', json(missed))
                 FROM runs WHERE schedule = name ORDER BY id DESC LIMIT 1) AS run,
                (SELECT started_at FROM runs WHERE schedule = name AND started_at IS NOT NULL
                 ORDER BY id DESC LIMIT 1) AS started_at,
                (SELECT finished_at FROM runs WHERE schedule = name AND status = 'succeeded'
                 ORDER BY id DESC LIMIT 1) AS succeeded_at
         FROM definitions WHERE kind = 'schedule' ORDER BY name",
    )
    .fetch_all(connection)
    .await?)
}
