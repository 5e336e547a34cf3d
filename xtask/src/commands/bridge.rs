//! `cargo xtask slack …` and `cargo xtask discord …`: connect accounts and choose their channels, through the server's
//! admin endpoints.
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

/// What differs between the networks.
pub struct Network {
    /// Its name in paths and commands.
    id: &'static str,
    /// The first step, before what `connect start` printed.
    first: &'static str,
    /// The signing key: its variable and what it is.
    key: (&'static str, &'static str),
    /// The token, likewise.
    token: (&'static str, &'static str),
}

/// Slack.
pub const SLACK: Network = Network {
    id: "slack",
    first: "Create a Slack app from this manifest (https://api.slack.com/apps, \"From a manifest\") and install it:",
    key: ("SLACK_SIGNING_SECRET", "Signing secret of the app"),
    token: ("SLACK_TOKEN", "User token (xoxp-…)"),
};

/// Discord.
pub const DISCORD: Network = Network {
    id: "discord",
    first: "Make an application at https://discord.com/developers/applications, switch on \"Message Content Intent\" under \
            \"Bot\", and add the bot to your server with the permissions to view channels, send and manage messages, add \
            reactions, manage webhooks and read history. Once the second step is done, enter this under General Information:",
    key: ("DISCORD_PUBLIC_KEY", "Public key of the application"),
    token: ("DISCORD_TOKEN", "Token of the bot"),
};

/// The commands of a network
#[derive(Args)]
pub struct Bridge {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Subcommand)]
enum Command {
    /// Connect an account, in two steps
    #[command(subcommand)]
    Connect(Connect),
    /// List its channels
    List(Login),
    /// Bridge a channel: give it a room
    Bridge(Channel),
    /// Stop bridging a channel; its room stays
    Unbridge(Channel),
    /// Show one connection, or all those of a user: health, queues, counters
    Status(Status),
    /// Disconnect an account; its rooms stay
    Disconnect(Login),
}

#[derive(Subcommand)]
enum Connect {
    /// Make a pending login and print what to make at the network
    Start {
        /// The user who connects, such as @you:example.org [default: the server's owner]
        owner: Option<String>,
    },
    /// Hand over the key and the token (asked for, or in SLACK_SIGNING_SECRET and SLACK_TOKEN, DISCORD_PUBLIC_KEY and DISCORD_TOKEN)
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
    /// The channel's id
    channel: String,
}

impl Bridge {
    /// Calls the endpoint and prints its answer.
    pub fn run(self, network: &Network) -> Result<ExitCode> {
        let admin = self.server.connect()?;
        let post = |verb: &str, body: &Value| admin.post(&format!("{}/{verb}", network.id), body);
        match self.command {
            Command::Connect(Connect::Start { owner }) => {
                let pending = post("connect/start", &owner_body(owner.as_deref()))?;
                print_pending(network, &pending)?;
            }
            Command::Connect(Connect::Finish { login_id }) => {
                let signing_secret = secret(network.key)?;
                let token = secret(network.token)?;
                let body = json!({"login_id": login_id, "signing_secret": signing_secret, "token": token});
                print_json(&post("connect/finish", &body)?)?;
            }
            Command::List(login) => print_json(&post("list", &login.body())?)?,
            Command::Bridge(channel) => print_json(&post("bridge", &channel.body())?)?,
            Command::Unbridge(channel) => print_json(&post("unbridge", &channel.body())?)?,
            Command::Status(status) => print_json(&post("status", &status.body())?)?,
            Command::Disconnect(login) => print_json(&post("disconnect", &login.body())?)?,
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

fn print_pending(network: &Network, pending: &Value) -> Result<()> {
    let text = |name: &str| pending.get(name).and_then(Value::as_str);
    let login_id = text("login_id").context("the server sent no login_id")?;
    let manifest = pending.get("manifest").context("the server sent no manifest")?;
    println!("1. {}\n", network.first);
    match manifest {
        Value::String(manifest) => println!("{manifest}\n"),
        manifest => println!("{}\n", serde_json::to_string_pretty(manifest)?),
    }
    println!("2. Then, with both secrets at hand:\n\n   cargo xtask {} connect finish {login_id}", network.id);
    Ok(())
}

fn print_json(value: &Value) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

fn secret((variable, prompt): (&str, &str)) -> Result<String> {
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
