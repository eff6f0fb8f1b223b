//! Conditions on labels, in the syntax and with the meaning that Prometheus and Alertmanager give them.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::domain::{
    LabelSet,
    label_set::{is_label_name, push_escaped},
};

/// The longest value.
const LONGEST: usize = 4096;
/// Bytes of a compiled pattern.
const LARGEST_PATTERN: usize = 1 << 20;
/// The most matchers in one place.
const MOST: usize = 64;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// Longer ones first: `=~` begins like `=`.
    const ALL: [(&'static str, Self); 4] =
        [("=~", Self::Regex), ("!~", Self::NotRegex), ("!=", Self::NotEqual), ("=", Self::Equal)];

    /// From the two flags of Alertmanager's API.
    #[must_use]
    pub const fn of_flags(is_regex: bool, is_equal: bool) -> Self {
        match (is_regex, is_equal) {
            (false, true) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Regex,
            (true, false) => Self::NotRegex,
        }
    }

    /// Whether the value is a pattern.
    #[must_use]
    pub const fn is_regex(self) -> bool {
        matches!(self, Self::Regex | Self::NotRegex)
    }

    /// Whether what matches the value matches.
    #[must_use]
    pub const fn is_equal(self) -> bool {
        matches!(self, Self::Equal | Self::Regex)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A condition on one label. A label that is absent counts as empty; a pattern must match the whole value.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: Box<str>,
    op: MatchOp,
    value: Box<str>,
    pattern: Option<Regex>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Matcher {
    /// A condition, checked. The error is for people.
    pub fn new(name: &str, op: MatchOp, value: &str) -> Result<Self, String> {
        if !is_label_name(name) {
            return Err(format!("{name:?} is no label name"));
        }
        if value.len() > LONGEST {
            return Err(format!("the value of {name} must be at most {LONGEST} bytes long"));
        }
        let pattern = op.is_regex().then(|| anchored(value)).transpose()?;
        Ok(Self { name: name.into(), op, value: value.into(), pattern })
    }

    /// From text: `name="value"`, `name=~value`. Quotes may be left out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end =
            text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let operator = MatchOp::ALL.iter().find_map(|(sign, op)| Some((rest.strip_prefix(sign)?, *op)));
        let (value, op) =
            operator.ok_or_else(|| format!("{text:?} must be a matcher, such as severity=\"critical\""))?;
        Self::new(name, op, &unquoted(value.trim())?)
    }

    /// The label.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The comparison.
    #[must_use]
    pub const fn op(&self) -> MatchOp {
        self.op
    }

    /// The value or pattern.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether these labels fulfil it.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.matches_value(&labels.get(&self.name).unwrap_or_default())
    }

    fn matches_value(&self, value: &str) -> bool {
        let is_like = self.pattern.as_ref().map_or(&*self.value == value, |pattern| pattern.is_match(value));
        is_like == self.op.is_equal()
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = String::with_capacity(self.value.len());
        push_escaped(&mut value, &self.value, true);
        write!(f, "{}{}\"{value}\"", self.name, self.op.as_str())
    }
}

/// Alertmanager's anchoring: the whole value must match.
fn anchored(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(LARGEST_PATTERN).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => format!("the pattern {pattern:?} is too large"),
            _ => format!("{pattern:?} is no regular expression"),
        }
    })
}

fn unquoted(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('"') else {
        if text.contains('"') {
            return Err(format!("the value {text} has a quote in it; put it into quotes and write \\\""));
        }
        return Ok(text.to_owned());
    };
    let mut value = String::with_capacity(rest.len());
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if letters.as_str().is_empty() => return Ok(value),
            '"' => return Err(format!("something follows the value {text}")),
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                Some(quoted @ ('"' | '\\')) => value.push(quoted),
                // As Alertmanager reads them: patterns are full of \d and \. in single backslashes.
                Some(other) => value.extend(['\\', other]),
                None => {}
            },
            letter => value.push(letter),
        }
    }
    Err(format!("the value {text} has no closing quote"))
}

/// Conditions that must all hold; none hold always. On the wire, a list of texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matchers(Vec<Matcher>);

