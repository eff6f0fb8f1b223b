//! `fuseboard export`: the board's document.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use reqwest::Method;

use super::{
    api::{self, ApiArgs},
    draft::Draft,
};

/// Flags of `fuseboard export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Where to write it; it holds secrets, so only you may read it [default: standard output]
    file: Option<PathBuf>,
}

/// Does it.
pub fn run(args: &ExportArgs) -> ExitCode {
    api::run(&args.api, async |api| {
        let document = api.send(Method::GET, "/v1/board", &[], None).await?;
        match args.file.as_deref().filter(|path| path.as_os_str() != "-") {
            Some(path) => {
                let mut draft = Draft::new(path)?;
                draft
                    .write_all(document.as_bytes())
                    .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                draft.keep()?;
            }
            None => super::say(&document),
        }
        Ok(ExitCode::SUCCESS)
    })
}
