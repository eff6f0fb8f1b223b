//! Why a configuration is refused.

use std::fmt;

/// A configuration value lies outside what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    /// Path of the offending field, such as `window.size`.
    pub field: &'static str,
    /// What is allowed there.
    pub message: String,
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for InvalidConfig {}

/// Refuses the value of a field.
pub(in crate::domain) fn invalid<T>(
    field: &'static str,
    message: impl Into<String>,
) -> Result<T, InvalidConfig> {
    Err(InvalidConfig { field, message: message.into() })
}
