//! `openapi.yaml`, from the code.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Info, License, OpenApi, RefOr, Response, Schema,
        content::ContentBuilder,
        path::Operation,
        schema::{SchemaType, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{
    definitions::EntityTags,
    idempotency::IdempotencyKeyText,
    pings::SignalText,
    problem::{PROBLEM_JSON, ProblemBody},
};
use crate::domain::{
    backup::BackupId,
    schema::{IdCursor, LabelFilter, NameList, NamesOrNone},
};

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

/// Adds what every operation has: the error answer. What may be left out of a request, a parameter or the body, is not `null`
/// instead.
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
        schemas.extend(of_parameters());
        components.schemas.extend(schemas);
    }
    for item in document.paths.paths.values_mut() {
        let operations: [&mut Option<Operation>; 5] =
            [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.head];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem.clone()));
            for parameter in operation.parameters.iter_mut().flatten().filter_map(own) {
                parameter.schema.iter_mut().for_each(without_null);
            }
            for body in operation.request_body.iter_mut().filter_map(own) {
                let contents = body.content.values_mut().filter_map(own);
                contents.flat_map(|content| &mut content.schema).for_each(without_null);
            }
        }
    }
    document
}

/// The types of parameters. Those of bodies are described with the operations, and these are not.
fn of_parameters() -> Vec<(String, RefOr<Schema>)> {
    fn described<T: ToSchema>() -> (String, RefOr<Schema>) {
        (T::name().into_owned(), T::schema())
    }
    vec![
        described::<BackupId>(),
        described::<EntityTags>(),
        described::<IdCursor>(),
        described::<IdempotencyKeyText>(),
        described::<LabelFilter>(),
        described::<NameList>(),
        described::<NamesOrNone>(),
        described::<SignalText>(),
    ]
}

fn own<T>(this: &mut RefOr<T>) -> Option<&mut T> {
    match this {
        RefOr::T(own) => Some(own),
        RefOr::Ref(_) => None,
    }
}

/// `A` of "`A` or null".
fn without_null(schema: &mut RefOr<Schema>) {
    let is_null = |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null));
    match schema {
        RefOr::T(Schema::OneOf(one_of)) => {
            one_of.items.retain(|item| !is_null(item));
            if one_of.items.len() == 1
                && let Some(only) = one_of.items.pop()
            {
                *schema = only;
            }
        }
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
            }
        }
        _ => {}
    }
}

/// The committed document.
pub fn yaml() -> Result<String, String> {
    finish(super::described(true)).to_yaml().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    #[test]
    fn each_type_has_a_name_of_its_own() {
        let mut known = BTreeMap::<String, Value>::new();
        for (name, schema) in crate::http::all(true).schemas().into_iter().chain(of_parameters()) {
            let schema = serde_json::to_value(schema).unwrap();
            let other = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*other, schema, "two types are called {name}");
        }
    }

    #[test]
    fn what_is_referred_to_is_there() {
        let document = yaml().unwrap();
        let names = document.split("#/components/schemas/").skip(1);
        for name in names.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()) {
            assert!(document.contains(&format!("\n    {name}:\n")), "{name}");
        }
    }
}
