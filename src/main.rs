//! The `fuseboard` command.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use fuseboard::{
    clock::Clock,
    config::{Config, ServeArgs},
    logging::init_logging,
    server::Server,
};

mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shared circuit breakers, rate limits and retry budgets for a fleet of processes.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<ServeArgs>),
    /// Watch a running server, live in the terminal, and act on what is broken
    Top(cli::top::TopArgs),
    /// Ask a running server how the checks are; exit 1 on red, 2 if it can't be asked
    Health(cli::health::HealthArgs),
    /// Ask a running server whether a gate lets pass; exit 1 if not, 2 if it can't be asked
    Gate(cli::gate::GateArgs),
    /// List, show, trip, disable, reset and declare breakers of a running server
    Breaker(cli::breaker::BreakerArgs),
    /// List, show and declare limiters of a running server, take tokens, and make everybody wait
    Limiter(cli::limiter::LimiterArgs),
    /// List, show and declare retry policies of a running server, and ask for attempts
    RetryPolicy(cli::retry_policy::RetryPolicyArgs),
    /// Guard a call of a script by a running server, or run a command if that is allowed
    Call(cli::call::CallArgs),
    /// List, show, run and declare checks of a running server, and send results
    Check(cli::check::CheckArgs),
    /// List, show and acknowledge alerts of a running server, check values, and declare thresholds
    Alert(cli::alert::AlertArgs),
    /// Silence alerts of a running server for a while, list silences and end them
    Silence(cli::silence::SilenceArgs),
    /// List, show and declare receivers of notifications of a running server, and test them
    Receiver(cli::receiver::ReceiverArgs),
    /// List, show and declare routes of a running server: who is told of which alerts
    Route(cli::definition::ResourceArgs),
    /// List, show and declare maintenance windows of a running server: when nobody is told
    MaintenanceWindow(cli::definition::ResourceArgs),
    /// List what a running server has told its receivers, and try again what failed
    Notification(cli::notification::NotificationArgs),
    /// List, show and declare schedules of a running server and their runs, and run them now
    Schedule(cli::schedule::ScheduleArgs),
    /// Store documents on a running server, and get them back
    Backup(Box<cli::backup::BackupArgs>),
    /// List, show and declare which backups a running server keeps
    Retention(cli::definition::ResourceArgs),
    /// Push numbers to a running server, and list, show and delete what was pushed
    Metrics(cli::metrics::MetricsArgs),
    /// Print what happened on a running server, and follow what happens
    Events(cli::events::EventsArgs),
    /// Write all that is declared on a running server as one document
    Export(cli::export::ExportArgs),
    /// Declare on a running server what a document of `export` has; exit 1 if any of it is refused
    Import(cli::import::ImportArgs),
    /// Ask a running server whether it is ready; exit 1 if not
    Ready(cli::ready::ReadyArgs),
    /// Make, list and revoke bearer tokens, in the database file or on a running server
    Token(cli::token::TokenArgs),
    /// Copy, restore and check the database file itself
    Db(cli::db::DbArgs),
    /// Print the API's description (openapi.yaml)
    Openapi,
    /// Print what makes a shell complete this command's words
    Completions(cli::completions::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(cli::man::ManArgs),
}

/// `fuseboard serve` by itself: describing all other commands, and what they take, would stay in the memory of a server for
/// as long as it runs.
#[derive(Debug, Parser)]
#[command(name = "fuseboard", bin_name = "fuseboard serve", about = "Run the server")]
struct Serve {
    #[command(flatten)]
    args: ServeArgs,
}

fn main() -> ExitCode {
    // Pages of 2 MiB would make an idle server four times as large, and a busy one no faster.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let result = if std::env::args_os().nth(1).is_some_and(|word| word == "serve") {
        serve(&Serve::parse_from(std::env::args_os().skip(1)).args)
    } else {
        match run(Cli::parse().command) {
            Ok(code) => return code,
            Err(message) => Err(message),
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            cli::complain(&message);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Serve(args) => serve(&args),
        Command::Token(args) => cli::token::run(&args),
        Command::Db(args) => return Ok(cli::db::run(&args)),
        Command::Openapi => cli::openapi(),
        Command::Ready(args) => cli::ready::run(&args),
        Command::Breaker(args) => return Ok(cli::breaker::run(&args)),
        Command::RetryPolicy(args) => return Ok(cli::retry_policy::run(&args)),
        Command::Call(args) => return Ok(cli::call::run(&args)),
        Command::Check(args) => return Ok(cli::check::run(&args)),
        Command::Route(args) => return Ok(cli::route::run(&args)),
        Command::MaintenanceWindow(args) => return Ok(cli::maintenance_window::run(&args)),
        Command::Retention(args) => return Ok(cli::retention::run(&args)),
        Command::Limiter(args) => return Ok(cli::limiter::run(&args)),
        Command::Alert(args) => return Ok(cli::alert::run(&args)),
        Command::Schedule(args) => return Ok(cli::schedule::run(&args)),
        Command::Silence(args) => return Ok(cli::silence::run(&args)),
        Command::Receiver(args) => return Ok(cli::receiver::run(&args)),
        Command::Notification(args) => return Ok(cli::notification::run(&args)),
        Command::Backup(args) => return Ok(cli::backup::run(&args)),
        Command::Export(args) => return Ok(cli::export::run(&args)),
        Command::Import(args) => return Ok(cli::import::run(&args)),
        Command::Metrics(args) => return Ok(cli::metrics::run(&args)),
        Command::Events(args) => return Ok(cli::events::run(&args)),
        Command::Top(args) => return Ok(cli::top::run(&args)),
        Command::Health(args) => return Ok(cli::health::run(&args)),
        Command::Gate(args) => return Ok(cli::gate::run(&args)),
        Command::Completions(args) => cli::completions::run(&args, &mut Cli::command()),
        Command::Man(args) => cli::man::run(&args, Cli::command()),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn serve(args: &ServeArgs) -> Result<(), String> {
    let config = Config::load(args).map_err(|e| e.to_string())?;
    init_logging(config.log_format, &config.log)?;
    cli::runtime(config.threads)?.block_on(async {
        let reload = config.file.clone();
        let server = Server::start(config, Clock::system()).await.map_err(|e| e.to_string())?;
        let address = server.address().map_err(|e| e.to_string())?;
        let scheme = if server.is_tls() { "https" } else { "http" };
        cli::say(&format!("fuseboard {} listening on {scheme}://{address}", env!("CARGO_PKG_VERSION")));
        let shutdown =
            cli::signals::until_stopped(args.clone(), reload, std::sync::Arc::clone(&server.board))?;
        server.run(shutdown).await.map_err(|e| format!("stopped, but the last state is not saved: {e}"))
    })
}
