//! Answers to repeat: the same `Idempotency-Key` and request get the first answer again.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use foldhash::HashMap;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{AppError, Board};
use crate::{domain::Time, store::sqlite::idempotency::answer_get};

/// Answers remembered in memory.
const CAPACITY: usize = 65_536;
/// How long an answer is repeated.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// The longest key, in bytes.
pub const MAX_KEY: usize = 255;

/// A key of a request together with the hash of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, qualified by route and caller.
    pub key: Arc<str>,
    /// Hash of method, path and body.
    pub fingerprint: [u8; 32],
}

impl IdempotencyKey {
    /// Whether the request of that hash was the same.
    fn check(&self, fingerprint: &[u8]) -> Result<(), AppError> {
        if *fingerprint == self.fingerprint { Ok(()) } else { Err(AppError::IdempotencyMismatch) }
    }
}

/// An answer with its key.
#[derive(Clone, Debug)]
pub struct StoredAnswer {
    /// Whose answer.
    pub key: IdempotencyKey,
    /// The answer.
    pub answer: Answer,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Bytes,
}

#[derive(Debug)]
struct Slot {
    fingerprint: [u8; 32],
    since: Time,
    answer: watch::Receiver<Option<Answer>>,
}

/// What to do with a request that carries a key.
#[derive(Debug)]
pub enum Turn {
    /// First of its key: do the work and hand the answer to the ticket.
    First(Ticket),
    /// Seen before: this was the answer.
    Repeat(Answer),
}

/// The right to answer for a key. Dropped without an answer, the key is free again.
#[derive(Debug)]
pub struct Ticket {
    key: Arc<str>,
    slot: Option<watch::Sender<Option<Answer>>>,
    answers: Arc<Answers>,
}

impl Ticket {
    /// Remembers the answer.
    pub fn answer(mut self, answer: Answer) {
        if let Some(slot) = self.slot.take() {
            slot.send_replace(Some(answer));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.slot.take().is_some() {
            self.answers.inner.lock().slots.remove(&self.key);
        }
    }
}

/// The answers in memory.
#[derive(Debug, Default)]
pub struct Answers {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    slots: HashMap<Arc<str>, Slot>,
    order: VecDeque<(Time, Arc<str>)>,
}

impl Answers {
    /// Whose turn it is. A request whose twin is still being worked on waits for its answer, a little while.
    pub async fn turn(self: &Arc<Self>, key: &IdempotencyKey, now: Time) -> Result<Turn, AppError> {
        let mut waiting = match self.enter(key, now)? {
            Ok(ticket) => return Ok(Turn::First(ticket)),
            Err(waiting) => waiting,
        };
        let answered = tokio::time::timeout(Duration::from_secs(5), waiting.wait_for(Option::is_some)).await;
        match answered {
            Ok(Ok(answer)) => answer.clone().map(Turn::Repeat).ok_or(AppError::IdempotencyInProgress),
            // The first one failed without an answer, or takes too long.
            Ok(Err(_)) | Err(_) => Err(AppError::IdempotencyInProgress),
        }
    }

    fn enter(
        self: &Arc<Self>,
        key: &IdempotencyKey,
        now: Time,
    ) -> Result<Result<Ticket, watch::Receiver<Option<Answer>>>, AppError> {
        let mut inner = self.inner.lock();
        inner.evict(now);
        if let Some(slot) = inner.slots.get(&key.key) {
            key.check(&slot.fingerprint)?;
            return Ok(Err(slot.answer.clone()));
        }
        let (send, answer) = watch::channel(None);
        let key_text = Arc::clone(&key.key);
        inner.slots.insert(Arc::clone(&key_text), Slot { fingerprint: key.fingerprint, since: now, answer });
        inner.order.push_back((now, Arc::clone(&key_text)));
        Ok(Ok(Ticket { key: key_text, slot: Some(send), answers: Arc::clone(self) }))
    }
}

impl Board {
    /// The answer of a request that was done before, maybe by a process before this one. One whose effect has not reached
    /// the disk yet, which its client was told, is waited for.
    pub async fn answer_before(&self, key: &IdempotencyKey) -> Result<Option<Answer>, AppError> {
        // In this order: an answer that leaves the journal is in the store by then.
        if let Some((id, stored)) = self.journal.answer_waiting(&key.key) {
            key.check(&stored.key.fingerprint)?;
            self.journal.durable(id).await?;
            return Ok(Some(stored.answer));
        }
        let Some(stored) = answer_get(&self.store.readers, &key.key).await? else { return Ok(None) };
        key.check(&stored.fingerprint)?;
        let status = u16::try_from(stored.status).unwrap_or(200);
        Ok(Some(Answer { status, body: stored.body.into() }))
    }
}

impl Inner {
    fn evict(&mut self, now: Time) {
        while let Some((since, key)) = self.order.front() {
            if self.order.len() < CAPACITY && now.since(*since) < LIFETIME {
                break;
            }
            // A key that was freed and used again has a later entry of its own.
            if self.slots.get(key).is_some_and(|slot| slot.since == *since) {
                self.slots.remove(key);
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(fingerprint: u8) -> IdempotencyKey {
        IdempotencyKey { key: "k".into(), fingerprint: [fingerprint; 32] }
    }

    #[tokio::test]
    async fn the_first_answer_is_repeated_and_another_request_refused() {
        let answers = Arc::new(Answers::default());
        let now = Time::from_nanos(0);
        let Ok(Turn::First(ticket)) = answers.turn(&key(1), now).await else { panic!("not first") };
        let answer = Answer { status: 200, body: Bytes::from_static(b"{}") };
        ticket.answer(answer.clone());
        let Ok(Turn::Repeat(again)) = answers.turn(&key(1), now).await else { panic!("not repeated") };
        assert_eq!(again, answer);
        assert!(matches!(answers.turn(&key(2), now).await, Err(AppError::IdempotencyMismatch)));
        let later = now.after(LIFETIME);
        assert!(matches!(answers.turn(&key(2), later).await, Ok(Turn::First(_))));
    }

    #[tokio::test]
    async fn a_request_that_failed_frees_its_key() {
        let answers = Arc::new(Answers::default());
        let now = Time::from_nanos(0);
        drop(answers.turn(&key(1), now).await);
        assert!(matches!(answers.turn(&key(2), now).await, Ok(Turn::First(_))));
    }
}
