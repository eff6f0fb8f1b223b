//! Pushgateway's grouping keys: which group of metrics a path means.
//!
//! `/metrics/job/VALUE{/LABEL/VALUE}`, where `@base64` behind a label's name (or `job`) says that its value is in the
//! URL-safe alphabet of base64, with or without padding; the empty value is `=`. The rules are those of Pushgateway's
//! `handler/push.go`, with one difference: a path is split before it is decoded, so that `%2F` is a slash within a value.

use std::{borrow::Cow, fmt};

use base64::{
    Engine,
    alphabet::URL_SAFE as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};

use super::{
    LabelSet,
    label_set::{NotCanonical, is_label_name},
};

/// As Go's `RawURLEncoding` reads it: bits of the last letter that are left over are no matter.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);
const BASE64: &str = "@base64";
const JOB: &str = "job";
const MOST_LABELS: usize = 32;
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 1024;

/// The labels of a group of pushed metrics. `job` is one of them, and is not empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "LabelSet", into = "LabelSet")]
pub struct GroupingKey(LabelSet);

/// The path is none of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidGroupingKey(String);

impl fmt::Display for InvalidGroupingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidGroupingKey {}

impl GroupingKey {
    /// The key in what follows `/metrics/` of a path as it was sent, still encoded: `job/VALUE{/LABEL/VALUE}`.
    ///
    /// A slash at the end is no matter if there are no labels besides `job`. As in Pushgateway, the last of several
    /// values of one label counts, and that of `job` behind `/metrics` always.
    pub fn parse(raw: &str) -> Result<Self, InvalidGroupingKey> {
        let mut parts = raw.split('/');
        let job = match (parts.next(), parts.next()) {
            (Some(name), Some(value)) if name == JOB || name.strip_suffix(BASE64) == Some(JOB) => {
                decoded(name, value)?.1
            }
            _ => return refused("a path is /metrics/job/VALUE, followed by any number of /LABEL/VALUE"),
        };
        if job.is_empty() {
            return refused("job name is required");
        }
        let mut labels = vec![(Cow::Borrowed(JOB), job)];
        while let Some(name) = parts.next() {
            let Some(value) = parts.next() else {
                // "/metrics/job/x/"
                if name.is_empty() && labels.len() == 1 {
                    break;
                }
                return refused(format!(
                    "the label {name:?} has no value: odd number of components in the path"
                ));
            };
            add(&mut labels, decoded(name, value)?)?;
        }
        // The names were checked and each comes once.
        LabelSet::from_pairs(labels).map(Self).map_err(|name| improper(&name))
    }

    /// The key without `instance`, and its value if there was one that says something.
    #[must_use]
    pub fn without_instance(&self) -> (Self, Option<String>) {
        let instance = self.0.get("instance").filter(|instance| !instance.is_empty()).map(Cow::into_owned);
        let rest = self.0.iter().filter(|(name, _)| *name != "instance").collect();
        // Names of a set come once.
        (Self(LabelSet::from_pairs(rest).unwrap_or_default()), instance)
    }

    /// The labels, `job` among them.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.0
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> Cow<'_, str> {
        self.0.get(JOB).unwrap_or_default()
    }
}

type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The last value wins, except for the job, which comes first.
fn add<'a>(labels: &mut Vec<Label<'a>>, (name, value): Label<'a>) -> Result<(), InvalidGroupingKey> {
    let is_full = labels.len() >= MOST_LABELS;
    match labels.iter_mut().find(|(known, _)| *known == name) {
        Some(_) if name == JOB => {}
        Some((_, known)) => *known = value,
        None if is_full => return refused(format!("a group has at most {MOST_LABELS} labels")),
        None => labels.push((name, value)),
    }
    Ok(())
}

