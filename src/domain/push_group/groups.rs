//! Groups by their labels.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    GroupLimits, PUSH_FAILURE_TIME, PUSH_TIME, PushRefusal, Usage,
    body::{Body, identity, series_labels, without_empty},
    index::{Change, Index, Pushed, Samples, ShownFamily},
    sources::Sources,
};
use crate::domain::{
    GroupingKey, LabelSet, Seconds, Time,
    exposition::{Metric, MetricType, MetricValue},
};

/// About what a group takes besides its families.
const GROUP_BYTES: usize = 512;

/// When something happened, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Steady time.
    pub at: Time,
    /// Nanoseconds since 1970.
    pub wall: i64,
}

impl Default for Stamp {
    fn default() -> Self {
        Self { at: Time::MIN, wall: 0 }
    }
}

/// What becomes of metrics that the group has and the push has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// They go: the push is all there is.
    Replace,
    /// They stay.
    Merge,
}

/// A group that is pushed to, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Which.
    pub key: &'a GroupingKey,
    /// How long it lives after this push; for good if nothing is said.
    pub ttl: Option<Seconds>,
    /// Now.
    pub stamp: Stamp,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: u64,
    /// As its series have them.
    pub(super) labels: Arc<LabelSet>,
    pub(super) families: HashSet<Arc<str>, RandomState>,
    /// Nanoseconds since 1970, 0 if never.
    pub(super) pushed_at: i64,
    pub(super) failed_at: i64,
    /// When it was last pushed to.
    pub(super) at: Time,
    pub(super) ttl: Option<Seconds>,
    /// Pushers, if it is summed over them.
    pub(super) sources: Option<Sources>,
    /// Where it stands in [`Groups::ends`]; [`Time::MAX`] if nowhere.
    noted: Time,
    is_dirty: bool,
}

impl Group {
    pub(super) fn new(id: u64, labels: LabelSet, at: Time) -> Self {
        Self {
            id,
            labels: Arc::new(labels),
            families: HashSet::default(),
            pushed_at: 0,
            failed_at: 0,
            at,
            ttl: None,
            sources: None,
            noted: Time::MAX,
            is_dirty: false,
        }
    }

    fn ends(&self) -> Time {
        self.ttl.map_or(Time::MAX, |ttl| self.at.after(ttl.get()))
    }

    fn bytes(&self) -> usize {
        GROUP_BYTES + 2 * self.labels.as_str().len() + self.sources.as_ref().map_or(0, Sources::bytes)
    }
}

/// All groups. See [the module](super).
///
/// A group whose time is over is gone after the next [`sweep`](Self::sweep), which costs nothing if there is none.
#[derive(Debug)]
pub struct Groups {
    limits: GroupLimits,
    usage: Usage,
    hasher: RandomState,
    pub(super) by_key: IndexMap<Arc<GroupingKey>, Group, RandomState>,
    pub(super) index: Index,
    next_id: u64,
    /// When groups may be over, each at most once and never later than it is. Pushes mostly prolong a group's time, which
    /// is noticed when it seems to be over.
    ends: BTreeMap<(Time, u64), Arc<GroupingKey>>,
    dirty: HashSet<Arc<GroupingKey>, RandomState>,
}

impl Groups {
    /// None yet.
    #[must_use]
    pub fn new(limits: GroupLimits) -> Self {
        Self {
            limits,
            usage: Usage::default(),
            hasher: RandomState::default(),
            by_key: IndexMap::default(),
            index: Index::default(),
            next_id: 0,
            ends: BTreeMap::new(),
            dirty: HashSet::default(),
        }
    }

    /// With what bodies tell series apart.
    #[must_use]
    pub fn hasher(&self) -> RandomState {
        self.hasher.clone()
    }

