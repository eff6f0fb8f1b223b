//! Who pushed what to a group that is summed.
//!
//! Each pusher sends the totals of its own life, as often as it likes. Of each, the last totals are remembered; what they
//! have grown by since is added to the group's, so that a push that comes again adds nothing. A total that is lower than
//! the last one began anew, and counts as a whole. Where the push says when a total began (`…_created`, as Python's
//! client does), this decides instead: another beginning is a new life, also of a larger total, and a lower total of
//! the same life is a push that arrived late, which adds nothing.
//!
//! What a pusher has added stays when it goes away.

use std::{collections::HashMap, sync::Arc, time::Duration};

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::{PushRefusal, body::Body, index::Pushed};
use crate::domain::{
    Time,
    exposition::{Histogram, MetricType, MetricValue, Summary},
};

/// How long the totals of a pusher are remembered after its last push. If it comes back later, all it has counts again.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// About what a pusher takes, and a total of it.
const SOURCE_BYTES: usize = 256;
const LAST_BYTES: usize = 64;

/// Pushers of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    clients: HashMap<Box<str>, Arc<Source>, RandomState>,
    /// None has been silent for longer.
    oldest: Option<Time>,
}

/// The last totals of a pusher: of each family, by the place of the series in the group's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) at: Time,
    pub(super) last: HashMap<Arc<str>, Vec<Option<Last>>, RandomState>,
}

/// The last total of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    /// A counter's value, else counts and a sum: of the buckets, all, the sum.
    numbers: Box<[f64]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<f64>,
}

/// A push to a group that is summed.
#[derive(Debug)]
pub struct Totals {
    pub(super) body: Body,
    /// When the series began, by family and place; empty if nothing is said.
    created: Vec<Vec<Option<f64>>>,
}

impl Totals {
    /// Checks that all of it can be summed.
    pub fn new(mut body: Body) -> Result<Self, PushRefusal> {
        let births = take_births(&mut body.families);
        for pushed in &mut body.families {
            normalize(pushed)?;
        }
        let created = body.families.iter().map(|pushed| created(pushed, &births)).collect();
        Ok(Self { body, created })
    }

    pub(super) fn created(&self, family: usize, at: usize) -> Option<f64> {
        self.created.get(family)?.get(at).copied().flatten()
    }
}

/// When series began, by the name of their family and what tells them apart.
type Births = HashMap<Box<str>, HashMap<u64, f64, RandomState>, RandomState>;

fn base(pushed: &Pushed) -> Option<&str> {
    match pushed.family.kind {
        MetricType::Counter => Some(pushed.name().strip_suffix("_total").unwrap_or(pushed.name())),
        MetricType::Histogram | MetricType::Summary => Some(pushed.name()),
        MetricType::Gauge | MetricType::Untyped => None,
    }
}

/// Takes `x_created` out where there is a counter `x_total`, or a histogram or summary `x`. Of a sum it would say nothing.
fn take_births(families: &mut Vec<Pushed>) -> Births {
    let mut births: Births =
        families.iter().filter_map(base).map(|base| (base.into(), HashMap::default())).collect();
    families.retain(|pushed| {
        let number = matches!(pushed.family.kind, MetricType::Gauge | MetricType::Untyped);
        let of = pushed.name().strip_suffix("_created").filter(|_| number);
        let Some(known) = of.and_then(|base| births.get_mut(base)) else { return true };
        for (hash, metric) in pushed.hashes.iter().zip(&pushed.family.metrics) {
            if let MetricValue::Number(at) = metric.value
                && at.is_finite()
            {
                known.insert(*hash, at);
            }
        }
        false
    });
    births
}

fn created(pushed: &Pushed, births: &Births) -> Vec<Option<f64>> {
    match base(pushed).and_then(|base| births.get(base)) {
        Some(known) if !known.is_empty() => {
            pushed.hashes.iter().map(|hash| known.get(hash).copied()).collect()
        }
        _ => Vec::new(),
    }
}

fn normalize(pushed: &mut Pushed) -> Result<(), PushRefusal> {
    let name = pushed.family.name.clone();
    let refused = |reason| PushRefusal::NoSum { name: name.clone(), reason };
    for metric in &mut pushed.family.metrics {
        match (&mut metric.value, pushed.family.kind) {
            (MetricValue::Number(value), MetricType::Counter) => {
                if !(value.is_finite() && *value >= 0.0) {
                    return Err(refused("a counter must be a finite number, 0 or greater"));
                }
            }
            (MetricValue::Number(_), _) => {}
            (MetricValue::Histogram(histogram), _) => normalize_histogram(histogram).map_err(refused)?,
            (MetricValue::Summary(summary), _) => normalize_summary(summary).map_err(refused)?,
        }
    }
    Ok(())
}

