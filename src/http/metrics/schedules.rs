//! Schedules and their runs.

use std::fmt::Write;

use super::{Family, write_all};
use crate::{
    app::{Board, schedules::word},
    domain::schedule::RunStatus,
};

impl Family {
    /// A series of a schedule.
    fn add_schedule(&mut self, metric: &str, schedule: &str, status: Option<&str>, value: f64) {
        // Writing to a String does not fail.
        let _ = match status {
            Some(status) => {
                writeln!(self.series, "{metric}{{schedule=\"{schedule}\",status=\"{status}\"}} {value}")
            }
            None => writeln!(self.series, "{metric}{{schedule=\"{schedule}\"}} {value}"),
        };
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn write(board: &Board, out: &mut String) {
    const RUNS: &str = "fuseboard_schedule_runs_total";
    const LAST: &str = "fuseboard_schedule_last_run_timestamp_seconds";
    const SUCCESS: &str = "fuseboard_schedule_last_success_timestamp_seconds";
    const NEXT: &str = "fuseboard_schedule_next_run_timestamp_seconds";
    const RUNNING: &str = "fuseboard_schedule_running";
    let mut runs =
        Family::new(RUNS, "counter", "Runs by how they ended, and rows for missed ones, since the start.");
    let mut last = Family::new(LAST, "gauge", "When the last run began.");
    let mut success = Family::new(SUCCESS, "gauge", "When the last run that succeeded ended.");
    let mut next = Family::new(NEXT, "gauge", "When it runs next.");
    let mut running = Family::new(RUNNING, "gauge", "Runs that go on.");
    let seconds = |time: jiff::Timestamp| time.as_millisecond() as f64 / 1000.0;
    for name in board.schedules.names() {
        let Some(cell) = board.schedules.get(name.as_str()) else { continue };
        let name = name.as_str();
        cell.peek(|schedule, history| {
            for status in [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Missed] {
                let count = history.ended.get(word(status)).copied().unwrap_or_default();
                runs.add_schedule(RUNS, name, Some(word(status)), count as f64);
            }
            running.add_schedule(RUNNING, name, None, schedule.running().len() as f64);
            for (family, metric, time) in [
                (&mut last, LAST, history.begun_at),
                (&mut success, SUCCESS, history.succeeded_at),
                (&mut next, NEXT, schedule.next_run_at()),
            ] {
                if let Some(time) = time {
                    family.add_schedule(metric, name, None, seconds(time));
                }
            }
        });
    }
    write_all(&[runs, last, success, next, running], out);
}
