//! Laws of groups, over random histories of alerts, silences, time and restarts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::{Flush, GroupKey, Groups, Log, RouteConfig, RouteSpec, Routing, Wishes};
use crate::domain::{
    LabelSet, Name,
    alert::{Acknowledgement, Alert, AlertLevel, AlertSource, AlertState},
};

const WAIT: i64 = 30;
/// Not what it is by default: a restart must not take that for it.
const INTERVAL: i64 = 100;
const REPEAT: i64 = 3600;
/// Alerts that come and go.
const SLOTS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Event {
    Fire(usize),
    Resolve(usize),
    Silence(usize, bool),
    Wait(i64),
    /// The write that a flush needs fails.
    LoseWrite,
    /// All but alerts and log is forgotten.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..SLOTS).prop_map(Event::Fire),
        3 => (0..SLOTS).prop_map(Event::Resolve),
        1 => ((0..SLOTS), any::<bool>()).prop_map(|(slot, on)| Event::Silence(slot, on)),
        6 => prop_oneof![1..40_i64, 200..700_i64, 3000..5000_i64].prop_map(Event::Wait),
        1 => Just(Event::LoseWrite),
        1 => Just(Event::Restart),
    ]
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn receiver() -> Name {
    Name::try_from("ops").unwrap()
}

fn routing() -> Routing {
    let spec: RouteSpec = serde_json::from_value(json!({ "receiver": "ops", "group_by": ["half"],
        "group_wait_seconds": WAIT, "group_interval_seconds": INTERVAL, "repeat_interval_seconds": REPEAT }))
    .unwrap();
    Routing::new(&[spec.try_into().unwrap()], vec![receiver()])
}

fn alert(id: i64, slot: usize, started_at: Timestamp) -> Arc<Alert> {
    let labels = vec![("half", (slot % 2).to_string()), ("slot", slot.to_string())];
    Arc::new(Alert {
        id,
        source: AlertSource::Threshold,
        threshold_id: None,
        metric_name: "m".to_owned(),
        labels: LabelSet::from_pairs(labels).unwrap(),
        annotations: LabelSet::default(),
        level: AlertLevel::Warning,
        state: AlertState::Firing,
        rule: None,
        message: String::new(),
        value: None,
        started_at,
        resolved_at: None,
        ends_at: None,
        updated_at: started_at,
        acknowledged: None,
        generator_url: None,
    })
}

/// A board that is nothing but its alerts, and all that was told.
struct World {
    now: i64,
    groups: Groups,
    routing: Routing,
    alerts: Vec<Arc<Alert>>,
    present: [Option<i64>; SLOTS],
    silenced: [bool; SLOTS],
    logs: BTreeMap<GroupKey, (LabelSet, Log)>,
    loses_write: bool,
    told: Vec<(i64, Flush)>,
    /// Since when each alert has been firing and not silenced.
    loud_since: BTreeMap<i64, i64>,
}

impl World {
    fn new() -> Self {
        Self {
            now: 0,
            groups: Groups::default(),
            routing: routing(),
            alerts: Vec::new(),
            present: [None; SLOTS],
            silenced: [false; SLOTS],
            logs: BTreeMap::new(),
            loses_write: false,
            told: Vec::new(),
            loud_since: BTreeMap::new(),
        }
    }

    fn slot(alert: &Alert) -> usize {
        alert.labels.get("slot").unwrap().parse().unwrap()
    }

