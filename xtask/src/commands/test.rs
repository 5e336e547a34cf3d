//! `cargo xtask test`: every test there is, the quick ones first, with a summary of what ran and what could not.

mod discord;
mod parts;

use std::{
    env,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::parts::{browser, cargo_test, emulate, integration, matrix_sdk, node_tests};
use super::conformance::{against_ours, against_synapse, synapse_is_missing};
use crate::{
    data_folder::DataFolder,
    embedded::{Embedded, Options},
    progress::{note, seconds},
    tools::{Tools, npm_packages},
    worker::{self, ProfileOptions},
    workspace::{chromium, root, shared},
};

/// Run every test: native, on the embedded server, and those that need a peer
#[derive(Args)]
pub struct Test {
    /// Run only this kind
    #[arg(long, value_enum)]
    only: Option<Kind>,
    /// Run only the part of this name in the summary, such as integration
    #[arg(long, value_name = "NAME")]
    part: Option<String>,
    /// Fail where a peer or a fixture is missing, instead of naming what is skipped
    #[arg(long)]
    require_all: bool,
    #[command(flatten)]
    profile: ProfileOptions,
    /// What the tests of the part get besides, such as a filter
    #[arg(last = true, requires = "part")]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Plain `cargo test`: seconds
    Native,
    /// On the embedded server
    Embedded,
    /// Against other servers and clients
    Peers,
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// What ran so far.
struct Summary {
    /// The only part to run.
    part: Option<String>,
    lines: Vec<(String, Outcome, Duration)>,
}

impl Test {
    /// Runs all parts, even after one has failed, and says at the end which did.
    pub fn run(self) -> Result<ExitCode> {
        let wanted = |kind| self.only.is_none_or(|only| only == kind);
        let mut summary = Summary { part: self.part.clone(), lines: Vec::new() };
        if shared().is_none() {
            summary.skip("tests on shared fixtures", "no $HUBBUB_SHARED (default ../shared)");
        }
        if wanted(Kind::Native) {
            summary.part("native", || cargo_test(&[]));
            let suite = ["--package", "hubbub-storage", "--features", "conformance,native", "--test", "conformance"];
            summary.part("native, storage suite", || cargo_test(&suite));
            // Its suite needs a server and runs below; its own tests need none.
            summary.part("native, conformance", || cargo_test(&["--package", "hubbub-conformance", "--lib"]));
        }
        if wanted(Kind::Embedded) {
            self.embedded(&mut summary)?;
        }
        if wanted(Kind::Peers) {
            self.browser(&mut summary)?;
            // Builds serenity's client: no other test needs it.
            summary.part("Discord's clients", || cargo_test(&["--package", "hubbub-discord-clients"]));
            match synapse_is_missing() {
                Some(reason) => summary.skip("conformance, Synapse", reason),
                None => summary.part("conformance, Synapse", || against_synapse(&[])),
            }
        }
        Ok(summary.print(self.require_all))
    }

    fn embedded(&self, summary: &mut Summary) -> Result<()> {
        let tools = Tools::install()?;
        let support = npm_packages("npm packages of the tests", &root().join("tests/support"))?;
        summary.part("launcher", || cargo_test(&["--package", "xtask", "--", "--ignored"]));
        let worker = worker::build(&tools, self.profile.profile())?;
        let start = || {
            let data = Arc::new(DataFolder::temporary()?);
            Embedded::start(&tools, &worker, data, &Options::for_tests(), |text| note(text))
        };
        summary.part("integration", || integration(&tools, &worker, &support, &self.arguments));
        summary.part("Node", || node_tests(&start()?, &tools, &support));
        summary.part("Discord", || discord::test(&tools, &worker));
        // Builds the SDK: no other test needs it.
        summary.part("matrix-sdk", || matrix_sdk(&start()?, &self.arguments));
        summary.part("emulate", || emulate(&tools, &worker, &support));
        summary.part("conformance", || against_ours(&start()?, &[]));
        Ok(())
    }
}

impl Test {
    fn browser(&self, summary: &mut Summary) -> Result<()> {
        let Some(chromium) = chromium() else {
            summary.skip("browser", "no Chromium (Debian's package chromium, or $CHROMIUM)");
            return Ok(());
        };
        if !summary.wants("browser") {
            return Ok(());
        }
        let tools = Tools::install()?;
        let support = npm_packages("npm packages of the tests", &root().join("tests/support"))?;
        let worker = worker::build(&tools, self.profile.profile())?;
        summary.part("browser", || browser(&tools, &worker, &support, &chromium));
        Ok(())
    }
}

impl Summary {
    fn wants(&self, name: &str) -> bool {
        self.part.as_ref().is_none_or(|part| part == name)
    }

    fn part(&mut self, name: &str, run: impl FnOnce() -> Result<bool>) {
        if !self.wants(name) {
            return;
        }
        eprintln!("\n== {name}");
        let started = Instant::now();
        let outcome = match run() {
            Ok(true) => Outcome::Passed,
            Ok(false) => Outcome::Failed("see above".to_owned()),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        if let Outcome::Failed(reason) = &outcome {
            eprintln!("{name} failed: {reason}");
        }
        self.lines.push((name.to_owned(), outcome, started.elapsed()));
    }

    fn skip(&mut self, name: &str, reason: &str) {
        if !self.wants(name) {
            return;
        }
        self.lines.push((name.to_owned(), Outcome::Skipped(reason.to_owned()), Duration::ZERO));
    }

    fn print(&self, require_all: bool) -> ExitCode {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        println!("\nSummary");
        for (name, outcome, time) in &self.lines {
            let (word, detail) = match outcome {
                Outcome::Passed => ("passed", String::new()),
                Outcome::Failed(reason) => ("FAILED", reason.lines().next().unwrap_or_default().to_owned()),
                Outcome::Skipped(reason) => ("skipped", reason.clone()),
            };
            match outcome {
                Outcome::Passed => passed += 1,
                Outcome::Failed(_) => failed += 1,
                Outcome::Skipped(reason) if require_all && !is_waived(reason) => failed += 1,
                Outcome::Skipped(_) => skipped += 1,
            }
            println!("  {name:<24} {word:<8} {:>10}  {detail}", seconds(*time));
        }
        if failed > 0 {
            println!("The servers' logs are in target/server-logs.");
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A continuous integration that cannot have the shared folder says so with `HUBBUB_NO_SHARED=1`, which excuses what needs it.
fn is_waived(reason: &str) -> bool {
    reason.contains("$HUBBUB_SHARED")
        && shared().is_none()
        && env::var_os("HUBBUB_NO_SHARED").is_some_and(|value| value == "1")
}
