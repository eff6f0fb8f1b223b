//! Laws that hold for every history, and examples that document them.

mod config;
mod examples;
mod laws;
mod restarts;
mod world;
