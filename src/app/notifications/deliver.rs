//! Sending: one attempt to hand a notification to its receiver, and what is noted of it.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use jiff::Timestamp;
use serde_json::Value;

use super::outbox::Waiting;
use crate::{
    app::Board,
    domain::notify::{
        Attempt, Channel, Document, Endpoint, Mail, Patience, ReceiverConfig, Verdict, signature,
        without_secrets,
    },
    outbound::{Fetch, Letter, MailError, OutboundError},
    store::{
        StoreError, random,
        sqlite::notifications::{AttemptRow, notification_attempted, notification_body},
    },
};

/// How much of a receiver's answer is read.
const ANSWER_BYTES: usize = 4096;
/// How much of what went wrong is kept.
const LONGEST_ERROR: usize = 500;
/// How long a delivery waits whose outcome could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// A notification that is to be sent.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The same for every attempt.
    pub id: String,
    /// Until when what fires in it holds.
    pub valid_until: Timestamp,
    /// What it says.
    pub document: Document,
}

/// What came of sending.
#[derive(Clone, Debug)]
pub struct Sent {
    /// How it went.
    pub attempt: Attempt,
    /// The status of the answer, where there was one.
    pub http_status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Sent {
    fn failed(attempt: Attempt, error: &str) -> Self {
        let error = error.chars().take(LONGEST_ERROR).collect();
        Self { attempt, http_status: None, error: Some(error) }
    }
}

impl Board {
    /// Sends what is to be sent now, each on its own.
    pub fn begin_deliveries(self: &Arc<Self>) {
        if self.notifications.stopping.is_cancelled() {
            return;
        }
        let due = self.notifications.outbox.lock().take_due(self.clock.wall());
        for (id, waiting) in due {
            let board = Arc::clone(self);
            self.notifications.tracker.spawn(async move {
                let work = board.deliver(id, &waiting);
                let done = tokio::select! {
                    done = work => done,
                    () = board.notifications.interrupt.cancelled() => return,
                };
                if let Err(error) = done {
                    tracing::warn!(notification = id, %error, "what became of a notification is not on disk; it is sent again");
                    let again = board.clock.wall().checked_add(RETRY).unwrap_or(Timestamp::MAX);
                    board.notifications.outbox.lock().put_back(id, waiting.attempts, again);
                    return;
                }
                board.begin_deliveries();
            });
        }
    }

    async fn deliver(&self, id: i64, waiting: &Waiting) -> Result<(), StoreError> {
        let Some(body) = notification_body(&self.store.readers, id).await? else {
            self.notifications.outbox.lock().remove(id);
            return Ok(());
        };
        let cell = self.receivers.get(waiting.receiver.as_str());
        let Some(config) = cell.map(|cell| cell.shared()) else {
            let sent = Sent::failed(Attempt::Refused, "there is no such receiver any more");
            return self.note_attempt(id, waiting, &sent).await;
        };
        let document = serde_json::from_str(&body)?;
        let (delivery_id, valid_until) = (waiting.delivery_id.clone(), waiting.valid_until);
        let begun = self.clock.now();
        let delivery = Delivery { id: delivery_id, valid_until, document };
        let sent = AssertUnwindSafe(self.send(&config, &delivery)).catch_unwind().await;
        let sent = sent.unwrap_or_else(|_| {
            Sent::failed(Attempt::Failed(None), "the server has a bug; see its log: sending panicked")
        });
        let kind = config.channel.kind().as_str();
        let seconds = self.clock.now().since(begun).as_secs_f64();
        self.telemetry.notifications.attempted(kind, sent.attempt == Attempt::Accepted, seconds);
        self.note_attempt(id, waiting, &sent).await
    }

