//! All groups by what they have: families by name, series by their labels.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::{
    PushRefusal, Stamp,
    body::{series_name, without_empty},
};
use crate::domain::{
    LabelSet,
    exposition::{Format, Guest, Labels, Metric, MetricFamily, MetricType, MetricValue, Writer},
};

/// A family of one group.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// With the labels of its group.
    pub(super) family: MetricFamily,
    /// What tells its series apart, in their order.
    pub(super) hashes: Vec<u64>,
    /// About what it takes.
    pub(super) bytes: usize,
    /// When it was pushed last.
    pub(super) stamp: Stamp,
}

impl Pushed {
    pub(super) fn new(family: MetricFamily, hashes: Vec<u64>, bytes: usize) -> Self {
        Self { family, hashes, bytes, stamp: Stamp::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.family.name
    }
}

/// What groups have of one name.
#[derive(Debug)]
struct Entry {
    kind: MetricType,
    /// What was said last.
    help: Option<Arc<str>>,
    groups: IndexMap<u64, Arc<Pushed>, RandomState>,
    /// Where a series is: the group and the place in its family.
    series: HashMap<u64, (u64, usize), RandomState>,
}

impl Entry {
    fn new(kind: MetricType) -> Self {
        Self { kind, help: None, groups: IndexMap::default(), series: HashMap::default() }
    }

    fn add_series(&mut self, group: u64, hashes: &[u64]) {
        self.series.extend(hashes.iter().enumerate().map(|(at, hash)| (*hash, (group, at))));
    }

    fn remove_series(&mut self, pushed: &Pushed) {
        for hash in &pushed.hashes {
            self.series.remove(hash);
        }
    }
}

/// Families by name.
#[derive(Debug, Default)]
pub(super) struct Index {
    families: HashMap<Arc<str>, Entry, RandomState>,
    names: BTreeSet<Arc<str>>,
}

/// A push as the index sees it.
pub(super) struct Change<'a> {
    group: u64,
    families: &'a [Pushed],
    /// Families that the group loses.
    gone: HashSet<&'a str, RandomState>,
    /// Whether what the group has of these names stays: then it cannot become of another type.
    adds: bool,
    /// The type of metrics of that name which no group has.
    elsewhere: &'a dyn Fn(&str) -> Option<MetricType>,
    /// The families by name, if they are many.
    by_name: HashMap<&'a str, MetricType, RandomState>,
}

/// So few are found without an index.
const FEW: usize = 8;

impl<'a> Change<'a> {
    pub(super) fn new(
        group: u64,
        families: &'a [Pushed],
        gone: &'a [Arc<str>],
        adds: bool,
        elsewhere: &'a dyn Fn(&str) -> Option<MetricType>,
    ) -> Self {
        let many = if families.len() > FEW { families } else { &[] };
        let by_name = many.iter().map(|pushed| (pushed.name(), pushed.family.kind)).collect();
        Self { group, families, gone: gone.iter().map(|name| &**name).collect(), adds, elsewhere, by_name }
    }

    fn pushed(&self, name: &str) -> Option<MetricType> {
        if self.families.len() > FEW {
            return self.by_name.get(name).copied();
        }
        self.families.iter().find(|pushed| pushed.name() == name).map(|pushed| pushed.family.kind)
    }
}

impl Index {
    /// Whether all groups still fit on one page after it.
    pub(super) fn check(&self, change: &Change<'_>) -> Result<(), PushRefusal> {
        change.families.iter().try_for_each(|pushed| self.check_family(pushed, change))
    }

