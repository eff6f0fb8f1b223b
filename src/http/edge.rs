//! The outermost layer: what every request passes, whatever its route.
//!
//! It is one plain function instead of a tower of layers, because a guarded call must cost microseconds: each
//! boxed layer costs as much as the decision itself.

use std::{
    convert::Infallible,
    fmt::Display,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header},
    response::IntoResponse,
};
use bytes::Bytes;
use futures_util::FutureExt;
use tower::{Layer, Service};
use tower_http::{CompressionLevel, compression::CompressionLayer, decompression::RequestDecompressionLayer};

use super::{
    AppState, alertmanager,
    auth::{self, Access, Admitted, Stranger},
    browser::BrowserRules,
    calls,
    health::HEALTH_JSON,
    metrics,
    problem::{Code, PROBLEM_JSON, Problem},
    pushgateway,
    routes::{CALLS, GROUPS, PUSHES, is_hot, is_long, is_routine, route_of, template},
    unread::read_off,
};
use crate::domain::Time;

/// How long a request may take whose body is long.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bounds on requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EdgeLimits {
    /// Requests worked on at once; more are shed.
    pub max_requests_in_flight: usize,
    /// How long a request may take, its body included.
    pub request_timeout: Duration,
}

/// The service behind every connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Edge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: AppState,
    router: Router,
    access: Access,
    limits: EdgeLimits,
    browser: BrowserRules,
    id_prefix: u32,
    next_id: AtomicU64,
}

impl Edge {
    /// Wraps the router.
    #[must_use]
    pub fn new(
        state: AppState,
        router: Router,
        access: Access,
        limits: EdgeLimits,
        browser: BrowserRules,
    ) -> Self {
        let id_prefix = getrandom::u32().unwrap_or_default();
        Self(Arc::new(Inner {
            state,
            router,
            access,
            limits,
            browser,
            id_prefix,
            next_id: AtomicU64::new(0),
        }))
    }

    /// Answers a request. Never fails: errors are answers too.
    pub async fn handle<B>(self, mut request: Request<B>) -> Result<Response<Body>, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError> + Display,
    {
        let inner = &*self.0;
        let start = inner.state.board.clock.now();
        let route = route_of(request.uri().path());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let id = inner.request_id(request.headers());
        let in_texts = alertmanager::wants_texts(uri.path(), request.headers());
        let in_flight = InFlight::enter(inner);
        let response = match inner.admit(route, &mut request) {
            Ok(()) => {
                let response = inner.serve(route, request).await;
                drop(in_flight);
                response
            }
            Err(problem) => {
                // Whoever has no token must not keep out those who have one, by sending slowly.
                drop(in_flight);
                let response = problem.into_response();
                if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                    let (head, body) = request.into_parts();
                    read_off(&head.headers, body).await;
                }
                response
            }
        };
        let mut response = as_problem(response, uri.path(), in_texts);
        inner.finish(start, route, &method, &uri, &id, response.status());
        response.headers_mut().insert(REQUEST_ID, id);
        inner.browser.put(response.headers_mut(), is_hot(route));
        Ok(response)
    }
}

impl Inner {
    fn admit<B>(&self, route: usize, request: &mut Request<B>) -> Result<(), Problem> {
        let probe = template(route).trim_end_matches("/{check}").ends_with('z');
        let busy = self.state.board.telemetry.requests_in_flight.get();
        if !probe && usize::try_from(busy).unwrap_or(0) > self.limits.max_requests_in_flight {
            self.state.board.telemetry.requests_shed.inc();
            return Err(Problem::new(Code::Overloaded, "too many requests are being worked on")
                .retry_after(Duration::from_secs(1)));
        }
        match auth::authorize(&self.state.board, &self.access, template(route), request)? {
            Admitted::Known(caller) if !is_hot(route) => drop(request.extensions_mut().insert(caller)),
            Admitted::Stranger => drop(request.extensions_mut().insert(Stranger)),
            Admitted::Known(_) | Admitted::Anybody => {}
        }
        Ok(())
    }

