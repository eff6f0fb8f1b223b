//! Backups, and what they take.

use super::family::{Family, write_all};
use crate::{
    app::Board,
    domain::exposition::{MetricType, Writer},
};

/// As of the last look of the background; see `app::backups::tally`.
#[expect(clippy::cast_precision_loss, reason = "metrics are floats by their format")]
pub(super) fn write(board: &Board, out: &mut Writer<'_>) {
    let gauge = |name: &str, help: &str| Family::new(name, MetricType::Gauge, help);
    let mut count = gauge("fuseboard_backups", "Backups.");
    let mut logical = gauge("fuseboard_backup_logical_bytes", "Bytes of their documents.");
    let mut stored =
        gauge("fuseboard_backup_stored_bytes", "Bytes that they added to the store when they were made.");
    let mut verified = gauge("fuseboard_backups_verified", "Backups that were verified and are whole.");
    let mut damaged = gauge("fuseboard_backups_damaged", "Backups whose last verification found damage.");
    let mut last = gauge("fuseboard_backup_last_timestamp_seconds", "When the newest backup was made.");
    let mut age = gauge("fuseboard_backup_age_seconds", "Age of the newest backup.");
    let now = board.clock.wall_nanos();
    for row in board.backups.types().iter() {
        let labels = [("backup_type", row.backup_type.as_str())];
        for (family, value) in [
            (&mut count, row.count),
            (&mut logical, row.size_bytes),
            (&mut stored, row.stored_bytes),
            (&mut verified, row.verified),
            (&mut damaged, row.damaged),
        ] {
            family.add_labelled(&labels, value as f64);
        }
        last.add_labelled(&labels, row.newest as f64 / 1e9);
        age.add_labelled(&labels, now.saturating_sub(row.newest) as f64 / 1e9);
    }
    write_all(&[count, logical, stored, verified, damaged, last, age], out);
    let chunks = board.backups.chunks();
    for (name, help, value) in [
        ("fuseboard_backup_chunks", "Chunks that all backups share.", chunks.count),
        ("fuseboard_backup_chunk_logical_bytes", "Bytes that they hold.", chunks.plain_bytes),
        ("fuseboard_backup_chunk_stored_bytes", "Bytes that they take.", chunks.stored_bytes),
        (
            "fuseboard_backup_chunks_to_reseal",
            "Chunks under another key than the current one; they are being sealed anew.",
            chunks.to_reseal,
        ),
        (
            "fuseboard_backup_chunks_without_key",
            "Chunks whose key is not configured; they cannot be read.",
            chunks.without_key,
        ),
        (
            "fuseboard_backup_objects_unreferenced",
            "Objects in object stores that no chunk refers to: on their way, or to be deleted.",
            chunks.unreferenced,
        ),
    ] {
        let mut family = gauge(name, help);
        family.add_labelled(&[], value as f64);
        family.write_to(out);
    }
}
