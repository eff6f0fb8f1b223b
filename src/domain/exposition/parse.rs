//! Reading format 0.0.4. The rules, and their messages in part, are those of expfmt's `text_parse.go`.

use std::{borrow::Cow, collections::HashMap, fmt::Display};

use foldhash::fast::RandomState;

use super::{
    Limits, MetricFamily, MetricType, ParseError,
    family::{Draft, Part, Sample},
    line::{Fault, Line},
    number::parse_float,
};
use crate::domain::LabelSet;

/// The most of the input that is repeated in a message, in characters.
const QUOTED: usize = 64;

/// Reads a text. Families come in the order in which they were first named; those without samples are left out.
pub fn parse(text: &[u8], limits: &Limits) -> Result<Vec<MetricFamily>, ParseError> {
    let mut parser =
        Parser { limits: *limits, families: Vec::new(), by_name: HashMap::default(), samples: 0 };
    let mut lines = text.split(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let is_open = lines.peek().is_none();
        parser.line(line, is_open).map_err(|message| ParseError { line: number + 1, message })?;
    }
    Ok(parser.families.into_iter().filter_map(Draft::finish).collect())
}

struct Parser {
    limits: Limits,
    families: Vec<Draft>,
    by_name: HashMap<Box<str>, usize, RandomState>,
    samples: usize,
}

enum Keyword {
    Help,
    Type,
}

impl Parser {
    /// `is_open`: there is no newline after it.
    fn line(&mut self, raw: &[u8], is_open: bool) -> Result<(), String> {
        if raw.len() > self.limits.line_bytes {
            return Err(format!("longer than {} bytes", self.limits.line_bytes));
        }
        let Ok(text) = str::from_utf8(raw) else { return not_utf8(raw) };
        let mut line = Line(text);
        line.skip_blanks();
        match line.peek() {
            None => return Ok(()),
            Some('#') => self.comment(line)?,
            Some(_) => self.sample(line)?,
        }
        if is_open { Err("unexpected end of input stream: no newline at the end".to_owned()) } else { Ok(()) }
    }

    fn comment(&mut self, mut line: Line<'_>) -> Result<(), String> {
        line.take('#');
        let Some(keyword) = keyword(&mut line) else { return Ok(()) };
        line.skip_blanks();
        let name = self.bounded(line.metric_name())?;
        if line.is_empty() {
            return Ok(());
        }
        if name.is_empty() || !line.0.starts_with([' ', '\t']) {
            return Err("invalid metric name in comment".to_owned());
        }
        let (family, _) = self.family(name)?;
        line.skip_blanks();
        if line.is_empty() {
            return Ok(());
        }
        match keyword {
            Keyword::Help => self.help(family, line),
            Keyword::Type => self.kind(family, line),
        }
    }

    fn help(&mut self, family: usize, line: Line<'_>) -> Result<(), String> {
        let family = &mut self.families[family];
        if family.help.is_some() {
            return Err(format!("second HELP line for metric name {}", quote(&family.name)));
        }
        family.help = Some(line.help().map_err(Fault::describe)?.into());
        Ok(())
    }

    fn kind(&mut self, family: usize, line: Line<'_>) -> Result<(), String> {
        let family = &mut self.families[family];
        if family.kind.is_some() {
            let name = quote(&family.name);
            return Err(format!("second TYPE line for metric name {name}, or TYPE reported after samples"));
        }
        let Some(kind) = MetricType::from_word(line.0) else {
            return Err(format!("unknown metric type {}", quote(line.0)));
        };
        family.kind = Some(kind);
        Ok(())
    }

    fn sample(&mut self, mut line: Line<'_>) -> Result<(), String> {
        let name = self.bounded(line.metric_name())?;
        if name.is_empty() {
            return Err("invalid metric name".to_owned());
        }
        if self.samples >= self.limits.samples {
            return Err(format!("more than {} samples", self.limits.samples));
        }
        self.samples += 1;
        let (family, part) = self.family(name)?;
        self.families[family].kind.get_or_insert(MetricType::Untyped);
        line.skip_blanks();
        let (labels, edge) = self.labels(&mut line, family)?;
        let value = line.word();
        let value = parse_float(value).ok_or_else(|| expected("float as value", value))?;
        let timestamp_ms = timestamp(line)?;
        self.families[family].add(Sample { part, labels, edge, value, timestamp_ms })
    }

