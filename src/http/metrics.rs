//! `/v1/metrics`: what clients push; `/metrics`: that and the server's own metrics for Prometheus.

mod accept;
mod backups;
mod breakers;
mod family;
mod groups;
mod health;
mod limiters;
mod page;
mod pushed;
mod schedules;
mod telemetry;

use axum::{
    body::HttpBody,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState, calls,
    extract::{JsonBytes, Query, RawPath},
    idempotency::{Once, OnceHeader},
    json::Json,
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::metrics::{MetricFilter, MetricView, PushAnswer},
    domain::{
        object::objects,
        schema::ClientName,
        series::{MetricsView, SampleSpec},
        text::Text,
    },
};

/// The most samples of one request.
const MAX_SAMPLES: usize = 10_000;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(metrics_push, metrics_view)).routes(routes!(metric_get, metric_delete))
}

/// The page for Prometheus, which can be switched off.
pub(super) fn page_routes() -> Routes {
    Routes::default().routes(routes!(metrics))
}

/// Samples of any metrics.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PushBody<'a> {
    /// Up to 10,000 samples, taken in order.
    #[serde(borrow, deserialize_with = "objects")]
    #[schema(value_type = Vec<SampleSpec>, max_items = 10_000)]
    samples: Vec<SampleSpec<'a>>,
    /// Who sends them. It is no label.
    #[serde(borrow, default)]
    #[schema(value_type = Option<ClientName>)]
    client: Option<Text<'a>>,
}

/// Pushes samples. Counters and timers are summed over all clients; of gauges the last one that is set stays.
///
/// Each sample counts or is rejected for itself, with its place, a code and a reason; a rejected one changes nothing. The type
/// of a metric is that of its first sample.
#[utoipa::path(post, path = "/v1/metrics", tag = "metrics", request_body = PushBody,
    params(OnceHeader),
    responses((status = 200, description = "What became of them.", body = PushAnswer)))]
async fn metrics_push(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    push(&state, request).await
}

/// What [`metrics_push`] does, for whoever has the request already.
pub(super) async fn push<B>(state: &AppState, request: axum::http::Request<B>) -> Result<Response, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let once = Once::of(&parts)?;
    let body = JsonBytes::read(state, &parts.headers, body).await?;
    if !once.is_keyed() {
        return record(state, &body).await;
    }
    once.run(state, body, |state, body| async move { record(&state, &body).await }).await
}

async fn record(state: &AppState, body: &JsonBytes) -> Result<Response, Problem> {
    let batch: PushBody<'_> = body.parse()?;
    calls::client(batch.client.as_ref())?;
    if batch.samples.len() > MAX_SAMPLES {
        return Err(Problem::invalid("samples", format!("must be at most {MAX_SAMPLES}")));
    }
    Ok(Json(state.board.metrics_push(&batch.samples).await).into_response())
}

/// Which metrics to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ViewQuery {
    /// Only the metric of this name.
    #[serde(default)]
    name: Option<String>,
    /// Only metrics whose names begin so.
    #[serde(default)]
    prefix: Option<String>,
}

/// Shows all that was pushed: values by series, which are `name` or `name{label="value"}`.
#[utoipa::path(get, path = "/v1/metrics", tag = "metrics", params(ViewQuery),
    responses((status = 200, description = "The metrics.", body = MetricsView)))]
async fn metrics_view(
    State(state): State<AppState>,
    Query(query): Query<ViewQuery>,
) -> Result<Json<MetricsView>, Problem> {
    let filter = MetricFilter { name: query.name.as_deref(), prefix: query.prefix.as_deref() };
    Ok(Json(state.board.metrics_view(filter)))
}

/// One metric with all that is known of its series.
#[utoipa::path(get, path = "/v1/metrics/{name}", tag = "metrics",
    params(("name" = String, Path, description = "The metric's name, as given.")),
    responses((status = 200, description = "The metric.", body = MetricView)))]
async fn metric_get(
    State(state): State<AppState>,
    RawPath(name): RawPath,
) -> Result<Json<MetricView>, Problem> {
    Ok(Json(state.board.metric_view(&name)?))
}

/// Deletes a metric with all its series. The next sample of that name begins anew, with whatever type it has.
#[utoipa::path(delete, path = "/v1/metrics/{name}", tag = "metrics",
    params(("name" = String, Path, description = "The metric's name, as given.")),
    responses((status = 204, description = "Deleted.")))]
async fn metric_delete(State(state): State<AppState>, RawPath(name): RawPath) -> Result<StatusCode, Problem> {
    state.board.metric_delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Metrics for Prometheus: the server's own and those that were pushed.
///
/// As `Accept` asks, in OpenMetrics 1.0 or in Prometheus' text format 0.0.4, which is also what is sent if neither is
/// acceptable.
#[utoipa::path(get, path = "/metrics", tag = "metrics",
    responses((status = 200, description = "Metrics.", content(
        (String = "text/plain"), (String = "application/openmetrics-text")))))]
async fn metrics(State(state): State<AppState>, headers: axum::http::HeaderMap) -> Response {
    page::answer(&state.board, accept::format(&headers))
}