    /// What there is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes a push. What it replaced comes back, to be dropped without a lock.
    pub fn push(
        &mut self,
        place: Place<'_>,
        body: Body,
        write: Write,
        elsewhere: &dyn Fn(&str) -> Option<MetricType>,
    ) -> Result<Vec<Arc<Pushed>>, PushRefusal> {
        let group = self.by_key.get(place.key);
        if group.is_some_and(|group| group.sources.is_some()) {
            return Err(PushRefusal::Mode { summed: true });
        }
        let id = group.map_or(self.next_id, |group| group.id);
        let gone = match (group, write) {
            (Some(group), Write::Replace) => left_out(group, &body.families),
            _ => Vec::new(),
        };
        self.index.check(&Change::new(id, &body.families, &gone, false, elsewhere))?;
        let after = self.usage_after(group.is_none(), id, &body.families, &gone, &body.labels)?;
        self.usage = after;
        let mut old = Vec::new();
        let group = self.settle(place, body.labels);
        let mut families = std::mem::take(&mut self.by_key[group].families);
        for name in &gone {
            families.remove(name);
            old.extend(self.index.remove(id, name));
        }
        for mut pushed in body.families {
            pushed.stamp = place.stamp;
            let (name, replaced) = self.index.put(id, pushed);
            old.extend(replaced);
            families.insert(name);
        }
        self.by_key[group].families = families;
        Ok(old)
    }

    /// The group of a push that was taken; a new one if there is none. Its place.
    pub(super) fn settle(&mut self, place: Place<'_>, labels: LabelSet) -> usize {
        let number = match self.by_key.get_index_of(place.key) {
            Some(number) => number,
            None => self.insert(place.key.clone(), labels, place.stamp.at),
        };
        let group = &mut self.by_key[number];
        group.pushed_at = place.stamp.wall;
        group.at = group.at.max(place.stamp.at);
        group.ttl = place.ttl;
        self.time(number);
        self.mark(number);
        number
    }

    pub(super) fn insert(&mut self, key: GroupingKey, labels: LabelSet, at: Time) -> usize {
        let group = Group::new(self.next_id, labels, at);
        self.next_id += 1;
        self.by_key.insert_full(Arc::new(key), group).0
    }

    /// What there would be, if that is not too much.
    fn usage_after(
        &self,
        is_new: bool,
        id: u64,
        families: &[Pushed],
        gone: &[Arc<str>],
        labels: &LabelSet,
    ) -> Result<Usage, PushRefusal> {
        let replaced = families.iter().filter_map(|pushed| self.index.get(id, pushed.name()));
        let lost = gone.iter().filter_map(|name| self.index.get(id, name));
        let mut after = self.usage;
        for old in replaced.chain(lost) {
            after.series -= old.hashes.len();
            after.bytes -= old.bytes;
        }
        for new in families {
            after.series += new.hashes.len();
            after.bytes += new.bytes;
        }
        if is_new {
            after = self.with_group(after, labels);
        }
        self.within(after)
    }

    /// One group more.
    #[expect(clippy::unused_self, reason = "reads as what it is")]
    pub(super) fn with_group(&self, usage: Usage, labels: &LabelSet) -> Usage {
        let bytes = usage.bytes + GROUP_BYTES + 2 * labels.as_str().len();
        Usage { groups: usage.groups + 1, bytes, ..usage }
    }

    /// The id of the next group.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Refuses what is over a cap and more than there is now: what was restored under larger caps may stay and shrink.
    pub(super) fn within(&self, after: Usage) -> Result<Usage, PushRefusal> {
        let (limits, now) = (&self.limits, &self.usage);
        for (what, limit, before, after) in [
            ("groups of pushed metrics", limits.max_groups, now.groups, after.groups),
            ("series in groups of pushed metrics", limits.max_series, now.series, after.series),
            ("bytes of pushed metrics", limits.max_bytes, now.bytes, after.bytes),
        ] {
            if after > limit && after > before {
                return Err(PushRefusal::Full { what, limit });
            }
        }
        Ok(after)
    }

    pub(super) fn set_usage(&mut self, usage: Usage) {
        self.usage = usage;
    }

