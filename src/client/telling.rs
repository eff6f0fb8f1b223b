//! What was spent while the server was away, told when it is back, before anything else is asked: it counts there, too.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{local::Spends, shared::Shared, wire::Failure};
use crate::domain::Time;

/// The most limiters of one request: each may have a thousand entries.
const MOST_LIMITERS: usize = 10;

/// Requests that have not been answered yet, each with the key under which it counts once.
#[derive(Debug, Default)]
pub(super) struct Telling(VecDeque<(String, Value)>);

impl Telling {
    /// Tells what was spent until now; false if the server is away again, and then the rest is told the next time.
    pub(super) async fn tell(&mut self, shared: &Shared) -> bool {
        let spent = shared.local.take_spent();
        self.0.extend(requests(&shared.name, &spent, shared.now()).into_iter().map(|body| (key(), body)));
        while let Some((key, body)) = self.0.front() {
            match shared.wire.post_once("/v1/leases", body, key).await {
                Ok(()) => {}
                Err(Failure::Away(_)) => return false,
                Err(Failure::Rejected(error)) => {
                    tracing::warn!(%error, "the board does not count what was spent without it");
                }
            }
            self.0.pop_front();
        }
        true
    }
}

fn requests(client: &str, spent: &Spends, now: Time) -> Vec<Value> {
    let items: Vec<_> = spent
        .iter()
        .map(|(limiter, entries)| {
            let entries = entries.iter().map(|(at, tokens)| {
                json!({ "tokens": tokens.as_f64(), "seconds_ago": now.since(*at).as_secs_f64() })
            });
            json!({ "limiter": limiter, "spent": entries.collect::<Vec<_>>() })
        })
        .collect();
    items.chunks(MOST_LIMITERS).map(|items| json!({ "client": client, "items": items })).collect()
}

fn key() -> String {
    let half = || getrandom::u64().unwrap_or_default();
    format!("{:016x}{:016x}", half(), half())
}
