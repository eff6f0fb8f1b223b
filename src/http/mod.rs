//! The board over HTTP: one file per resource, and the edge that every request passes.

pub mod auth;
mod breakers;
mod calls;
mod checks;
mod definitions;
mod docs;
pub mod edge;
mod events;
mod extract;
mod gates;
mod health;
mod idempotency;
pub mod json;
mod limiters;
mod metrics;
pub mod openapi;
mod paging;
mod pings;
mod probes;
pub mod problem;
mod retry_policies;
mod routes;
mod schedules;
mod strict;
mod tokens;
pub mod unparsed;

use std::sync::{Arc, atomic::AtomicBool};

use axum::Router;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

pub use routes::ROUTES;

use crate::app::Board;

/// What handlers need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The board.
    pub board: Arc<Board>,
    /// The largest body of an ordinary request, in bytes.
    pub body_limit: usize,
    /// Set as soon as the server is asked to stop.
    pub draining: Arc<AtomicBool>,
    /// Ends event streams.
    pub shutdown: CancellationToken,
}

/// All routes, with their documentation.
#[must_use]
pub fn api(metrics_enabled: bool) -> OpenApiRouter<AppState> {
    let api = OpenApiRouter::with_openapi(openapi::base())
        .merge(calls::routes())
        .merge(breakers::routes())
        .merge(limiters::routes())
        .merge(retry_policies::routes())
        .merge(checks::routes())
        .merge(pings::routes())
        .merge(health::routes())
        .merge(gates::routes())
        .merge(schedules::routes())
        .merge(events::routes())
        .merge(tokens::routes())
        .merge(probes::routes());
    if metrics_enabled { api.merge(metrics::routes()) } else { api }
}

/// The routes of a running server.
pub fn routes(metrics_enabled: bool) -> Router<AppState> {
    let (router, _) = api(metrics_enabled).split_for_parts();
    router.merge(docs::routes(metrics_enabled))
}