fn normalize_histogram(histogram: &mut Histogram) -> Result<(), &'static str> {
    histogram.buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let last = histogram.buckets.last().filter(|(bound, _)| *bound == f64::INFINITY).map(|(_, count)| *count);
    let count = histogram.count.or(last).ok_or("a histogram needs _count, or a bucket +Inf")?;
    if last.is_none() {
        histogram.buckets.push((f64::INFINITY, count));
    }
    let counts = histogram.buckets.iter().map(|(_, count)| *count);
    let is_sum = histogram.sum.is_none_or(f64::is_finite) && count.is_finite();
    if !is_sum || !counts.clone().all(f64::is_finite) {
        return Err("counts and sums must be finite");
    }
    if !counts.is_sorted() {
        return Err("buckets are cumulative, and must not become less");
    }
    histogram.count = Some(count);
    histogram.sum = Some(histogram.sum.unwrap_or(0.0));
    Ok(())
}

/// Quantiles of several pushers are no quantiles of all.
fn normalize_summary(summary: &mut Summary) -> Result<(), &'static str> {
    let (count, sum) = (summary.count.unwrap_or(0.0), summary.sum.unwrap_or(0.0));
    if !count.is_finite() || !sum.is_finite() {
        return Err("counts and sums must be finite");
    }
    *summary = Summary { quantiles: Vec::new(), sum: Some(sum), count: Some(count) };
    Ok(())
}

/// Whether totals are added up; of other metrics the last value is what there is.
pub(super) fn is_summed(kind: MetricType) -> bool {
    match kind {
        MetricType::Counter | MetricType::Histogram | MetricType::Summary => true,
        MetricType::Gauge | MetricType::Untyped => false,
    }
}

/// Whether both can be added: the same buckets.
pub(super) fn fits(total: &MetricValue, pushed: &MetricValue) -> Result<(), &'static str> {
    match (total, pushed) {
        (MetricValue::Histogram(total), MetricValue::Histogram(pushed)) => {
            let bounds =
                |histogram: &Histogram| histogram.buckets.iter().map(|(bound, _)| *bound).collect::<Vec<_>>();
            if bounds(total) == bounds(pushed) {
                Ok(())
            } else {
                Err(
                    "its buckets are others than those that were summed so far; delete the group to begin anew",
                )
            }
        }
        _ => Ok(()),
    }
}

/// The numbers that only grow, and at the end, of histograms and summaries, the sum.
fn numbers(value: &MetricValue) -> Box<[f64]> {
    match value {
        MetricValue::Number(value) => Box::new([*value]),
        MetricValue::Histogram(histogram) => {
            let counts = histogram.buckets.iter().map(|(_, count)| *count);
            counts.chain(histogram.count).chain(histogram.sum).collect()
        }
        MetricValue::Summary(summary) => summary.count.into_iter().chain(summary.sum).collect(),
    }
}

/// How many of the numbers only grow.
fn growing(value: &MetricValue, numbers: &[f64]) -> usize {
    numbers.len() - usize::from(!matches!(value, MetricValue::Number(_)))
}

impl Last {
    fn new(value: &MetricValue, created: Option<f64>) -> Self {
        Self { numbers: numbers(value), created }
    }

    /// What of `now` is not in `self` yet. `None`: nothing, and `self` is newer.
    fn growth(&self, value: &MetricValue, now: &Self) -> Option<Box<[f64]>> {
        if self.numbers.len() != now.numbers.len() {
            return Some(now.numbers.clone());
        }
        let is_same_life = match (self.created, now.created) {
            (Some(before), Some(now)) if now < before => return None,
            (Some(before), Some(now)) => Some(before.total_cmp(&now).is_eq()),
            _ => None,
        };
        let growing = growing(value, &now.numbers);
        let is_lower = self.numbers.iter().zip(&now.numbers).take(growing).any(|(before, now)| now < before);
        match is_same_life {
            Some(false) => Some(now.numbers.clone()),
            Some(true) if is_lower => None,
            None if is_lower => Some(now.numbers.clone()),
            _ => Some(self.numbers.iter().zip(&now.numbers).map(|(before, now)| now - before).collect()),
        }
    }
}

