//! `cargo xtask owner-link`: a one-time link to the page that sets the owner's password; also the way back in for who forgot it.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::admin::{Admin, ServerOptions};

/// Print a one-time link to the page that sets the owner's password
#[derive(Args)]
pub struct OwnerLink {
    #[command(flatten)]
    server: ServerOptions,
}

/// What the server says about its owner.
pub struct Link {
    /// The page.
    pub url: String,
    /// Whether somebody has set a password there before.
    pub owner_exists: bool,
}

impl OwnerLink {
    /// Asks the server for a new link.
    pub fn run(self) -> Result<ExitCode> {
        println!("{}", request(&self.server.connect()?)?.url);
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks the server for a new link; earlier ones stop working.
pub fn request(admin: &Admin) -> Result<Link> {
    let answer = admin.post("owner-link", &json!({}))?;
    let url = answer.get("url").and_then(Value::as_str).context("the server sent no link")?;
    Ok(Link { url: url.to_owned(), owner_exists: answer.get("exists").and_then(Value::as_bool).unwrap_or(false) })
}
