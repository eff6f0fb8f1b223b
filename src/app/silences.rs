//! Silences: alerts that nobody is told of for a while. One set of them for both APIs.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::RwLock;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AppError, Board,
    idempotency::{Answer, IdempotencyKey},
    journal::NewEvent,
    maintenance_windows::MaintenanceWindowCell,
    uuid,
};
use crate::{
    domain::{
        LabelSet, Name,
        notify::{MaintenanceWindowConfig, Silence, SilenceDraft, SilenceState},
    },
    store::{
        Connection, StoreError,
        sqlite::{
            idempotency::{AnswerRow, answer_put},
            silences,
        },
    },
};

/// The kind of resource in events.
const KIND: &str = "silence";
/// How long silences are kept that are over (Alertmanager's `--data.retention`).
const KEPT: Duration = Duration::from_secs(120 * 3600);

/// All silences by id.
#[derive(Debug, Default)]
pub struct Silences(RwLock<BTreeMap<String, Arc<Silence>>>);

/// A silence as answered by `GET /v1/silences/{id}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SilenceView {
    /// A UUID; ids ascend in the order of creation.
    pub id: String,
    /// Whether it holds.
    pub state: SilenceState,
    /// Which alerts, as matchers on their labels.
    pub matchers: Vec<String>,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    pub starts_at: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Timestamp,
    /// Who wanted it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl SilenceView {
    /// As of an instant.
    #[must_use]
    pub fn at(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id.clone(),
            state: silence.state(now),
            matchers: silence.matchers.texts(),
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            updated_at: silence.updated_at,
        }
    }
}

/// What keeps alerts from being told at an instant.
#[derive(Clone, Debug)]
pub struct Mutes {
    now: Timestamp,
    silences: Vec<Arc<Silence>>,
    windows: Vec<(Name, Arc<MaintenanceWindowConfig>)>,
}

impl Mutes {
    /// Whether nothing does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.silences.is_empty() && self.windows.is_empty()
    }

    /// Whether alerts with these labels are told.
    #[must_use]
    pub fn cover(&self, labels: &LabelSet) -> bool {
        self.silences.iter().any(|silence| silence.covers(labels, self.now))
            || self.windows.iter().any(|(_, window)| window.matches(labels))
    }

    /// The silences that keep them from being told.
    pub fn silences<'a>(&'a self, labels: &'a LabelSet) -> impl Iterator<Item = &'a str> {
        self.silences.iter().filter(|silence| silence.covers(labels, self.now)).map(|silence| &*silence.id)
    }

    /// The maintenance windows that do.
    pub fn windows<'a>(&'a self, labels: &'a LabelSet) -> impl Iterator<Item = &'a Name> {
        self.windows.iter().filter(|(_, window)| window.matches(labels)).map(|(name, _)| name)
    }
}

impl Silences {
    /// Takes over what is on disk.
    pub(super) fn restore(&self, rows: &[String]) -> Result<(), StoreError> {
        let mut known = self.0.write();
        for row in rows {
            let silence: Silence = serde_json::from_str(row)?;
            known.insert(silence.id.clone(), Arc::new(silence));
        }
        Ok(())
    }

    /// The silence of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Silence>> {
        self.0.read().get(id).cloned()
    }

    /// All of them, newest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Silence>> {
        self.0.read().values().rev().cloned().collect()
    }

    fn put(&self, silence: &Silence) {
        self.0.write().insert(silence.id.clone(), Arc::new(silence.clone()));
    }

    fn active(&self, now: Timestamp) -> Vec<Arc<Silence>> {
        let known = self.0.read();
        known.values().filter(|silence| silence.state(now) == SilenceState::Active).cloned().collect()
    }

    /// How many there are in a state.
    #[must_use]
    pub fn count(&self, state: SilenceState, now: Timestamp) -> usize {
        self.0.read().values().filter(|silence| silence.state(now) == state).count()
    }
}

fn not_found(id: &str) -> AppError {
    AppError::NotFound { resource: KIND, name: id.to_owned() }
}

async fn put(connection: &mut Connection, silence: &Silence) -> Result<(), StoreError> {
    silences::silence_put(connection, &serde_json::to_string(silence)?).await
}

impl Board {
    /// What keeps alerts from being told now.
    #[must_use]
    pub fn mutes(&self) -> Mutes {
        let now = self.clock.wall();
        let open = |cell: &Arc<MaintenanceWindowCell>| {
            let window = cell.shared();
            window.is_open(now).then(|| (super::definitions::Resource::name(&**cell).clone(), window))
        };
        let windows = self.maintenance_windows.all().iter().filter_map(open).collect();
        Mutes { now, silences: self.silences.active(now), windows }
    }

