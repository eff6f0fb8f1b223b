//! SQL, one file per table; each function one static statement.

pub mod alerts;
pub mod backups;
pub mod blobs;
pub mod board;
pub mod checks;
pub mod damaged;
pub mod definitions;
pub mod events;
pub mod facts;
pub mod idempotency;
pub mod journal;
pub mod notification_log;
pub mod notifications;
pub mod objects;
pub mod push_groups;
pub mod runs;
pub mod series;
pub mod silences;
pub mod states;
pub mod tokens;
