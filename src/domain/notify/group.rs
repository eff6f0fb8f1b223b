//! Groups of alerts that are told together: when one is due, what it tells, and what was told.
//!
//! A group is one per route, values of `group_by`, and receiver. What was told stands in its [`Log`], which is on disk
//! before anybody is told; all else is made anew from the alerts and the routes. An alert is told while it fires and when
//! it is resolved; resolved only if its firing was told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    Labelled,
    routing::{Grouping, Routing, Target},
};
use crate::domain::{LabelSet, Name, alert::Alert};

/// Which group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey {
    /// Route and labels, as Alertmanager writes them: `{}/{severity="critical"}:{alertname="x"}`.
    pub key: String,
    /// Who is told.
    pub receiver: Name,
}

impl GroupKey {
    fn of(target: &Target<'_>, labels: &LabelSet) -> Self {
        // Alertmanager's `model.LabelSet.String`: a space after each comma.
        let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        Self { key: format!("{}:{{{}}}", target.route, pairs.join(", ")), receiver: target.receiver.clone() }
    }
}

/// What a group has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The alerts that were told to fire, and not yet to be resolved.
    pub told: BTreeSet<i64>,
    /// When something was told last.
    pub at: Timestamp,
}

/// Alerts that are told together.
#[derive(Clone, Debug)]
pub struct Group {
    /// The labels that they share.
    pub labels: LabelSet,
    grouping: Grouping,
    /// Whether the routes have not yet said how it is grouped: it comes from its log.
    is_guess: bool,
    members: BTreeMap<i64, Member>,
    log: Option<Log>,
    due: Timestamp,
}

#[derive(Clone, Debug)]
struct Member {
    seen: Labelled,
    /// Whether the routes send it here. If not, only the end of what was told is told.
    is_routed: bool,
}

/// What a group has to tell now.
#[derive(Clone, Debug)]
pub struct Flush {
    /// Which group.
    pub key: GroupKey,
    /// The labels that its alerts share.
    pub labels: LabelSet,
    /// What is told: those that fire first. Empty if only the log changes.
    pub alerts: Vec<Labelled>,
    /// The log as it is when this is told.
    pub log: Log,
    /// How long what it tells holds, unless it is told again.
    pub valid_for: Duration,
}

/// What a receiver wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// What is resolved.
    pub resolved: bool,
    /// What goes on, again and again, even if somebody has acknowledged all of it.
    pub acknowledged: bool,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub struct Groups(BTreeMap<GroupKey, Group>);

impl Groups {
    /// Puts back a group from its log, after a restart.
    pub fn restore(&mut self, key: GroupKey, labels: LabelSet, log: Log) {
        let grouping = Grouping::default();
        let due = later(log.at, grouping.interval);
        let (members, log) = (BTreeMap::new(), Some(log));
        self.0.insert(key, Group { labels, grouping, is_guess: true, members, log, due });
    }

    /// Takes note of how all alerts are, and of the routes. Returns told alerts of which `alerts` says nothing.
    pub fn observe(&mut self, now: Timestamp, alerts: &[Arc<Alert>], routing: &Routing) -> BTreeSet<i64> {
        let known: HashMap<i64, &Arc<Alert>> = alerts.iter().map(|alert| (alert.id, alert)).collect();
        for group in self.0.values_mut() {
            group.refresh(&known);
        }
        for alert in alerts {
            let seen = Labelled::new(alert);
            if !seen.is_firing() {
                continue;
            }
            for target in routing.targets(&seen.labels) {
                self.join(now, &target, &seen);
            }
        }
        self.0.retain(|_, group| group.tidy());
        self.ask_routes(now, routing);
        let told = self.0.values().filter_map(|group| group.log.as_ref()).flat_map(|log| &log.told);
        told.copied().filter(|id| !known.contains_key(id)).collect()
    }

