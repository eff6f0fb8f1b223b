//! `fuseboard backup`: documents to and from a running server.

mod documents;
mod give;
mod show;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use fuseboard::domain::{Name, backup::BackupId};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use self::{
    documents::{Sending, Source, sources},
    give::Output,
};
use super::{
    api::{self, Api, ApiArgs},
    complain, label, name, print, say,
    transfer::Meter,
};

/// Flags of `fuseboard backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print the server's JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Store documents, and print the id of the backup
    Create {
        /// FILE (its key is its name without .json) or KEY=FILE; KEY=- is standard input; - alone is an object with all documents
        #[arg(required = true, value_name = "FILE|KEY=FILE|-")]
        documents: Vec<String>,
        /// The type of the backup
        #[arg(long = "type", value_parser = name, default_value = "manual", value_name = "TYPE")]
        backup_type: Name,
        /// A label, NAME=VALUE; may be given several times
        #[arg(long = "label", value_parser = label, value_name = "NAME=VALUE")]
        labels: Vec<(String, String)>,
        /// Protect it from being deleted
        #[arg(long)]
        pin: bool,
    },
    /// List backups, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many at most, up to 1000
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u16,
    },
    /// Show what is known of a backup, and who took it back
    Show(Id),
    /// Write the documents of a backup, or one of them, byte for byte
    Get {
        #[command(flatten)]
        id: Id,
        /// Only the document of this key
        key: Option<String>,
        #[command(flatten)]
        output: Output,
        /// Write each document to a file of its own in this directory
        #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["key", "output"])]
        dir: Option<PathBuf>,
    },
    /// Read a whole backup and compare it with its hashes; exit 1 if it is damaged
    Verify(Id),
    /// Take a backup back: write its documents, and record who did so
    Restore {
        #[command(flatten)]
        id: Id,
        /// Why, for the record
        #[arg(long)]
        reason: Option<String>,
        /// Which process, for the record
        #[arg(long)]
        client: Option<String>,
        /// The present state, an object with all documents: it is stored first, as a backup of type `pre_restore`; - is
        /// standard input
        #[arg(long, value_name = "FILE")]
        current: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Delete backups
    Delete {
        /// Their ids
        #[arg(required = true, value_parser = id)]
        ids: Vec<String>,
    },
    /// Delete what no rule of retention keeps
    Prune {
        /// Only say what would be deleted, what stays, and why
        #[arg(long)]
        dry_run: bool,
        /// Only backups of this type
        #[arg(long = "type", value_parser = name, value_name = "TYPE")]
        backup_type: Option<Name>,
    },
    /// Print the JSON Patch that makes the documents of one backup those of another; exit 1 if they differ
    Diff {
        #[command(flatten)]
        id: Id,
        /// The other backup
        #[arg(value_parser = id, required_unless_present = "file")]
        against: Option<String>,
        /// Instead of another backup, a file with an object of documents
        #[arg(long, conflicts_with = "against")]
        file: Option<PathBuf>,
    },
    /// Protect a backup from being deleted
    Pin(Id),
    /// Protect a backup no longer
    Unpin(Id),
}

/// Which backup.
#[derive(Debug, Args)]
struct Id {
    /// Its id; `latest` or `latest:TYPE` for the newest one
    #[arg(value_parser = id)]
    id: String,
}

/// Which backups.
#[derive(Debug, Args)]
struct Filter {
    /// Only of this type
    #[arg(long = "type", value_parser = name, value_name = "TYPE")]
    backup_type: Option<Name>,
    /// Only with this label, NAME=VALUE; may be given several times
    #[arg(long = "label", value_parser = label, value_name = "NAME=VALUE")]
    labels: Vec<(String, String)>,
    /// Not before this time, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that were verified and are whole (true), or only the others (false)
    #[arg(long)]
    verified: Option<bool>,
}

