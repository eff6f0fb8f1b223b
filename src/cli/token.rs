//! `fuseboard token`: works on the database file, of which a running server notices within two seconds; with `--url` it asks a
//! server.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use fuseboard::{
    app::tokens::{Scope, token_make},
    clock::Clock,
    domain::{Name, Seconds},
    store::{Store, StoreOptions, sqlite::tokens},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    api::{Api, ApiArgs},
    table::{Cell, is_colourful, table},
};

/// Flags of `fuseboard token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Database file
    #[arg(long, env = "FUSEBOARD_DB", default_value = "fuseboard.db", global = true)]
    db: PathBuf,
    /// Ask the running server at this address instead; needs a token of the scope admin
    #[arg(long, global = true)]
    url: Option<String>,
    /// Bearer token for that; better in the environment than here
    #[arg(long, global = true, env = "FUSEBOARD_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
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
    /// Show whose token this is and what it allows; only with --url
    #[command(name = "self")]
    Own,
}

/// Does it.
pub fn run(args: &TokenArgs) -> Result<(), String> {
    if let Some(url) = &args.url {
        let to = ApiArgs { url: url.clone(), token: args.token.clone(), timeout: 30 };
        let api = Api::new(&to)?;
        return super::runtime(1)?.block_on(ask(&api, args));
    }
    super::runtime(1)?.block_on(async {
        let options = StoreOptions { path: args.db.clone(), busy_timeout: Duration::from_secs(5), queue: 16 };
        let clock = Clock::system();
        let (store, task) = Store::open(&options, clock.clone())
            .await
            .map_err(|e| format!("cannot open {}: {e}", args.db.display()))?;
        let task = tokio::spawn(task.run());
        let result = act(args, &store, &clock).await;
        store.readers.close().await;
        drop(store);
        drop(task.await);
        result
    })
}

/// The same by a server.
async fn ask(api: &Api, args: &TokenArgs) -> Result<(), String> {
    match &args.action {
        Action::Create { name, scope, expires_in } => {
            let body = json!({ "name": name, "scope": scope, "expires_in_seconds": expires_in });
            let made = api.ask(Method::POST, "/v1/tokens", &[], Some(&body)).await?;
            super::print(args.json, &made, |made| super::say(&Cell::of(&made["token"]).into_text()));
        }
        Action::List => {
            let list = api.list("/v1/tokens", &[]).await?;
            super::print(args.json, &Value::from(list), print_tokens);
        }
        Action::Revoke { id } => {
            let id = super::name(id)?;
            api.send(Method::DELETE, &format!("/v1/tokens/{id}"), &[], None).await?;
        }
        Action::Own => {
            let me = api.ask(Method::GET, "/v1/tokens/self", &[], None).await?;
            super::print(args.json, &me, |me| {
                let name = if me["name"].is_null() {
                    Cell::new("nobody: no token is needed")
                } else {
                    Cell::of(&me["name"])
                };
                super::say(&table(&["NAME", "SCOPE"], &[vec![name, Cell::of(&me["scope"])]], is_colourful()));
            });
        }
    }
    Ok(())
}

fn print_tokens(tokens: &Value) {
    let row = |token: &Value| {
        let end =
            if token["expires_at"].is_null() { Cell::new("never") } else { Cell::of(&token["expires_at"]) };
        vec![
            Cell::of(&token["id"]),
            Cell::of(&token["scope"]),
            Cell::of(&token["name"]),
            Cell::of(&token["created_at"]),
            end,
        ]
    };
    let rows: Vec<_> = super::items(tokens).map(row).collect();
    super::say(&table(&["ID", "SCOPE", "NAME", "MADE", "ENDS"], &rows, is_colourful()));
}

async fn act(args: &TokenArgs, store: &Store, clock: &Clock) -> Result<(), String> {
    match &args.action {
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
            let id = row.id.clone();
            store
                .writer
                .write(move |connection| Box::pin(async move { tokens::token_add(connection, &row).await }))
                .await
                .map_err(|e| e.to_string())?;
            let made = json!({ "id": id, "token": secret.expose() });
            super::print(args.json, &made, |_| super::say(secret.expose()));
        }
        Action::List => {
            let rows = tokens::tokens_list(&store.readers).await.map_err(|e| e.to_string())?;
            let list = rows.iter().map(|row| {
                json!({ "id": row.id, "name": row.name, "scope": row.scopes, "created_at": row.created_at,
                    "expires_at": row.expires_at })
            });
            super::print(args.json, &list.collect(), print_tokens);
        }
        Action::Own => {
            return Err("whose token this is only a server knows: say which, with --url".to_owned());
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
