//! Extractors whose refusals are problems: path, query, JSON body.

use axum::{
    body::{Body, HttpBody},
    extract::{FromRequest, FromRequestParts, Request, rejection::PathRejection},
    http::{HeaderMap, header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    AppState, json,
    problem::{Code, Problem},
};
use crate::domain::Name;

/// A whole body that is JSON by its content type, not parsed yet.
#[derive(Clone, Debug)]
pub struct JsonBytes(pub Bytes);

impl JsonBytes {
    /// Parses it; borrows from the body where the type can.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        json::parse(&self.0)
    }

    /// Parses it, taking no body at all for an empty document.
    pub fn parse_or_empty<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        json::parse(if self.0.is_empty() { b"{}" } else { &self.0 })
    }
}

impl FromRequest<AppState> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(state.body_limit, body).await?;
        if !bytes.is_empty() {
            expect_json(&parts.headers)?;
        }
        Ok(Self(bytes))
    }
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    // Without a type, JSON is assumed: `curl -d` users would stumble otherwise, and nothing else is accepted anyway.
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.as_bytes();
    if kind == b"application/json" {
        return Ok(());
    }
    let essence = kind.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let is_json = essence.eq_ignore_ascii_case(b"application/json")
        || essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json");
    if is_json {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send the body as application/json"))
}

async fn read_body(limit: usize, body: Body) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::PayloadTooLarge, format!("the body is larger than {limit} bytes"));
    // One that announces too much is not waited for.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Problem::new(Code::BadRequest, format!("the body could not be read: {error}"))),
    }
}

/// The query, parsed; a bad one names the parameter.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let (field, message) = match text.split_once(": ") {
                Some((field, message)) if !field.contains(' ') => (field, message),
                _ => (json::quoted(text).unwrap_or("query"), text),
            };
            Problem::invalid(field, message)
        })
    }
}

/// The one parameter of a path, as text.
#[derive(Clone, Debug)]
pub struct RawPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for RawPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::<String>::from_request_parts(parts, state)
            .await
            .map(|path| Self(path.0))
            .map_err(|rejection: PathRejection| Problem::invalid("name", rejection.body_text()))
    }
}

/// The name in a path.
#[derive(Clone, Debug)]
pub struct NamePath(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let RawPath(raw) = RawPath::from_request_parts(parts, state).await?;
        Name::try_from(raw).map(Self).map_err(|error| Problem::invalid("name", error.to_string()))
    }
}
