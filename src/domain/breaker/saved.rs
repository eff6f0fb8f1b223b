//! A breaker at rest.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Breaker, BreakerConfig, Metrics, Senders, State, StateName};
use crate::domain::time::Time;

/// No permit is valid for longer: the upper end of `call_timeout_seconds`.
const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

/// All that a breaker is, except for its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedBreaker {
    generation: u64,
    changed_at: Time,
    #[serde(default, skip_serializing_if = "is_default")]
    metrics: Metrics,
    #[serde(default, skip_serializing_if = "is_default")]
    state: State,
    #[serde(default, skip_serializing_if = "is_default")]
    tripped_with: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    senders: Senders,
}

/// What is as it was at the beginning is not written: most of a hundred thousand breakers have little to tell.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl SavedBreaker {
    /// The generation that was saved: of two, the one with the larger is newer.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The state that was saved.
    #[must_use]
    pub fn state(&self) -> StateName {
        self.state.name()
    }
}

impl Breaker {
    /// All there is to restore the breaker from.
    #[must_use]
    pub fn save(&self) -> SavedBreaker {
        SavedBreaker {
            generation: self.generation,
            changed_at: self.changed_at,
            metrics: self.metrics,
            state: self.state.clone(),
            tripped_with: self.tripped_with,
            senders: self.senders.clone(),
        }
    }

    /// The breaker that was saved, with all times moved by `shift_nanos`; [`advance`](Self::advance) it next.
    ///
    /// Unless `clean`, calls may have come and gone after it was saved. Then a half-open breaker counts all
    /// permits that can have been given as outstanding for another `call_timeout`: their outcomes are
    /// accepted, new permits wait, and never are there more than `half_open_max_calls`.
    #[must_use]
    pub fn restore(
        config: Arc<BreakerConfig>,
        saved: SavedBreaker,
        now: Time,
        shift_nanos: i64,
        clean: bool,
    ) -> Self {
        let SavedBreaker { generation, changed_at, metrics, mut state, tripped_with, mut senders } = saved;
        senders.shift(shift_nanos);
        if let Some(wait) = state.wait_mut() {
            wait.until = wait.until.shifted(shift_nanos);
        }
        if let Some(over) = state.override_mut() {
            over.until = over.until.map(|until| until.shifted(shift_nanos));
        }
        if let State::HalfOpen(probes) = &mut state {
            probes.shift(shift_nanos, now, LONGEST_LEASE);
            if !clean {
                probes.assume_full(now, &config);
            }
        }
        if let Some(counting) = state.counting_mut() {
            counting.shift(shift_nanos);
            counting.fit(&config);
            if !clean {
                counting.in_flight = 0;
            }
        }
        let changed_at = changed_at.shifted(shift_nanos).min(now);
        let mut breaker = Self { config, generation, changed_at, metrics, state, tripped_with, senders };
        breaker.bound_wait(now);
        breaker
    }
}
