//! `/v1/health`, and `/health` in the format that load balancers and other tools know.
//!
//! They speak of what the board watches. Whether the server itself is well is another question, see `probes`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    auth::Stranger,
    extract::{JsonBytes, Query},
    json::Json,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        AppError,
        checks::view::HealthCheck,
        health::{HealthFilter, HealthReport},
    },
    domain::{
        Name, Seconds,
        check::Labels,
        health::{Standing, Status},
        schema::{LabelFilter, NameList},
    },
};

/// The media type of `/health` (draft-inadarei-api-health-check-06).
pub const HEALTH_JSON: &str = "application/health+json";

const DEFAULT_TIMEOUT: f64 = 10.0;
/// Less than a request may take by default.
const LONGEST_TIMEOUT: f64 = 25.0;
/// The most names in one question.
const MOST_NAMES: usize = 1000;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(health_get)).routes(routes!(health_run)).routes(routes!(health_json))
}

/// Which checks.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HealthQuery {
    /// Names, with commas between them. All checks, if left out. A name that nobody knows is red.
    #[param(value_type = Option<NameList>)]
    checks: Option<String>,
    /// Only checks with these labels: `name=value`, with commas between them.
    #[param(value_type = Option<LabelFilter>)]
    labels: Option<String>,
    /// List only checks that show one of these, with commas between them. The overall status is that of all.
    #[param(pattern = "^((green|yellow|red)(,(green|yellow|red))*)?$")]
    status: Option<String>,
}

impl HealthQuery {
    fn filter(&self) -> Result<HealthFilter, Problem> {
        let checks = self.checks.as_deref().map(|list| names(parts(list))).transpose()?;
        let labels = label_filter(self.labels.as_deref())?;
        let statuses = self.status.as_deref().map(|list| parts(list).map(status).collect()).transpose()?;
        Ok(HealthFilter { checks, labels, statuses })
    }
}

/// Labels as in a query: `name=value`, with commas between them.
pub(super) fn label_filter(list: Option<&str>) -> Result<Labels, Problem> {
    let mut labels = BTreeMap::new();
    for pair in list.map(parts).into_iter().flatten() {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Problem::invalid("labels", format!("{pair:?} must be name=value")));
        };
        labels.insert(name.to_owned(), value.to_owned());
    }
    Ok(Labels::parse("labels", labels).map_err(AppError::from)?)
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn names<'a>(raw: impl Iterator<Item = &'a str>) -> Result<BTreeSet<Name>, Problem> {
    let name =
        |raw| Name::try_from(raw).map_err(|error| Problem::invalid("checks", format!("{raw:?}: {error}")));
    let names = raw.map(name).collect::<Result<BTreeSet<Name>, _>>()?;
    if names.is_empty() || names.len() > MOST_NAMES {
        return Err(not_so_many());
    }
    Ok(names)
}

fn not_so_many() -> Problem {
    Problem::invalid("checks", format!("must be 1 to {MOST_NAMES} names"))
}

fn status(raw: &str) -> Result<Status, Problem> {
    let known = Status::ALL.into_iter().find(|status| status.as_str() == raw);
    known.ok_or_else(|| Problem::invalid("status", format!("{raw:?} must be green, yellow or red")))
}

/// How the checks are, from memory.
#[utoipa::path(get, path = "/v1/health", tag = "health", params(HealthQuery),
    responses((status = 200, description = "The report, whatever the status.", body = HealthReport)))]
async fn health_get(
    State(state): State<AppState>,
    Query(query): Query<HealthQuery>,
) -> Result<Json<HealthReport>, Problem> {
    Ok(Json(state.board.health(&query.filter()?)))
}

/// What to run now.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RunBody {
    /// Names. All checks, if left out.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 1000)]
    checks: Option<Vec<Name>>,
    /// How long to wait for the runs. Default 10, more than 0, at most 25.
    #[serde(default)]
    #[schema(value_type = Option<f64>, exclusive_minimum = 0, maximum = 25)]
    timeout_seconds: Option<Seconds>,
}

