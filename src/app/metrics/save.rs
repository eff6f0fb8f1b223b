//! Pushed metrics on disk: what has changed is written once a second, series by series.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use serde::Serialize;
use serde_json::value::RawValue;

use super::MetricCell;
use crate::{
    app::Board,
    domain::{
        LabelSet, Seconds, Time,
        series::{Family, SavedHead, SavedSeries},
    },
    store::{Connection, StoreError, sqlite::series},
};

/// Series written by one transaction. Others wait for the disk meanwhile.
const CHUNK: usize = 2_000;
/// Bytes of them.
const CHUNK_BYTES: usize = 1 << 20;
/// Series looked at under the lock of their metric: others wait meanwhile.
const PLACES: usize = 500;
/// Series read at once.
const PAGE: i64 = 5_000;

/// What the store holds at the start, as JSON.
#[derive(Debug)]
pub struct StoredMetrics {
    metrics: String,
    series: Vec<String>,
}

/// A row of a series.
type Row<'a> = (i64, LabelSet, i64, Option<i64>, &'a RawValue);

/// Reads all of it.
pub async fn read(connection: &mut Connection) -> Result<StoredMetrics, StoreError> {
    let metrics = series::metrics_load(connection).await?;
    let (mut pages, mut after) = (Vec::new(), Some((i64::MIN, String::new())));
    while let Some((metric, labels)) = &after {
        pages.push(series::series_load(connection, (*metric, labels), PAGE).await?);
        after = series::series_key(connection, (*metric, labels), PAGE).await?;
    }
    Ok(StoredMetrics { metrics, series: pages })
}

/// Rows on their way to the disk.
#[derive(Default)]
struct Batch {
    heads: Vec<(String, SavedHead)>,
    rows: Vec<u8>,
    count: usize,
    /// Metrics that are saved up to a change once this is written.
    done: Vec<(Arc<MetricCell>, u64)>,
}

#[derive(Serialize)]
struct RowOut<'a, V>(&'a str, &'a LabelSet, Time, Option<i64>, &'a V);

impl Batch {
    fn add(&mut self, metric: &str, saved: &SavedSeries<impl Serialize>) {
        let ttl = saved.ttl.map(|ttl| i64::try_from(ttl.get().as_nanos()).unwrap_or(i64::MAX));
        self.rows.push(if self.rows.is_empty() { b'[' } else { b',' });
        // Writing to a vector does not fail, and all numbers are finite.
        drop(serde_json::to_writer(
            &mut self.rows,
            &RowOut(metric, &saved.labels, saved.at, ttl, &saved.value),
        ));
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count >= CHUNK || self.rows.len() >= CHUNK_BYTES
    }
}

impl Board {
    /// Writes the pushed series that have changed. Returns how many that were.
    pub async fn save_metrics(&self) -> Result<usize, StoreError> {
        let _saving = self.series.saving.lock().await;
        let (mut batch, mut saved) = (Batch::default(), 0);
        for cell in self.series.all() {
            saved += self.save_metric(&cell, &mut batch).await?;
        }
        saved += self.write_metrics(&mut batch).await?;
        if self.series.has_ended.swap(false, Relaxed) {
            self.end_series().await.inspect_err(|_| self.series.has_ended.store(true, Relaxed))?;
        }
        Ok(saved)
    }

    /// A large metric is saved in parts, between which samples are recorded.
    async fn save_metric(&self, cell: &Arc<MetricCell>, batch: &mut Batch) -> Result<usize, StoreError> {
        let since = cell.saved.load(Relaxed);
        let (changes, removals) = {
            let family = cell.family.lock();
            (family.changes(), family.removals())
        };
        let (mut place, mut written) = (0, 0);
        if changes == since {
            return Ok(0);
        }
        loop {
            let (is_last, has_moved) = {
                let family = cell.family.lock();
                let before = batch.count;
                family.save(Some(since), place..place + PLACES, |saved| batch.add(family.name(), &saved));
                if batch.count > before {
                    batch.heads.push((family.name().to_owned(), family.head()));
                }
                place += PLACES;
                (place >= family.len(), family.removals() != removals)
            };
            if is_last && !has_moved {
                batch.done.push((Arc::clone(cell), changes));
            }
            if batch.is_full() {
                written += self.write_metrics(batch).await?;
            }
            // If series have moved to other places some may have been passed over: the next time finds them.
            if is_last || has_moved {
                return Ok(written);
            }
        }
    }

    async fn write_metrics(&self, batch: &mut Batch) -> Result<usize, StoreError> {
        let Batch { heads, mut rows, count, done } = std::mem::take(batch);
        if count > 0 {
            rows.push(b']');
            let rows = String::from_utf8(rows).map_err(|error| StoreError::Other(error.to_string()))?;
            let heads = serde_json::to_string(&heads)?;
            let write = self.store.writer.write(move |connection| {
                Box::pin(async move { series::series_put(connection, &heads, &rows).await })
            });
            write.await?;
        }
        for (cell, changes) in done {
            cell.saved.store(changes, Relaxed);
        }
        Ok(count)
    }

    async fn end_series(&self) -> Result<(), StoreError> {
        let now = self.clock.now().as_nanos();
        let write = self.store.writer.write(move |connection| {
            Box::pin(async move {
                if series::series_end(connection, now).await? > 0 {
                    series::metrics_prune(connection).await?;
                }
                Ok(())
            })
        });
        write.await
    }

    /// Puts in what was saved, with all times moved. What is over by now is swept before anybody sees it.
    pub(crate) fn restore_metrics(&self, stored: &StoredMetrics, shift: i64) -> Result<(), StoreError> {
        let now = self.clock.now();
        let heads: Vec<(i64, String, SavedHead)> = serde_json::from_str(&stored.metrics)?;
        let mut families: HashMap<i64, Family> =
            heads.into_iter().map(|(id, name, head)| (id, Family::restored(&name, head))).collect();
        for page in &stored.series {
            let rows: Vec<Row<'_>> = serde_json::from_str(page)?;
            for (metric, labels, at, ttl, value) in rows {
                let Some(family) = families.get_mut(&metric) else { continue };
                let at = Time::from_nanos(at).shifted(shift);
                let saved = SavedSeries { labels, at, ttl: ttl.map(nanos), value: value.get() };
                family.put_back(saved, now, &self.series.capacity)?;
            }
        }
        let mut catalog = self.series.catalog.write();
        for family in families.into_values().filter(|family| !family.is_empty()) {
            let (name, kind) = (family.name().to_owned(), family.kind());
            catalog.insert(&name, kind, MetricCell::new(family));
        }
        drop(catalog);
        self.sweep_metrics();
        Ok(())
    }
}

fn nanos(ttl: i64) -> Seconds {
    Seconds::from(std::time::Duration::from_nanos(ttl.unsigned_abs()))
}