    /// On disk first: what is not noted is sent again, with the same id.
    async fn note_attempt(&self, id: i64, waiting: &Waiting, sent: &Sent) -> Result<(), StoreError> {
        let now = self.clock.wall();
        let attempts = waiting.attempts.saturating_add(1);
        let dice = f64::from(random::<1>()?[0]) / 255.0;
        let patience = Patience { attempts, until: waiting.give_up_at };
        let verdict = patience.verdict(now, &sent.attempt, dice);
        let (state, next) = match verdict {
            Verdict::Delivered => ("delivered", None),
            Verdict::Again(next) => ("pending", Some(next)),
            Verdict::Dead => ("dead", None),
        };
        let row = AttemptRow {
            state,
            attempts: attempts.into(),
            next_attempt_at: next.map(|next| next.to_string()),
            finished_at: next.is_none().then(|| now.to_string()),
            last_error: sent.error.clone(),
        };
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move { notification_attempted(connection, id, &row).await })
            })
            .await?;
        let mut outbox = self.notifications.outbox.lock();
        match verdict {
            Verdict::Again(next) => outbox.put_back(id, attempts, next),
            Verdict::Delivered => outbox.remove(id),
            Verdict::Dead => {
                outbox.remove(id);
                self.notifications.dead.fetch_add(1, Ordering::Relaxed);
                let (receiver, error) = (&waiting.receiver, sent.error.as_deref().unwrap_or_default());
                tracing::warn!(notification = id, %receiver, error, "a notification is dead");
            }
        }
        Ok(())
    }

    /// One attempt to hand a notification to a receiver.
    pub(in crate::app) async fn send(&self, config: &ReceiverConfig, delivery: &Delivery) -> Sent {
        let timeout = config.timeout.get();
        let document = &delivery.document;
        match &config.channel {
            Channel::Webhook { endpoint, hmac_secret } => {
                let body = serde_json::to_vec(&document.for_programs()).unwrap_or_default();
                let mut fetch = fetch(endpoint, delivery, body, timeout);
                if let Some(secret) = hmac_secret {
                    let signature = signature(secret.expose(), self.clock.wall(), &fetch.body);
                    fetch.headers.push(("fuseboard-signature".to_owned(), signature));
                }
                self.post(fetch).await
            }
            Channel::Alertmanager { endpoint } => {
                let body = document.for_alertmanager(delivery.valid_until).to_string();
                let mut fetch = fetch(endpoint, delivery, body.into(), timeout);
                let base = fetch.url.path().trim_end_matches('/').to_owned();
                if !base.ends_with("/api/v2/alerts") {
                    fetch.url.set_path(&format!("{base}/api/v2/alerts"));
                }
                self.post(fetch).await
            }
            Channel::Slack { endpoint, channel } => {
                let body: Value = document.for_slack(channel.as_deref());
                self.post(fetch(endpoint, delivery, body.to_string().into(), timeout)).await
            }
            Channel::Email(mail) => self.mail(mail, delivery, timeout).await,
        }
    }

    async fn post(&self, fetch: Fetch) -> Sent {
        let (url, headers) = (fetch.url.clone(), fetch.headers.clone());
        let origin = url.origin().ascii_serialization();
        match self.outbound.fetch(fetch).await {
            Ok(answer) => {
                let attempt = Attempt::of_status(answer.status, answer.retry_after);
                let said = String::from_utf8_lossy(&answer.body);
                let given = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let said = without_secrets(said.trim(), &url, given);
                let colon = if said.is_empty() { "" } else { ": " };
                let error = (attempt != Attempt::Accepted)
                    .then(|| format!("{origin} answered {}{colon}{said}", answer.status));
                let error = error.map(|text| text.chars().take(LONGEST_ERROR).collect());
                Sent { attempt, http_status: Some(answer.status), error }
            }
            // The configuration may change, and so may what a name means.
            Err(error) => Sent::failed(Attempt::Failed(None), &error.to_string()),
        }
    }

    async fn mail(&self, mail: &Mail, delivery: &Delivery, timeout: Duration) -> Sent {
        let letter = Letter {
            mail: mail.clone(),
            subject: delivery.document.subject(),
            text: delivery.document.for_mail(),
            id: delivery.id.clone(),
            timeout,
        };
        match self.outbound.mail(letter).await {
            Ok(()) => Sent { attempt: Attempt::Accepted, http_status: None, error: None },
            Err(error) => {
                let is_final = match &error {
                    MailError::Refused { is_permanent, .. } => *is_permanent,
                    MailError::Unsendable(_) => true,
                    MailError::Outbound(
                        OutboundError::Forbidden(..)
                        | OutboundError::Resolve(..)
                        | OutboundError::Connect(_)
                        | OutboundError::Tls(_)
                        | OutboundError::Timeout(_)
                        | OutboundError::Broken(_),
                    ) => false,
                };
                let attempt = if is_final { Attempt::Refused } else { Attempt::Failed(None) };
                Sent::failed(attempt, &error.to_string())
            }
        }
    }
}

fn fetch(endpoint: &Endpoint, delivery: &Delivery, body: Vec<u8>, timeout: Duration) -> Fetch {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("fuseboard-delivery-id".to_owned(), delivery.id.clone()),
        ("idempotency-key".to_owned(), delivery.id.clone()),
    ];
    // What the operator says wins.
    headers.retain(|(name, _)| endpoint.headers.iter().all(|(given, _)| given != name));
    headers.extend(endpoint.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    Fetch {
        method: axum::http::Method::POST,
        url: endpoint.url.clone(),
        headers,
        body: body.into(),
        timeout,
        max_redirects: 0,
        verify_tls: endpoint.tls_verify,
        max_response_bytes: ANSWER_BYTES,
    }
}
