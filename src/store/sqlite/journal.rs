//! A group of the journal's entries on its way to the disk: events, alerts, and where the series of thresholds stand.
//!
//! Each statement's way to the driver's thread and back costs as much as its work. Triggers make all of them one, which is a
//! transaction by itself: an entry is a row of a view that nobody reads, and what is NULL in it is not written.

use std::sync::LazyLock;

use serde::Serialize;
use sqlx::{Sqlite, query::Query, sqlite::SqliteArguments};

use crate::store::{Connection, StoreError};

const PREPARE: &str = "
    CREATE TEMP VIEW journal (
        event, at, kind, resource, name, data,
        alert, metric_name, threshold_id, level, state, started_at, resolved_at, document,
        series, forgotten
    ) AS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;
    CREATE TEMP TRIGGER journal_event INSTEAD OF INSERT ON journal WHEN NEW.event IS NOT NULL BEGIN
        INSERT INTO events (id, at, kind, resource, name, data)
        VALUES (NEW.event, NEW.at, NEW.kind, NEW.resource, NEW.name, NEW.data)
        ON CONFLICT DO NOTHING;
    END;
    CREATE TEMP TRIGGER journal_alert INSTEAD OF INSERT ON journal WHEN NEW.alert IS NOT NULL BEGIN
        INSERT INTO alerts (id, metric_name, threshold_id, level, state, started_at, resolved_at, document)
        VALUES (NEW.alert, NEW.metric_name, NEW.threshold_id, NEW.level, NEW.state, NEW.started_at,
                NEW.resolved_at, NEW.document)
        ON CONFLICT DO UPDATE SET level = excluded.level, state = excluded.state,
                                  resolved_at = excluded.resolved_at, document = excluded.document;
    END;
    CREATE TEMP TRIGGER journal_series INSTEAD OF INSERT ON journal WHEN NEW.series IS NOT NULL BEGIN
        INSERT INTO threshold_series (threshold, labels, state)
        SELECT value ->> 0, value ->> 1, value -> 2 FROM json_each(NEW.series) WHERE true
        ON CONFLICT DO UPDATE SET state = excluded.state;
    END;
    CREATE TEMP TRIGGER journal_forgotten INSTEAD OF INSERT ON journal WHEN NEW.forgotten IS NOT NULL BEGIN
        DELETE FROM threshold_series
        WHERE (threshold, labels) IN (SELECT value ->> 0, value ->> 1 FROM json_each(NEW.forgotten));
    END";

const COLUMNS: usize = 16;
/// How many rows a statement has. The driver keeps each prepared, so not every number has one of its own.
const SIZES: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, MOST];
/// The most entries that are one statement, and so a transaction by themselves.
pub const MOST: usize = 128;

static INSERTS: LazyLock<[String; SIZES.len()]> = LazyLock::new(|| {
    let row = format!("({})", ["?"; COLUMNS].join(","));
    SIZES.map(|size| format!("INSERT INTO journal VALUES {}", vec![row.as_str(); size].join(",")))
});

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

/// An event. One that is there already is left alone, so a repeated write is harmless.
#[derive(Clone, Debug)]
pub struct JournalEvent {
    /// Its place in the order of events.
    pub id: i64,
    /// When, as RFC 3339.
    pub at: String,
    /// What happened.
    pub kind: &'static str,
    /// The kind of resource.
    pub resource: &'static str,
    /// The resource's name.
    pub name: String,
    /// A JSON document.
    pub data: String,
}

/// An alert as it is now. Times are in nanoseconds since 1970.
#[derive(Clone, Debug)]
pub struct JournalAlert {
    /// Its number.
    pub id: i64,
    /// On this metric.
    pub metric_name: String,
    /// Of this threshold.
    pub threshold_id: Option<String>,
    /// How grave it is.
    pub level: &'static str,
    /// Whether it goes on.
    pub state: &'static str,
    /// When it fired.
    pub started_at: i64,
    /// When it was over.
    pub resolved_at: Option<i64>,
    /// The whole alert as JSON.
    pub document: String,
}

/// What an entry writes.
#[derive(Clone, Debug, Default)]
pub struct JournalRow {
    /// What happened.
    pub event: Option<JournalEvent>,
    /// What became of an alert.
    pub alert: Option<JournalAlert>,
}

/// What a group writes.
#[derive(Clone, Debug, Default)]
pub struct JournalRows {
    /// In the order in which it happened: of an alert the last row counts.
    pub entries: Vec<JournalRow>,
    /// `[threshold, labels, state]`, with the state as a document.
    pub series: Rows,
    /// `[threshold, labels]` of those with nothing to remember.
    pub forgotten: Rows,
}