/// Runs what the board runs of these checks (`http`, `tcp`, `breaker`, `metric`) now, and reports on all of them.
///
/// A run that does not end in time goes on; its check is reported as it was before.
#[utoipa::path(post, path = "/v1/health/run", tag = "health", request_body = Option<RunBody>,
    responses((status = 200, description = "The report, whatever the status.", body = HealthReport)))]
async fn health_run(State(state): State<AppState>, body: JsonBytes) -> Result<Json<HealthReport>, Problem> {
    let ask: RunBody = body.parse_or_empty()?;
    let timeout = ask.timeout_seconds.map_or(DEFAULT_TIMEOUT, f64::from);
    if timeout <= 0.0 || timeout > LONGEST_TIMEOUT {
        let message = format!("must be more than 0 and at most {LONGEST_TIMEOUT}");
        return Err(Problem::invalid("timeout_seconds", message));
    }
    let filter = match &ask.checks {
        Some(checks) if checks.len() > MOST_NAMES => return Err(not_so_many()),
        Some(checks) => HealthFilter::of(names(checks.iter().map(Name::as_str))?),
        None => HealthFilter::default(),
    };
    Ok(Json(state.board.health_run(&filter, Duration::from_secs_f64(timeout)).await))
}

/// The board's health in the words of draft-inadarei-api-health-check.
#[derive(Debug, Serialize, ToSchema)]
struct HealthJson {
    /// `pass`, `warn` or `fail`.
    status: &'static str,
    /// Of the API.
    version: &'static str,
    /// Of the server.
    #[serde(rename = "releaseId")]
    release_id: &'static str,
    /// What this is.
    description: &'static str,
    /// The checks by name, each a list of one. Left out unless the caller may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<BTreeMap<String, [HealthJsonCheck; 1]>>,
}

/// A check in the words of draft-inadarei-api-health-check.
#[derive(Debug, Serialize, ToSchema)]
struct HealthJsonCheck {
    /// `pass`, `warn` or `fail`; what is stale is at least `warn`, what is not critical at most.
    status: &'static str,
    /// When the last result came.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    /// What there is to say, unless it passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

impl From<HealthCheck> for HealthJsonCheck {
    fn from(check: HealthCheck) -> Self {
        let standing = Standing { status: check.status, stale: check.stale };
        let seen = standing.for_people().weighed(check.critical);
        let output = (seen != Status::Green).then_some(check.message);
        Self { status: seen.as_health_json(), time: check.timestamp, output }
    }
}

/// The health of what the board watches, as `application/health+json`: 200 for `pass` and `warn`, 503 for `fail`.
///
/// Without a token it says only how all of it is; with one, or where none is needed, it lists the checks.
#[utoipa::path(get, path = "/health", tag = "health", security((), ("bearer" = [])),
    responses((status = 200, description = "It passes, perhaps with a warning.", body = HealthJson,
            content_type = "application/health+json"),
        (status = 503, description = "It fails.", body = HealthJson, content_type = "application/health+json")))]
async fn health_json(State(state): State<AppState>, stranger: Option<Extension<Stranger>>) -> Response {
    // Strangers cost as little as they learn.
    let (overall_status, checks) = if stranger.is_some() {
        (state.board.health_overall(), None)
    } else {
        let report = state.board.health(&HealthFilter::default());
        let checks = report.checks.into_iter().map(|(name, check)| (name, [HealthJsonCheck::from(check)]));
        (report.overall_status, Some(checks.collect()))
    };
    let status = match overall_status {
        Status::Green | Status::Yellow => StatusCode::OK,
        Status::Red => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = HealthJson {
        status: overall_status.as_health_json(),
        version: "1",
        release_id: env!("CARGO_PKG_VERSION"),
        description: "health of what this fuseboard watches",
        checks,
    };
    let mut response = Json(body).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(HEALTH_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
