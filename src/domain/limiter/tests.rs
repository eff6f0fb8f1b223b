//! Laws that hold for every history, and examples that document them.

mod absence;
mod config;
mod examples;
mod fleet;
mod laws;
mod restarts;
mod world;
