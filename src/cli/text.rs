//! Text from anywhere, made safe for a terminal; and how wide it is there.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// So many marks may stand on one letter. No language has more, and towers of them cover the lines above.
const MOST_MARKS: usize = 3;

/// Characters that move or hide others without being control characters: directions, joiners, tags (category Cf), and
/// separators of lines.
const INVISIBLE: [(char, char); 18] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// The text with everything shown that would move the cursor, change colours or turn around what stands beside it.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        let width = c.width();
        marks = if width == Some(0) { marks + 1 } else { 0 };
        let begins = out.is_empty() && width == Some(0);
        if c.is_control() || is_invisible(c) || marks > MOST_MARKS || begins {
            // Writing to a String does not fail.
            let _ = write!(out, "{}", escaped(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn escaped(c: char) -> String {
    if c.is_ascii() { c.escape_default().to_string() } else { c.escape_unicode().to_string() }
}

fn is_invisible(c: char) -> bool {
    INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Columns that the text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most so many columns; `…` says that there was more.
pub fn fitted(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let width = c.width().unwrap_or_default();
        if used + width + 1 > most {
            break;
        }
        used += width;
        out.push(c);
    }
    if most > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_hides_or_turns_around() {
        for (text, wanted) in [
            ("a\u{1b}[2Jb\r\n\t", "a\\u{1b}[2Jb\\r\\n\\t"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("a\u{200b}b\u{feff}c", "a\\u{200b}b\\u{feff}c"),
            ("\u{e0041}x", "\\u{e0041}x"),
            ("café 猫 👍", "café 猫 👍"),
            ("cafe\u{301}", "cafe\u{301}"),
            ("\u{301}e", "\\u{301}e"),
        ] {
            assert_eq!(visible(text), wanted);
        }
        let tower = format!("e{}", "\u{301}".repeat(500));
        assert_eq!(visible(&tower).matches('\u{301}').count(), MOST_MARKS);
    }

    #[test]
    fn what_is_too_wide_is_cut_where_it_still_fits() {
        assert_eq!(fitted("kraken", 6), "kraken");
        assert_eq!(fitted("kraken_api", 6), "krake…");
        assert_eq!(fitted("猫猫猫", 4), "猫…", "half of a wide one does not fit");
        assert_eq!((width("猫"), fitted("猫", 1), fitted("猫", 0)), (2, "…".to_owned(), String::new()));
    }
}
