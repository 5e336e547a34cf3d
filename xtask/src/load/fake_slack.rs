//! The fake Slack (`tests/support/fake-slack.mjs`) as a child process, moved by its control calls.

use std::{fs::File, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::connection::{Call, Connection};
use crate::{
    process::{Served, tied},
    tools::Tools,
    workspace::root,
};

/// A workspace that runs until this is dropped.
pub struct FakeSlack(Served);

/// A way to move it, for one thread.
pub struct Control(Connection);

impl FakeSlack {
    /// Starts it with these options of its command line.
    pub fn start(tools: &Tools, log: &Path, options: &[&str]) -> Result<Self> {
        let mut command = tools.script(&root().join("tests/support/fake-slack.mjs"), &[])?;
        command.args(["--port", "0"]).args(options);
        let started = Served::start(tied(command).stderr(File::create(log)?));
        started.map(Self).with_context(|| format!("the fake Slack: see {}", log.display()))
    }

    /// What the server calls in place of Slack's API.
    pub fn api_url(&self) -> String {
        format!("{}/api/", self.0.url)
    }

    /// A connection to its control calls.
    pub fn control(&self) -> Control {
        Control(Connection::new(&self.0.url))
    }
}

impl Control {
    /// `POST /_control/{name}`
    pub fn post(&mut self, name: &str, input: &Value) -> Result<Value> {
        self.call("POST", name, &input.to_string())
    }

    /// `GET /_control/{name}`
    pub fn get(&mut self, name: &str) -> Result<Value> {
        self.call("GET", name, "")
    }

    /// Sends the workspace's events to `url`, which must echo the challenge.
    pub fn subscribe(&mut self, url: &str) -> Result<()> {
        let answer = self.post("subscription", &json!({"url": url}))?;
        match answer.pointer("/subscription/verified").and_then(Value::as_bool) {
            Some(true) => Ok(()),
            _ => bail!("the server did not echo the challenge of the fake Slack: {answer}"),
        }
    }

    fn call(&mut self, method: &str, name: &str, body: &str) -> Result<Value> {
        let path = format!("/_control/{name}");
        let call = Call::new(method, &path, body);
        self.0.send(&call).and_then(|reply| reply.success(name)).context("the fake Slack")
    }
}
