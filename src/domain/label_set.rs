//! Labels of a series, kept as the text that Prometheus reads: `a="b",c="d"`.
//!
//! Names ascend and are distinct, values are escaped one way, so equal sets are equal texts: one allocation holds a set,
//! hashing and comparing are those of a string, and writing it out is a copy.

use std::{
    borrow::{Borrow, Cow},
    fmt,
};

use serde::{Deserialize, Serialize};

/// Labels by name, each once. Names are Prometheus' label names, values any text.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabelSet(Box<str>);

/// The text is not that of a [`LabelSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotCanonical;

impl fmt::Display for NotCanonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the text of labels: name=\"value\", separated by commas, in the order of names")
    }
}

impl std::error::Error for NotCanonical {}

impl LabelSet {
    /// Labels in any order. `Err` is a name that comes twice, or is no label name.
    pub fn from_pairs<N, V>(mut pairs: Vec<(N, V)>) -> Result<Self, N>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        pairs.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        let mut text = String::new();
        let mut before: Option<N> = None;
        for (name, value) in pairs {
            let is_new = before.is_none_or(|before| before.as_ref() != name.as_ref());
            if !is_new || !is_label_name(name.as_ref()) {
                return Err(name);
            }
            push_pair(&mut text, name.as_ref(), value.as_ref());
            before = Some(name);
        }
        Ok(Self(text.into()))
    }

    /// Labels from text that [`push_pair`] wrote in the order of names.
    pub(in crate::domain) fn from_canonical(text: &str) -> Self {
        Self(text.into())
    }

    /// As Prometheus reads them, without braces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values in the order of names.
    #[must_use]
    pub fn iter(&self) -> Pairs<'_> {
        Pairs(&self.0)
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// These labels and those `on_top`, whose values win.
    #[must_use]
    pub fn overlaid(&self, on_top: &Self) -> Self {
        let mut text = String::with_capacity(self.0.len() + on_top.0.len() + 1);
        let (mut below, mut above) = (self.iter().peekable(), on_top.iter().peekable());
        loop {
            let (name, value) = match (below.peek(), above.peek()) {
                (None, None) => return Self(text.into()),
                (Some((a, _)), Some((b, _))) if a < b => below.next(),
                (Some(_), None) => below.next(),
                (Some((a, _)), Some((b, _))) if a == b => {
                    below.next();
                    above.next()
                }
                (_, Some(_)) => above.next(),
            }
            .unwrap_or_default();
            push_pair(&mut text, name, &value);
        }
    }
}

impl<'a> IntoIterator for &'a LabelSet {
    type Item = (&'a str, Cow<'a, str>);
    type IntoIter = Pairs<'a>;

    fn into_iter(self) -> Pairs<'a> {
        self.iter()
    }
}

/// Names and values of a [`LabelSet`].
#[derive(Clone, Debug)]
pub struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_once("=\"")?;
        let end = end_of_value(rest)?;
        let (value, rest) = rest.split_at(end);
        let rest = rest.strip_prefix('"')?;
        self.0 = rest.strip_prefix(',').unwrap_or(rest);
        Some((name, unescaped(value)))
    }
}

/// Where the quote is that ends the value.
fn end_of_value(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.extend(letters.next().map(|escaped| if escaped == 'n' { '\n' } else { escaped })),
            letter => text.push(letter),
        }
    }
    Cow::Owned(text)
}

/// Appends a label. The text is canonical if names come in ascending order, each once.
pub(in crate::domain) fn push_pair(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push(',');
    }
    text.push_str(name);
    text.push_str("=\"");
    push_escaped(text, value, true);
    text.push('"');
}

