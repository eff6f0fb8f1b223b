//! Routes: which receiver is told of which alerts.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Board, Limits, definitions::Resource, registry::Registry};
use crate::domain::{
    Name,
    notify::{RouteConfig, RouteSpec, Routing},
};

/// One outermost route.
#[derive(Debug)]
pub struct RouteCell {
    name: Name,
    config: Mutex<Arc<RouteConfig>>,
}

impl Resource for RouteCell {
    const KIND: &'static str = "route";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_routes;
    type Spec = RouteSpec;
    type Config = RouteConfig;

    fn spec(config: &RouteConfig) -> RouteSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.routes
    }

    fn create(_: &Board, name: Name, config: RouteConfig) -> Self {
        Self::new(name, config)
    }

    fn reconfigure(self: &Arc<Self>, board: &Board, config: RouteConfig) {
        *self.config.lock() = Arc::new(config);
        board.notifications.reroute();
    }

    fn created(self: &Arc<Self>, board: &Board) {
        board.notifications.reroute();
    }

    fn removed(&self, board: &Board) {
        board.notifications.reroute();
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> RouteConfig {
        RouteConfig::clone(&self.config.lock())
    }
}

/// A route as answered by `GET /v1/routes/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RouteView {
    /// The route's name.
    pub name: Name,
    /// Receivers that it names and that there are not: nobody is told in their place.
    pub missing_receivers: Vec<Name>,
    /// The configuration. What a route inside does not say, it takes from the one around it.
    pub config: RouteSpec,
}

impl RouteCell {
    /// A route.
    #[must_use]
    pub fn new(name: Name, config: RouteConfig) -> Self {
        Self { name, config: Mutex::new(Arc::new(config)) }
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self, board: &Board) -> RouteView {
        let config = Arc::clone(&self.config.lock());
        let is_missing = |name: &&Name| board.receivers.get(name.as_str()).is_none();
        let mut missing: Vec<_> = config.receivers().into_iter().filter(is_missing).cloned().collect();
        missing.sort();
        missing.dedup();
        RouteView { name: self.name.clone(), missing_receivers: missing, config: Self::spec(&config) }
    }
}

impl Board {
    /// All routes, in the order in which they are tried.
    pub(super) fn routing(&self) -> Routing {
        let mut routes: Vec<_> =
            self.routes.all().iter().map(|cell| (cell.name.clone(), cell.config())).collect();
        routes.sort_by(|(a, x), (b, y)| (x.position, a).cmp(&(y.position, b)));
        let routes: Vec<_> = routes.into_iter().map(|(_, config)| config).collect();
        Routing::new(&routes, self.receivers.names())
    }
}
