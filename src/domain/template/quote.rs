//! Texts as Python's `repr` and `ascii` quote them.

use std::fmt::Write as _;

/// Quoted as `repr` does it: in single quotes, or in double ones if that saves an escape.
pub(super) fn repr(raw: &str) -> String {
    quoted(raw, is_printable)
}

/// As [`repr`], with an escape for all that is not ASCII.
pub(super) fn ascii(raw: &str) -> String {
    quoted(raw, |c| c.is_ascii() && is_printable(c))
}

fn quoted(raw: &str, shown: impl Fn(char) -> bool) -> String {
    let quote = if raw.contains('\'') && !raw.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(raw.len() + 2);
    out.push(quote);
    for c in raw.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            _ if c == quote => out.extend(['\\', c]),
            _ if shown(c) => out.push(c),
            _ => escape(c, &mut out),
        }
    }
    out.push(quote);
    out
}

fn escape(c: char, out: &mut String) {
    let code = u32::from(c);
    // Writing to a string cannot fail.
    let _ = match code {
        ..0x100 => write!(out, "\\x{code:02x}"),
        0x100..0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Whether Python's `str.isprintable` holds: no control, format, private or unassigned character, and no space but ` `.
/// The standard library escapes the same ones; combining marks only at the start, therefore the letter before.
fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        _ => format!("a{c}").escape_debug().skip(1).eq([c]),
    }
}
