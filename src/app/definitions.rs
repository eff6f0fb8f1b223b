//! What breakers, limiters and retry policies have in common: they are declared, replaced, listed, deleted.

use std::{future::Future, sync::Arc};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{AppError, Board, journal::NewEvent, registry::Registry, text::hex};
use crate::{
    domain::{InvalidConfig, Name},
    store::sqlite::{definitions, states},
};

/// A live resource that was declared under a name.
pub trait Resource: Send + Sync + Sized + 'static {
    /// The word for it in the store, in events and in messages.
    const KIND: &'static str;
    /// The kinds under which its state is stored.
    const STATE_KINDS: &'static [&'static str] = &[Self::KIND];
    /// How many there may be.
    const LIMIT: fn(&super::Limits) -> usize;
    /// The wire document.
    type Spec: Serialize + Clone + Send + Sync + 'static;
    /// The validated configuration.
    type Config: TryFrom<Self::Spec, Error = InvalidConfig> + Clone + PartialEq + Send + Sync + 'static;

    /// The wire document of a configuration, every field filled.
    fn spec(config: &Self::Config) -> Self::Spec;
    /// The wire document as anybody may see it, without secrets.
    fn shown(config: &Self::Config) -> Self::Spec {
        Self::spec(config)
    }
    /// Where such resources live.
    fn registry(board: &Board) -> &Registry<Self>;
    /// A new resource.
    fn create(board: &Board, name: Name, config: Self::Config) -> Self;
    /// Takes over another configuration without losing state.
    fn reconfigure(self: &Arc<Self>, board: &Board, config: Self::Config);
    /// It is in the registry now.
    fn created(self: &Arc<Self>, _: &Board) {}
    /// It is no longer in the registry: forgets what was kept elsewhere.
    fn removed(&self, _: &Board) {}
    /// State that must be on disk together with this configuration: its kind, and what
    /// [`states::states_put`] takes.
    fn state_with(&self, _: &Board, _: &Self::Config) -> Option<(&'static str, String)> {
        None
    }
    /// What is left to do after a declaration is on disk and in memory, and before it is answered.
    fn settle(self: &Arc<Self>, _: &Arc<Board>) -> impl Future<Output = Result<(), AppError>> + Send {
        std::future::ready(Ok(()))
    }
    /// The configuration of a resource that is there without being declared.
    #[must_use]
    fn preset(_: &Board, _: &str) -> Option<Self::Config> {
        None
    }
    /// Its declaration was deleted, and it is one that is there without: takes over that configuration.
    fn reset(self: &Arc<Self>, board: &Board, config: Self::Config) {
        self.reconfigure(board, config);
    }
    /// Its name.
    fn name(&self) -> &Name;
    /// Its configuration.
    fn config(&self) -> Self::Config;
}

/// The entity tag of a configuration: the same document always has the same tag.
#[must_use]
pub fn etag(document: &str) -> String {
    format!("\"{}\"", hex(&Sha256::digest(document.as_bytes())[..8]))
}

/// The entity tag of a resource.
#[must_use]
pub fn etag_of<R: Resource>(resource: &R) -> String {
    etag(&document::<R>(&resource.config()))
}

/// The wire document of a configuration, as it is stored.
pub(super) fn document<R: Resource>(config: &R::Config) -> String {
    serde_json::to_string(&R::spec(config)).unwrap_or_default()
}

/// `If-Match` and `If-None-Match` of a request.
#[derive(Clone, Debug, Default)]
pub struct Precondition {
    /// `*` or a list of tags, one of which must be the present one.
    pub if_match: Option<String>,
    /// `*`: nothing may exist yet.
    pub if_none_match: Option<String>,
}

impl Precondition {
    fn check(&self, present: Option<&str>) -> Result<(), AppError> {
        let tag = present.map(etag);
        let matches = |list: &str| {
            list.split(',').map(str::trim).any(|t| t == "*" && tag.is_some() || Some(t) == tag.as_deref())
        };
        if self.if_match.as_deref().is_some_and(|list| !matches(list)) {
            return Err(AppError::PreconditionFailed("If-Match does not name the present configuration"));
        }
        if self.if_none_match.as_deref().is_some_and(matches) {
            return Err(AppError::PreconditionFailed("If-None-Match names the present configuration"));
        }
        Ok(())
    }
}