    fn join(&mut self, now: Timestamp, target: &Target<'_>, seen: &Labelled) {
        let labels = target.grouping.by.labels(&seen.labels);
        let group = self.0.entry(GroupKey::of(target, &labels)).or_insert_with(|| Group {
            labels: LabelSet::default(),
            grouping: target.grouping.clone(),
            is_guess: false,
            members: BTreeMap::new(),
            log: None,
            // Who was away while it waited does not wait again.
            due: later(seen.alert.started_at, target.grouping.wait)
                .clamp(now, later(now, target.grouping.wait)),
        });
        group.labels = labels;
        group.regroup(now, target.grouping);
        group.members.insert(seen.alert.id, Member { seen: seen.clone(), is_routed: true });
    }

    /// What came from a log and has only alerts that are over is grouped as the routes say it of them, too.
    fn ask_routes(&mut self, now: Timestamp, routing: &Routing) {
        for (key, group) in self.0.iter_mut().filter(|(_, group)| group.is_guess) {
            let targets = group.members.values().flat_map(|member| {
                let labels = &member.seen.labels;
                routing.targets(labels).into_iter().map(move |target| (target, labels))
            });
            let own = |(target, labels): &(Target<'_>, &LabelSet)| {
                *key == GroupKey::of(target, &target.grouping.by.labels(labels))
            };
            if let Some((target, _)) = { targets }.find(own) {
                group.regroup(now, target.grouping);
            }
        }
    }

    /// An alert that was told is known again, or there is no such alert any more.
    pub fn settle_missing(&mut self, now: Timestamp, id: i64, alert: Option<&Arc<Alert>>, routing: &Routing) {
        for group in self.0.values_mut() {
            let Some(log) = group.log.as_mut().filter(|log| log.told.contains(&id)) else { continue };
            if let Some(alert) = alert {
                group.take_in(alert);
            } else {
                log.told.remove(&id);
                group.members.remove(&id);
            }
        }
        self.ask_routes(now, routing);
    }

    /// What is due, of what receivers that exist want (`wishes`) without those alerts that nobody is to be told of now
    /// (`is_quiet`). Groups that are due and have nothing to tell wait for their next time.
    pub fn due(
        &mut self,
        now: Timestamp,
        wishes: impl Fn(&Name) -> Option<Wishes>,
        is_quiet: impl Fn(&Labelled) -> bool,
    ) -> Vec<Flush> {
        let mut flushes = Vec::new();
        for (key, group) in &mut self.0 {
            if group.is_far(now) {
                group.due = now;
            }
            if group.due > now {
                continue;
            }
            match wishes(&key.receiver).and_then(|wishes| group.flush(key, now, wishes, &is_quiet)) {
                Some(flush) => flushes.push(flush),
                None => group.due = later(now, group.grouping.interval),
            }
        }
        flushes
    }

