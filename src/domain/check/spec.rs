//! A check as it comes over the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{ExpectedStatusSpec, Headers, HttpMethod, MetricRule};
use crate::domain::{
    Name,
    schema::{HeaderName, HeaderValue, LabelName, LabelValue, MetricName},
};

/// Where the results of a check come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// The process that knows sends them.
    #[default]
    Push,
    /// A job says that it ran; silence is the failure.
    Heartbeat,
    /// The board asks over HTTP.
    Http,
    /// The board connects.
    Tcp,
    /// The state of a breaker of the board.
    Breaker,
    /// The value of a metric that the board was sent.
    Metric,
}

impl CheckKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Push, Self::Heartbeat, Self::Http, Self::Tcp, Self::Breaker, Self::Metric];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Heartbeat => "heartbeat",
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Breaker => "breaker",
            Self::Metric => "metric",
        }
    }

    /// Whether the board itself sees to the results, at an interval.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Http | Self::Tcp | Self::Breaker | Self::Metric)
    }

    /// Whether a field that not every kind has applies to this one.
    pub(super) fn takes(self, field: &str) -> bool {
        match field {
            "interval_seconds" => self != Self::Push,
            "stale_after_seconds" => self != Self::Heartbeat,
            "jitter" => self.is_active(),
            "timeout_seconds" | "slow_seconds" => matches!(self, Self::Http | Self::Tcp),
            "grace_seconds" | "max_run_seconds" => self == Self::Heartbeat,
            "address" | "send" | "expect_contains" => self == Self::Tcp,
            "breaker" => self == Self::Breaker,
            "metric_name" | "metric_labels" | "red_if" | "yellow_if" | "max_age_seconds" => {
                self == Self::Metric
            }
            _ => self == Self::Http,
        }
    }
}

/// A check as it comes over the wire. Absent fields take their default; a field of another kind is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// Where the results come from: `push`, `heartbeat`, `http`, `tcp`, `breaker` or `metric`.
    pub kind: CheckKind,
    /// What it is for. At most 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub description: Option<String>,
    /// Whether red here makes the whole red; else it makes it yellow. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical: Option<bool>,
    /// What to find it by: at most 32 labels, with values of at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<LabelName, LabelValue>>)]
    pub labels: Option<BTreeMap<String, String>>,
    /// Red results in a row that make the check red; until then its status stays what it was. A late heartbeat is red
    /// at once. Default 1, from 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub failure_threshold: Option<u32>,
    /// Results in a row that are not red, after which a red check (so also a new one) is no longer red. Default 1,
    /// from 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1000)]
    pub success_threshold: Option<u32>,
    /// All but `heartbeat`: seconds after which a result is stale. Greater than 0, at most 315360000. Default 300 for
    /// `push`, else three times `interval_seconds` and `timeout_seconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub stale_after_seconds: Option<f64>,
    /// All but `push`: seconds between runs; for `heartbeat` (required there) between pings. From 1 to 31622400.
    /// Default 60 for `http` and `tcp`, 5 for `breaker` and `metric`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub interval_seconds: Option<f64>,
    /// What the board runs by itself: share of the interval by which a run may come earlier than its turn, so that
    /// checks do not run in step. Default 0.1, from 0 to 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 0.5)]
    pub jitter: Option<f64>,
    /// `http`, `tcp`: seconds that a run may take in all. From 0.001 to `interval_seconds`. Default 2, or
    /// `interval_seconds` if that is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.001, maximum = 31_622_400)]
    pub timeout_seconds: Option<f64>,
    /// `http`, `tcp`: a run that takes longer is yellow. Greater than 0, at most `timeout_seconds`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 31_622_400)]
    pub slow_seconds: Option<f64>,
    /// `heartbeat`: seconds that a ping may be late. From 1 to 31622400. Default a tenth of `interval_seconds`, at
    /// least 1 and at most 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31_622_400)]
    pub grace_seconds: Option<f64>,
    /// `heartbeat`: seconds from start to end, after which the run takes too long. Greater than 0. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub max_run_seconds: Option<f64>,
    /// `http`, required there: an `http` or `https` URL without user and password. At most 2048 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 2048)]
    pub url: Option<String>,
    /// `http`: default `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// `http`: the statuses that are good: `204`, `"200-299"`, `"2xx"`, or a list of these. Default `"200-299"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_status: Option<ExpectedStatusSpec>,
    /// `http`: headers to send, at most 32. Values that look like secrets are answered as `[redacted]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<HeaderName, HeaderValue>>)]
    pub headers: Option<Headers>,
    /// `http`: body to send, at most 16384 characters. Not with `HEAD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 16_384)]
    pub body: Option<String>,
    /// `http`: text that the answer must contain. 1 to 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub body_contains: Option<String>,
    /// `http`: JSON pointer (RFC 6901) to what must be in the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^(/([^~]|~[01])*)?$", max_length = 1024)]
    pub json_pointer: Option<String>,
    /// `http`: any JSON value that must be there; numbers are compared by value. Without `json_pointer`, the whole
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "even_null")]
    #[schema(value_type = Option<Value>)]
    pub json_equals: Option<Value>,
    /// `http`: go where the answer points, at most 5 times. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_redirects: Option<bool>,
    /// `http`: whether the server's certificate must be valid. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_verify: Option<bool>,
    /// `http`: a certificate that ends within so many seconds is yellow. Greater than 0. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub certificate_expires_within_seconds: Option<f64>,
    /// `http`: the most bytes of the answer that are read. Default 1048576, from 1 to 16777216.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 16_777_216)]
    pub max_response_bytes: Option<u32>,
    /// `tcp`, required there: `host:port`, where an IPv6 address is in brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `tcp`: text to send once connected. 1 to 4096 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 4096)]
    pub send: Option<String>,
    /// `tcp`: text that must come back. 1 to 1024 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1024)]
    pub expect_contains: Option<String>,
    /// `breaker`, required there: its name. Red while `open` or `forced_open`, green while `closed`, else yellow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Name>,
    /// `metric`, required there: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MetricName>)]
    pub metric_name: Option<String>,
    /// `metric`: labels of the series to look at. (`labels` are those of the check.)
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<LabelName, LabelValue>>)]
    pub metric_labels: Option<BTreeMap<String, String>>,
    /// `metric`, required there: red while the value compares so to the threshold. Without a value it is red, too.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "crate::domain::object::object_option"
    )]
    pub red_if: Option<MetricRule>,
    /// `metric`: yellow while the value compares so, unless it is red.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "crate::domain::object::object_option"
    )]
    pub yellow_if: Option<MetricRule>,
    /// `metric`: a value that was sent longer ago counts as none. Greater than 0. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 315_360_000)]
    pub max_age_seconds: Option<f64>,
}

