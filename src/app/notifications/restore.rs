//! Notifications after a start: groups from what they have told, the outbox from what is pending.

use std::collections::HashMap;

use crate::{
    app::{
        Board, definitions::Resource, maintenance_windows::MaintenanceWindowCell, receivers::ReceiverCell,
        routes::RouteCell, snapshot::each,
    },
    domain::{
        LabelSet, Name,
        notify::{GroupKey, Log},
    },
    store::{
        Connection, Pairs, StoreError,
        sqlite::{
            definitions::{Kinds, definitions_load},
            notification_log::{LogRow, log_load},
            notifications::{NotificationRow, notifications_pending},
            silences::silences_load,
        },
    },
};

/// What the store holds of notifications at the start.
#[derive(Debug)]
pub struct StoredNotifications {
    receivers: Pairs,
    routes: Pairs,
    windows: Pairs,
    silences: Vec<String>,
    log: Vec<LogRow>,
    pending: Vec<NotificationRow>,
}

/// Reads it.
pub(in crate::app) async fn read(
    connection: &mut Connection,
    kinds: &Kinds,
) -> Result<StoredNotifications, StoreError> {
    Ok(StoredNotifications {
        receivers: definitions_load(connection, kinds, ReceiverCell::KIND).await?,
        routes: definitions_load(connection, kinds, RouteCell::KIND).await?,
        windows: definitions_load(connection, kinds, MaintenanceWindowCell::KIND).await?,
        silences: silences_load(connection).await?,
        log: log_load(connection).await?,
        pending: notifications_pending(connection).await?,
    })
}

/// Takes it over. Who is due is told with the first step, what is pending sent then.
pub(in crate::app) fn restore(
    board: &Board,
    stored: &StoredNotifications,
    configs: &HashMap<&str, &str>,
) -> Result<(), StoreError> {
    board.receivers.fill(each::<ReceiverCell>(&stored.receivers, configs, |name, config| {
        Ok(ReceiverCell::new(name, config.clone()))
    })?);
    board.routes.fill(each::<RouteCell>(&stored.routes, configs, |name, config| {
        Ok(RouteCell::new(name, config.clone()))
    })?);
    board.maintenance_windows.fill(each::<MaintenanceWindowCell>(
        &stored.windows,
        configs,
        |name, config| Ok(MaintenanceWindowCell::new(name, config.clone())),
    )?);
    board.silences.restore(&stored.silences)?;
    let mut progress = board.notifications.progress.lock();
    for row in &stored.log {
        let damaged = |what: &str| StoreError::Corrupt(format!("the notification log has no {what}"));
        let receiver = Name::try_from(row.receiver.as_str()).map_err(|_| damaged("receiver"))?;
        let labels = LabelSet::try_from(row.labels.clone()).map_err(|_| damaged("labels"))?;
        let at = row.at.parse().map_err(|_| damaged("time"))?;
        let log = Log { told: serde_json::from_str(&row.told)?, at };
        progress.groups.restore(GroupKey { key: row.group_key.clone(), receiver }, labels, log);
    }
    let mut outbox = board.notifications.outbox.lock();
    stored.pending.iter().for_each(|row| outbox.add(row));
    Ok(())
}
