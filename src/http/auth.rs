//! Who may do what.

use axum::http::{HeaderMap, Method, Request, header, uri::Authority};

use super::problem::{Code, Problem};
use crate::app::{
    Board,
    tokens::{Caller, Scope},
};

/// How requests are let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether requests may come without a token while there are no tokens at all.
    pub open_without_tokens: bool,
    /// Whether the server listens on loopback only. Then a browser must not be tricked into talking to it.
    pub loopback: bool,
    /// Whether `/metrics` may be read without a token.
    pub public_metrics: bool,
}

/// What a route needs; `None` for nothing.
fn needed(route: &str, method: &Method, access: &Access) -> Option<Scope> {
    match route {
        "/-/healthy" | "/-/ready" | "/livez" | "/readyz" | "/healthz" | "/livez/{check}"
        | "/readyz/{check}" | "/healthz/{check}" | "/" | "/assets" | "/status" | "/docs"
        | "/openapi.json" | "/openapi.yaml" => None,
        "/metrics" if access.public_metrics => None,
        // A gate counts, but nothing changes that anybody decides by; a difference is a question with a long body.
        "/v1/gates/{name}/evaluate" | "/v1/gates/evaluate" | "/v1/backups/{id}/diff" => Some(Scope::Read),
        // Whatever the method: cron lines use GET.
        "/ping/{check}" | "/ping/{check}/{signal}" => Some(Scope::Write),
        // The board's document has the secrets that the views leave out.
        "/v1/tokens" | "/v1/tokens/{id}" | "/v1/board" | "/api/v1/admin/wipe" => Some(Scope::Admin),
        _ if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) => Some(Scope::Read),
        _ => Some(Scope::Write),
    }
}

/// Who is let in.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// Somebody with a token that suffices.
    Known(Caller),
    /// Anybody, because there are no tokens or none is needed.
    Anybody,
    /// Somebody who would need a token to see everything, and has none that suffices.
    Stranger,
}

/// Marks a request of somebody who is told only what everybody may know.
#[derive(Clone, Copy, Debug)]
pub struct Stranger;

/// Lets a request in, and says who sent it.
pub fn authorize<B>(
    board: &Board,
    access: &Access,
    route: &str,
    request: &Request<B>,
) -> Result<Admitted, Problem> {
    match route {
        "/health" => Ok(demand(board, access, route, request).unwrap_or(Admitted::Stranger)),
        "/ping/{check}" | "/ping/{check}/{signal}" if has_ping_key(board, request) => Ok(Admitted::Anybody),
        _ => demand(board, access, route, request),
    }
}

/// A key in the path stands for a token.
fn has_ping_key<B>(board: &Board, request: &Request<B>) -> bool {
    let key = request.uri().path().split('/').nth(2);
    key.is_some_and(|key| board.check_by_key(key).is_some())
}

fn demand<B>(board: &Board, access: &Access, route: &str, request: &Request<B>) -> Result<Admitted, Problem> {
    let Some(needed) = needed(route, request.method(), access) else { return Ok(Admitted::Anybody) };
    if access.open_without_tokens && !board.tokens.required() {
        return same_site(access, request).map(|()| Admitted::Anybody);
    }
    let Some(token) = bearer(request.headers()) else {
        return Err(Problem::new(Code::Unauthorized, "send a token as Authorization: Bearer"));
    };
    let Some(caller) = board.tokens.check(token, || board.clock.wall()) else {
        return Err(Problem::new(Code::Unauthorized, "the token is not valid"));
    };
    if caller.scope < needed {
        return Err(Problem::new(
            Code::Forbidden,
            format!("this needs the scope {needed}; the token has {}", caller.scope),
        ));
    }
    Ok(Admitted::Known(caller))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Without tokens, any page in the operator's browser could otherwise drive a board on loopback, directly or by
/// a name that resolves to 127.0.0.1.
fn same_site<B>(access: &Access, request: &Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    // HTTP/2 says it in the address.
    let host = match headers.get(header::HOST) {
        Some(host) => host.to_str().ok(),
        None => request.uri().authority().map(Authority::as_str),
    };
    if access.loopback
        && let Some(host) = host
        && !is_loopback(host)
    {
        return Err(Problem::new(Code::Forbidden, "without tokens, use the server by a loopback address"));
    }
    if let Some(origin) = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok())
        && origin.split_once("://").map(|(_, rest)| rest) != host
    {
        return Err(Problem::new(Code::Forbidden, "without tokens, pages of other sites are refused"));
    }
    // An image of another site's page has no Origin, and a ping needs no more than a GET.
    if request.uri().path().starts_with("/ping/")
        && headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
    {
        return Err(Problem::new(Code::Forbidden, "without tokens, pages of other sites are refused"));
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_loopback() {
        for good in ["localhost", "localhost:7077", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "LOCALHOST"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1", "[::2]", ""] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
