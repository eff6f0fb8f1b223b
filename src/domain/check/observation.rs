//! What was seen, by whoever looked.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::limits::{invalid, seconds};
use crate::domain::{Seconds, Time, health::Status, invalid::InvalidConfig, text::is_longer};

const LONGEST_MESSAGE: usize = 1024;
const LONGEST_ERROR: usize = 8192;
const LONGEST_LOG: usize = 8192;
const MOST_DETAILS: usize = 16_384;
const DEEPEST_DETAILS: usize = 16;

/// A result as the process that knows sends it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPush {
    /// How it is.
    pub status: Status,
    /// In a sentence. At most 1024 characters.
    #[serde(default)]
    #[schema(max_length = 1024)]
    pub message: Option<String>,
    /// What else is of interest: an object of at most 16384 bytes of JSON, nested at most 16 deep.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub details: Option<Map<String, Value>>,
    /// What went wrong. At most 8192 characters.
    #[serde(default)]
    #[schema(max_length = 8192)]
    pub error: Option<String>,
    /// How long it took to find out, in seconds.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 315_360_000)]
    pub duration_seconds: Option<f64>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    status: Status,
    message: Box<str>,
    details: Map<String, Value>,
    error: Option<Box<str>>,
    duration: Option<Seconds>,
}

/// What was seen, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// What.
    pub observation: Observation,
    /// When, on the steady clock.
    pub at: Time,
    /// When, on the wall clock.
    pub timestamp: Timestamp,
}

impl Observation {
    /// A status and a sentence; one that is too long is cut.
    #[must_use]
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        let message = cut(message.into(), LONGEST_MESSAGE);
        Self { status, message, details: Map::new(), error: None, duration: None }
    }

    /// Red, because looking itself failed: no connection, no answer in time.
    #[must_use]
    pub fn failed(message: impl Into<String>, error: impl Into<String>) -> Self {
        let error = Some(cut(error.into(), LONGEST_ERROR));
        Self { error, ..Self::new(Status::Red, message) }
    }

    /// With how long it took to find out.
    #[must_use]
    pub fn took(self, duration: Duration) -> Self {
        let longest = Duration::try_from_secs_f64(Seconds::MAX).unwrap_or(duration);
        Self { duration: Some(duration.min(longest).into()), ..self }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// In a sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What else is of interest.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }

    /// What went wrong.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// How long it took to find out; of a heartbeat, how long the job ran.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration.map(Seconds::get)
    }

    pub(super) fn with(mut self, key: &str, value: Value) -> Self {
        self.details.insert(key.to_owned(), value);
        self
    }

    /// With the end of what a job has to say, its control characters left out.
    pub(super) fn with_log(self, log: &str) -> Self {
        let shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        let text: String = log.chars().filter(shown).collect();
        let text = text.trim();
        if text.is_empty() {
            return self;
        }
        let start = text.ceil_char_boundary(text.len().saturating_sub(LONGEST_LOG));
        let observation = self.with("log", json!(&text[start..]));
        if start == 0 { observation } else { observation.with("log_truncated", json!(true)) }
    }
}

impl TryFrom<CheckPush> for Observation {
    type Error = InvalidConfig;

    fn try_from(push: CheckPush) -> Result<Self, InvalidConfig> {
        let details = push.details.unwrap_or_default();
        if details.values().any(|value| !is_shallow(value, DEEPEST_DETAILS - 1)) {
            return invalid("details", format!("must be nested at most {DEEPEST_DETAILS} deep"));
        }
        if serde_json::to_vec(&details).map_or(usize::MAX, |json| json.len()) > MOST_DETAILS {
            return invalid("details", format!("must be at most {MOST_DETAILS} bytes of JSON"));
        }
        let duration =
            push.duration_seconds.map(|given| seconds("duration_seconds", given, 0.0..=Seconds::MAX));
        Ok(Self {
            status: push.status,
            message: bounded("message", push.message.unwrap_or_default(), LONGEST_MESSAGE)?,
            details,
            error: push.error.map(|error| bounded("error", error, LONGEST_ERROR)).transpose()?,
            duration: duration.transpose()?,
        })
    }
}

fn bounded(field: &'static str, text: String, most: usize) -> Result<Box<str>, InvalidConfig> {
    if is_longer(&text, most) {
        invalid(field, format!("must be at most {most} characters long"))
    } else {
        Ok(text.into())
    }
}

fn cut(mut text: String, most: usize) -> Box<str> {
    text.truncate(text.floor_char_boundary(most));
    text.into()
}

fn is_shallow(value: &Value, deepest: usize) -> bool {
    match value {
        Value::Array(items) => deepest > 0 && items.iter().all(|item| is_shallow(item, deepest - 1)),
        Value::Object(items) => deepest > 0 && items.values().all(|item| is_shallow(item, deepest - 1)),
        _ => true,
    }
}
