//! `cargo xtask conformance`: the black-box suite of `tests/conformance` against our server, or against a Synapse.

mod synapse;

use std::{
    process::{Command, ExitCode},
    sync::Arc,
};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use self::synapse::Synapse;
use crate::{
    data_folder::DataFolder,
    embedded::{Embedded, Options},
    progress::note,
    tools::Tools,
    worker::{self, ProfileOptions},
    workspace::{root, shared, synapse_python},
};

/// The token of the application service that the suite's tests act as, on servers that live as long as the run.
const AS_TOKEN: &str = "as_token_of_the_conformance_suite";

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
            (Some(url), Some(name)) => suite(url, name, None, &self.arguments)?,
            _ if self.peer => against_synapse(&self.arguments)?,
            _ => {
                let tools = Tools::install()?;
                let worker = worker::build(&tools, self.profile.profile())?;
                let data = Arc::new(DataFolder::temporary()?);
                let server = Embedded::start(&tools, &worker, data, &Options::for_tests(), |text| note(text))?;
                against_ours(&server, &self.arguments)?
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
    suite(&synapse.url, &synapse.server_name, Some(AS_TOKEN), &all)
}

/// Runs the suite against a fresh server of ours; true if it passed.
pub fn against_ours(server: &Embedded, arguments: &[String]) -> Result<bool> {
    server.admin().request("POST", "appservices", "application/json", registration())?;
    suite(&server.url, &server.identity.server_name, Some(AS_TOKEN), arguments)
}

/// The registration of the application service that the suite's tests act as; its transactions go nowhere. As JSON, which
/// is YAML, too: Synapse reads it from a file.
fn registration() -> String {
    let registration = json!({
        "id": "conformance",
        "url": null,
        "as_token": AS_TOKEN,
        "hs_token": "hs_token_of_the_conformance_suite",
        "sender_localpart": "conformance",
        "rate_limited": false,
        "namespaces": {"users": [], "aliases": [], "rooms": []},
    });
    registration.to_string()
}

/// Runs the suite against a server; true if it passed. `as_token` is the application service's, where one is registered.
fn suite(url: &str, server_name: &str, as_token: Option<&str>, arguments: &[String]) -> Result<bool> {
    let mut command = Command::new("cargo");
    if let Some(token) = as_token {
        command.env("HUBBUB_CONFORMANCE_AS_TOKEN", token);
    }
    let status = command
        .args(["run", "--quiet", "--package", "hubbub-conformance", "--bin", "conformance", "--"])
        .args(["--url", url, "--server-name", server_name])
        .args(arguments)
        .current_dir(root())
        .status()
        .context("cargo cannot be started")?;
    Ok(status.success())
}