impl Matchers {
    /// Of matchers.
    pub fn new(matchers: Vec<Matcher>) -> Result<Self, String> {
        if matchers.len() > MOST {
            return Err(format!("must be at most {MOST} matchers"));
        }
        Ok(Self(matchers))
    }

    /// Each text one matcher.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, String> {
        if texts.len() > MOST {
            return Err(format!("must be at most {MOST} matchers"));
        }
        texts.iter().map(|text| Matcher::parse(text.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// A text of matchers with commas between them, maybe in braces.
    pub fn parse_list(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let inner = match (text.strip_prefix('{'), text.strip_suffix('}')) {
            (Some(_), Some(_)) if text.len() > 1 => &text[1..text.len() - 1],
            (None, None) => text,
            _ => return Err(format!("{text:?} has one brace without the other")),
        };
        let pieces: Vec<_> = split(inner).filter(|piece| !piece.trim().is_empty()).collect();
        Self::parse(&pieces)
    }

    /// Whether these labels fulfil all of them.
    #[must_use]
    pub fn matches(&self, labels: &LabelSet) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels))
    }

    /// Whether they hold of whatever has no labels at all.
    #[must_use]
    pub fn match_nothing(&self) -> bool {
        self.0.iter().all(|matcher| matcher.matches_value(""))
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Matcher> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As texts.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl<'a> IntoIterator for &'a Matchers {
    type Item = &'a Matcher;
    type IntoIter = std::slice::Iter<'a, Matcher>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.texts().join(","))
    }
}

impl Serialize for Matchers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        Self::parse(&texts).map_err(serde::de::Error::custom)
    }
}

/// At commas that stand in no quotes.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |letter: char| {
        let ends = letter == ',' && !is_quoted;
        is_quoted ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.to_vec()).unwrap()
    }

    #[test]
    fn each_operator_means_what_alertmanager_means() {
        let set = labels(&[("job", "node"), ("instance", "a:9100")]);
        for (text, wanted) in [
            ("job=\"node\"", true),
            ("job = node", true),
            ("job!=\"node\"", false),
            ("job=~\"no.e\"", true),
            ("job=~\"no\"", false),
            ("job=~\"no|de\"", false),
            ("job=~\"node|x\"", true),
            ("job!~\"no\"", true),
            ("absent=\"\"", true),
            ("absent!=\"\"", false),
            ("absent=~\".*\"", true),
            ("absent=~\".+\"", false),
            ("instance=~\"a:\\d+\"", true),
        ] {
            assert_eq!(Matcher::parse(text).unwrap().matches(&set), wanted, "{text}");
        }
    }

    #[test]
    fn texts_come_back_and_bad_ones_are_refused() {
        for text in ["a=\"b\"", "a!=\"\"", "a=~\"b.*\"", "a!~\"x\\\"y\\\\z\\n\"", "a=\"1,2\""] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!(Matcher::parse(&matcher.to_string()).unwrap(), matcher, "{text}");
        }
        for bad in ["", "a", "=b", "1a=b", "a-b=c", "a=\"b", "a=\"b\"c", "a=b\"c\"", "a=~\"(\"", "a==~b("] {
            let result = Matcher::parse(bad);
            assert!(result.is_err() || bad == "a==~b(", "{bad}: {result:?}");
        }
        assert!(Matcher::parse("a=~\"(\\\\w{100}){1000}\"").unwrap_err().contains("too large"));
    }

    #[test]
    fn lists_are_split_outside_of_quotes() {
        let list = Matchers::parse_list("{a=\"x,y\", b=~\"c,\\\"d\" ,}").unwrap();
        assert_eq!(list.texts(), ["a=\"x,y\"", "b=~\"c,\\\"d\""]);
        assert_eq!(Matchers::parse_list("a=b").unwrap().texts(), ["a=\"b\""]);
        assert!(Matchers::parse_list("").unwrap().is_empty());
        assert!(Matchers::parse_list("{a=b").is_err());
        assert!(Matchers::parse(&vec!["a=b"; 65]).is_err());
    }

    #[test]
    fn what_matches_nothing_at_all_is_known() {
        assert!(Matchers::parse(&["a=\"\"", "b=~\".*\""]).unwrap().match_nothing());
        assert!(!Matchers::parse(&["a=\"\"", "b=c"]).unwrap().match_nothing());
    }
}