    fn check_family(&self, pushed: &Pushed, change: &Change<'_>) -> Result<(), PushRefusal> {
        let entry = self.families.get(pushed.name());
        let own = entry.and_then(|entry| entry.groups.get(&change.group));
        if let Some(entry) = entry {
            let replaces_all = !change.adds && entry.groups.len() == usize::from(own.is_some());
            if entry.kind != pushed.family.kind && !replaces_all {
                return Err(conflict(pushed, entry.kind));
            }
            let is_known = own.is_some_and(|own| own.hashes == pushed.hashes);
            let taken = |hash: &u64| entry.series.get(hash).is_some_and(|(owner, _)| *owner != change.group);
            if !is_known && let Some(at) = pushed.hashes.iter().position(taken) {
                return Err(PushRefusal::Taken(series_name(
                    pushed.name(),
                    &pushed.family.metrics[at].labels,
                )));
            }
            if entry.kind == pushed.family.kind {
                return Ok(());
            }
        }
        let elsewhere = (change.elsewhere)(pushed.name());
        match elsewhere {
            Some(there) if there != pushed.family.kind => Err(conflict(pushed, there)),
            there => self.check_parts(pushed, change, there.is_some()),
        }
    }

    /// Parts of histograms and summaries have names, too. `is_elsewhere`: others have the metric, and see to its parts.
    fn check_parts(
        &self,
        pushed: &Pushed,
        change: &Change<'_>,
        is_elsewhere: bool,
    ) -> Result<(), PushRefusal> {
        let name = pushed.name();
        for suffix in parts(pushed.family.kind) {
            let part = format!("{name}{suffix}");
            let there = self.kind_after(&part, change);
            if there.or_else(|| if is_elsewhere { None } else { (change.elsewhere)(&part) }).is_some() {
                return Err(PushRefusal::Collision { whole: name.into(), other: part.into() });
            }
        }
        for suffix in parts(MetricType::Histogram) {
            let Some(base) = name.strip_suffix(suffix) else { continue };
            let whole = self.kind_after(base, change).or_else(|| (change.elsewhere)(base));
            let whole = whole.filter(|kind| parts(*kind).contains(suffix));
            if whole.is_some() {
                return Err(PushRefusal::Collision { whole: base.into(), other: name.into() });
            }
        }
        Ok(())
    }

    /// What groups will have of a name.
    fn kind_after(&self, name: &str, change: &Change<'_>) -> Option<MetricType> {
        if let Some(kind) = change.pushed(name) {
            return Some(kind);
        }
        let stays = |entry: &&Entry| {
            let is_only = entry.groups.len() == 1 && entry.groups.contains_key(&change.group);
            !(is_only && change.gone.contains(name))
        };
        self.families.get(name).filter(stays).map(|entry| entry.kind)
    }

    /// Puts a family of a group in place of what the group had of that name. It must have been checked.
    pub(super) fn put(&mut self, group: u64, pushed: Pushed) -> (Arc<str>, Option<Arc<Pushed>>) {
        let name = match self.families.get_key_value(pushed.name()) {
            Some((name, _)) => name.clone(),
            None => self.add_name(pushed.name(), pushed.family.kind),
        };
        let entry = self.families.entry(name.clone()).or_insert_with(|| Entry::new(pushed.family.kind));
        entry.kind = pushed.family.kind;
        if let Some(help) = pushed.family.help.as_deref()
            && entry.help.as_deref() != Some(help)
        {
            entry.help = Some(help.into());
        }
        let is_known = entry.groups.get(&group).is_some_and(|own| own.hashes == pushed.hashes);
        if is_known {
            return (name, entry.groups.insert(group, Arc::new(pushed)));
        }
        if let Some(old) = entry.groups.swap_remove(&group) {
            entry.remove_series(&old);
        }
        entry.add_series(group, &pushed.hashes);
        entry.groups.insert(group, Arc::new(pushed));
        (name, None)
    }

    fn add_name(&mut self, name: &str, kind: MetricType) -> Arc<str> {
        let name: Arc<str> = name.into();
        self.names.insert(name.clone());
        self.families.insert(name.clone(), Entry::new(kind));
        name
    }

    /// Takes a family of a group out.
    pub(super) fn remove(&mut self, group: u64, name: &str) -> Option<Arc<Pushed>> {
        let entry = self.families.get_mut(name)?;
        let old = entry.groups.swap_remove(&group)?;
        if entry.groups.is_empty() {
            self.families.remove(name);
            self.names.remove(name);
        } else {
            entry.remove_series(&old);
        }
        Some(old)
    }

    /// What a group has of a name.
    pub(super) fn get(&self, group: u64, name: &str) -> Option<&Arc<Pushed>> {
        self.families.get(name)?.groups.get(&group)
    }

