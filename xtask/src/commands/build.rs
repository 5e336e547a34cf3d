//! `cargo xtask build`: the Worker alone, as `wrangler` asks for it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::{
    tools::Tools,
    worker::{self, ProfileOptions},
};

/// Build the Worker into homeserver/worker/build
#[derive(Args)]
pub struct Build {
    #[command(flatten)]
    profile: ProfileOptions,
}

impl Build {
    /// Installs what is missing and builds.
    pub fn run(self) -> Result<ExitCode> {
        worker::build(&Tools::install()?, self.profile.profile())?;
        Ok(ExitCode::SUCCESS)
    }
}
