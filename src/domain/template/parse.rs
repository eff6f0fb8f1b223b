//! From the text of a template to its pieces: braces, names, conversions. Specifications are read in [`spec`](super::spec).

use super::{
    Refusal, Template, TemplateError,
    piece::{Conversion, NumberField, Piece, TextField},
    spec::{NumberSpec, Spec, TextSpec},
};

const NAMES: [&str; 5] = ["metric_name", "comparison", "threshold", "value", "level"];

/// The pieces of `source`, in order.
pub(super) fn pieces(source: &str) -> Result<Box<[Piece]>, TemplateError> {
    if source.len() > Template::MAX_LEN {
        let message =
            format!("a template has at most {} bytes, this one {}", Template::MAX_LEN, source.len());
        return Err(TemplateError { refusal: Refusal::Unsupported, at: 0, message });
    }
    let mut reader = Reader { rest: source, at: 0 };
    let (mut pieces, mut literal, mut fields) = (Vec::new(), String::new(), 0);
    while let Some(c) = reader.next() {
        match c {
            '{' | '}' if reader.take(c) => literal.push(c),
            '}' => return reader.back(1).wrong("a single `}`; write `}}` for the character"),
            '{' => {
                fields += 1;
                if fields > Template::MAX_FIELDS {
                    let message = format!("a template has at most {} fields", Template::MAX_FIELDS);
                    return reader.back(1).unsupported(message);
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
                }
                pieces.push(reader.field()?);
            }
            _ => literal.push(c),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(pieces.into())
}

/// Reads a text by characters and knows where it is.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a str,
    at: usize,
}

#[derive(Clone, Copy)]
enum Field {
    Number(NumberField),
    Text(TextField),
}

impl<'a> Reader<'a> {
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.at += 1;
        Some(c)
    }

    /// Takes the next character if it is that one.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Takes what comes before the first of `ends`, or before the end.
    fn until(&mut self, ends: &[char]) -> Self {
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        let start = self.at;
        *self = Self { rest, at: start + taken.chars().count() };
        Self { rest: taken, at: start }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// For an error about what was just taken.
    pub(super) fn back(self, characters: usize) -> Self {
        Self { at: self.at - characters, ..self }
    }

    /// Python raises an exception here.
    pub(super) fn wrong<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError { refusal: Refusal::NotPython, at: self.at, message: message.into() })
    }

    /// Python may go on here, and we do not.
    pub(super) fn unsupported<T>(&self, message: impl Into<String>) -> Result<T, TemplateError> {
        Err(TemplateError { refusal: Refusal::Unsupported, at: self.at, message: message.into() })
    }

    /// A field, whose `{` was taken.
    fn field(&mut self) -> Result<Piece, TemplateError> {
        let opened = self.back(1);
        if !self.rest.contains('}') {
            return opened.wrong("`{` without its `}`; write `{{` for the character");
        }
        let name = self.until(&['{', '}', ':', '!', '.', '[']);
        let field = name.named()?;
        let conversion = match self.next() {
            Some('}') => return Ok(unformatted(field)),
            Some('!') => Some(self.conversion()?),
            Some('.' | '[') => {
                return self.back(1).unsupported("attributes and indices of fields are not supported");
            }
            Some('{') => return self.back(1).wrong("a `{` in the name of a field"),
            _ => None,
        };
        if conversion.is_some() && self.take('}') {
            return formatted(field, conversion, Spec::default(), opened);
        }
        if conversion.is_some() && !self.take(':') {
            return self.wrong("after a conversion comes `}` or `:`");
        }
        let mut spec = self.until(&['{', '}']);
        let place = spec;
        match self.next() {
            Some('}') => formatted(field, conversion, Spec::parse(&mut spec)?, place),
            _ => self.back(1).unsupported("fields inside of a format specification are not supported"),
        }
    }

    /// The field that is called what is here.
    fn named(&self) -> Result<Field, TemplateError> {
        Ok(match self.rest {
            "metric_name" => Field::Text(TextField::MetricName),
            "comparison" => Field::Text(TextField::Comparison),
            "level" => Field::Text(TextField::Level),
            "threshold" => Field::Number(NumberField::Threshold),
            "value" => Field::Number(NumberField::Value),
            name => return self.wrong(unknown(name)),
        })
    }

    fn conversion(&mut self) -> Result<Conversion, TemplateError> {
        match self.next() {
            Some('s') => Ok(Conversion::Plain),
            Some('r') => Ok(Conversion::Repr),
            Some('a') => Ok(Conversion::Ascii),
            Some(other) => {
                self.back(1).wrong(format!("`{}` is no conversion: one is r, s or a", other.escape_debug()))
            }
            None => self.wrong("a conversion is missing: one is r, s or a"),
        }
    }
}

fn unformatted(field: Field) -> Piece {
    match field {
        Field::Number(field) => Piece::Number(field, NumberSpec::default()),
        Field::Text(field) => Piece::Text(field, Conversion::Plain, TextSpec::default()),
    }
}

fn formatted(
    field: Field,
    conversion: Option<Conversion>,
    spec: Spec,
    place: Reader<'_>,
) -> Result<Piece, TemplateError> {
    Ok(match (field, conversion) {
        (Field::Number(field), None) => Piece::Number(field, spec.of_number(place)?),
        (Field::Number(field), Some(_)) => Piece::NumberText(field, spec.of_text(place)?),
        (Field::Text(field), conversion) => {
            Piece::Text(field, conversion.unwrap_or(Conversion::Plain), spec.of_text(place)?)
        }
    })
}

fn unknown(name: &str) -> String {
    let known = NAMES.join(", ");
    if name.chars().all(char::is_numeric) {
        return format!("fields are given by name: {known}");
    }
    let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    let likeness = |known: &&str| strsim::jaro_winkler(known, name.trim());
    match NAMES.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(nearest) if likeness(&nearest) > 0.8 => {
            format!("there is no field `{shown}`; did you mean `{nearest}`?")
        }
        _ => format!("there is no field `{shown}`, only {known}"),
    }
}
