//! Watches open connections: lets those go whose client dawdles, and all of them at the end.
//!
//! One task looks at every connection about once a second. A timer for each request, which hyper would set, costs more
//! than the decision that the request asks for, and would end idle connections as if their head were late.

#![expect(clippy::disallowed_methods, reason = "how long a client dawdles is real time, in tests too")]

use std::{
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
    task::Waker,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first byte of a request to the end of its head; for the first request, from the connection's start.
    pub head: Duration,
    /// Between requests.
    pub idle: Duration,
}

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Nothing special.
    GoOn = 0,
    /// Finish what runs, take no more.
    Finish = 1,
    /// Close at once.
    Drop = 2,
}

/// What a connection does, written by it and read by the [`Watch`]. All counters wrap.
#[derive(Debug, Default)]
pub struct Progress {
    order: AtomicU8,
    waker: OnceLock<Waker>,
    multiplexed: bool,
    answering: AtomicU32,
    answered: AtomicU32,
    read: AtomicU32,
    read_before_head: AtomicU32,
    written: AtomicU32,
}

impl Progress {
    /// The order of the moment. A [`Waker`] given here is woken by later orders.
    pub fn order(&self, waker: &Waker) -> Order {
        self.waker.get_or_init(|| waker.clone());
        match self.order.load(Ordering::SeqCst) {
            0 => Order::GoOn,
            1 => Order::Finish,
            _ => Order::Drop,
        }
    }

    /// Something has been read.
    pub fn read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    /// Something has been written.
    pub fn written(&self) {
        self.written.fetch_add(1, Ordering::Relaxed);
    }

    /// A request begins, its head is complete.
    pub fn begin(&self) {
        self.answering.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has its answer.
    pub fn end(&self) {
        self.read_before_head.store(self.read.load(Ordering::Relaxed), Ordering::Relaxed);
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.answering.fetch_sub(1, Ordering::Relaxed);
    }

    fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::SeqCst);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }
}

/// What the watch remembers of a connection.
#[derive(Debug)]
struct Sight {
    progress: Weak<Progress>,
    quiet_since: Instant,
    head_since: Option<Instant>,
    answered: u32,
    written: u32,
}

impl Sight {
    fn judge(&mut self, progress: &Progress, now: Instant, patience: Patience) -> Order {
        let answered = progress.answered.load(Ordering::Relaxed);
        let written = progress.written.load(Ordering::Relaxed);
        let busy = progress.answering.load(Ordering::Relaxed) > 0;
        if busy || answered != self.answered || written != self.written && answered > 0 {
            (self.answered, self.written) = (answered, written);
            (self.quiet_since, self.head_since) = (now, None);
            return Order::GoOn;
        }
        let quiet = now.saturating_duration_since(self.quiet_since);
        if answered == 0 {
            return if quiet >= patience.head { Order::Drop } else { Order::GoOn };
        }
        if progress.multiplexed {
            // HTTP/2 reads and writes between requests too; its pings find out who is gone.
            return Order::GoOn;
        }
        let in_head =
            progress.read.load(Ordering::Relaxed) != progress.read_before_head.load(Ordering::Relaxed);
        if in_head {
            let since = *self.head_since.get_or_insert(now);
            let late = now.saturating_duration_since(since) >= patience.head;
            return if late { Order::Drop } else { Order::GoOn };
        }
        match quiet {
            _ if quiet >= patience.idle * 2 => Order::Drop,
            _ if quiet >= patience.idle => Order::Finish,
            _ => Order::GoOn,
        }
    }
}

/// All open connections.
#[derive(Debug)]
pub struct Watch {
    patience: Patience,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    sights: Vec<Sight>,
    order: Order,
}

impl Watch {
    /// No connections yet.
    #[must_use]
    pub const fn new(patience: Patience) -> Self {
        Self { patience, open: Mutex::new(Open { sights: Vec::new(), order: Order::GoOn }) }
    }

