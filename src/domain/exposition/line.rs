//! Walking along a line.

use std::borrow::Cow;

/// What is left of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a>(pub(super) &'a str);

/// Why an escaped text does not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The line ends before the quote.
    Open,
    /// A backslash before this, or before the end of the line.
    Escape(Option<char>),
}

impl<'a> Line<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    /// Steps over a letter if it is next.
    pub(super) fn take(&mut self, letter: char) -> bool {
        let rest = self.0.strip_prefix(letter);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    pub(super) fn peek(self) -> Option<char> {
        self.0.chars().next()
    }

    /// Up to the next blank.
    pub(super) fn word(&mut self) -> &'a str {
        self.split_at(self.0.find([' ', '\t']).unwrap_or(self.0.len()))
    }

    /// The longest start that is the name of a metric; empty if there is none.
    pub(super) fn metric_name(&mut self) -> &'a str {
        self.name(|byte| matches!(byte, b'_' | b':'))
    }

    /// The longest start that is the name of a label; empty if there is none.
    pub(super) fn label_name(&mut self) -> &'a str {
        self.name(|byte| byte == b'_')
    }

    fn name(&mut self, is_extra: fn(u8) -> bool) -> &'a str {
        let bytes = self.0.as_bytes();
        if bytes.first().is_some_and(u8::is_ascii_digit) {
            return "";
        }
        let end = bytes.iter().position(|byte| !byte.is_ascii_alphanumeric() && !is_extra(*byte));
        self.split_at(end.unwrap_or(bytes.len()))
    }

    /// A value up to its closing quote, which is stepped over.
    pub(super) fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        let (text, end) = unescape(self.0, true)?;
        self.0 = &self.0[end + 1..];
        Ok(text)
    }

    /// All that is left, unescaped.
    pub(super) fn help(self) -> Result<Cow<'a, str>, Fault> {
        unescape(self.0, false).map(|(text, _)| text)
    }

    fn split_at(&mut self, end: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }
}

/// The text up to the closing quote or the end, and where that is.
fn unescape(raw: &str, to_quote: bool) -> Result<(Cow<'_, str>, usize), Fault> {
    let ends = |byte: u8| byte == b'\\' || to_quote && byte == b'"';
    let mut text = Cow::Borrowed("");
    let mut at = 0;
    loop {
        let rest = &raw[at..];
        let plain = rest.bytes().position(ends).unwrap_or(rest.len());
        if text.is_empty() {
            text = Cow::Borrowed(&rest[..plain]);
        } else {
            text.to_mut().push_str(&rest[..plain]);
        }
        at += plain;
        match raw.as_bytes().get(at) {
            None if to_quote => return Err(Fault::Open),
            None | Some(b'"') => return Ok((text, at)),
            Some(_) => {}
        }
        let escaped = match raw[at + 1..].chars().next() {
            Some('n') => '\n',
            Some(letter @ ('\\' | '"')) => letter,
            other => return Err(Fault::Escape(other)),
        };
        text.to_mut().push(escaped);
        at += 2;
    }
}
