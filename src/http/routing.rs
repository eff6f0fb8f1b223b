//! Routes that are served at once and described only when somebody asks.
//!
//! `utoipa_axum::routes!` builds the description of every route and type with the router. That takes a third of an
//! idle server's memory and a tenth of its start.

use axum::{Router, routing::MethodRouter};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::AppState;

/// The handlers of one path.
pub(super) struct Served {
    pub(super) path: String,
    pub(super) handlers: MethodRouter<AppState>,
    pub(super) describe: fn() -> UtoipaMethodRouter<AppState>,
}

/// The routes of a resource.
#[derive(Default)]
pub struct Routes(Vec<Served>);

impl Routes {
    /// Adds what [`routes!`] makes.
    pub(super) fn routes(mut self, served: Served) -> Self {
        self.0.push(served);
        self
    }

    /// Adds those of another resource.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Serves them.
    pub(super) fn serve(self) -> Router<AppState> {
        self.0.into_iter().fold(Router::new(), |router, served| router.route(&served.path, served.handlers))
    }

    /// The types that they describe.
    #[cfg(test)]
    pub(super) fn schemas(&self) -> Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)> {
        self.0.iter().flat_map(|served| (served.describe)().0).collect()
    }

    /// Describes them, on top of what `router` has.
    pub(super) fn describe(self, router: OpenApiRouter<AppState>) -> OpenApiRouter<AppState> {
        self.0.into_iter().fold(router, |router, served| router.routes((served.describe)()))
    }
}

/// Handlers of one path with `#[utoipa::path]`, like the macro of the same name in `utoipa_axum`.
macro_rules! routes {
    ($first:ident $(, $more:ident)*) => {{
        use utoipa::Path as _;
        use utoipa_axum::PathItemExt as _;
        utoipa_axum::paste! {
            let mut handlers = axum::routing::MethodRouter::new();
            for method in [<__path_ $first>]::methods() {
                handlers = handlers.on(method.to_method_filter(), $first);
            }
            $(for method in [<__path_ $more>]::methods() {
                handlers = handlers.on(method.to_method_filter(), $more);
            })*
            $crate::http::routing::Served {
                path: [<__path_ $first>]::path(),
                handlers,
                describe: || utoipa_axum::routes!($first $(, $more)*),
            }
        }
    }};
}
pub(super) use routes;
