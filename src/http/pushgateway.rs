//! Pushgateway's API: groups of metrics, pushed whole by clients that Prometheus does not scrape.
//!
//! Paths are read as they were sent, since `%2F` is no slash in them.

mod describe;

use std::fmt::Display;

use axum::{
    body::HttpBody,
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use utoipa_axum::router::UtoipaMethodRouter;

use super::{
    AppState,
    extract::{Query, read_body},
    problem::{Code, Problem},
    routing::{Routes, Served, routes},
};
use crate::{
    app::push_groups::PushTarget,
    domain::{
        GroupingKey, Seconds,
        exposition::{Limits, MetricFamily, parse, parse_protobuf},
        push_group::{GroupView, Write},
        text::is_longer,
    },
};

const LONGEST_CLIENT: usize = 256;
const FAMILIES: &str = "io.prometheus.client.MetricFamily";

pub(super) fn routes() -> Routes {
    let served = |path: &str, describe: fn() -> UtoipaMethodRouter<AppState>| Served {
        path: path.to_owned(),
        handlers: MethodRouter::new().put(any).post(any).delete(any),
        describe,
    };
    Routes::default()
        .routes(served("/metrics/{*grouping_key}", describe::groups))
        .routes(served("/ttl/{seconds}/metrics/{*grouping_key}", describe::timed))
        .routes(served("/agg/metrics/{*grouping_key}", describe::totals))
        .routes(served("/ttl/{seconds}/agg/metrics/{*grouping_key}", describe::timed_totals))
        .routes(routes!(push_groups_list))
        .routes(routes!(push_groups_status))
        .routes(routes!(push_groups_wipe))
}

async fn any(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    handle(&state, request).await
}

/// Answers a push or a deletion, for whoever has the request already.
pub(super) async fn handle<B>(state: &AppState, request: axum::http::Request<B>) -> Result<Response, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    let (parts, body) = request.into_parts();
    let deletes = parts.method == Method::DELETE;
    let target = target(&parts.uri, deletes)?;
    if deletes {
        state.board.push_group_delete(&target);
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    let format = BodyFormat::of(&parts.headers)?;
    let body = read_body(state.body_limit, body).await?;
    let families = format
        .parse(&body, target.client.is_some())
        .inspect_err(|_| state.board.push_group_malformed(&target))?;
    let write = if parts.method == Method::PUT { Write::Replace } else { Write::Merge };
    state.board.push_group_write(&target, families, write).await?;
    Ok(StatusCode::OK.into_response())
}

/// Who pushes to a group that is summed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TotalsQuery {
    /// Who pushes, if the path does not say it by `instance`.
    #[serde(default)]
    client: Option<String>,
}

/// What a path means: `[/ttl/SECONDS][/agg]/metrics/job…`.
fn target(uri: &Uri, deletes: bool) -> Result<PushTarget, Problem> {
    let path = uri.path();
    let (ttl, path) = match path.strip_prefix("/ttl/").and_then(|rest| rest.split_once('/')) {
        Some((seconds, rest)) => (Some(ttl(seconds)?), rest),
        None => (None, path.strip_prefix('/').unwrap_or(path)),
    };
    let (summed, path) = match path.strip_prefix("agg/") {
        Some(rest) => (true, rest),
        None => (false, path),
    };
    let raw =
        path.strip_prefix("metrics/").filter(|raw| raw.starts_with("job/") || raw.starts_with("job@base64/"));
    let raw = raw.ok_or_else(|| Problem::new(Code::NotFound, "there is nothing at this path"))?;
    let key = GroupingKey::parse(raw).map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?;
    if summed { totals_target(uri, &key, ttl, deletes) } else { Ok(PushTarget { key, ttl, client: None }) }
}

