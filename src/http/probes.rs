//! `/livez`, `/readyz`, `/healthz` in the manner of the Kubernetes API server.
//!
//! `/livez` touches nothing but the runtime. `/readyz` looks at the writer's progress, in memory.

use std::{fmt::Write, sync::atomic::Ordering, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    AppState,
    extract::RawPath,
    problem::{Code, Problem},
    routing::{Routes, routes},
};
use crate::{app::FieldError, domain::Time};

/// A transaction that runs longer than this means that the disk is stuck.
const STUCK: Duration = Duration::from_secs(5);

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(healthz))
        .routes(routes!(alertmanager_healthy))
        .routes(routes!(alertmanager_ready))
        .routes(routes!(livez_check))
        .routes(routes!(readyz_check))
        .routes(routes!(healthz_check))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Live,
    Ready,
    Health,
}

impl Probe {
    const fn path(self) -> &'static str {
        match self {
            Self::Live => "livez",
            Self::Ready => "readyz",
            Self::Health => "healthz",
        }
    }

    const fn checks(self) -> &'static [&'static str] {
        match self {
            Self::Live => &["ping"],
            Self::Ready => &["ping", "storage", "writer", "journal", "shutdown"],
            Self::Health => &["ping", "storage", "writer", "journal"],
        }
    }
}

/// What is wrong with one check; `None` if nothing.
fn run(state: &AppState, check: &str) -> Option<String> {
    let health = state.board.store.writer.health();
    match check {
        "storage" => health.error().map(|error| error.to_string()),
        "writer" => {
            let busy =
                health.busy_since().map(|since| state.board.clock.now().since(Time::from_nanos(since)))?;
            (busy > STUCK).then(|| format!("a transaction has been running for {:.1} s", busy.as_secs_f64()))
        }
        "journal" => {
            let (waiting, _) = state.board.journal.backlog();
            (waiting >= 5_000).then(|| format!("{waiting} events are waiting for the disk"))
        }
        "shutdown" => state.draining.load(Ordering::SeqCst).then(|| "the server is stopping".to_owned()),
        _ => None,
    }
}

fn answer(state: &AppState, probe: Probe, query: Option<&str>) -> Response {
    let mut verbose = false;
    let mut excluded = Vec::new();
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "verbose" => verbose = !matches!(value, "false" | "0"),
            "exclude" => excluded.push(value),
            _ => {}
        }
    }
    let mut text = String::new();
    let mut failed = Vec::new();
    for check in probe.checks() {
        // Writing to a String does not fail.
        if excluded.contains(check) {
            writeln!(text, "[+]{check} excluded: ok").unwrap_or_default();
            continue;
        }
        match run(state, check) {
            None => writeln!(text, "[+]{check} ok").unwrap_or_default(),
            Some(reason) => {
                writeln!(text, "[-]{check} failed: {reason}").unwrap_or_default();
                failed.push(FieldError { field: (*check).to_owned(), message: reason });
            }
        }
    }
    for unknown in excluded.iter().filter(|name| !probe.checks().contains(name)) {
        writeln!(text, "warn: some health checks cannot be excluded: no matches for {unknown:?}")
            .unwrap_or_default();
    }
    let path = probe.path();
    match (failed.is_empty(), verbose) {
        (true, false) => plain(StatusCode::OK, "ok".to_owned()),
        (true, true) => plain(StatusCode::OK, format!("{text}{path} check passed\n")),
        (false, true) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{text}{path} check failed\n")),
        (false, false) => failure(failed),
    }
}

fn one(state: &AppState, probe: Probe, check: &str) -> Response {
    if !probe.checks().contains(&check) {
        let known = probe.checks().join(", ");
        return Problem::new(Code::NotFound, format!("{} has the checks {known}", probe.path()))
            .into_response();
    }
    match run(state, check) {
        None => plain(StatusCode::OK, "ok".to_owned()),
        Some(reason) => failure(vec![FieldError { field: check.to_owned(), message: reason }]),
    }
}

fn failure(failed: Vec<FieldError>) -> Response {
    let detail = failed.iter().map(|f| format!("{}: {}", f.field, f.message)).collect::<Vec<_>>().join("; ");
    Problem::new(Code::Overloaded, detail).errors(failed).retry_after(Duration::from_secs(1)).into_response()
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

macro_rules! probe {
    ($all:ident, $one:ident, $path:literal, $probe:expr, $summary:literal) => {
        #[doc = $summary]
        #[utoipa::path(get, path = $path, tag = "probes", security(()),
            params(("verbose" = Option<String>, Query, description = "List every check."),
                ("exclude" = Option<String>, Query, description = "Leave out a check; may be repeated.")),
            responses((status = 200, description = "All checks pass.", body = String, content_type = "text/plain"),
                (status = 503, description = "A check fails; `errors` names it.",
                    content((super::problem::ProblemBody<'static> = "application/problem+json"),
                        (String = "text/plain")))))]
        async fn $all(State(state): State<AppState>, RawQuery(query): RawQuery) -> Response {
            answer(&state, $probe, query.as_deref())
        }

        /// One check of the probe.
        #[utoipa::path(get, path = concat!($path, "/{check}"), tag = "probes", security(()),
            params(("check" = String, Path, description = "The check's name.")),
            responses((status = 200, description = "The check passes.", body = String, content_type = "text/plain"),
                (status = 503, description = "The check fails.",
                    body = super::problem::ProblemBody<'static>, content_type = "application/problem+json")))]
        async fn $one(State(state): State<AppState>, RawPath(check): RawPath) -> Response {
            one(&state, $probe, &check)
        }
    };
}

probe!(livez, livez_check, "/livez", Probe::Live, "Whether the process runs.");
probe!(readyz, readyz_check, "/readyz", Probe::Ready, "Whether to send requests here.");
probe!(healthz, healthz_check, "/healthz", Probe::Health, "Whether the server is well, stopping or not.");

/// Whether the process runs, where Prometheus' programs have it.
#[utoipa::path(get, path = "/-/healthy", tag = "alertmanager", security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
async fn alertmanager_healthy(State(state): State<AppState>) -> Response {
    answer(&state, Probe::Live, None)
}

/// Whether it serves, where Prometheus' programs have it.
#[utoipa::path(get, path = "/-/ready", tag = "alertmanager", security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
async fn alertmanager_ready(State(state): State<AppState>) -> Response {
    answer(&state, Probe::Ready, None)
}
