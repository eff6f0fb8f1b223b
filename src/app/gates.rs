//! Gates: live cells, evaluations, and what is told of refusals.

use std::{sync::Arc, time::Duration};

use foldhash::HashMap;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Board, Limits, checks::CheckCell, definitions::Resource, journal::NewEvent, registry::Registry};
use crate::domain::{
    InvalidConfig, Name, StateName, Time,
    alert::Alert,
    check::Labels,
    gate::{AlertFact, Blocking, CheckFact, Evaluation, Facts, GateConfig, GateSpec},
    health::Status,
};

/// A gate that goes on refusing is told of once in so long.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Ad hoc gates whose last answer is remembered.
const AD_HOC: usize = 1024;
/// How much of what stands in the way an event names: labels may select every check of the board.
const TOLD_BLOCKING: usize = 32;

/// What an ad hoc gate is remembered by: it may be described at length.
type Fingerprint = [u8; 32];

/// One live gate.
#[derive(Debug)]
pub struct GateCell {
    name: Name,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: Arc<GateConfig>,
    record: Record,
}

/// What has been answered since the start of the server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record {
    /// Evaluations that let pass.
    pub allowed: u64,
    /// Evaluations that did not.
    pub refused: u64,
    last: Option<bool>,
    told_at: Option<Time>,
}

impl Record {
    /// Notes an answer; whether a refusal is to be told: when it is another answer than the one before, or the last
    /// telling is too long ago.
    fn note(&mut self, allowed: bool, now: Time) -> bool {
        let before = self.last.replace(allowed);
        if allowed {
            self.allowed += 1;
            return false;
        }
        self.refused += 1;
        let tell =
            before != Some(false) || self.told_at.is_none_or(|told_at| now.since(told_at) >= TOLD_EVERY);
        if tell {
            self.told_at = Some(now);
        }
        tell
    }
}

/// Gates without a name.
#[derive(Debug, Default)]
pub struct AdHoc(Mutex<AdHocInner>);

#[derive(Debug, Default)]
struct AdHocInner {
    all: Record,
    each: HashMap<Fingerprint, Record>,
}

impl AdHoc {
    /// Of all of them together.
    #[must_use]
    pub fn record(&self) -> Record {
        self.0.lock().all
    }

    fn note(&self, gate: Fingerprint, allowed: bool, now: Time) -> bool {
        let mut inner = self.0.lock();
        inner.all.note(allowed, now);
        if inner.each.len() >= AD_HOC {
            inner
                .each
                .retain(|_, record| record.told_at.is_some_and(|told_at| now.since(told_at) < TOLD_EVERY));
        }
        if inner.each.len() >= AD_HOC && !inner.each.contains_key(&gate) {
            return false;
        }
        inner.each.entry(gate).or_default().note(allowed, now)
    }
}

impl Resource for GateCell {
    const KIND: &'static str = "gate";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_gates;
    type Spec = GateSpec;
    type Config = GateConfig;

    fn spec(config: &GateConfig) -> GateSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.gates
    }

    fn create(_: &Board, name: Name, config: GateConfig) -> Self {
        Self::new(name, config)
    }

    fn reconfigure(self: &Arc<Self>, _: &Board, config: GateConfig) {
        self.inner.lock().config = Arc::new(config);
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> GateConfig {
        self.inner.lock().config.as_ref().clone()
    }
}

/// A gate as answered by `GET /v1/gates/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GateAnswer {
    /// The gate's name.
    pub name: Name,
    /// Evaluations that let pass, since the start of the server.
    pub allowed_evaluations: u64,
    /// Evaluations that did not.
    pub refused_evaluations: u64,
    /// What it would answer now. Looking is no evaluation: nothing counts it.
    pub verdict: GateVerdict,
    /// The configuration, every field filled.
    pub config: GateSpec,
}

/// The answer to "may I go?".
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GateVerdict {
    /// Whether to go. So if, and only if, nothing is blocking.
    pub allowed: bool,
    /// The worst of all that was looked at. What is red and not critical counts as yellow; what is stale, as red.
    pub overall_status: Status,
    /// What stands in the way, worst first.
    pub blocking: Vec<Blocking>,
    /// When this was so.
    #[schema(value_type = String, format = DateTime)]
    pub evaluated_at: Timestamp,
}

/// A refusal as the events carry it.
#[derive(Clone, Debug, Serialize)]
struct Refusal<'a> {
    overall_status: Status,
    /// The worst of it.
    blocking: &'a [Blocking],
    /// How much there is.
    blocking_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<GateSpec>,
}

