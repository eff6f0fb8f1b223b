//! What the command line does beside serving.

use std::io::Write;

use fuseboard::domain::Name;
use serde_json::Value;

use self::table::Cell;

pub mod alert;
pub mod answer;
pub mod api;
pub mod backup;
pub mod breaker;
pub mod call;
pub mod check;
pub mod completions;
pub mod db;
pub mod definition;
pub mod draft;
pub mod events;
pub mod export;
pub mod gate;
pub mod health;
pub mod import;
pub mod limiter;
pub mod maintenance_window;
pub mod man;
pub mod metrics;
pub mod notification;
pub mod ready;
pub mod receiver;
pub mod retention;
pub mod retry_policy;
pub mod route;
pub mod schedule;
pub mod signals;
pub mod silence;
pub mod sse;
pub mod table;
pub mod text;
pub mod token;
pub mod top;
pub mod transfer;

/// A line on standard output.
pub fn say(line: &str) {
    // A closed pipe is the reader's choice.
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// An answer as the server's JSON, or as tables.
pub fn print(as_json: bool, answer: &Value, tables: impl FnOnce(&Value)) {
    if as_json { say(&answer.to_string()) } else { tables(answer) }
}

/// A document on several lines.
pub fn document(value: &Value) {
    for line in serde_json::to_string_pretty(value).unwrap_or_default().lines() {
        say(&Cell::new(line).into_text());
    }
}

/// What is in a list.
pub fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A name on the command line.
pub fn name(text: &str) -> Result<Name, String> {
    Name::try_from(text).map_err(|error| error.to_string())
}

/// A label on the command line.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a label is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A number on the command line. JSON has no others, and would leave them out.
pub fn finite(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| "not a finite number".to_owned())
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
