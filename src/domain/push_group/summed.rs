//! Pushes to groups that are summed over their pushers.

use std::sync::Arc;

use super::{
    Groups, Place, PushRefusal, Usage,
    body::{FAMILY_BYTES, weight},
    index::{Change, Index, Pushed},
    sources::{Source, Sources, Totals, fits, is_summed, zeroed},
};
use crate::domain::{GroupingKey, exposition::MetricType};

/// Where the series of a family are in the group's; those that are new have none.
type Places = Vec<Option<usize>>;

impl Groups {
    /// Takes the totals of one pusher.
    pub fn push_totals(
        &mut self,
        place: Place<'_>,
        client: &str,
        totals: &Totals,
        elsewhere: &dyn Fn(&str) -> Option<MetricType>,
    ) -> Result<(), PushRefusal> {
        self.forget_silent(place);
        let group = self.by_key.get(place.key);
        // Refused pushes alone decide nothing.
        if group.is_some_and(|group| group.sources.is_none() && group.pushed_at != 0) {
            return Err(PushRefusal::Mode { summed: false });
        }
        let id = group.map_or(self.next_id(), |group| group.id);
        let families = &totals.body.families;
        self.index.check(&Change::new(id, families, &[], true, elsewhere))?;
        let places: Vec<Places> =
            families.iter().map(|pushed| places(&self.index, id, pushed)).collect::<Result<_, _>>()?;
        let source = group.and_then(|group| group.sources.as_ref()).and_then(|sources| sources.get(client));
        self.within(self.most_after(group.map(|group| group.id), (client, source), totals, &places))?;
        let mut usage = self.usage();
        if group.is_none() {
            usage = self.with_group(usage, &totals.body.labels);
        }
        let number = self.settle(place, totals.body.labels.clone());
        self.add(number, client, totals, &places, &mut usage);
        self.set_usage(usage);
        Ok(())
    }

    /// What there would be at most. Of a pusher that is known, a push that comes again takes nothing more.
    fn most_after(
        &self,
        group: Option<u64>,
        (client, source): (&str, Option<&Source>),
        totals: &Totals,
        places: &[Places],
    ) -> Usage {
        let mut after = self.usage();
        if group.is_none() {
            after = self.with_group(after, &totals.body.labels);
        }
        if source.is_none() {
            after.bytes += Source::bytes_of_new(client);
        }
        for (pushed, places) in totals.body.families.iter().zip(places) {
            let total = group.and_then(|id| self.index.get(id, pushed.name()));
            if total.is_none() {
                after.bytes += FAMILY_BYTES + pushed.name().len();
            }
            let mut is_all_known = true;
            for (metric, place) in pushed.family.metrics.iter().zip(places) {
                let is_known = !is_summed(pushed.family.kind)
                    || place.is_some_and(|at| source.is_some_and(|source| source.has(pushed.name(), at)));
                after.series += usize::from(place.is_none());
                after.bytes += (usize::from(place.is_none()) + usize::from(!is_known)) * weight(metric);
                is_all_known &= is_known;
            }
            if !is_all_known {
                let series = total.map_or(0, |total| total.hashes.len()) + places.len();
                after.bytes += Source::bytes_of_family(pushed.name(), series);
            }
        }
        after
    }

