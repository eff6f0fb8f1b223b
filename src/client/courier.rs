//! The background task: sends outcomes, and finds out when the server is back.

use std::sync::Arc;

use tokio::{sync::Notify, time::sleep};

use super::{shared::Shared, telling::Telling};
use crate::domain::Time;

/// Runs until `closing`, and sends what is left then.
pub(super) async fn run(shared: Arc<Shared>, closing: Arc<Notify>) {
    let mut telling = Telling::default();
    loop {
        let went_on = if shared.presence.is_away() {
            probe(&shared, &mut telling, &closing).await
        } else {
            send(&shared, &closing).await
        };
        if !went_on {
            return shared.deliver().await;
        }
    }
}

/// Asks a server that is away, when it is time. False when closing.
async fn probe(shared: &Shared, telling: &mut Telling, closing: &Notify) -> bool {
    tokio::select! {
        () = closing.notified() => return false,
        () = sleep(shared.presence.probe_in(shared.now())) => {}
    }
    // Before anybody is granted anything anew.
    if shared.wire.probe().await && telling.tell(shared).await {
        shared.presence.back(shared.now());
        tracing::info!("the board is back");
        // And what was spent meanwhile.
        telling.tell(shared).await;
    } else {
        shared.presence.still_away(shared.now());
    }
    true
}

/// Sends what is due. False when closing.
async fn send(shared: &Shared, closing: &Notify) -> bool {
    let due = shared.outbox.due();
    let rest = due.unwrap_or(Time::MAX).since(shared.now());
    tokio::select! {
        () = closing.notified() => return false,
        () = sleep(rest), if due.is_some() => shared.deliver().await,
        () = shared.outbox.changed() => {}
        () = shared.presence.gone() => {}
    }
    true
}
