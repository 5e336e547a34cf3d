//! `cargo xtask conformance`: the black-box suite of `tests/conformance` against our server, or against a Synapse.

mod synapse;

use std::{
    process::{Command, ExitCode},
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::Args;

use self::synapse::Synapse;
use crate::{
    data_folder::DataFolder,
    embedded::{Embedded, Options},
    progress::note,
    tools::Tools,
    worker::{self, ProfileOptions},
    workspace::{root, shared, synapse_python},
};

/// Run the black-box conformance suite against our server, or with --peer against a Synapse
#[derive(Args)]
pub struct Conformance {
    /// Run it against a Synapse, to prove the suite
    #[arg(long)]
    peer: bool,
    /// Run it against a server that runs already
    #[arg(long, value_name = "URL", conflicts_with = "peer", requires = "server_name")]
    url: Option<String>,
    /// The name of that server
    #[arg(long, value_name = "NAME", requires = "url")]
    server_name: Option<String>,
    #[command(flatten)]
    profile: ProfileOptions,
    /// What the suite gets besides, such as --filter TEXT or --jobs N
    #[arg(last = true)]
    arguments: Vec<String>,
}

impl Conformance {
    /// Starts the server under test and runs the suite.
    pub fn run(self) -> Result<ExitCode> {
        let passed = match (&self.url, &self.server_name) {
            (Some(url), Some(name)) => suite(url, name, &self.arguments)?,
            _ if self.peer => against_synapse(&self.arguments)?,
            _ => {
                let tools = Tools::install()?;
                let worker = worker::build(&tools, self.profile.profile())?;
                let data = Arc::new(DataFolder::temporary()?);
                let server = Embedded::start(&tools, &worker, data, &Options::for_tests(), |text| note(text))?;
                suite(&server.url, &server.identity.server_name, &self.arguments)?
            }
        };
        Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Whether a Synapse can be started here; the reason where it cannot.
pub fn synapse_is_missing() -> Option<&'static str> {
    if synapse_python().is_none() {
        return Some("no Synapse in $PEER_HOME (default ~/peer): see CONTRIBUTING.md");
    }
    if shared().is_none() {
        return Some("no $HUBBUB_SHARED (default ../shared) with peers/synapse.sh");
    }
    None
}

/// Runs the suite against a fresh Synapse; true if it agrees with the known differences.
pub fn against_synapse(arguments: &[String]) -> Result<bool> {
    let python = synapse_python().context("there is no Synapse: see CONTRIBUTING.md")?;
    let synapse = Synapse::start(&python, &shared().context("$HUBBUB_SHARED is missing")?)?;
    let mut all = vec!["--peer".to_owned(), "synapse".to_owned()];
    all.extend_from_slice(arguments);
    suite(&synapse.url, &synapse.server_name, &all)
}

/// Runs the suite against a server; true if it passed.
pub fn suite(url: &str, server_name: &str, arguments: &[String]) -> Result<bool> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "hubbub-conformance", "--bin", "conformance", "--"])
        .args(["--url", url, "--server-name", server_name])
        .args(arguments)
        .current_dir(root())
        .status()
        .context("cargo cannot be started")?;
    Ok(status.success())
}
