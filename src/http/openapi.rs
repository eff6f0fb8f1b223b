//! `openapi.yaml`, from the code.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Info, License, OpenApi, RefOr, Response,
        content::ContentBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::problem::{PROBLEM_JSON, ProblemBody};

/// The document before the routes are known.
#[must_use]
pub fn base() -> OpenApi {
    let mut info = Info::new("Fuseboard", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Shared circuit breakers, rate limits, retry budgets and health for a fleet of processes.\n\n\
         Refusals are decisions: 200 with `\"allowed\": false`. Every error is `application/problem+json` with a \
         stable `code`. Durations are float seconds, times RFC 3339 in UTC."
            .to_owned(),
    );
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    info.license = Some(license);
    let mut document = OpenApi::new(info, utoipa::openapi::Paths::new());
    document.tags = Some(
        [
            ("calls", "Guarding a call: one round trip for breaker and limiters, and the outcome."),
            ("breakers", "Shared circuit breakers."),
            ("limiters", "Shared rate limits and concurrency limits."),
            ("retry policies", "Shared retry budgets."),
            ("checks", "What is watched, and what was seen."),
            ("pings", "What jobs say of themselves."),
            ("health", "How all of it is."),
            ("gates", "May I go?"),
            ("schedules", "What runs by itself, and what became of it."),
            ("notifications", "Who is told of alerts, when, and what became of it."),
            ("alertmanager", "Alertmanager's API, for Prometheus and amtool."),
            ("board", "All that is declared, as one document; needs the scope `admin`."),
            ("events", "What happened."),
            ("tokens", "Bearer tokens; needs the scope `admin`."),
            ("probes", "For Kubernetes and load balancers."),
            ("metrics", "For Prometheus."),
        ]
        .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
        .to_vec(),
    );
    let bearer = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("Not needed on loopback as long as there are no tokens."))
            .build(),
    );
    let mut components = Components::new();
    components.security_schemes.insert("bearer".to_owned(), bearer.into());
    document.components = Some(components);
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
    document
}

/// Adds what every operation has: the error answer.
#[must_use]
pub fn finish(mut document: OpenApi) -> OpenApi {
    let problem = Response::builder()
        .description("An error. `code` says which.")
        .content(
            PROBLEM_JSON,
            ContentBuilder::new().schema(Some(utoipa::openapi::Ref::from_schema_name("Problem"))).build(),
        )
        .build();
    if let Some(components) = &mut document.components {
        let mut schemas = Vec::new();
        ProblemBody::<'static>::schemas(&mut schemas);
        schemas.push(("Problem".to_owned(), ProblemBody::<'static>::schema()));
        components.schemas.extend(schemas);
    }
    for item in document.paths.paths.values_mut() {
        let operations: [&mut Option<Operation>; 5] =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.head];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem.clone()));
        }
    }
    document
}

/// The committed document.
pub fn yaml() -> Result<String, String> {
    finish(super::described(true)).to_yaml().map_err(|e| e.to_string())
}
