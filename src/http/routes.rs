//! Which route a path belongs to, for metrics, access rules and logs.

/// The templates of all routes; a route's index is its number in the metrics.
pub const ROUTES: [&str; 106] = [
    "/v1/calls",
    "/v1/metrics",
    "/metrics/job/{grouping_key}",
    "/v1/calls/{call_id}/outcome",
    "/v1/outcomes",
    "/v1/outcomes/aggregated",
    "/v1/acquires",
    "/v1/leases",
    "/v1/limiters/{name}/acquire",
    "/v1/limiters/{name}/lease",
    "/v1/limiters/{name}/release",
    "/v1/limiters/{name}/penalize",
    "/v1/alerts/check",
    "/v1/limiters/{name}",
    "/v1/limiters",
    "/v1/breakers/{name}/state",
    "/v1/breakers/{name}/reset",
    "/v1/breakers/{name}/transitions",
    "/v1/breakers/{name}",
    "/v1/breakers",
    "/v1/retry-policies/{name}/attempts",
    "/v1/retry-policies/{name}",
    "/v1/retry-policies",
    "/v1/checks/{name}/results",
    "/v1/checks/{name}",
    "/v1/checks",
    "/v1/health/run",
    "/v1/health",
    "/v1/gates/evaluate",
    "/v1/gates/{name}/evaluate",
    "/v1/gates/{name}",
    "/v1/gates",
    "/ping/{check}/{signal}",
    "/ping/{check}",
    "/health",
    "/v1/schedules/{name}/run",
    "/v1/schedules/{name}/runs/{id}",
    "/v1/schedules/{name}/runs",
    "/v1/schedules/{name}",
    "/v1/schedules",
    "/v1/backups/latest",
    "/v1/backups/prune",
    "/v1/backups/{id}/data/{key}",
    "/v1/backups/{id}/data",
    "/v1/backups/{id}/verify",
    "/v1/backups/{id}/restore",
    "/v1/backups/{id}/restores",
    "/v1/backups/{id}/pin",
    "/v1/backups/{id}/diff",
    "/v1/backups/{id}",
    "/v1/backups",
    "/v1/retention/{backup_type}",
    "/v1/retention",
    "/v1/thresholds/{id}",
    "/v1/thresholds",
    "/v1/alerts/{id}/events",
    "/v1/alerts/{id}/acknowledge",
    "/v1/alerts/{id}",
    "/v1/alerts",
    "/v1/receivers/{name}/test",
    "/v1/receivers/{name}",
    "/v1/receivers",
    "/v1/routes/{name}",
    "/v1/routes",
    "/v1/silences/{id}",
    "/v1/silences",
    "/v1/maintenance-windows/{name}",
    "/v1/maintenance-windows",
    "/v1/notifications/{id}/retry",
    "/v1/notifications/{id}",
    "/v1/notifications",
    "/api/v2/alerts/groups",
    "/api/v2/alerts",
    "/api/v2/silences",
    "/api/v2/silence/{id}",
    "/api/v2/status",
    "/api/v2/receivers",
    "/v1/board",
    "/v1/metrics/{name}",
    "/v1/events",
    "/v1/replica",
    "/v1/tokens/self",
    "/v1/tokens/{id}",
    "/v1/tokens",
    "/-/healthy",
    "/-/ready",
    "/livez",
    "/readyz",
    "/healthz",
    "/livez/{check}",
    "/readyz/{check}",
    "/healthz/{check}",
    "/metrics",
    "/ttl/{seconds}/metrics/job/{grouping_key}",
    "/agg/metrics/job/{grouping_key}",
    "/ttl/{seconds}/agg/metrics/job/{grouping_key}",
    "/api/v1/metrics",
    "/api/v1/status",
    "/api/v1/admin/wipe",
    "/openapi.json",
    "/openapi.yaml",
    "/docs",
    "/assets",
    "/status",
    "/",
    "other",
];

const OTHER: usize = ROUTES.len() - 1;
/// The number of `/v1/calls`.
pub const CALLS: usize = 0;
/// The number of `/v1/metrics`.
pub const PUSHES: usize = 1;
/// The number of `/metrics/job/{grouping_key}`.
pub const GROUPS: usize = 2;

/// The number of the route that serves `path`.
#[must_use]
pub fn route_of(path: &str) -> usize {
    // The hottest first; the rest is found by comparing segments.
    if path == ROUTES[CALLS] {
        return CALLS;
    }
    if path == ROUTES[PUSHES] {
        return PUSHES;
    }
    if let Some(route) = group_route(path) {
        return route;
    }
    for folder in ["/docs", "/assets"] {
        if path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return ROUTES.iter().position(|route| *route == folder).unwrap_or(OTHER);
        }
    }
    ROUTES[..OTHER].iter().position(|template| matches(template, path)).unwrap_or(OTHER)
}