    fn add(&mut self, number: usize, client: &str, totals: &Totals, places: &[Places], usage: &mut Usage) {
        let Self { by_key, index, .. } = self;
        let group = &mut by_key[number];
        let now = group.at;
        let stamp = super::Stamp { at: now, wall: group.pushed_at };
        let sources = group.sources.get_or_insert_default();
        let before = sources.bytes_of(client);
        let source = sources.at(client, now);
        source.at = now;
        for (n, (pushed, places)) in totals.body.families.iter().zip(places).enumerate() {
            let known = group.families.get(pushed.name()).cloned();
            let name = known.unwrap_or_else(|| {
                let name = index.put(group.id, empty(pushed)).0;
                group.families.insert(name.clone());
                usage.bytes += FAMILY_BYTES + name.len();
                name
            });
            index.change(group.id, &name, |total| {
                let (series, bytes) = (total.hashes.len(), total.bytes);
                total.stamp = stamp;
                if pushed.family.help.is_some() {
                    total.family.help.clone_from(&pushed.family.help);
                }
                for (i, place) in places.iter().enumerate() {
                    let at = place.unwrap_or_else(|| append(total, pushed, i));
                    count(source, &name, (total, at), (pushed, i), totals.created(n, i));
                }
                usage.series += total.hashes.len() - series;
                usage.bytes += total.bytes - bytes;
            });
        }
        usage.bytes = usage.bytes + sources.bytes_of(client) - before;
    }

    /// Forgets one pusher. What it has added stays. Whether it was known.
    pub fn forget(&mut self, key: &GroupingKey, client: &str) -> bool {
        self.change_sources(key, |sources| sources.forget(client))
    }

    fn forget_silent(&mut self, place: Place<'_>) {
        let sources = self.by_key.get(place.key).and_then(|group| group.sources.as_ref());
        if sources.is_some_and(|sources| sources.are_due(place.stamp.at)) {
            self.change_sources(place.key, |sources| sources.sweep(place.stamp.at));
        }
    }

    fn change_sources(&mut self, key: &GroupingKey, change: impl FnOnce(&mut Sources) -> bool) -> bool {
        let Some(number) = self.by_key.get_index_of(key) else { return false };
        let Some(sources) = &mut self.by_key[number].sources else { return false };
        let before = sources.bytes();
        let is_changed = change(sources);
        if is_changed {
            let mut usage = self.usage();
            usage.bytes =
                usage.bytes + self.by_key[number].sources.as_ref().map_or(0, Sources::bytes) - before;
            self.set_usage(usage);
            self.mark(number);
        }
        is_changed
    }
}

/// Where the series of a pushed family are, if they can be added.
fn places(index: &Index, group: u64, pushed: &Pushed) -> Result<Places, PushRefusal> {
    let total = index.get(group, pushed.name());
    let place = |(n, hash): (usize, &u64)| {
        let at = index.place(group, pushed.name(), *hash);
        if let (Some(at), Some(total)) = (at, total) {
            let no_sum = |reason| PushRefusal::NoSum { name: pushed.name().into(), reason };
            fits(&total.family.metrics[at].value, &pushed.family.metrics[n].value).map_err(no_sum)?;
        }
        Ok(at)
    };
    pushed.hashes.iter().enumerate().map(place).collect()
}

/// The family without its series.
fn empty(pushed: &Pushed) -> Pushed {
    let family = crate::domain::exposition::MetricFamily {
        name: pushed.family.name.clone(),
        help: pushed.family.help.clone(),
        kind: pushed.family.kind,
        metrics: Vec::new(),
    };
    Pushed::new(family, Vec::new(), FAMILY_BYTES + pushed.name().len())
}

/// A series that begins at 0. Its place.
fn append(total: &mut Pushed, pushed: &Pushed, n: usize) -> usize {
    let metric = &pushed.family.metrics[n];
    let mut new = metric.clone();
    new.value = zeroed(&metric.value);
    total.bytes += weight(&new);
    total.family.metrics.push(new);
    total.hashes.push(pushed.hashes[n]);
    total.hashes.len() - 1
}

fn count(
    source: &mut Source,
    name: &Arc<str>,
    (total, at): (&mut Pushed, usize),
    (pushed, n): (&Pushed, usize),
    created: Option<f64>,
) {
    let value = &pushed.family.metrics[n].value;
    let total = &mut total.family.metrics[at].value;
    if is_summed(pushed.family.kind) {
        source.count(name, at, (value, created), total);
    } else {
        // Of several last values there is one.
        *total = value.clone();
    }
}
