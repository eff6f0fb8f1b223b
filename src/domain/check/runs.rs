//! When the board looks by itself: a grid with jitter, one run at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Active;
use crate::domain::{Name, Time};

/// How much longer than its timeout a run may stay away before it is given up.
const MARGIN: Duration = Duration::from_secs(10);

/// Leave for one run, to be given back with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunToken(u64);

/// The runs of a check. Its turn comes every interval, counted from the first; turns that were missed are not made up
/// for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Runs {
    /// Runs begun.
    number: u64,
    /// The next turn.
    turn: Time,
    /// When somebody asked for a run before its turn.
    hastened: Option<Time>,
    /// A run does not outlive its process.
    #[serde(skip)]
    flight: Option<Flight>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flight {
    token: RunToken,
    lost_at: Time,
}

impl Runs {
    /// The first run is due at once. `number` are those begun before.
    pub(super) fn new(number: u64, now: Time) -> Self {
        Self { number, turn: now, hastened: Some(now), flight: None }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// When a run may begin: at its turn, less the jitter; while one is in flight, when that is given up.
    pub(super) fn next(&self, active: &Active, seed: u64) -> Time {
        let due = self.hastened.unwrap_or_else(|| self.due(active, seed));
        self.flight.map_or(due, |flight| flight.lost_at.max(due))
    }

    fn due(&self, active: &Active, seed: u64) -> Time {
        let most = active.interval.get().mul_f64(active.jitter);
        self.turn.before(most.mul_f64(fraction(seed, self.number)))
    }

    pub(super) fn begin(&mut self, active: &Active, seed: u64, now: Time) -> Option<RunToken> {
        if self.flight.is_some_and(|flight| now < flight.lost_at) {
            return None;
        }
        let is_first = self.number == 0;
        self.turn = if is_first || now < self.due(active, seed) {
            now.after(first_wait(active, seed, is_first))
        } else {
            self.turn.after(active.interval.get().saturating_mul(turns(active, self.turn, now)))
        };
        self.hastened = None;
        self.number += 1;
        let token = RunToken(self.number);
        let timeout = active.probe.timeout().get();
        self.flight = Some(Flight { token, lost_at: now.after(timeout.saturating_mul(2)).after(MARGIN) });
        Some(token)
    }

    /// Takes a token back; whether it was that of the run in flight.
    pub(super) fn end(&mut self, token: RunToken) -> bool {
        let ends = self.flight.is_some_and(|flight| flight.token == token);
        if ends {
            self.flight = None;
        }
        ends
    }

    /// The next run is due now; if one is in flight, after it.
    pub(super) fn hasten(&mut self, now: Time) {
        self.hastened = Some(self.hastened.map_or(now, |at| at.min(now)));
    }

    /// Goes on under another configuration. What a run in flight was told is no longer what to look for, if that
    /// changed: its token no longer counts.
    pub(super) fn refit(&mut self, before: &Active, active: &Active, now: Time) {
        if before.interval != active.interval {
            self.turn = self.turn.min(now.after(active.interval.get()));
        }
        if before.probe != active.probe {
            self.flight = None;
            self.hasten(now);
        }
    }

    /// On the clock of `now`, moved by `shift_nanos`.
    pub(super) fn shift(&mut self, shift_nanos: i64, active: &Active, now: Time) {
        // A run that came early leaves its turn ahead, so that the next one is more than an interval away, never two.
        let furthest = now.after(active.interval.get().saturating_mul(2));
        self.turn = self.turn.shifted(shift_nanos).min(furthest);
        self.hastened = self.hastened.map(|at| at.shifted(shift_nanos).min(now));
    }
}

/// After its first run a check takes its place in the interval by its name, so that those that were made together do
/// not run together; unless jitter is unwanted.
fn first_wait(active: &Active, seed: u64, is_first: bool) -> Duration {
    let interval = active.interval.get();
    if is_first && active.jitter > 0.0 {
        return interval.mul_f64(f64::midpoint(1.0, fraction(seed, u64::MAX)));
    }
    interval
}

/// How many turns further the next one is that is still to come.
fn turns(active: &Active, turn: Time, now: Time) -> u32 {
    let missed = now.since(turn).as_nanos() / active.interval.get().as_nanos().max(1);
    u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1)
}

/// What tells the jitter of one check from that of another (FNV-1a).
pub(super) fn seed(name: &Name) -> u64 {
    name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// From [0, 1), spread evenly over names and runs (the last steps of `SplitMix64`).
#[expect(clippy::cast_precision_loss, reason = "53 bits, exact in a float")]
fn fraction(seed: u64, run: u64) -> f64 {
    let mut z = seed.wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