    fn change(&mut self, id: i64, change: impl FnOnce(&mut Alert)) {
        let known = self.alerts.iter_mut().find(|alert| alert.id == id).unwrap();
        let mut changed = Alert::clone(known);
        change(&mut changed);
        *known = Arc::new(changed);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Fire(slot) if self.present[slot].is_none() => {
                let id = i64::try_from(self.alerts.len()).unwrap() + 1;
                self.alerts.push(alert(id, slot, at(self.now)));
                self.present[slot] = Some(id);
                if !self.silenced[slot] {
                    self.loud_since.insert(id, self.now);
                }
            }
            Event::Resolve(slot) => {
                let Some(id) = self.present[slot].take() else { return };
                let now = at(self.now);
                self.change(id, |alert| {
                    alert.state = AlertState::Resolved;
                    alert.resolved_at = Some(now);
                });
                self.loud_since.remove(&id);
            }
            Event::Silence(slot, on) => {
                self.silenced[slot] = on;
                let Some(id) = self.present[slot] else { return };
                if on {
                    self.loud_since.remove(&id);
                } else {
                    self.loud_since.entry(id).or_insert(self.now);
                }
            }
            Event::Wait(seconds) => {
                for _ in 0..seconds {
                    self.now += 1;
                    if self.groups.is_due(at(self.now)) {
                        self.step();
                    }
                }
            }
            Event::LoseWrite => self.loses_write = true,
            Event::Restart => {
                self.groups = Groups::default();
                for (key, (labels, log)) in &self.logs {
                    self.groups.restore(key.clone(), labels.clone(), log.clone());
                }
            }
            Event::Fire(_) => {}
        }
        self.step();
    }

    fn step(&mut self) {
        let now = at(self.now);
        let missing = self.groups.observe(now, &self.alerts, &self.routing);
        assert!(missing.is_empty());
        let silenced = self.silenced;
        let wishes = |_: &Name| Some(Wishes { resolved: true, acknowledged: false });
        for flush in self.groups.due(now, wishes, |seen| silenced[Self::slot(&seen.alert)]) {
            if std::mem::take(&mut self.loses_write) {
                continue;
            }
            self.groups.settle(&flush, now);
            self.logs.insert(flush.key.clone(), (flush.labels.clone(), flush.log.clone()));
            if !flush.alerts.is_empty() {
                self.told.push((self.now, flush));
            }
        }
    }

    fn told_firing(&self, id: i64) -> bool {
        self.told.iter().any(|(_, flush)| flush.alerts.iter().any(|s| s.alert.id == id && s.is_firing()))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn each_firing_is_told_once_resolved_if_it_was_and_nothing_twice(
        events in prop::collection::vec(event(), 1..30),
    ) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
        }
        // Whatever is left is told when its group comes round.
        world.loses_write = false;
        world.happen(Event::Wait(WAIT + INTERVAL + 2));

        for (id, since) in &world.loud_since {
            let waited = world.now - since;
            prop_assert!(waited <= WAIT + INTERVAL || world.told_firing(*id), "{id} fires and nobody was told");
        }
        let mut open: BTreeMap<GroupKey, BTreeSet<i64>> = BTreeMap::new();
        let mut last: BTreeMap<GroupKey, i64> = BTreeMap::new();
        for (when, flush) in &world.told {
            let open = open.entry(flush.key.clone()).or_default();
            let firing: BTreeSet<_> = flush.alerts.iter().filter(|s| s.is_firing()).map(|s| s.alert.id).collect();
            let over: Vec<_> = flush.alerts.iter().filter(|s| !s.is_firing()).map(|s| s.alert.id).collect();
            for id in &over {
                prop_assert!(open.remove(id), "{id} is told to be over, and nobody knew that it was on");
            }
            if over.is_empty() && firing.is_subset(open) {
                let before = last[&flush.key];
                prop_assert!(when - before >= REPEAT, "told again after {} s", when - before);
            }
            if let Some(before) = last.get(&flush.key) {
                // A group that has ended begins anew, and so does its wait.
                prop_assert!(when - before >= WAIT, "two within {} s", when - before);
            }
            open.extend(&firing);
            last.insert(flush.key.clone(), *when);
        }
        for id in open.values().flatten() {
            let alert = world.alerts.iter().find(|alert| alert.id == *id).unwrap();
            prop_assert_eq!(alert.state, AlertState::Firing, "{} is over and nobody was told", id);
        }
    }
}

fn seconds_of(told: &[(i64, Flush)]) -> Vec<i64> {
    told.iter().map(|(when, _)| *when).collect()
}

#[test]
fn a_group_waits_changes_come_by_its_interval_and_the_rest_by_repeats() {
    let mut world = World::new();
    world.happen(Event::Fire(0));
    world.happen(Event::Wait(10));
    world.happen(Event::Fire(2));
    world.happen(Event::Wait(REPEAT * 2));
    let firing = |flush: &Flush| flush.alerts.len();
    assert_eq!(seconds_of(&world.told), [WAIT, WAIT + REPEAT]);
    assert_eq!(firing(&world.told[0].1), 2, "both joined while it waited");
    world.told.clear();
    world.happen(Event::Resolve(0));
    world.happen(Event::Wait(INTERVAL));
    assert_eq!(world.told.len(), 1);
    let flush = &world.told[0].1;
    assert_eq!(flush.alerts.iter().map(super::Labelled::is_firing).collect::<Vec<_>>(), [true, false]);
    assert_eq!(flush.key.key, "{}/{}:{half=\"0\"}");
}

