//! A group of the journal's entries on its way to the disk: events, alerts, and where the series of thresholds stand.
//!
//! Each statement's way to the driver's thread and back costs as much as its work. A trigger makes all of them one, which
//! is a transaction by itself. Documents are not part of the rows' JSON, where SQLite would parse each of them and write it
//! anew: they stand one after the other in bytes of their own, and a row says where.

use serde::Serialize;

use crate::store::{Connection, StoreError};

// What is NULL has no rows.
const PREPARE: &str = "
    CREATE TEMP VIEW journal (events, alerts, documents, series, forgotten) AS SELECT NULL, NULL, NULL, NULL, NULL;
    CREATE TEMP TRIGGER journal_put INSTEAD OF INSERT ON journal BEGIN
        INSERT INTO events (id, at, kind, resource, name, data)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
               CAST(substr(NEW.documents, value ->> 5, value ->> 6) AS TEXT)
        FROM json_each(NEW.events) WHERE true
        ON CONFLICT DO NOTHING;
        INSERT INTO alerts (id, metric_name, threshold_id, level, state, started_at, resolved_at, document)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               CAST(substr(NEW.documents, value ->> 7, value ->> 8) AS TEXT)
        FROM json_each(NEW.alerts) WHERE true
        ON CONFLICT DO UPDATE SET level = excluded.level, state = excluded.state,
                                  resolved_at = excluded.resolved_at, document = excluded.document;
        INSERT INTO threshold_series (threshold, labels, state)
        SELECT value ->> 0, value ->> 1, value -> 2 FROM json_each(NEW.series) WHERE true
        ON CONFLICT DO UPDATE SET state = excluded.state;
        DELETE FROM threshold_series
        WHERE (threshold, labels) IN (SELECT value ->> 0, value ->> 1 FROM json_each(NEW.forgotten));
    END";

/// Lets a new connection write groups.
pub async fn journal_prepare(connection: &mut Connection) -> Result<(), StoreError> {
    sqlx::raw_sql(PREPARE).execute(connection).await?;
    Ok(())
}

/// Rows as a JSON array, or none of them.
pub type Rows = Option<String>;

/// Several rows.
pub fn array<T: Serialize>(rows: &[T]) -> Result<Rows, StoreError> {
    if rows.is_empty() { Ok(None) } else { Ok(Some(serde_json::to_string(rows)?)) }
}

/// Where a document stands in [`Documents`]: its first byte, counted from one, and its length.
pub type Place = (usize, usize);

/// JSON documents, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Documents(Vec<u8>);

impl Documents {
    /// Adds one, and says where it stands.
    pub fn add(&mut self, document: &impl Serialize) -> Result<Place, StoreError> {
        let from = self.0.len();
        serde_json::to_writer(&mut self.0, document)?;
        Ok((from + 1, self.0.len() - from))
    }
}

/// What a group writes.
#[derive(Clone, Debug, Default)]
pub struct JournalRows {
    /// `[id, at, kind, resource, name, …place of its data]`. Those that are there already are left alone, so a repeated
    /// write is harmless.
    pub events: Rows,
    /// `[id, metric_name, threshold_id, level, state, started_at, resolved_at, …place of the whole alert]`, as they are
    /// now; the last row of an alert counts.
    pub alerts: Rows,
    /// Data of the events, and alerts.
    pub documents: Documents,
    /// `[threshold, labels, state]`, with the state as a document.
    pub series: Rows,
    /// `[threshold, labels]` of those with nothing to remember.
    pub forgotten: Rows,
}

/// Writes all of it, in one statement.
pub async fn journal_put(connection: &mut Connection, rows: JournalRows) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(rows.events)
        .bind(rows.alerts)
        .bind(rows.documents.0)
        .bind(rows.series)
        .bind(rows.forgotten)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        clock::Clock,
        store::{Store, StoreOptions},
    };

    /// An event, and an alert in such a state, each with a document whose bytes are more than its characters.
    fn group(id: i64, state: &str) -> JournalRows {
        let mut rows = JournalRows::default();
        let data = rows.documents.add(&json!({ "what": "größer", "id": id })).unwrap();
        let alert = rows.documents.add(&json!({ "message": "zu groß \"€\"", "id": id })).unwrap();
        rows.events =
            array(&[(id, "2026-01-01T00:00:00Z", "alert.firing", "alert", "1", data.0, data.1)]).unwrap();
        let times = (1, None::<i64>);
        rows.alerts =
            array(&[(id, "loss", None::<&str>, "error", state, times.0, times.1, alert.0, alert.1)]).unwrap();
        rows.series = array(&[("loss_high", format!("bot=\"{id}\""), json!({ "value": id }))]).unwrap();
        rows
    }

    async fn stored(store: &Store) -> Vec<String> {
        let all = "SELECT data FROM events UNION ALL SELECT document FROM alerts
                   UNION ALL SELECT labels || state FROM threshold_series";
        sqlx::query_scalar(all).fetch_all(&store.readers).await.unwrap()
    }

    async fn put(store: &Store, rows: JournalRows) -> Result<(), StoreError> {
        store.writer.write_statement(move |connection| Box::pin(journal_put(connection, rows))).await
    }

    #[tokio::test]
    async fn a_group_is_on_disk_whole_or_not_at_all() {
        let dir = tempfile::TempDir::new().unwrap();
        let options =
            StoreOptions { path: dir.path().join("db"), busy_timeout: Duration::from_secs(1), queue: 16 };
        let (store, task) = Store::open(&options, Clock::system()).await.unwrap();
        let task = tokio::spawn(task.run());
        // The event and the alert before it would do.
        assert!(put(&store, group(1, "neither")).await.is_err());
        assert_eq!(stored(&store).await, Vec::<String>::new());
        for _ in 0..2 {
            // Repeated, it changes nothing.
            put(&store, group(2, "firing")).await.unwrap();
            let wanted = [
                r#"{"id":2,"what":"größer"}"#,
                r#"{"id":2,"message":"zu groß \"€\""}"#,
                r#"bot="2"{"value":2}"#,
            ];
            assert_eq!(stored(&store).await, wanted);
        }
        let forgotten = array(&[("loss_high", "bot=\"2\"")]).unwrap();
        put(&store, JournalRows { forgotten, ..JournalRows::default() }).await.unwrap();
        assert_eq!(stored(&store).await.len(), 2);
        store.readers.close().await;
        drop(store);
        task.await.unwrap();
    }
}
