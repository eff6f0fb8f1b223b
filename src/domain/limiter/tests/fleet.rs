//! A limiter, its disk, and clients that spend their shares while the server is away.
//!
//! What is taken for granted: a client knows its share among those that are there, and the disk knows the clients. Both
//! are so within a second.

use std::time::Duration;

use crate::domain::{
    Time, Tokens,
    limiter::{Limiter, LimiterConfig, Mark, SavedLimiter, Spend, absent::NOTICED},
};

const TOKEN: u64 = 1_000_000;
/// So long all of it takes at most: nobody ceases to count as live.
const BUDGET: i64 = 50_000_000_000;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Wait(i64),
    /// Asks, or spends alone.
    Call {
        client: usize,
        max_wait: i64,
    },
    Lease {
        client: usize,
        wanted: u64,
        span: i64,
    },
    /// Gives back a lease or a permit of the server's, or ends a call that was let go alone.
    Release {
        client: usize,
        unused: u64,
    },
    Snapshot,
    Stop {
        clean: bool,
    },
    Freeze,
    /// The server is back.
    Start {
        shift: i64,
    },
    /// A client notices that.
    Return(usize),
    Die(usize),
}

#[derive(Debug)]
enum Server {
    Up,
    Down { clean: bool },
    Frozen { since: i64 },
}

/// A client without a server.
#[derive(Debug)]
struct Alone {
    /// When it may spend the next token, and how far apart they are.
    next: i64,
    apart: i64,
    permits: usize,
    spends: Vec<i64>,
}

#[derive(Debug, Default)]
struct Client {
    alone: Option<Alone>,
    dead: bool,
    /// Leases and permits of the server: id, tokens, since, until.
    out: Vec<(u64, u64, i64, i64)>,
    /// Calls in flight that it let go alone: since.
    flights: Vec<i64>,
}

pub(super) struct Fleet {
    config: LimiterConfig,
    limiter: Limiter,
    server: Server,
    clients: Vec<Client>,
    pub(super) now: i64,
    zero: i64,
    wall: i64,
    left: i64,
    /// Until when all must have noticed that the server is back.
    noticed: Option<i64>,
    next_id: u64,
    pub(super) spent: Vec<(i64, u64)>,
    pub(super) flights: Vec<(i64, i64, u64)>,
    disk: String,
    disk_mark: Option<Mark>,
}

fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

fn span(nanos: i64) -> Duration {
    Duration::from_nanos(nanos.unsigned_abs())
}

fn id_of(client: usize) -> u64 {
    1_000_000_000_000 + client as u64
}

impl Fleet {
    pub(super) fn new(config: LimiterConfig, clients: usize, now: i64, wall: i64) -> Self {
        let mut limiter = Limiter::new(config.clone(), Time::from_nanos(now), wall);
        (0..clients).for_each(|client| limiter.seen(Time::from_nanos(now), id_of(client)));
        let mut fleet = Self {
            config,
            limiter,
            server: Server::Up,
            clients: (0..clients).map(|_| Client::default()).collect(),
            now,
            zero: 0,
            wall,
            left: BUDGET,
            noticed: None,
            next_id: 1,
            spent: Vec::new(),
            flights: Vec::new(),
            disk: String::new(),
            disk_mark: None,
        };
        fleet.snapshot();
        fleet
    }

    fn time(&self) -> Time {
        Time::from_nanos(self.now + self.zero)
    }

    fn real(&self, at: Time) -> i64 {
        at.as_nanos() - self.zero
    }

    fn is_up(&self) -> bool {
        matches!(self.server, Server::Up)
    }

    fn counts_flights(&self) -> bool {
        matches!(self.config, LimiterConfig::Concurrency { .. })
    }

    fn snapshot(&mut self) {
        self.disk = serde_json::to_string(&self.limiter.save()).expect("text");
    }

    fn write_mark(&mut self) {
        if let Some(mark) = self.limiter.mark_needed(self.time()) {
            self.limiter.mark_saved(mark);
            self.disk_mark = Some(mark);
        }
    }

    pub(super) fn run(&mut self, step: &Step) {
        self.next_id += 1;
        match *step {
            Step::Wait(nanos) => self.wait(nanos),
            Step::Call { client, max_wait } => self.call(client % self.clients.len(), max_wait),
            Step::Lease { client, wanted, span } => self.lease(client % self.clients.len(), wanted, span),
            Step::Release { client, unused } => self.release(client % self.clients.len(), unused),
            Step::Snapshot if self.is_up() => self.snapshot(),
            Step::Stop { clean } if self.is_up() => {
                if clean {
                    self.snapshot();
                }
                self.server = Server::Down { clean };
                self.noticed = None;
            }
            Step::Freeze if self.is_up() => {
                self.server = Server::Frozen { since: self.now };
                self.noticed = None;
            }
            Step::Start { shift } => self.start(shift),
            Step::Return(client) => self.back(client % self.clients.len()),
            Step::Die(client) => self.die(client % self.clients.len()),
            Step::Snapshot | Step::Stop { .. } | Step::Freeze => {}
        }
    }

