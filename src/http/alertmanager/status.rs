//! `/api/v2/status` and `/api/v2/receivers`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{AlertmanagerReceiver, time};
use crate::http::{
    AppState,
    json::Json,
    routing::{Routes, routes},
};

pub(super) fn routes() -> Routes {
    Routes::default().routes(routes!(alertmanager_status)).routes(routes!(alertmanager_receivers))
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerStatus {
    /// Other servers: none.
    cluster: AlertmanagerCluster,
    /// What runs.
    version_info: AlertmanagerVersion,
    /// The routes as Alertmanager's configuration.
    config: AlertmanagerConfig,
    /// Since when it runs.
    uptime: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerCluster {
    status: &'static str,
    peers: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerVersion {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerConfig {
    original: String,
}

/// How the server is, and its routes as Alertmanager's configuration, without how receivers are reached.
#[utoipa::path(get, path = "/api/v2/status", tag = "alertmanager",
    responses((status = 200, description = "The status.", body = AlertmanagerStatus)))]
async fn alertmanager_status(State(state): State<AppState>) -> Json<AlertmanagerStatus> {
    Json(AlertmanagerStatus {
        cluster: AlertmanagerCluster { status: "disabled", peers: Vec::new() },
        version_info: AlertmanagerVersion {
            version: env!("CARGO_PKG_VERSION"),
            revision: "",
            branch: "fuseboard",
            build_user: "",
            build_date: "",
            go_version: "",
        },
        config: AlertmanagerConfig { original: state.board.alertmanager_config() },
        uptime: time(state.board.notifications.started_at),
    })
}

/// The receivers.
#[utoipa::path(get, path = "/api/v2/receivers", tag = "alertmanager",
    responses((status = 200, description = "Their names.", body = Vec<AlertmanagerReceiver>)))]
async fn alertmanager_receivers(State(state): State<AppState>) -> Json<Vec<AlertmanagerReceiver>> {
    let names = state.board.receivers.names();
    Json(names.iter().map(|name| AlertmanagerReceiver { name: name.as_str().to_owned() }).collect())
}
