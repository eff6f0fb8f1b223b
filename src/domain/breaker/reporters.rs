//! Consecutive failures, client by client.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::view::Reporter;
use crate::domain::{
    time::Time,
    window::{MAX_CLIENTS, Mixed},
};

/// Who made a call. Callers that do not say share one anonymous client with an empty name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client<'a> {
    /// Identifies the client. The same name must hash the same, after a restart too, for saved counts to go on.
    pub hash: u64,
    /// What to show; kept only for clients that fail.
    pub name: &'a str,
}

/// The clients whose last outcome was a failure. At most [`MAX_CLIENTS`]; then those with the fewest
/// failures, longest ago, are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub(super) struct Reporters(HashMap<u64, Streak, Mixed>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Streak {
    name: Box<str>,
    failures: u32,
    last: Time,
}

impl Reporters {
    pub(super) fn success(&mut self, client: u64) {
        if !self.0.is_empty() {
            self.0.remove(&client);
        }
    }

    /// Counts so many failures; the client's consecutive ones so far.
    pub(super) fn failures(&mut self, client: Client<'_>, now: Time, times: u32) -> u32 {
        if let Some(streak) = self.0.get_mut(&client.hash) {
            streak.failures = streak.failures.saturating_add(times);
            streak.last = now;
            return streak.failures;
        }
        if self.0.len() >= MAX_CLIENTS {
            let least = self.0.iter().map(|(hash, streak)| (streak.failures, streak.last, *hash)).min();
            if let Some((_, _, hash)) = least {
                self.0.remove(&hash);
            }
        }
        self.0.insert(client.hash, Streak { name: client.name.into(), failures: times, last: now });
        times
    }

    /// How many clients have reached `threshold`.
    pub(super) fn at_least(&self, threshold: u32) -> usize {
        self.0.values().filter(|streak| streak.failures >= threshold).count()
    }

    pub(super) fn largest(&self) -> u32 {
        self.0.values().map(|streak| streak.failures).max().unwrap_or(0)
    }

    /// All of them, most failures first.
    pub(super) fn list(&self) -> Vec<Reporter> {
        let mut all: Vec<_> = self
            .0
            .values()
            .map(|streak| Reporter { client: streak.name.as_ref().to_owned(), failures: streak.failures })
            .collect();
        all.sort_unstable_by(|a, b| b.failures.cmp(&a.failures).then_with(|| a.client.cmp(&b.client)));
        all
    }

    pub(super) fn shift(&mut self, nanos: i64) {
        for streak in self.0.values_mut() {
            streak.last = streak.last.shifted(nanos);
        }
    }
}

/// A [`Streak`] as it is stored.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Entry {
    hash: u64,
    name: Box<str>,
    failures: u32,
    last: Time,
}

impl From<Reporters> for Vec<Entry> {
    fn from(reporters: Reporters) -> Self {
        let mut all: Self = reporters
            .0
            .into_iter()
            .map(|(hash, Streak { name, failures, last })| Entry { hash, name, failures, last })
            .collect();
        all.sort_unstable();
        all
    }
}

impl From<Vec<Entry>> for Reporters {
    fn from(saved: Vec<Entry>) -> Self {
        let streak = |Entry { hash, name, failures, last }| (hash, Streak { name, failures, last });
        Self(saved.into_iter().take(MAX_CLIENTS).map(streak).collect())
    }
}
