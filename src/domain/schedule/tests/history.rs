//! Laws over random histories: time passes, clocks jump, the server crashes before or after it saved.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;

#[derive(Clone, Debug)]
enum Step {
    /// So many seconds pass, and the server looks.
    Pass(i64),
    /// The clock jumps by so many seconds.
    Jump(i64),
    /// The server looks, decides, and dies before it has saved.
    CrashBeforeSave,
    /// The server looks, decides, saves, and dies; so many seconds later it is back.
    CrashAfterSave(i64),
    /// All runs end.
    Finish,
    /// Somebody asks for a run.
    Manual,
    /// Another configuration, by its place in the list.
    Replace(usize),
    /// Disabled or enabled.
    Enable(bool),
}

fn step(jumps: bool) -> impl Strategy<Value = Step> {
    let jump = prop_oneof![-90 * MINUTE..90 * MINUTE, -3000 * MINUTE..3000 * MINUTE].prop_map(Step::Jump);
    prop_oneof![
        8 => (1..20 * MINUTE).prop_map(Step::Pass),
        1 => (1..600 * MINUTE).prop_map(Step::Pass),
        2 * u32::from(jumps) => jump,
        1 => Just(Step::CrashBeforeSave),
        1 => (0..300 * MINUTE).prop_map(Step::CrashAfterSave),
        4 => Just(Step::Finish),
        1 => Just(Step::Manual),
        u32::from(jumps) => (0..CONFIGS.len()).prop_map(Step::Replace),
        u32::from(jumps) => any::<bool>().prop_map(Step::Enable),
    ]
}

const CONFIGS: [&str; 6] = [
    r#""cron": "*/10 * * * *", "timezone": "Europe/Berlin", "misfire": "run_once""#,
    r#""cron": "*/10 * * * *", "timezone": "Europe/Berlin", "misfire": "skip""#,
    r#""cron": "30 1,2,3 * * *", "timezone": "Europe/Berlin", "misfire": "run_once", "overlap": "allow""#,
    r#""cron": "@hourly", "timezone": "Australia/Lord_Howe", "misfire": "skip", "overlap": "allow""#,
    r#""interval_seconds": 450, "misfire": "run_once", "misfire_grace_seconds": 600"#,
    r#""interval_seconds": 77.5, "overlap": "allow""#,
];

/// A server with its disk, and what the world has seen of it.
struct World {
    now: Timestamp,
    live: Schedule,
    disk: SavedSchedule,
    rows: BTreeMap<u64, Run>,
    /// By instant, which run was begun for it.
    begun: BTreeMap<Timestamp, u64>,
    /// Late runs since the last time that the server was away or the clock jumped.
    late: usize,
}

