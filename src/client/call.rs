//! One guarded call.

use std::{mem, time::Duration};

use tokio::sync::oneshot;

use super::{Client, guard::Guard, local::Permit, outbox};
use crate::domain::{Time, breaker::Outcome};

/// Leave to make one call. Say how it went; dropped without a word it counts neither way and gives its permit back, as
/// when the future that holds it is cancelled.
#[derive(Debug)]
pub struct Call {
    client: Client,
    guard: Guard,
    leave: Leave,
    began: Time,
}

/// Who let it go.
#[derive(Debug)]
enum Leave {
    Board(String),
    Local(Permit),
    /// Nobody was asked: the guard allows all while the server is away.
    Free,
    Ended,
}

impl Call {
    pub(super) fn of_board(client: Client, guard: Guard, id: String) -> Self {
        Self::new(client, guard, Leave::Board(id))
    }

    pub(super) fn of_process(client: Client, guard: Guard, permit: Permit) -> Self {
        Self::new(client, guard, Leave::Local(permit))
    }

    pub(super) fn free(client: Client, guard: Guard) -> Self {
        Self::new(client, guard, Leave::Free)
    }

    fn new(client: Client, guard: Guard, leave: Leave) -> Self {
        let began = client.now();
        Self { client, guard, leave, began }
    }

    /// What it waited for its tokens does not count as its duration.
    pub(super) async fn after(mut self, wait: Duration) -> Self {
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            self.began = self.client.now();
        }
        self
    }

    /// Whether the board let it go, rather than this process because the board is away.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.leave, Leave::Board(_))
    }

    /// It worked. The report rides along with the next call, or leaves soon.
    pub fn success(mut self) {
        self.end(Outcome::Success, None);
    }

    /// It failed in a way that speaks of the upstream. The report leaves at once, in the background.
    pub fn failure(mut self, error: impl Into<String>) {
        self.end(Outcome::Failure, Some(error.into()));
    }

    /// It says nothing about the upstream.
    pub fn ignored(mut self) {
        self.end(Outcome::Ignored, None);
    }

    /// Any of these. Of a failure the board has been told when this returns, unless it is away: what the caller does next,
    /// here or elsewhere, meets a breaker that knows.
    pub async fn report(mut self, outcome: Outcome, error: Option<String>) {
        if outcome == Outcome::Failure && self.is_shared() {
            let (told, hears) = oneshot::channel();
            self.end_and_tell(outcome, error, Some(told));
            self.client.tell(hears).await;
        } else {
            self.end(outcome, error);
        }
    }

    /// The upstream asked for so much silence (`Retry-After`): the guard's limiters grant nobody anything until then.
    pub fn penalize(&self, span: Duration) {
        self.client.penalize(&self.guard, span);
    }

    fn end(&mut self, outcome: Outcome, error: Option<String>) {
        self.end_and_tell(outcome, error, None);
    }

    fn end_and_tell(&mut self, outcome: Outcome, error: Option<String>, told: Option<oneshot::Sender<()>>) {
        let duration = self.client.now().since(self.began);
        match mem::replace(&mut self.leave, Leave::Ended) {
            Leave::Board(call_id) => {
                let report = outbox::Report {
                    call_id,
                    outcome,
                    duration_seconds: duration.as_secs_f64(),
                    error: error.map(outbox::cut),
                    told,
                };
                self.client.ended(&self.guard, report, duration);
            }
            Leave::Local(permit) => self.client.ended_locally(permit, outcome, duration),
            Leave::Free | Leave::Ended => {}
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Outcome::Ignored, None);
    }
}
