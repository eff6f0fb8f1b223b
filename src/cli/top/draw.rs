//! The screen. Pure: it writes into a buffer.

mod detail;
mod form;
mod table;
#[cfg(test)]
mod tests;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Position, Rect},
    style::{Color, Modifier, Style},
};

use self::{
    detail::draw_detail,
    form::{draw_help, draw_prompt},
    table::draw_table,
};
use super::{
    board::{Board, Connection},
    cell::{Cell, Line, Tone},
    format::{moment, plural, span},
    kind::Kind,
    problems::{Gravity, Problem, overall, problems},
    tab::Tab,
    ui::Ui,
    view::Entry,
};
use crate::cli::text::{fitted, width};

/// The least that is of use.
const LEAST: (u16, u16) = (40, 8);
/// The server says something every fifteen seconds at least; so long a silence is worth a word.
const SILENCE: f64 = 18.0;

/// How tones look.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Without colours, tones differ by weight only; words and shapes say the rest.
    pub is_colourful: bool,
}

impl Palette {
    fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let coloured = |style: Style, colour| if self.is_colourful { style.fg(colour) } else { style };
        match tone {
            Tone::Plain => plain,
            Tone::Good => coloured(plain, Color::Green),
            Tone::Warn => coloured(plain, Color::Yellow),
            Tone::Bad => coloured(plain.add_modifier(Modifier::BOLD), Color::Red),
            Tone::Note => coloured(plain, Color::Cyan),
            Tone::Faint => plain.add_modifier(Modifier::DIM),
            Tone::Strong => plain.add_modifier(Modifier::BOLD),
        }
    }
}

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, board: &Board, ui: &mut Ui, palette: Palette) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let said = format!("fuseboard top needs {} x {} characters", LEAST.0, LEAST.1);
        return put(frame.buffer_mut(), area, 0, &[Cell::new(said)], palette);
    }
    let found = problems(board);
    let buffer = frame.buffer_mut();
    put(buffer, area, 0, &head(board, &found), palette);
    if let Some(link) = connection(board, area.width) {
        let x = area.width.saturating_sub(columns(&link));
        put(buffer, Rect { x: area.x + x, width: area.width - x, ..area }, 0, &link, palette);
    }
    put(buffer, area, 1, &tabs(ui, area.width), palette);
    let body = Rect { y: area.y + 2, height: area.height - 4, ..area };
    if ui.detail.is_some() {
        draw_detail(buffer, body, board, ui, palette);
    } else {
        draw_table(buffer, body, board, ui, palette);
    }
    put(buffer, area, area.height - 2, &status(board, ui), palette);
    put(buffer, area, area.height - 1, &keys(board, ui), palette);
    if ui.is_help {
        draw_help(frame.buffer_mut(), body, palette);
    }
    if let Some(prompt) = &ui.prompt {
        if let Some(cursor) = draw_prompt(frame.buffer_mut(), body, prompt, palette) {
            frame.set_cursor_position(cursor);
        }
    } else if ui.is_filtering {
        let x = u16::try_from(width(&ui.filter) + 1).unwrap_or(u16::MAX).min(area.width - 1);
        frame.set_cursor_position(Position { x: area.x + x, y: area.y + area.height - 2 });
    }
}

/// Cells beside each other in a line of an area.
fn put(buffer: &mut Buffer, area: Rect, line: u16, cells: &[Cell], palette: Palette) {
    if line >= area.height {
        return;
    }
    let (mut x, y, end) = (area.x, area.y + line, area.x + area.width);
    for cell in cells {
        let room = usize::from(end.saturating_sub(x));
        let text = fitted(&cell.text, room);
        (x, _) = buffer.set_stringn(x, y, &text, room, palette.style(cell.tone));
    }
}

fn columns(cells: &[Cell]) -> u16 {
    u16::try_from(cells.iter().map(|cell| width(&cell.text)).sum::<usize>()).unwrap_or(u16::MAX)
}

/// How all of it is.
fn head(board: &Board, found: &[Problem]) -> Line {
    let name = Cell::toned("Fuseboard  ", Tone::Strong);
    if !board.is_known() {
        return vec![name, Cell::toned("reading the board …", Tone::Faint)];
    }
    let loud = found.iter().filter(|problem| !problem.is_aside());
    let broken = loud.clone().filter(|problem| problem.gravity == Gravity::Bad).count();
    let wanting = loud.count() - broken;
    let (sign, tone) = match overall(found) {
        "red" => ("✗ SOMETHING IS BROKEN", Tone::Bad),
        "yellow" => ("! SOMETHING WANTS A LOOK", Tone::Warn),
        _ => ("✓ ALL IS WELL", Tone::Good),
    };
    let counts = [(broken, format!("{broken} broken")), (wanting, plural(wanting, "warning"))];
    let counts: Vec<_> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(_, said)| said).collect();
    vec![name, Cell::toned(sign, tone), Cell::new(format!("  {}", counts.join(", ")))]
}