    /// Whether any group is due.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.0.values().any(|group| group.due <= now || group.is_far(now))
    }

    /// What was flushed is on disk.
    pub fn settle(&mut self, flush: &Flush, now: Timestamp) {
        let Some(group) = self.0.get_mut(&flush.key) else { return };
        group.log = Some(flush.log.clone());
        group.due = later(now, group.grouping.interval);
        if !group.tidy() {
            self.0.remove(&flush.key);
        }
    }

    /// Each group with its key.
    pub fn iter(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Group {
    /// Whether it is due later than it can be: the wall clock was set back, and nobody must be kept waiting for that.
    fn is_far(&self, now: Timestamp) -> bool {
        self.due > later(now, self.grouping.interval.max(self.grouping.wait))
    }

    /// Takes over how it is grouped. What has told something waits from then on.
    fn regroup(&mut self, now: Timestamp, grouping: &Grouping) {
        self.is_guess = false;
        if self.grouping == *grouping {
            return;
        }
        self.grouping = grouping.clone();
        let longest = later(now, grouping.wait.max(grouping.interval));
        self.due = match &self.log {
            Some(log) => later(log.at, grouping.interval),
            None => self.due,
        }
        .min(longest);
    }

    /// The alerts that the routes send here and that fire.
    pub fn firing(&self) -> impl Iterator<Item = &Labelled> {
        self.members
            .values()
            .filter(|member| member.is_routed)
            .map(|member| &member.seen)
            .filter(|s| s.is_firing())
    }

    fn told(&self, id: i64) -> bool {
        self.log.as_ref().is_some_and(|log| log.told.contains(&id))
    }

    fn refresh(&mut self, known: &HashMap<i64, &Arc<Alert>>) {
        for (id, member) in &mut self.members {
            member.is_routed = false;
            if let Some(alert) = known.get(id).filter(|alert| !Arc::ptr_eq(alert, &member.seen.alert)) {
                member.seen = Labelled::new(alert);
            }
        }
        let told = self.log.iter().flat_map(|log| &log.told);
        let strange: Vec<_> = told.filter(|id| !self.members.contains_key(id)).copied().collect();
        for alert in strange.iter().filter_map(|id| known.get(id)) {
            self.take_in(alert);
        }
    }

    fn take_in(&mut self, alert: &Arc<Alert>) {
        let is_routed = self.members.get(&alert.id).is_some_and(|member| member.is_routed);
        self.members.insert(alert.id, Member { seen: Labelled::new(alert), is_routed });
    }

    /// Lets go of those of which nothing is left to tell. Whether there are any others.
    fn tidy(&mut self) -> bool {
        let told = self.log.as_ref().map(|log| &log.told);
        let is_told = |id: &i64| told.is_some_and(|told| told.contains(id));
        self.members.retain(|id, member| is_told(id) || member.is_routed && member.seen.is_firing());
        !self.members.is_empty() || told.is_some_and(|told| !told.is_empty())
    }

    /// What is to be told now, if anything.
    fn flush(
        &self,
        key: &GroupKey,
        now: Timestamp,
        wishes: Wishes,
        is_quiet: impl Fn(&Labelled) -> bool,
    ) -> Option<Flush> {
        let firing: Vec<_> = self.firing().filter(|seen| !is_quiet(seen)).cloned().collect();
        let over: Vec<_> = self
            .members
            .values()
            .map(|member| &member.seen)
            .filter(|seen| !seen.is_firing() && self.told(seen.alert.id))
            .cloned()
            .collect();
        let is_new = firing.iter().any(|seen| !self.told(seen.alert.id));
        let is_over = wishes.resolved && !over.is_empty();
        let tells = is_new || is_over || self.repeats(&firing, wishes, now);
        if !tells && over.is_empty() {
            return None;
        }
        let mut log = self.log.clone().unwrap_or(Log { told: BTreeSet::new(), at: now });
        for seen in &over {
            log.told.remove(&seen.alert.id);
        }
        let mut alerts = Vec::new();
        if tells {
            log.told.extend(firing.iter().map(|seen| seen.alert.id));
            log.at = now;
            alerts = firing;
            alerts.extend(over.into_iter().filter(|_| wishes.resolved));
        }
        // It is told again at the first time of the group after the repeat interval.
        let valid_for = self.grouping.repeat.saturating_add(self.grouping.interval.saturating_mul(2));
        Some(Flush { key: key.clone(), labels: self.labels.clone(), alerts, log, valid_for })
    }

    /// Whether something that goes on is told again. Who has acknowledged all of it need not hear it again.
    fn repeats(&self, firing: &[Labelled], wishes: Wishes, now: Timestamp) -> bool {
        let Some(log) = &self.log else { return false };
        let is_open = |seen: &Labelled| wishes.acknowledged || seen.alert.acknowledged.is_none();
        later(log.at, self.grouping.repeat) <= now && firing.iter().any(is_open)
    }
}

fn later(time: Timestamp, span: Duration) -> Timestamp {
    time.checked_add(span).unwrap_or(Timestamp::MAX)
}
