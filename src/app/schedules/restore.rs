//! Schedules after a start: what the stop has interrupted is recorded before anything else begins.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;

use super::{History, ScheduleCell, word};
use crate::{
    app::{
        Board,
        definitions::Resource,
        snapshot::{each, parsed},
    },
    domain::schedule::{Run, SavedSchedule, Schedule},
    store::{
        Connection, Pairs, StoreError,
        sqlite::{
            definitions::{self, Kinds},
            runs::{self, LatestRow},
            states,
        },
    },
};

/// What the store holds of schedules at the start.
#[derive(Debug)]
pub struct StoredSchedules {
    definitions: Pairs,
    states: Pairs,
    next_run: Option<String>,
}

/// Reads it.
pub(in crate::app) async fn read(
    connection: &mut Connection,
    kinds: &Kinds,
    next_run: Option<String>,
) -> Result<StoredSchedules, StoreError> {
    Ok(StoredSchedules {
        definitions: definitions::definitions_load(connection, kinds, ScheduleCell::KIND).await?,
        states: states::states_load(connection, kinds, ScheduleCell::KIND).await?,
        next_run,
    })
}

/// Builds the live schedules. What was due meanwhile comes with the first step.
pub(in crate::app) async fn restore(
    board: &Arc<Board>,
    stored: &StoredSchedules,
    configs: &HashMap<&str, &str>,
) -> Result<(), StoreError> {
    let now = board.clock.wall();
    if let Some(next) = parsed::<u64>(stored.next_run.as_deref())? {
        board.schedule_runs.give_ids_from(next);
    }
    let mut saved = stored.states.in_order();
    let mut interrupted = Vec::new();
    let cells = each::<ScheduleCell>(&stored.definitions, configs, |name, config| {
        let (schedule, wanted) = match parsed::<SavedSchedule>(saved.find(name.as_str()))? {
            Some(saved) => {
                let (schedule, rows) = Schedule::restore(saved, now);
                if !rows.is_empty() {
                    interrupted.push((name.clone(), schedule.clone(), rows));
                }
                // The stop came between a declaration and its first step.
                let wanted = (**schedule.config() != *config).then(|| config.clone());
                (schedule, wanted)
            }
            None => {
                (Schedule::new(config.clone(), now, board.schedule_runs.first_id()), Some(config.clone()))
            }
        };
        Ok(ScheduleCell::new(name, schedule, wanted, History::default()))
    })?;
    if cells.is_empty() {
        return Ok(());
    }
    for (cell, latest) in cells.iter().zip(record(board, &interrupted).await?) {
        if cell.name().as_str() == latest.schedule {
            cell.inner.lock().history = history(&latest)?;
        }
    }
    board.schedules.fill(cells);
    for (name, _, rows) in &interrupted {
        let Some(cell) = board.schedules.get(name.as_str()) else { continue };
        for row in rows {
            *cell.inner.lock().history.ended.entry(word(row.status)).or_default() += 1;
            board.record_run(&cell, row);
        }
    }
    Ok(())
}

/// Stores the interrupted runs, and reads where every history stands now.
async fn record(
    board: &Board,
    interrupted: &[(crate::domain::Name, Schedule, Vec<Run>)],
) -> Result<Vec<LatestRow>, StoreError> {
    let mut writes = Vec::new();
    for (name, schedule, rows) in interrupted {
        let state = serde_json::to_string(&[(name.as_str(), schedule.save())])?;
        writes.push((name.clone(), state, serde_json::to_string(rows)?));
    }
    board
        .store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                for (name, state, rows) in &writes {
                    states::states_put(connection, ScheduleCell::KIND, ScheduleCell::KIND, state).await?;
                    runs::runs_put(connection, name.as_str(), rows).await?;
                }
                runs::runs_latest(connection).await
            })
        })
        .await
}

fn history(latest: &LatestRow) -> Result<History, StoreError> {
    let last: Option<Run> = parsed(latest.run.as_deref())?;
    let time = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    Ok(History {
        last: last.as_ref().map(Into::into),
        begun_at: time(&latest.started_at),
        succeeded_at: time(&latest.succeeded_at),
        ended: std::collections::BTreeMap::new(),
    })
}
