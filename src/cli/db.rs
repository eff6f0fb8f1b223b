//! `fuseboard db`: the database file itself, beside a running server or without one.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use fuseboard::{
    clock::Clock,
    store::{
        StoreError,
        copy::{Examined, copy, examine, forget_stop},
        replace::replace,
    },
};
use indicatif::HumanBytes;

use super::{api::EXIT_NOT_ASKED, complain, draft::Draft, say};

/// Flags of `fuseboard db`.
#[derive(Debug, Args)]
pub struct DbArgs {
    /// Database file
    #[arg(long, env = "FUSEBOARD_DB", default_value = "fuseboard.db", global = true)]
    db: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Copy the whole database as it is at this instant, also while a server uses it
    Backup {
        /// The copy; it holds everything, so only you may read it
        path: PathBuf,
        /// Replace a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Put a copy in the place of the database, which is kept under another name; the server must be stopped
    Restore {
        /// The copy
        path: PathBuf,
    },
    /// Look whether the database is whole; exit 1 if it is not, 2 if it can't be read
    Check,
}

/// Does it.
pub fn run(args: &DbArgs) -> ExitCode {
    let done = super::runtime(1).and_then(|runtime| {
        runtime.block_on(async {
            match &args.action {
                Action::Backup { path, force } => backup(&args.db, path, *force).await,
                Action::Restore { path } => restore(&args.db, path).await,
                Action::Check => check(&args.db).await,
            }
        })
    });
    done.unwrap_or_else(|message| {
        complain(&message);
        ExitCode::from(EXIT_NOT_ASKED)
    })
}

async fn backup(db: &Path, path: &Path, force: bool) -> Result<ExitCode, String> {
    let clock = Clock::system();
    let begun = clock.now();
    if is_same(db, path) {
        return Err(format!("{} is the database itself", path.display()));
    }
    if !force && fs::symlink_metadata(path).is_ok() {
        return Err(format!("{} is there already; --force replaces it", path.display()));
    }
    let (draft, name) = draft(path)?;
    copy(db, &name).await.map_err(|error| told(db, &error))?;
    let examined = examine(&name).await.map_err(|error| format!("the copy of {}", told(db, &error)))?;
    if !examined.damage.is_empty() {
        tell(db, &examined, None);
        return Ok(ExitCode::FAILURE);
    }
    draft.keep()?;
    tell(path, &examined, Some(clock.now().since(begun)));
    if examined.elsewhere > 0 {
        let count = examined.elsewhere;
        say(&format!("{count} chunks of backups are in the object store, and not in this copy"));
    }
    // What does not fit together was so before; the copy is still worth having.
    Ok(status(&examined))
}

async fn restore(db: &Path, path: &Path) -> Result<ExitCode, String> {
    let clock = Clock::system();
    let begun = clock.now();
    if is_same(db, path) {
        return Err(format!("{} is the database itself", path.display()));
    }
    let examined = examine(path).await.map_err(|error| told(path, &error))?;
    if !examined.damage.is_empty() {
        tell(path, &examined, None);
        return Ok(ExitCode::FAILURE);
    }
    // What the database is reached by may be a link.
    let db = fs::canonicalize(db).unwrap_or_else(|_| db.to_owned());
    let (draft, name) = draft(&db)?;
    copy(path, &name).await.map_err(|error| told(path, &error))?;
    forget_stop(&name).await.map_err(|error| told(&name, &error))?;
    like(&name, &db).and_then(|()| draft.sync()).map_err(|error| told(&name, &error.into()))?;
    let stamp = clock.wall().strftime("%Y%m%dT%H%M%SZ").to_string();
    let aside = replace(&db, &name, &stamp).await.map_err(|error| match error {
        StoreError::Locked => format!("{} is in use; stop the server first", db.display()),
        error => told(&db, &error),
    })?;
    draft.gone();
    tell(&db, &examined, Some(clock.now().since(begun)));
    if let Some(aside) = aside {
        say(&format!("what was there before is {}", aside.display()));
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(db: &Path) -> Result<ExitCode, String> {
    match examine(db).await {
        Ok(examined) => {
            tell(db, &examined, None);
            Ok(status(&examined))
        }
        // So damaged that nothing could be looked at.
        Err(error @ StoreError::Corrupt(_)) => {
            complain(&told(db, &error));
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(told(db, &error)),
    }
}

fn status(examined: &Examined) -> ExitCode {
    let is_whole = examined.damage.is_empty() && examined.faults.is_empty();
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(path: &Path, examined: &Examined, took: Option<Duration>) {
    for line in &examined.damage {
        complain(&format!("{}: {line}", path.display()));
    }
    for fault in &examined.faults {
        complain(&format!("{}: {fault}", path.display()));
    }
    let size = fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    let state = match (&examined.damage[..], &examined.faults[..]) {
        ([], []) => "whole",
        ([], _) => "readable, but not whole",
        _ => "damaged",
    };
    let took = took.map(|took| format!(", {:.2} s", took.as_secs_f64())).unwrap_or_default();
    say(&format!("{}: {}, schema {}, {state}{took}", path.display(), HumanBytes(size), examined.schema));
}

fn told(path: &Path, error: &StoreError) -> String {
    format!("{}: {error}", path.display())
}

/// A file to come under that name, and the name that it has meanwhile.
fn draft(path: &Path) -> Result<(Draft, PathBuf), String> {
    let draft = Draft::new(path)?;
    let name = draft.name().map(Path::to_owned).ok_or_else(|| format!("{} is not a file", path.display()))?;
    Ok((draft, name))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    file(one).is_some_and(|one| file(other) == Some(one))
}

/// Whoever could use the database that is there can use the new one.
fn like(new: &Path, present: &Path) -> io::Result<()> {
    let Ok(present) = fs::metadata(present) else { return Ok(()) };
    let own = fs::metadata(new)?;
    if (own.uid(), own.gid()) != (present.uid(), present.gid()) {
        chown(new, Some(present.uid()), Some(present.gid()))?;
    }
    fs::set_permissions(new, present.permissions())
}