    fn wait(&mut self, nanos: i64) {
        let nanos = nanos.min(self.left);
        self.left -= nanos;
        let until = self.now + nanos;
        if let Some(noticed) = self.noticed.filter(|noticed| *noticed <= until) {
            self.now = self.now.max(noticed);
            (0..self.clients.len()).for_each(|client| self.back(client));
            self.noticed = None;
        }
        self.now = until.max(self.now);
        let lease = nanos_of_lease(&self.config);
        for client in &mut self.clients {
            for since in client.flights.extract_if(.., |since| *since + lease <= until) {
                self.flights.push((since, since + lease, TOKEN));
            }
        }
    }

    fn start(&mut self, shift: i64) {
        match self.server {
            Server::Up => return,
            Server::Frozen { since } => {
                let gone = Time::from_nanos(since + self.zero);
                self.limiter.await_clients_of_frozen(gone, self.time());
                self.find_what_was_asked_before();
            }
            Server::Down { clean } => {
                self.zero += shift;
                let saved: SavedLimiter = serde_json::from_str(&self.disk).expect("saved");
                let (now, wall) = (self.time(), self.wall - self.zero);
                self.limiter = Limiter::restore(
                    self.config.clone(),
                    Some(saved),
                    self.disk_mark,
                    now,
                    shift,
                    wall,
                    clean,
                );
                self.snapshot();
                if shift != 0 {
                    self.disk_mark = Some(self.limiter.save().mark());
                }
            }
        }
        self.server = Server::Up;
        self.noticed = Some(self.now + nanos(NOTICED) - 1);
    }

    /// Clients that are alone now had asked when the server froze, and have given up.
    fn find_what_was_asked_before(&mut self) {
        for client in 0..self.clients.len() {
            if self.clients[client].alone.is_some() {
                self.next_id += 1;
                self.limiter.seen(self.time(), id_of(client));
                let _ = self.limiter.acquire(self.time(), Tokens::ONE, Duration::ZERO, self.next_id);
                self.write_mark();
            }
        }
    }

    fn call(&mut self, client: usize, max_wait: i64) {
        if self.clients[client].dead {
            return;
        }
        if self.clients[client].alone.is_some() || !self.is_up() {
            self.call_alone(client);
            return;
        }
        let (now, id) = (self.time(), self.next_id);
        self.limiter.seen(now, id_of(client));
        if let Ok(at) = self.limiter.acquire(now, Tokens::ONE, span(max_wait), id) {
            let at = self.real(at);
            if self.counts_flights() {
                let until = at + nanos_of_lease(&self.config);
                self.clients[client].out.push((id, TOKEN, at, until));
            } else {
                self.spent.push((at, TOKEN));
            }
            self.write_mark();
        }
    }

    fn call_alone(&mut self, client: usize) {
        if self.clients[client].alone.is_none() {
            let alone = self.alone();
            self.clients[client].alone = Some(alone);
        }
        let now = self.now;
        let counts_flights = self.counts_flights();
        let Client { alone: Some(alone), flights, .. } = &mut self.clients[client] else { return };
        if now < alone.next {
            return;
        }
        if counts_flights {
            if flights.len() < alone.permits {
                flights.push(now);
            }
            return;
        }
        // One token may be saved, which is spent here.
        alone.next = now.max(alone.next) + alone.apart;
        alone.spends.push(now);
        self.spent.push((now, TOKEN));
    }

    /// What a client does that has just lost the server.
    fn alone(&mut self) -> Alone {
        let then = self.limiter.clone().now;
        let pause = nanos(self.limiter.fallback_after(then));
        let share = self.limiter.fallback_share(then).expect("nobody is penalised");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let (apart, permits) = ((1e9 / share * (1.0 + 1e-9)).ceil() as i64, (share as usize).max(1));
        let begins = if matches!(self.config, LimiterConfig::TokenBucket { .. }) { apart } else { 0 };
        Alone { next: self.now + pause + begins, apart, permits, spends: Vec::new() }
    }

