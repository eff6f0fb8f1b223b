//! A guard before any `tower` service.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use tower::{Layer, Service};

use super::{Classify, Client, Guard, GuardError, HttpStatus};

/// Guards services: each request asks the board first, and its answer is reported.
#[derive(Clone, Debug)]
pub struct GuardLayer<C = HttpStatus> {
    client: Client,
    guard: Guard,
    classify: C,
}

impl GuardLayer {
    /// Judges answers by their status, see [`HttpStatus`].
    #[must_use]
    pub fn new(client: Client, guard: Guard) -> Self {
        Self { client, guard, classify: HttpStatus }
    }
}

impl<C> GuardLayer<C> {
    /// Judges answers otherwise.
    #[must_use]
    pub fn classify<D>(self, classify: D) -> GuardLayer<D> {
        GuardLayer { client: self.client, guard: self.guard, classify }
    }
}

impl<S, C: Clone> Layer<S> for GuardLayer<C> {
    type Service = Guarded<S, C>;

    fn layer(&self, inner: S) -> Guarded<S, C> {
        Guarded { inner, layer: self.clone() }
    }
}

/// A service behind a guard. It is ready when the inner one is; leave is asked for by the request's future.
#[derive(Clone, Debug)]
pub struct Guarded<S, C = HttpStatus> {
    inner: S,
    layer: GuardLayer<C>,
}

impl<S, C, R> Service<R> for Guarded<S, C>
where
    S: Service<R> + Clone + Send + 'static,
    S::Response: Send,
    S::Error: Send,
    S::Future: Send,
    R: Send + 'static,
    C: Classify<S::Response, S::Error> + Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = GuardError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(GuardError::Call)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The one that is ready goes with the request; its clone has to become so.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let GuardLayer { client, guard, classify } = self.layer.clone();
        Box::pin(async move {
            let call = client.enter(&guard).await?;
            let result = inner.call(request).await;
            let verdict = classify.classify(&result);
            if let Some(span) = verdict.retry_after {
                call.penalize(span);
            }
            call.report(verdict.outcome, verdict.error).await;
            result.map_err(GuardError::Call)
        })
    }
}
