//! What a load runs on: a server in a data folder of its own and a fake Slack; where it is wanted, an owner whose account there
//! is connected, and a bridged channel.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Result, bail};
use serde_json::json;

use super::{fake_slack::FakeSlack, operations::Meter, user::User};
use crate::{
    data_folder::DataFolder,
    embedded::{Embedded, Options},
    progress::note,
    slack_login::{Owner, connect, make_owner, text},
    tools::Tools,
    worker::{self, Profile},
};

/// The channel that is bridged.
pub const CHANNEL: &str = "C0GENERAL";

/// Everything that runs.
pub struct Stage {
    /// The server.
    pub server: Embedded,
    /// The fake Slack.
    pub slack: FakeSlack,
    bridged: Option<Bridged>,
}

/// The owner with a connected workspace and a bridged channel.
#[derive(Clone)]
pub struct Bridged {
    /// The Matrix id of the owner, who is in the channel.
    pub owner: String,
    /// The owner's password.
    pub password: String,
    /// The connection to the workspace.
    pub login_id: String,
    /// The channel's room.
    pub room: String,
    /// The channel's portal.
    pub portal_id: String,
    /// The app's signing secret.
    pub signing_secret: String,
    /// The owner's token at Slack.
    pub token: String,
}

/// How a stage is set up.
pub struct Setting {
    /// How the server is started; the fake's address is added.
    pub options: Options,
    /// The fake's command line.
    pub slack: Vec<String>,
    /// The data folder, kept afterwards; `None`: a temporary one.
    pub data: Option<PathBuf>,
    /// A Worker that is built already.
    pub worker: Option<PathBuf>,
}

impl Stage {
    /// Builds, starts and connects everything.
    pub fn set(setting: Setting) -> Result<Self> {
        let tools = Tools::install()?;
        let worker = match setting.worker {
            Some(folder) => folder,
            None => worker::build(&tools, Profile::Release)?,
        };
        let data = match &setting.data {
            Some(path) if path.join("config.json").exists() => bail!("{} has data already", path.display()),
            Some(path) => DataFolder::open(path)?,
            None => DataFolder::temporary()?,
        };
        let arguments: Vec<&str> = setting.slack.iter().map(String::as_str).collect();
        let slack = FakeSlack::start(&tools, &data.path().join("fake-slack.log"), &arguments)?;
        let options = Options { slack_api_url: Some(slack.api_url()), ..setting.options };
        let server = Embedded::start(&tools, &worker, Arc::new(data), &options, |text| note(text))?;

        Ok(Self { server, slack, bridged: None })
    }

    /// The owner and the channel, made and connected at the first call.
    pub fn bridged(&mut self) -> Result<Bridged> {
        if let Some(bridged) = &self.bridged {
            return Ok(bridged.clone());
        }
        let owner = make_owner(&self.server, "robin")?;
        let mut control = self.slack.control();
        let workspace = control.get("workspace")?;
        let (signing_secret, token) = (text(&workspace, "/app/signing_secret")?, text(&workspace, "/app/token")?);
        let login = connect(&self.server, &owner.user_id, &signing_secret, &token)?;
        control.subscribe(&login.hook_url)?;
        let channel = json!({"login_id": login.login_id, "channel": CHANNEL});
        let made = self.server.admin().post("slack/bridge", &channel)?;
        let (room, portal_id) = (text(&made, "/room_id")?, text(&made, "/portal_id")?);
        note(format_args!("{CHANNEL} is bridged to {room}"));
        let Owner { user_id: owner, password } = owner;
        let bridged = Bridged { owner, password, login_id: login.login_id, room, portal_id, signing_secret, token };
        self.bridged = Some(bridged.clone());
        Ok(bridged)
    }

    /// A new session of the owner.
    pub fn owner_session(&mut self) -> Result<User> {
        let bridged = self.bridged()?;
        User::log_in(&self.server.url, &bridged.owner, &bridged.password)
    }

    /// A new account.
    pub fn user(&self, name: &str) -> Result<User> {
        User::register(&self.server.url, name)
    }

    /// Reads the server's counts.
    pub fn meter(&self) -> Meter {
        Meter::new(&self.server.url, &self.server.identity.admin_token)
    }
}
