//! Why a backup stays or goes.

use std::fmt;

use super::{
    bucket::{Bucket, Period},
    config::Days,
};

/// Why a backup stays or goes. Shown as a text for people; [`word`](Self::word) is for programs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// It is protected.
    Pinned,
    /// It was made after now.
    InTheFuture,
    /// It is one of the newest.
    Last {
        /// Its place among them; the newest has 1.
        place: u32,
        /// How many of them stay.
        of: u32,
    },
    /// It is the newest of its hour, day, week, month or year.
    Newest(Bucket),
    /// It is not old enough to go.
    Young {
        /// What is younger than that stays.
        days: Days,
    },
    /// It is the newest that was verified.
    NewestVerified,
    /// None was verified, and it is the newest.
    NewestOfAll,
    /// The policy has no rule, so everything stays.
    NoPolicy,
    /// It goes: nothing says that it stays.
    NoRule,
}

impl Reason {
    /// The word that programs find it by. For a rule of the policy it is the name of its field.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::InTheFuture => "in_the_future",
            Self::Last { .. } => "keep_last",
            Self::Newest(bucket) => match bucket.period() {
                Period::Hourly => "keep_hourly",
                Period::Daily => "keep_daily",
                Period::Weekly => "keep_weekly",
                Period::Monthly => "keep_monthly",
                Period::Yearly => "keep_yearly",
            },
            Self::Young { .. } => "retention_days",
            Self::NewestVerified => "newest_verified",
            Self::NewestOfAll => "newest",
            Self::NoPolicy => "no_policy",
            Self::NoRule => "no_rule",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned => f.write_str("pinned"),
            Self::InTheFuture => f.write_str("in the future"),
            Self::Last { place, of } => write!(f, "last {place} of {of}"),
            Self::Newest(bucket) => write!(f, "{bucket}"),
            Self::Young { days } => match days.get().to_string().as_str() {
                "1" => f.write_str("younger than 1 day"),
                days => write!(f, "younger than {days} days"),
            },
            Self::NewestVerified => f.write_str("newest verified"),
            Self::NewestOfAll => f.write_str("newest"),
            Self::NoPolicy => f.write_str("no policy"),
            Self::NoRule => f.write_str("no rule keeps it"),
        }
    }
}