/// Paths of groups are of any length.
fn group_route(path: &str) -> Option<usize> {
    let is_group = |rest: &str| rest.starts_with("metrics/job/") || rest.starts_with("metrics/job@base64/");
    let rest = path.strip_prefix('/')?;
    if is_group(rest) {
        return Some(GROUPS);
    }
    let timed = rest.strip_prefix("ttl/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let summed = timed.unwrap_or(rest).strip_prefix("agg/");
    if !is_group(summed.or(timed)?) {
        return None;
    }
    let template = match (timed.is_some(), summed.is_some()) {
        (true, true) => "/ttl/{seconds}/agg/metrics/job/{grouping_key}",
        (true, false) => "/ttl/{seconds}/metrics/job/{grouping_key}",
        _ => "/agg/metrics/job/{grouping_key}",
    };
    ROUTES.iter().position(|route| *route == template)
}

fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(t), Some(p)) if t == p || (t.starts_with('{') && !p.is_empty()) => {}
            _ => return false,
        }
    }
}

/// The template of a route number.
#[must_use]
pub fn template(route: usize) -> &'static str {
    ROUTES.get(route).copied().unwrap_or("other")
}

/// Whether the success of a request to it is not worth a log line: guarded calls, probes, scrapes.
#[must_use]
pub fn is_routine(route: usize) -> bool {
    is_hot(route)
        || matches!(
            template(route),
            "/-/healthy"
                | "/-/ready"
                | "/livez"
                | "/readyz"
                | "/healthz"
                | "/health"
                | "/metrics"
                | "/assets"
        )
}

/// Whether its bodies, or what has to be read before an answer, may be so long that the time of a request does not bound it.
/// A body that stops is answered all the same.
#[must_use]
pub fn is_long(route: usize) -> bool {
    matches!(
        template(route),
        "/v1/backups"
            | "/v1/backups/{id}/data"
            | "/v1/backups/{id}/data/{key}"
            | "/v1/backups/{id}/restore"
            | "/v1/backups/{id}/verify"
    )
}

/// Whether requests to it are most of all requests.
#[must_use]
pub fn is_hot(route: usize) -> bool {
    route < 13
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_described_path_has_a_template() {
        let described = crate::http::openapi::yaml().unwrap();
        let paths: Vec<_> =
            described.lines().filter_map(|line| line.strip_prefix("  /")?.strip_suffix(':')).collect();
        assert!(paths.len() > 80, "{paths:?}");
        for path in paths {
            assert!(ROUTES.contains(&format!("/{path}").as_str()), "/{path} is counted as other");
        }
    }

    #[test]
    fn paths_find_their_templates() {
        for (path, template) in [
            ("/v1/calls", "/v1/calls"),
            ("/v1/calls/abc/outcome", "/v1/calls/{call_id}/outcome"),
            ("/v1/breakers/x", "/v1/breakers/{name}"),
            ("/v1/breakers/", "other"),
            ("/v1/breakers/x/state", "/v1/breakers/{name}/state"),
            ("/v1/breakers/x/nothing", "other"),
            ("/docs/swagger-ui.css", "/docs"),
            ("/assets/1/app/main.js", "/assets"),
            ("/assetsx", "other"),
            ("/v1/tokens/self", "/v1/tokens/self"),
            ("/v1/tokens/selfish", "/v1/tokens/{id}"),
            ("/v1/gates/evaluate", "/v1/gates/evaluate"),
            ("/v1/gates/live", "/v1/gates/{name}"),
            ("/ping/job/start", "/ping/{check}/{signal}"),
            ("/readyz", "/readyz"),
            ("/readyz/writer", "/readyz/{check}"),
            ("/metrics/job/a/b/c", "/metrics/job/{grouping_key}"),
            ("/metrics/job@base64/YQ", "/metrics/job/{grouping_key}"),
            ("/metrics/job", "other"),
            ("/metrics/jobs/a", "other"),
            ("/ttl/60/metrics/job/a/b/c", "/ttl/{seconds}/metrics/job/{grouping_key}"),
            ("/ttl/60/agg/metrics/job/a", "/ttl/{seconds}/agg/metrics/job/{grouping_key}"),
            ("/agg/metrics/job@base64/YQ/x/y", "/agg/metrics/job/{grouping_key}"),
            ("/agg/x", "other"),
            ("", "other"),
            ("/", "/"),
        ] {
            assert_eq!(ROUTES[route_of(path)], template, "{path}");
        }
    }
}
