//! Pushed metrics as Prometheus sees them.

use std::sync::atomic::Ordering::Relaxed;

use crate::{app::Board, domain::exposition::Writer};

impl Board {
    /// Writes all that was pushed. Each family has its head once.
    pub fn metrics_write(&self, writer: &mut Writer<'_>) {
        let now = self.clock.now();
        for cell in self.series.all() {
            cell.family.lock().write(now, writer);
        }
    }

    /// About how long a page of metrics is: as long as the last one.
    #[must_use]
    pub fn metrics_page_bytes(&self) -> usize {
        self.series.page_bytes.load(Relaxed)
    }

    /// Notes how long a page was.
    pub fn note_metrics_page_bytes(&self, bytes: usize) {
        self.series.page_bytes.store(bytes, Relaxed);
    }
}
