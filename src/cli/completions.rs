//! `fuseboard completions`: what makes a shell complete the command's words.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

/// Flags of `fuseboard completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Does it.
pub fn run(args: &CompletionsArgs, command: &mut Command) -> Result<(), String> {
    let mut script = Vec::new();
    generate(args.shell, command, "fuseboard", &mut script);
    let script = String::from_utf8(script).map_err(|error| error.to_string())?;
    super::say(script.trim_end());
    Ok(())
}