/// A label of two components of a path.
fn decoded<'a>(name: &'a str, value: &'a str) -> Result<Label<'a>, InvalidGroupingKey> {
    let name = percent_decoded(name)?;
    let (name, is_base64) = match name.strip_suffix(BASE64) {
        Some(short) => (Cow::Owned(short.to_owned()), true),
        None => (name, false),
    };
    if !is_label_name(&name) || name.starts_with("__") || name.len() > LONGEST_NAME {
        return Err(improper(&name));
    }
    let mut value = percent_decoded(value)?;
    if is_base64 {
        let bytes = URL_SAFE
            .decode(value.trim_end_matches('='))
            .map_err(|_| InvalidGroupingKey(format!("invalid base64 encoding for label {name}")))?;
        value = Cow::Owned(text(&name, bytes)?);
    }
    if value.len() > LONGEST_VALUE {
        return refused(format!("the value of label {name} is longer than {LONGEST_VALUE} bytes"));
    }
    Ok((name, value))
}

fn improper(name: &str) -> InvalidGroupingKey {
    let short: String = name.chars().take(LONGEST_NAME).collect();
    InvalidGroupingKey(format!("improper label name {short:?}"))
}

fn refused<T>(message: impl Into<String>) -> Result<T, InvalidGroupingKey> {
    Err(InvalidGroupingKey(message.into()))
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, InvalidGroupingKey> {
    String::from_utf8(bytes)
        .map_err(|_| InvalidGroupingKey(format!("the value of label {name} is not UTF-8")))
}

fn percent_decoded(raw: &str) -> Result<Cow<'_, str>, InvalidGroupingKey> {
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let Some(([high, low], after)) =
            after.split_first_chunk().map(|(pair, after)| (pair.map(hex), after))
        else {
            return refused("a % in the path without two hexadecimal digits");
        };
        let (Some(high), Some(low)) = (high, low) else {
            return refused("a % in the path without two hexadecimal digits");
        };
        bytes.push(high << 4 | low);
        rest = after;
    }
    text("or name", bytes).map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl TryFrom<LabelSet> for GroupingKey {
    type Error = NotCanonical;

    fn try_from(labels: LabelSet) -> Result<Self, NotCanonical> {
        if labels.get(JOB).is_some_and(|job| !job.is_empty()) { Ok(Self(labels)) } else { Err(NotCanonical) }
    }
}

impl From<GroupingKey> for LabelSet {
    fn from(key: GroupingKey) -> Self {
        key.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key(raw: &str) -> GroupingKey {
        GroupingKey::parse(raw).unwrap_or_else(|error| panic!("{error}: {raw}"))
    }

    fn labels(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.to_vec()).unwrap()
    }

    #[test]
    fn what_pushgateway_takes() {
        for (raw, expected) in [
            ("job/x", labels(&[("job", "x")])),
            ("job/x/", labels(&[("job", "x")])),
            ("job/some%20job/instance/a", labels(&[("job", "some job"), ("instance", "a")])),
            // The examples of its documentation.
            (
                "job/directory_cleaner/path@base64/L3Zhci90bXA",
                labels(&[("job", "directory_cleaner"), ("path", "/var/tmp")]),
            ),
            (
                "job/titan/name/%CE%A0%CF%81%CE%BF%CE%BC%CE%B7%CE%B8%CE%B5%CF%8D%CF%82",
                labels(&[("job", "titan"), ("name", "Προμηθεύς")]),
            ),
            (
                "job/titan/name@base64/zqDPgc6_zrzOt864zrXPjc-C",
                labels(&[("job", "titan"), ("name", "Προμηθεύς")]),
            ),
            (
                "job/example/first_label@base64/=/second_label/foobar",
                labels(&[("job", "example"), ("first_label", ""), ("second_label", "foobar")]),
            ),
            ("job@base64/eA==", labels(&[("job", "x")])),
            ("job@base64/eA%3D%3D/a/", labels(&[("job", "x"), ("a", "")])),
            ("job/a%2Fb/c/+", labels(&[("job", "a/b"), ("c", "+")])),
            ("job/x/a/1/job/y/a/2", labels(&[("job", "x"), ("a", "2")])),
            ("job/x/a%40base64/eA", labels(&[("job", "x"), ("a", "x")])),
        ] {
            assert_eq!(key(raw).labels(), &expected, "{raw}");
        }
    }

