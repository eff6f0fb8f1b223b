//! What is forgotten of the history.

use std::sync::{Arc, atomic::Ordering};

use super::Entry;
use crate::{
    app::{Board, idempotency::LIFETIME},
    domain::Name,
    store::{
        StoreError,
        sqlite::{checks, events, idempotency},
    },
};

impl Board {
    pub(super) fn count_noise(&self, entries: &[Entry]) {
        let mut noisy = self.dirty.noisy.lock();
        for event in entries.iter().filter_map(|entry| entry.event.as_ref()) {
            *noisy.entry((event.resource, event.name.clone())).or_default() += 1;
        }
    }

    /// Resources with so many new events that they may have crossed their bound.
    fn take_noisy(&self, slack: usize) -> Vec<(&'static str, Name)> {
        let mut noisy = self.dirty.noisy.lock();
        let due = noisy.extract_if(|_, added| *added >= slack).map(|(key, _)| key).collect();
        if noisy.len() > 100_000 {
            noisy.clear();
        }
        due
    }

    /// Keeps the history within its bounds.
    pub async fn prune(self: &Arc<Self>) -> Result<u64, StoreError> {
        let most = self.limits.max_events_per_resource;
        // Only resources that may have crossed their bound since they were last looked at.
        let slack = (most / 10).max(1);
        let due = self.take_noisy(slack);
        let keep = i64::try_from(self.limits.max_events).unwrap_or(i64::MAX);
        let last = self.journal.last();
        let all = self.dirty.pruned_at.load(Ordering::Relaxed);
        let all = (last - all > keep / 100).then_some(last);
        let keep_each = i64::try_from(most).unwrap_or(i64::MAX);
        let old = self
            .clock
            .wall()
            .as_second()
            .saturating_sub(i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX));
        let most_results = self.limits.max_results_per_check;
        let due_checks = self.results.take_noisy((most_results / 10).max(1));
        let keep_results = i64::try_from(most_results).unwrap_or(i64::MAX);
        let retention = i64::try_from(self.limits.check_results_retention.as_nanos()).unwrap_or(i64::MAX);
        let oldest_result = self.clock.wall_nanos().saturating_sub(retention);
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move {
                    let mut gone = 0;
                    if all.is_some() {
                        gone += events::events_prune(connection, keep).await?;
                    }
                    for (resource, name) in due {
                        gone +=
                            events::events_prune_of(connection, resource, name.as_str(), keep_each).await?;
                    }
                    for name in due_checks {
                        gone +=
                            checks::check_results_prune_of(connection, name.as_str(), keep_results).await?;
                    }
                    gone += checks::check_results_prune_old(connection, oldest_result).await?;
                    Ok(gone + idempotency::answers_prune(connection, old).await?)
                })
            })
            .await
            .inspect(|_| {
                if let Some(last) = all {
                    self.dirty.pruned_at.store(last, Ordering::Relaxed);
                }
            })
    }
}
