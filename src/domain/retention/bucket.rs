//! Stretches of the calendar, of each of which one backup is kept.

use std::fmt;

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{Offset, TimeZone},
};

/// How long the stretches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// An hour.
    Hourly,
    /// A day.
    Daily,
    /// A week from Monday to Sunday, as ISO 8601 numbers them.
    Weekly,
    /// A month.
    Monthly,
    /// A year.
    Yearly,
}

impl Period {
    /// From the shortest to the longest.
    pub const ALL: [Self; 5] = [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Yearly];

    /// The stretch in which that time lies.
    pub(super) fn bucket(self, local: &Local) -> Bucket {
        let date = local.shown.date();
        match self {
            Self::Hourly => Bucket::Hour { date, hour: local.shown.hour(), offset: local.offset },
            Self::Daily => Bucket::Day(date),
            Self::Weekly => {
                let week = date.iso_week_date();
                Bucket::Week { year: week.year(), week: week.week() }
            }
            Self::Monthly => Bucket::Month { year: date.year(), month: date.month() },
            Self::Yearly => Bucket::Year(date.year()),
        }
    }
}

/// What the clocks of a zone show at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local {
    shown: DateTime,
    offset: Offset,
}

impl Local {
    pub(super) fn at(instant: Timestamp, zone: &TimeZone) -> Self {
        let offset = zone.to_offset(instant);
        Self { shown: offset.to_datetime(instant), offset }
    }
}

/// One stretch. Shown as `daily 2026-11-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// An hour. Of one that comes twice when the clocks are set back, each is one of its own.
    Hour {
        /// Its day.
        date: Date,
        /// Which, from 0.
        hour: i8,
        /// How far its clocks are ahead of universal time.
        offset: Offset,
    },
    /// A day.
    Day(Date),
    /// A week of ISO 8601.
    Week {
        /// Its year, which is not always that of each of its days.
        year: i16,
        /// Its number, from 1.
        week: i8,
    },
    /// A month.
    Month {
        /// Its year.
        year: i16,
        /// Its number, from 1.
        month: i8,
    },
    /// A year.
    Year(i16),
}

impl Bucket {
    /// How long it is.
    #[must_use]
    pub fn period(&self) -> Period {
        match self {
            Self::Hour { .. } => Period::Hourly,
            Self::Day(_) => Period::Daily,
            Self::Week { .. } => Period::Weekly,
            Self::Month { .. } => Period::Monthly,
            Self::Year(_) => Period::Yearly,
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hour { date, hour, offset } => write!(f, "hourly {date}T{hour:02}{}", sign(*offset)),
            Self::Day(date) => write!(f, "daily {date}"),
            Self::Week { year, week } => write!(f, "weekly {year}-W{week:02}"),
            Self::Month { year, month } => write!(f, "monthly {year}-{month:02}"),
            Self::Year(year) => write!(f, "yearly {year}"),
        }
    }
}

/// An offset as RFC 3339 has it, with seconds where an old one has them.
fn sign(offset: Offset) -> String {
    let seconds = offset.seconds().unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let sign = if offset.seconds() < 0 { '-' } else { '+' };
    match (offset.seconds(), seconds) {
        (0, _) => "Z".to_owned(),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}
