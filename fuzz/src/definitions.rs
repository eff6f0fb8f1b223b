//! What is declared: breakers, limiters, checks, gates and the others.

use std::fmt::Debug;

use fuseboard::domain::{
    breaker::{BreakerConfig, BreakerSpec},
    check::{CheckConfig, CheckSpec},
    gate::{GateConfig, GateSpec},
    limiter::{LimiterConfig, LimiterSpec},
    notify::{
        MaintenanceWindowConfig, MaintenanceWindowSpec, ReceiverConfig, ReceiverSpec, RouteConfig, RouteSpec,
    },
    retention::{RetentionPolicy, RetentionSpec},
    retry::{RetryPolicyConfig, RetryPolicySpec},
    schedule::{ScheduleConfig, ScheduleSpec},
    threshold::{ThresholdConfig, ThresholdSpec},
};
use serde::{Serialize, de::DeserializeOwned};

/// What is answered can be sent, and is the same definition.
pub fn check(data: &[u8]) {
    let [kind, text @ ..] = data else { return };
    match kind {
        b'b' => sent_again::<BreakerSpec, BreakerConfig>(text),
        b'c' => sent_again::<CheckSpec, CheckConfig>(text),
        b'g' => sent_again::<GateSpec, GateConfig>(text),
        b'l' => sent_again::<LimiterSpec, LimiterConfig>(text),
        b'm' => sent_again::<MaintenanceWindowSpec, MaintenanceWindowConfig>(text),
        b'n' => sent_again::<ReceiverSpec, ReceiverConfig>(text),
        b'o' => sent_again::<RouteSpec, RouteConfig>(text),
        b'p' => sent_again::<RetryPolicySpec, RetryPolicyConfig>(text),
        b'r' => sent_again::<RetentionSpec, RetentionPolicy>(text),
        b's' => sent_again::<ScheduleSpec, ScheduleConfig>(text),
        b't' => sent_again::<ThresholdSpec, ThresholdConfig>(text),
        _ => {}
    }
}

fn sent_again<Spec, Config>(text: &[u8])
where
    Spec: DeserializeOwned + Serialize + for<'a> From<&'a Config>,
    Config: TryFrom<Spec, Error: Debug> + PartialEq + Debug,
{
    let Ok(spec) = serde_json::from_slice::<Spec>(text) else { return };
    let Ok(config) = Config::try_from(spec) else { return };
    let answered = serde_json::to_string(&Spec::from(&config)).expect("a definition can be written");
    let again = serde_json::from_str::<Spec>(&answered).unwrap_or_else(|error| panic!("{error}: {answered}"));
    let again = Config::try_from(again).unwrap_or_else(|error| panic!("{error:?}: {answered}"));
    assert_eq!(again, config, "{answered}");
}