    async fn serve<B>(&self, route: usize, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError> + Display,
    {
        let work = AssertUnwindSafe(self.dispatch(route, request)).catch_unwind();
        let limit = if is_long(route) { LONGEST } else { self.limits.request_timeout };
        match within(limit, work).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                Problem::new(Code::InternalError, "the server has a bug; see its log").into_response()
            }
            Err(TookTooLong) => {
                let seconds = limit.as_secs_f64();
                Problem::new(Code::RequestTimeout, format!("the request took longer than {seconds} s"))
                    .into_response()
            }
        }
    }

    /// Codings cost a layer each, so only requests that ask for one go through it; and guarded calls and pushed metrics, by
    /// far the most frequent requests, do not need the router to be found.
    async fn dispatch<B>(&self, route: usize, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<tower::BoxError> + Display,
    {
        if matches!(route, CALLS | PUSHES)
            && request.method() == Method::POST
            && !request.headers().contains_key(header::CONTENT_ENCODING)
        {
            return match route {
                CALLS => calls::begin(&self.state, request).await.into_response(),
                _ => metrics::push(&self.state, request).await.into_response(),
            };
        }
        if route == GROUPS
            && matches!(*request.method(), Method::PUT | Method::POST | Method::DELETE)
            && !request.headers().contains_key(header::CONTENT_ENCODING)
        {
            return pushgateway::handle(&self.state, request).await.into_response();
        }
        let mut router = self.router.clone();
        if request.headers().contains_key(header::CONTENT_ENCODING) {
            let mut service = RequestDecompressionLayer::new().no_br().no_deflate().layer(router);
            return service
                .call(lower_coding(request).map(Body::new))
                .await
                .map_or_else(|error| match error {}, |response| response.map(Body::new));
        }
        if worth_compressing(&request) {
            // A page of metrics is long, repeats itself and is scraped for ever.
            let quality = if template(route) == "/metrics" {
                CompressionLevel::Fastest
            } else {
                CompressionLevel::Default
            };
            let mut service = CompressionLayer::new().no_br().no_deflate().quality(quality).layer(router);
            return service
                .call(request)
                .await
                .map_or_else(|error| match error {}, |response| response.map(Body::new));
        }
        match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    fn finish(
        &self,
        start: Time,
        route: usize,
        method: &Method,
        uri: &Uri,
        id: &HeaderValue,
        status: StatusCode,
    ) {
        let seconds = self.state.board.clock.now().since(start).as_secs_f64();
        self.state.board.telemetry.count_request(route, method.as_str(), status.as_u16(), seconds);
        let (quiet, route, path) = (is_routine(route), template(route), uri.path());
        let id = id.to_str().unwrap_or_default();
        // The query may hold what does not belong into a log; the path does not, unless a token's secret was taken for
        // its id. The key of a ping is a secret.
        let is_secret = route == "/v1/tokens/{id}" || route.starts_with("/ping/");
        let path = if is_secret { route } else { path };
        // What /health says is about applications.
        if status.is_server_error() && route != "/health" {
            tracing::warn!(target: "access", %method, path, route, status = status.as_u16(), seconds, id, "request");
        } else if status.is_client_error() || !quiet {
            tracing::info!(target: "access", %method, path, route, status = status.as_u16(), seconds, id, "request");
        } else {
            tracing::debug!(target: "access", %method, path, route, status = status.as_u16(), seconds, id, "request");
        }
    }

    /// The caller's id if it is usable, else a new one.
    fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(given) = headers.get(REQUEST_ID)
            && given.len() <= 128
            && given.as_bytes().iter().all(u8::is_ascii_graphic)
        {
            return given.clone();
        }
        let n = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut text = [0_u8; 20];
        let number = u128::from(self.id_prefix) << 48 | u128::from(n & 0xffff_ffff_ffff);
        for (i, digit) in text.iter_mut().enumerate() {
            let nibble = usize::try_from(number >> (76 - 4 * i) & 15).unwrap_or_default();
            *digit = b"0123456789abcdef"[nibble];
        }
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("none"))
    }
}

struct TookTooLong;

/// Gives `work` so much time. What is done at once needs no timer.
async fn within<F: Future>(limit: Duration, work: F) -> Result<F::Output, TookTooLong> {
    let mut work = std::pin::pin!(work);
    let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
    match first {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => tokio::time::timeout(limit, work).await.map_err(|_| TookTooLong),
    }
}

/// Names of codings are the same in any case (RFC 9110, 8.4.1), which the decoder does not know.
fn lower_coding<B>(mut request: Request<B>) -> Request<B> {
    if let Some(coding) = request.headers_mut().get_mut(header::CONTENT_ENCODING)
        && let Ok(lower) = HeaderValue::from_bytes(&coding.as_bytes().to_ascii_lowercase())
    {
        *coding = lower;
    }
    request
}

fn worth_compressing<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET && request.headers().contains_key(header::ACCEPT_ENCODING)
}

struct InFlight<'a>(&'a Inner);

impl<'a> InFlight<'a> {
    fn enter(inner: &'a Inner) -> Self {
        inner.state.board.telemetry.requests_in_flight.inc();
        Self(inner)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state.board.telemetry.requests_in_flight.dec();
    }
}

/// Gives a problem its body, also where the framework refused by itself.
fn as_problem(mut response: Response<Body>, path: &str, in_texts: bool) -> Response<Body> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let respond = |problem: &Problem| {
        if in_texts { alertmanager::in_its_words(problem, path) } else { problem.respond(path) }
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return respond(&problem);
    }
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind == PROBLEM_JSON
            || kind == "application/json"
            || kind == HEALTH_JSON
            || kind.as_bytes().starts_with(b"text/plain")
    });
    if is_ours {
        return response;
    }
    let code = Code::of_status(status);
    let detail = match code {
        Code::NotFound => "there is nothing at this path",
        Code::MethodNotAllowed => "this path does not know this method",
        Code::UnsupportedMediaType => "the body's coding is not gzip or zstd",
        _ => "the request was refused",
    };
    let mut problem = respond(&Problem::new(code, detail));
    for name in [header::ALLOW, header::ACCEPT_ENCODING] {
        if let Some(value) = response.headers().get(&name) {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}
