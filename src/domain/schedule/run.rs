//! One execution of a schedule, or the record that there was none.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest output that a run keeps, in bytes of JSON.
pub const MAX_OUTPUT_BYTES: usize = 65_536;
/// How much of a longer one is kept, as text.
const OUTPUT_HEAD_BYTES: usize = 32_768;

/// A row of a schedule's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Run {
    /// Ascends, unique within the schedule.
    pub id: u64,
    /// The instant at which it was due; of several missed ones the latest; of a manual run when it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled_for: Timestamp,
    /// When it began. None if it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended; of an interrupted one when that was noticed. None while it runs and if it never did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// How it stands.
    pub status: RunStatus,
    /// What came out of it. Longer than 65536 bytes it is replaced by its beginning:
    /// `{"truncated": true, "size_bytes", "head"}`.
    #[schema(value_type = Option<Value>)]
    pub output: Option<Value>,
    /// What set it off.
    pub trigger: Trigger,
    /// Who asked for a manual run, if known.
    pub actor: Option<String>,
    /// Instants that had no run: those that a missed row records, or those besides its own that a run stands for.
    pub missed: Option<Missed>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// It did what it should.
    Succeeded,
    /// It did not, took too long, or was interrupted by the end of the server (`{"reason": "interrupted"}`).
    Failed,
    /// It never began.
    Missed,
}

/// What set a run off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// Its time, and it was on time.
    Schedule,
    /// Somebody.
    Manual,
    /// Its time, which had passed by more than the grace.
    Misfire,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
}

/// Instants without a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Missed {
    /// Why.
    pub reason: MissedReason,
    /// How many; counted up to 10000.
    pub count: u64,
    /// The first of them.
    #[schema(value_type = String, format = DateTime)]
    pub first: Timestamp,
    /// The last of them.
    #[schema(value_type = String, format = DateTime)]
    pub last: Timestamp,
}

/// Why instants had no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissedReason {
    /// The server was down or late, or the clock was set forward.
    Misfire,
    /// Another run went on.
    Overlap,
}

impl Run {
    pub(super) fn begun(id: u64, scheduled_for: Timestamp, now: Timestamp, trigger: Trigger) -> Self {
        Self {
            id,
            scheduled_for,
            started_at: Some(now),
            finished_at: None,
            status: RunStatus::Running,
            output: None,
            trigger,
            actor: None,
            missed: None,
        }
    }

    pub(super) fn missed(id: u64, missed: Missed) -> Self {
        Self {
            id,
            scheduled_for: missed.last,
            started_at: None,
            finished_at: None,
            status: RunStatus::Missed,
            output: None,
            trigger: Trigger::Schedule,
            actor: None,
            missed: Some(missed),
        }
    }

    pub(super) fn finished(self, now: Timestamp, outcome: Outcome, output: Option<Value>) -> Self {
        Self {
            // Not before it began, though the clock may have been set back.
            finished_at: Some(self.started_at.map_or(now, |started| started.max(now))),
            status: match outcome {
                Outcome::Succeeded => RunStatus::Succeeded,
                Outcome::Failed => RunStatus::Failed,
            },
            output: output.map(bounded),
            ..self
        }
    }

    /// The row of a run that the server did not live to finish.
    pub(super) fn interrupted(self, now: Timestamp) -> Self {
        let output = json!({"reason": "interrupted", "message": "the server stopped while it ran"});
        self.finished(now, Outcome::Failed, Some(output))
    }
}

fn bounded(output: Value) -> Value {
    let text = output.to_string();
    if text.len() <= MAX_OUTPUT_BYTES {
        return output;
    }
    let head = text.floor_char_boundary(OUTPUT_HEAD_BYTES);
    json!({"truncated": true, "size_bytes": text.len(), "head": text[..head]})
}
