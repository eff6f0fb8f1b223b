//! Wires the layers, serves connections, and stops without losing anything.

mod connection;
mod watch;

use std::{
    future::Future,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use self::{
    connection::{Shared, Tls, serve},
    watch::{Order, Patience, Watch},
};
use crate::{
    app::{
        AppError, Board,
        breakers::BreakerCell,
        checks::CheckCell,
        definitions::{OnExisting, Precondition, Resource},
        gates::GateCell,
        limiters::LimiterCell,
        maintenance_windows::MaintenanceWindowCell,
        receivers::ReceiverCell,
        retention::RetentionCell,
        retry_policies::RetryPolicyCell,
        routes::RouteCell,
        schedules::ScheduleCell,
        thresholds::ThresholdCell,
    },
    clock::Clock,
    config::{Config, Declarations},
    domain::Name,
    http::{
        self, AppState, ROUTES,
        auth::Access,
        browser::BrowserRules,
        edge::{Edge, EdgeLimits},
    },
    outbound::Outbound,
    store::{Store, StoreError, StoreOptions, objects::Objects},
    tasks,
    telemetry::Telemetry,
};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Nobody would need a token beyond loopback.
    #[error(
        "refusing to listen on {0} without a token: make one with `fuseboard token create`, set FUSEBOARD_TOKEN, \
         or give --insecure-no-auth"
    )]
    NoAuth(SocketAddr),
    /// The database cannot be used.
    #[error("cannot open the database {0}: {1}{way_out}", way_out = way_out(.0, .1))]
    Store(String, StoreError),
    /// The object store for backups cannot be used as it is configured.
    #[error("[backup] store: {0}")]
    ObjectStore(StoreError),
    /// Certificate or key cannot be used.
    #[error("cannot use the TLS files: {0}")]
    Tls(String),
    /// What the file declares cannot be put in force.
    #[error("cannot declare what the configuration file says: {0}")]
    Declare(AppError),
    /// The metrics cannot be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What can be done about a database that does not open.
fn way_out(database: &str, error: &StoreError) -> String {
    match error {
        StoreError::Corrupt(_) => format!(
            "; `fuseboard db check --db {database}` says more, and `fuseboard db restore COPY --db {database}` puts a \
             copy in its place and keeps this file under another name"
        ),
        _ => String::new(),
    }
}

/// A server that is ready to serve.
pub struct Server {
    /// The board.
    pub board: Arc<Board>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    edge: Edge,
    state: AppState,
    config: Config,
    writer: tokio::task::JoinHandle<()>,
    tracker: TaskTracker,
    stop_tasks: CancellationToken,
}

