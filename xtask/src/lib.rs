//! `cargo xtask`: build, run, test and deploy Hubbub.
//!
//! `commands/` has one file a subcommand; start at [`commands::run`]. What they share: [`tools`] installs what is missing into a
//! cache outside the checkout, [`worker`] builds the Worker, [`embedded`] serves it here, [`admin`] calls a running server.

pub mod admin;
pub mod commands;
pub mod data_folder;
pub mod embedded;
pub mod load;
pub mod process;
pub mod progress;
pub mod slack_login;
pub mod tools;
pub mod worker;
pub mod workspace;
pub mod wrangler_config;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Build, run, test and deploy Hubbub",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(commands::run::Run),
    OwnerLink(commands::owner_link::OwnerLink),
    /// Connect Slack workspaces and bridge their channels
    Slack(commands::bridge::Bridge),
    /// Connect Discord bots and bridge their channels
    Discord(commands::bridge::Bridge),
    Appservice(commands::appservice::Appservice),
    RebuildRoom(commands::rebuild_room::RebuildRoom),
    RebuildSearch(commands::rebuild_search::RebuildSearch),
    Build(commands::build::Build),
    Size(commands::size::Size),
    Test(commands::test::Test),
    Conformance(commands::conformance::Conformance),
    Bench(commands::bench::Bench),
    Soak(commands::soak::Soak),
    Deploy(commands::deploy::Deploy),
    Wrangler(commands::wrangler::Wrangler),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(command) => command.run(),
        Command::OwnerLink(command) => command.run(),
        Command::Slack(command) => command.run(&commands::bridge::SLACK),
        Command::Discord(command) => command.run(&commands::bridge::DISCORD),
        Command::Appservice(command) => command.run(),
        Command::RebuildRoom(command) => command.run(),
        Command::RebuildSearch(command) => command.run(),
        Command::Build(command) => command.run(),
        Command::Size(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Conformance(command) => command.run(),
        Command::Bench(command) => command.run(),
        Command::Soak(command) => command.run(),
        Command::Deploy(command) => command.run(),
        Command::Wrangler(command) => command.run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
