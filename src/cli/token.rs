//! `fuseboard token`: works on the database file; a running server notices within two seconds.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use fuseboard::{
    app::tokens::{Scope, token_make},
    clock::Clock,
    domain::{Name, Seconds},
    store::{Store, StoreOptions, sqlite::tokens},
};

/// Flags of `fuseboard token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Database file
    #[arg(long, env = "FUSEBOARD_DB", default_value = "fuseboard.db", global = true)]
    db: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it, for the only time
    Create {
        /// What to call it
        name: String,
        /// What it allows: read, write or admin
        #[arg(long, default_value = "write")]
        scope: Scope,
        /// Seconds until it ends; for ever if left out
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<f64>,
    },
    /// List tokens, without their secrets
    List,
    /// Revoke a token
    Revoke {
        /// The id that `list` shows
        id: String,
    },
}

/// Does it.
pub fn run(args: &TokenArgs) -> Result<(), String> {
    super::runtime(1)?.block_on(async {
        let options = StoreOptions { path: args.db.clone(), busy_timeout: Duration::from_secs(5), queue: 16 };
        let clock = Clock::system();
        let (store, task) = Store::open(&options, clock.clone())
            .await
            .map_err(|e| format!("cannot open {}: {e}", args.db.display()))?;
        let task = tokio::spawn(task.run());
        let result = act(&args.action, &store, &clock).await;
        store.readers.close().await;
        drop(store);
        drop(task.await);
        result
    })
}

async fn act(action: &Action, store: &Store, clock: &Clock) -> Result<(), String> {
    match action {
        Action::Create { name, scope, expires_in } => {
            let name = Name::try_from(name.as_str()).map_err(|e| e.to_string())?;
            let now = clock.wall();
            let expires_at = match expires_in {
                Some(seconds) => {
                    let span = Seconds::try_from(*seconds).map_err(|e| e.to_string())?;
                    Some(now.checked_add(span.get()).map_err(|e| e.to_string())?)
                }
                None => None,
            };
            let (row, secret) = token_make(&name, *scope, now, expires_at).map_err(|e| e.to_string())?;
            store
                .writer
                .write(move |connection| Box::pin(async move { tokens::token_add(connection, &row).await }))
                .await
                .map_err(|e| e.to_string())?;
            super::say(secret.expose());
        }
        Action::List => {
            for row in tokens::tokens_list(&store.readers).await.map_err(|e| e.to_string())? {
                let end = row.expires_at.as_deref().unwrap_or("never");
                super::say(&format!(
                    "{}  {:<6} {}  made {}  ends {end}",
                    row.id, row.scopes, row.name, row.created_at
                ));
            }
        }
        Action::Revoke { id } => {
            let key = id.clone();
            let gone = store
                .writer
                .write(move |connection| {
                    Box::pin(async move { tokens::token_delete(connection, &key).await })
                })
                .await
                .map_err(|e| e.to_string())?;
            if !gone {
                return Err(format!("there is no token {id}"));
            }
        }
    }
    Ok(())
}
