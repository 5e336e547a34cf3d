//! `--demo`: a fake Slack on loopback whose people talk through signed webhooks, connected as a person would connect a real one.

use std::{fs::File, path::Path};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    data_folder::{read_private, write_private},
    embedded::Embedded,
    process::{Served, tied},
    progress::{note, print},
    slack_login::{bridge, connect, make_owner, text},
    tools::Tools,
    workspace::root,
};

const OWNER: &str = "robin";
const CHANNELS: [&str; 2] = ["C0GENERAL", "C0RANDOM"];

/// The fake Slack's process.
pub struct FakeSlack(Served);

/// What was set up at the first start.
#[derive(Serialize, Deserialize)]
pub struct Demo {
    /// The owner's Matrix id.
    pub user: String,
    /// The owner's password.
    pub password: String,
    hook_path: String,
}

impl FakeSlack {
    /// Starts the fake with its people; it remembers their messages in the data folder.
    pub fn start(tools: &Tools, data: &Path) -> Result<Self> {
        let log = data.join("fake-slack.log");
        let mut command = tools.script(&root().join("tests/support/fake-slack.mjs"), &[])?;
        command.args(["--demo", "--state"]).arg(data.join("fake-slack.json"));
        let started = Served::start(tied(command).stderr(File::create(&log)?));
        started.map(Self).with_context(|| format!("the fake Slack: see {}", log.display()))
    }

    /// Where it is moved from outside.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// What the server calls in place of Slack's API.
    pub fn api_url(&self) -> String {
        format!("{}/api/", self.0.url)
    }

    /// At the first start makes the owner, connects the workspace and bridges two channels; then always points the fake's events
    /// at the server.
    pub fn connect(&self, server: &Embedded) -> Result<Demo> {
        let path = server.data_path().join("demo.json");
        let demo = match read_private::<Demo>(&path)? {
            Some(demo) => demo,
            None => {
                let demo = self.set_up(server)?;
                write_private(&path, &demo)?;
                demo
            }
        };
        self.subscribe(server, &demo.hook_path)?;
        Ok(demo)
    }

    fn set_up(&self, server: &Embedded) -> Result<Demo> {
        let owner = make_owner(server, OWNER)?;
        note(format_args!("demo: made {}", owner.user_id));
        let workspace = server.admin().get_json(&format!("{}/_control/workspace", self.0.url))?;
        let (secret, token) = (text(&workspace, "/app/signing_secret")?, text(&workspace, "/app/token")?);
        let login = connect(server, &owner.user_id, &secret, &token)?;
        let hook_path = login.hook_url.splitn(4, '/').nth(3).context("the hook has no path")?.to_owned();
        self.subscribe(server, &hook_path)?;
        for channel in CHANNELS {
            bridge(server, &login, channel)?;
        }
        note("demo: connected the workspace and bridged its channels");
        Ok(Demo { user: owner.user_id, password: owner.password, hook_path })
    }

    fn subscribe(&self, server: &Embedded, hook_path: &str) -> Result<()> {
        let subscription = json!({"url": format!("{}/{hook_path}", server.url)});
        let answer = server.admin().post_json(&format!("{}/_control/subscription", self.0.url), &subscription, None)?;
        match answer.pointer("/subscription/verified").and_then(Value::as_bool) {
            Some(true) => Ok(()),
            _ => bail!("the server did not echo the challenge of the fake Slack: {answer}"),
        }
    }
}

impl Demo {
    /// Prints the login.
    pub fn announce(&self, server: &Embedded) {
        print("\nDemo: a fake Slack talks in #general and #random. Log in with Element or another Matrix client:");
        print(format_args!(
            "  Homeserver  {}\n  User        {}\n  Password    {}",
            server.url, self.user, self.password
        ));
        print("Messages arrive every few seconds, and people answer what you write.");
    }
}
