//! Integration tests: each drives a real server over TCP, with a database file of its own and a manual clock.

mod bad_input;
mod breakers;
mod calls;
mod events;
mod limiters;
mod process;
mod restart;
mod retry_policies;
mod server;
mod support;
