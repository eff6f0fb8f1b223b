//! Fuseboard: shared circuit breakers, rate limits, retry budgets and health for a fleet of processes.
//!
//! The folder is the layer, the file is the resource:
//!
//! - [`domain`]: the pure core. State and time in, decision out.
//! - [`app`]: use cases and the live state.
//! - [`store`]: what must survive, in SQLite.
//! - [`http`]: the API.
//! - [`outbound`]: requests that the server makes itself.
//! - [`tasks`]: what happens by itself.
//! - [`server`]: wires it all and serves.
#![cfg_attr(feature = "client", doc = "- [`client`]: guards calls of Rust services, by asking a server.")]
//!
//! Vocabulary: a *breaker* that is *open* refuses; a *call* is one guarded use of an upstream, with an *outcome*; a
//! *permit* is the leave of one call and has a *lease*; an *event* is something that happened; a *mark* is a durable
//! bound on what a limiter may have promised; a *check* is what to watch, a *result* what was seen once, a *standing* what
//! the results amount to and whether that still holds; a *gate* answers whether to go; a *schedule* is an intent, a *run*
//! one execution of it; a *metric* has a *series* for each set of labels, a *sample* is one number for one of them.

pub mod app;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod logging;
pub mod outbound;
pub mod server;
pub mod store;
pub mod tasks;
pub mod telemetry;
