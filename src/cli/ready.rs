//! `fuseboard ready`: for container health checks and scripts.

use clap::Args;

/// Flags of `fuseboard ready`.
#[derive(Debug, Args)]
pub struct ReadyArgs {
    /// Base address of the server
    #[arg(long, env = "FUSEBOARD_URL", default_value = "http://127.0.0.1:7077")]
    url: String,
}

/// Asks `/readyz`.
pub fn run(args: &ReadyArgs) -> Result<(), String> {
    super::runtime(1)?.block_on(async {
        let url = format!("{}/readyz?verbose", args.url.trim_end_matches('/'));
        let client = super::api::client(&url, std::time::Duration::from_secs(3))?;
        let answer = client.get(&url).send().await.map_err(|e| format!("{url}: {e}"))?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        super::say(text.trim_end());
        if status.is_success() { Ok(()) } else { Err(format!("not ready: {status}")) }
    })
}