    #[test]
    fn what_pushgateway_refuses() {
        for (raw, expected) in [
            ("", "a path is /metrics/job"),
            ("job", "a path is /metrics/job"),
            ("jobs/x", "a path is /metrics/job"),
            ("instance/x/job/y", "a path is /metrics/job"),
            ("job/", "job name is required"),
            ("job@base64/=", "job name is required"),
            ("job/x/a", "the label \"a\" has no value"),
            ("job/x/a/1/", "the label \"\" has no value"),
            ("job/x//1", "improper label name \"\""),
            ("job/x/1a/1", "improper label name \"1a\""),
            ("job/x/__a/1", "improper label name \"__a\""),
            ("job/x/a.b/1", "improper label name \"a.b\""),
            ("job/x/a@base64@base64/eA", "improper label name \"a@base64\""),
            ("job/x/a@base64/e", "invalid base64 encoding for label a"),
            ("job/x/a@base64/ab+/", "invalid base64 encoding for label a"),
            ("job/x/a@base64/a=b", "invalid base64 encoding for label a"),
            ("job/x/a@base64/_w", "the value of label a is not UTF-8"),
            ("job/%ff", "the value of label or name is not UTF-8"),
            ("job/%f", "a % in the path"),
            ("job/%+1", "a % in the path"),
        ] {
            let error = GroupingKey::parse(raw).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{raw}: {error}");
        }
        let many = (0..32).map(|n| format!("l{n}/x")).collect::<Vec<_>>().join("/");
        assert!(GroupingKey::parse(&format!("job/x/{many}")).is_err());
        assert!(GroupingKey::parse(&format!("job/{}", "x".repeat(1025))).is_err());
        assert!(GroupingKey::parse(&format!("job/x/{}/1", "x".repeat(129))).is_err());
    }

    fn percent(text: &str) -> String {
        text.bytes().flat_map(|byte| format!("%{byte:02X}").into_bytes()).map(char::from).collect()
    }

    proptest! {
        #[test]
        fn any_value_comes_through(
            job in "\\PC{1,8}",
            pairs in prop::collection::btree_map("[a-c]{1,2}", (any::<String>(), 0..3_u8), 0..4),
        ) {
            let mut raw = format!("job/{}", percent(&job));
            let mut expected: BTreeMap<&str, &str> = BTreeMap::from([("job", job.as_str())]);
            for (name, (value, way)) in &pairs {
                let padded = URL_SAFE.encode(value);
                let (suffix, value_sent) = match way {
                    0 => ("", percent(value)),
                    1 => (BASE64, padded.trim_end_matches('=').to_owned()),
                    _ => (BASE64, padded),
                };
                raw.extend(["/", name, suffix, "/", &value_sent]);
                expected.insert(name, value);
            }
            let key = key(&raw);
            prop_assert_eq!(key.labels(), &LabelSet::from_pairs(expected.into_iter().collect()).unwrap());
            prop_assert_eq!(key.job(), job);
            let json = serde_json::to_string(&key).unwrap();
            prop_assert_eq!(serde_json::from_str::<GroupingKey>(&json).unwrap(), key);
        }

        #[test]
        fn no_path_is_too_strange(raw in any::<String>(), soup in "(job|@base64|/|=|%|%2|a|_|-|ä|%C3%A4){0,12}") {
            for raw in [raw, format!("job/{soup}"), soup] {
                if let Ok(key) = GroupingKey::parse(&raw) {
                    prop_assert!(!key.job().is_empty());
                }
            }
        }
    }
}