impl CheckSpec {
    /// A given field that does not apply to the kind.
    pub(super) fn misplaced(&self) -> Option<&'static str> {
        let given = [
            ("stale_after_seconds", self.stale_after_seconds.is_some()),
            ("interval_seconds", self.interval_seconds.is_some()),
            ("jitter", self.jitter.is_some()),
            ("timeout_seconds", self.timeout_seconds.is_some()),
            ("slow_seconds", self.slow_seconds.is_some()),
            ("grace_seconds", self.grace_seconds.is_some()),
            ("max_run_seconds", self.max_run_seconds.is_some()),
            ("url", self.url.is_some()),
            ("method", self.method.is_some()),
            ("expected_status", self.expected_status.is_some()),
            ("headers", self.headers.is_some()),
            ("body", self.body.is_some()),
            ("body_contains", self.body_contains.is_some()),
            ("json_pointer", self.json_pointer.is_some()),
            ("json_equals", self.json_equals.is_some()),
            ("follow_redirects", self.follow_redirects.is_some()),
            ("tls_verify", self.tls_verify.is_some()),
            ("certificate_expires_within_seconds", self.certificate_expires_within_seconds.is_some()),
            ("max_response_bytes", self.max_response_bytes.is_some()),
            ("address", self.address.is_some()),
            ("send", self.send.is_some()),
            ("expect_contains", self.expect_contains.is_some()),
            ("breaker", self.breaker.is_some()),
            ("metric_name", self.metric_name.is_some()),
            ("metric_labels", self.metric_labels.is_some()),
            ("red_if", self.red_if.is_some()),
            ("yellow_if", self.yellow_if.is_some()),
            ("max_age_seconds", self.max_age_seconds.is_some()),
        ];
        given.into_iter().find(|(field, given)| *given && !self.kind.takes(field)).map(|(field, _)| field)
    }
}

/// `null` is a value to compare to, not an absent field.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
