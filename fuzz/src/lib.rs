//! What holds of whatever comes from outside. Each module is a target of `cargo fuzz`; the server's own tests run the committed
//! seeds through the same functions (`tests/board/seeds.rs`), so that they build and hold with each change.

pub mod aggregates;
pub mod alertmanager;
pub mod config;
pub mod cron;
pub mod definitions;
pub mod exposition;
pub mod grouping_key;
pub mod json_diff;
pub mod matchers;
pub mod names;
pub mod protobuf;
pub mod quantities;
pub mod scan;
pub mod template;

/// A target, and where its seeds lie: `seeds/{name}/`.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 14] = [
    ("aggregates", aggregates::check),
    ("alertmanager", alertmanager::check),
    ("config", config::check),
    ("cron", cron::check),
    ("definitions", definitions::check),
    ("exposition", exposition::check),
    ("grouping_key", grouping_key::check),
    ("json_diff", json_diff::check),
    ("matchers", matchers::check),
    ("names", names::check),
    ("protobuf", protobuf::check),
    ("quantities", quantities::check),
    ("scan", scan::check),
    ("template", template::check),
];
