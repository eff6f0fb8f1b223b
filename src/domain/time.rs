//! Steady time. The domain never reads a clock: `now` is always an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in nanoseconds of the board's steady clock.
///
/// The clock counts on while the machine sleeps, goes on across a restart of the server, and is not
/// moved by corrections of the wall clock. Its zero has no meaning; only differences have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(i64);

impl Time {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// An instant that is never reached.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant that many nanoseconds after the clock's zero.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's zero.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// `span` later; stays at [`Time::MAX`] instead of wrapping.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// `span` earlier; stays at [`Time::MIN`] instead of wrapping.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    /// The span from `earlier` until here; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0)).map_or(Duration::ZERO, Duration::from_nanos)
    }

    /// Moved by `nanos`, for state that was saved under another zero.
    #[must_use]
    pub fn shifted(self, nanos: i64) -> Self {
        if self == Self::MAX || self == Self::MIN {
            return self;
        }
        Self(self.0.saturating_add(nanos))
    }
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time::MAX.after(Duration::from_secs(1)), Time::MAX);
        assert_eq!(Time::from_nanos(5).since(Time::from_nanos(9)), Duration::ZERO);
        assert_eq!(Time::from_nanos(5).after(Duration::MAX), Time::MAX);
        assert_eq!(Time::MAX.shifted(-5), Time::MAX);
        assert_eq!(Time::from_nanos(9).shifted(-5), Time::from_nanos(4));
    }
}
