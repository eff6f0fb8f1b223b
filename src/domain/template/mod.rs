//! Message templates: Python's `str.format` for the five fields of an alert.
//!
//! `{metric_name}`, `{comparison}` and `{level}` are texts, `{threshold}` and `{value}` are numbers. A template that
//! parses gives the text that `CPython` 3.11 to 3.13 gives for
//! `template.format(metric_name=…, comparison=…, threshold=…, value=…, level=…)`, with conversions (`!r`, `!s`, `!a`)
//! and every format specification that it accepts for a `str` and a `float`. What it refuses is refused here.
//!
//! Numbers are always floats, however they were written: a threshold of `5` reads `5.0`, and `{value:d}` is refused,
//! as `CPython` refuses it for `5.0`. `n` is the locale's format, and a program that chooses none has the C locale: it
//! reads like `g`.
//!
//! [`Refusal::Unsupported`] names what `CPython` may take and we do not:
//! - a field inside of a specification (`{value:{level}}`): whether it is one is known only when the values are;
//! - attributes and indices (`{value.real}`, `{level[0]}`): a message needs none, and they open the object;
//! - more than [`Template::MAX_LEN`] bytes, [`Template::MAX_FIELDS`] fields, or a width or precision above
//!   [`Template::MAX_WIDTH`], so that every text stays small;
//! - widths and precisions in digits other than `0` to `9`;
//! - separators in the fraction (`{value:.6_f}`), which came with Python 3.14.
//!
//! `z` (no negative zero) came with Python 3.11, and `0` before the width of a text with 3.10: older ones refuse them.
//! `!r` shows or escapes a character as Unicode classes it, in the version of Unicode that the compiler brings; a
//! Python with an older one escapes what was not yet assigned.

mod number;
mod parse;
mod piece;
mod quote;
mod spec;
mod text;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use self::piece::Piece;
use super::InvalidConfig;

/// A template that never fails to render.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: Box<str>,
    pieces: Box<[Piece]>,
}

/// What one message is about.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// The metric that was looked at.
    pub metric_name: &'a str,
    /// How value and threshold were compared, such as `>`.
    pub comparison: &'a str,
    /// What the value was compared with.
    pub threshold: f64,
    /// What the metric was.
    pub value: f64,
    /// How bad it is, such as `warning`.
    pub level: &'a str,
}

/// Why a text is no template of ours, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Whose rule it breaks.
    pub refusal: Refusal,
    /// Where it breaks it: that many characters stand before.
    pub at: usize,
    /// What is wrong there.
    pub message: String,
}

/// Whose rule a template breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Python's: `str.format` raises an exception for it.
    NotPython,
    /// Ours, as the documentation of the module says; Python may take it.
    Unsupported,
}

impl Template {
    /// The template of a threshold that has none.
    pub const DEFAULT: &'static str = "{metric_name} {comparison} {threshold}: {value}";
    /// The longest template, in bytes.
    pub const MAX_LEN: usize = 4096;
    /// How many fields a template may have.
    pub const MAX_FIELDS: usize = 64;
    /// The largest width and the largest precision.
    pub const MAX_WIDTH: usize = 256;

    /// Checks all of `source`: what parses renders.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Ok(Self { pieces: parse::pieces(source)?, source: source.into() })
    }

    /// The template as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The text for those values. At most `MAX_LEN + MAX_FIELDS * (4 * MAX_WIDTH + 4 * n + 2)` bytes, where `n` is the
    /// length of the longest text among the fields: 70 kB as long as none is longer than 8 bytes, 100 kB with 128.
    #[must_use]
    pub fn render(&self, fields: &Fields<'_>) -> String {
        let mut out = String::with_capacity(self.source.len() + 64);
        for piece in &self.pieces {
            piece.render(fields, &mut out);
        }
        out
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, TemplateError> {
        Self::parse(source)
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(source: String) -> Result<Self, TemplateError> {
        Self::parse(&source)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source.into()
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.source)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People count from one.
        write!(f, "at character {}: {}", self.at + 1, self.message)
    }
}

impl std::error::Error for TemplateError {}

impl From<TemplateError> for InvalidConfig {
    fn from(error: TemplateError) -> Self {
        Self { field: "message_template", message: error.to_string() }
    }
}

#[cfg(test)]
mod tests;
