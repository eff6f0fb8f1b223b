//! The API's description: `/openapi.json`, `/openapi.yaml`, and a browsable page at `/docs` that needs no internet.

use std::sync::{Arc, OnceLock};

use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa::openapi::OpenApi;

use super::{
    json::json_response,
    openapi,
    problem::{Code, Problem},
};

/// Scripts and styles only from here; Swagger UI sets styles on elements and shows icons from `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Written when first asked for: neither the start of the server nor its memory pays for it.
struct Document {
    metrics_enabled: bool,
    json: OnceLock<bytes::Bytes>,
    config: Arc<utoipa_swagger_ui::Config<'static>>,
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>(metrics_enabled: bool) -> Router<S> {
    let config = utoipa_swagger_ui::Config::new(["/openapi.json"]).use_base_layout();
    let shared: &'static Document =
        Box::leak(Box::new(Document { metrics_enabled, json: OnceLock::new(), config: Arc::new(config) }));
    Router::new()
        .route("/docs", get(|| async { Redirect::temporary("/docs/") }))
        .route("/docs/", get(move || async move { file(shared, "") }))
        .route("/docs/{*file}", get(move |Path(path): Path<String>| async move { file(shared, &path) }))
        .route("/openapi.json", get(move || async move { shared.json() }))
        .route("/openapi.yaml", get(move || async move { shared.yaml() }))
}

impl Document {
    fn description(&self) -> OpenApi {
        openapi::finish(super::described(self.metrics_enabled))
    }

    fn json(&self) -> Response {
        let text =
            self.json.get_or_init(|| serde_json::to_vec(&self.description()).unwrap_or_default().into());
        json_response(StatusCode::OK, text.clone())
    }

    fn yaml(&self) -> Response {
        match self.description().to_yaml() {
            Ok(text) => ([(header::CONTENT_TYPE, "application/yaml")], text).into_response(),
            Err(error) => Problem::new(Code::InternalError, error.to_string()).into_response(),
        }
    }
}

fn file(shared: &Document, path: &str) -> Response {
    match utoipa_swagger_ui::serve(path, Arc::clone(&shared.config)) {
        Ok(Some(file)) => {
            let mut response = Response::new(Body::from(file.bytes.into_owned()));
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            response
        }
        Ok(None) => Problem::new(Code::NotFound, "there is nothing at this path").into_response(),
        Err(error) => Problem::new(Code::InternalError, error.to_string()).into_response(),
    }
}
