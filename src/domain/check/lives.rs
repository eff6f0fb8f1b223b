//! Examples of the lives of checks.

use serde_json::json;

use super::{
    tests::{http, spec},
    world::{SECOND, World, config, name, wall},
    *,
};

fn at(seconds: i64) -> Time {
    Time::from_nanos(seconds * SECOND)
}

fn shown(journal: &Journal) -> Vec<(i64, Cause, Status, bool, &str)> {
    journal
        .iter()
        .map(|c| (c.at.as_nanos() / SECOND, c.cause, c.to.status, c.to.stale, &*c.message))
        .collect()
}

#[test]
fn a_pushed_result_turns_stale_and_fresh_again() {
    let mut check =
        Check::new(&name("bot"), config(&spec(json!({"kind": "push", "stale_after_seconds": 120}))), at(0));
    let journal = &mut Journal::new();
    assert_eq!((check.standing(), &*check.message()), (Standing::UNKNOWN, "no result yet"));
    check.push(at(10), wall(0), Observation::new(Status::Green, "fine"), journal).unwrap();
    check.advance(at(129), journal);
    assert_eq!(check.next_change(), Some(at(130)));
    check.advance(at(500), journal);
    check.push(at(510), wall(0), Observation::new(Status::Green, "fine"), journal).unwrap();
    assert_eq!(
        shown(journal),
        [
            (10, Cause::Result, Status::Green, false, "fine"),
            (130, Cause::Stale, Status::Green, true, "no result for 120 s; the last one: fine"),
            (510, Cause::Result, Status::Green, false, "fine"),
        ]
    );
    assert_eq!(
        check.signal(at(510), wall(0), Signal::Success, "", journal),
        Err(WrongKind { kind: CheckKind::Push })
    );
    assert_eq!((check.begin(at(510)), check.next_run(), check.run_now(at(510))), (None, None, false));
}

#[test]
fn a_job_that_falls_silent_is_late() {
    let json =
        json!({"kind": "heartbeat", "interval_seconds": 60, "grace_seconds": 10, "max_run_seconds": 30});
    let mut check = Check::new(&name("job"), config(&spec(json)), at(0));
    let journal = &mut Journal::new();
    let mut say = |check: &mut Check, now, signal| {
        check.signal(at(now), wall(0), signal, "line 1\u{7}\nline 2", journal).unwrap();
    };
    say(&mut check, 0, Signal::Success);
    say(&mut check, 40, Signal::Start);
    say(&mut check, 60, Signal::Exit(0));
    assert_eq!(check.last().unwrap().observation.duration(), Some(std::time::Duration::from_secs(20)));
    assert_eq!(check.last().unwrap().observation.details()["log"], "line 1\nline 2");
    say(&mut check, 200, Signal::Start);
    say(&mut check, 240, Signal::Exit(3));
    say(&mut check, 250, Signal::Start);
    say(&mut check, 270, Signal::Success);
    say(&mut check, 275, Signal::Start);
    check.advance(at(1000), journal);
    assert_eq!(
        shown(journal),
        [
            (0, Cause::Result, Status::Green, false, "done"),
            (130, Cause::MissedStart, Status::Red, true, "missed: no start for 60 s and 10 s of grace"),
            (240, Cause::Result, Status::Red, false, "failed with exit status 3"),
            (270, Cause::Result, Status::Green, false, "done"),
            (305, Cause::RunTooLong, Status::Red, false, "running for more than 30 s"),
            (340, Cause::Late, Status::Red, true, "late: no ping for 60 s and 10 s of grace"),
        ]
    );
}

#[test]
fn another_target_is_another_check() {
    let kraken = json!({"kind": "http", "url": "https://kraken.com/"});
    let mut world = World::new(&spec(kraken.clone()));
    let run = |world: &mut World| {
        let token = world.check.begin(world.time()).unwrap();
        let green = Observation::new(Status::Green, "status 200");
        assert!(world.check.finish(token, world.time(), wall(0), green, &mut world.journal));
    };
    run(&mut world);
    assert!(world.check.next_run().unwrap() > world.time());
    let mut slower = kraken;
    slower["slow_seconds"] = json!(1);
    let stale = world.check.begin(world.time()).unwrap();
    world.check.reconfigure(config(&spec(slower)), world.time(), &mut world.journal);
    assert_eq!(world.check.standing(), Standing::fresh(Status::Green), "the same target");
    assert_eq!(world.check.next_run(), Some(world.time()), "to be seen with other eyes at once");
    assert!(!world.check.cancel(stale));
    let binance = config(&spec(json!({"kind": "http", "url": "https://binance.com/"})));
    world.check.reconfigure(binance, world.time(), &mut world.journal);
    assert_eq!(world.check.standing(), Standing::UNKNOWN);
    run(&mut world);
}

#[test]
fn a_lost_run_gives_its_place_back() {
    let mut check = Check::new(&name("k"), config(&spec(http(&json!({"timeout_seconds": 2})))), at(0));
    let lost = check.begin(at(0)).unwrap();
    check.run_now(at(1));
    assert_eq!(check.begin(at(13)), None);
    assert_eq!(check.next_run(), Some(at(14)));
    assert!(check.begin(at(14)).is_some());
    assert!(!check.finish(lost, at(15), wall(0), Observation::new(Status::Green, ""), &mut Journal::new()));
    assert_eq!(check.standing(), Standing::UNKNOWN);
}

#[test]
fn a_result_holds_for_as_long_as_it_is_now_said_to() {
    let of = |stale_after| config(&spec(json!({"kind": "push", "stale_after_seconds": stale_after})));
    let mut check = Check::new(&name("bot"), of(10), at(0));
    let journal = &mut Journal::new();
    check.push(at(0), wall(0), Observation::new(Status::Green, "fine"), journal).unwrap();
    check.reconfigure(of(100), at(50), journal);
    check.reconfigure(of(30), at(60), journal);
    assert_eq!(
        shown(journal),
        [
            (0, Cause::Result, Status::Green, false, "fine"),
            (10, Cause::Stale, Status::Green, true, "no result for 10 s; the last one: fine"),
            (50, Cause::Reconfigured, Status::Green, false, "fine"),
            (50, Cause::Stale, Status::Green, true, "no result for 30 s; the last one: fine"),
        ]
    );
}
