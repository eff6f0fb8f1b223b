//! Which instants have been started: the memory that no run happens twice, wherever the clock goes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// More spans than this are not kept apart.
const MAX_SPANS: usize = 32;

/// Every due instant from `from` to `to`, both included, counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    from: Timestamp,
    to: Timestamp,
}

/// A set of started instants. Neighbours share a span, so that undisturbed operation needs a single one.
///
/// At most 32 spans are kept. Beyond, the two nearest become one: an instant between them that never started then counts
/// as started, which matters only if the clock is set back to before it, and errs on the safe side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Started(Vec<Span>);

impl Started {
    /// The end of the span that `instant` lies in.
    pub(super) fn end_of(&self, instant: Timestamp) -> Option<Timestamp> {
        let after = self.0.partition_point(|span| span.from <= instant);
        self.0[..after].last().map(|span| span.to).filter(|to| *to >= instant)
    }

    /// Adds an instant. `next_after` tells the due instant that follows another one.
    pub(super) fn insert(&mut self, instant: Timestamp, next_after: impl Fn(Timestamp) -> Option<Timestamp>) {
        if self.end_of(instant).is_some() {
            return;
        }
        let at = self.0.partition_point(|span| span.from < instant);
        match self.0[..at].last_mut() {
            Some(before) if next_after(before.to) == Some(instant) => before.to = instant,
            _ => self.0.insert(at, Span { from: instant, to: instant }),
        }
        if self.0.len() > MAX_SPANS {
            self.join_nearest();
        }
    }

    fn join_nearest(&mut self) {
        let distance = |at: &usize| self.0[*at].from.duration_since(self.0[*at - 1].to);
        if let Some(at) = (1..self.0.len()).min_by_key(distance) {
            let joined = self.0.remove(at);
            self.0[at - 1].to = joined.to;
        }
    }

    #[cfg(test)]
    pub(super) fn spans(&self) -> usize {
        self.0.len()
    }
}
