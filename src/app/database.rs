//! Whether the database file is whole. What is damaged shows when it is read, and much of it is not read for weeks.

use super::Board;
use crate::store::{StoreError, copy};

impl Board {
    /// Looks at the database file as a whole, and tells by log and metrics if it is damaged. What can be read stays in use.
    pub async fn check_database(&self) -> Result<(), StoreError> {
        let damage = copy::damage(&self.store.path).await?;
        self.telemetry.database.damaged.set(i64::from(!damage.is_empty()));
        self.telemetry.database.checked.set(self.clock.wall().as_second());
        if !damage.is_empty() {
            tracing::error!(
                database = %self.store.path.display(),
                damage = damage.join("; "),
                "the database file is damaged: stop the server and put a copy back with `fuseboard db restore`"
            );
        }
        Ok(())
    }
}
