//! Maintenance windows: times that come again, in which nobody is told of certain alerts.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Board, Limits, definitions::Resource, registry::Registry};
use crate::domain::{
    Name,
    notify::{MaintenanceWindowConfig, MaintenanceWindowSpec},
};

/// One maintenance window.
#[derive(Debug)]
pub struct MaintenanceWindowCell {
    name: Name,
    config: Mutex<Arc<MaintenanceWindowConfig>>,
}

impl Resource for MaintenanceWindowCell {
    const KIND: &'static str = "maintenance_window";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_maintenance_windows;
    type Spec = MaintenanceWindowSpec;
    type Config = MaintenanceWindowConfig;

    fn spec(config: &MaintenanceWindowConfig) -> MaintenanceWindowSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.maintenance_windows
    }

    fn create(_: &Board, name: Name, config: MaintenanceWindowConfig) -> Self {
        Self::new(name, config)
    }

    fn reconfigure(self: &Arc<Self>, _: &Board, config: MaintenanceWindowConfig) {
        *self.config.lock() = Arc::new(config);
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> MaintenanceWindowConfig {
        MaintenanceWindowConfig::clone(&self.config.lock())
    }
}

/// A maintenance window as answered by `GET /v1/maintenance-windows/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MaintenanceWindowView {
    /// The window's name.
    pub name: Name,
    /// Whether it is open now.
    pub is_open: bool,
    /// When it closes, if it is open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closes_at: Option<Timestamp>,
    /// When it opens next; null if it is disabled or never does again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opens_at: Option<Timestamp>,
    /// The configuration, every field filled.
    pub config: MaintenanceWindowSpec,
}

impl MaintenanceWindowCell {
    /// A maintenance window.
    #[must_use]
    pub fn new(name: Name, config: MaintenanceWindowConfig) -> Self {
        Self { name, config: Mutex::new(Arc::new(config)) }
    }

    /// Its configuration, not copied.
    pub(super) fn shared(&self) -> Arc<MaintenanceWindowConfig> {
        Arc::clone(&self.config.lock())
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self, board: &Board) -> MaintenanceWindowView {
        let (config, now) = (self.shared(), board.clock.wall());
        let closes_at = config.ends_at(now);
        MaintenanceWindowView {
            name: self.name.clone(),
            is_open: closes_at.is_some(),
            closes_at,
            opens_at: config.next_after(now),
            config: Self::spec(&config),
        }
    }
}
