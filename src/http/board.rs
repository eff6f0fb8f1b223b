//! `/v1/board`: all that is declared, as one document.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use futures_util::stream;
use utoipa::ToSchema;

use super::{
    AppState,
    etag::unless_known,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::domain::{
    breaker::BreakerSpec,
    check::CheckSpec,
    gate::GateSpec,
    limiter::LimiterSpec,
    notify::{MaintenanceWindowSpec, ReceiverSpec, RouteSpec},
    retention::RetentionSpec,
    retry::RetryPolicySpec,
    schedule::ScheduleSpec,
};

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(board_export))
}

/// Everything that is declared, by kind and name.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
struct BoardDocument {
    /// `fuseboard/1`: how to read it.
    format: String,
    /// Breakers.
    breakers: BTreeMap<String, BreakerSpec>,
    /// Limiters.
    limiters: BTreeMap<String, LimiterSpec>,
    /// Retry policies.
    retry_policies: BTreeMap<String, RetryPolicySpec>,
    /// Checks, with the secrets among their headers.
    checks: BTreeMap<String, CheckSpec>,
    /// Gates.
    gates: BTreeMap<String, GateSpec>,
    /// Policies of retention, by the type of backups that they are for.
    retention: BTreeMap<String, RetentionSpec>,
    /// Receivers of notifications, with their secrets.
    receivers: BTreeMap<String, ReceiverSpec>,
    /// Routes of notifications.
    routes: BTreeMap<String, RouteSpec>,
    /// Maintenance windows.
    maintenance_windows: BTreeMap<String, MaintenanceWindowSpec>,
    /// Schedules, with the secrets among their headers.
    schedules: BTreeMap<String, ScheduleSpec>,
}

/// The board's own document: everything that is declared, each as `PUT` takes it. Needs the scope `admin`.
///
/// Unlike the views it has the secrets of checks, schedules and receivers. It is as of one instant, and equal boards give equal
/// bytes. State is not in it: counts, open breakers, results, runs, tokens.
#[utoipa::path(get, path = "/v1/board", tag = "board",
    responses((status = 200, description = "The document.", body = BoardDocument)))]
async fn board_export(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let document = state.board.board_document().await?;
    let tag = format!("\"{}\"", document.sha256);
    let mut response = unless_known(&headers, &tag, || {
        let pieces = document.pieces.into_iter().map(Ok::<_, std::convert::Infallible>);
        let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(document.length));
        response
    });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
