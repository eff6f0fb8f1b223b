//! The table of a view.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::{Palette, put};
use crate::cli::{
    text::width,
    top::{
        board::Board,
        cell::{Cell, Tone},
        tab::{Tab, Width, places},
        ui::Ui,
        view::cells,
    },
};

/// Draws the rows that fit.
pub fn draw_table(buffer: &mut Buffer, area: Rect, board: &Board, ui: &mut Ui, palette: Palette) {
    ui.rows = usize::from(area.height - 1);
    ui.scroll();
    let inner = Rect { x: area.x + 2, width: area.width - 2, ..area };
    let first = ui.top.min(ui.entries.len());
    let shown = &ui.entries[first..ui.entries.len().min(first + ui.rows)];
    let rows: Vec<_> = shown.iter().map(|entry| cells(board, entry)).collect();
    let columns = ui.tab.columns();
    let is_name = |index: usize| columns[index].width == Width::Name;
    let names = rows.iter().flatten().flat_map(|cells| cells.iter().enumerate());
    let names = names.filter(|(index, _)| is_name(*index)).map(|(_, cell)| width(&cell.text)).max();
    let names = u16::try_from(names.unwrap_or_default()).unwrap_or(u16::MAX);
    let places = places(columns, inner.width, names);
    for (index, x, given) in &places {
        let place = Rect { x: inner.x + x, width: *given, ..inner };
        put(buffer, place, 0, &[Cell::toned(columns[*index].title, Tone::Faint)], palette);
    }
    for (line, cells) in (1..).zip(&rows) {
        for (index, x, given) in &places {
            let place = Rect { x: inner.x + x, width: *given, ..inner };
            if let Some(cell) = cells.as_ref().and_then(|cells| cells.get(*index)) {
                put(buffer, place, line, std::slice::from_ref(cell), palette);
            }
        }
        if first + usize::from(line) - 1 == ui.at {
            put(buffer, area, line, &[Cell::toned(">", Tone::Strong)], palette);
            let row = Rect { y: area.y + line, height: 1, ..area };
            buffer.set_style(row, Style::new().add_modifier(Modifier::REVERSED));
        }
    }
    if rows.is_empty() {
        put(buffer, inner, 2, &[empty(board, ui)], palette);
    }
}

/// What to say where there is no row.
fn empty(board: &Board, ui: &Ui) -> Cell {
    let unread = ui.tab.shows().iter().any(|kind| board.list(*kind).read_at.is_none());
    if unread || (ui.tab == Tab::Overview && !board.is_known()) {
        return Cell::toned("reading …", Tone::Faint);
    }
    if !ui.filter.is_empty() {
        return Cell::new("Nothing here is called that; Esc shows all.");
    }
    Cell::toned(ui.tab.nothing(), if ui.tab == Tab::Overview { Tone::Good } else { Tone::Faint })
}