    /// Where a series of a group is in its family.
    pub(super) fn place(&self, group: u64, name: &str, hash: u64) -> Option<usize> {
        let (owner, at) = self.families.get(name)?.series.get(&hash)?;
        (*owner == group).then_some(*at)
    }

    /// Changes a family of a group. Readers of the page keep what they have.
    pub(super) fn change(&mut self, group: u64, name: &str, change: impl FnOnce(&mut Pushed)) {
        let Some(entry) = self.families.get_mut(name) else { return };
        let Some(pushed) = entry.groups.get_mut(&group) else { return };
        let pushed = Arc::make_mut(pushed);
        let before = pushed.hashes.len();
        change(pushed);
        if let Some(help) = pushed.family.help.as_deref()
            && entry.help.as_deref() != Some(help)
        {
            entry.help = Some(help.into());
        }
        let added = pushed.hashes.iter().enumerate().skip(before);
        entry.series.extend(added.map(|(at, hash)| (*hash, (group, at))));
    }

    /// Whether a metric that others have would fit on one page with these.
    pub(super) fn check_other(&self, name: &str, kind: MetricType) -> Result<(), PushRefusal> {
        let family = MetricFamily { name: name.into(), help: None, kind, metrics: Vec::new() };
        let other = [Pushed::new(family, Vec::new(), 0)];
        // No group has this id.
        self.check(&Change::new(u64::MAX, &other, &[], true, &|_| None))
    }

    /// The type of a metric.
    pub(super) fn kind(&self, name: &str) -> Option<MetricType> {
        self.families.get(name).map(|entry| entry.kind)
    }

    /// A series, whoever has it.
    pub(super) fn series(&self, name: &str, hash: u64) -> Option<(&Metric, Stamp)> {
        let entry = self.families.get(name)?;
        let (owner, at) = entry.series.get(&hash)?;
        let pushed = entry.groups.get(owner)?;
        Some((pushed.family.metrics.get(*at)?, pushed.stamp))
    }

    /// What all groups have of a name.
    pub(super) fn parts_of(&self, name: &str) -> impl Iterator<Item = &Arc<Pushed>> {
        self.families.get(name).into_iter().flat_map(|entry| entry.groups.values())
    }

    /// All families in the order of their names.
    pub(super) fn shown(&self) -> Vec<ShownFamily> {
        let shown = |name: &Arc<str>| {
            let entry = self.families.get(name)?;
            let samples = Samples::Pushed(entry.groups.values().cloned().collect());
            Some(ShownFamily::new(name.clone(), entry.kind, entry.help.clone(), samples))
        };
        self.names.iter().filter_map(shown).collect()
    }
}

/// What is appended to the name of a histogram or summary.
fn parts(kind: MetricType) -> &'static [&'static str] {
    match kind {
        MetricType::Histogram => &["_bucket", "_count", "_sum"],
        MetricType::Summary => &["_count", "_sum"],
        MetricType::Counter | MetricType::Gauge | MetricType::Untyped => &[],
    }
}

fn conflict(pushed: &Pushed, there: MetricType) -> PushRefusal {
    PushRefusal::Type { name: pushed.name().into(), pushed: pushed.family.kind, there }
}

/// Families of groups on a page of others.
#[derive(Debug)]
pub struct GroupGuests(HashMap<Arc<str>, ShownFamily, RandomState>);

impl GroupGuests {
    /// All of these. OpenMetrics has `x_created` as part of `x`, and takes no other metric of that name.
    #[must_use]
    pub fn new(shown: Vec<ShownFamily>, format: Format) -> Self {
        let mut families: HashMap<_, _, _> =
            shown.into_iter().map(|family| (family.name.clone(), family)).collect();
        if format == Format::OpenMetrics {
            join_births(&mut families);
        }
        Self(families)
    }
}

