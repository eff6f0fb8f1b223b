//! Tables on a terminal.

use std::io::IsTerminal;

use serde_json::Value;

use super::text::{visible, width};

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// As it should be.
    Good,
    /// Look at it.
    Warn,
    /// Broken.
    Bad,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }
}

impl Cell {
    /// Text that may come from anywhere: what would move the cursor is shown instead of done.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: visible(text.as_ref()), paint: None }
    }

    /// A field of a document: text as it is, numbers shortened, nothing for null.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::new(""),
            Value::String(text) => Self::new(text),
            Value::Number(n) if n.is_f64() => Self::new(format!("{:.3}", n.as_f64().unwrap_or_default())),
            other => Self::new(other.to_string()),
        }
    }

    /// The text, safe to print.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Coloured, on a terminal.
    #[must_use]
    pub const fn painted(mut self, paint: Paint) -> Self {
        self.paint = Some(paint);
        self
    }
}

/// Whether to use colours: on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
pub fn is_colourful() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The rows below their heads, in columns.
pub fn table(heads: &[&str], rows: &[Vec<Cell>], colours: bool) -> String {
    let widest = |i: usize| {
        let cells = rows.iter().filter_map(|row| row.get(i)).map(|cell| width(&cell.text));
        cells.chain([heads[i].len()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..heads.len()).map(widest).collect();
    let heads: Vec<_> = heads.iter().map(Cell::new).collect();
    let lines = std::iter::once(&heads).chain(rows).map(|row| {
        let mut line = String::new();
        for (cell, column) in row.iter().zip(&widths) {
            let gap = " ".repeat(column - width(&cell.text) + 2);
            match cell.paint.filter(|_| colours) {
                Some(paint) => line.extend(["\x1b[", paint.code(), "m", &cell.text, "\x1b[0m", &gap]),
                None => line.extend([cell.text.as_str(), &gap]),
            }
        }
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_escapes_its_cell() {
        let rows = [
            vec![Cell::new("a\x1b[2J\n"), Cell::new("open").painted(Paint::Bad)],
            vec![Cell::new("é"), Cell::of(&Value::Null)],
            vec![Cell::new("猫"), Cell::new("closed")],
        ];
        let text = table(&["NAME", "STATE"], &rows, false);
        assert_eq!(text, "NAME          STATE\na\\u{1b}[2J\\n  open\né\n猫            closed");
        assert!(table(&["NAME", "STATE"], &rows, true).contains("\x1b[31mopen\x1b[0m"));
    }
}