impl GateCell {
    /// A gate that has not been asked.
    #[must_use]
    pub fn new(name: Name, config: GateConfig) -> Self {
        Self { name, inner: Mutex::new(Inner { config: Arc::new(config), record: Record::default() }) }
    }

    /// What has been answered.
    #[must_use]
    pub fn record(&self) -> Record {
        self.inner.lock().record
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self, board: &Board) -> GateAnswer {
        let (config, record) = {
            let inner = self.inner.lock();
            (Arc::clone(&inner.config), inner.record)
        };
        GateAnswer {
            name: self.name.clone(),
            allowed_evaluations: record.allowed,
            refused_evaluations: record.refused,
            verdict: board.verdict(config.evaluate(&Now(board))),
            config: (&*config).into(),
        }
    }
}

/// The board as gates see it.
struct Now<'a>(&'a Board);

impl Facts for Now<'_> {
    fn check(&self, name: &Name) -> Option<CheckFact> {
        self.0.checks.get(name.as_str()).map(|cell| cell.fact(self.0))
    }

    fn checks_labelled(&self, labels: &Labels) -> Vec<CheckFact> {
        let has = |cell: &Arc<CheckCell>| cell.shared_config().labels.contain(labels);
        let mut facts: Vec<_> =
            self.0.checks.all().iter().filter(|cell| has(cell)).map(|cell| cell.fact(self.0)).collect();
        facts.sort_by(|a, b| a.name.cmp(&b.name));
        facts
    }

    fn breaker(&self, name: &Name) -> Option<StateName> {
        Some(self.0.breakers.get(name.as_str())?.state(self.0))
    }

    fn alerts(&self) -> Vec<AlertFact> {
        let fact = |alert: Arc<Alert>| AlertFact {
            metric_name: alert.metric_name.clone(),
            level: alert.level,
            message: alert.message.clone(),
        };
        self.0.alerts.firing().into_iter().map(fact).collect()
    }
}

impl Board {
    /// Asks a gate.
    #[must_use]
    pub fn gate_evaluate(&self, cell: &GateCell) -> GateVerdict {
        let config = Arc::clone(&cell.inner.lock().config);
        let verdict = config.evaluate(&Now(self));
        if cell.inner.lock().record.note(verdict.allowed, self.clock.now()) {
            self.gate_refused(&cell.name, &verdict, None);
        }
        self.verdict(verdict)
    }

    /// Asks a gate that has no name.
    pub fn gate_evaluate_ad_hoc(&self, spec: GateSpec) -> Result<GateVerdict, InvalidConfig> {
        let config = GateConfig::try_from(spec)?;
        let verdict = config.evaluate(&Now(self));
        let spec = GateSpec::from(&config);
        let key = Sha256::digest(serde_json::to_vec(&spec).unwrap_or_default()).into();
        if self.ad_hoc.note(key, verdict.allowed, self.clock.now())
            && let Ok(name) = Name::try_from("ad-hoc")
        {
            self.gate_refused(&name, &verdict, Some(spec));
        }
        Ok(self.verdict(verdict))
    }

    fn gate_refused(&self, name: &Name, verdict: &Evaluation, gate: Option<GateSpec>) {
        let event = NewEvent { at: self.clock.wall(), kind: "gate.refused", resource: GateCell::KIND, name };
        let refusal = Refusal {
            overall_status: verdict.overall_status,
            blocking: &verdict.blocking[..verdict.blocking.len().min(TOLD_BLOCKING)],
            blocking_count: verdict.blocking.len(),
            gate,
        };
        self.journal.record(&event, &refusal, None);
    }

    fn verdict(&self, verdict: Evaluation) -> GateVerdict {
        let Evaluation { allowed, overall_status, blocking } = verdict;
        GateVerdict { allowed, overall_status, blocking, evaluated_at: self.clock.wall() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_when_it_is_new_and_once_a_minute() {
        let mut record = Record::default();
        let at = |seconds| Time::from_nanos(0).after(Duration::from_secs(seconds));
        let told: Vec<bool> = [
            (false, 0),
            (false, 1),
            (false, 59),
            (false, 60),
            (false, 61),
            (true, 62),
            (false, 63),
            (true, 64),
            (true, 200),
        ]
        .into_iter()
        .map(|(allowed, seconds)| record.note(allowed, at(seconds)))
        .collect();
        assert_eq!(told, [true, false, false, true, false, false, true, false, false]);
        assert_eq!((record.allowed, record.refused), (3, 6));
    }
}
