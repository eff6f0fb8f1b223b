//! All routes together: for each alert, who is told of it, and with which others.

use std::time::Duration;

use super::{
    Matchers,
    route::{ALL_LABELS, RouteConfig},
};
use crate::domain::{LabelSet, Name, Seconds};

/// How alerts are put together and when they are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Which belong together.
    pub by: GroupBy,
    /// How long a new group waits for others.
    pub wait: Duration,
    /// How long until changes are told.
    pub interval: Duration,
    /// How long until the same is told again.
    pub repeat: Duration,
}

/// Which alerts belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// Those with equal labels.
    All,
    /// Those with equal values of these.
    Labels(Vec<String>),
}

impl Default for Grouping {
    /// Alertmanager's defaults (`dispatch.DefaultRouteOpts`).
    fn default() -> Self {
        Self {
            by: GroupBy::Labels(Vec::new()),
            wait: Duration::from_secs(30),
            interval: Duration::from_secs(5 * 60),
            repeat: Duration::from_secs(4 * 3600),
        }
    }
}

impl GroupBy {
    fn of(labels: &[String]) -> Self {
        if labels.iter().any(|label| label == ALL_LABELS) { Self::All } else { Self::Labels(labels.to_vec()) }
    }

    /// The labels that all alerts of a group share.
    #[must_use]
    pub fn labels(&self, alert: &LabelSet) -> LabelSet {
        match self {
            Self::All => alert.clone(),
            Self::Labels(names) => {
                let pairs = names.iter().filter_map(|name| Some((name.as_str(), alert.get(name)?))).collect();
                LabelSet::from_pairs(pairs).unwrap_or_default()
            }
        }
    }
}

/// Where an alert goes.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Who is told.
    pub receiver: &'a Name,
    /// The route, as Alertmanager writes it: `{}/{severity="critical"}`.
    pub route: &'a str,
    /// How.
    pub grouping: &'a Grouping,
}

/// All routes. An alert that none of them matches goes to every receiver, as all do while there are no routes.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    roots: Vec<Node>,
    everybody: Vec<Name>,
    fallback: Grouping,
}

#[derive(Clone, Debug)]
struct Node {
    key: String,
    matchers: Matchers,
    receiver: Option<Name>,
    grouping: Grouping,
    goes_on: bool,
    routes: Vec<Node>,
}

/// The key of the route around all.
const ROOT: &str = "{}";

impl Routing {
    /// Of routes in the order in which they are tried, and all receivers.
    #[must_use]
    pub fn new(routes: &[RouteConfig], everybody: Vec<Name>) -> Self {
        let outer = Grouping::default();
        let roots = routes.iter().map(|route| Node::new(route, ROOT, None, &outer)).collect();
        // As in Alertmanager's example configuration: unrelated alerts do not wait for each other.
        let fallback = Grouping { by: GroupBy::Labels(vec!["alertname".to_owned()]), ..outer };
        Self { roots, everybody, fallback }
    }

    /// Where an alert with these labels goes.
    #[must_use]
    pub fn targets(&self, labels: &LabelSet) -> Vec<Target<'_>> {
        let mut targets = Vec::new();
        if !matched(&self.roots, labels, &mut targets) {
            let all = self.everybody.iter();
            targets.extend(all.map(|receiver| Target { receiver, route: ROOT, grouping: &self.fallback }));
        }
        targets
    }
}

impl Node {
    fn new(route: &RouteConfig, outer_key: &str, receiver: Option<&Name>, outer: &Grouping) -> Self {
        let key = format!("{outer_key}/{}", route.matchers);
        let grouping = Grouping {
            by: route.group_by.as_deref().map_or_else(|| outer.by.clone(), GroupBy::of),
            wait: route.wait.map_or(outer.wait, Seconds::get),
            interval: route.interval.map_or(outer.interval, Seconds::get),
            repeat: route.repeat.map_or(outer.repeat, Seconds::get),
        };
        let receiver = route.receiver.as_ref().or(receiver);
        let routes = route.routes.iter().map(|inner| Self::new(inner, &key, receiver, &grouping)).collect();
        Self {
            matchers: route.matchers.clone(),
            receiver: receiver.cloned(),
            goes_on: route.goes_on,
            key,
            grouping,
            routes,
        }
    }
}

