//! `/ping`: what jobs say of themselves, in a line of a crontab.
//!
//! `/ping/{key}` needs no token: the key cannot be guessed. `/ping/{name}` needs one that may write, if tokens are
//! needed at all; see `auth`.

use std::{fmt::Display, pin::pin, sync::Arc};

use axum::{
    body::{Body, HttpBody},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use utoipa::ToSchema;

use super::{
    AppState,
    problem::{Code, Problem},
    routing::{Routes, routes},
};
use crate::{
    app::checks::CheckCell,
    domain::{Name, check::Signal},
};

/// The end of a body that is kept; the check keeps less.
const LOG: usize = 16 << 10;

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(ping_get, ping_post)).routes(routes!(ping_signal_get, ping_signal_post))
}

/// `start`, `fail`, or an exit status.
#[derive(Clone, Debug, ToSchema)]
#[schema(pattern = "^(start|fail|[0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-5])$")]
pub(super) struct SignalText(#[expect(dead_code, reason = "only its description is of use")] String);

fn signal(raw: &str) -> Result<Signal, Problem> {
    match raw {
        "start" => Ok(Signal::Start),
        "fail" => Ok(Signal::Fail),
        code => match code.parse() {
            Ok(status) => Ok(Signal::Exit(status)),
            Err(_) => Err(Problem::invalid("signal", "must be start, fail or an exit status from 0 to 255")),
        },
    }
}

fn find(state: &AppState, target: &str) -> Result<Arc<CheckCell>, Problem> {
    match state.board.check_by_key(target) {
        Some(cell) => Ok(cell),
        None => Ok(state.board.find::<CheckCell>(target)?),
    }
}

async fn take(state: &AppState, target: &str, signal: Signal, log: &[u8]) -> Result<Response, Problem> {
    let cell = find(state, target)?;
    state.board.check_ping(&cell, signal, &String::from_utf8_lossy(log)).await?;
    let mut response = "OK\n".into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The end of the body. What comes before it is read and dropped.
async fn tail<B>(limit: usize, body: B) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    let mut body = pin!(body);
    let (mut end, mut length) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(Code::BadRequest, format!("the body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > limit {
            return Err(Problem::new(
                Code::PayloadTooLarge,
                format!("the body is larger than {limit} bytes"),
            ));
        }
        end.extend_from_slice(&data);
        if end.len() > LOG {
            drop(end.split_to(end.len() - LOG));
        }
    }
    Ok(end.freeze())
}

/// The job is done. Once this is answered, it is on disk. `HEAD` does the same.
///
/// At most twenty pings of one check may come at once, and one a second over time.
#[utoipa::path(get, path = "/ping/{check}", tag = "pings", security((), ("bearer" = [])),
    params(("check" = Name, Path, description = "The check's name, or the key of its `ping_url`.")),
    responses((status = 200, description = "Taken.", body = String, content_type = "text/plain")))]
async fn ping_get(
    State(state): State<AppState>,
    target: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    take(&state, &one(target)?, Signal::Success, b"").await
}

/// The job is done; the end of the body is kept as its log.
#[utoipa::path(post, path = "/ping/{check}", tag = "pings", security((), ("bearer" = [])),
    request_body(content = String, content_type = "text/plain", description = "What the job has to say."),
    params(("check" = Name, Path, description = "The check's name, or the key of its `ping_url`.")),
    responses((status = 200, description = "Taken.", body = String, content_type = "text/plain")))]
async fn ping_post(
    State(state): State<AppState>,
    target: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Problem> {
    let target = one(target)?;
    take(&state, &target, Signal::Success, &tail(state.body_limit, body).await?).await
}

/// The job has started (`start`), failed (`fail`), or ended with an exit status (0 to 255). `HEAD` does the same.
#[utoipa::path(get, path = "/ping/{check}/{signal}", tag = "pings", security((), ("bearer" = [])),
    params(("check" = Name, Path, description = "The check's name, or the key of its `ping_url`."),
        ("signal" = SignalText, Path, description = "`start`, `fail`, or an exit status.")),
    responses((status = 200, description = "Taken.", body = String, content_type = "text/plain")))]
async fn ping_signal_get(
    State(state): State<AppState>,
    target: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let (target, raw) = two(target)?;
    take(&state, &target, signal(&raw)?, b"").await
}

/// The same; the end of the body is kept as the job's log, except for `start`.
#[utoipa::path(post, path = "/ping/{check}/{signal}", tag = "pings", security((), ("bearer" = [])),
    request_body(content = String, content_type = "text/plain", description = "What the job has to say."),
    params(("check" = Name, Path, description = "The check's name, or the key of its `ping_url`."),
        ("signal" = SignalText, Path, description = "`start`, `fail`, or an exit status.")),
    responses((status = 200, description = "Taken.", body = String, content_type = "text/plain")))]
async fn ping_signal_post(
    State(state): State<AppState>,
    target: Result<Path<(String, String)>, PathRejection>,
    body: Body,
) -> Result<Response, Problem> {
    let (target, raw) = two(target)?;
    let signal = signal(&raw)?;
    take(&state, &target, signal, &tail(state.body_limit, body).await?).await
}

fn one(target: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    target.map(|path| path.0).map_err(|rejection| Problem::invalid("check", rejection.body_text()))
}

fn two(target: Result<Path<(String, String)>, PathRejection>) -> Result<(String, String), Problem> {
    target.map(|path| path.0).map_err(|rejection| Problem::invalid("check", rejection.body_text()))
}
