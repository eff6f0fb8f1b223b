//! Guards calls of a Rust service with breakers and limits that all processes share.
//!
//! A [`Guard`] names the breaker and the limiters of a call, a [`Client`] asks the board for leave, and a [`Call`] reports
//! how it went. With [`GuardLayer`] any `tower` service is guarded, `reqwest::Client` and hyper's clients among them.
//!
//! ```no_run
//! use fuseboard::client::{Client, Guard, GuardLayer, Settings};
//! use fuseboard::domain::{breaker::BreakerSpec, limiter::LimiterSpec};
//! use tower::{Layer, Service, ServiceExt};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let board = Client::new(Settings::from_env()?)?;
//! let guard = Guard::new()
//!     .breaker("kraken_api", BreakerSpec::default())?
//!     .limiter("kraken_api", LimiterSpec { requests_per_second: Some(10.0), ..LimiterSpec::default() })?
//!     .max_wait(std::time::Duration::from_secs(2));
//!
//! let mut kraken = GuardLayer::new(board.clone(), guard).layer(reqwest::Client::new());
//! let request = reqwest::Client::new().get("https://api.kraken.com/0/public/Time").build()?;
//! match kraken.ready().await?.call(request).await {
//!     Ok(answer) => println!("{}", answer.status()),
//!     Err(error) => println!("{error}"), // refused by the board, or the request's own error
//! }
//! board.flush().await; // before the runtime ends: what is still to be reported
//! # Ok(())
//! # }
//! ```
//!
//! # What costs what
//! A call is one request to the board; its outcome rides along with the next call or leaves within 50 ms. A failure is
//! reported before the guarded call returns.
//!
//! # The server is away
//! Unreachable, silent, or answering with 5xx, 408 or 429: the first call to notice has waited for
//! [`Settings::connect_timeout`] or [`Settings::timeout`]; all others, those that wait already included, decide by
//! themselves at once, as [`OnUnavailable`] of their guard says. A background task asks each second whether the server is
//! back, and up to every five seconds one that comes and goes. In `Local` a breaker goes on from what the board said last, by the same rule, and a limiter keeps to this client's
//! share as the board told it last, evenly, beginning empty. When the server is back it is told what was spent of rates, before
//! it is asked for anything, and outcomes that wait are delivered; those of calls that were decided locally stay here.
//!
//! # Cancellation
//! A future that is dropped while it waits for the board, for its tokens or for the upstream gives its permit back, and
//! counts neither way.

use std::{future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

mod call;
mod classify;
mod courier;
mod error;
mod guard;
mod layer;
mod local;
mod outbox;
mod presence;
mod settings;
mod shared;
mod telling;
#[cfg(test)]
mod tests;
mod wire;

pub use call::Call;
pub use classify::{Classify, HttpStatus, Verdict};
pub use error::{ClientError, EnterError, GuardError, Reason, Refused};
pub use guard::{Guard, OnUnavailable};
pub use layer::{GuardLayer, Guarded};
pub use settings::Settings;

pub use crate::domain::breaker::Outcome;

use shared::Shared;
use wire::{Ask, Failure};

/// The most reports that ride along with one call.
const MOST_RIDING: usize = 100;

/// Asks one board. Cheap to clone; when the last clone is gone, what is left to report is sent in the background.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    closing: Arc<Notify>,
    courier: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closing.notify_one();
    }
}

/// What became of a question.
enum Asked {
    Decided(Result<(Call, Duration), EnterError>),
    Away,
}

