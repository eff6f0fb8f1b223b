//! The recent outcomes of a breaker: of the last calls, or of the last seconds.
//!
//! Memory follows use: one byte per remembered call, or one bucket per second that had calls.

use std::{collections::VecDeque, mem};

use serde::{Deserialize, Serialize};

use super::time::Time;
use recent::Recent;
pub(crate) use recent::{MAX_CLIENTS, Mixed};

mod recent;

const SECOND: i64 = 1_000_000_000;

/// How far back a window reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Span {
    /// The last so many calls.
    Calls(u32),
    /// The current second of the clock and the ones before it, so many in all: the coarseness of
    /// resilience4j's time-based window.
    Seconds(u32),
}

/// What a window remembers of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// How many calls a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowCounts {
    /// All recorded calls.
    pub total: u32,
    /// Those that failed.
    pub failed: u32,
    /// Those that were slow.
    pub slow: u32,
    /// Those that were slow and failed.
    pub slow_failed: u32,
}

impl WindowCounts {
    /// Failed calls per call; zero without calls.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        f64::from(self.failed) / f64::from(self.total.max(1))
    }

    /// Slow calls per call; zero without calls.
    #[must_use]
    pub fn slow_call_rate(&self) -> f64 {
        f64::from(self.slow) / f64::from(self.total.max(1))
    }

    fn add(&mut self, call: Sample, times: u32) {
        let one = |held: bool| if held { times } else { 0 };
        self.merge(Self {
            total: times,
            failed: one(call.failed),
            slow: one(call.slow),
            slow_failed: one(call.failed && call.slow),
        });
    }

    fn merge(&mut self, more: Self) {
        self.total = self.total.saturating_add(more.total);
        self.failed = self.failed.saturating_add(more.failed);
        self.slow = self.slow.saturating_add(more.slow);
        self.slow_failed = self.slow_failed.saturating_add(more.slow_failed);
    }

    fn remove(&mut self, gone: Self) {
        self.total = self.total.saturating_sub(gone.total);
        self.failed = self.failed.saturating_sub(gone.failed);
        self.slow = self.slow.saturating_sub(gone.slow);
        self.slow_failed = self.slow_failed.saturating_sub(gone.slow_failed);
    }
}

impl From<Sample> for WindowCounts {
    fn from(call: Sample) -> Self {
        Self {
            total: 1,
            failed: call.failed.into(),
            slow: call.slow.into(),
            slow_failed: (call.failed && call.slow).into(),
        }
    }
}

/// A window over recorded calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "saved::SavedWindow", into = "saved::SavedWindow")]
pub(crate) struct Window {
    span: Span,
    held: Held,
    counts: WindowCounts,
    failing: Recent,
    slow: Recent,
}

