//! `cargo xtask soak`: messages both ways between Matrix and a fake Slack while workerd is killed, objects are reset, the program
//! panics and Slack answers badly; then a look whether everything is there exactly once.
//!
//! A run is a row of [`rounds`]. Each holds the portal, injects a group of Slack messages in disorder, lets go, and strikes at
//! one of the [`windows`] while answers go out. [`traffic`] writes, [`followers`] are two devices that must miss nothing,
//! [`errands`] do what reaches the rarer windows, [`encryption`] has keys claimed and messages sent to devices; [`checks`] judges,
//! [`report`] tells.

mod appservice;
mod checks;
mod encryption;
mod errands;
mod followers;
mod report;
mod rounds;
mod strike;
mod traffic;
mod windows;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

use crate::{
    embedded::Options,
    load::{
        random::Random,
        stage::{Setting, Stage},
    },
    progress::print,
};

/// Both ways between Matrix and a fake Slack under kills and faults; nothing may be lost or doubled
#[derive(Args)]
pub struct Soak {
    /// Messages each way [default: 1000, with --short 150]
    #[arg(long, value_name = "N")]
    messages: Option<usize>,
    /// How often workerd is killed [default: 50, with --short 8]
    #[arg(long, value_name = "N")]
    kills: Option<usize>,
    /// The longest that the messages may take [default: 40, with --short 8]
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Makes the run's choices again [default: a random one]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// The short version for every change
    #[arg(long)]
    short: bool,
    /// How many messages a second the fake Slack takes in a channel, and the login sends
    #[arg(long, value_name = "N", default_value_t = 50)]
    post_rate: u32,
    /// Keep the data and the logs in this new folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Soak a Worker that is built already
    #[arg(long, value_name = "DIR", hide = true)]
    worker: Option<PathBuf>,
}

/// What a run is to do.
struct Plan {
    messages: usize,
    kills: usize,
    patience: Duration,
    seed: u64,
}

impl Soak {
    /// Soaks, judges and reports; a violation is a failure.
    pub fn run(self) -> Result<ExitCode> {
        let plan = self.plan()?;
        print(format_args!(
            "soak: seed {}, {} messages each way, at least {} kills",
            plan.seed, plan.messages, plan.kills
        ));
        let mut stage = Stage::set(self.setting(plan.seed))?;
        let bridged = stage.bridged()?;
        let pace = json!({"login_id": bridged.login_id, "per_second": self.post_rate});
        stage.server.admin().post("slack/pace", &pace)?;
        let outcome = rounds::run(&mut stage, &bridged, &plan, Random::seeded(plan.seed));
        let outcome = outcome.with_context(|| format!("seed {}", plan.seed))?;
        report::print_all(&plan, &outcome);
        Ok(if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn plan(&self) -> Result<Plan> {
        let (messages, kills, minutes) = if self.short { (150, 8, 8) } else { (1_000, 50, 40) };
        let seed = match self.seed {
            Some(seed) => seed,
            None => u64::from(getrandom::u32().context("the system gives no random bytes")?),
        };
        Ok(Plan {
            messages: self.messages.unwrap_or(messages).max(1),
            kills: self.kills.unwrap_or(kills),
            patience: Duration::from_secs(60 * self.minutes.unwrap_or(minutes)),
            seed,
        })
    }

    fn setting(&self, seed: u64) -> Setting {
        let (seed, rate) = (seed.to_string(), self.post_rate.to_string());
        let slack = [
            "--seed",
            &seed,
            "--post-rate",
            &rate,
            "--retry-delays",
            "50,200,600",
            "--retry-forever",
            "--parallel",
            "64",
        ];
        Setting {
            options: Options::for_tests(),
            slack: slack.map(str::to_owned).to_vec(),
            data: self.data.clone(),
            worker: self.worker.clone(),
        }
    }
}
