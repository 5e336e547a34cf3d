//! `cargo xtask slack …`: connects Slack workspaces and chooses their channels, through the server's admin endpoints.
//!
//! Secrets are asked for on stdin or read from the environment: an argument would be in the process list and the shell's history.

use std::{
    env,
    io::{self, BufRead as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::admin::ServerOptions;

/// Connect Slack workspaces and bridge their channels
#[derive(Args)]
pub struct Slack {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Connect a workspace, in two steps
    #[command(subcommand)]
    Connect(Connect),
    /// List a workspace's channels
    List(Login),
    /// Bridge a channel: give it a room
    Bridge(Channel),
    /// Stop bridging a channel; its room stays
    Unbridge(Channel),
    /// Show one connection, or all those of a user: health, queues, counters
    Status(Status),
    /// Disconnect a workspace; its rooms stay
    Disconnect(Login),
}

#[derive(Subcommand)]
enum Connect {
    /// Make a pending login and print the manifest of the Slack app to create
    Start {
        /// The user who connects, such as @you:example.org [default: the server's owner]
        owner: Option<String>,
    },
    /// Hand over the app's signing secret and the user's token (asked for, or in SLACK_SIGNING_SECRET and SLACK_TOKEN)
    Finish {
        /// The login that `connect start` printed
        login_id: String,
    },
}

#[derive(Args)]
struct Login {
    /// The login, as `status --owner` prints it
    login_id: String,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Status {
    /// One login
    login_id: Option<String>,
    /// All logins of this user
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

#[derive(Args)]
struct Channel {
    /// The login, as `status --owner` prints it
    login_id: String,
    /// The channel's id, such as C0123456789
    channel: String,
}

impl Slack {
    /// Calls the endpoint and prints its answer.
    pub fn run(self) -> Result<ExitCode> {
        let admin = self.server.connect()?;
        match self.command {
            Command::Connect(Connect::Start { owner }) => {
                let pending = admin.post("slack/connect/start", &owner_body(owner.as_deref()))?;
                print_pending(&pending)?;
            }
            Command::Connect(Connect::Finish { login_id }) => {
                let signing_secret = secret("SLACK_SIGNING_SECRET", "Signing secret of the app")?;
                let token = secret("SLACK_TOKEN", "User token (xoxp-…)")?;
                let body = json!({"login_id": login_id, "signing_secret": signing_secret, "token": token});
                print_json(&admin.post("slack/connect/finish", &body)?)?;
            }
            Command::List(login) => print_json(&admin.post("slack/list", &login.body())?)?,
            Command::Bridge(channel) => print_json(&admin.post("slack/bridge", &channel.body())?)?,
            Command::Unbridge(channel) => print_json(&admin.post("slack/unbridge", &channel.body())?)?,
            Command::Status(status) => print_json(&admin.post("slack/status", &status.body())?)?,
            Command::Disconnect(login) => print_json(&admin.post("slack/disconnect", &login.body())?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Login {
    fn body(&self) -> Value {
        json!({"login_id": self.login_id})
    }
}

impl Status {
    fn body(&self) -> Value {
        match &self.login_id {
            Some(login_id) => json!({"login_id": login_id}),
            None => owner_body(self.owner.as_deref()),
        }
    }
}

impl Channel {
    fn body(&self) -> Value {
        json!({"login_id": self.login_id, "channel": self.channel})
    }
}

fn owner_body(owner: Option<&str>) -> Value {
    owner.map_or_else(|| json!({}), |owner| json!({"owner": owner}))
}

fn print_pending(pending: &Value) -> Result<()> {
    let text = |name: &str| pending.get(name).and_then(Value::as_str);
    let login_id = text("login_id").context("the server sent no login_id")?;
    let manifest = pending.get("manifest").context("the server sent no manifest")?;
    println!(
        "1. Create a Slack app from this manifest (https://api.slack.com/apps, \"From a manifest\") and install it:\n"
    );
    match manifest {
        Value::String(manifest) => println!("{manifest}\n"),
        manifest => println!("{}\n", serde_json::to_string_pretty(manifest)?),
    }
    println!(
        "2. Then, with its signing secret and user token at hand:\n\n   cargo xtask slack connect finish {login_id}"
    );
    Ok(())
}

fn print_json(value: &Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

fn secret(variable: &str, prompt: &str) -> Result<String> {
    let value = match env::var(variable) {
        Ok(value) => value,
        Err(_) => {
            eprint!("{prompt}: ");
            io::stderr().flush()?;
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            line
        }
    };
    let value = value.trim();
    if value.is_empty() {
        bail!("{prompt} is missing");
    }
    Ok(value.to_owned())
}
