//! The state machine by examples; its laws over random histories are in `history`, the wire in `wire`.

mod history;
mod wire;

use jiff::SignedDuration;
use serde_json::json;

use super::*;

pub(super) fn config(more: &str) -> ScheduleConfig {
    let json = format!(r#"{{"action": {{"kind": "prune_backups"}}, {more}}}"#);
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

fn at(text: &str) -> Timestamp {
    format!("2024-05-{text}Z").parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn started(decisions: &[Decision]) -> Vec<&Run> {
    decisions.iter().filter(|decision| matches!(decision, Decision::Run(_))).map(Decision::row).collect()
}

fn succeed(schedule: &mut Schedule, decisions: &[Decision], now: Timestamp) {
    for run in started(decisions) {
        schedule.finish(run.id, now, Outcome::Succeeded, None).unwrap();
    }
}

#[test]
fn runs_when_it_is_due_and_keeps_what_came_out() {
    let mut nightly =
        Schedule::new(config(r#""cron": "0 2 * * *", "timezone": "Europe/Berlin""#), at("01T12:00:00"), 7);
    assert_eq!(nightly.next_run_at(), Some(at("02T00:00:00")));
    assert_eq!(nightly.due(at("01T23:59:59")), []);
    let decisions = nightly.due(at("02T00:00:01"));
    let [Decision::Run(run)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!((run.id, run.scheduled_for, run.started_at), (7, at("02T00:00:00"), Some(at("02T00:00:01"))));
    assert_eq!((run.status, run.trigger, run.missed), (RunStatus::Running, Trigger::Schedule, None));
    assert_eq!(nightly.due(at("02T00:00:02")), []);
    assert_eq!(nightly.next_run_at(), Some(at("03T00:00:00")));
    let ended =
        nightly.finish(7, at("02T00:00:09"), Outcome::Failed, Some(json!({"error": "disk"}))).unwrap();
    assert_eq!((ended.status, ended.finished_at), (RunStatus::Failed, Some(at("02T00:00:09"))));
    assert_eq!(ended.output, Some(json!({"error": "disk"})));
    assert_eq!(nightly.finish(7, at("02T00:00:10"), Outcome::Succeeded, None), None);
}

#[test]
fn a_downtime_is_one_row_with_skip_and_one_run_with_run_once() {
    let back = at("01T15:30:00");
    let mut skip = Schedule::new(config(r#""cron": "@hourly""#), at("01T11:30:00"), 1);
    let decisions = skip.due(back);
    let [Decision::Missed(row)] = &decisions[..] else { panic!("{decisions:?}") };
    let four =
        Missed { reason: MissedReason::Misfire, count: 4, first: at("01T12:00:00"), last: at("01T15:00:00") };
    assert_eq!(
        (row.status, row.scheduled_for, row.missed),
        (RunStatus::Missed, at("01T15:00:00"), Some(four))
    );
    assert_eq!((row.started_at, row.finished_at), (None, None));
    assert_eq!(skip.next_run_at(), Some(at("01T16:00:00")));

    let mut once = Schedule::new(config(r#""cron": "@hourly", "misfire": "run_once""#), at("01T11:30:00"), 1);
    let decisions = once.due(back);
    let [Decision::Run(run)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!((run.scheduled_for, run.trigger), (at("01T15:00:00"), Trigger::Misfire));
    assert_eq!(run.missed, Some(Missed { count: 3, last: at("01T14:00:00"), ..four }));
    assert_eq!(once.due(back), []);
    assert_eq!(once.next_run_at(), Some(at("01T16:00:00")));
}

#[test]
fn after_a_downtime_that_ends_on_time_the_latest_runs_and_the_others_are_missed() {
    for (misfire, rows) in [("skip", 2), ("run_once", 1)] {
        let json = format!(r#""cron": "@hourly", "misfire": "{misfire}", "misfire_grace_seconds": 60"#);
        let mut schedule = Schedule::new(config(&json), at("01T11:30:00"), 1);
        let decisions = schedule.due(at("01T14:01:00"));
        assert_eq!(decisions.len(), rows, "{misfire}");
        let [run] = started(&decisions)[..] else { panic!("{decisions:?}") };
        assert_eq!((run.scheduled_for, run.trigger), (at("01T14:00:00"), Trigger::Schedule));
        assert_eq!(decisions[0].row().missed.map(|missed| missed.count), Some(2));
    }
}

#[test]
fn a_run_that_goes_on_keeps_the_next_from_beginning_unless_they_may_overlap() {
    let mut forbid = Schedule::new(config(r#""interval_seconds": 10"#), at("01T00:00:00"), 1);
    let first = forbid.due(at("01T00:00:10"));
    let decisions = forbid.due(at("01T00:00:20"));
    let [Decision::Skipped(row)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!(row.missed.map(|missed| (missed.reason, missed.count)), Some((MissedReason::Overlap, 1)));
    assert_eq!(forbid.run_now(at("01T00:00:21"), None), Err(StillRunning { run_id: 1 }));
    succeed(&mut forbid, &first, at("01T00:00:25"));
    assert_eq!(started(&forbid.due(at("01T00:00:30"))).len(), 1);

    let mut allow =
        Schedule::new(config(r#""interval_seconds": 10, "overlap": "allow""#), at("01T00:00:00"), 1);
    let tick = |n: i64| at("01T00:00:00") + SignedDuration::from_secs(10 * n);
    let begun = (1..=20).filter(|n| !started(&allow.due(tick(*n))).is_empty()).count();
    assert_eq!((begun, allow.running().len()), (MAX_RUNNING, MAX_RUNNING));
}

#[test]
fn a_manual_run_leaves_the_schedule_alone_and_works_while_disabled() {
    let mut schedule = Schedule::new(config(r#""cron": "@daily", "enabled": false"#), at("01T12:00:00"), 1);
    assert_eq!((schedule.next_run_at(), schedule.due(at("03T00:00:00"))), (None, vec![]));
    let run = schedule.run_now(at("03T00:00:00"), Some("ops".to_owned())).unwrap();
    assert_eq!((run.trigger, run.actor.as_deref()), (Trigger::Manual, Some("ops")));
    assert_eq!(run.scheduled_for, at("03T00:00:00"));
    schedule.finish(run.id, at("03T00:00:01"), Outcome::Succeeded, None).unwrap();
    // Enabled again, it owes nothing for the days between, and the manual run did not use up an instant.
    schedule.set_enabled(true, at("03T12:00:00"));
    assert_eq!((schedule.due(at("03T12:00:00")), schedule.next_run_at()), (vec![], Some(at("04T00:00:00"))));
}

#[test]
fn another_configuration_never_runs_at_once_and_the_same_timing_changes_nothing() {
    let mut schedule = Schedule::new(config(r#""cron": "0 * * * *""#), at("01T12:30:00"), 1);
    schedule.replace(config(r#""cron": "0 * * * *", "description": "x""#), at("01T13:00:05"));
    assert_eq!(schedule.next_run_at(), Some(at("01T13:00:00")), "put again, it still is due");
    schedule.replace(config(r#""cron": "*/10 * * * *""#), at("01T13:10:05"));
    assert_eq!((schedule.due(at("01T13:10:05")), schedule.next_run_at()), (vec![], Some(at("01T13:20:00"))));
}

#[test]
fn a_clock_set_back_runs_nothing_twice_and_a_wrong_date_far_ahead_stops_nothing() {
    let mut hourly =
        Schedule::new(config(r#""cron": "@hourly", "misfire": "run_once""#), at("01T11:30:00"), 1);
    for hour in ["12", "13", "14"] {
        let now = at(&format!("01T{hour}:00:00"));
        let decisions = hourly.due(now);
        assert_eq!(started(&decisions).len(), 1);
        succeed(&mut hourly, &decisions, now);
    }
    assert_eq!(hourly.due(at("01T12:30:00")), []);
    assert_eq!(hourly.next_run_at(), Some(at("01T15:00:00")));
    assert_eq!([hourly.due(at("01T13:00:00")), hourly.due(at("01T14:00:30"))], [vec![], vec![]]);

    let far: Timestamp = "2099-01-01T00:30:00Z".parse().unwrap();
    let decisions = hourly.due(far);
    let [Decision::Run(run)] = &decisions[..] else { panic!("{decisions:?}") };
    assert_eq!(run.scheduled_for, "2099-01-01T00:00:00Z".parse().unwrap());
    let missed = run.missed.unwrap();
    assert_eq!(
        (missed.count, missed.last),
        (9_999, "2098-12-31T23:00:00Z".parse().unwrap()),
        "counted up to a limit"
    );
    succeed(&mut hourly, &decisions, far);
    assert_eq!(hourly.due(at("01T14:30:00")), []);
    assert_eq!(hourly.next_run_at(), Some(at("01T15:00:00")));
    assert_eq!(started(&hourly.due(at("01T15:00:00"))).len(), 1);
    assert_eq!(hourly.started.spans(), 2);
}

#[test]
fn after_a_crash_the_run_counts_as_interrupted_and_is_not_begun_again() {
    let mut schedule =
        Schedule::new(config(r#""cron": "@hourly", "misfire": "run_once""#), at("01T11:30:00"), 1);
    let untold = schedule.save();
    assert_eq!(started(&schedule.due(at("01T12:00:00"))).len(), 1);
    let json = serde_json::to_string(&schedule.save()).unwrap();
    let (mut after, interrupted) = Schedule::restore(serde_json::from_str(&json).unwrap(), at("01T12:20:00"));
    let [run] = &interrupted[..] else { panic!("{interrupted:?}") };
    assert_eq!((run.id, run.status, run.finished_at), (1, RunStatus::Failed, Some(at("01T12:20:00"))));
    assert_eq!(run.output.as_ref().unwrap()["reason"], "interrupted");
    assert_eq!((after.due(at("01T12:20:00")), after.running().len()), (vec![], 0));
    assert_eq!(after.finish(1, at("01T12:20:00"), Outcome::Succeeded, None), None);
    assert_eq!(after.due(at("01T13:00:00"))[0].row().id, 2);

    // Had the crash come before the save, nothing had begun: the same run, late by now.
    let (mut before, interrupted) = Schedule::restore(untold, at("01T12:20:00"));
    assert_eq!(interrupted, []);
    let decisions = before.due(at("01T12:20:00"));
    assert_eq!(started(&decisions)[0].trigger, Trigger::Misfire);
}

#[test]
fn a_long_output_keeps_its_beginning() {
    let mut schedule = Schedule::new(config(r#""cron": "@hourly""#), at("01T11:30:00"), 1);
    for (length, kept) in [(65_534, true), (65_535, false)] {
        let run = schedule.run_now(at("01T11:31:00"), None).unwrap();
        let output = json!("ä".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" });
        let ended =
            schedule.finish(run.id, at("01T11:30:00"), Outcome::Succeeded, Some(output.clone())).unwrap();
        assert_eq!(ended.output == Some(output), kept);
        assert!(ended.output.unwrap().to_string().len() <= MAX_OUTPUT_BYTES);
        assert_eq!(ended.finished_at, ended.started_at, "it does not end before it began");
    }
}