impl Client {
    /// A client of that board. Connects to nothing yet.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let shared = Arc::new(Shared::new(settings)?);
        Ok(Self(Arc::new(Inner { shared, closing: Arc::default(), courier: Mutex::default() })))
    }

    /// Asks for leave to make one call, and waits for its tokens.
    ///
    /// # Errors
    /// [`EnterError::Refused`] if the call may not be made now, [`EnterError::Client`] if it could not be asked for.
    pub async fn enter(&self, guard: &Guard) -> Result<Call, EnterError> {
        if guard.0.breaker.is_none() && guard.0.limiters.is_empty() {
            return Err(ClientError::Invalid("name a breaker, limiters or both".to_owned()).into());
        }
        let runtime = Handle::try_current().map_err(|_| ClientError::NoRuntime)?;
        self.keep_courier(&runtime);
        let shared = &self.0.shared;
        if !shared.presence.is_away() {
            // A task of its own: if this future is dropped, the leave that is on its way is given back when it comes.
            let asking = runtime.spawn(ask(self.clone(), guard.clone()));
            let asked = tokio::select! {
                asked = asking => asked.unwrap_or(Asked::Away),
                () = shared.presence.gone() => Asked::Away,
            };
            if let Asked::Decided(decided) = asked {
                let (call, wait) = decided?;
                return Ok(call.after(wait).await);
            }
        }
        let (call, wait) = self.alone(guard)?;
        Ok(call.after(wait).await)
    }

    /// Makes a call if it may be made: `Ok` is a success, `Err` a failure.
    ///
    /// # Errors
    /// The call's own, or why it was not made.
    pub async fn call<T, E: std::fmt::Display>(
        &self,
        guard: &Guard,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, GuardError<E>> {
        let entered = self.enter(guard).await?;
        let result = call.await;
        match &result {
            Ok(_) => entered.success(),
            Err(error) => entered.report(Outcome::Failure, Some(error.to_string())).await,
        }
        result.map_err(GuardError::Call)
    }

    /// Whether the server is away, as far as this client knows.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.0.shared.presence.is_away()
    }

    /// Waits until the board has all outcomes of calls that have ended; returns at once while it is away.
    pub async fn flush(&self) {
        let shared = &self.0.shared;
        shared.deliver().await;
        tokio::select! {
            () = shared.outbox.settled() => {}
            () = shared.presence.gone() => {}
        }
    }

    fn now(&self) -> crate::domain::Time {
        self.0.shared.now()
    }

    /// Decides here.
    fn alone(&self, guard: &Guard) -> Result<(Call, Duration), Refused> {
        match guard.0.on_unavailable {
            OnUnavailable::Allow => Ok((Call::free(self.clone(), guard.clone()), Duration::ZERO)),
            OnUnavailable::Deny => {
                Err(Refused { reason: Reason::Unavailable, by: None, retry_after: None, is_local: true })
            }
            OnUnavailable::Local => {
                let (permit, wait) = self.0.shared.local.begin(&guard.0, self.now())?;
                Ok((Call::of_process(self.clone(), guard.clone(), permit), wait))
            }
        }
    }

    fn ended(&self, guard: &Guard, report: outbox::Report, duration: Duration) {
        let shared = &self.0.shared;
        if let Some(breaker) = &guard.0.breaker {
            shared.local.tally(&breaker.name, report.outcome, duration, self.now());
        }
        shared.outbox.push(report, self.now());
    }

    fn ended_locally(&self, permit: local::Permit, outcome: Outcome, duration: Duration) {
        self.0.shared.local.end(permit, outcome, duration, self.now());
    }

    /// Sends what waits, whoever stops waiting for it, until the board has a report.
    async fn tell(&self, hears: oneshot::Receiver<()>) {
        let shared = Arc::clone(&self.0.shared);
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move { shared.deliver_some().await });
        tokio::select! {
            _ = hears => {}
            () = self.0.shared.presence.gone() => {}
        }
    }

    fn penalize(&self, guard: &Guard, span: Duration) {
        let shared = &self.0.shared;
        let now = self.now();
        for limiter in &guard.0.limiters {
            shared.local.penalize(&limiter.name, span, now);
            shared.outbox.penalize(&limiter.name, now.after(span));
        }
    }

    /// The background task lives as long as its runtime: another one gets another.
    fn keep_courier(&self, runtime: &Handle) {
        let mut courier = self.0.courier.lock();
        if courier.as_ref().is_none_or(JoinHandle::is_finished) {
            let shared = Arc::clone(&self.0.shared);
            *courier = Some(runtime.spawn(courier::run(shared, Arc::clone(&self.0.closing))));
        }
    }
}

/// Asks the board; only if it knows no such names, with their configurations.
async fn ask(client: Client, guard: Guard) -> Asked {
    let shared = Arc::clone(&client.0.shared);
    for creating in [false, true] {
        let riding = shared.outbox.take(MOST_RIDING);
        let body = Ask::of(&guard.0, &shared.name, &riding.reports, creating);
        match shared.wire.post::<wire::Decision>("/v1/calls", &body).await {
            Ok(decision) => {
                riding.settled();
                return Asked::Decided(decided(client, guard, decision));
            }
            Err(Failure::Away(why)) => {
                drop(riding);
                shared.lost(&why);
                return Asked::Away;
            }
            Err(Failure::Rejected(ClientError::Rejected { status: 404, .. })) if !creating => {}
            Err(Failure::Rejected(error)) => return Asked::Decided(Err(error.into())),
        }
    }
    Asked::Away
}

fn decided(client: Client, guard: Guard, decision: wire::Decision) -> Result<(Call, Duration), EnterError> {
    let shared = &client.0.shared;
    shared.local.follow(&guard.0, &decision, shared.now());
    match decision.call_id {
        Some(id) if decision.allowed => {
            let wait = decision.wait_seconds.and_then(wire::span).unwrap_or_default();
            Ok((Call::of_board(client, guard, id), wait))
        }
        _ => Err(EnterError::Refused(Refused {
            reason: decision.reason.unwrap_or(Reason::Other),
            by: decision.denied_by,
            retry_after: decision.retry_after_seconds.and_then(wire::span),
            is_local: false,
        })),
    }
}
