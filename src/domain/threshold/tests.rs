use serde_json::{Value, json};

use super::{
    ThresholdConfig, ThresholdSpec,
    own::{OwnMetric, is_reserved_id},
};
use crate::domain::{InvalidConfig, LabelSet};

fn parse(document: Value) -> Result<ThresholdConfig, InvalidConfig> {
    serde_json::from_value::<ThresholdSpec>(document).unwrap().try_into()
}

fn with(more: &Value) -> Value {
    let mut document = json!({ "metric_name": "m", "threshold": 1 });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

#[test]
fn the_seeds_example_reads_as_the_seed_has_it() {
    let config = parse(json!({ "metric_name": "portfolio_drawdown", "comparison": ">", "threshold": 0.15,
        "level": "warning", "message_template": "Portfolio drawdown too high: {value:.2%}", "for_seconds": 0 }));
    let config = config.unwrap();
    assert_eq!(config.message(0.17, None), "Portfolio drawdown too high: 17.00%");
    assert!(config.breaches(0.17) && !config.breaches(0.15));
    let config = parse(json!({ "metric_name": "errors", "threshold": 5 })).unwrap();
    assert_eq!(config.message(7.0, None), "errors > 5.0: 7.0");
}

#[test]
fn a_definition_with_every_field_filled_is_the_same() {
    for more in [
        json!({}),
        json!({ "labels": { "a": "1" }, "no_data": "alert", "threshold": -0.0, "enabled": false }),
    ] {
        let config = parse(with(&more)).unwrap();
        let spec = ThresholdSpec::from(&config);
        assert_eq!(ThresholdConfig::try_from(spec).unwrap(), config);
    }
    assert_eq!(parse(with(&json!({ "threshold": -0.0 }))), parse(with(&json!({ "threshold": 0 }))));
}

#[test]
fn what_cannot_be_is_refused_by_field() {
    for (more, field) in [
        (json!({ "metric_name": null }), "metric_name"),
        (json!({ "metric_name": "" }), "metric_name"),
        (json!({ "metric_name": "a b" }), "metric_name"),
        (json!({ "metric_name": "fuseboard_calls_total" }), "metric_name"),
        (json!({ "threshold": null }), "threshold"),
        (json!({ "for_seconds": -1 }), "for_seconds"),
        (json!({ "keep_firing_for_seconds": 1e12 }), "keep_firing_for_seconds"),
        (json!({ "no_data_after_seconds": 0 }), "no_data_after_seconds"),
        (json!({ "labels": { "a-b": "1" } }), "labels"),
        (json!({ "labels": { "a": "x".repeat(257) } }), "labels"),
        (json!({ "description": "x".repeat(1025) }), "description"),
        (json!({ "message_template": "{value:d}" }), "message_template"),
        (json!({ "metric_name": "fuseboard_check_red", "no_data": "ok" }), "no_data"),
    ] {
        assert_eq!(parse(with(&more)).unwrap_err().field, field, "{more}");
    }
    let error = parse(with(&json!({ "message_template": "ab {nothing}" }))).unwrap_err();
    assert!(error.message.starts_with("at character 5: "), "{error}");
}

#[test]
fn labels_say_which_series() {
    let labels = |pairs: &[(&str, &str)]| LabelSet::from_pairs(pairs.to_vec()).unwrap();
    let config = parse(with(&json!({ "labels": { "a": "1", "b": "" } }))).unwrap();
    for (series, wanted) in [
        (labels(&[("a", "1")]), true),
        (labels(&[("a", "1"), ("c", "2")]), true),
        (labels(&[]), false),
        (labels(&[("a", "2")]), false),
        (labels(&[("a", "1"), ("b", "2")]), false),
    ] {
        assert_eq!(config.matches(&series), wanted, "{series:?}");
    }
    assert_eq!(config.absent_labels(), labels(&[("a", "1")]));
}

#[test]
fn the_boards_own_say_what_happened_unless_they_have_a_template() {
    for own in OwnMetric::ALL {
        let config = own.config(true).unwrap();
        assert_eq!(config.message(1.0, Some("it broke")), "it broke");
        assert_eq!(OwnMetric::of_threshold(own.threshold_id()), Some(own));
        assert!(config.breaches(1.0) && !config.breaches(0.0) && is_reserved_id(own.threshold_id()));
        assert!(own.threshold_id().ends_with(own.as_str()) && own.metric().ends_with(own.as_str()));
    }
    let config = parse(
        json!({ "metric_name": "fuseboard_check_red", "threshold": 0, "message_template": "{level}!" }),
    );
    assert_eq!(config.unwrap().message(1.0, Some("it broke")), "warning!");
}