    fn lease(&mut self, client: usize, wanted: u64, nanos: i64) {
        if self.clients[client].dead || self.clients[client].alone.is_some() || !self.is_up() {
            return;
        }
        let (now, id) = (self.time(), self.next_id);
        let hold = (id, id_of(client));
        if let Ok(lease) =
            self.limiter.lease(now, Tokens::from_micros(wanted), Tokens::ONE, hold, span(nanos))
        {
            let until = self.real(lease.until);
            self.clients[client].out.push((id, lease.tokens.micros(), self.now, until));
            self.write_mark();
        }
    }

    fn release(&mut self, client: usize, unused: u64) {
        if self.clients[client].alone.is_some() && !self.clients[client].flights.is_empty() {
            let since = self.clients[client].flights.remove(0);
            self.flights.push((since, self.now, TOKEN));
            return;
        }
        if self.clients[client].dead || self.clients[client].out.is_empty() || !self.is_up() {
            return;
        }
        let (id, micros, since, until) = self.clients[client].out.remove(0);
        let back = self.limiter.release(self.time(), id, Tokens::from_micros(unused));
        match back {
            Some(back) => self.over((micros - back.micros().min(micros), since, self.now), micros),
            None if self.counts_flights() => self.over((0, since, self.now.min(until)), micros),
            None => self.over((micros, since, until), micros),
        }
    }

    fn over(&mut self, (spent, since, end): (u64, i64, i64), micros: u64) {
        if self.counts_flights() {
            self.flights.push((since, end.max(since), micros));
        } else {
            self.spent.push((end, spent));
        }
    }

    fn back(&mut self, client: usize) {
        if !self.is_up() || self.clients[client].dead {
            return;
        }
        let Some(alone) = self.clients[client].alone.take() else { return };
        let now = self.time();
        let spends: Vec<_> = alone
            .spends
            .iter()
            .map(|at| Spend { at: Time::from_nanos(at + self.zero), tokens: Tokens::ONE })
            .collect();
        // Calls that it let go and that still run: from here on they are the server's.
        let running = std::mem::take(&mut self.clients[client].flights);
        self.next_id += 1;
        let adopted = self.limiter.adopt(
            now,
            Tokens::from_micros(TOKEN * running.len() as u64),
            (self.next_id, id_of(client)),
        );
        self.limiter.debit(now, id_of(client), &spends);
        self.limiter.seen(now, id_of(client));
        let lease = nanos_of_lease(&self.config);
        if !running.is_empty() {
            let all = Tokens::from_micros(TOKEN * running.len() as u64);
            let hold = (self.next_id, id_of(client));
            let lease_anew =
                |limiter: &mut Limiter| limiter.lease(now, all, all, hold, Duration::MAX).is_ok();
            if adopted.is_some() || lease_anew(&mut self.limiter) {
                let out = (self.next_id, all.micros(), self.now, self.now + lease);
                self.clients[client].out.push(out);
                self.flights.extend(running.iter().map(|since| (*since, self.now, TOKEN)));
                self.write_mark();
            } else {
                // It would have to wait for them to end.
                self.flights.extend(running.iter().map(|since| (*since, *since + lease, TOKEN)));
            }
        }
        self.write_mark();
    }

    fn die(&mut self, client: usize) {
        let lease = nanos_of_lease(&self.config);
        let dead = &mut self.clients[client];
        dead.dead = true;
        // Nobody knows: its calls may still run.
        let running = std::mem::take(&mut dead.flights);
        self.flights.extend(running.into_iter().map(|since| (since, since + lease, TOKEN)));
    }

    /// All come back; then everything is available again, as soon as it can be.
    pub(super) fn end(&mut self) {
        self.start(0);
        for client in 0..self.clients.len() {
            self.back(client);
            let now = self.time();
            self.limiter.seen(now, id_of(client));
            for (_, micros, since, until) in std::mem::take(&mut self.clients[client].out) {
                self.over((micros, since, until), micros);
            }
        }
        self.spent.sort_unstable();
        let recovery = nanos(Duration::from_secs_f64(self.config.recovery_seconds()));
        let promised = self.limiter.obligations.max(self.limiter.mark.horizon).max(self.time());
        let covered = self.time().after(self.limiter.fallback_after(self.time()));
        self.now =
            self.real(promised.max(covered)) + recovery + nanos_of_lease(&self.config) + nanos(NOTICED);
        let now = self.time();
        assert_eq!(self.limiter.available(now), self.config.capacity(), "capacity is lost");
    }
}

fn nanos_of_lease(config: &LimiterConfig) -> i64 {
    nanos(config.lease())
}
