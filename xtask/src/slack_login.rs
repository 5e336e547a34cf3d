//! Connects a Slack workspace (a fake one, mostly) to an embedded server as a person would: owner's page, `connect start`,
//! `connect finish`.

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose};
use serde_json::{Value, json};

use crate::{commands::owner_link, embedded::Embedded};

/// The server's owner, with a password.
pub struct Owner {
    /// The Matrix id.
    pub user_id: String,
    /// What logs in.
    pub password: String,
}

/// A connected account.
pub struct SlackLogin {
    /// The network, as in paths.
    pub network: &'static str,
    /// What the other commands call it.
    pub login_id: String,
    /// Where Slack's events go.
    pub hook_url: String,
}

/// Makes the owner, or gives the owner a new password.
pub fn make_owner(server: &Embedded, name: &str) -> Result<Owner> {
    let admin = server.admin();
    let mut random = [0; 12];
    getrandom::fill(&mut random).context("the system gives no random bytes")?;
    let password = general_purpose::URL_SAFE_NO_PAD.encode(random);
    let link = owner_link::request(&admin)?;
    admin.submit_form(&link.url, &[("username", name), ("password", &password)]).context("the owner's page")?;
    Ok(Owner { user_id: format!("@{name}:{}", server.identity.server_name), password })
}

/// Connects a workspace for `owner`.
pub fn connect(server: &Embedded, owner: &str, signing_secret: &str, token: &str) -> Result<SlackLogin> {
    connect_to("slack", server, owner, signing_secret, token)
}

/// Connects an account of a network for `owner`.
pub fn connect_to(
    network: &'static str,
    server: &Embedded,
    owner: &str,
    signing_secret: &str,
    token: &str,
) -> Result<SlackLogin> {
    let admin = server.admin();
    let pending = admin.post(&format!("{network}/connect/start"), &json!({"owner": owner}))?;
    let login_id = text(&pending, "/login_id")?;
    let secrets = json!({"login_id": login_id, "signing_secret": signing_secret, "token": token});
    let finished = admin.post(&format!("{network}/connect/finish"), &secrets)?;
    // A workspace that was connected before goes on under its old id.
    let login_id = text(&finished, "/login_id").unwrap_or(login_id);
    Ok(SlackLogin { network, login_id, hook_url: text(&pending, "/hook_url")? })
}

/// Gives a channel a room, and returns that.
pub fn bridge(server: &Embedded, login: &SlackLogin, channel: &str) -> Result<String> {
    let bridged = server
        .admin()
        .post(&format!("{}/bridge", login.network), &json!({"login_id": login.login_id, "channel": channel}))?;
    text(&bridged, "/room_id")
}

/// Logs in with a password; returns the access token.
pub fn log_in(server: &Embedded, owner: &Owner) -> Result<String> {
    let request = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": owner.user_id},
        "password": owner.password,
    });
    let url = format!("{}/_matrix/client/v3/login", server.url);
    text(&server.admin().post_json(&url, &request, None)?, "/access_token")
}

/// A string somewhere in an answer.
pub fn text(value: &Value, pointer: &str) -> Result<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("{pointer} is missing"))
}