fn join_births(families: &mut HashMap<Arc<str>, ShownFamily, RandomState>) {
    let of = |name: &str| Some((format!("{}_created", base_of(families.get(name)?)?), name.to_owned()));
    let births: Vec<(String, String)> = families.keys().filter_map(|name| of(name)).collect();
    for (birth, name) in births {
        let is_number = |family: &ShownFamily| matches!(family.kind, MetricType::Gauge | MetricType::Untyped);
        if !families.get(&*birth).is_some_and(is_number) {
            continue;
        }
        let Some(ShownFamily { samples: Samples::Pushed(parts), .. }) = families.remove(&*birth) else {
            continue;
        };
        let metrics = parts.iter().flat_map(|pushed| &pushed.family.metrics);
        let born = |metric: &Metric| match metric.value {
            MetricValue::Number(at) => Some((metric.labels.clone(), at)),
            _ => None,
        };
        let births = metrics.filter_map(born).collect();
        if let Some(family) = families.get_mut(&*name) {
            family.births = births;
        }
    }
}

/// The name that OpenMetrics appends `_created` to, if it does.
fn base_of(family: &ShownFamily) -> Option<&str> {
    match family.kind {
        MetricType::Counter => family.name.strip_suffix("_total"),
        MetricType::Histogram | MetricType::Summary => Some(&family.name),
        MetricType::Gauge | MetricType::Untyped => None,
    }
}

impl Guest for GroupGuests {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn join(&mut self, name: &str, kind: MetricType, labels: &Labels, writer: &mut Writer<'_>) {
        // Another type is only there if both came at the same instant: the host's is what readers rely on.
        let Some(family) = self.0.remove(name).filter(|family| family.kind == kind) else { return };
        family.write_samples(writer, |own| !labels.contains(without_empty(own).as_str()));
    }

    fn rest(&mut self, writer: &mut Writer<'_>) {
        let mut rest: Vec<_> = std::mem::take(&mut self.0).into_values().collect();
        rest.sort_by(|a, b| a.name.cmp(&b.name));
        for family in rest {
            let of = family.name.strip_suffix("_created").and_then(|base| writer.begun(base));
            if !matches!(of, Some(MetricType::Counter | MetricType::Histogram | MetricType::Summary)) {
                family.write(writer);
            }
        }
    }
}

/// A family as Prometheus sees it: of all groups. Cheap to make; what it shows stays as it was then.
#[derive(Clone, Debug)]
pub struct ShownFamily {
    pub(super) name: Arc<str>,
    pub(super) kind: MetricType,
    pub(super) help: Option<Arc<str>>,
    pub(super) samples: Samples,
    /// When series began, by their labels, for OpenMetrics.
    births: HashMap<LabelSet, f64, RandomState>,
}

#[derive(Clone, Debug)]
pub(super) enum Samples {
    Pushed(Vec<Arc<Pushed>>),
    /// One number for each group.
    Groups(Vec<(Arc<LabelSet>, f64)>),
}

impl ShownFamily {
    pub(super) fn new(name: Arc<str>, kind: MetricType, help: Option<Arc<str>>, samples: Samples) -> Self {
        Self { name, kind, help, samples, births: HashMap::default() }
    }

    /// Its name, complete.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> MetricType {
        self.kind
    }

    /// What it is about.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Writes all of it.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.head(&self.name, self.kind, self.help.as_deref());
        self.write_samples(writer, |_| true);
    }

    /// Writes its samples, for who has written a head; of those labels that `wanted` takes.
    pub fn write_samples(&self, writer: &mut Writer<'_>, wanted: impl Fn(&LabelSet) -> bool) {
        match &self.samples {
            Samples::Pushed(parts) => {
                let metrics = parts.iter().flat_map(|pushed| &pushed.family.metrics);
                for metric in metrics.filter(|metric| wanted(&metric.labels)) {
                    writer.metric(&self.name, metric);
                    let birth = self.births.get(&metric.labels);
                    if let (Some(birth), Some(base)) = (birth, base_of(self)) {
                        writer.sample(base, "_created", metric.labels.as_str(), None);
                        writer.value(*birth, None);
                    }
                }
            }
            Samples::Groups(numbers) => {
                for (labels, value) in numbers.iter().filter(|(labels, _)| wanted(labels)) {
                    writer.sample(&self.name, "", labels.as_str(), None);
                    writer.value(*value, None);
                }
            }
        }
    }
}
