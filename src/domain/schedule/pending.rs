//! The instants that have come since the last look.

use jiff::Timestamp;

use super::run::{Missed, MissedReason};

/// How many instants are counted: a week of minutes. A clock that jumps by a century must not keep anybody waiting.
const MAX_COUNT: u64 = 10_000;
/// Two instants are at least that far apart: `Timing::next_after`.
const RESOLUTION_NANOS: i128 = 1_000_000_000;

/// One or more instants.
pub(super) struct Pending {
    count: u64,
    first: Timestamp,
    before_last: Timestamp,
    pub(super) last: Timestamp,
}

impl Pending {
    /// The instants later than `from` and not later than `until`. `next_after` tells the one that follows another time.
    pub(super) fn between(
        from: Timestamp,
        until: Timestamp,
        next_after: impl Fn(Timestamp) -> Option<Timestamp>,
    ) -> Option<Self> {
        let next = |time| next_after(time).filter(|next| *next <= until);
        let first = next(from)?;
        let mut pending = Self { count: 1, first, before_last: first, last: first };
        while let Some(following) = next(pending.last) {
            if pending.count == MAX_COUNT {
                pending.last = latest(pending.last, until, &next_after);
                pending.before_last = latest(pending.before_last, before(pending.last), &next_after);
                break;
            }
            pending.count += 1;
            pending.before_last = pending.last;
            pending.last = following;
        }
        Some(pending)
    }

    /// All of them, as missed.
    pub(super) fn all(&self, reason: MissedReason) -> Missed {
        Missed { reason, count: self.count, first: self.first, last: self.last }
    }

    /// All but the last, as missed.
    pub(super) fn earlier(&self) -> Option<Missed> {
        let all = self.all(MissedReason::Misfire);
        let others = self.count - 1;
        (others > 0).then_some(Missed { count: others, last: self.before_last, ..all })
    }
}

/// The latest instant not later than `until`, given that there is one later than `from`.
fn latest(
    from: Timestamp,
    until: Timestamp,
    next_after: impl Fn(Timestamp) -> Option<Timestamp>,
) -> Timestamp {
    let (mut low, mut high) = (from.as_nanosecond(), until.as_nanosecond());
    let next = |nanos| {
        let next = Timestamp::from_nanosecond(nanos).ok().and_then(&next_after);
        next.filter(|next| *next <= until)
    };
    while high - low > RESOLUTION_NANOS / 2 {
        let middle = i128::midpoint(low, high);
        if next(middle).is_some() { low = middle } else { high = middle }
    }
    next(low).unwrap_or(from)
}

fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(time.as_nanosecond() - 1).unwrap_or(Timestamp::MIN)
}