impl Server {
    /// Opens the database, declares what the file says, and binds the address.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let options = StoreOptions {
            path: config.db.clone(),
            busy_timeout: Duration::from_secs(1),
            queue: config.max_queued_writes,
        };
        let broken = |error| StartError::Store(config.db.display().to_string(), error);
        let (store, writer) = Store::open(&options, clock.clone()).await.map_err(broken)?;
        let writer = tokio::spawn(writer.run());
        let telemetry = Arc::new(Telemetry::new(&ROUTES)?);
        let outbound = Outbound::new(config.outbound.clone());
        let objects = config.backups.store.as_ref().map(Objects::new).transpose();
        let objects = objects.map_err(StartError::ObjectStore)?;
        let backups = (config.backups.clone(), objects);
        let notifications = config.notifications.clone();
        // All that is loaded is large, and so would be every future that waits for a start.
        let limits = config.limits.clone();
        let board = Box::pin(Board::load(clock, store, limits, telemetry, outbound, backups, notifications));
        let board = board.await.map_err(broken)?;
        if let Some(token) = &config.token {
            board.tokens.accept(token);
        }
        let loopback = config.listen.ip().is_loopback();
        let open_without_tokens = loopback || config.insecure_no_auth;
        if !open_without_tokens && !board.tokens.required() {
            return Err(StartError::NoAuth(config.listen));
        }
        declare(&board, &config.declarations).await.map_err(StartError::Declare)?;
        let tls = config.tls.as_ref().map(|(cert, key)| acceptor(cert, key)).transpose()?;
        let listener =
            TcpListener::bind(config.listen).await.map_err(|e| StartError::Listen(config.listen, e))?;
        let state = AppState {
            board: Arc::clone(&board),
            body_limit: config.max_body_bytes,
            body_timeout: config.request_timeout,
            status_page: config.status_page.clone().map(Arc::new),
            draining: Arc::new(AtomicBool::new(false)),
            shutdown: CancellationToken::new(),
        };
        let access = Access { open_without_tokens, loopback, public_metrics: config.public_metrics };
        let limits = EdgeLimits {
            max_requests_in_flight: config.max_requests_in_flight,
            request_timeout: config.request_timeout,
        };
        let routes = http::routes(config.metrics_enabled).with_state(state.clone());
        let browser = BrowserRules::new(config.hsts_max_age_seconds);
        let edge = Edge::new(state.clone(), routes, access, limits, browser);
        let tracker = TaskTracker::new();
        let stop_tasks = CancellationToken::new();
        tasks::start(&board, &tracker, &stop_tasks);
        Ok(Self { board, listener, tls, edge, state, config, writer, tracker, stop_tasks })
    }

    /// The address that it listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Serves until `shutdown` is ready, then drains: `/readyz` fails first, running requests finish, everything is
    /// saved.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StoreError> {
        let Self { board, listener, tls, edge, state, config, writer, tracker, stop_tasks } = self;
        let connections = TaskTracker::new();
        let room = Arc::new(Semaphore::new(config.max_connections));
        let shared = Arc::new(Shared {
            tls: tls.map(Tls),
            edge,
            telemetry: Arc::clone(&board.telemetry),
            watch: Watch::new(Patience { head: config.head_timeout, idle: config.idle_timeout }),
            head_timeout: config.head_timeout,
            close: CancellationToken::new(),
        });
        let watching = Arc::clone(&shared);
        let watching = AbortOnDropHandle::new(tokio::spawn(async move { watching.watch.run().await }));
        let mut shutdown = pin!(shutdown);
        loop {
            // Without room, connections wait in the kernel's queue; a signal is heard all the same.
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (listener.accept().await, permit)
            };
            let (accepted, permit) = tokio::select! {
                next = next => next,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let work = serve(stream, Arc::clone(&shared));
                    connections.spawn(async move {
                        work.await;
                        drop(permit);
                    });
                }
                // Out of file descriptors, or a client that went away: wait a little rather than spin.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        tracing::info!("stopping");
        state.draining.store(true, Ordering::SeqCst);
        board.schedule_runs.stop_beginning();
        board.notifications.stop_beginning();
        let delay = tokio::time::sleep(config.shutdown_delay);
        let mut delay = pin!(delay);
        // The address stays open meanwhile, so that a load balancer can see that it is not ready.
        loop {
            tokio::select! {
                () = &mut delay => break,
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                },
            }
        }
        drop(listener);
        state.shutdown.cancel();
        shared.close.cancel();
        shared.watch.order_all(Order::Finish);
        connections.close();
        let connected = async {
            if tokio::time::timeout(config.drain, connections.wait()).await.is_err() {
                tracing::warn!(open = connections.len(), "some requests did not finish in time");
                shared.watch.order_all(Order::Drop);
                connections.wait().await;
            }
        };
        let notified = board.notifications.drain(config.drain);
        tokio::join!(connected, board.schedule_runs.drain(config.drain), notified);
        stop_tasks.cancel();
        board.stop_runs().await;
        tracker.close();
        tracker.wait().await;
        let saved = board.save_for_stop().await;
        board.store.readers.close().await;
        // The writer ends when its last handle is gone.
        drop(watching);
        drop((shared, state, board));
        drop(tokio::time::timeout(Duration::from_secs(5), writer).await);
        saved
    }
}

/// Puts in force what a configuration file declares. What it does not name stays as it is.
pub async fn declare(board: &Arc<Board>, declarations: &Declarations) -> Result<(), AppError> {
    board.set_built_in_thresholds(|own| declarations.built_in_thresholds.contains(&own));
    board.set_breakers_enabled(declarations.breakers_enabled);
    board.series.set_rules(declarations.metrics.clone());
    declare_all::<BreakerCell>(board, &declarations.breakers).await?;
    declare_all::<LimiterCell>(board, &declarations.limiters).await?;
    declare_all::<RetryPolicyCell>(board, &declarations.retry_policies).await?;
    board.set_checks_enabled(declarations.checks_enabled);
    declare_all::<CheckCell>(board, &declarations.checks).await?;
    for (name, spec) in &declarations.seed_checks {
        if board.checks.get(name.as_str()).is_none() {
            board.declare::<CheckCell>(name.clone(), spec.clone(), OnExisting::Keep).await?;
        }
    }
    declare_all::<ThresholdCell>(board, &declarations.thresholds).await?;
    declare_all::<GateCell>(board, &declarations.gates).await?;
    declare_all::<RetentionCell>(board, &declarations.retention).await?;
    declare_all::<ReceiverCell>(board, &declarations.receivers).await?;
    declare_all::<RouteCell>(board, &declarations.routes).await?;
    declare_all::<MaintenanceWindowCell>(board, &declarations.maintenance_windows).await?;
    declare_all::<ScheduleCell>(board, &declarations.schedules).await
}

async fn declare_all<R: Resource>(board: &Arc<Board>, specs: &[(Name, R::Spec)]) -> Result<(), AppError> {
    for (name, spec) in specs {
        let present = R::registry(board).get(name.as_str());
        if let (Some(present), Ok(config)) = (present, R::Config::try_from(spec.clone()))
            && present.config() == config
        {
            continue;
        }
        board.declare::<R>(name.clone(), spec.clone(), OnExisting::Replace(Precondition::default())).await?;
    }
    Ok(())
}

fn acceptor(cert: &std::path::Path, key: &std::path::Path) -> Result<TlsAcceptor, StartError> {
    use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let wrong = |what: &std::path::Path, error: &dyn std::fmt::Display| {
        StartError::Tls(format!("{}: {error}", what.display()))
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(cert, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| StartError::Tls(format!("{} with {}: {error}", cert.display(), key.display())))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
