//! What comes back: to standard output, into a file, or each document into a file of its own.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use fuseboard::{
    app::text::hex,
    domain::scan::{ScanLimits, Scanner},
};
use reqwest::{Method, Response, Url};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cli::{api::Api, draft::Draft, transfer::Meter};

/// What is read beside the documents of a restore.
const LIMITS: ScanLimits = ScanLimits { depth: 128, envelope: 64 << 10, documents: 1 << 20, key: 1 << 10 };

/// Where documents go.
#[derive(Debug, Args)]
pub struct Output {
    /// Write to this file; `-` is standard output [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

enum Sink {
    Out(io::Stdout),
    File(PathBuf, Draft),
}

impl Sink {
    fn new(path: Option<&Path>) -> Result<Self, String> {
        match path.filter(|path| path.as_os_str() != "-") {
            Some(path) => Ok(Self::File(path.to_owned(), Draft::new(path)?)),
            None => Ok(Self::Out(io::stdout())),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Out(out) => out.write_all(bytes).map_err(|error| format!("standard output: {error}")),
            Self::File(path, draft) => {
                draft.write_all(bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
            }
        }
    }

    /// Once it returns, a file has its name.
    fn keep(self) -> Result<(), String> {
        match self {
            Self::Out(mut out) => out.flush().map_err(|error| format!("standard output: {error}")),
            Self::File(_, draft) => draft.keep(),
        }
    }
}

/// The documents of a backup, or one of them, byte for byte. `sha256` is what all of them together must have.
pub async fn get(
    api: &Api,
    id: &str,
    key: Option<&str>,
    output: &Output,
    sha256: &Value,
) -> Result<(), String> {
    let path = match key {
        Some(key) => format!("/v1/backups/{id}/data{}", segment(key)),
        None => format!("/v1/backups/{id}/data"),
    };
    let mut sink = Sink::new(output.output.as_deref())?;
    let mut hash = Sha256::new();
    let response = api.transfer(Method::GET, &path, None, &Meter::new(None)).await?;
    each(api, response, |piece| {
        hash.update(piece);
        sink.write(piece)
    })
    .await?;
    if key.is_none() {
        compare(hash, sha256)?;
    }
    sink.keep()
}

/// Each document of a backup into a file of its own.
pub async fn get_each(api: &Api, id: &str, files: &Value, folder: &Path) -> Result<usize, String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let files: Vec<_> = files.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // The server promises as much; what it says must not lead anywhere else all the same.
    let is_elsewhere = |name: &&&str| name.starts_with('.') || name.contains(['/', '\\', '\0']);
    if let Some(name) = files.iter().find(is_elsewhere) {
        return Err(format!("{name:?} is no name of a file"));
    }
    for name in &files {
        let output = Output { output: Some(folder.join(name)) };
        let key = name.strip_suffix(".json").unwrap_or(name);
        get(api, id, Some(key), &output, &Value::Null).await?;
    }
    Ok(files.len())
}

/// The documents that an answer has as `data`, byte for byte; the rest of the answer.
pub async fn restored(
    api: &Api,
    response: Response,
    output: &Output,
    sha256: &Value,
) -> Result<Value, String> {
    let mut sink = Sink::new(output.output.as_deref())?;
    let (mut hash, mut scanner) = (Sha256::new(), Scanner::new("data", LIMITS));
    each(api, response, |piece| {
        let mut written = Ok(());
        let fed = scanner.feed(piece, &mut |bytes| {
            hash.update(bytes);
            written = std::mem::replace(&mut written, Ok(())).and_then(|()| sink.write(bytes));
        });
        fed.map_err(|error| format!("the answer: {error}"))?;
        written
    })
    .await?;
    let scanned = scanner.finish().map_err(|error| format!("the answer: {error}"))?;
    compare(hash, sha256)?;
    sink.keep()?;
    serde_json::from_slice(&scanned.envelope).map_err(|error| format!("the answer: {error}"))
}

async fn each(
    api: &Api,
    mut response: Response,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let meter = Meter::new(response.content_length());
    let done = async {
        while let Some(piece) = api.piece(&mut response, &meter).await? {
            take(&piece)?;
        }
        Ok(())
    };
    let done = done.await;
    meter.clear();
    done
}

fn compare(hash: Sha256, wanted: &Value) -> Result<(), String> {
    if Some(hex(&hash.finalize()).as_str()) == wanted.as_str() {
        return Ok(());
    }
    Err("what came is not what was stored: its SHA-256 is another one".to_owned())
}

/// A key as the last part of a path.
fn segment(key: &str) -> String {
    let Ok(mut url) = Url::parse("http://x/") else { return String::new() };
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(key);
    }
    url.path().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_one_part_of_a_path() {
        for (key, wanted) in [
            ("a", "/a"),
            ("a b+c", "/a%20b+c"),
            ("ü?#", "/%C3%BC%3F%23"),
            ("100%", "/100%25"),
            ("a/b", "/a%2Fb"),
        ] {
            assert_eq!(segment(key), wanted);
        }
    }
}
