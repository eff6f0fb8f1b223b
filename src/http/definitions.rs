//! What the declared resources have in common on the wire.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    AppState,
    extract::JsonBytes,
    json::Json,
    paging::{Page, PageQuery},
    problem::{Code, Problem},
};
use crate::{
    app::definitions::{OnExisting, Precondition, Resource, etag_of},
    domain::Name,
};

/// Entity tags as in RFC 9110, section 13.1: `*`, or a list.
#[derive(Clone, Debug, ToSchema)]
#[schema(pattern = "^(\\*|(W/)?\"[!#-~]*\"([ \\t]*,[ \\t]*(W/)?\"[!#-~]*\")*)$")]
pub(super) struct EntityTags(#[expect(dead_code, reason = "only its description is of use")] String);

/// What creating and replacing can depend on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is of use")]
pub struct ReplaceHeaders {
    /// Replace only what has one of these entity tags.
    #[param(rename = "If-Match")]
    if_match: Option<EntityTags>,
    /// `*`: create only.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<EntityTags>,
}

/// What deleting can depend on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is of use")]
pub struct DeleteHeaders {
    /// Delete only what has one of these entity tags.
    #[param(rename = "If-Match")]
    if_match: Option<EntityTags>,
}

/// `If-Match` and `If-None-Match` of a request.
#[derive(Clone, Debug)]
pub struct Conditions(pub Precondition);

impl<S: Send + Sync> FromRequestParts<S> for Conditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(Precondition {
            if_match: entity_tags(&parts.headers, &header::IF_MATCH)?,
            if_none_match: entity_tags(&parts.headers, &header::IF_NONE_MATCH)?,
        }))
    }
}

/// A condition that cannot be read is refused: to act as if it was not there is what its sender wants least.
fn entity_tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map(str::trim).ok().filter(|text| *text == "*" || are_entity_tags(text));
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        let rule = "must be * or entity tags, which are in double quotes, with commas between them";
        Problem::new(Code::BadRequest, format!("{name} {rule}"))
    })
}

/// Commas stand between tags, and may stand in them.
fn are_entity_tags(mut list: &str) -> bool {
    loop {
        let tag = list.strip_prefix("W/").unwrap_or(list);
        let Some((opaque, rest)) = tag.strip_prefix('"').and_then(|tag| tag.split_once('"')) else {
            return false;
        };
        let rest = rest.trim_start();
        if !opaque.bytes().all(|b| b.is_ascii_graphic()) {
            return false;
        }
        match rest.strip_prefix(',') {
            Some(more) => list = more.trim_start(),
            None => return rest.is_empty(),
        }
    }
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
