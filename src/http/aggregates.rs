//! `/v1/outcomes/aggregated`: outcomes that clients have counted by themselves.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppState,
    calls::{MAX_ERROR, client, named},
    extract::JsonBytes,
    json::Json,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        calls::{AggregateAnswer, AggregateReport, RunReport, Session},
        text::Text,
    },
    domain::object::objects,
};

/// The most reports of one request, and the most runs of one report.
const MAX_REPORTS: usize = 1000;
const MAX_RUNS: usize = 1000;
/// The most calls of one run.
const MAX_COUNT: u32 = 10_000_000;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(outcomes_aggregate))
}

/// What a client did while it decided by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AggregatesBody<'a> {
    /// Who called. Consecutive failures are counted for each client by itself.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    client: Option<Text<'a>>,
    /// Distinguishes processes, and lives of a process, that have the same `client`: sequence numbers are compared within
    /// a session. Empty if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>)]
    session: Option<Text<'a>>,
    /// Up to 1000 reports, applied in order.
    #[serde(borrow, deserialize_with = "objects")]
    #[schema(value_type = Vec<AggregateItem>)]
    items: Vec<AggregateReport<'a>>,
}

/// What happened at one breaker since the last report.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only for the API description")]
struct AggregateItem {
    /// Which breaker.
    breaker: String,
    /// The generation in which the calls were admitted, as the replica told it.
    generation: u64,
    /// Ascends with each report of the session on this breaker, from 1. A report that comes again counts nothing.
    #[schema(minimum = 1)]
    sequence: u64,
    /// The outcomes in their order, as at most 1000 runs of equal ones.
    runs: Option<Vec<RunReport>>,
    /// Calls that the client turned away by itself, in whatever generation; 0 if left out.
    rejected: Option<u32>,
    /// What went wrong last, for the history; at most 1024 bytes.
    error: Option<String>,
}

/// The answers to a report.
#[derive(Debug, Serialize, ToSchema)]
struct AggregatesAnswer {
    /// In the order of the request.
    items: Vec<AggregateAnswer>,
}

/// Reports outcomes that a client has counted by itself, each report once.
///
/// For clients that admit calls by themselves while they know a breaker to be closed (`GET /v1/replica`). Outcomes of a
/// generation that is over move nothing. A request without an answer is repeated unchanged.
#[utoipa::path(post, path = "/v1/outcomes/aggregated", tag = "calls", request_body = AggregatesBody,
    responses((status = 200, description = "Whether each counted, in order.", body = AggregatesAnswer)))]
async fn outcomes_aggregate(State(state): State<AppState>, body: JsonBytes) -> Result<Response, Problem> {
    let ask: AggregatesBody<'_> = body.parse()?;
    if ask.items.len() > MAX_REPORTS {
        return Err(Problem::invalid("items", format!("must be at most {MAX_REPORTS}")));
    }
    for (i, report) in ask.items.iter().enumerate() {
        check(report, i)?;
    }
    let session = Session {
        client: client(ask.client.as_ref())?,
        session: named("session", ask.session.as_ref())?.unwrap_or_default(),
    };
    let items = state.board.aggregates_take(session, &ask.items);
    Ok(Json(AggregatesAnswer { items }).into_response())
}

fn check(report: &AggregateReport<'_>, i: usize) -> Result<(), Problem> {
    let invalid = |field: &str, message: String| Problem::invalid(format!("items[{i}].{field}"), message);
    if report.sequence == 0 {
        return Err(invalid("sequence", "must be at least 1".to_owned()));
    }
    if report.runs.len() > MAX_RUNS {
        return Err(invalid("runs", format!("must be at most {MAX_RUNS}")));
    }
    for (k, run) in report.runs.iter().enumerate() {
        if !(1..=MAX_COUNT).contains(&run.count) {
            return Err(invalid(&format!("runs[{k}].count"), format!("must be from 1 to {MAX_COUNT}")));
        }
        if run.slow > run.count {
            return Err(invalid(&format!("runs[{k}].slow"), "must be at most count".to_owned()));
        }
    }
    if report.error.as_ref().is_some_and(|error| error.as_str().len() > MAX_ERROR) {
        return Err(invalid("error", format!("must be at most {MAX_ERROR} bytes")));
    }
    Ok(())
}
