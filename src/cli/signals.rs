//! Signals of a running server.

use std::{future::Future, path::PathBuf, sync::Arc};

use fuseboard::{
    app::Board,
    config::{Config, ServeArgs},
    server::declare,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ready on SIGTERM or SIGINT. Meanwhile SIGHUP puts the changes of the configuration file in force. A second
/// SIGTERM or SIGINT ends the process at once.
pub fn until_stopped(
    args: ServeArgs,
    file: Option<PathBuf>,
    board: Arc<Board>,
) -> Result<impl Future<Output = ()>, String> {
    let open = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
    let (mut term, mut int, mut hup): (Signal, Signal, Signal) =
        (open(SignalKind::terminate())?, open(SignalKind::interrupt())?, open(SignalKind::hangup())?);
    // With a handler, a file that may not grow any more is a failed write, not the end of the process.
    drop(open(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    Ok(async move {
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hup.recv() => if file.is_some() {
                    reload(&args, &board).await;
                } else {
                    tracing::info!("SIGHUP: there is no configuration file to read again");
                },
            }
        }
        tokio::spawn(async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            std::process::exit(130);
        });
    })
}

async fn reload(args: &ServeArgs, board: &Arc<Board>) {
    let result = match Config::load(args) {
        Ok(config) => declare(board, &config.declarations).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(()) => tracing::info!("SIGHUP: the configuration file is in force"),
        Err(error) => tracing::error!(error, "SIGHUP: the configuration file is not in force"),
    }
}
