//! Who has sent aggregates, and how far: so that each counts once, however often it comes.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::domain::{time::Time, window::Mixed};

/// Most senders of one breaker. Of more, those that were silent the longest are forgotten.
const MAX_SENDERS: usize = 1024;
/// For how long after its last aggregate a sender is remembered for certain.
const MEMORY: Duration = Duration::from_hours(1);

/// The last sequence number of each sender. They are saved with the counts that they stand for, so that a crash takes
/// back both or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub(super) struct Senders(HashMap<u64, Sent, Mixed>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    sequence: u64,
    at: Time,
}

impl Senders {
    /// Whether this is the sender's first aggregate with this or a higher number; it counts as sent from here on.
    pub(super) fn is_news(&mut self, sender: u64, sequence: u64, now: Time) -> bool {
        if let Some(sent) = self.0.get_mut(&sender) {
            sent.at = now;
            if sequence <= sent.sequence {
                return false;
            }
            sent.sequence = sequence;
            return true;
        }
        self.0.retain(|_, sent| now.since(sent.at) <= MEMORY);
        if self.0.len() >= MAX_SENDERS {
            let silent = self.0.iter().map(|(sender, sent)| (sent.at, *sender)).min();
            if let Some((_, gone)) = silent {
                self.0.remove(&gone);
            }
        }
        self.0.insert(sender, Sent { sequence, at: now });
        true
    }

    pub(super) fn shift(&mut self, nanos: i64) {
        for sent in self.0.values_mut() {
            sent.at = sent.at.shifted(nanos);
        }
    }
}

/// A sender as it is stored.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry(u64, u64, Time);

impl From<Senders> for Vec<Entry> {
    fn from(senders: Senders) -> Self {
        let mut all: Self =
            senders.0.into_iter().map(|(sender, sent)| Entry(sender, sent.sequence, sent.at)).collect();
        all.sort_unstable();
        all
    }
}

impl From<Vec<Entry>> for Senders {
    fn from(saved: Vec<Entry>) -> Self {
        let entry = |Entry(sender, sequence, at)| (sender, Sent { sequence, at });
        Self(saved.into_iter().take(MAX_SENDERS).map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_nanos(0).after(Duration::from_secs(seconds))
    }

    #[test]
    fn each_number_counts_once() {
        let mut senders = Senders::default();
        assert!(senders.is_news(1, 5, at(0)));
        assert!(!senders.is_news(1, 5, at(1)));
        assert!(!senders.is_news(1, 4, at(2)));
        assert!(senders.is_news(2, 5, at(3)));
        assert!(senders.is_news(1, 6, at(4)));
        let text = serde_json::to_string(&senders).unwrap();
        let mut again: Senders = serde_json::from_str(&text).unwrap();
        assert_eq!(again, senders);
        assert!(!again.is_news(1, 6, at(5)));
    }

    #[test]
    fn the_silent_are_forgotten_and_nobody_else() {
        let mut senders = Senders::default();
        for sender in 0..5000 {
            assert!(senders.is_news(sender, 1, at(sender)));
            assert!(senders.0.len() <= MAX_SENDERS);
        }
        assert!(!senders.is_news(4999, 1, at(5000)));
        assert!(!senders.is_news(4999 - 1000, 1, at(5000)));
        assert!(senders.is_news(10_000, 1, at(5000 + 3601)));
        assert_eq!(senders.0.len(), 1);
    }
}
