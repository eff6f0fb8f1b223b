//! Declaring and deleting what has a name: the same for every kind of resource.

use std::{io::Read, process::ExitCode};

use clap::{Args, Subcommand};
use fuseboard::domain::Name;
use reqwest::Method;
use serde_json::{Map, Value};

use super::{
    api::{self, Api, ApiArgs},
    document, name, print, say,
};

/// What is done to a definition.
#[derive(Debug, Subcommand)]
pub enum Definition {
    /// Declare it, or replace how it is declared: fields that are left out have their defaults
    Put {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
        /// Fields, such as `interval_seconds=30`; those of an object with a dot, `window.size=50`. Or the whole document: JSON,
        /// the name of a file, or - for standard input
        #[arg(value_name = "FIELD=VALUE|JSON|FILE|-")]
        document: Vec<String>,
    },
    /// Delete it
    Delete {
        /// Names
        #[arg(required = true, value_parser = name, value_name = "NAME")]
        names: Vec<Name>,
    },
}

impl Definition {
    /// Does it to the resources below `path`; what was declared, as it is now.
    pub async fn apply(&self, api: &Api, path: &str) -> Result<Option<Value>, String> {
        match self {
            Self::Put { name, document } => {
                let path = format!("{path}/{name}");
                let (status, text) = api.exchange(Method::PUT, &path, &[], Some(written(document)?)).await?;
                if !status.is_success() {
                    return Err(api.refusal(&path, status, &text));
                }
                serde_json::from_str(&text).map(Some).map_err(|error| format!("{path}: {error}"))
            }
            Self::Delete { names } => {
                for name in names {
                    api.send(Method::DELETE, &format!("{path}/{name}"), &[], None).await?;
                }
                Ok(None)
            }
        }
    }
}

/// Flags of a command for resources of a kind that has no more to it than its configuration.
#[derive(Debug, Args)]
pub struct ResourceArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Print the server's JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Resource,
}

impl ResourceArgs {
    /// Does it to the resources below `path`; `rendered` makes a table of them.
    pub fn run(&self, path: &str, rendered: impl Fn(&[Value]) -> String) -> ExitCode {
        api::run(&self.api, async |api| {
            self.action.run(&api, path, self.json, rendered).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// What is done to such resources.
#[derive(Debug, Subcommand)]
pub enum Resource {
    /// List them
    List,
    /// Show one with its configuration
    Show {
        /// Its name
        #[arg(value_parser = name)]
        name: Name,
    },
    #[command(flatten)]
    Definition(Definition),
}

impl Resource {
    /// Does it to the resources below `path`; `rendered` makes a table of them.
    pub async fn run(
        &self,
        api: &Api,
        path: &str,
        as_json: bool,
        rendered: impl Fn(&[Value]) -> String,
    ) -> Result<(), String> {
        let view = match self {
            Self::List => {
                let all = api.list(path, &[]).await?;
                say(&if as_json { Value::from(all).to_string() } else { rendered(&all) });
                return Ok(());
            }
            Self::Show { name } => Some(api.ask(Method::GET, &format!("{path}/{name}"), &[], None).await?),
            Self::Definition(definition) => definition.apply(api, path).await?,
        };
        let Some(view) = view else { return Ok(()) };
        print(as_json, &view, |view| {
            say(&rendered(std::slice::from_ref(view)));
            if matches!(self, Self::Show { .. }) {
                say("");
                document(&view["config"]);
            }
        });
        Ok(())
    }
}

/// The document that the words are or name.
fn written(words: &[String]) -> Result<String, String> {
    match words {
        [one] if one.trim_start().starts_with('{') => Ok(one.clone()),
        [one] if one == "-" => {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).map_err(|e| format!("standard input: {e}"))?;
            Ok(text)
        }
        [one] if field(one).is_none() => {
            std::fs::read_to_string(one).map_err(|error| format!("{one}: {error}"))
        }
        fields => {
            let mut document = Map::new();
            for word in fields {
                let (path, value) = field(word).ok_or_else(|| format!("{word:?} is no FIELD=VALUE"))?;
                put(&mut document, path, value).map_err(|()| format!("{path} is there twice"))?;
            }
            Ok(Value::from(document).to_string())
        }
    }
}

/// A field with its value. What is no JSON is text.
fn field(word: &str) -> Option<(&str, Value)> {
    let (path, value) = word.split_once('=')?;
    let is_path = path.split('.').all(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    });
    is_path.then(|| (path, serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

fn put(document: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), ()> {
    match path.split_once('.') {
        None => match document.insert(path.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(()),
        },
        Some((name, rest)) => {
            let inner = document.entry(name).or_insert_with(|| Map::new().into());
            put(inner.as_object_mut().ok_or(())?, rest, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(words: &[&str]) -> Result<Value, String> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        written(&words).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn fields_make_a_document() {
        assert_eq!(made(&[]), Ok(json!({})));
        assert_eq!(
            made(&[
                "kind=http",
                "url=https://a.b/?c=d",
                "interval_seconds=30",
                "critical=false",
                "labels.team=7x",
                "headers.X-Key=\"9\"",
                "breakers=[\"a\"]"
            ]),
            Ok(json!({ "kind": "http", "url": "https://a.b/?c=d", "interval_seconds": 30, "critical": false,
                "labels": { "team": "7x" }, "headers": { "X-Key": "9" }, "breakers": ["a"] }))
        );
        assert_eq!(made(&[" {\"a\": 1}"]), Ok(json!({ "a": 1 })));
        for wrong in
            [&["a=1", "a=2"][..], &["a=1", "a.b=2"], &["a=1", "b"], &["/nowhere/a.json"], &["../a=b"]]
        {
            assert!(made(wrong).is_err(), "{wrong:?}");
        }
    }
}
