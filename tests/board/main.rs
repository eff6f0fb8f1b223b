//! Integration tests: each drives a real server over TCP, with a database file of its own and a manual clock.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed; clippy knows only #[test] functions as tests"
)]

mod absent;
mod aggregates;
mod alertmanager;
mod alerts;
mod backup_cli;
mod backup_vault;
mod backups;
mod backups_crash;
mod bad_input;
mod board_backup;
mod breakers;
mod browser;
mod calls;
mod checks;
mod cli;
mod cli_guards;
mod cli_resources;
#[cfg(feature = "client")]
mod client;
mod codings;
mod db;
mod described;
mod disk;
mod events;
mod exposition;
mod gates;
mod gone;
mod health;
mod leases;
mod limiters;
mod mail;
mod metrics;
mod notifications;
mod outbound;
mod outbound_hostile;
mod outbound_tls;
mod own_alerts;
mod peer;
mod ping;
mod process;
mod push_groups;
mod push_totals;
mod raw;
mod receivers;
mod replica;
mod restart;
mod retention;
mod retry_policies;
mod runs;
mod schedules;
mod scrape;
mod secrets;
mod seeds;
mod server;
mod shedding;
mod shell;
mod silences;
mod slow;
mod status_page;
mod support;
mod templates;
mod terminal;
mod text_format;
mod thresholds;
mod tls;
mod top;
mod ui;
