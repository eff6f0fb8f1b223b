//! When a schedule is due: cron in a time zone, or every so many seconds.
//!
//! What daylight saving does to cron:
//!
//! - A pattern that leaves no hour out (`*/15 * * * *`, `@hourly`) goes by elapsed time: it fires whenever a clock on
//!   the wall shows a named minute, so in a repeated hour again, and in a skipped one not, because that took no time.
//! - Any other pattern names fixed local times, each of which is due once: one that a change of the clock skips, right
//!   after the change (several that were skipped together: once together); one that comes twice, at its first coming.
//!
//! The second rule is Vixie cron's for jobs at a specific time, as is that a clock which goes forward by more than three
//! hours makes nothing up: then a zone has changed its place at the date line, and the skipped day had no jobs
//! (Samoa, 30 December 2011). Unlike there, `*/15 2 * * *` names four fixed times.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

use super::{cron::Cron, zone::Zone};
use crate::domain::Seconds;

/// The longest change of the clock that still counts as daylight saving: cron(8), "local time changes".
const MAX_GAP: SignedDuration = SignedDuration::from_hours(3);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// At the minutes that the pattern names on the clocks of a zone.
    Cron {
        /// The pattern.
        cron: Cron,
        /// Whose clocks.
        zone: Zone,
    },
    /// At every multiple of this span since 1970-01-01T00:00:00Z, so that neither a restart nor a new configuration
    /// shifts it.
    Interval(Seconds),
}

impl Timing {
    /// The first instant later than `time` at which it is due. At least one second after every other one. None if there
    /// is none before the year 5000 (cron) or 10000.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Interval(every) => next_multiple(every.get(), time),
            Self::Cron { cron, zone } if cron.every_hour() => next_elapsed(cron, zone.rules(), time),
            Self::Cron { cron, zone } => next_local(cron, zone.rules(), time),
        }
    }
}

fn next_multiple(every: Duration, time: Timestamp) -> Option<Timestamp> {
    let every = i128::try_from(every.as_nanos()).ok()?;
    let passed = time.as_nanosecond().checked_div_euclid(every)?;
    Timestamp::from_nanosecond((passed + 1).checked_mul(every)?).ok()
}

/// Stretch by stretch of unchanging offset; within each, the clocks on the wall show elapsed time.
fn next_elapsed(cron: &Cron, zone: &TimeZone, time: Timestamp) -> Option<Timestamp> {
    let mut offset = zone.to_offset(time);
    let mut from = minute_of(offset.to_datetime(time)).checked_add(MINUTE).ok()?;
    let mut changes = zone.following(time);
    loop {
        let due = instant(cron.first_from(from)?, offset)?;
        match changes.next() {
            Some(change) if change.timestamp() <= due => {
                offset = change.offset();
                let shown = offset.to_datetime(change.timestamp());
                let begun = minute_of(shown);
                from = if begun == shown { begun } else { begun.checked_add(MINUTE).ok()? };
            }
            _ => return Some(due),
        }
    }
}

/// Local time by local time. The instants of ascending local times never descend, so the first later one is the next.
fn next_local(cron: &Cron, zone: &TimeZone, time: Timestamp) -> Option<Timestamp> {
    let mut wall = minute_of(zone.to_datetime(time));
    loop {
        wall = cron.first_from(wall.checked_add(MINUTE).ok()?)?;
        if let Some(due) = once(wall, zone).filter(|due| *due > time) {
            return Some(due);
        }
    }
}

/// The one instant at which a fixed local time is due.
fn once(wall: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => instant(wall, offset),
        AmbiguousOffset::Fold { before, .. } => instant(wall, before),
        AmbiguousOffset::Gap { before, after } => {
            if before.duration_until(after) > MAX_GAP {
                return None;
            }
            // Read with the offset from after the change, a skipped time lies before the change.
            zone.following(instant(wall, after)?).next().map(|change| change.timestamp())
        }
    }
}

fn instant(wall: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(wall).ok()
}

fn minute_of(shown: DateTime) -> DateTime {
    shown.date().at(shown.hour(), shown.minute(), 0, 0)
}

#[cfg(test)]
mod tests;
