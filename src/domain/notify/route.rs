//! Routes: which receiver is told of which alerts.

use serde::{Deserialize, Serialize};

use super::{Matchers, invalid};
use crate::domain::{
    InvalidConfig, Name, Seconds, label_set::is_label_name, object::objects, schema::MatcherText,
};

const DEEPEST: usize = 8;
const MOST_ROUTES: usize = 256;
const MOST_LABELS: usize = 32;
/// Stands for all labels in `group_by`.
pub(super) const ALL_LABELS: &str = "...";

/// A route: Alertmanager's. An alert that it matches goes to the first of its `routes` that matches, and on to the next
/// ones as long as those that matched say `continue`; if none does, to its own receiver. What a route does not say, it
/// takes from the one around it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// Which alerts, as matchers on their labels: `severity="critical"`, `job=~"node.*"`. The label `severity` is the
    /// alert's level, `alertname` its metric. Default all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<MatcherText>, max_items = 64)]
    pub matchers: Vec<String>,
    /// Whom to tell. Without one here or around it, nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Name>)]
    pub receiver: Option<String>,
    /// Labels by which alerts are told together; `["..."]` for all. Default none: one group for the whole route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 32)]
    pub group_by: Option<Vec<String>>,
    /// How long a new group waits for others to join. Default 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 315_360_000)]
    pub group_wait_seconds: Option<f64>,
    /// How long a group waits until it tells what has changed. Default 300, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub group_interval_seconds: Option<f64>,
    /// How long until a group that goes on is told again. Default 14400, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000)]
    pub repeat_interval_seconds: Option<f64>,
    /// Whether the routes after this one are tried, too. Default false.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub goes_on: Option<bool>,
    /// Routes are tried in ascending order of it, and of their names. Only of the outermost ones. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,
    /// Routes for some of what this one matches.
    #[serde(default, deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub routes: Vec<Self>,
}

/// A route, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteConfig {
    /// In what order it is tried.
    pub position: i32,
    pub(super) matchers: Matchers,
    pub(super) receiver: Option<Name>,
    pub(super) group_by: Option<Vec<String>>,
    pub(super) wait: Option<Seconds>,
    pub(super) interval: Option<Seconds>,
    pub(super) repeat: Option<Seconds>,
    pub(super) goes_on: bool,
    pub(super) routes: Vec<Self>,
}

impl TryFrom<RouteSpec> for RouteConfig {
    type Error = InvalidConfig;

    fn try_from(spec: RouteSpec) -> Result<Self, InvalidConfig> {
        let mut left = MOST_ROUTES;
        checked(spec, 0, &mut left)
    }
}

fn checked(spec: RouteSpec, depth: usize, left: &mut usize) -> Result<RouteConfig, InvalidConfig> {
    if depth >= DEEPEST {
        return invalid("routes", format!("must be at most {DEEPEST} deep"));
    }
    *left = match left.checked_sub(1) {
        Some(left) => left,
        None => return invalid("routes", format!("must be at most {MOST_ROUTES} altogether")),
    };
    if depth > 0 && spec.position.is_some() {
        return invalid("position", "is only for the outermost route; inner ones are tried in their order");
    }
    let receiver = spec.receiver.map(Name::try_from).transpose();
    Ok(RouteConfig {
        position: spec.position.unwrap_or_default(),
        matchers: Matchers::parse(&spec.matchers).or_else(|error| invalid("matchers", error))?,
        receiver: receiver.or_else(|error| invalid("receiver", error.to_string()))?,
        group_by: spec.group_by.map(labels).transpose()?,
        wait: spec.group_wait_seconds.map(|given| span("group_wait_seconds", given, 0.0)).transpose()?,
        interval: spec
            .group_interval_seconds
            .map(|given| span("group_interval_seconds", given, 1.0))
            .transpose()?,
        repeat: spec
            .repeat_interval_seconds
            .map(|given| span("repeat_interval_seconds", given, 1.0))
            .transpose()?,
        goes_on: spec.goes_on.unwrap_or_default(),
        routes: spec
            .routes
            .into_iter()
            .map(|inner| checked(inner, depth + 1, left))
            .collect::<Result<_, _>>()?,
    })
}

fn labels(given: Vec<String>) -> Result<Vec<String>, InvalidConfig> {
    if given.len() > MOST_LABELS {
        return invalid("group_by", format!("must be at most {MOST_LABELS} labels"));
    }
    if given.len() > 1 && given.iter().any(|label| label == ALL_LABELS) {
        return invalid("group_by", "has `...` for all labels, so it must have nothing else");
    }
    for (at, label) in given.iter().enumerate() {
        if label != ALL_LABELS && !is_label_name(label) {
            return invalid("group_by", format!("{label:?} is no label name"));
        }
        if given[..at].contains(label) {
            return invalid("group_by", format!("{label:?} is given twice"));
        }
    }
    Ok(given)
}

fn span(field: &'static str, given: f64, least: f64) -> Result<Seconds, InvalidConfig> {
    match Seconds::try_from(given) {
        Ok(span) if given >= least => Ok(span),
        _ => invalid(field, format!("must be a number from {least} to {}", Seconds::MAX)),
    }
}

impl From<&RouteConfig> for RouteSpec {
    fn from(config: &RouteConfig) -> Self {
        let mut spec = written(config);
        spec.position = Some(config.position);
        spec
    }
}

/// What is inherited stays unsaid.
fn written(config: &RouteConfig) -> RouteSpec {
    RouteSpec {
        matchers: config.matchers.texts(),
        receiver: config.receiver.as_ref().map(|name| name.as_str().to_owned()),
        group_by: config.group_by.clone(),
        group_wait_seconds: config.wait.map(f64::from),
        group_interval_seconds: config.interval.map(f64::from),
        repeat_interval_seconds: config.repeat.map(f64::from),
        goes_on: Some(config.goes_on),
        position: None,
        routes: config.routes.iter().map(written).collect(),
    }
}

impl RouteConfig {
    /// The receivers that it names.
    #[must_use]
    pub fn receivers(&self) -> Vec<&Name> {
        self.receiver.iter().chain(self.routes.iter().flat_map(Self::receivers)).collect()
    }
}
