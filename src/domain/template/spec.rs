//! Format specifications: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`, as `CPython` 3.11 reads
//! them (`Python/formatter_unicode.c`, `parse_internal_render_format_spec`).

use super::{Template, TemplateError, parse::Reader};

/// A specification as it was read. What it means, and whether it is allowed, depends on what it formats.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    no_negative_zero: bool,
    alternate: bool,
    zero_padded: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// How a text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextSpec {
    pub(super) fill: char,
    pub(super) align: Align,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberSpec {
    pub(super) fill: char,
    /// None: the padding goes between sign and digits.
    pub(super) align: Option<Align>,
    /// What stands before a number that is not negative.
    pub(super) plus: Option<char>,
    pub(super) no_negative_zero: bool,
    /// Always with a decimal point; `g` keeps its zeros.
    pub(super) alternate: bool,
    pub(super) width: usize,
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) style: Style,
    pub(super) uppercase: bool,
}

/// On which side the text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
}

/// The notation of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As `repr` has it. With a precision as [`Self::General`], but never without a fraction or an exponent.
    Plain,
    /// `e`: that many digits after the first.
    Exponent,
    /// `f`: that many digits after the point.
    Fixed,
    /// `g`, `n`: that many digits in all, in the shorter notation.
    General,
    /// `%`: a hundred times as much, fixed.
    Percent,
}

impl Default for TextSpec {
    fn default() -> Self {
        Self { fill: ' ', align: Align::Left, width: 0, precision: None }
    }
}

impl Default for NumberSpec {
    fn default() -> Self {
        Self {
            fill: ' ',
            align: Some(Align::Right),
            plus: None,
            no_negative_zero: false,
            alternate: false,
            width: 0,
            grouping: None,
            precision: None,
            style: Style::Plain,
            uppercase: false,
        }
    }
}

impl Spec {
    /// Reads all that `from` has.
    pub(super) fn parse(from: &mut Reader<'_>) -> Result<Self, TemplateError> {
        let is_align = |c: &char| matches!(c, '<' | '>' | '^' | '=');
        let mut spec = Self::default();
        let mut ahead = from.rest().chars();
        let (first, second) = (ahead.next(), ahead.next());
        if second.is_some_and(|c| is_align(&c)) {
            (spec.fill, spec.align) = (from.next(), from.next());
        } else if first.is_some_and(|c| is_align(&c)) {
            spec.align = from.next();
        }
        if matches!(from.peek(), Some('+' | '-' | ' ')) {
            spec.sign = from.next();
        }
        spec.no_negative_zero = from.take('z');
        spec.alternate = from.take('#');
        // With a fill the zero is the first digit of the width.
        spec.zero_padded = spec.fill.is_none() && from.take('0');
        spec.width = from.bounded("width")?.unwrap_or(0);
        spec.grouping = from.grouping()?;
        if from.take('.') {
            spec.precision = Some(from.precision()?);
        }
        spec.kind = from.next();
        if from.peek().is_some() {
            return from.wrong(format!("`{}` is too much in a format specification", from.excerpt()));
        }
        Ok(spec)
    }

    /// For a number. `place` is where the specification begins.
    pub(super) fn of_number(self, place: Reader<'_>) -> Result<NumberSpec, TemplateError> {
        let Some(style) = Style::of(self.kind) else {
            let known = "of a number: e E f F g G n %, or none";
            return place.wrong(format!("{} is no type {known}", self.shown_kind()));
        };
        if self.kind == Some('n') && self.grouping.is_some() {
            return place.wrong("type `n` cannot have a separator");
        }
        let zero = self.zero_padded;
        Ok(NumberSpec {
            fill: self.fill.unwrap_or(if zero { '0' } else { ' ' }),
            align: match self.align {
                Some(align) => Align::of(align),
                None => (!zero).then_some(Align::Right),
            },
            plus: self.sign.filter(|sign| *sign != '-'),
            no_negative_zero: self.no_negative_zero,
            alternate: self.alternate,
            width: self.width,
            grouping: self.grouping,
            precision: self.precision,
            style,
            uppercase: self.kind.is_some_and(|kind| kind.is_ascii_uppercase()),
        })
    }

    /// For a text. `place` is where the specification begins.
    pub(super) fn of_text(self, place: Reader<'_>) -> Result<TextSpec, TemplateError> {
        if !matches!(self.kind, None | Some('s')) {
            return place.wrong(format!("{} is no type of a text: s, or none", self.shown_kind()));
        }
        let foreign = [
            (self.align == Some('='), "alignment `=`"),
            (self.sign.is_some(), "a sign"),
            (self.no_negative_zero, "`z`"),
            (self.alternate, "`#`"),
            (self.grouping.is_some(), "a separator"),
        ];
        if let Some((_, what)) = foreign.iter().find(|(given, _)| *given) {
            return place.wrong(format!("{what} is for numbers, and this is a text"));
        }
        Ok(TextSpec {
            fill: self.fill.unwrap_or(if self.zero_padded { '0' } else { ' ' }),
            align: self.align.and_then(Align::of).unwrap_or(Align::Left),
            width: self.width,
            precision: self.precision,
        })
    }

    fn shown_kind(&self) -> String {
        self.kind.map(|kind| format!("`{}`", kind.escape_debug())).unwrap_or_default()
    }
}

impl Align {
    /// None for `=`.
    fn of(sign: char) -> Option<Self> {
        match sign {
            '<' => Some(Self::Left),
            '>' => Some(Self::Right),
            '^' => Some(Self::Center),
            _ => None,
        }
    }
}

impl Style {
    fn of(kind: Option<char>) -> Option<Self> {
        Some(match kind {
            // CPython marks a missing type by that character, and takes it for one.
            None | Some('\0') => Self::Plain,
            Some('e' | 'E') => Self::Exponent,
            Some('f' | 'F') => Self::Fixed,
            Some('g' | 'G' | 'n') => Self::General,
            Some('%') => Self::Percent,
            Some(_) => return None,
        })
    }
}

impl Reader<'_> {
    /// A width or a precision, if there is one.
    fn bounded(&mut self, what: &str) -> Result<Option<usize>, TemplateError> {
        let start = *self;
        let mut number: Option<usize> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let before = number.unwrap_or(0);
            number = Some(before.saturating_mul(10).saturating_add(digit as usize));
            self.next();
        }
        if self.peek().is_some_and(char::is_numeric) {
            return self.unsupported("widths and precisions are written with the digits 0 to 9");
        }
        match number {
            Some(number) if number > Template::MAX_WIDTH => {
                start.unsupported(format!("a {what} is at most {}", Template::MAX_WIDTH))
            }
            number => Ok(number),
        }
    }

    fn grouping(&mut self) -> Result<Option<char>, TemplateError> {
        let Some(separator @ (',' | '_')) = self.peek() else { return Ok(None) };
        self.next();
        match self.peek() {
            Some(',' | '_') => self.wrong("one separator, `,` or `_`, is enough"),
            _ => Ok(Some(separator)),
        }
    }

    fn precision(&mut self) -> Result<usize, TemplateError> {
        let given = self.bounded("precision")?;
        if matches!(self.peek(), Some(',' | '_')) {
            return self.unsupported("separators in the fraction are not supported");
        }
        match given {
            Some(precision) => Ok(precision),
            None => self.wrong("after `.` comes a precision"),
        }
    }

    /// The beginning of what is left.
    fn excerpt(&self) -> String {
        self.rest().chars().take(16).flat_map(char::escape_debug).collect()
    }
}
