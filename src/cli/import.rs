//! `fuseboard import`: declares what a document of `fuseboard export` has.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use fuseboard::app::board::{FORMAT, SECTIONS, Section};
use futures_util::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::{json, value::RawValue};

use super::{
    api::{self, Api, ApiArgs},
    say,
    table::{Cell, Paint, is_colourful, table},
};

/// Requests at once. They share transactions of the server.
const AT_ONCE: usize = 16;

/// Flags of `fuseboard import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// The document; `-` reads it from standard input
    file: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Delete what the document does not have, of the kinds that it has
    #[arg(long)]
    prune: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The resources of a kind by name, each as its text.
type Resources = BTreeMap<String, Box<RawValue>>;

/// What was done with a resource, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Created,
    Changed,
    Unchanged,
    Deleted,
    Refused,
}

impl Deed {
    const ALL: [Self; 5] = [Self::Created, Self::Changed, Self::Unchanged, Self::Deleted, Self::Refused];

    const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug)]
struct Row {
    kind: String,
    name: String,
    deed: Deed,
    /// Why it was refused.
    reason: String,
}

/// Does it.
pub fn run(args: &ImportArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        let mut wanted = read(&args.file)?;
        let text = api.send(Method::GET, "/v1/board", &[], None).await?;
        let mut present = parse(&text)?;
        let mut rows = Vec::new();
        let mut kinds = Vec::new();
        for section in SECTIONS {
            let Some(resources) = wanted.remove(section.field) else { continue };
            kinds.push((section, resources, present.remove(section.field).unwrap_or_default()));
        }
        for (field, resources) in wanted {
            let reason = "this command knows no such kind".to_owned();
            let refused =
                |name| Row { kind: field.clone(), name, deed: Deed::Refused, reason: reason.clone() };
            rows.extend(resources.into_keys().map(refused));
        }
        let done = import(&api, args, &kinds, &mut rows).await;
        print(args, &rows);
        done?;
        let is_refused = rows.iter().any(|row| row.deed == Deed::Refused);
        Ok(if is_refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

/// Declares what is wanted, then deletes in the opposite order. What was done before an error is in `rows`.
async fn import(
    api: &Api,
    args: &ImportArgs,
    kinds: &[(Section, Resources, Resources)],
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    for (section, wanted, present) in kinds {
        let work = wanted.iter().map(|(name, document)| {
            let before = present.get(name).map(|before| before.get());
            declare(api, args.dry_run, section, name, document.get(), before)
        });
        collect(work, rows).await?;
    }
    if !args.prune {
        return Ok(());
    }
    for (section, wanted, present) in kinds.iter().rev() {
        let surplus = present.keys().filter(|name| !wanted.contains_key(*name));
        collect(surplus.map(|name| delete(api, args.dry_run, section, name)), rows).await?;
    }
    Ok(())
}

async fn collect(
    work: impl Iterator<Item = impl Future<Output = Result<Row, String>>>,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    let mut done = stream::iter(work).buffered(AT_ONCE);
    while let Some(row) = done.next().await {
        rows.push(row?);
    }
    Ok(())
}

async fn declare(
    api: &Api,
    dry_run: bool,
    section: &Section,
    name: &str,
    document: &str,
    before: Option<&str>,
) -> Result<Row, String> {
    let row =
        |deed, reason: String| Ok(Row { kind: section.kind.to_owned(), name: name.to_owned(), deed, reason });
    if let Err(error) = super::name(name) {
        return row(Deed::Refused, error);
    }
    let normal = (section.normal)(document);
    if before.is_some() && normal.as_deref().ok() == before {
        return row(Deed::Unchanged, String::new());
    }
    let deed = if before.is_some() { Deed::Changed } else { Deed::Created };
    if dry_run {
        return normal
            .map_or_else(|error| row(Deed::Refused, error.to_string()), |_| row(deed, String::new()));
    }
    let path = format!("{}/{name}", section.path);
    match api.exchange(Method::PUT, &path, &[], Some(document.to_owned())).await? {
        (status, _) if status.is_success() => row(deed, String::new()),
        (status, text) => row(Deed::Refused, api.refusal(&path, status, &text)),
    }
}

async fn delete(api: &Api, dry_run: bool, section: &Section, name: &str) -> Result<Row, String> {
    let row = |deed, reason| Ok(Row { kind: section.kind.to_owned(), name: name.to_owned(), deed, reason });
    if dry_run {
        return row(Deed::Deleted, String::new());
    }
    let path = format!("{}/{name}", section.path);
    match api.exchange(Method::DELETE, &path, &[], None).await? {
        // Somebody else did it.
        (StatusCode::NOT_FOUND, _) => row(Deed::Deleted, String::new()),
        (status, _) if status.is_success() => row(Deed::Deleted, String::new()),
        (status, text) => row(Deed::Refused, api.refusal(&path, status, &text)),
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, Resources>, String> {
    let unreadable = |error| format!("cannot read {}: {error}", path.display());
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(unreadable)?;
        text
    } else {
        std::fs::read_to_string(path).map_err(unreadable)?
    };
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The resources of a document by its fields.
fn parse(text: &str) -> Result<BTreeMap<String, Resources>, String> {
    let no_document = |error| format!("this is no document of a board: {error}");
    let mut fields: Resources = serde_json::from_str(text).map_err(no_document)?;
    let format = fields.remove("format").map(|format| format.get().to_owned());
    if format.as_deref() != Some(&format!("\"{FORMAT}\"")) {
        let is = format.as_deref().unwrap_or("missing");
        return Err(format!("this is no document of a board: `format` must be \"{FORMAT}\" and is {is}"));
    }
    let resources = |(field, value): (String, Box<RawValue>)| {
        serde_json::from_str(value.get())
            .map(|resources| (field.clone(), resources))
            .map_err(|error| format!("`{field}` must be an object of resources by name: {error}"))
    };
    fields.into_iter().map(resources).collect()
}

/// What was done, without what stayed as it was.
fn print(args: &ImportArgs, rows: &[Row]) {
    let count = |deed| rows.iter().filter(|row| row.deed == deed).count();
    if args.json {
        let item = |row: &Row| {
            let reason = Some(&row.reason).filter(|reason| !reason.is_empty());
            json!({ "kind": row.kind, "name": row.name, "action": row.deed.word(), "reason": reason })
        };
        let mut told = json!({ "dry_run": args.dry_run, "items": rows.iter().map(item).collect::<Vec<_>>() });
        for deed in Deed::ALL {
            told[deed.word()] = json!(count(deed));
        }
        return say(&told.to_string());
    }
    let moved = rows.iter().filter(|row| row.deed != Deed::Unchanged).map(|row| {
        let deed = Cell::new(row.deed.word());
        let deed = match row.deed {
            Deed::Created | Deed::Unchanged => deed,
            Deed::Changed | Deed::Deleted => deed.painted(Paint::Warn),
            Deed::Refused => deed.painted(Paint::Bad),
        };
        vec![Cell::new(&row.kind), Cell::new(&row.name), deed, Cell::new(&row.reason)]
    });
    let moved: Vec<_> = moved.collect();
    if !moved.is_empty() {
        say(&table(&["KIND", "NAME", "ACTION", "REASON"], &moved, is_colourful()));
    }
    let counts = Deed::ALL.map(|deed| format!("{} {}", count(deed), deed.word()));
    let note = if args.dry_run { " (--dry-run: nothing was done)" } else { "" };
    say(&format!("{}{note}", counts.join(", ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_of_boards_are_read() {
        let document = parse(r#"{"format":"fuseboard/1","breakers":{"a":{"x":1.10}}}"#).unwrap();
        assert_eq!(document["breakers"]["a"].get(), r#"{"x":1.10}"#);
        for (text, wanted) in [
            ("", "no document"),
            ("[]", "no document"),
            ("{}", "`format` must be"),
            (r#"{"format":"fuseboard/2"}"#, "is \"fuseboard/2\""),
            (r#"{"format":"fuseboard/1","breakers":[]}"#, "`breakers` must be"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
