//! What a client must know of breakers and limiters to decide by itself.

use std::{collections::HashMap, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::{Board, breakers::BreakerCell, definitions::Resource, limiters::LimiterCell};
use crate::domain::{
    Name, StateName,
    breaker::BreakerSpec,
    limiter::{LimiterAlgorithm, LimiterSpec},
};

/// What a client wants to know of.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Breakers, whether or not they exist.
    pub breakers: Vec<Name>,
    /// Limiters, likewise.
    pub limiters: Vec<Name>,
    /// Who; counts as a client of these limiters.
    pub client: Option<String>,
}

/// A breaker as a client must know it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BreakerReplica {
    /// Its name.
    pub name: Name,
    /// Its state; null if there is none of that name.
    pub state: Option<StateName>,
    /// The generation of this state, to be given with the outcomes of calls that were admitted in it.
    pub generation: u64,
    /// When a refused call may try again; null if it is not refused now or nobody knows.
    pub retry_after_seconds: Option<f64>,
    /// Its configuration; null if there is none of that name.
    pub config: Option<BreakerSpec>,
}

/// A limiter as a client must know it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LimiterReplica {
    /// Its name.
    pub name: Name,
    /// How it counts; null if there is none of that name.
    pub algorithm: Option<LimiterAlgorithm>,
    /// Tokens per second that this client may spend on its own while it cannot reach the server; for `concurrency`, calls
    /// at once.
    pub fallback_share: Option<f64>,
    /// Among how many clients the limit is shared then.
    pub live_clients: u32,
    /// Nobody may spend anything for so long, not even leased tokens; null if that is not so.
    pub blocked_seconds: Option<f64>,
    /// Its configuration; null if there is none of that name.
    pub config: Option<LimiterSpec>,
}

/// All of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replica {
    /// The event from which on changes are to come.
    pub as_of: i64,
    /// The breakers that were asked for.
    pub breakers: Vec<BreakerReplica>,
    /// The limiters that were asked for.
    pub limiters: Vec<LimiterReplica>,
}

impl Board {
    /// All that is of interest, as it is now.
    #[must_use]
    pub fn replica(self: &Arc<Self>, interest: &Interest) -> (Replica, Seen) {
        let as_of = self.journal.last();
        let mut seen = Seen::default();
        let breakers =
            interest.breakers.iter().map(|name| self.breaker_replica(name, as_of, &mut seen)).collect();
        let limiters = self.limiter_replicas(interest);
        (Replica { as_of, breakers, limiters }, seen)
    }

    /// A breaker, and up to which event that is so.
    pub fn breaker_replica(self: &Arc<Self>, name: &Name, as_of: i64, seen: &mut Seen) -> BreakerReplica {
        let (replica, last) = match self.breakers.get(name.as_str()) {
            Some(cell) => cell.replica(self),
            None => (BreakerReplica::none(name), as_of),
        };
        if last > as_of {
            seen.0.insert(name.clone(), last);
        }
        replica
    }

    /// The limiters of interest. Who asks counts as their client.
    #[must_use]
    pub fn limiter_replicas(self: &Arc<Self>, interest: &Interest) -> Vec<LimiterReplica> {
        let client = interest.client.as_deref().map(|name| self.clients.identify(Some(name)));
        let replica = |name: &Name| match self.limiters.get(name.as_str()) {
            Some(cell) => cell.replica(self, client),
            None => LimiterReplica::none(name),
        };
        interest.limiters.iter().map(replica).collect()
    }
}

/// Up to which event the states of breakers are known that were read after the snapshot began: what happened before is
/// in them.
#[derive(Clone, Debug, Default)]
pub struct Seen(HashMap<Name, i64>);

impl Seen {
    /// Whether this event says something that is not known yet.
    #[must_use]
    pub fn is_news(&self, name: &str, event: i64) -> bool {
        self.0.get(name).is_none_or(|last| event > *last)
    }

    /// Forgets what lies behind.
    pub fn passed(&mut self, event: i64) {
        if !self.0.is_empty() {
            self.0.retain(|_, last| *last > event);
        }
    }
}

impl BreakerReplica {
    fn none(name: &Name) -> Self {
        Self { name: name.clone(), state: None, generation: 0, retry_after_seconds: None, config: None }
    }
}

impl LimiterReplica {
    fn none(name: &Name) -> Self {
        Self {
            name: name.clone(),
            algorithm: None,
            fallback_share: None,
            live_clients: 0,
            blocked_seconds: None,
            config: None,
        }
    }
}

impl BreakerCell {
    /// As of the event that is returned: a transition is recorded before the breaker is let go.
    fn replica(self: &Arc<Self>, board: &Board) -> (BreakerReplica, i64) {
        self.look(board, |breaker, now| {
            let replica = BreakerReplica {
                name: self.name().clone(),
                state: Some(if board.breakers_enabled() { breaker.state() } else { StateName::Disabled }),
                generation: breaker.generation(),
                retry_after_seconds: breaker.retry_after(now).map(|span| span.as_secs_f64()),
                config: Some(breaker.config().as_ref().into()),
            };
            (replica, board.journal.last())
        })
    }
}

impl LimiterCell {
    fn replica(&self, board: &Board, client: Option<u64>) -> LimiterReplica {
        let now = board.clock.now();
        self.peek(|limiter| {
            if let Some(client) = client {
                limiter.seen(now, client);
            }
            LimiterReplica {
                name: self.name().clone(),
                algorithm: Some(limiter.config().algorithm()),
                fallback_share: limiter.fallback_share(now),
                live_clients: limiter.live_clients(now),
                blocked_seconds: limiter.blocked_until(now).map(|until| until.since(now).as_secs_f64()),
                config: Some(limiter.config().into()),
            }
        })
    }
}
