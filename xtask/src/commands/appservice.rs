//! `cargo xtask appservice …`: registers third-party application services (other bridges, bots) by their registration file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::Value;

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
                let registration = read(&file).with_context(|| file.display().to_string())?;
                admin.request("POST", "appservices", "application/json", registration.to_string())?
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

/// Reads a registration file. Errors quote nothing of it, since it holds tokens.
fn read(file: &Path) -> Result<Value> {
    json_of(&fs::read_to_string(file)?)
}

fn json_of(yaml: &str) -> Result<Value> {
    serde_saphyr::from_str(yaml).map_err(|error| match error.location() {
        Some(place) => anyhow!("it is no valid YAML (line {}, column {})", place.line(), place.column()),
        None => anyhow!("it is no valid YAML"),
    })
}

#[cfg(test)]
mod tests {
    use super::json_of;

    #[test]
    fn a_registration_file_is_sent_as_json() {
        let json = json_of("id: irc\nurl: null # none\nrate_limited: false\nnamespaces:\n  users: []\n").unwrap();
        let expected =
            serde_json::json!({"id": "irc", "url": null, "rate_limited": false, "namespaces": {"users": []}});
        assert_eq!(json, expected);
    }

    #[test]
    fn what_is_no_yaml_is_refused_and_no_token_quoted() {
        for yaml in ["id: [", "as_token: sEcReT: x", "as_token: \"sEcReT"] {
            let error = json_of(yaml).unwrap_err().to_string();
            assert!(error.contains("YAML") && !error.contains("sEcReT"), "{error}");
        }
        // Aliases that would grow to billions of nodes.
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..40 {
            let below = level - 1;
            bomb += &format!("a{level}: &a{level} [*a{below}, *a{below}]\n");
        }
        json_of(&bomb).unwrap_err();
    }
}
