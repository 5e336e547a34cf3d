//! `cargo xtask wrangler …`: the pinned wrangler under a Node that is new enough, for example `cargo xtask wrangler dev`.

use std::{fs, os::unix::fs::OpenOptionsExt as _, process::ExitCode};

use anyhow::Result;
use clap::Args;

use crate::{data_folder::Identity, tools::Tools, workspace::root, wrangler_config::WranglerConfig};

/// Run the pinned wrangler, for example `cargo xtask wrangler dev`
#[derive(Args)]
pub struct Wrangler {
    /// What wrangler gets
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Wrangler {
    /// Runs wrangler in the checkout. `dev` first gets secrets, where there are none, and an up-to-date local database.
    pub fn run(self) -> Result<ExitCode> {
        let tools = Tools::install()?;
        if self.arguments.first().is_some_and(|command| command == "dev") {
            write_dev_vars()?;
            for database in WranglerConfig::read()?.d1_databases {
                let mut migrate = tools.wrangler()?;
                migrate.args(["d1", "migrations", "apply", &database.binding, "--local"]).env("CI", "true");
                crate::process::run(migrate.current_dir(root()))?;
            }
        }
        let status = tools.wrangler()?.args(&self.arguments).current_dir(root()).status()?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// `.dev.vars` holds what `wrangler dev` uses as secrets. Its data lives in `.wrangler`, apart from `cargo xtask run`'s.
fn write_dev_vars() -> Result<()> {
    use std::io::Write as _;
    let path = root().join(".dev.vars");
    if path.exists() {
        return Ok(());
    }
    let identity = Identity::generate(None)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "MASTER_KEY=\"{}\"", identity.master_key)?;
    writeln!(file, "SIGNING_KEY=\"{}\"", identity.signing_key)?;
    writeln!(file, "ADMIN_TOKEN=\"{}\"", identity.admin_token)?;
    writeln!(file, "REGISTRATION_TOKEN=\"{}\"", identity.registration_token)?;
    Ok(())
}
