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
    json::{self, Json},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::{
        calls::{AggregateAnswer, AggregateReport, Session},
        text::Text,
    },
    domain::{object::objects, schema::ClientName, text::is_longer},
};

/// The most reports of one request, and the most runs of one report.
const MAX_REPORTS: usize = 1000;
const MAX_RUNS: usize = 1000;
/// The most calls of one run.
const MAX_COUNT: u32 = 10_000_000;
/// What an `int64` of the API's description can hold.
const MAX_NUMBER: u64 = i64::MAX as u64;
/// What an `int32` can.
const MAX_REJECTED: u32 = i32::MAX as u32;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(outcomes_aggregate))
}

/// What a client did while it decided by itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AggregatesBody<'a> {
    /// Who called. Consecutive failures are counted for each client by itself.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
    /// Distinguishes processes, and lives of a process, that have the same `client`: sequence numbers are compared within
    /// a session. Empty if left out.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    session: Option<Text<'a>>,
    /// Up to 1000 reports, applied in order.
    #[serde(borrow, deserialize_with = "objects")]
    #[schema(max_items = 1000)]
    pub(super) items: Vec<AggregateReport<'a>>,
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
    let ask = read(&body.0)?;
    let session = Session {
        client: client(ask.client.as_ref())?,
        session: named("session", ask.session.as_ref())?.unwrap_or_default(),
    };
    let items = state.board.aggregates_take(session, &ask.items);
    Ok(Json(AggregatesAnswer { items }).into_response())
}

/// Reads a batch.
pub(super) fn read(body: &[u8]) -> Result<AggregatesBody<'_>, Problem> {
    let ask: AggregatesBody<'_> = json::parse(body)?;
    if ask.items.len() > MAX_REPORTS {
        return Err(Problem::invalid("items", format!("must be at most {MAX_REPORTS}")));
    }
    for (i, report) in ask.items.iter().enumerate() {
        check(report, i)?;
    }
    Ok(ask)
}

fn check(report: &AggregateReport<'_>, i: usize) -> Result<(), Problem> {
    let invalid = |field: &str, message: String| Problem::invalid(format!("items[{i}].{field}"), message);
    if !(1..=MAX_NUMBER).contains(&report.sequence) {
        return Err(invalid("sequence", format!("must be from 1 to {MAX_NUMBER}")));
    }
    if report.generation > MAX_NUMBER {
        return Err(invalid("generation", format!("must be at most {MAX_NUMBER}")));
    }
    if report.rejected > MAX_REJECTED {
        return Err(invalid("rejected", format!("must be at most {MAX_REJECTED}")));
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
    if report.error.as_ref().is_some_and(|error| is_longer(error.as_str(), MAX_ERROR)) {
        return Err(invalid("error", format!("must be at most {MAX_ERROR} characters")));
    }
    Ok(())
}
