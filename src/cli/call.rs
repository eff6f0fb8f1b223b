//! `fuseboard call`: guards a call of a script, and reports how it went.

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use clap::{Args, Subcommand};
use fuseboard::{clock::Clock, domain::Name};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    answer::answered,
    api::{self, Api, ApiArgs, EXIT_NOT_ASKED},
    complain, finite, name,
    table::Cell,
};

/// Flags of `fuseboard call`.
#[derive(Debug, Args)]
pub struct CallArgs {
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
    /// Ask whether to make a call; exit 1 if it is refused
    Begin(Guard),
    /// Report how a call went; exit 1 if that does not count any more
    Outcome {
        /// The `call_id` that `begin` gave
        #[arg(value_parser = name)]
        call_id: Name,
        /// How it went
        #[arg(value_parser = ["success", "failure", "ignored"])]
        outcome: String,
        /// How long it took
        #[arg(long, value_name = "SECONDS", value_parser = finite)]
        duration: Option<f64>,
        /// What went wrong, for the history
        #[arg(long)]
        error: Option<String>,
    },
    /// Run a command if that is allowed, after the wait that is asked for, and report how it went; exit with its status, or 75 if it
    /// is refused
    Run {
        #[command(flatten)]
        guard: Guard,
        /// The command with its arguments
        #[arg(required = true, last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
}

/// Which call it is.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
struct Guard {
    /// The breaker to enter
    #[arg(long, value_parser = name, value_name = "NAME", group = "what")]
    breaker: Option<Name>,
    /// A limiter to take tokens from; may be given several times
    #[arg(long = "limiter", value_parser = tokens, value_name = "NAME[=TOKENS]", group = "what")]
    limiters: Vec<(Name, f64)>,
    /// Seconds that the call may wait for tokens
    #[arg(long, value_name = "SECONDS", value_parser = finite)]
    wait: Option<f64>,
    /// Who calls: failures are counted for each client by itself
    #[arg(long)]
    client: Option<String>,
}

/// The exit status of what may succeed later (`EX_TEMPFAIL` of sysexits.h).
const EXIT_LATER: u8 = 75;

/// A limiter with tokens.
fn tokens(text: &str) -> Result<(Name, f64), String> {
    match text.split_once('=') {
        Some((limiter, tokens)) => Ok((name(limiter)?, finite(tokens)?)),
        None => Ok((name(text)?, 1.0)),
    }
}

impl Guard {
    async fn begin(&self, api: &Api) -> Result<Value, String> {
        let limiters = self.limiters.iter().map(|(name, tokens)| json!({ "name": name, "tokens": tokens }));
        let body = json!({
            "breaker": self.breaker, "limiters": limiters.collect::<Vec<_>>(),
            "max_wait_seconds": self.wait, "client": self.client,
        });
        api.ask(Method::POST, "/v1/calls", &[], Some(&body)).await
    }
}

/// Does it.
pub fn run(args: &CallArgs) -> ExitCode {
    api::run(&args.api, async |api| match &args.action {
        Action::Begin(guard) => Ok(answered(args.json, &guard.begin(&api).await?, "allowed")),
        Action::Outcome { call_id, outcome, duration, error } => {
            let body = json!({ "outcome": outcome, "duration_seconds": duration, "error": error });
            Ok(answered(args.json, &report(&api, call_id.as_str(), &body).await?, "recorded"))
        }
        Action::Run { guard, command } => guarded(&api, guard, command).await,
    })
}

async fn report(api: &Api, call_id: &str, body: &Value) -> Result<Value, String> {
    api.ask(Method::POST, &format!("/v1/calls/{call_id}/outcome"), &[], Some(body)).await
}

async fn guarded(api: &Api, guard: &Guard, command: &[String]) -> Result<ExitCode, String> {
    let decision = guard.begin(api).await?;
    if decision["allowed"] != true {
        let later = decision["retry_after_seconds"].as_f64();
        let later = later.map(|seconds| format!(", again in {seconds:.1} s")).unwrap_or_default();
        let text = |field: &str| decision[field].as_str().unwrap_or_default().replace('_', " ");
        let refusal = format!("refused: {} ({}){later}", text("reason"), text("denied_by"));
        complain(&Cell::new(refusal).into_text());
        return Ok(ExitCode::from(EXIT_LATER));
    }
    let call_id = decision["call_id"].as_str().filter(|id| Name::is_valid(id)).map(str::to_owned);
    let wait = decision["wait_seconds"].as_f64().unwrap_or_default();
    tokio::time::sleep(Duration::try_from_secs_f64(wait).unwrap_or_default()).await;
    let (clock, [program, arguments @ ..]) = (Clock::system(), command) else {
        return Ok(ExitCode::from(EXIT_NOT_ASKED));
    };
    let began = clock.now();
    let mut child = Command::new(program);
    child.args(arguments);
    let done = tokio::task::spawn_blocking(move || child.status()).await.map_err(|e| e.to_string())?;
    let took = clock.now().since(began).as_secs_f64();
    let (outcome, error, status) = match &done {
        Ok(status) if status.success() => ("success", None, ExitCode::SUCCESS),
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX);
            ("failure", Some(status.to_string()), ExitCode::from(code))
        }
        // That there is no such command says nothing about what it calls.
        Err(error) => {
            complain(&format!("{program}: {error}"));
            ("ignored", None, ExitCode::from(127))
        }
    };
    if let Some(call_id) = call_id {
        let body = json!({ "outcome": outcome, "duration_seconds": took, "error": error });
        // The command has run: its exit status is what counts.
        if let Err(error) = report(api, &call_id, &body).await {
            complain(&format!("the outcome could not be reported: {error}"));
        }
    }
    Ok(status)
}
