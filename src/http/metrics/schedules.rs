//! Schedules and their runs.

use std::fmt::Write as _;

use super::family::{Family, write_all};
use crate::{
    app::{Board, schedules::word},
    domain::{
        exposition::{MetricType, Writer},
        schedule::RunStatus,
    },
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
pub(super) fn write(board: &Board, out: &mut Writer<'_>) {
    const RUNS: &str = "fuseboard_schedule_runs_total";
    const LAST: &str = "fuseboard_schedule_last_run_timestamp_seconds";
    const SUCCESS: &str = "fuseboard_schedule_last_success_timestamp_seconds";
    const NEXT: &str = "fuseboard_schedule_next_run_timestamp_seconds";
    const RUNNING: &str = "fuseboard_schedule_running";
    let mut runs = Family::new(
        RUNS,
        MetricType::Counter,
        "Runs by how they ended, and rows for missed ones, since the start.",
    );
    let mut last = Family::new(LAST, MetricType::Gauge, "When the last run began.");
    let mut success = Family::new(SUCCESS, MetricType::Gauge, "When the last run that succeeded ended.");
    let mut next = Family::new(NEXT, MetricType::Gauge, "When it runs next.");
    let mut running = Family::new(RUNNING, MetricType::Gauge, "Runs that go on.");
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