/// Writes all of it: in one statement if there are at most [`MOST`] entries.
pub async fn journal_put(connection: &mut Connection, rows: JournalRows) -> Result<(), StoreError> {
    let JournalRows { entries, mut series, mut forgotten } = rows;
    let mut entries = entries.into_iter();
    while entries.len() > 0 || series.is_some() || forgotten.is_some() {
        let count = entries.len().clamp(1, MOST);
        let class = SIZES.partition_point(|size| *size < count);
        let mut query = sqlx::query(INSERTS[class].as_str());
        for _ in 0..SIZES[class] {
            let JournalRow { event, alert } = entries.next().unwrap_or_default();
            query = bind_event(query, event);
            query = bind_alert(query, alert).bind(series.take()).bind(forgotten.take());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

type Insert = Query<'static, Sqlite, SqliteArguments>;

fn bind_event(query: Insert, event: Option<JournalEvent>) -> Insert {
    let Some(JournalEvent { id, at, kind, resource, name, data }) = event else { return nulls(query, 6) };
    query.bind(id).bind(at).bind(kind).bind(resource).bind(name).bind(data)
}

fn bind_alert(query: Insert, alert: Option<JournalAlert>) -> Insert {
    let Some(alert) = alert else { return nulls(query, 8) };
    let JournalAlert { id, metric_name, threshold_id, level, state, started_at, resolved_at, document } =
        alert;
    let query = query.bind(id).bind(metric_name).bind(threshold_id).bind(level).bind(state);
    query.bind(started_at).bind(resolved_at).bind(document)
}

fn nulls(query: Insert, count: usize) -> Insert {
    (0..count).fold(query, |query, _| query.bind(None::<i64>))
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
    fn entry(id: i64, state: &'static str) -> JournalRow {
        let event = JournalEvent {
            id,
            at: "2026-01-01T00:00:00Z".to_owned(),
            kind: "alert.firing",
            resource: "alert",
            name: "1".to_owned(),
            data: json!({ "what": "größer", "id": id }).to_string(),
        };
        let alert = JournalAlert {
            id,
            metric_name: "loss".to_owned(),
            threshold_id: None,
            level: "error",
            state,
            started_at: 1,
            resolved_at: None,
            document: json!({ "message": "zu groß \"€\"", "id": id }).to_string(),
        };
        JournalRow { event: Some(event), alert: Some(alert) }
    }

    fn group(id: i64, state: &'static str) -> JournalRows {
        let series = array(&[("loss_high", format!("bot=\"{id}\""), json!({ "value": id }))]).unwrap();
        JournalRows { entries: vec![entry(id, state)], series, forgotten: None }
    }

    async fn opened(dir: &tempfile::TempDir) -> (Store, tokio::task::JoinHandle<()>) {
        let options =
            StoreOptions { path: dir.path().join("db"), busy_timeout: Duration::from_secs(1), queue: 16 };
        let (store, task) = Store::open(&options, Clock::system()).await.unwrap();
        (store, tokio::spawn(task.run()))
    }

    async fn closed((store, task): (Store, tokio::task::JoinHandle<()>)) {
        store.readers.close().await;
        drop(store);
        task.await.unwrap();
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
        let (store, task) = opened(&dir).await;
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
        closed((store, task)).await;
    }

    #[tokio::test]
    async fn groups_of_every_size_are_written_whole_and_in_order() {
        let dir = tempfile::TempDir::new().unwrap();
        let (store, task) = opened(&dir).await;
        let mut next = 0;
        for size in [0, 1, 5, 11, MOST - 1, MOST, MOST + 1, 3 * MOST - 7] {
            let mut rows = JournalRows::default();
            for _ in 0..size {
                next += 1;
                rows.entries.push(entry(next, "firing"));
                // Of the same alert, and without an event: the last one counts.
                let alert = entry(next, "resolved").alert;
                rows.entries.push(JournalRow { event: None, alert });
            }
            // More than one statement is a transaction.
            store.writer.write(move |connection| Box::pin(journal_put(connection, rows))).await.unwrap();
            let counts: (i64, i64, i64) = sqlx::query_as(
                "SELECT (SELECT count(*) FROM events), count(*), count(*) FILTER (WHERE state = 'resolved') FROM alerts",
            )
            .fetch_one(&store.readers)
            .await
            .unwrap();
            assert_eq!(counts, (next, next, next), "{size}");
        }
        closed((store, task)).await;
    }
}
