//! What the command line does beside serving.

use std::io::Write;

use fuseboard::domain::Name;

pub mod alert;
pub mod api;
pub mod backup;
pub mod breaker;
pub mod db;
pub mod draft;
pub mod events;
pub mod export;
pub mod gate;
pub mod health;
pub mod import;
pub mod limiter;
pub mod metrics;
pub mod notification;
pub mod ready;
pub mod receiver;
pub mod schedule;
pub mod signals;
pub mod silence;
pub mod table;
pub mod token;
pub mod transfer;

/// A line on standard output.
pub fn say(line: &str) {
    // A closed pipe is the reader's choice.
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// A name on the command line.
pub fn name(text: &str) -> Result<Name, String> {
    Name::try_from(text).map_err(|error| error.to_string())
}

/// An error on standard error.
pub fn complain(message: &str) {
    drop(writeln!(std::io::stderr().lock(), "fuseboard: {message}"));
}

/// The runtime for `threads` threads.
pub fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start the runtime: {e}"))
}

/// `fuseboard openapi`
pub fn openapi() -> Result<(), String> {
    say(fuseboard::http::openapi::yaml()?.trim_end());
    Ok(())
}