impl World {
    fn new(config: ScheduleConfig) -> Self {
        // Two hours before the clocks of Berlin go back.
        let now = "2024-10-26T23:00:01Z".parse().unwrap();
        let live = Schedule::new(config, now, 1);
        let disk = live.save();
        Self { now, live, disk, rows: BTreeMap::new(), begun: BTreeMap::new(), late: 0 }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn store(&mut self, row: &Run) {
        let before = self.rows.insert(row.id, row.clone());
        let ends = before.as_ref().is_some_and(|before| before.status == RunStatus::Running);
        assert!(before.is_none() || ends, "one number, one run: {before:?} {row:?}");
    }

    fn look(&mut self) {
        let mut decided = self.live.clone();
        let decisions = decided.due(self.now);
        assert!(started(&decisions).len() <= 1);
        self.live = decided;
        assert!(self.live.next_run_at().is_none_or(|next| next > self.now));
        if decisions.is_empty() {
            return;
        }
        self.disk = self.live.save();
        for decision in &decisions {
            self.store(decision.row());
            if let Decision::Run(run) = decision {
                self.begin(run);
            }
        }
    }

    fn begin(&mut self, run: &Run) {
        assert!(run.scheduled_for <= self.now);
        assert_eq!(run.started_at, Some(self.now));
        assert_eq!(self.begun.insert(run.scheduled_for, run.id), None, "begun twice: {run:?}");
        self.late += usize::from(run.trigger == Trigger::Misfire);
        assert!(self.late <= 1, "a second run made up for one downtime: {run:?}");
    }

    fn restart(&mut self) {
        let bytes = serde_json::to_vec(&self.disk).unwrap();
        let (live, interrupted) = Schedule::restore(serde_json::from_slice(&bytes).unwrap(), self.now);
        self.live = live;
        self.disk = self.live.save();
        for row in &interrupted {
            self.store(row);
        }
        self.late = 0;
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Pass(seconds) => {
                // Ticks within the grace, as the server promises, else it was away.
                if seconds > 20 * MINUTE {
                    self.late = 0;
                    self.pass(seconds);
                } else {
                    (0..seconds / 30).for_each(|_| {
                        self.pass(30);
                        self.look();
                    });
                    self.pass(seconds % 30);
                }
                self.look();
            }
            Step::Jump(seconds) => {
                self.late = 0;
                self.pass(seconds);
                self.look();
            }
            Step::CrashBeforeSave => {
                self.live.due(self.now);
                self.restart();
            }
            Step::CrashAfterSave(seconds) => {
                self.look();
                self.pass(seconds);
                self.restart();
            }
            Step::Finish => {
                let running: Vec<_> = self.live.running().map(|run| run.id).collect();
                for id in running {
                    let row = self.live.finish(id, self.now, Outcome::Succeeded, None).unwrap();
                    self.disk = self.live.save();
                    self.store(&row);
                }
            }
            Step::Manual => {
                if let Ok(run) = self.live.run_now(self.now, None) {
                    self.disk = self.live.save();
                    self.store(&run);
                }
            }
            Step::Replace(at) => {
                self.look();
                self.live.replace(config(CONFIGS[at]), self.now);
                self.disk = self.live.save();
                assert_eq!(self.live.due(self.now), []);
            }
            Step::Enable(enabled) => {
                self.look();
                self.live.set_enabled(enabled, self.now);
                self.disk = self.live.save();
                assert_eq!(self.live.due(self.now), []);
            }
        }
    }

    /// How many instants the rows account for, and when.
    fn accounted(&self) -> u64 {
        let missed: u64 = self.rows.values().filter_map(|row| row.missed).map(|missed| missed.count).sum();
        missed + self.begun.len() as u64
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_instant_is_begun_twice_whatever_clocks_and_crashes_do(
        first in 0..CONFIGS.len(), steps in proptest::collection::vec(step(true), 1..60),
    ) {
        let mut world = World::new(config(CONFIGS[first]));
        for step in &steps {
            world.take(step);
        }
    }

    #[test]
    fn while_the_clock_only_goes_forward_every_instant_is_begun_or_recorded_exactly_once(
        first in 0..CONFIGS.len(), steps in proptest::collection::vec(step(false), 1..60),
    ) {
        let mut world = World::new(config(CONFIGS[first]));
        let mut time = world.now;
        for step in &steps {
            world.take(step);
        }
        world.look();
        let timing = world.live.config().timing.clone();
        let mut expected = BTreeSet::new();
        while let Some(next) = timing.next_after(time).filter(|next| *next <= world.now) {
            expected.insert(next);
            time = next;
        }
        prop_assert_eq!(world.accounted(), expected.len() as u64);
        prop_assert!(world.begun.keys().all(|begun| expected.contains(begun)));
        prop_assert!(world.live.started.spans() <= world.begun.len());
    }

    #[test]
    fn what_is_remembered_as_started_never_shrinks_and_stays_bounded(
        seconds in proptest::collection::vec(0_i64..100_000, 1..200),
    ) {
        let mut remembered = Started::default();
        let every = |time: Timestamp| Timestamp::from_second(time.as_second() + 1).ok();
        for (n, second) in seconds.iter().enumerate() {
            remembered.insert(Timestamp::from_second(*second).unwrap(), every);
            prop_assert!(remembered.spans() <= 32);
            for earlier in &seconds[..=n] {
                prop_assert!(remembered.end_of(Timestamp::from_second(*earlier).unwrap()).is_some());
            }
        }
    }
}
