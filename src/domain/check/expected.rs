//! Which statuses of an HTTP answer are good.

use std::{fmt, ops::RangeInclusive};

use serde::{Deserialize, Serialize};

use super::limits::invalid;
use crate::domain::invalid::InvalidConfig;

const FIELD: &str = "expected_status";
const LOWEST: u16 = 100;
const HIGHEST: u16 = 599;
const MOST: usize = 32;

/// A status (`204`), a range (`"200-299"`), a class (`"2xx"`), or a list of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(
    untagged,
    expecting = "must be a status, a range like \"200-299\", a class like \"2xx\", or a list of these"
)]
pub enum ExpectedStatusSpec {
    /// One or a range.
    One(StatusPattern),
    /// Any of these.
    Any(Vec<StatusPattern>),
}

/// A status (`204`), a range (`"200-299"`) or a class (`"2xx"`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "must be a status, a range like \"200-299\" or a class like \"2xx\"")]
pub enum StatusPattern {
    /// This one.
    Code(u16),
    /// A range with both ends, or a class.
    Text(String),
}

/// The statuses that are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedStatus(Vec<RangeInclusive<u16>>);

impl ExpectedStatus {
    /// Whether a status is among them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for ExpectedStatus {
    /// 200 to 299.
    fn default() -> Self {
        Self(vec![200..=299])
    }
}

impl TryFrom<ExpectedStatusSpec> for ExpectedStatus {
    type Error = InvalidConfig;

    fn try_from(spec: ExpectedStatusSpec) -> Result<Self, InvalidConfig> {
        let patterns = match spec {
            ExpectedStatusSpec::One(pattern) => vec![pattern],
            ExpectedStatusSpec::Any(patterns) => patterns,
        };
        if patterns.is_empty() || patterns.len() > MOST {
            return invalid(FIELD, format!("must be 1 to {MOST} statuses, ranges or classes"));
        }
        patterns.iter().map(StatusPattern::range).collect::<Result<_, _>>().map(Self)
    }
}

impl StatusPattern {
    fn range(&self) -> Result<RangeInclusive<u16>, InvalidConfig> {
        let range = match self {
            Self::Code(code) => Some(*code..=*code),
            Self::Text(text) => parse(text.trim()),
        };
        match range {
            Some(range)
                if LOWEST <= *range.start() && range.start() <= range.end() && *range.end() <= HIGHEST =>
            {
                Ok(range)
            }
            _ => invalid(
                FIELD,
                format!(
                    "must be statuses from {LOWEST} to {HIGHEST}, ranges like \"200-299\" or classes like \"2xx\""
                ),
            ),
        }
    }
}

fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let first = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))? * 100;
        return Some(first..=first + 99);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
}

impl From<&ExpectedStatus> for ExpectedStatusSpec {
    fn from(expected: &ExpectedStatus) -> Self {
        let pattern = |range: &RangeInclusive<u16>| {
            if range.start() == range.end() {
                StatusPattern::Code(*range.start())
            } else {
                StatusPattern::Text(show(range))
            }
        };
        match expected.0.as_slice() {
            [one] => Self::One(pattern(one)),
            any => Self::Any(any.iter().map(pattern).collect()),
        }
    }
}

fn show(range: &RangeInclusive<u16>) -> String {
    if range.start() == range.end() {
        return range.start().to_string();
    }
    format!("{}-{}", range.start(), range.end())
}

impl fmt::Display for ExpectedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(show).collect::<Vec<_>>().join(", "))
    }
}