/// How the stream of events is, at the right.
fn connection(board: &Board, columns: u16) -> Option<Line> {
    let silent = board.now - board.heard;
    let said = match &board.connection {
        Connection::Connecting => Cell::toned(" connecting … ", Tone::Warn),
        Connection::Live if silent > SILENCE => {
            Cell::toned(format!(" STALE: nothing heard for {} ", span(silent)), Tone::Bad)
        }
        Connection::Live => {
            let clock = moment(board.wall, board.wall);
            return (columns >= 70).then(|| vec![Cell::toned(format!(" live {clock} UTC"), Tone::Faint)]);
        }
        Connection::Lost { since, .. } => {
            Cell::toned(format!(" DISCONNECTED since {} ", moment(*since, board.wall)), Tone::Bad)
        }
    };
    Some(vec![said])
}

fn tabs(ui: &Ui, room: u16) -> Line {
    let long: usize = Tab::ALL.iter().map(|tab| tab.title().len() + 4).sum();
    let is_narrow = long > usize::from(room);
    let mut line = Vec::new();
    for (index, tab) in Tab::ALL.into_iter().enumerate() {
        let is_here = tab == ui.tab;
        let title = if is_narrow && !is_here { &tab.title()[..3] } else { tab.title() };
        let number = index + 1;
        // Brackets tell which one it is without any colour.
        line.push(if is_here {
            Cell::toned(format!("[{number} {title}]"), Tone::Strong)
        } else {
            Cell::toned(format!(" {number} {title} "), Tone::Faint)
        });
    }
    line
}

/// What there is to say: the filter, what was done, what could not be read, why there is no connection.
fn status(board: &Board, ui: &Ui) -> Line {
    if ui.is_filtering {
        return vec![Cell::toned("/", Tone::Strong), Cell::new(&ui.filter)];
    }
    if let Some((said, tone)) = ui.said(board.now) {
        return vec![Cell::toned(said, tone)];
    }
    if let Connection::Lost { why, .. } = &board.connection {
        return vec![Cell::toned(format!("what is shown may be old; trying again: {why}"), Tone::Warn)];
    }
    let unread = Kind::ALL.into_iter().find_map(|kind| Some((kind, board.list(kind).error.as_ref()?)));
    if let Some((kind, error)) = unread {
        return vec![Cell::toned(format!("{}s could not be read: {error}", kind.word()), Tone::Bad)];
    }
    let cut = ui.tab.shows().iter().find(|kind| board.list(**kind).is_cut);
    let count = match (ui.detail.is_some(), ui.entries.len()) {
        (true, _) | (false, 0) => String::new(),
        (false, all) => format!("{} of {all}", ui.at + 1),
    };
    let more =
        cut.map(|kind| format!(" (more than {} are not read)", board.list(*kind).len())).unwrap_or_default();
    let selected = ui.entries.get(ui.at).filter(|_| ui.detail.is_none());
    // What has little room in its row is said here in full.
    if let Some(Entry::Problem(problem)) = selected {
        let by = if problem.reporter.is_empty() { String::new() } else { format!(" ({})", problem.reporter) };
        return vec![
            Cell::toned(format!("{count}  "), Tone::Faint),
            Cell::new(format!("{}{by}", problem.text)),
        ];
    }
    let filter = if ui.filter.is_empty() { String::new() } else { format!("  filter: {}", ui.filter) };
    vec![Cell::toned(format!("{count}{more}{filter}"), Tone::Faint)]
}

/// Which keys do something.
fn keys(board: &Board, ui: &Ui) -> Line {
    let mut keys: Vec<(String, &str)> = Vec::new();
    if ui.prompt.is_some() {
        keys.extend([("Enter".into(), "do it"), ("Tab".into(), "next line"), ("Esc".into(), "leave it")]);
    } else if ui.is_filtering {
        keys.extend([("Enter".into(), "keep"), ("Esc".into(), "show all")]);
    } else {
        keys.extend([("?".into(), "help"), ("q".into(), "quit")]);
        keys.extend(ui.acts(board).into_iter().map(|(key, what)| (key.to_string(), what)));
        if ui.detail.is_some() {
            keys.push(("Esc".into(), "back"));
        } else {
            keys.extend([("Enter".into(), "more"), ("/".into(), "filter"), ("Tab".into(), "view")]);
        }
    }
    let pair = |(key, what): (String, &str)| {
        [Cell::toned(key, Tone::Strong), Cell::toned(format!(" {what}  "), Tone::Faint)]
    };
    keys.into_iter().flat_map(pair).collect()
}
