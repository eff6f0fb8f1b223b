//! Numbers under a specification: sign, digits, exponent, separators, padding.
//!
//! The digits are the standard library's: exact, ties to even, as those of `CPython`'s `dtoa.c`. The notation is that of
//! `Python/pystrtod.c`, `format_float_short`.

use std::fmt::Write;

use super::{
    spec::{NumberSpec, Style},
    text::pad,
};

const DEFAULT_PRECISION: usize = 6;
/// From this exponent on `repr` uses the scientific notation.
const REPR_DIGITS: usize = 16;

/// Appends `value` as `spec` says.
pub(super) fn format(value: f64, spec: &NumberSpec, out: &mut String) {
    let value = if spec.style == Style::Percent { value * 100.0 } else { value };
    let magnitude = Magnitude::of(value.abs(), spec);
    let coerced = spec.no_negative_zero && magnitude.is_zero();
    let negative = value.is_sign_negative() && !value.is_nan() && !coerced;
    let sign = if negative { Some('-') } else { spec.plus };
    let around = usize::from(sign.is_some()) + magnitude.rest.len();
    // Padding with zeros inside goes on with the separators.
    let zeros = if spec.align.is_none() && spec.fill == '0' { spec.width.saturating_sub(around) } else { 0 };
    let whole = grouped(&magnitude.whole, spec.grouping, zeros);
    let missing = spec.width.saturating_sub(around + whole.len());
    let (before, after) = spec.align.map_or((0, 0), |align| align.split(missing));
    pad(spec.fill, before, out);
    out.extend(sign);
    if spec.align.is_none() {
        pad(spec.fill, missing, out);
    }
    out.push_str(&whole);
    out.push_str(&magnitude.rest);
    pad(spec.fill, after, out);
}

/// A number without its sign.
struct Magnitude {
    /// The digits before the point. None for infinity and what is no number.
    whole: String,
    /// What comes after them.
    rest: String,
}

impl Magnitude {
    fn of(value: f64, spec: &NumberSpec) -> Self {
        let mut magnitude = if value.is_finite() {
            Self::of_finite(value, spec)
        } else {
            let name = if value.is_nan() { "nan" } else { "inf" };
            Self { whole: String::new(), rest: name.to_owned() }
        };
        if spec.uppercase {
            magnitude.rest.make_ascii_uppercase();
        }
        if spec.style == Style::Percent {
            magnitude.rest.push('%');
        }
        magnitude
    }

    fn of_finite(value: f64, spec: &NumberSpec) -> Self {
        let precision = spec.precision.unwrap_or(DEFAULT_PRECISION);
        // One significant digit is the least.
        let figures = spec.precision.unwrap_or(DEFAULT_PRECISION).max(1);
        match (spec.style, spec.precision) {
            (Style::Fixed | Style::Percent, _) => Self::fixed(value, precision, spec.alternate),
            (Style::Exponent, _) => Decimal::rounded(value, precision + 1).scientific(spec.alternate),
            (Style::General, _) => Decimal::rounded(value, figures).general(spec.alternate, figures, ""),
            (Style::Plain, Some(_)) => {
                Decimal::rounded(value, figures).general(spec.alternate, figures - 1, "0")
            }
            (Style::Plain, None) => Decimal::shortest(value).notated(spec.alternate, REPR_DIGITS, "0"),
        }
    }

    fn fixed(value: f64, precision: usize, alternate: bool) -> Self {
        let text = format!("{value:.precision$}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        Self::joined(whole.to_owned(), fraction, alternate)
    }

    fn joined(whole: String, fraction: &str, alternate: bool) -> Self {
        let point = if alternate || !fraction.is_empty() { "." } else { "" };
        Self { whole, rest: format!("{point}{fraction}") }
    }

    /// Whether no digit but zero is shown.
    fn is_zero(&self) -> bool {
        !self.whole.is_empty() && !self.whole.chars().chain(self.rest.chars()).any(|c| matches!(c, '1'..='9'))
    }
}

/// `d.ddd * 10^exponent`: the digits without the point, never none.
struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// With that many digits, at least one.
    fn rounded(value: f64, digits: usize) -> Self {
        Self::read(&format!("{value:.*e}", digits.saturating_sub(1)))
    }

    /// With as many digits as it takes to read it back.
    fn shortest(value: f64) -> Self {
        let shortest = format!("{value:e}");
        let found = Self::read(&shortest);
        // Two may be as near: the standard library takes the upper one (2^-25), CPython the even one.
        let even = format!("{value:.*e}", found.digits.len() - 1);
        if even != shortest && even.parse() == Ok(value) { Self::read(&even) } else { found }
    }

    fn read(text: &str) -> Self {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        Self { digits: digits.replace('.', ""), exponent: exponent.parse().unwrap_or(0) }
    }

    fn scientific(&self, alternate: bool) -> Magnitude {
        let (first, fraction) = self.digits.split_at(1);
        let mut magnitude = Magnitude::joined(first.to_owned(), fraction, alternate);
        let sign = if self.exponent < 0 { '-' } else { '+' };
        // Writing to a String does not fail.
        let _ = write!(magnitude.rest, "e{sign}{:02}", self.exponent.unsigned_abs());
        magnitude
    }

    /// The shorter notation, without zeros at the end unless `alternate`.
    fn general(mut self, alternate: bool, most: usize, least_fraction: &str) -> Magnitude {
        if !alternate {
            let kept = self.digits.trim_end_matches('0').len().max(1);
            self.digits.truncate(kept);
        }
        self.notated(alternate, most, least_fraction)
    }

    /// With an exponent if there are more than `most` digits before the point, or more than three zeros behind it.
    /// `least_fraction` stands for an empty one.
    fn notated(&self, alternate: bool, most: usize, least_fraction: &str) -> Magnitude {
        match usize::try_from(self.exponent) {
            Err(_) if self.exponent < -4 => self.scientific(alternate),
            Err(_) => {
                let zeros = self.exponent.unsigned_abs() as usize - 1;
                Magnitude::joined("0".to_owned(), &format!("{:0<zeros$}{}", "", self.digits), alternate)
            }
            Ok(exponent) if exponent >= most => self.scientific(alternate),
            Ok(exponent) => {
                let (whole, fraction) = self.digits.split_at(self.digits.len().min(exponent + 1));
                let fraction = if fraction.is_empty() { least_fraction } else { fraction };
                Magnitude::joined(format!("{whole:0<0$}", exponent + 1), fraction, alternate)
            }
        }
    }
}

/// `digits` with a separator after each three from the right, and zeros before them until all is `least` long. No digits
/// stay none.
fn grouped(digits: &str, separator: Option<char>, least: usize) -> String {
    if digits.is_empty() {
        return String::new();
    }
    let Some(separator) = separator else { return format!("{digits:0>least$}") };
    let mut backwards = String::with_capacity(least.max(digits.len() * 4 / 3) + 1);
    let mut left = digits.chars().rev().peekable();
    let mut count = 0;
    while left.peek().is_some() || backwards.len() < least {
        if count > 0 && count % 3 == 0 {
            backwards.push(separator);
        }
        backwards.push(left.next().unwrap_or('0'));
        count += 1;
    }
    backwards.chars().rev().collect()
}