/// Whether any of the routes matched; where to go is added.
fn matched<'a>(routes: &'a [Node], labels: &LabelSet, targets: &mut Vec<Target<'a>>) -> bool {
    let mut is_matched = false;
    for route in routes {
        if !route.matchers.matches(labels) {
            continue;
        }
        is_matched = true;
        if !matched(&route.routes, labels, targets)
            && let Some(receiver) = &route.receiver
        {
            targets.push(Target { receiver, route: &route.key, grouping: &route.grouping });
        }
        if !route.goes_on {
            break;
        }
    }
    is_matched
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::notify::RouteSpec;

    fn routing(routes: serde_json::Value, everybody: &[&str]) -> Routing {
        let specs: Vec<RouteSpec> = serde_json::from_value(routes).unwrap();
        let routes: Vec<_> = specs.into_iter().map(|spec| RouteConfig::try_from(spec).unwrap()).collect();
        Routing::new(&routes, everybody.iter().map(|name| Name::try_from(*name).unwrap()).collect())
    }

    fn told(routing: &Routing, labels: &[(&str, &str)]) -> Vec<String> {
        let labels = LabelSet::from_pairs(labels.to_vec()).unwrap();
        routing.targets(&labels).iter().map(|t| format!("{} {}", t.receiver, t.route)).collect()
    }

    #[test]
    fn without_routes_everybody_is_told() {
        let routing = routing(json!([]), &["a", "b"]);
        assert_eq!(told(&routing, &[("alertname", "x")]), ["a {}", "b {}"]);
    }

    #[test]
    fn the_innermost_route_that_matches_counts_and_continue_goes_on() {
        let routing = routing(
            json!([
                { "matchers": ["severity=critical"], "receiver": "pager", "continue": true,
                  "group_wait_seconds": 1, "routes": [{ "matchers": ["job=db"], "receiver": "dba" }] },
                { "matchers": ["severity=~\"critical|warning\""], "receiver": "chat" },
                { "matchers": ["severity=info"] },
            ]),
            &["pager", "dba", "chat"],
        );
        let (critical, warning) = ("{}/{severity=\"critical\"}", "{}/{severity=~\"critical|warning\"}");
        assert_eq!(
            told(&routing, &[("severity", "critical")]),
            [format!("pager {critical}"), format!("chat {warning}")]
        );
        assert_eq!(
            told(&routing, &[("severity", "critical"), ("job", "db")]),
            [format!("dba {critical}/{{job=\"db\"}}"), format!("chat {warning}")]
        );
        assert_eq!(
            told(&routing, &[("severity", "info")]),
            [""; 0],
            "a route without a receiver tells nobody"
        );
        assert_eq!(told(&routing, &[("severity", "error")]).len(), 3, "what no route matches is not lost");
        let labels = LabelSet::from_pairs(vec![("severity", "critical"), ("job", "db")]).unwrap();
        assert_eq!(routing.targets(&labels)[0].grouping.wait, Duration::from_secs(1), "inherited");
    }

    #[test]
    fn groups_are_by_labels_by_all_or_one_for_all() {
        let labels = LabelSet::from_pairs(vec![("a", "1"), ("b", "2")]).unwrap();
        assert_eq!(GroupBy::of(&["a".to_owned(), "c".to_owned()]).labels(&labels).as_str(), "a=\"1\"");
        assert_eq!(GroupBy::of(&["...".to_owned()]).labels(&labels), labels);
        assert!(GroupBy::of(&[]).labels(&labels).is_empty());
    }

    #[test]
    fn nonsense_is_refused_by_its_field() {
        let deep = (0..9).fold(json!({}), |inner, _| json!({ "routes": [inner] }));
        let wide = json!({ "routes": vec![json!({}); 256] });
        for (route, field) in [
            (json!({ "matchers": ["severity"] }), "matchers"),
            (json!({ "receiver": "a b" }), "receiver"),
            (json!({ "group_by": ["a-b"] }), "group_by"),
            (json!({ "group_by": ["...", "a"] }), "group_by"),
            (json!({ "group_by": ["a", "a"] }), "group_by"),
            (json!({ "group_wait_seconds": -1 }), "group_wait_seconds"),
            (json!({ "group_interval_seconds": 0 }), "group_interval_seconds"),
            (json!({ "repeat_interval_seconds": 0.5 }), "repeat_interval_seconds"),
            (json!({ "routes": [{ "position": 1 }] }), "position"),
            (deep, "routes"),
            (wide, "routes"),
        ] {
            let spec: RouteSpec = serde_json::from_value(route.clone()).unwrap();
            assert_eq!(RouteConfig::try_from(spec).unwrap_err().field, field, "{route}");
        }
        let spec: RouteSpec =
            serde_json::from_value(json!({ "receiver": "a", "routes": [{ "continue": true }] })).unwrap();
        let config = RouteConfig::try_from(spec).unwrap();
        assert_eq!(RouteConfig::try_from(RouteSpec::from(&config)).unwrap(), config);
    }
}
