//! `fuseboard man`: the manual, made of what `--help` says.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::{Man, generate_to};

/// Flags of `fuseboard man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for each command into this directory, which is made if there is none
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Does it.
pub fn run(args: &ManArgs, command: Command) -> Result<(), String> {
    if let Some(dir) = &args.dir {
        let unwritable = |error| format!("cannot write into {}: {error}", dir.display());
        std::fs::create_dir_all(dir).map_err(unwritable)?;
        return generate_to(command, dir).map_err(unwritable);
    }
    let mut page = Vec::new();
    Man::new(command.disable_help_subcommand(true)).render(&mut page).map_err(|error| error.to_string())?;
    super::say(String::from_utf8_lossy(&page).trim_end());
    Ok(())
}