fn add(total: &mut MetricValue, growth: &[f64]) {
    let mut growth = growth.iter();
    let mut add = |number: &mut f64| *number += growth.next().copied().unwrap_or(0.0);
    match total {
        MetricValue::Number(value) => add(value),
        MetricValue::Histogram(histogram) => {
            histogram.buckets.iter_mut().for_each(|(_, count)| add(count));
            histogram.count.iter_mut().for_each(&mut add);
            histogram.sum.iter_mut().for_each(&mut add);
        }
        MetricValue::Summary(summary) => {
            summary.count.iter_mut().for_each(&mut add);
            summary.sum.iter_mut().for_each(&mut add);
        }
    }
}

impl Sources {
    /// The pusher, known or not.
    pub(super) fn at(&mut self, client: &str, now: Time) -> &mut Source {
        self.oldest.get_or_insert(now);
        let new = || Arc::new(Source { at: now, last: HashMap::default() });
        // Whoever saves it meanwhile keeps what it has.
        Arc::make_mut(self.clients.entry(client.into()).or_insert_with(new))
    }

    /// The pusher, if it is known.
    pub(super) fn get(&self, client: &str) -> Option<&Source> {
        self.clients.get(client).map(|source| &**source)
    }

    /// Forgets a pusher; whether it was known.
    pub(super) fn forget(&mut self, client: &str) -> bool {
        self.clients.remove(client).is_some()
    }

    /// Whether some may have been silent for long.
    pub(super) fn are_due(&self, now: Time) -> bool {
        self.oldest.is_some_and(|oldest| now.since(oldest) >= REMEMBERED)
    }

    /// Forgets those that have been silent for long; whether there were any.
    pub(super) fn sweep(&mut self, now: Time) -> bool {
        let before = self.clients.len();
        self.clients.retain(|_, source| now.since(source.at) < REMEMBERED);
        self.oldest = self.clients.values().map(|source| source.at).min();
        self.clients.len() < before
    }

    /// About how many bytes one takes, known or not.
    pub(super) fn bytes_of(&self, client: &str) -> usize {
        self.clients.get(client).map_or(0, |source| client.len() + source.bytes())
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        self.clients.iter().map(|(client, source)| client.len() + source.bytes()).sum()
    }

    /// All of them, as they are now.
    pub(super) fn copy(&self) -> Vec<(Box<str>, Arc<Source>)> {
        self.clients.iter().map(|(client, source)| (client.clone(), source.clone())).collect()
    }

    pub(super) fn restore(clients: Vec<(Box<str>, Arc<Source>)>) -> Self {
        let oldest = clients.iter().map(|(_, source)| source.at).min();
        Self { clients: clients.into_iter().collect(), oldest }
    }
}

impl Source {
    /// Whether it is known what it sent last of a series.
    pub(super) fn has(&self, family: &str, at: usize) -> bool {
        self.last.get(family).and_then(|lasts| lasts.get(at)).is_some_and(Option::is_some)
    }

    /// About how many bytes one takes that has sent nothing yet, with its name.
    pub(super) fn bytes_of_new(client: &str) -> usize {
        client.len() + SOURCE_BYTES
    }

    /// About how many bytes are taken to remember totals of a family of so many series, besides the totals.
    pub(super) fn bytes_of_family(name: &str, series: usize) -> usize {
        SOURCE_BYTES + name.len() + series * 8
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let lasts = |(name, lasts): (&Arc<str>, &Vec<Option<Last>>)| {
            let numbers: usize = lasts.iter().flatten().map(|last| LAST_BYTES + last.numbers.len() * 8).sum();
            Self::bytes_of_family(name, lasts.len()) + numbers
        };
        SOURCE_BYTES + self.last.iter().map(lasts).sum::<usize>()
    }

    /// Adds what a series has grown by to its total, and remembers it.
    pub(super) fn count(
        &mut self,
        family: &Arc<str>,
        at: usize,
        (pushed, created): (&MetricValue, Option<f64>),
        total: &mut MetricValue,
    ) {
        let lasts = self.last.entry(family.clone()).or_default();
        if lasts.len() <= at {
            lasts.resize(at + 1, None);
        }
        let now = Last::new(pushed, created);
        let growth = match &lasts[at] {
            Some(before) => before.growth(pushed, &now),
            None => Some(now.numbers.clone()),
        };
        if let Some(growth) = growth {
            add(total, &growth);
            lasts[at] = Some(now);
        }
    }
}

/// The value with all that grows at 0.
pub(super) fn zeroed(value: &MetricValue) -> MetricValue {
    let mut value = value.clone();
    let numbers: Box<[f64]> = numbers(&value).iter().map(|number| -number).collect();
    add(&mut value, &numbers);
    value
}
