//! Policies of retention: which backups of a type stay.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Board, Limits, definitions::Resource, registry::Registry};
use crate::domain::{
    Name,
    retention::{RetentionPolicy, RetentionSpec},
};

/// The policy of one type of backups.
#[derive(Debug)]
pub struct RetentionCell {
    backup_type: Name,
    policy: Mutex<Arc<RetentionPolicy>>,
}

impl Resource for RetentionCell {
    const KIND: &'static str = "retention";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_retention_policies;
    type Spec = RetentionSpec;
    type Config = RetentionPolicy;

    fn spec(config: &RetentionPolicy) -> RetentionSpec {
        config.into()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.retention
    }

    fn create(_: &Board, name: Name, config: RetentionPolicy) -> Self {
        Self::new(name, config)
    }

    fn reconfigure(self: &Arc<Self>, _: &Board, config: RetentionPolicy) {
        *self.policy.lock() = Arc::new(config);
    }

    fn name(&self) -> &Name {
        &self.backup_type
    }

    fn config(&self) -> RetentionPolicy {
        RetentionPolicy::clone(&self.policy.lock())
    }
}

/// A policy as answered by `GET /v1/retention/{backup_type}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RetentionView {
    /// The type of backups that it is for.
    pub backup_type: Name,
    /// The rules, every field filled.
    pub config: RetentionSpec,
}

impl RetentionCell {
    /// The policy of a type.
    #[must_use]
    pub fn new(backup_type: Name, policy: RetentionPolicy) -> Self {
        Self { backup_type, policy: Mutex::new(Arc::new(policy)) }
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self) -> RetentionView {
        RetentionView { backup_type: self.backup_type.clone(), config: (&**self.policy.lock()).into() }
    }
}

impl Board {
    /// The policy that is in force for a type: its own, or the default.
    pub(super) fn retention_of(&self, backup_type: &str) -> Arc<RetentionPolicy> {
        match self.retention.get(backup_type) {
            Some(cell) => Arc::clone(&cell.policy.lock()),
            None => Arc::clone(&self.backups.options.retention),
        }
    }
}
