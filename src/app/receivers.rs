//! Receivers of notifications.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    AppError, Board, Limits,
    definitions::Resource,
    notifications::deliver::{Delivery, Sent},
    registry::Registry,
    uuid,
};
use crate::domain::{
    Name, Seconds,
    notify::{Attempt, Document, DocumentAlert, ReceiverConfig, ReceiverKind, ReceiverSpec},
};

/// The longest that a test takes: shorter than a request may.
const LONGEST_TEST: Seconds = Seconds::whole(25);

/// One receiver.
#[derive(Debug)]
pub struct ReceiverCell {
    name: Name,
    config: Mutex<Arc<ReceiverConfig>>,
}

impl Resource for ReceiverCell {
    const KIND: &'static str = "receiver";
    const LIMIT: fn(&Limits) -> usize = |limits| limits.max_receivers;
    type Spec = ReceiverSpec;
    type Config = ReceiverConfig;

    fn spec(config: &ReceiverConfig) -> ReceiverSpec {
        config.into()
    }

    fn shown(config: &ReceiverConfig) -> ReceiverSpec {
        Self::spec(config).redacted()
    }

    fn registry(board: &Board) -> &Registry<Self> {
        &board.receivers
    }

    fn create(_: &Board, name: Name, config: ReceiverConfig) -> Self {
        Self::new(name, config)
    }

    fn reconfigure(self: &Arc<Self>, _: &Board, config: ReceiverConfig) {
        *self.config.lock() = Arc::new(config);
    }

    fn created(self: &Arc<Self>, board: &Board) {
        board.notifications.reroute();
    }

    fn removed(&self, board: &Board) {
        board.notifications.reroute();
    }

    fn name(&self) -> &Name {
        &self.name
    }

    fn config(&self) -> ReceiverConfig {
        ReceiverConfig::clone(&self.config.lock())
    }
}

/// A receiver as answered by `GET /v1/receivers/{name}`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiverView {
    /// The receiver's name.
    pub name: Name,
    /// What it is.
    pub kind: ReceiverKind,
    /// Notifications that are still to be delivered to it.
    pub pending_notifications: usize,
    /// The configuration, every field filled. Secrets are `[redacted]`, and so is what follows the host of a URL.
    pub config: ReceiverSpec,
}

/// What came of a test.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReceiverTest {
    /// Whether the receiver took it.
    pub delivered: bool,
    /// The status that it answered with, where it speaks HTTP.
    pub http_status: Option<u16>,
    /// Why it failed; null if it did not.
    pub error: Option<String>,
    /// How long it took.
    pub duration_seconds: f64,
    /// The id that it was sent with.
    pub delivery_id: String,
}

impl ReceiverCell {
    /// A receiver.
    #[must_use]
    pub fn new(name: Name, config: ReceiverConfig) -> Self {
        Self { name, config: Mutex::new(Arc::new(config)) }
    }

    /// Its configuration, not copied.
    #[must_use]
    pub fn shared(&self) -> Arc<ReceiverConfig> {
        Arc::clone(&self.config.lock())
    }

    /// What clients see.
    #[must_use]
    pub fn view(&self, board: &Board) -> ReceiverView {
        let config = self.shared();
        ReceiverView {
            name: self.name.clone(),
            kind: config.channel.kind(),
            pending_notifications: board.notifications.pending_of(&self.name),
            config: Self::shown(&config),
        }
    }
}

impl Board {
    /// Sends a receiver a notification that is about nothing, and says what came of it. It is tried once, and not recorded.
    pub async fn receiver_test(&self, name: &str) -> Result<ReceiverTest, AppError> {
        let cell = self.find::<ReceiverCell>(name)?;
        let now = self.clock.wall();
        let labels = [("alertname", "FuseboardTest"), ("severity", "info")];
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let alert = DocumentAlert {
            status: "firing".to_owned(),
            labels: map(&labels),
            annotations: map(&[("summary", "A test of this receiver. Nothing is wrong.")]),
            starts_at: now.to_string(),
            ends_at: DocumentAlert::NO_END.to_owned(),
            generator_url: String::new(),
            fingerprint: crate::domain::notify::fingerprint_of(labels.into_iter()),
        };
        let key = "{}:{alertname=\"FuseboardTest\"}".to_owned();
        let group = map(&labels[..1]);
        let document =
            Document::of(key, cell.name(), group, &self.notifications.options.external_url, vec![alert], 1);
        let delivery = Delivery {
            id: uuid(now)?,
            // Over soon, where nobody tells that it is.
            valid_until: now.checked_add(std::time::Duration::from_secs(60)).unwrap_or(now),
            document,
        };
        let mut config = ReceiverConfig::clone(&cell.shared());
        config.timeout = config.timeout.min(LONGEST_TEST);
        let begun = self.clock.now();
        let Sent { attempt, http_status, error } = self.send(&config, &delivery).await;
        Ok(ReceiverTest {
            delivered: attempt == Attempt::Accepted,
            http_status,
            error,
            duration_seconds: self.clock.now().since(begun).as_secs_f64(),
            delivery_id: delivery.id,
        })
    }
}