#[derive(Clone, Debug)]
enum Held {
    /// A ring that grows up to the span; `oldest` is where it wraps. `next` numbers the calls.
    Calls {
        ring: Vec<u8>,
        oldest: usize,
        next: i64,
    },
    Seconds(VecDeque<Bucket>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    second: i64,
    counts: WindowCounts,
}

impl Window {
    pub(crate) fn new(span: Span) -> Self {
        let held = match span {
            Span::Calls(_) => Held::Calls { ring: Vec::new(), oldest: 0, next: 0 },
            Span::Seconds(_) => Held::Seconds(VecDeque::new()),
        };
        Self {
            span,
            held,
            counts: WindowCounts::default(),
            failing: Recent::default(),
            slow: Recent::default(),
        }
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Remembers so many equal calls. With `client`, also that this client saw them fail or be slow.
    pub(crate) fn record(&mut self, now: Time, client: Option<u64>, call: Sample, times: u32) {
        let mark = match (&mut self.held, self.span) {
            (Held::Calls { ring, oldest, next }, Span::Calls(size)) => {
                // More than the window holds displace each other.
                for _ in 0..times.min(size) {
                    if let Some(gone) = push(ring, oldest, size as usize, encode(call)) {
                        self.counts.remove(decode(gone).into());
                    }
                    self.counts.add(call, 1);
                }
                *next = next.saturating_add(times.into());
                *next
            }
            (Held::Seconds(buckets), span) => {
                let second = second_of(now).max(buckets.back().map_or(i64::MIN, |last| last.second));
                let oldest = oldest_second(second, span);
                while let Some(gone) = buckets.front().filter(|bucket| bucket.second < oldest) {
                    self.counts.remove(gone.counts);
                    buckets.pop_front();
                }
                if buckets.back().is_none_or(|last| last.second != second) {
                    buckets.push_back(Bucket { second, counts: WindowCounts::default() });
                }
                if let Some(last) = buckets.back_mut() {
                    last.counts.add(call, times);
                }
                self.counts.add(call, times);
                second
            }
            (Held::Calls { .. }, Span::Seconds(_)) => return,
        };
        if let Some(client) = client {
            let oldest = self.oldest_mark();
            if call.failed {
                self.failing.touch(client, mark, oldest);
            }
            if call.slow {
                self.slow.touch(client, mark, oldest);
            }
        }
    }

    /// The calls in the window as of the last recorded one.
    pub(crate) fn counts(&self) -> WindowCounts {
        self.counts
    }

    /// The calls in the window at `now`.
    pub(crate) fn counts_at(&self, now: Time) -> WindowCounts {
        let mut counts = self.counts;
        if let Held::Seconds(buckets) = &self.held {
            let oldest = oldest_second(second_of(now), self.span);
            for gone in buckets.iter().take_while(|bucket| bucket.second < oldest) {
                counts.remove(gone.counts);
            }
        }
        counts
    }

    /// How many distinct clients saw a failure in the window, as far as [`MAX_CLIENTS`].
    pub(crate) fn failing_clients(&mut self) -> usize {
        let oldest = self.oldest_mark();
        self.failing.count(oldest)
    }

    /// How many distinct clients saw a slow call in the window, as far as [`MAX_CLIENTS`].
    pub(crate) fn slow_clients(&mut self) -> usize {
        let oldest = self.oldest_mark();
        self.slow.count(oldest)
    }

    /// Moves all times by `nanos`, in whole seconds, rounded down.
    pub(crate) fn shift(&mut self, nanos: i64) {
        if let Held::Seconds(buckets) = &mut self.held {
            let seconds = nanos.div_euclid(SECOND);
            for bucket in buckets {
                bucket.second = bucket.second.saturating_add(seconds);
            }
            self.failing.shift(seconds);
            self.slow.shift(seconds);
        }
    }

    fn oldest_mark(&self) -> i64 {
        match &self.held {
            Held::Calls { ring, next, .. } => {
                next.saturating_sub(i64::try_from(ring.len()).unwrap_or(i64::MAX)).saturating_add(1)
            }
            Held::Seconds(buckets) => {
                buckets.back().map_or(i64::MIN, |last| oldest_second(last.second, self.span))
            }
        }
    }
}

/// Puts `byte` into the ring; gives back the one that it displaced.
fn push(ring: &mut Vec<u8>, oldest: &mut usize, size: usize, byte: u8) -> Option<u8> {
    if ring.len() < size {
        if ring.len() == ring.capacity() {
            ring.reserve_exact(ring.len().max(16).min(size - ring.len()));
        }
        ring.push(byte);
        return None;
    }
    let slot = ring.get_mut(*oldest)?;
    *oldest = if *oldest + 1 < size { *oldest + 1 } else { 0 };
    Some(mem::replace(slot, byte))
}

fn second_of(now: Time) -> i64 {
    now.as_nanos().div_euclid(SECOND)
}

fn oldest_second(newest: i64, span: Span) -> i64 {
    let (Span::Seconds(size) | Span::Calls(size)) = span;
    newest.saturating_sub(i64::from(size)).saturating_add(1)
}

fn encode(call: Sample) -> u8 {
    u8::from(call.failed) | u8::from(call.slow) << 1
}

fn decode(byte: u8) -> Sample {
    Sample { failed: byte & 1 != 0, slow: byte & 2 != 0 }
}

mod saved;

#[cfg(test)]
mod tests;
