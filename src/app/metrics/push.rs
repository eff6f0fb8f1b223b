//! Recording what clients push.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use serde::Serialize;
use utoipa::ToSchema;

use super::{MetricCell, MetricRules, Metrics};
use crate::{
    app::{Board, alerts::AlertView, thresholds::Observed},
    domain::{
        LabelSet, Time,
        exposition::MetricType,
        series::{Family, OVERFLOW, Recorded, Rejection, Sample, SampleSpec, exposed_name},
    },
};

/// A value for the thresholds of its metric.
struct Seen<'a> {
    metric: &'a str,
    labels: LabelSet,
    value: f64,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct PushAnswer {
    /// Samples that count.
    pub accepted: usize,
    /// Samples that do not.
    pub rejected: Vec<RejectedSample>,
    /// Alerts that these samples fired.
    pub alerts: Vec<AlertView>,
}

/// A sample that does not count, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct RejectedSample {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// Why.
    #[serde(flatten)]
    pub why: Rejection,
}

impl Board {
    /// Takes samples. Each counts or is refused for itself.
    pub async fn metrics_push(&self, specs: &[SampleSpec<'_>]) -> PushAnswer {
        let (rejected, seen) = self.metrics_record(specs);
        let alerts = if seen.is_empty() { Vec::new() } else { self.show_to_thresholds(&seen).await };
        PushAnswer { accepted: specs.len() - rejected.len(), rejected, alerts }
    }

    async fn show_to_thresholds(&self, seen: &[Seen<'_>]) -> Vec<AlertView> {
        let observed = seen.iter().map(|Seen { metric, labels, value }| {
            let value = *value;
            Observed { metric, labels, value }
        });
        let observed: Vec<_> = observed.collect();
        self.thresholds_observe(&observed).await
    }

    fn metrics_record<'a>(&self, specs: &'a [SampleSpec<'_>]) -> (Vec<RejectedSample>, Vec<Seen<'a>>) {
        let now = self.clock.now();
        let rules = Arc::clone(&self.series.rules.read());
        let (mut scratch, mut rejected, mut seen) = (String::new(), Vec::new(), Vec::new());
        for (index, spec) in specs.iter().enumerate() {
            match self.series.record(spec, &mut scratch, now, &rules, &|name, kind| {
                self.push_groups_check(name, kind).map_err(|error| Rejection::name_conflict(&error))
            }) {
                Ok((sample, recorded)) => {
                    let metric = spec.name.as_str();
                    if self.thresholds_watch(metric) {
                        let labels = if recorded.folded { overflow() } else { sample.label_set() };
                        seen.push(Seen { metric, labels, value: recorded.value });
                    }
                }
                Err(why) => rejected.push(RejectedSample { index, why }),
            }
        }
        let accepted = u64::try_from(specs.len() - rejected.len()).unwrap_or_default();
        self.series.accepted.fetch_add(accepted, Relaxed);
        for rejected in &rejected {
            self.series.rejected[rejected.why.code as usize].fetch_add(1, Relaxed);
        }
        (rejected, seen)
    }
}

/// Whether a metric, as Prometheus would see it, fits to those of others. No lock may be held.
type Others<'a> = &'a dyn Fn(&str, MetricType) -> Result<(), Rejection>;

impl Metrics {
    fn record<'a>(
        &self,
        spec: &'a SampleSpec<'_>,
        scratch: &'a mut String,
        now: Time,
        rules: &MetricRules,
        others: Others<'_>,
    ) -> Result<(Sample<'a>, Recorded), Rejection> {
        let sample = Sample::checked(spec, scratch)?;
        if let Some(cell) = self.catalog.read().get(sample.name) {
            let recorded = cell.family.lock().record(&sample, now, rules.ttl, &self.capacity)?;
            return Ok((sample, recorded));
        }
        self.record_first(&sample, now, rules, others).map(|recorded| (sample, recorded))
    }

    /// The first sample of a metric makes it.
    #[cold]
    fn record_first(
        &self,
        sample: &Sample<'_>,
        now: Time,
        rules: &MetricRules,
        others: Others<'_>,
    ) -> Result<Recorded, Rejection> {
        let kind = sample.update.kind();
        others(&exposed_name(sample.name, kind), kind.exposed())?;
        let buckets = rules.buckets_of.get(sample.name).unwrap_or(&rules.buckets);
        let make = || MetricCell::new(Family::new(sample.name, kind, buckets));
        let mut catalog = self.catalog.write();
        let cell = Arc::clone(catalog.get_or_insert(sample.name, kind, &self.capacity, make)?);
        let mut family = cell.family.lock();
        let recorded = family.record(sample, now, rules.ttl, &self.capacity);
        // One that has nothing must not keep the name.
        if family.is_empty() {
            drop(family);
            self.drop_from(&mut catalog, sample.name);
        }
        recorded
    }
}

fn overflow() -> LabelSet {
    LabelSet::try_from(OVERFLOW.to_owned()).unwrap_or_default()
}
