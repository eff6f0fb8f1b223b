//! Extractors whose refusals are problems: path, query, JSON body.

use std::{fmt::Display, pin::pin};

use axum::{
    body::HttpBody,
    extract::{FromRequest, FromRequestParts, Request, rejection::PathRejection},
    http::{HeaderMap, Uri, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
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
    /// Reads it, whatever carries it.
    pub async fn read<B>(state: &AppState, headers: &HeaderMap, body: B) -> Result<Self, Problem>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Display,
    {
        let bytes = read_body(state.body_limit, body).await?;
        if !bytes.is_empty() {
            expect_json(headers)?;
        }
        Ok(Self(bytes))
    }

    /// Parses it; borrows from the body where the type can.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        json::parse(&self.0)
    }

    /// Parses it, taking no body at all for an empty document.
    pub fn parse_or_empty<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        json::parse(if self.0.is_empty() { b"{}" } else { &self.0 })
    }

    /// For what takes nothing: no body, or `{}`.
    pub fn expect_nothing(&self) -> Result<(), Problem> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        self.parse_or_empty::<Nothing>().map(drop)
    }
}

impl FromRequest<AppState> for JsonBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Self::read(state, &parts.headers, body).await
    }
}

/// The type says that it is JSON, or says nothing.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    // Without a type, JSON is assumed: nothing else is accepted anyway.
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

/// The whole body. Almost every body is one frame, which is then not copied.
pub(super) async fn read_body<B>(limit: usize, body: B) -> Result<Bytes, Problem>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Display,
{
    let too_large = || Problem::new(Code::PayloadTooLarge, format!("the body is larger than {limit} bytes"));
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::new(Code::BadRequest, format!("the body could not be read: {error}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(too_large());
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

/// The query, parsed; a bad one names the parameter.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.uri)
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// Parses the query of an address.
    pub fn of(uri: &Uri) -> Result<Self, Problem> {
        axum::extract::Query::<T>::try_from_uri(uri).map(|query| Self(query.0)).map_err(|rejection| {
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