    fn labels(&self, line: &mut Line<'_>, family: usize) -> Result<(LabelSet, Option<f64>), String> {
        let family = &self.families[family];
        let edge_label = family.edge_label();
        let (mut pairs, mut edge) = (Vec::new(), None);
        let mut more = line.take('{');
        while more {
            line.skip_blanks();
            if line.take('}') {
                break;
            }
            let (name, value) = self.label(line, family)?;
            if Some(name) == edge_label {
                let number = parse_float(&value)
                    .ok_or_else(|| expected(&format!("float as value for '{name}' label"), &value))?;
                if edge.replace(number).is_some() {
                    return Err(duplicate(family));
                }
            } else {
                pairs.push((name, value));
            }
            if pairs.len() > self.limits.labels {
                return Err(format!("more than {} labels", self.limits.labels));
            }
            line.skip_blanks();
            more = line.take(',');
            if !more && !line.take('}') {
                return Err(format!("unexpected end of the value of label {}", quote(name)));
            }
        }
        line.skip_blanks();
        LabelSet::from_pairs(pairs).map(|labels| (labels, edge)).map_err(|_| duplicate(family))
    }

    fn label<'a>(&self, line: &mut Line<'a>, family: &Draft) -> Result<(&'a str, Cow<'a, str>), String> {
        let name = self.bounded(line.label_name())?;
        if name.is_empty() {
            return Err(format!("invalid label name for metric {}", quote(&family.name)));
        }
        line.skip_blanks();
        if !line.take('=') {
            return Err(format!("expected '=' after label name, found {}", found(*line)));
        }
        if name == "__name__" {
            return Err("label name \"__name__\" is reserved".to_owned());
        }
        line.skip_blanks();
        if !line.take('"') {
            return Err(format!("expected '\"' at start of label value, found {}", found(*line)));
        }
        Ok((name, line.quoted().map_err(Fault::describe)?))
    }

    /// The family that the name belongs to; a new one if there is none.
    fn family(&mut self, name: &str) -> Result<(usize, Part), String> {
        if let Some(number) = self.by_name.get(name) {
            return Ok((*number, Part::Whole));
        }
        for (suffix, part) in [("_count", Part::Count), ("_sum", Part::Sum), ("_bucket", Part::Bucket)] {
            let Some(base) = name.strip_suffix(suffix) else { continue };
            let Some(number) = self.by_name.get(base) else { continue };
            match self.families[*number].kind {
                Some(MetricType::Histogram) => return Ok((*number, part)),
                Some(MetricType::Summary) if part != Part::Bucket => return Ok((*number, part)),
                _ => {}
            }
        }
        let number = self.families.len();
        if number >= self.limits.samples {
            return Err(format!("more than {} metrics", self.limits.samples));
        }
        self.families.push(Draft::new(name));
        self.by_name.insert(name.into(), number);
        Ok((number, Part::Whole))
    }

    fn bounded<'a>(&self, name: &'a str) -> Result<&'a str, String> {
        if name.len() > self.limits.name_bytes {
            return Err(format!("the name {} is longer than {} bytes", quote(name), self.limits.name_bytes));
        }
        Ok(name)
    }
}

/// Comments that say nothing may hold any bytes.
fn not_utf8(raw: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(raw);
    let mut line = Line(&text);
    line.skip_blanks();
    let is_comment = line.take('#') && keyword(&mut line).is_none();
    if is_comment { Ok(()) } else { Err("invalid UTF-8".to_owned()) }
}

/// What the comment says, if anything.
fn keyword(line: &mut Line<'_>) -> Option<Keyword> {
    line.skip_blanks();
    match line.word() {
        "HELP" => Some(Keyword::Help),
        "TYPE" => Some(Keyword::Type),
        _ => None,
    }
}

/// Milliseconds after a value. As in expfmt, blanks have no place after the last word of a line.
fn timestamp(mut line: Line<'_>) -> Result<Option<i64>, String> {
    if line.is_empty() {
        return Ok(None);
    }
    line.skip_blanks();
    let word = line.word();
    let timestamp = word.parse().map_err(|_| expected("integer as timestamp", word))?;
    if !line.is_empty() {
        return Err(format!("spurious string after timestamp: {}", quote(line.0)));
    }
    Ok(Some(timestamp))
}

fn expected(what: &str, found: &str) -> String {
    format!("expected {what}, got {}", quote(found))
}

fn duplicate(family: &Draft) -> String {
    format!("duplicate label names for metric {}", quote(&family.name))
}

fn found(line: Line<'_>) -> String {
    line.peek().map_or_else(|| "the end of the line".to_owned(), |letter| format!("{letter:?}"))
}

/// In quotes, and not too long.
fn quote(text: &(impl Display + ?Sized)) -> String {
    let text = text.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

impl Fault {
    fn describe(self) -> String {
        match self {
            Self::Open => "the value has no closing quote on its line".to_owned(),
            Self::Escape(Some(letter)) => format!("invalid escape sequence '\\{}'", letter.escape_debug()),
            Self::Escape(None) => "a backslash at the end of the line".to_owned(),
        }
    }
}
