//! `cargo xtask appservice …`: registers third-party application services (other bridges, bots) by their registration file.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::admin::ServerOptions;

/// Register application services, such as other bridges
#[derive(Args)]
pub struct Appservice {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Subcommand)]
enum Command {
    /// List the registered ones
    List,
    /// Register one, or replace its registration
    Add {
        /// The registration file (YAML)
        file: PathBuf,
    },
    /// Remove one; its users and rooms stay
    Remove {
        /// The id in its registration file
        id: String,
    },
}

impl Appservice {
    /// Calls the endpoint and prints its answer.
    pub fn run(self) -> Result<ExitCode> {
        let admin = self.server.connect()?;
        let answer = match self.command {
            Command::List => admin.request("GET", "appservices", "application/json", String::new())?,
            Command::Add { file } => {
                let yaml = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
                admin.request("POST", "appservices", "application/yaml", yaml)?
            }
            Command::Remove { id } => {
                if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
                    bail!("{id:?} is no id of an application service");
                }
                admin.request("DELETE", &format!("appservices/{id}"), "application/json", String::new())?
            }
        };
        println!("{}", serde_json::to_string_pretty(&answer)?);
        Ok(ExitCode::SUCCESS)
    }
}
