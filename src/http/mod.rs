//! The board over HTTP: one file per resource, and the edge that every request passes.

mod aggregates;
mod alert_routes;
mod alertmanager;
mod alerts;
pub mod auth;
mod backups;
mod board;
#[doc(hidden)]
pub mod bodies;
mod breakers;
pub mod browser;
mod calls;
mod checks;
mod definitions;
mod docs;
pub mod edge;
mod etag;
mod events;
mod extract;
mod gates;
mod health;
mod idempotency;
pub mod json;
mod leases;
mod limiters;
mod maintenance_windows;
mod metrics;
mod notifications;
pub mod openapi;
mod paging;
mod pings;
mod probes;
pub mod problem;
mod pushgateway;
mod receivers;
mod replica;
mod retention;
mod retry_policies;
mod routes;
mod routing;
mod schedules;
mod silences;
mod status_page;
mod streams;
mod strict;
mod thresholds;
mod tokens;
mod ui;
pub mod unparsed;
mod unread;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::Router;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use routes::ROUTES;
use routing::Routes;

use crate::{app::Board, config::StatusPage};

/// What handlers need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The board.
    pub board: Arc<Board>,
    /// The largest body of an ordinary request, in bytes.
    pub body_limit: usize,
    /// How long a body that may be long may stop.
    pub body_timeout: Duration,
    /// What everybody may see at `/status`, if anything.
    pub status_page: Option<Arc<StatusPage>>,
    /// Set as soon as the server is asked to stop.
    pub draining: Arc<AtomicBool>,
    /// Ends event streams.
    pub shutdown: CancellationToken,
}

/// All routes.
fn all(metrics_enabled: bool) -> Routes {
    let routes = Routes::default()
        .merge(calls::routes())
        .merge(aggregates::routes())
        .merge(breakers::routes())
        .merge(limiters::routes())
        .merge(leases::routes())
        .merge(retry_policies::routes())
        .merge(checks::routes())
        .merge(pings::routes())
        .merge(health::routes())
        .merge(gates::routes())
        .merge(schedules::routes())
        .merge(receivers::routes())
        .merge(alert_routes::routes())
        .merge(silences::routes())
        .merge(maintenance_windows::routes())
        .merge(notifications::routes())
        .merge(alertmanager::routes())
        .merge(backups::routes())
        .merge(retention::routes())
        .merge(metrics::routes())
        .merge(pushgateway::routes())
        .merge(thresholds::routes())
        .merge(alerts::routes())
        .merge(board::routes())
        .merge(events::routes())
        .merge(replica::routes())
        .merge(tokens::routes())
        .merge(probes::routes());
    if metrics_enabled { routes.merge(metrics::page_routes()) } else { routes }
}

/// The description of all routes.
#[must_use]
pub fn described(metrics_enabled: bool) -> OpenApi {
    all(metrics_enabled).describe(OpenApiRouter::with_openapi(openapi::base())).to_openapi()
}

/// The routes of a running server.
pub fn routes(metrics_enabled: bool) -> Router<AppState> {
    all(metrics_enabled)
        .serve()
        .merge(docs::routes(metrics_enabled))
        .merge(ui::routes())
        .merge(status_page::routes())
        .fallback(unread::not_found)
        .method_not_allowed_fallback(unread::method_not_allowed)
}
