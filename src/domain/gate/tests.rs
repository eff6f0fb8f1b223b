//! Examples and laws of gates.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What a board knows.
#[derive(Clone, Debug, Default)]
struct Board {
    checks: BTreeMap<Name, (Standing, bool, bool)>,
    breakers: BTreeMap<Name, StateName>,
    alerts: Vec<AlertFact>,
}

fn fact(name: &Name, (standing, critical, _): (Standing, bool, bool)) -> CheckFact {
    CheckFact { name: name.clone(), standing, critical, message: "seen".to_owned() }
}

impl Facts for Board {
    fn check(&self, name: &Name) -> Option<CheckFact> {
        self.checks.get(name).map(|check| fact(name, *check))
    }

    fn checks_labelled(&self, _: &Labels) -> Vec<CheckFact> {
        self.checks
            .iter()
            .filter(|(_, (.., labelled))| *labelled)
            .map(|(name, check)| fact(name, *check))
            .collect()
    }

    fn breaker(&self, name: &Name) -> Option<StateName> {
        self.breakers.get(name).copied()
    }

    fn alerts(&self) -> Vec<AlertFact> {
        self.alerts.clone()
    }
}

const NAMES: [&str; 5] = ["backtest", "risk", "live", "exchange", "portfolio"];

fn name(raw: &str) -> Name {
    Name::try_from(raw).unwrap()
}

fn gate(json: Value) -> GateConfig {
    serde_json::from_value::<GateSpec>(json).unwrap().try_into().unwrap()
}

fn names() -> impl Strategy<Value = Vec<Name>> {
    prop::collection::vec(prop::sample::select(&NAMES[..]).prop_map(name), 0..4)
}

fn standing() -> impl Strategy<Value = Standing> {
    (prop::sample::select(&Status::ALL[..]), prop::bool::weighted(0.2))
        .prop_map(|(status, stale)| Standing { status, stale })
}

fn level() -> impl Strategy<Value = AlertLevel> {
    use AlertLevel::{Critical, Error, Info, Warning};
    prop::sample::select(vec![Info, Warning, Error, Critical])
}

fn board() -> impl Strategy<Value = Board> {
    let check = (standing(), any::<bool>(), any::<bool>());
    let alert = (prop::sample::select(&["a", "b"][..]), level()).prop_map(|(metric, level)| AlertFact {
        metric_name: metric.to_owned(),
        level,
        message: String::new(),
    });
    let of = || prop::sample::select(&NAMES[..]).prop_map(name);
    (
        prop::collection::btree_map(of(), check, 0..6),
        prop::collection::btree_map(of(), prop::sample::select(&StateName::ALL[..]), 0..6),
        prop::collection::vec(alert, 0..4),
    )
        .prop_map(|(checks, breakers, alerts)| Board { checks, breakers, alerts })
}