#[test]
fn what_is_acknowledged_is_not_repeated_unless_the_receiver_needs_it() {
    let mut world = World::new();
    world.happen(Event::Fire(0));
    world.happen(Event::Wait(WAIT));
    assert_eq!(world.told.len(), 1);
    world.change(1, |alert| {
        alert.acknowledged = Some(Acknowledgement { by: "ops".to_owned(), comment: None, at: at(40) });
    });
    world.happen(Event::Wait(REPEAT * 3));
    assert_eq!(world.told.len(), 1);
    let now = at(world.now);
    let wishes = |_: &Name| Some(Wishes { resolved: true, acknowledged: true });
    let mut flushes = Vec::new();
    for second in 0..=INTERVAL {
        let now = now.checked_add(Duration::from_secs(second.unsigned_abs())).unwrap();
        flushes.extend(world.groups.due(now, wishes, |_| false));
        if !flushes.is_empty() {
            break;
        }
    }
    assert_eq!(flushes.len(), 1);
}

#[test]
fn who_does_not_want_to_know_of_the_end_is_not_told_and_it_is_forgotten() {
    let mut world = World::new();
    world.happen(Event::Fire(0));
    world.happen(Event::Wait(WAIT));
    world.present[0] = None;
    world.change(1, |alert| {
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(at(40));
    });
    let now = at(WAIT + INTERVAL);
    world.groups.observe(now, &world.alerts, &world.routing);
    let flushes = world.groups.due(now, |_| Some(Wishes { resolved: false, acknowledged: false }), |_| false);
    assert!(flushes.len() == 1 && flushes[0].alerts.is_empty() && flushes[0].log.told.is_empty());
    world.groups.settle(&flushes[0], now);
    assert!(world.groups.is_empty());
}

#[test]
fn when_routes_change_what_was_told_is_still_told_to_be_over() {
    let mut world = World::new();
    world.happen(Event::Fire(0));
    world.happen(Event::Wait(WAIT));
    let spec: RouteSpec =
        serde_json::from_value(json!({ "receiver": "ops", "matchers": ["half=0"], "group_wait_seconds": 0,
            "group_interval_seconds": INTERVAL }))
        .unwrap();
    let route = RouteConfig::try_from(spec).unwrap();
    world.routing = Routing::new(&[route], vec![receiver()]);
    world.happen(Event::Wait(1));
    assert_eq!(world.told.len(), 2, "the new group tells it");
    world.happen(Event::Resolve(0));
    world.happen(Event::Wait(INTERVAL));
    assert_eq!(world.told.len(), 4, "and both tell that it is over");
    assert!(world.groups.is_empty());
}

#[test]
fn after_a_restart_what_was_over_before_it_is_told_by_the_interval_of_its_route() {
    for is_known in [true, false] {
        let mut world = World::new();
        world.happen(Event::Fire(0));
        world.happen(Event::Wait(WAIT));
        world.change(1, |alert| {
            alert.state = AlertState::Resolved;
            alert.resolved_at = Some(at(40));
        });
        let (key, (labels, log)) = world.logs.pop_first().unwrap();
        let mut groups = Groups::default();
        groups.restore(key, labels, log);
        let now = at(WAIT + 5);
        let known = if is_known { &world.alerts[..] } else { &[] };
        for id in groups.observe(now, known, &world.routing) {
            groups.settle_missing(now, id, Some(&world.alerts[0]), &world.routing);
        }
        assert!(!groups.is_due(at(WAIT + INTERVAL - 1)), "it was told something at {WAIT}");
        assert!(groups.is_due(at(WAIT + INTERVAL)));
    }
}

#[test]
fn an_alert_that_is_gone_for_good_is_let_go() {
    let mut world = World::new();
    world.happen(Event::Fire(0));
    world.happen(Event::Wait(WAIT));
    world.happen(Event::Restart);
    let missing = world.groups.observe(at(world.now), &[], &world.routing);
    assert_eq!(missing, BTreeSet::from([1]));
    world.groups.settle_missing(at(world.now), 1, None, &world.routing);
    assert!(world.groups.observe(at(world.now), &[], &world.routing).is_empty());
    assert!(world.groups.is_empty());
}
