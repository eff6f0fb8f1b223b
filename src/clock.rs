//! The two clocks of the board: steady time for every decision, wall time for what people read.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::Time;

/// Source of steady and wall time. Cheap to clone.
///
/// Steady time is `CLOCK_BOOTTIME`: it counts on in suspend, is the same for every process of one boot, and
/// no correction of the wall clock moves it. Thus a restarted server goes on where it stopped.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<Manual>),
}

struct Manual {
    steady: AtomicI64,
    wall: AtomicI64,
}

impl Clock {
    /// The clocks of this machine.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// Clocks that stand still until [`Clock::advance`], starting at `wall`. For tests.
    #[must_use]
    pub fn manual(wall: Timestamp) -> Self {
        let wall = i64::try_from(wall.as_nanosecond()).unwrap_or(0);
        Self(Source::Manual(Arc::new(Manual {
            steady: AtomicI64::new(1_000_000_000_000),
            wall: AtomicI64::new(wall),
        })))
    }

    /// Whether it moves only when a test says so.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Steady time.
    #[must_use]
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::System => {
                let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                Time::from_nanos(t.tv_sec.saturating_mul(1_000_000_000).saturating_add(t.tv_nsec))
            }
            Source::Manual(m) => Time::from_nanos(m.steady.load(Ordering::SeqCst)),
        }
    }

    /// Wall time in UTC.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.wall_nanos())).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Wall time in nanoseconds since 1970.
    #[must_use]
    pub fn wall_nanos(&self) -> i64 {
        match &self.0 {
            Source::System => {
                let t = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
                t.tv_sec.saturating_mul(1_000_000_000).saturating_add(t.tv_nsec)
            }
            Source::Manual(m) => m.wall.load(Ordering::SeqCst),
        }
    }

    /// What to add to steady time to get wall time, as of now.
    #[must_use]
    pub fn wall_offset(&self) -> i64 {
        self.wall_nanos().saturating_sub(self.now().as_nanos())
    }

    /// The wall time that belongs to a steady `time`, by the wall clock of now.
    #[must_use]
    pub fn wall_at(&self, time: Time) -> Timestamp {
        let nanos = time.as_nanos().saturating_add(self.wall_offset());
        Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX)
    }

    /// Moves a manual clock on; does nothing to the system's.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(m) = &self.0 {
            let nanos = i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
            m.steady.fetch_add(nanos, Ordering::SeqCst);
            m.wall.fetch_add(nanos, Ordering::SeqCst);
        }
    }

    /// Moves only the wall clock of a manual clock, as a correction by NTP or a human would.
    pub fn jump_wall(&self, seconds: i64) {
        if let Source::Manual(m) = &self.0 {
            m.wall.fetch_add(seconds.saturating_mul(1_000_000_000), Ordering::SeqCst);
        }
    }

    /// Names the zero of steady time and where both clocks stand, to be stored beside saved state.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let boot = match &self.0 {
            Source::System => std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .map(|id| id.trim().to_owned())
                .unwrap_or_default(),
            Source::Manual(_) => "manual".to_owned(),
        };
        Origin { boot, steady: self.now().as_nanos(), wall: self.wall_nanos() }
    }

    /// Nanoseconds to add to times that were saved under `saved`, so that they fit this clock.
    ///
    /// Within one boot of the machine nothing has to be added. After a reboot only the wall clock tells how long
    /// the board was away; a wall clock that went backwards counts as no time at all.
    #[must_use]
    pub fn shift_from(&self, saved: &Origin) -> i64 {
        let here = self.origin();
        if !here.boot.is_empty() && here.boot == saved.boot && here.steady >= saved.steady {
            return 0;
        }
        let away = here.wall.saturating_sub(saved.wall).max(0);
        here.steady.saturating_sub(saved.steady.saturating_add(away))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Clock::system",
            Source::Manual(_) => "Clock::manual",
        })
    }
}

/// Where a steady clock had its zero. See [`Clock::origin`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    boot: String,
    steady: i64,
    wall: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_reboot_the_time_away_counts_and_a_wall_clock_set_back_does_not() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let here = clock.origin();
        let saved = Origin { boot: "other".into(), steady: 5, wall: here.wall - 7 };
        let until = Time::from_nanos(5 + 10);
        assert_eq!(until.shifted(clock.shift_from(&saved)).since(clock.now()), Duration::from_nanos(3));
        let set_back = Origin { wall: here.wall + 99, ..saved };
        assert_eq!(until.shifted(clock.shift_from(&set_back)).since(clock.now()), Duration::from_nanos(10));
        assert_eq!(clock.shift_from(&here), 0);
    }

    #[test]
    fn a_jump_of_the_wall_clock_does_not_move_steady_time() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let before = clock.now();
        clock.jump_wall(-3600);
        assert_eq!(clock.now(), before);
        assert_eq!(clock.wall().as_second(), -3600);
    }
}