/// A pusher is told apart by the group's `instance`, or else by `client` of the query. To delete, none need be named.
fn totals_target(
    uri: &Uri,
    key: &GroupingKey,
    ttl: Option<Seconds>,
    deletes: bool,
) -> Result<PushTarget, Problem> {
    let query = if uri.query().is_some() { Query::<TotalsQuery>::of(uri)?.0 } else { TotalsQuery::default() };
    let (key, instance) = key.without_instance();
    let client = query.client.filter(|client| !client.is_empty()).or(instance);
    if client.as_ref().is_some_and(|client| is_longer(client, LONGEST_CLIENT)) {
        return Err(Problem::invalid("client", format!("must be at most {LONGEST_CLIENT} characters")));
    }
    if client.is_none() && !deletes {
        return Err(Problem::invalid(
            "client",
            "say who pushes, by /instance/NAME at the end of the path or ?client=NAME: without that a push that is \
             repeated would count twice",
        ));
    }
    Ok(PushTarget { key, ttl, client })
}

fn ttl(raw: &str) -> Result<Seconds, Problem> {
    let seconds = raw.parse().ok().and_then(|seconds: f64| Seconds::try_from(seconds).ok());
    seconds.filter(|ttl| !ttl.is_zero()).ok_or_else(|| {
        Problem::invalid("seconds", "must be a number of seconds greater than 0, at most 315360000")
    })
}

/// How a body is to be read. What says nothing, or something else, is text, as in Pushgateway: curl sends forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFormat {
    Text,
    Protobuf,
}

impl BodyFormat {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
            return Ok(Self::Text);
        };
        let mut parts = kind.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        if essence.eq_ignore_ascii_case("application/vnd.google.protobuf") {
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
            let is = |name: &str, wanted: &str| {
                let value = parameters.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
                value.is_some_and(|(_, value)| value.trim_matches('"') == wanted)
            };
            if is("proto", FAMILIES) && is("encoding", "delimited") {
                return Ok(Self::Protobuf);
            }
            let wanted = "protobuf is read as proto=io.prometheus.client.MetricFamily; encoding=delimited";
            return Err(Problem::new(Code::UnsupportedMediaType, wanted));
        }
        if essence.eq_ignore_ascii_case("application/openmetrics-text") {
            let wanted = "OpenMetrics is not read: send Prometheus' text format, text/plain; version=0.0.4";
            return Err(Problem::new(Code::UnsupportedMediaType, wanted));
        }
        Ok(Self::Text)
    }

    /// `births`: it matters when series began.
    fn parse(self, body: &[u8], births: bool) -> Result<Vec<MetricFamily>, Problem> {
        let limits = Limits::default();
        match self {
            Self::Text => parse(body, &limits).map_err(|error| {
                Problem::new(Code::BadMetrics, format!("the body is not in the text format: {error}"))
            }),
            Self::Protobuf => parse_protobuf(body, &limits, births).map_err(|error| {
                let (number, message) = (error.line, error.message);
                Problem::new(Code::BadMetrics, format!("the body cannot be read: metric {number}: {message}"))
            }),
        }
    }
}

/// An answer in Pushgateway's form.
#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
}

fn success(data: impl Serialize) -> Response {
    let body = serde_json::to_vec(&Success { status: "success", data }).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Lists groups of pushed metrics with all that they have, in the form of Pushgateway's API.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "pushgateway",
    responses((status = 200, description = "All groups.", body = serde_json::Value)))]
async fn push_groups_list(State(state): State<AppState>) -> Response {
    let groups: Vec<GroupView> = state.board.push_groups_view();
    success(groups)
}

/// What this is, in the form of Pushgateway's API.
#[utoipa::path(get, path = "/api/v1/status", tag = "pushgateway",
    responses((status = 200, description = "Version, start and flags.", body = serde_json::Value)))]
async fn push_groups_status(State(state): State<AppState>) -> Response {
    success(serde_json::json!({
        "build_information": { "program": "fuseboard", "version": env!("CARGO_PKG_VERSION") },
        "flags": { "push.disable-consistency-check": "false", "web.enable-admin-api": "true" },
        "start_time": state.board.push_groups.started_at(),
    }))
}

/// Deletes all groups of pushed metrics. Metrics of `/v1/metrics` stay.
#[utoipa::path(put, path = "/api/v1/admin/wipe", tag = "pushgateway",
    responses((status = 202, description = "Deleted.")))]
async fn push_groups_wipe(State(state): State<AppState>) -> StatusCode {
    state.board.push_groups_wipe();
    StatusCode::ACCEPTED
}
