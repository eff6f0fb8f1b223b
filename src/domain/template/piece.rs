//! What a template consists of: text as it stands, and fields.

use super::{
    Fields, number, quote,
    spec::{NumberSpec, TextSpec},
    text,
};

/// One part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Stands as it is.
    Literal(Box<str>),
    /// `{value:.2f}`
    Number(NumberField, NumberSpec),
    /// `{value!r:>8}`: the text of a number, formatted as text. All conversions give the same.
    NumberText(NumberField, TextSpec),
    /// `{level!r:>8}`
    Text(TextField, Conversion, TextSpec),
}

/// A field that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberField {
    Threshold,
    Value,
}

/// A field that is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextField {
    MetricName,
    Comparison,
    Level,
}

/// What becomes of a text before it is formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// Nothing: `{level}` and `{level!s}`.
    Plain,
    /// Quoted, with escapes: `{level!r}`.
    Repr,
    /// The same in ASCII: `{level!a}`.
    Ascii,
}

impl Piece {
    /// Appends its text.
    pub(super) fn render(&self, fields: &Fields<'_>, out: &mut String) {
        match self {
            Self::Literal(literal) => out.push_str(literal),
            Self::Number(field, spec) => number::format(field.of(fields), spec, out),
            Self::NumberText(field, spec) => {
                let mut shown = String::new();
                number::format(field.of(fields), &NumberSpec::default(), &mut shown);
                text::format(&shown, spec, out);
            }
            Self::Text(field, conversion, spec) => {
                let raw = field.of(fields);
                match conversion {
                    Conversion::Plain => text::format(raw, spec, out),
                    Conversion::Repr => text::format(&quote::repr(raw), spec, out),
                    Conversion::Ascii => text::format(&quote::ascii(raw), spec, out),
                }
            }
        }
    }
}

impl NumberField {
    fn of(self, fields: &Fields<'_>) -> f64 {
        match self {
            Self::Threshold => fields.threshold,
            Self::Value => fields.value,
        }
    }
}

impl TextField {
    fn of<'a>(self, fields: &Fields<'a>) -> &'a str {
        match self {
            Self::MetricName => fields.metric_name,
            Self::Comparison => fields.comparison,
            Self::Level => fields.level,
        }
    }
}
