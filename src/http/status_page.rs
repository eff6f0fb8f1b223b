//! `/status`: how chosen checks are, for everybody. Off unless `[status_page]` turns it on.

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Response, header},
    response::IntoResponse,
    routing::get,
};
use maud::{DOCTYPE, Markup, html};

use super::{
    AppState,
    problem::{Code, Problem},
    ui,
};
use crate::{
    app::{
        checks::view::HealthCheck,
        health::{HealthFilter, HealthReport},
    },
    config::StatusPage,
    domain::{
        Name,
        health::{Standing, Status},
    },
};

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/status", get(status))
}

async fn status(State(state): State<AppState>) -> Response<Body> {
    let Some(page) = &state.status_page else {
        return Problem::new(Code::NotFound, "there is nothing at this path").into_response();
    };
    let report = state.board.health(&HealthFilter::of(page.checks.iter().cloned()));
    let mut response = render(page, &report).into_string().into_response();
    ui::protect(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn render(page: &StatusPage, report: &HealthReport) -> Markup {
    let (version, overall) = (ui::version(), report.overall_status);
    let asset = |path: &str| format!("/assets/{version}/{path}");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) ": " (all_together(overall)) }
                link rel="icon" href=(asset(icon(overall))) type="image/svg+xml";
                link rel="stylesheet" href=(asset("style/theme.css"));
                link rel="stylesheet" href=(asset("style/status.css"));
            }
            body {
                main {
                    h1 { (page.title) }
                    p.overall.(class(overall)) { (all_together(overall)) }
                    ul {
                        @for name in &page.checks { (row(name, report.checks.get(name.as_str()))) }
                    }
                    p.asof {
                        "As of " (report.timestamp.strftime("%Y-%m-%d %H:%M:%S UTC")) ". "
                        a href="/status" { "Look again" }
                    }
                }
            }
        }
    }
}

fn row(name: &Name, check: Option<&HealthCheck>) -> Markup {
    let (class, word) = match check {
        Some(check) if !check.stale => (class(check.status), word(check.status)),
        // Without a result that still holds nothing is known, but it is no good sign.
        Some(check) => (class(Standing { status: check.status, stale: true }.for_people()), "No recent data"),
        None => ("yellow", "No recent data"),
    };
    html! {
        li.(class) { span.name { (name.as_str()) } span.status { (word) } }
    }
}

fn all_together(status: Status) -> &'static str {
    match status {
        Status::Green => "All systems operational",
        Status::Yellow => "Some systems are degraded",
        Status::Red => "Some systems are down",
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Green => "Operational",
        Status::Yellow => "Degraded",
        Status::Red => "Down",
    }
}

fn class(status: Status) -> &'static str {
    status.as_str()
}

fn icon(status: Status) -> &'static str {
    match status {
        Status::Green => "icons/green.svg",
        Status::Yellow => "icons/yellow.svg",
        Status::Red => "icons/red.svg",
    }
}
