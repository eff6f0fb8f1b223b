//! What the declared resources have in common on the wire.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    AppState,
    extract::JsonBytes,
    json::Json,
    paging::{Page, PageQuery},
    problem::Problem,
};
use crate::{
    app::definitions::{OnExisting, Precondition, Resource, etag_of},
    domain::Name,
};

/// `If-Match` and `If-None-Match` of a request.
#[derive(Clone, Debug)]
pub struct Conditions(pub Precondition);

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = |name: HeaderName| header_text(&parts.headers, &name);
        Ok(Self(Precondition {
            if_match: text(header::IF_MATCH),
            if_none_match: text(header::IF_NONE_MATCH),
        }))
    }
}

fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// `PUT`: creates or replaces.
pub async fn put<R, V>(
    state: &AppState,
    name: Name,
    body: &JsonBytes,
    conditions: Conditions,
    view: impl FnOnce(&std::sync::Arc<R>) -> V,
) -> Result<Response, Problem>
where
    R: Resource,
    R::Spec: for<'de> Deserialize<'de>,
    V: Serialize,
{
    let spec: R::Spec = body.parse_or_empty()?;
    let declared = state.board.declare::<R>(name, spec, OnExisting::Replace(conditions.0)).await?;
    let mut response = tagged(&declared.resource, view(&declared.resource));
    if declared.created {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

/// `DELETE`: nothing is left to have a tag, so `If-None-Match` says nothing.
pub async fn delete<R: Resource>(
    state: &AppState,
    name: &Name,
    Conditions(precondition): Conditions,
) -> Result<StatusCode, Problem> {
    let precondition = Precondition { if_none_match: None, ..precondition };
    state.board.remove::<R>(name.as_str(), precondition).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET`: with the entity tag of its configuration, for `If-Match`. The rest changes under one tag.
pub fn tagged<R: Resource>(resource: &std::sync::Arc<R>, view: impl Serialize) -> Response {
    let mut response = Json(view).into_response();
    if let Ok(tag) = HeaderValue::from_str(&etag_of(&**resource)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A page of a list that is ordered by name.
pub fn page<R: Resource, V>(
    state: &AppState,
    query: &PageQuery,
    view: impl Fn(&std::sync::Arc<R>) -> V,
) -> Result<Page<V>, Problem> {
    let limit = query.checked_limit()?;
    let mut resources = R::registry(&state.board).page(query.cursor.as_deref(), limit + 1);
    let more = resources.len() > limit;
    resources.truncate(limit);
    let next_cursor = resources.last().filter(|_| more).map(|last| last.name().as_str().to_owned());
    Ok(Page { items: resources.iter().map(view).collect(), next_cursor })
}
