//! `/api/v2`: Alertmanager's API, for Prometheus and `amtool`.
//!
//! Shapes and parameters are those of its `openapi.yaml`. Fields and parameters that we do not know are ignored, as there.
//! Errors are problems, as everywhere, but for clients that take nothing but JSON, as `amtool` and others that are made of
//! Alertmanager's description: those read the reason as a text in JSON, and of a problem nothing.

pub(super) mod alerts;
pub(super) mod silences;
mod status;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    problem::{Code, Problem},
    routing::Routes,
};

pub(super) fn routes() -> Routes {
    Routes::default().merge(alerts::routes()).merge(silences::routes()).merge(status::routes())
}

/// Whether the client of a request reads errors as Alertmanager writes them, and no other ones.
pub(super) fn wants_texts(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with("/api/v2/")
        && headers.get(header::ACCEPT).is_some_and(|accept| accept == "application/json")
}

/// An error as Alertmanager writes it. It knows no 422.
pub(super) fn in_its_words(problem: &Problem, path: &str) -> Response {
    let mut response = problem.respond(path);
    *response.body_mut() = Body::from(serde_json::to_vec(problem.detail()).unwrap_or_default());
    if problem.code() == Code::ValidationFailed {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// To the millisecond, as Alertmanager does.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Parameters, several of the same name among them.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }

    fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.all(name).last().map(String::as_str) {
            None | Some("true" | "1" | "t" | "yes") => Ok(true),
            Some("false" | "0" | "f" | "no") => Ok(false),
            Some(_) => Err(Problem::invalid(name, "must be true or false")),
        }
    }
}

/// A receiver by its name.
#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerReceiver {
    /// The name.
    name: String,
}