    /// Notes that a push was refused. A group that is not there yet begins with it, if there is room.
    pub fn fail(&mut self, key: &GroupingKey, stamp: Stamp) {
        let number = if let Some(number) = self.by_key.get_index_of(key) {
            number
        } else {
            let labels = series_labels(key.labels());
            let Ok(after) = self.usage_after(true, self.next_id, &[], &[], &labels) else { return };
            self.usage = after;
            self.insert(key.clone(), labels, stamp.at)
        };
        self.by_key[number].failed_at = stamp.wall;
        self.mark(number);
    }

    /// To be saved.
    pub(super) fn mark(&mut self, number: usize) {
        if let Some((key, group)) = self.by_key.get_index_mut(number)
            && !group.is_dirty
        {
            group.is_dirty = true;
            self.dirty.insert(key.clone());
        }
    }

    /// Deletes a group; whether there was one.
    pub fn delete(&mut self, key: &GroupingKey) -> bool {
        let Some((key, group)) = self.by_key.swap_remove_entry(key) else { return false };
        self.ends.remove(&(group.noted, group.id));
        self.usage.groups -= 1;
        self.usage.bytes -= group.bytes();
        for name in &group.families {
            if let Some(old) = self.index.remove(group.id, name) {
                self.usage.series -= old.hashes.len();
                self.usage.bytes -= old.bytes;
            }
        }
        self.dirty.insert(key);
        true
    }

    /// Deletes all groups.
    pub fn wipe(&mut self) {
        let groups = std::mem::take(&mut self.by_key);
        self.dirty.extend(groups.into_keys());
        self.index = Index::default();
        self.usage = Usage::default();
        self.ends.clear();
    }

    /// Deletes groups whose time is over; how many.
    pub fn sweep(&mut self, now: Time) -> usize {
        let mut gone = 0;
        while let Some(first) = self.ends.first_entry()
            && first.key().0 <= now
        {
            let key = first.remove();
            let Some((number, _, group)) = self.by_key.get_full_mut(&key) else { continue };
            group.noted = Time::MAX;
            if group.ends() <= now {
                gone += usize::from(self.delete(&key));
            } else {
                self.time(number);
            }
        }
        gone
    }

    /// Notes when a group is over, unless it is noted already that this may be so earlier.
    pub(super) fn time(&mut self, number: usize) {
        if let Some((key, group)) = self.by_key.get_index_mut(number)
            && group.ends() < group.noted
        {
            self.ends.remove(&(group.noted, group.id));
            group.noted = group.ends();
            self.ends.insert((group.noted, group.id), key.clone());
        }
    }

    /// All families in the order of their names, as of now.
    #[must_use]
    pub fn shown(&self) -> Vec<ShownFamily> {
        let mut shown = self.index.shown();
        if self.by_key.is_empty() {
            return shown;
        }
        #[expect(clippy::cast_precision_loss, reason = "Prometheus counts time in floats")]
        let seconds = |nanos: i64| nanos as f64 / 1e9;
        let times = |name: &str, help: &str, at: fn(&Group) -> i64| {
            let numbers = self.by_key.values().map(|group| (group.labels.clone(), seconds(at(group))));
            let samples = Samples::Groups(numbers.collect());
            ShownFamily::new(name.into(), MetricType::Gauge, Some(help.into()), samples)
        };
        for family in [
            times(PUSH_FAILURE_TIME, "Last Unix time when changing this group failed.", |group| {
                group.failed_at
            }),
            times(PUSH_TIME, "Last Unix time when changing this group succeeded.", |group| group.pushed_at),
        ] {
            let at = shown.partition_point(|other| *other.name < *family.name);
            shown.insert(at, family);
        }
        shown
    }

    /// Whether a metric that others have, as Prometheus sees it, fits to those of the groups.
    pub fn check_other(&self, name: &str, kind: MetricType) -> Result<(), PushRefusal> {
        self.index.check_other(name, kind)?;
        match name.strip_suffix("_total").filter(|_| kind == MetricType::Counter) {
            // OpenMetrics leaves the ending out.
            Some(base) => self.index.check_other(base, kind),
            None => Ok(()),
        }
    }

