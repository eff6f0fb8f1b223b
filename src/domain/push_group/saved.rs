//! A group at rest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Groups, Stamp,
    body::{FAMILY_BYTES, identity, series_labels, weight},
    groups::Group,
    index::{Change, Pushed},
    sources::{Source, Sources},
};
use crate::domain::{
    GroupingKey, Seconds, Time,
    exposition::{Format, Limits, ParseError, Writer, parse},
};

/// Whatever was taken is read again.
const NO_LIMITS: Limits =
    Limits { line_bytes: usize::MAX, name_bytes: usize::MAX, labels: usize::MAX, samples: usize::MAX };

/// All that a group is, its labels excepted. Its families are text, as Prometheus reads them: compact, and exact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedGroup {
    pushed_at: i64,
    failed_at: i64,
    at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<Seconds>,
    /// When the families were pushed, in the order of the text.
    stamps: Vec<Stamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<(Box<str>, Arc<Source>)>>,
    text: String,
}

impl SavedGroup {
    /// When it was last pushed to, in nanoseconds since 1970.
    #[must_use]
    pub fn pushed_at(&self) -> i64 {
        self.pushed_at
    }
}

/// What is needed to write a [`SavedGroup`] without a lock.
#[derive(Debug)]
pub struct Copied {
    saved: SavedGroup,
    families: Vec<Arc<Pushed>>,
}

impl Copied {
    /// Writes the families.
    #[must_use]
    pub fn save(self) -> SavedGroup {
        let Self { mut saved, families } = self;
        let mut writer = Writer::new(&mut saved.text, Format::Text);
        for pushed in &families {
            writer.family(&pushed.family);
            saved.stamps.push(pushed.stamp);
        }
        writer.finish();
        saved
    }
}

impl Groups {
    /// What there is to save of a group.
    #[must_use]
    pub fn copy(&self, key: &GroupingKey) -> Option<Copied> {
        let group = self.by_key.get(key)?;
        let families =
            group.families.iter().filter_map(|name| self.index.get(group.id, name)).cloned().collect();
        let sources = group.sources.as_ref().map(Sources::copy);
        let saved = SavedGroup {
            pushed_at: group.pushed_at,
            failed_at: group.failed_at,
            at: group.at,
            ttl: group.ttl,
            stamps: Vec::new(),
            sources,
            text: String::new(),
        };
        Some(Copied { saved, families })
    }

    /// Puts in what was saved, whatever the caps are by now, with all times moved by `shift_nanos` to the clock of `now`.
    /// Families that do not fit to those that are there are left out; their names come back.
    pub fn restore(
        &mut self,
        key: GroupingKey,
        saved: SavedGroup,
        (now, shift_nanos): (Time, i64),
    ) -> Result<Vec<Box<str>>, ParseError> {
        let moved = |time: Time| time.shifted(shift_nanos).min(now);
        let families = parse(saved.text.as_bytes(), &NO_LIMITS)?;
        let labels = series_labels(key.labels());
        let mut usage = self.usage();
        usage = self.with_group(usage, &labels);
        let number = self.insert(key, labels, moved(saved.at));
        let id = self.by_key[number].id;
        let mut misfits = Vec::new();
        for (n, family) in families.into_iter().enumerate() {
            let hashes =
                family.metrics.iter().map(|metric| identity(&metric.labels, &self.hasher())).collect();
            let bytes = FAMILY_BYTES + family.name.len() + family.metrics.iter().map(weight).sum::<usize>();
            let mut pushed = Pushed::new(family, hashes, bytes);
            let stamp = saved.stamps.get(n).copied().unwrap_or_default();
            pushed.stamp = Stamp { at: moved(stamp.at), ..stamp };
            let alone = std::slice::from_ref(&pushed);
            if self.index.check(&Change::new(id, alone, &[], false, &|_| None)).is_err() {
                misfits.push(pushed.family.name);
                continue;
            }
            usage.series += pushed.hashes.len();
            usage.bytes += pushed.bytes;
            let (name, _) = self.index.put(id, pushed);
            self.by_key[number].families.insert(name);
        }
        let sources = saved.sources.map(|clients| {
            let moved = |(client, mut source): (Box<str>, Arc<Source>)| {
                let at = moved(source.at);
                Arc::make_mut(&mut source).at = at;
                (client, source)
            };
            Sources::restore(clients.into_iter().map(moved).collect())
        });
        usage.bytes += sources.as_ref().map_or(0, Sources::bytes);
        let group: &mut Group = &mut self.by_key[number];
        (group.pushed_at, group.failed_at, group.ttl) = (saved.pushed_at, saved.failed_at, saved.ttl);
        group.sources = sources;
        self.time(number);
        self.set_usage(usage);
        Ok(misfits)
    }
}