impl Filter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let labels: Vec<_> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let labels = Some(labels.join(",")).filter(|labels| !labels.is_empty());
        let fields = [
            ("backup_type", self.backup_type.as_ref().map(ToString::to_string)),
            ("labels", labels),
            ("since", self.since.clone()),
            ("until", self.until.clone()),
            ("verified", self.verified.map(|verified| verified.to_string())),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// An id, or `latest` with or without a type.
fn id(text: &str) -> Result<String, String> {
    let is_latest = text == "latest" || text.strip_prefix("latest:").is_some_and(Name::is_valid);
    if !is_latest {
        BackupId::try_from(text).map_err(|error| format!("{error}; or it is latest or latest:TYPE"))?;
    }
    Ok(text.to_owned())
}

/// Does it.
pub fn run(args: &BackupArgs) -> ExitCode {
    api::run(&args.api, async |api| act(&api, args.json, &args.action).await)
}

async fn act(api: &Api, as_json: bool, action: &Action) -> Result<ExitCode, String> {
    match action {
        Action::Create { documents, backup_type, labels, pin } => {
            create(api, as_json, documents, backup_type, labels, *pin).await?;
        }
        Action::List { filter, limit } => {
            let mut query = filter.query();
            query.push(("limit", limit.to_string()));
            let page = api.ask(Method::GET, "/v1/backups", &query, None).await?;
            print(as_json, &page["items"], show::list);
        }
        Action::Show(id) => {
            let mut view = find(api, &id.id).await?;
            let path = format!("{}/restores", at(&view)?);
            view["restores"] = api.ask(Method::GET, &path, &[], None).await?["items"].take();
            print(as_json, &view, show::one);
        }
        Action::Get { id, key, output, dir } => {
            let view = find(api, &id.id).await?;
            let id = id_of(&view)?;
            match dir {
                Some(dir) => {
                    let count = give::get_each(api, id, &view["files"], dir).await?;
                    complain(&format!("{count} files in {}", dir.display()));
                }
                None => give::get(api, id, key.as_deref(), output, &view["sha256"]).await?,
            }
        }
        Action::Verify(id) => {
            let view = find(api, &id.id).await?;
            let verdict = api.ask(Method::POST, &format!("{}/verify", at(&view)?), &[], None).await?;
            print(as_json, &verdict, |verdict| show::verdict(&view, verdict));
            return Ok(if verdict["valid"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Action::Restore { id, reason, client, current, output } => {
            let view = find(api, &id.id).await?;
            let said = json!({ "reason": reason, "client": client });
            restore(api, &view, &said, current.as_deref(), output).await?;
        }
        Action::Delete { ids } => {
            for id in ids {
                let view = find(api, id).await?;
                api.send(Method::DELETE, &at(&view)?, &[], None).await?;
            }
        }
        Action::Prune { dry_run, backup_type } => {
            let body = json!({ "dry_run": dry_run, "backup_type": backup_type });
            let pruned = api.ask(Method::POST, "/v1/backups/prune", &[], Some(&body)).await?;
            print(as_json, &pruned, show::pruned);
        }
        Action::Diff { id, against, file } => {
            return diff(api, &id.id, against.as_deref(), file.as_deref()).await;
        }
        Action::Pin(id) | Action::Unpin(id) => {
            let is_pin = matches!(action, Action::Pin(_));
            let method = if is_pin { Method::PUT } else { Method::DELETE };
            let path = format!("{}/pin", at(&find(api, &id.id).await?)?);
            let view = api.ask(method, &path, &[], None).await?;
            print(as_json, &json!([view]), show::list);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create(
    api: &Api,
    as_json: bool,
    documents: &[String],
    backup_type: &Name,
    labels: &[(String, String)],
    pinned: bool,
) -> Result<(), String> {
    let labels: BTreeMap<_, _> = labels.iter().cloned().collect();
    let head = json!({ "backup_type": backup_type, "labels": labels, "pinned": pinned });
    let sending = Sending::begin(open(&head.to_string()), "data", sources(documents)?);
    let mut response = send(api, "/v1/backups", sending).await?;
    let (meter, mut text) = (Meter::new(None), Vec::new());
    while let Some(piece) = api.piece(&mut response, &meter).await? {
        text.extend_from_slice(&piece);
    }
    let text = String::from_utf8_lossy(&text);
    let view: Value = serde_json::from_str(&text).map_err(|error| format!("the answer: {error}"))?;
    say(if as_json { &text } else { id_of(&view)? });
    Ok(())
}

async fn restore(
    api: &Api,
    view: &Value,
    said: &Value,
    current: Option<&Path>,
    output: &Output,
) -> Result<(), String> {
    let path = format!("{}/restore", at(view)?);
    let response = if let Some(current) = current {
        let sending = Sending::begin(open(&said.to_string()), "current", vec![Source::whole(current)]);
        send(api, &path, sending).await?
    } else {
        let body = Some((said.to_string().into(), None));
        api.transfer(Method::POST, &path, body, &Meter::new(None)).await?
    };
    let record = give::restored(api, response, output, &view["sha256"]).await?;
    // The documents may be on standard output.
    let record = &record["restore"];
    let before = record["pre_restore_backup_id"].as_str();
    let before = before.map(|id| format!(", the state before is {id}")).unwrap_or_default();
    complain(&format!("restored {}, restore {}{before}", id_of(view)?, record["id"]));
    Ok(())
}

/// Sends documents. What is wrong with them says more than that the server did not get them.
async fn send(api: &Api, path: &str, sending: Sending) -> Result<Response, String> {
    let (fault, meter) = (sending.watch(), Arc::clone(&sending.meter));
    let sent = api.transfer(Method::POST, path, Some((sending.body, sending.length)), &meter).await;
    meter.clear();
    sent.map_err(|error| Sending::fault(&fault).unwrap_or(error))
}

async fn diff(api: &Api, from: &str, against: Option<&str>, file: Option<&Path>) -> Result<ExitCode, String> {
    let path = format!("{}/diff", at(&find(api, from).await?)?);
    let patch = if let Some(file) = file {
        let body = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        match api.exchange(Method::POST, &path, &[], Some(body)).await? {
            (status, text) if status.is_success() => text,
            (status, text) => return Err(api.refusal(&path, status, &text)),
        }
    } else {
        let other = find(api, against.unwrap_or_default()).await?;
        api.send(Method::GET, &path, &[("against", id_of(&other)?.to_owned())], None).await?
    };
    say(&patch);
    Ok(if patch.trim() == "[]" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is known of a backup.
async fn find(api: &Api, id: &str) -> Result<Value, String> {
    let query: Vec<_> =
        id.strip_prefix("latest:").map(|name| ("backup_type", name.to_owned())).into_iter().collect();
    let id = if id.starts_with("latest") && BackupId::try_from(id).is_err() { "latest" } else { id };
    api.ask(Method::GET, &format!("/v1/backups/{id}"), &query, None).await
}

fn id_of(view: &Value) -> Result<&str, String> {
    let id = view["backup_id"].as_str().filter(|id| BackupId::try_from(*id).is_ok());
    id.ok_or_else(|| "the answer has no id of a backup".to_owned())
}

fn at(view: &Value) -> Result<String, String> {
    Ok(format!("/v1/backups/{}", id_of(view)?))
}

/// An object without its last brace.
fn open(object: &str) -> &str {
    object.strip_suffix('}').unwrap_or(object)
}