    /// The value of a series and how long ago it was pushed. Histograms and summaries have values under the names of their
    /// parts, `_sum` and `_count`.
    #[must_use]
    pub fn latest(&self, name: &str, labels: &LabelSet, now: Time) -> Option<(f64, Duration)> {
        let hash = identity(labels, &self.hasher);
        let (family, part) = self.named(name)?;
        let (metric, stamp) = self.index.series(family, hash)?;
        Some((part.of(&metric.value)?, now.since(stamp.at)))
    }

    /// Looks at all series of a metric as [`latest`](Self::latest) does. Labels that are empty are left out.
    pub fn each_latest(&self, name: &str, now: Time, mut look: impl FnMut(&LabelSet, f64, Duration)) {
        let Some((family, part)) = self.named(name) else { return };
        for pushed in self.index.parts_of(family) {
            let age = now.since(pushed.stamp.at);
            for metric in &pushed.family.metrics {
                if let Some(value) = part.of(&metric.value) {
                    look(&without_empty(&metric.labels), value, age);
                }
            }
        }
    }

    /// The values of what a group has of a metric, as [`each_latest`](Self::each_latest) shows them.
    #[must_use]
    pub fn values(&self, key: &GroupingKey, name: &str) -> Vec<(LabelSet, f64)> {
        let pushed = self
            .named(name)
            .zip(self.by_key.get(key))
            .and_then(|((family, part), group)| Some((self.index.get(group.id, family)?, part)));
        let Some((pushed, part)) = pushed else { return Vec::new() };
        let value = |metric: &Metric| Some((without_empty(&metric.labels), part.of(&metric.value)?));
        pushed.family.metrics.iter().filter_map(value).collect()
    }

    /// The family that has the name, or whose part does.
    fn named<'a>(&self, name: &'a str) -> Option<(&'a str, Part)> {
        if self.index.kind(name).is_some() {
            return Some((name, Part::Whole));
        }
        for (suffix, part) in [("_sum", Part::Sum), ("_count", Part::Count)] {
            if let Some(base) = name.strip_suffix(suffix)
                && matches!(self.index.kind(base), Some(MetricType::Histogram | MetricType::Summary))
            {
                return Some((base, part));
            }
        }
        None
    }

    /// Keys of groups that have changed or gone since the last time.
    pub fn take_dirty(&mut self) -> Vec<Arc<GroupingKey>> {
        let dirty: Vec<_> = std::mem::take(&mut self.dirty).into_iter().collect();
        for key in &dirty {
            if let Some(group) = self.by_key.get_mut(key) {
                group.is_dirty = false;
            }
        }
        dirty
    }

    /// Takes keys back that could not be saved.
    pub fn give_back(&mut self, dirty: Vec<Arc<GroupingKey>>) {
        self.dirty.extend(dirty);
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<Arc<GroupingKey>> {
        self.by_key.keys().cloned().collect()
    }
}

/// Families of the group that the push has not.
fn left_out(group: &Group, families: &[Pushed]) -> Vec<Arc<str>> {
    if group.families.len() == families.len()
        && families.iter().all(|pushed| group.families.contains(pushed.name()))
    {
        return Vec::new();
    }
    let kept: HashSet<&str, RandomState> = families.iter().map(Pushed::name).collect();
    group.families.iter().filter(|name| !kept.contains(&***name)).cloned().collect()
}

/// A number of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Sum,
    Count,
}

impl Part {
    pub(super) fn of(self, value: &MetricValue) -> Option<f64> {
        let (sum, count) = match value {
            MetricValue::Number(value) => return (self == Self::Whole).then_some(*value),
            MetricValue::Histogram(histogram) => (histogram.sum, histogram.count),
            MetricValue::Summary(summary) => (summary.sum, summary.count),
        };
        match self {
            Self::Whole => None,
            Self::Sum => sum,
            Self::Count => count,
        }
    }
}
