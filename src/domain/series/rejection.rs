//! Why a sample is refused.

use std::fmt;

use serde::Serialize;

/// What is wrong with a sample, for programs. Codes are added, never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// The name is none that Prometheus takes, or too long.
    InvalidName,
    /// The name is one of the board's own.
    ReservedName,
    /// Prometheus would see this metric and another under one name.
    NameConflict,
    /// The metric is of another type.
    TypeConflict,
    /// The operation is none of the type's.
    InvalidOp,
    /// The value is missing, negative where it must not be, or not finite.
    InvalidValue,
    /// A label's name or value, or their number.
    InvalidLabel,
    /// The help is too long.
    InvalidHelp,
    /// The time to live is not more than 0 seconds, or more than ten years.
    InvalidTtl,
    /// There are as many series, or metrics, as there may be.
    CardinalityLimit,
}

impl RejectionCode {
    /// All of them, in their order.
    pub const ALL: [Self; 10] = [
        Self::InvalidName,
        Self::ReservedName,
        Self::NameConflict,
        Self::TypeConflict,
        Self::InvalidOp,
        Self::InvalidValue,
        Self::InvalidLabel,
        Self::InvalidHelp,
        Self::InvalidTtl,
        Self::CardinalityLimit,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidName => "invalid_name",
            Self::ReservedName => "reserved_name",
            Self::NameConflict => "name_conflict",
            Self::TypeConflict => "type_conflict",
            Self::InvalidOp => "invalid_op",
            Self::InvalidValue => "invalid_value",
            Self::InvalidLabel => "invalid_label",
            Self::InvalidHelp => "invalid_help",
            Self::InvalidTtl => "invalid_ttl",
            Self::CardinalityLimit => "cardinality_limit",
        }
    }
}

/// A sample that is refused. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Rejection {
    /// For programs.
    pub code: RejectionCode,
    /// For people. It names the field.
    pub message: String,
}

impl Rejection {
    /// Prometheus would see the metric under the name of another that is none of these.
    #[must_use]
    pub fn name_conflict(why: &impl fmt::Display) -> Self {
        Self::new(RejectionCode::NameConflict, format!("name: {why}"))
    }

    pub(super) fn new(code: RejectionCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}
