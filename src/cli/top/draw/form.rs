//! What stands before all else: the form, and the list of keys.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    widgets::{Block, Clear, Widget},
};

use super::{Palette, columns, detail::pieces, put};
use crate::cli::{
    text::{fitted, visible, width},
    top::{
        cell::{Cell, Tone},
        prompt::Prompt,
    },
};

const HELP: [(&str, &str); 17] = [
    ("j k ↓ ↑", "another row; g G first and last, space and Page keys a screen"),
    ("Tab 1-8", "another view; also h l ← →"),
    ("/", "only rows whose names have this text"),
    ("Enter", "all that is known of it: why, who, history, configuration"),
    ("Esc", "back; show all rows"),
    ("r", "reset the breaker"),
    ("t", "trip the breaker: it refuses all calls"),
    ("d m", "disable the breaker; let it only count"),
    ("a", "acknowledge the alert about it"),
    ("s", "silence alerts like that"),
    ("p", "hold back everybody at the limiter"),
    ("x", "run the check or schedule, evaluate the gate"),
    ("q", "quit; also Ctrl-C"),
    ("(I) [O]", "closed: calls pass; open: calls are refused"),
    ("<½> [X]", "half open: a few may try; forced open by hand"),
    ("{-} (M)", "disabled: all pass; metrics only: all pass, outcomes count"),
    ("", "Keys that change something need a token that may write."),
];

/// Draws the list of keys.
pub fn draw_help(buffer: &mut Buffer, area: Rect, palette: Palette) {
    let height = u16::try_from(HELP.len()).unwrap_or(u16::MAX) + 2;
    let inner = dialog(buffer, area, 76, height, "Keys");
    for (line, (key, what)) in (0..).zip(HELP) {
        let key = format!(" {key:<9}");
        put(buffer, inner, line, &[Cell::toned(key, Tone::Strong), Cell::new(what)], palette);
    }
}

/// A box in the middle, and what is inside of it.
fn dialog(buffer: &mut Buffer, area: Rect, columns: u16, lines: u16, title: &str) -> Rect {
    let (width, height) = (columns.min(area.width), lines.min(area.height));
    let area =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    Clear.render(area, buffer);
    let title = fitted(title, usize::from(width.saturating_sub(4)));
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(area);
    block.render(area, buffer);
    inner
}

/// Draws the form; where the cursor stands in it.
pub fn draw_prompt(buffer: &mut Buffer, area: Rect, prompt: &Prompt, palette: Palette) -> Option<Position> {
    let count = u16::try_from(prompt.fields.len()).unwrap_or(u16::MAX);
    let inner = dialog(buffer, area, 76, count.saturating_add(6), &prompt.title.text);
    put(buffer, inner, 0, std::slice::from_ref(&prompt.about), palette);
    // Where not all lines fit, those around the one that is written in do.
    let room = inner.height.saturating_sub(4).max(1);
    let focus = u16::try_from(prompt.focus).unwrap_or(u16::MAX);
    let first = (focus + 1).saturating_sub(room);
    let mut cursor = None;
    for (line, field) in (0..room).zip(prompt.fields.iter().skip(usize::from(first))) {
        let is_here = line + first == focus;
        let mark = if is_here { "> " } else { "  " };
        let label = Cell::toned(format!("{mark}{:<9}", field.label), Tone::Strong);
        let from = columns(std::slice::from_ref(&label));
        let value = Rect { x: inner.x + from, width: inner.width.saturating_sub(from), ..inner };
        put(buffer, inner, line + 2, &[label], palette);
        let text = visible(&field.value);
        let text = end_of(&text, usize::from(value.width.saturating_sub(1)));
        let hint =
            if field.value.is_empty() { Cell::toned(field.hint, Tone::Faint) } else { Cell::new(text) };
        put(buffer, value, line + 2, std::slice::from_ref(&hint), palette);
        if is_here && !prompt.busy {
            let x = if field.value.is_empty() { 0 } else { columns(std::slice::from_ref(&hint)) };
            cursor = Some(Position { x: value.x + x, y: value.y + line + 2 });
        }
    }
    let said = match (&prompt.error, prompt.busy) {
        (Some(error), _) => Cell::toned(error, Tone::Bad),
        (None, true) => Cell::toned("being done …", Tone::Faint),
        (None, false) => Cell::default(),
    };
    let lines = pieces(&said.text, usize::from(inner.width));
    let last = inner.height.saturating_sub(2);
    for (line, text) in (last..inner.height).zip(lines) {
        put(buffer, inner, line, &[Cell { text, tone: said.tone }], palette);
    }
    cursor
}

/// The last part of a text, in so many columns.
fn end_of(text: &str, room: usize) -> String {
    let mut rest = text;
    while width(rest) > room {
        let mut chars = rest.chars();
        chars.next();
        rest = chars.as_str();
    }
    rest.to_owned()
}