/// Who may replace what is there.
#[derive(Clone, Debug)]
pub enum OnExisting {
    /// `PUT`: replace it if the condition holds.
    Replace(Precondition),
    /// First use by a call: leave it as it is.
    Keep,
}

/// What a declaration did.
#[derive(Clone, Debug)]
pub struct Declared<R> {
    /// The live resource.
    pub resource: Arc<R>,
    /// Whether it is new.
    pub created: bool,
}

struct Stored {
    existed: bool,
    changed: bool,
}

impl Board {
    /// The resource of that name.
    pub fn find<R: Resource>(&self, name: &str) -> Result<Arc<R>, AppError> {
        R::registry(self).get(name).ok_or_else(|| not_found::<R>(name))
    }

    /// The resource of that name; if there is none, it is created as `spec` says. What exists is never changed by it.
    pub async fn find_or_declare<R: Resource>(
        self: &Arc<Self>,
        name: &Name,
        spec: Option<R::Spec>,
    ) -> Result<Arc<R>, AppError> {
        if let Some(resource) = R::registry(self).get(name.as_str()) {
            return Ok(resource);
        }
        let spec = spec.ok_or_else(|| not_found::<R>(name.as_str()))?;
        Ok(self.declare(name.clone(), spec, OnExisting::Keep).await?.resource)
    }

    /// Creates or replaces a resource. When this returns, the configuration is on disk and in force.
    pub async fn declare<R: Resource>(
        self: &Arc<Self>,
        name: Name,
        spec: R::Spec,
        on_existing: OnExisting,
    ) -> Result<Declared<R>, AppError> {
        let config = R::Config::try_from(spec)?;
        let registry = R::registry(self);
        let limit = R::LIMIT(&self.limits);
        if registry.get(name.as_str()).is_none() && registry.len() >= limit {
            return Err(AppError::LimitReached { what: R::KIND, limit });
        }
        let text = document::<R>(&config);
        let key = name.clone();
        let board = Arc::clone(self);
        let (live, wanted) = (Arc::clone(self), config.clone());
        let declared = self
            .store
            .writer
            .write_then(
                move |connection| {
                    Box::pin(async move {
                        let present = definitions::definition_get(connection, R::KIND, key.as_str())
                            .await?
                            .or_else(|| Some(document::<R>(&R::preset(&live, key.as_str())?)));
                        let stored = match (&present, &on_existing) {
                            (Some(_), OnExisting::Keep) => Stored { existed: true, changed: false },
                            (present, OnExisting::Replace(precondition)) => {
                                if let Err(refusal) = precondition.check(present.as_deref()) {
                                    return Ok(Err(refusal));
                                }
                                Stored {
                                    existed: present.is_some(),
                                    changed: present.as_ref() != Some(&text),
                                }
                            }
                            (None, OnExisting::Keep) => Stored { existed: false, changed: true },
                        };
                        if stored.changed {
                            definitions::definition_put(connection, R::KIND, key.as_str(), &text).await?;
                            let resource = R::registry(&live).get(key.as_str());
                            if let Some((kind, rows)) = resource.and_then(|r| r.state_with(&live, &wanted)) {
                                states::states_put(connection, kind, R::KIND, &rows).await?;
                            }
                        }
                        Ok(Ok(stored))
                    })
                },
                move |stored| stored.map(|stored| board.apply::<R>(&name, config, &stored)),
            )
            .await??;
        declared.resource.settle(self).await?;
        Ok(declared)
    }

    /// In commit order, so that memory and disk agree whichever of two racing declarations is later.
    fn apply<R: Resource>(&self, name: &Name, config: R::Config, stored: &Stored) -> Declared<R> {
        let registry = R::registry(self);
        let present = registry.get(name.as_str());
        let created = !stored.existed;
        let resource = if let Some(resource) = present {
            if stored.changed {
                resource.reconfigure(self, config);
            }
            resource
        } else {
            let resource = Arc::new(R::create(self, name.clone(), config));
            registry.insert(name.clone(), Arc::clone(&resource));
            resource.created(self);
            resource
        };
        if stored.changed {
            let what = if created { Change::Created } else { Change::Updated };
            self.record_change::<R>(
                name,
                what,
                &serde_json::json!({ "config": R::shown(&resource.config()) }),
            );
        }
        Declared { resource, created }
    }