    /// Watches a new connection, until its [`Progress`] is dropped. `multiplexed` says that it speaks HTTP/2.
    pub fn add(&self, multiplexed: bool) -> Arc<Progress> {
        let progress = Arc::new(Progress { multiplexed, ..Progress::default() });
        let sight = Sight {
            progress: Arc::downgrade(&progress),
            quiet_since: Instant::now(),
            head_since: None,
            answered: 0,
            written: 0,
        };
        let mut open = self.open.lock();
        progress.give(open.order);
        open.sights.push(sight);
        progress
    }

    /// Gives all connections, present and future, an order.
    pub fn order_all(&self, order: Order) {
        let mut open = self.open.lock();
        open.order = open.order.max(order);
        for progress in open.sights.iter().filter_map(|sight| sight.progress.upgrade()) {
            progress.give(order);
        }
    }

    /// Looks at every connection again and again; never ends.
    pub async fn run(&self) {
        let period = (self.patience.head.min(self.patience.idle) / 4)
            .clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(Instant::now());
        }
    }

    fn look(&self, now: Instant) {
        self.open.lock().sights.retain_mut(|sight| {
            let Some(progress) = sight.progress.upgrade() else { return false };
            let order = sight.judge(&progress, now, self.patience);
            if order > Order::GoOn {
                progress.give(order);
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { head: Duration::from_secs(10), idle: Duration::from_secs(100) };

    struct Scene {
        watch: Watch,
        progress: Arc<Progress>,
        start: Instant,
    }

    impl Scene {
        fn new(multiplexed: bool) -> Self {
            let watch = Watch::new(PATIENCE);
            let progress = watch.add(multiplexed);
            Self { watch, progress, start: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Order {
            self.watch.look(self.start + Duration::from_secs(seconds));
            self.progress.order(Waker::noop())
        }

        fn request(&self) {
            self.progress.read();
            self.progress.begin();
            self.progress.end();
            self.progress.written();
        }
    }

    #[test]
    fn a_first_request_that_does_not_come_ends_the_connection() {
        let scene = Scene::new(false);
        assert_eq!(scene.at(9), Order::GoOn);
        scene.progress.read();
        scene.progress.written();
        assert_eq!(scene.at(11), Order::Drop);
        drop(scene.progress);
        scene.watch.look(scene.start);
        assert!(scene.watch.open.lock().sights.is_empty());
    }

    #[test]
    fn a_later_head_that_drips_ends_the_connection_too() {
        let scene = Scene::new(false);
        scene.request();
        assert_eq!(scene.at(50), Order::GoOn);
        for second in 51..61 {
            scene.progress.read();
            assert_eq!(scene.at(second), Order::GoOn, "{second}");
        }
        assert_eq!(scene.at(61), Order::Drop);
    }

    #[test]
    fn a_request_in_work_may_take_its_time_and_so_may_a_stream() {
        let scene = Scene::new(false);
        scene.progress.read();
        scene.progress.begin();
        assert_eq!(scene.at(500), Order::GoOn);
        scene.progress.end();
        for second in (510..1000).step_by(15) {
            scene.progress.written();
            assert_eq!(scene.at(second), Order::GoOn);
        }
    }

    #[test]
    fn an_idle_connection_is_let_go_and_a_stuck_one_dropped() {
        let scene = Scene::new(false);
        scene.request();
        assert_eq!(scene.at(0), Order::GoOn);
        assert_eq!(scene.at(99), Order::GoOn);
        assert_eq!(scene.at(101), Order::Finish);
        assert_eq!(scene.at(201), Order::Drop);
        let http2 = Scene::new(true);
        http2.request();
        assert_eq!(http2.at(1000), Order::GoOn);
    }

    #[test]
    fn orders_reach_connections_that_come_later() {
        let watch = Watch::new(PATIENCE);
        watch.order_all(Order::Finish);
        assert_eq!(watch.add(false).order(Waker::noop()), Order::Finish);
    }
}
