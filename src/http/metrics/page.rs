//! One page of everything.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::{backups, breakers, groups, health, limiters, pushed, schedules, telemetry};
use crate::{
    app::Board,
    domain::exposition::{Format, Writer},
};

pub(super) fn answer(board: &Board, format: Format) -> Response {
    let mut response = text(board, format).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Each family stands together and has its head once: the board's own have names that nobody else may use, and what is
/// pushed is written as one.
fn text(board: &Board, format: Format) -> String {
    // About as long as the last one, and some more for what is new.
    let expected = board.metrics_page_bytes();
    let mut text = String::with_capacity(expected + expected / 16 + 16 * 1024);
    let mut writer = Writer::new(&mut text, format).with_guests(board.push_groups_shown(format));
    telemetry::write(board, &mut writer);
    breakers::write(board, &mut writer);
    limiters::limiters(board, &mut writer);
    limiters::retry_policies(board, &mut writer);
    health::checks(board, &mut writer);
    health::gates(board, &mut writer);
    schedules::write(board, &mut writer);
    backups::write(board, &mut writer);
    pushed::write(board, &mut writer);
    groups::write(board, &mut writer);
    board.metrics_write(&mut writer);
    writer.finish();
    board.note_metrics_page_bytes(text.len());
    text
}