    /// Deletes a resource and its state. Its history stays.
    pub async fn remove<R: Resource>(
        self: &Arc<Self>,
        name: &str,
        precondition: Precondition,
    ) -> Result<(), AppError> {
        let key = Name::try_from(name).map_err(|_| not_found::<R>(name))?;
        let board = Arc::clone(self);
        self.store
            .writer
            .write_then(
                {
                    let (key, live) = (key.clone(), Arc::clone(self));
                    move |connection| {
                        Box::pin(async move {
                            let present =
                                definitions::definition_get(connection, R::KIND, key.as_str()).await?;
                            if present.is_none() {
                                return Ok(Err(match R::preset(&live, key.as_str()) {
                                    Some(_) => AppError::BuiltIn { what: R::KIND, name: key.clone() },
                                    None => not_found::<R>(key.as_str()),
                                }));
                            }
                            if let Err(refusal) = precondition.check(present.as_deref()) {
                                return Ok(Err(refusal));
                            }
                            definitions::definition_delete(connection, R::KIND, key.as_str()).await?;
                            for kind in R::STATE_KINDS {
                                states::state_delete(connection, kind, key.as_str()).await?;
                            }
                            Ok(Ok(()))
                        })
                    }
                },
                move |deleted| {
                    deleted.map(|()| {
                        match R::preset(&board, key.as_str()) {
                            Some(config) => {
                                if let Some(resource) = R::registry(&board).get(key.as_str()) {
                                    resource.reset(&board, config);
                                }
                            }
                            None => {
                                if let Some(resource) = R::registry(&board).remove(key.as_str()) {
                                    resource.removed(&board);
                                }
                            }
                        }
                        board.record_change::<R>(&key, Change::Deleted, &serde_json::json!({}));
                    })
                },
            )
            .await?
    }

    fn record_change<R: Resource>(&self, name: &Name, change: Change, data: &serde_json::Value) {
        let kind = change.event(R::KIND);
        self.journal.record(&NewEvent { at: self.clock.wall(), kind, resource: R::KIND, name }, data, None);
    }
}

/// The error for a name that nobody declared. A name that cannot exist is told so.
#[must_use]
pub fn not_found<R: Resource>(name: &str) -> AppError {
    match Name::try_from(name) {
        Ok(_) => AppError::NotFound { resource: R::KIND, name: name.to_owned() },
        Err(error) => AppError::invalid("name", error.to_string()),
    }
}

#[derive(Clone, Copy)]
enum Change {
    Created,
    Updated,
    Deleted,
}

impl Change {
    fn event(self, resource: &'static str) -> &'static str {
        match (resource, self) {
            ("breaker", Self::Created) => "breaker.created",
            ("breaker", Self::Updated) => "breaker.updated",
            ("breaker", Self::Deleted) => "breaker.deleted",
            ("limiter", Self::Created) => "limiter.created",
            ("limiter", Self::Updated) => "limiter.updated",
            ("limiter", Self::Deleted) => "limiter.deleted",
            ("check", Self::Created) => "check.created",
            ("check", Self::Updated) => "check.updated",
            ("check", Self::Deleted) => "check.deleted",
            ("gate", Self::Created) => "gate.created",
            ("gate", Self::Updated) => "gate.updated",
            ("gate", Self::Deleted) => "gate.deleted",
            ("schedule", Self::Created) => "schedule.created",
            ("schedule", Self::Updated) => "schedule.updated",
            ("schedule", Self::Deleted) => "schedule.deleted",
            ("receiver", Self::Created) => "receiver.created",
            ("receiver", Self::Updated) => "receiver.updated",
            ("receiver", Self::Deleted) => "receiver.deleted",
            ("route", Self::Created) => "route.created",
            ("route", Self::Updated) => "route.updated",
            ("route", Self::Deleted) => "route.deleted",
            ("maintenance_window", Self::Created) => "maintenance_window.created",
            ("maintenance_window", Self::Updated) => "maintenance_window.updated",
            ("maintenance_window", Self::Deleted) => "maintenance_window.deleted",
            ("retention", Self::Created) => "retention.created",
            ("retention", Self::Updated) => "retention.updated",
            ("retention", Self::Deleted) => "retention.deleted",
            ("threshold", Self::Created) => "threshold.created",
            ("threshold", Self::Updated) => "threshold.updated",
            ("threshold", Self::Deleted) => "threshold.deleted",
            (_, Self::Created) => "retry_policy.created",
            (_, Self::Updated) => "retry_policy.updated",
            (_, Self::Deleted) => "retry_policy.deleted",
        }
    }
}