    /// Makes a silence; the answer is stored with it.
    pub async fn silence_create(
        self: &Arc<Self>,
        draft: SilenceDraft,
        key: Option<IdempotencyKey>,
    ) -> Result<Answer, AppError> {
        let now = self.clock.wall();
        let silence = draft.checked(uuid(now)?, now)?;
        self.has_room_for_silence()?;
        let body = serde_json::to_vec(&SilenceView::at(&silence, now)).map_err(StoreError::from)?;
        let row = AnswerRow {
            fingerprint: key.as_ref().map(|key| key.fingerprint.to_vec()).unwrap_or_default(),
            status: 201,
            body: body.clone(),
        };
        self.silence_write(silence, "silence.created", move |connection| {
            Box::pin(async move {
                match key {
                    Some(key) => answer_put(connection, &key.key, &row, now.as_second()).await,
                    None => Ok(()),
                }
            })
        })
        .await?;
        Ok(Answer { status: 201, body: body.into() })
    }

    /// Makes a silence, or changes the one of that id; the id of what holds then. As Alertmanager's API has it: where
    /// another silence must take its place, the old one ends.
    pub async fn silence_set(
        self: &Arc<Self>,
        id: Option<&str>,
        draft: SilenceDraft,
    ) -> Result<String, AppError> {
        let now = self.clock.wall();
        let Some(id) = id else {
            self.has_room_for_silence()?;
            let silence = draft.checked(uuid(now)?, now)?;
            let id = silence.id.clone();
            self.silence_write(silence, "silence.created", |_| Box::pin(async { Ok(()) })).await?;
            return Ok(id);
        };
        let known = self.silences.get(id).ok_or_else(|| not_found(id))?;
        if let Some(silence) = known.updated(&draft, now) {
            // What may be said is checked as for a new one; its start may be past.
            draft.checked(silence.id.clone(), now)?;
            self.silence_write(silence, "silence.updated", |_| Box::pin(async { Ok(()) })).await?;
            return Ok(id.to_owned());
        }
        let silence = draft.checked(uuid(now)?, now)?;
        self.has_room_for_silence()?;
        let new = silence.id.clone();
        let old = Silence::clone(&known).expired(now);
        let ended = old.clone();
        self.silence_write(silence, "silence.created", move |connection| {
            Box::pin(async move { put(connection, &ended).await })
        })
        .await?;
        if old != *known {
            self.silence_told(&old, "silence.expired");
        }
        Ok(new)
    }

    /// Ends a silence; it is kept for a while.
    pub async fn silence_expire(self: &Arc<Self>, id: &str) -> Result<(), AppError> {
        let known = self.silences.get(id).ok_or_else(|| not_found(id))?;
        let now = self.clock.wall();
        if known.state(now) == SilenceState::Expired {
            return Ok(());
        }
        let silence = Silence::clone(&known).expired(now);
        self.silence_write(silence, "silence.expired", |_| Box::pin(async { Ok(()) })).await
    }

    /// The silence of an id.
    pub fn silence_find(&self, id: &str) -> Result<Arc<Silence>, AppError> {
        self.silences.get(id).ok_or_else(|| not_found(id))
    }

    fn has_room_for_silence(&self) -> Result<(), AppError> {
        let limit = self.limits.max_silences;
        if self.silences.0.read().len() >= limit {
            return Err(AppError::LimitReached { what: KIND, limit });
        }
        Ok(())
    }

    /// On disk, together with `more`, and then in force.
    async fn silence_write(
        self: &Arc<Self>,
        silence: Silence,
        event: &'static str,
        more: impl for<'c> FnOnce(&'c mut Connection) -> crate::store::WriteFuture<'c, ()> + Send + 'static,
    ) -> Result<(), AppError> {
        let (board, written) = (Arc::clone(self), silence.clone());
        self.store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move {
                        put(connection, &written).await?;
                        more(connection).await
                    })
                },
                move |()| board.silence_told(&silence, event),
            )
            .await?;
        Ok(())
    }

    fn silence_told(&self, silence: &Silence, kind: &'static str) {
        self.silences.put(silence);
        // A UUID is a name.
        let Ok(name) = Name::try_from(silence.id.as_str()) else { return };
        let now = self.clock.wall();
        let event = NewEvent { at: now, kind, resource: KIND, name: &name };
        self.journal.record(&event, &SilenceView::at(silence, now), None);
    }

    /// Forgets silences that have long been over.
    pub async fn prune_silences(&self) -> Result<(), StoreError> {
        let before = self.clock.wall().checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        let old: Vec<_> =
            self.silences.all().iter().filter(|s| s.ends_at < before).map(|s| s.id.clone()).collect();
        if old.is_empty() {
            return Ok(());
        }
        let ids = serde_json::to_string(&old)?;
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move { silences::silences_delete(connection, &ids).await })
            })
            .await?;
        let mut known = self.silences.0.write();
        for id in old {
            known.remove(&id);
        }
        Ok(())
    }
}
