//! The operator's page: `/`, and its files under `/assets`.
//!
//! They are what the folder `ui/` has, without a build step. A debug build reads them from the folder: after a change, start
//! it again.

use std::sync::OnceLock;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Path,
    http::{HeaderMap, HeaderValue, Response, header},
    response::IntoResponse,
    routing::get,
};
use rust_embed::{Embed, EmbeddedFile};
use sha2::{Digest, Sha256};

use super::{
    etag::unless_known,
    problem::{Code, Problem},
};
use crate::app::text::hex;

/// Nothing but what comes from here, and no text becomes markup or a script, whoever wrote it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";
/// Where the page's own text has the version of its files.
const VERSION: &str = "{version}";

#[derive(Embed)]
#[folder = "ui/"]
#[include = "index.html"]
#[include = "app/*"]
#[include = "icons/*"]
#[include = "style/*"]
#[include = "vendor/*"]
struct Files;

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { index(&headers) }))
        .route("/assets/{version}/{*file}", get(asset))
}

/// Names the files: another version of the server has another one, so they can be kept for ever, and a page never gets
/// modules of two versions.
pub(super) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(digest)
}

fn digest() -> String {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort_unstable();
    let mut sum = Sha256::new();
    for name in names {
        sum.update(name.as_bytes());
        if let Some(file) = Files::get(&name) {
            sum.update(file.metadata.sha256_hash());
        }
    }
    hex(&sum.finalize()[..8])
}

fn index(headers: &HeaderMap) -> Response<Body> {
    let version = version();
    let tag = format!("W/\"{version}\"");
    let Some(page) = Files::get("index.html") else { return not_found() };
    let mut response = unless_known(headers, &tag, || {
        String::from_utf8_lossy(&page.data).replace(VERSION, version).into_response()
    });
    protect(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What keeps others from using a page, or learning of it.
pub(super) fn protect(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
}

async fn asset(Path((wanted, path)): Path<(String, String)>) -> Response<Body> {
    match Files::get(&path).filter(|_| path != "index.html") {
        Some(file) if wanted == version() => serve(&path, file),
        _ => not_found(),
    }
}

fn serve(path: &str, file: EmbeddedFile) -> Response<Body> {
    let bytes = match file.data {
        std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn not_found() -> Response<Body> {
    Problem::new(Code::NotFound, "there is nothing at this path").into_response()
}
