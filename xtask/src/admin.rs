//! Calls of a running server: its admin endpoints, and whether it answers.

use std::{
    env,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use ureq::{Agent, http::Request};

use crate::{
    commands::deploy,
    data_folder::{default_path, find_running},
    workspace::root,
};

/// Which server a command talks to.
#[derive(Args)]
pub struct ServerOptions {
    /// The data folder of the running server [default: .hubbub in the checkout]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The server that `cargo xtask deploy` put on Cloudflare from this checkout
    #[arg(long, global = true, conflicts_with_all = ["data", "url"])]
    deployed: bool,
    /// The address of another server; its token is read from HUBBUB_ADMIN_TOKEN
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data")]
    url: Option<String>,
}

/// The admin endpoints of one server.
pub struct Admin {
    agent: Agent,
    url: String,
    token: String,
}

/// What came back from a request.
#[derive(Deserialize)]
struct Answer {
    status: u16,
    body: String,
}

impl ServerOptions {
    /// Finds the server and its token.
    pub fn connect(&self) -> Result<Admin> {
        if self.deployed {
            return deploy::connect();
        }
        if let Some(url) = &self.url {
            let token = env::var("HUBBUB_ADMIN_TOKEN").context("HUBBUB_ADMIN_TOKEN is not set")?;
            return Ok(Admin::new(url, &token));
        }
        let (running, identity) = find_running(&self.data.clone().unwrap_or_else(default_path))?;
        Ok(Admin::new(&running.url, &identity.admin_token))
    }
}

impl Admin {
    /// The admin endpoints at `url`.
    pub fn new(url: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(0)
            .build();
        Self { agent: config.into(), url: url.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// `POST /_hubbub/admin/v1/{path}`; an answer other than 200 is an error with its text.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/_hubbub/admin/v1/{path}", self.url);
        self.post_json(&url, body, Some(&self.token)).with_context(|| path.to_owned())
    }

    /// Any other call of an admin endpoint.
    pub fn request(&self, method: &str, path: &str, content_type: &str, body: String) -> Result<Value> {
        let url = format!("{}/_hubbub/admin/v1/{path}", self.url);
        json_of(&self.send(method, &url, content_type, body, Some(&self.token))?).with_context(|| path.to_owned())
    }

    /// Sends JSON to any address, such as the control interface of a fake.
    pub fn post_json(&self, url: &str, body: &Value, token: Option<&str>) -> Result<Value> {
        json_of(&self.send("POST", url, "application/json", serde_json::to_string(body)?, token)?)
    }

    /// Reads JSON from any address on this machine.
    pub fn get_json(&self, url: &str) -> Result<Value> {
        let mut response = self.agent.get(url).call().with_context(|| format!("{url} does not answer"))?;
        json_of(&Answer { status: response.status().as_u16(), body: response.body_mut().read_to_string()? })
    }

    /// A call of the client-server API with somebody's token; `body` is JSON, or empty.
    pub fn call_as(&self, token: &str, method: &str, path: &str, body: &str) -> Result<Value> {
        let url = format!("{}/_matrix/client/v3/{path}", self.url);
        json_of(&self.send(method, &url, "application/json", body.to_owned(), Some(token))?)
            .with_context(|| path.to_owned())
    }

    /// Sends a form, as a browser would; any answer below 400 is a success.
    pub fn submit_form(&self, url: &str, fields: &[(&str, &str)]) -> Result<()> {
        let encode = |text: &str| text.bytes().map(percent_encoded).collect::<String>();
        let form: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let answer = self.send("POST", url, "application/x-www-form-urlencoded", form.join("&"), None)?;
        if answer.status >= 400 {
            bail!("the form was refused: {}", answer.status);
        }
        Ok(())
    }

    /// Whether `GET /_matrix/client/versions` answers 200.
    pub fn is_up(&self) -> bool {
        let request = self.agent.get(format!("{}/_matrix/client/versions", self.url));
        let request = request.config().timeout_global(Some(Duration::from_secs(5))).build();
        request.call().is_ok_and(|response| response.status() == 200)
    }

    fn send(&self, method: &str, url: &str, content_type: &str, body: String, token: Option<&str>) -> Result<Answer> {
        let authorization = token.map(|token| format!("Bearer {token}"));
        if url.starts_with("https:") {
            return send_with_node(method, url, content_type, &body, authorization.as_deref());
        }
        let mut request = Request::builder().method(method).uri(url).header("content-type", content_type);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let mut response =
            self.agent.run(request.body(body)?).with_context(|| format!("{} does not answer", self.url))?;
        Ok(Answer { status: response.status().as_u16(), body: response.body_mut().read_to_string()? })
    }
}

/// The JSON of an answer with status 200; any other is an error with its text.
fn json_of(answer: &Answer) -> Result<Value> {
    let value = serde_json::from_str::<Value>(&answer.body).ok();
    if answer.status != 200 {
        let error = value.as_ref().and_then(|value| value.get("error")).and_then(Value::as_str);
        let reason: String = error.unwrap_or(&answer.body).chars().take(500).collect();
        bail!("the server answered {}: {reason}", answer.status);
    }
    value.context("the answer is not JSON")
}

/// HTTPS through Node, which is here anyway: a TLS stack would double the build time of this tool.
fn send_with_node(
    method: &str,
    url: &str,
    content_type: &str,
    body: &str,
    authorization: Option<&str>,
) -> Result<Answer> {
    let mut headers = Map::from_iter([("content-type".to_owned(), json!(content_type))]);
    if let Some(authorization) = authorization {
        headers.insert("authorization".to_owned(), json!(authorization));
    }
    let mut child = Command::new("node")
        .arg(root().join("xtask/embedded/fetch.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started")?;
    let request = json!({"method": method, "url": url, "headers": headers, "body": (method != "GET").then_some(body)});
    child.stdin.take().context("node has no stdin")?.write_all(request.to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{url} does not answer");
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
