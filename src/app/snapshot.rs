//! Saving hot state to the store, and loading it at the start.
//!
//! Transitions go to the disk at once (through the journal), counters once a second. After a clean stop everything
//! is there exactly. After a crash the domain restores carefully: a limiter assumes that it granted all it
//! could, a half-open breaker that all its permits are out.

mod restore;
mod save;

use serde::{Deserialize, Serialize};

use crate::domain::{Name, Time};

pub(super) use self::{
    restore::{each, parsed, read, restore},
    save::{check_rows, is_empty, put_states, rows},
};

/// How the last process stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stop {
    call_key: u64,
    next_call: u64,
    #[serde(default)]
    last_alert: i64,
    calls: Vec<SavedCall>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedCall {
    id: u64,
    breaker: Option<(Name, u64)>,
    deadline: Time,
    client: String,
    holds: Vec<Name>,
}