/// Appends a value as it stands between quotes, or a help text, where quotes are no matter.
pub(in crate::domain) fn push_escaped(text: &mut String, raw: &str, quotes: bool) {
    let mut copied = 0;
    for (at, byte) in raw.bytes().enumerate() {
        let escaped = match byte {
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'"' if quotes => "\\\"",
            _ => continue,
        };
        text.push_str(&raw[copied..at]);
        text.push_str(escaped);
        copied = at + 1;
    }
    text.push_str(&raw[copied..]);
}

/// Whether it is `[a-zA-Z_][a-zA-Z0-9_]*`.
#[must_use]
pub fn is_label_name(raw: &str) -> bool {
    raw.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && raw.as_bytes().first().is_some_and(|first| !first.is_ascii_digit())
}

/// Whether it is `[a-zA-Z_:][a-zA-Z0-9_:]*`.
#[must_use]
pub fn is_metric_name(raw: &str) -> bool {
    raw.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
        && raw.as_bytes().first().is_some_and(|first| !first.is_ascii_digit())
}

impl TryFrom<String> for LabelSet {
    type Error = NotCanonical;

    fn try_from(text: String) -> Result<Self, NotCanonical> {
        let pairs: Vec<_> = Pairs(&text).collect();
        match Self::from_pairs(pairs) {
            Ok(set) if *set.0 == *text => Ok(set),
            _ => Err(NotCanonical),
        }
    }
}

impl From<LabelSet> for String {
    fn from(labels: LabelSet) -> Self {
        labels.0.into()
    }
}

impl Borrow<str> for LabelSet {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn pairs() -> impl Strategy<Value = BTreeMap<String, String>> {
        let value = prop_oneof![any::<String>(), "[\\\\\"n\n,=a]{0,6}"];
        prop::collection::btree_map("[a-c_][a-c0-1_]{0,2}", value, 0..5)
    }

    fn set(pairs: &BTreeMap<String, String>) -> LabelSet {
        // In another order than that of names.
        LabelSet::from_pairs(pairs.iter().rev().collect()).unwrap()
    }

    proptest! {
        #[test]
        fn a_set_is_what_went_in(pairs in pairs(), other in pairs()) {
            let labels = set(&pairs);
            let back: BTreeMap<String, String> =
                labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
            prop_assert_eq!(&back, &pairs);
            prop_assert_eq!(labels == set(&other), pairs == other);
            for (name, value) in &pairs {
                let own = labels.get(name);
                prop_assert_eq!(own.as_deref(), Some(value.as_str()));
            }
            let json = serde_json::to_string(&labels).unwrap();
            prop_assert_eq!(serde_json::from_str::<LabelSet>(&json).unwrap(), labels);
        }

        #[test]
        fn what_is_on_top_wins(below in pairs(), above in pairs()) {
            let mut both = below.clone();
            both.extend(above.clone());
            prop_assert_eq!(set(&below).overlaid(&set(&above)), set(&both));
        }

        #[test]
        fn only_its_own_text_is_taken(text in prop_oneof![any::<String>(), "[ab=\\\\\",n\n]{0,12}"]) {
            if let Ok(labels) = LabelSet::try_from(text.clone()) {
                prop_assert_eq!(labels.as_str(), text);
            }
        }
    }

    #[test]
    fn a_name_comes_once_and_is_a_name() {
        assert_eq!(LabelSet::from_pairs(vec![("a", "1"), ("b", "2"), ("a", "1")]), Err("a"));
        for bad in ["", "1a", "a-b", "a.b", "ä", "a:b"] {
            assert_eq!(LabelSet::from_pairs(vec![(bad, "1")]), Err(bad));
        }
        for bad in ["b=\"1\",a=\"2\"", "a=\"1\",a=\"1\"", "a=\"1\",", "a=\"\\x\"", "a", "1=\"a\""] {
            assert_eq!(LabelSet::try_from(bad.to_owned()), Err(NotCanonical), "{bad}");
        }
        assert!(
            is_metric_name("a:b_1") && !is_metric_name("a.b") && !is_metric_name("1a") && !is_metric_name("")
        );
    }
}
