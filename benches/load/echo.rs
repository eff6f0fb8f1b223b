//! The peer of the load benchmark: the least that axum does for a JSON request. It parses the body of
//! `POST /v1/calls` into a struct and answers it as JSON; no authentication, metrics, ids, limits or decisions.
//!
//! `echo PORT` listens on that port of 127.0.0.1 with one runtime thread.

use axum::{Json, Router, routing::post};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize, Serialize)]
struct Ask {
    breaker: String,
    limiters: Vec<Tokens>,
    client: String,
    outcomes: Vec<Report>,
}

#[derive(Deserialize, Serialize)]
struct Tokens {
    name: String,
    tokens: f64,
}

#[derive(Deserialize, Serialize)]
struct Report {
    call_id: String,
    outcome: String,
    duration_seconds: f64,
}

async fn echo(Json(body): Json<Ask>) -> Json<Ask> {
    Json(body)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("usage: echo PORT")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, Router::new().route("/v1/calls", post(echo))).await?;
        Ok(())
    })
}