fn spec() -> impl Strategy<Value = GateSpec> {
    let alerts = (prop::option::of(level()), prop::option::of(Just("a".to_owned()))).prop_map(
        |(min_level, metric)| GateAlertsSpec { min_level, metric_names: metric.into_iter().collect() },
    );
    let most = prop::option::of(prop::sample::select(vec![MaxStatus::Green, MaxStatus::Yellow]));
    (names(), any::<bool>(), names(), prop::option::of(alerts), most).prop_map(
        |(checks, labelled, breakers, alerts, max_status)| GateSpec {
            description: None,
            checks,
            check_labels: labelled.then(|| ("team".to_owned(), "x".to_owned())).into_iter().collect(),
            breakers,
            alerts,
            max_status,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1024 } else { 20_000 }))]

    #[test]
    fn a_gate_fails_closed(spec in spec(), board in board()) {
        let Ok(gate) = GateConfig::try_from(spec.clone()) else {
            let empty = spec.checks.is_empty() && spec.check_labels.is_empty() && spec.breakers.is_empty();
            prop_assert!(empty && spec.alerts.is_none());
            return Ok(());
        };
        let answer = gate.evaluate(&board);
        prop_assert_eq!(answer.allowed, answer.blocking.is_empty());
        prop_assert!(answer.overall_status != Status::Red || !answer.allowed);
        let is_bad = |(standing, critical, _): &(Standing, bool, bool)| {
            standing.stale || (*critical && standing.status == Status::Red)
        };
        for name in &spec.checks {
            let blocks = answer.blocking.iter().any(|b| b.kind == BlockingKind::Check && b.name == name.as_str());
            prop_assert!(blocks || !board.checks.get(name).is_none_or(is_bad), "{} blocks", name);
        }
        let bad_check = spec.checks.iter().any(|name| board.checks.get(name).is_none_or(is_bad));
        let mut labelled = board.checks.values().filter(|(.., labelled)| *labelled).peekable();
        let bad_label = !spec.check_labels.is_empty() && (labelled.peek().is_none() || labelled.any(is_bad));
        let bad_breaker = spec.breakers.iter().any(|name| {
            board.breakers.get(name).is_none_or(|s| matches!(s, StateName::Open | StateName::ForcedOpen))
        });
        let bad_alert = spec.alerts.as_ref().is_some_and(|wanted| {
            let is_meant = |metric: &String| {
                wanted.metric_names.is_empty() || wanted.metric_names.contains(metric)
            };
            let is_grave = |level| wanted.min_level.is_some_and(|least| level >= least);
            board.alerts.iter().any(|alert| is_grave(alert.level) && is_meant(&alert.metric_name))
        });
        prop_assert!(!answer.allowed || !(bad_check || bad_label || bad_breaker || bad_alert));
        if spec.max_status == Some(MaxStatus::Green) && answer.allowed {
            prop_assert_eq!(answer.overall_status, Status::Green);
        }
    }

    #[test]
    fn all_well_is_let_pass(spec in spec(), labelled in any::<bool>()) {
        let Ok(gate) = GateConfig::try_from(spec) else { return Ok(()) };
        let check = (Standing::fresh(Status::Green), true, labelled || !gate.check_labels.is_empty());
        let board = Board {
            checks: NAMES.map(|raw| (name(raw), check)).into(),
            breakers: NAMES.map(|raw| (name(raw), StateName::Closed)).into(),
            alerts: Vec::new(),
        };
        let answer = gate.evaluate(&board);
        prop_assert!(answer.allowed && answer.overall_status == Status::Green);
    }

    #[test]
    fn no_worsening_opens_a_gate(
        spec in spec(),
        mut board in board(),
        pick in prop::sample::select(&NAMES[..]),
        worse in prop::option::of(standing()),
    ) {
        let Ok(gate) = GateConfig::try_from(spec) else { return Ok(()) };
        let before = gate.evaluate(&board);
        if let Some(worse) = worse {
            if let Some((standing, critical, _)) = board.checks.get_mut(&name(pick)) {
                standing.status = standing.status.max(worse.status);
                standing.stale |= worse.stale;
                *critical = true;
            }
        } else {
            board.breakers.remove(&name(pick));
            board.alerts.push(AlertFact {
                metric_name: "a".to_owned(),
                level: AlertLevel::Critical,
                message: String::new(),
            });
        }
        let after = gate.evaluate(&board);
        prop_assert!(before.allowed || !after.allowed);
        prop_assert!(after.overall_status >= before.overall_status);
    }

    #[test]
    fn what_is_configured_is_answered(spec in spec()) {
        if let Ok(gate) = GateConfig::try_from(spec) {
            let json = serde_json::to_string(&gate).unwrap();
            prop_assert_eq!(serde_json::from_str::<GateConfig>(&json).unwrap(), gate);
        }
    }
}

#[test]
fn says_what_is_in_the_way() {
    let board = Board {
        checks: [
            (name("backtest"), (Standing::fresh(Status::Green), true, false)),
            (name("risk"), (Standing { status: Status::Green, stale: true }, false, false)),
            (name("live"), (Standing::fresh(Status::Red), false, false)),
        ]
        .into(),
        breakers: [(name("kraken_api"), StateName::Open)].into(),
        alerts: vec![AlertFact {
            metric_name: "portfolio_drawdown".to_owned(),
            level: AlertLevel::Warning,
            message: "too high".to_owned(),
        }],
    };
    let of = |json| serde_json::to_value(gate(json).evaluate(&board)).unwrap();
    assert_eq!(
        of(json!({"checks": ["backtest"]})),
        json!({"allowed": true, "overall_status": "green", "blocking": []})
    );
    assert_eq!(
        of(json!({"checks": ["live"]})),
        json!({"allowed": true, "overall_status": "yellow", "blocking": []}),
        "not critical"
    );
    let red = |kind: &str, name: &str, message: &str| json!({"kind": kind, "name": name, "status": "red", "message": message});
    assert_eq!(
        of(json!({"checks": ["risk", "nobody", "risk"], "breakers": ["kraken_api"], "alerts": {}})),
        json!({"allowed": false, "overall_status": "red", "blocking": [
            red("check", "risk", "stale: seen"),
            red("check", "nobody", "there is no such check"),
            red("breaker", "kraken_api", "open: calls are refused"),
        ]})
    );
    assert_eq!(
        of(json!({"checks": ["live"], "check_labels": {"team": "x"}, "alerts": {}, "max_status": "green"})),
        json!({"allowed": false, "overall_status": "red", "blocking": [
            red("check", "live", "seen"),
            red("check_labels", "team=x", "no check has these labels"),
            {"kind": "alert", "name": "portfolio_drawdown", "status": "yellow", "message": "too high"},
        ]})
    );
}

#[test]
fn refuses_what_it_cannot_mean() {
    let field = |json: Value| {
        let spec = serde_json::from_value::<GateSpec>(json).unwrap();
        GateConfig::try_from(spec).unwrap_err().field
    };
    assert_eq!(field(json!({})), "checks");
    assert_eq!(field(json!({"max_status": "green", "description": "x"})), "checks");
    assert_eq!(field(json!({"check_labels": {"": "x"}})), "check_labels");
    assert_eq!(field(json!({"alerts": {"metric_names": ["a b"]}})), "alerts.metric_names");
    for json in [json!({"max_status": "red"}), json!({"checks": ["a b"]}), json!({"chekcs": []})] {
        assert!(serde_json::from_value::<GateSpec>(json).is_err());
    }
}
