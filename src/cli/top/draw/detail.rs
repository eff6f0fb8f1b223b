//! One resource, looked at closely.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Palette, columns, put};
use crate::cli::{
    text::width,
    top::{
        board::Board,
        cell::{Cell, Line, Tone},
        detail,
        ui::Ui,
        view::{Entry, heading},
    },
};

/// Draws the lines from where it was scrolled to.
pub fn draw_detail(buffer: &mut Buffer, area: Rect, board: &Board, ui: &mut Ui, palette: Palette) {
    ui.rows = usize::from(area.height - 1);
    let Some(detail) = &mut ui.detail else { return };
    let title = match &detail.entry {
        Entry::Event(id) => Cell::toned(format!("event {id}"), Tone::Strong),
        entry => entry.target().map(|(kind, name)| heading(board, kind, name)).unwrap_or_default(),
    };
    put(buffer, area, 0, &[title], palette);
    let mut lines = detail::lines(board, &detail.entry, detail.items.as_ref());
    if let Some(error) = &detail.error {
        lines.insert(0, vec![Cell::toned(format!("could not be read: {error}"), Tone::Bad)]);
    }
    let lines = wrapped(lines, usize::from(area.width));
    detail.scroll = detail.scroll.min(lines.len().saturating_sub(ui.rows));
    for (line, cells) in (1..area.height).zip(lines.iter().skip(detail.scroll)) {
        put(buffer, area, line, cells, palette);
    }
}

/// Lines that are too long go on in the next, below where their last part begins.
fn wrapped(lines: Vec<Line>, room: usize) -> Vec<Line> {
    let mut out = Vec::new();
    for mut line in lines {
        let Some(last) = line.pop() else {
            out.push(line);
            continue;
        };
        let indent = usize::from(columns(&line));
        let room = room.saturating_sub(indent).max(8);
        for (n, text) in pieces(&last.text, room).into_iter().enumerate() {
            let lead = if n == 0 { std::mem::take(&mut line) } else { vec![Cell::new(" ".repeat(indent))] };
            out.push([lead, vec![Cell { text, tone: last.tone }]].concat());
        }
    }
    out
}

/// The text in pieces that fit, cut between words where that is possible.
pub fn pieces(text: &str, room: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while width(rest) > room {
        let mut end = 0;
        let mut used = 0;
        for (at, c) in rest.char_indices() {
            used += width(c.encode_utf8(&mut [0; 4]));
            if used > room {
                break;
            }
            end = at + c.len_utf8();
        }
        let space = rest[..end].rfind(' ').filter(|space| *space > end / 2);
        let cut = space.map_or(end, |space| space + 1).max(rest.chars().next().map_or(1, char::len_utf8));
        pieces.push(rest[..cut].trim_end().to_owned());
        rest = &rest[cut..];
    }
    pieces.push(rest.to_owned());
    pieces
}
