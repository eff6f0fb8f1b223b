//! Entries on their way to the disk.

use std::{collections::HashMap, sync::Arc};

use super::{Entry, Event};
use crate::{
    app::{
        Board, alerts,
        breakers::BreakerCell,
        checks::CheckCell,
        definitions::Resource,
        limiters::LimiterCell,
        snapshot::{check_rows, is_empty, put_states, rows},
    },
    store::{
        StoreError,
        sqlite::{
            idempotency,
            journal::{JournalEvent, JournalRow, JournalRows, MOST, journal_put},
        },
    },
};

impl Board {
    /// Writes waiting events, the states of the resources that they are about and the answers that they make
    /// repeatable, as one transaction.
    pub async fn flush_journal(self: &Arc<Self>) -> Result<usize, StoreError> {
        let _turn = self.journal.turn.lock().await;
        let entries = self.journal.waiting(MOST);
        let Some(last) = entries.last().map(|entry| entry.id) else { return Ok(0) };
        let result = self.write_entries(&entries).await;
        if result.is_ok() {
            // Before anybody learns that it is on disk, so that whoever waited for it sees it.
            self.alerts
                .publish(entries.iter().filter_map(|entry| entry.alerts.as_deref()), self.clock.wall());
        }
        self.journal.settle(result.clone().map(|()| last));
        result.map(|()| entries.len())
    }

    async fn write_entries(self: &Arc<Self>, entries: &[Entry]) -> Result<(), StoreError> {
        let mut breakers = HashMap::new();
        let mut limiters = HashMap::new();
        let mut checks = HashMap::new();
        self.count_noise(entries);
        for event in entries.iter().filter_map(|entry| entry.event.as_ref()) {
            let name = event.name.as_str();
            match event.resource {
                BreakerCell::KIND => breakers.extend(self.breakers.get(name).map(|cell| (name, cell))),
                LimiterCell::KIND => limiters.extend(self.limiters.get(name).map(|cell| (name, cell))),
                CheckCell::KIND => checks.extend(self.checks.get(name).map(|cell| (name, cell))),
                _ => {}
            }
        }
        let checks: Vec<_> = checks.into_values().collect();
        let breakers: Vec<_> = breakers.into_values().collect();
        let limiters: Vec<_> = limiters.into_values().collect();
        let states = [
            (BreakerCell::KIND, rows(&breakers, |cell| (cell.name(), cell.save()))),
            (LimiterCell::KIND, rows(&limiters, |cell| (cell.name(), cell.save()))),
        ];
        let rows = journal_rows(entries)?;
        let answers: Vec<_> = entries.iter().filter_map(|entry| entry.answer.clone()).collect();
        if answers.is_empty() && checks.is_empty() && states.iter().all(|(_, rows)| is_empty(rows)) {
            return self
                .store
                .writer
                .write_statement(move |connection| Box::pin(journal_put(connection, rows)))
                .await;
        }
        let created_at = self.clock.wall().as_second();
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move {
                    journal_put(connection, rows).await?;
                    put_states(connection, &states).await?;
                    put_states(connection, &[check_rows(&checks)]).await?;
                    for stored in answers {
                        let row = idempotency::AnswerRow {
                            fingerprint: stored.key.fingerprint.to_vec(),
                            status: i64::from(stored.answer.status),
                            body: stored.answer.body.to_vec(),
                        };
                        idempotency::answer_put(connection, &stored.key.key, &row, created_at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// The events and what happened to alerts.
fn journal_rows(entries: &[Entry]) -> Result<JournalRows, StoreError> {
    let mut rows = JournalRows::default();
    for entry in entries {
        let event = entry.event.as_deref().map(event_row);
        let alert = entry.alerts.as_deref().map(alerts::alert_row).transpose()?.flatten();
        if event.is_some() || alert.is_some() {
            rows.entries.push(JournalRow { event, alert });
        }
    }
    (rows.series, rows.forgotten) =
        alerts::series_rows(entries.iter().filter_map(|entry| entry.alerts.as_deref()))?;
    Ok(rows)
}

fn event_row(event: &Event) -> JournalEvent {
    JournalEvent {
        id: event.id,
        at: event.at.to_string(),
        kind: event.kind,
        resource: event.resource,
        name: event.name.to_string(),
        data: event.data.get().to_owned(),
    }
}
