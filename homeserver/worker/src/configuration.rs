//! The server's configuration, from the variables and secrets of `wrangler.toml`.

use hubbub_core::{
    context::{Config, Registration, Support},
    secrets::Secrets,
};
use ruma::{RoomVersionId, ServerName, UserId};
use worker::Env;

/// Why the server cannot run. Names the variable, never its value.
#[derive(Debug)]
pub struct Misconfigured(pub String);

impl std::fmt::Display for Misconfigured {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What only the platform's side needs to know.
pub struct Switches {
    /// Where objects are made.
    pub location_hint: Option<String>,
    /// Whether strangers' hosts may be private ones, for tests on one machine.
    pub private_addresses: bool,
    /// Whether tests may arm failpoints and run the storage probe.
    pub failpoints: bool,
}

/// Reads everything; refuses what makes no sense.
pub fn read(env: &Env) -> Result<(Config, Switches), Misconfigured> {
    let server_name = variable(env, "SERVER_NAME")?;
    let registration = match variable(env, "REGISTRATION")?.as_str() {
        "closed" => Registration::Closed,
        "token" => Registration::Token,
        "open" => Registration::Open,
        _ => return Err(Misconfigured("REGISTRATION must be closed, token or open".to_owned())),
    };
    let private_addresses = optional(env, "ALLOW_PRIVATE_ADDRESSES").as_deref() == Some("on");
    let config = Config {
        server_name: ServerName::parse(server_name)
            .map_err(|_| Misconfigured("SERVER_NAME is not a server name".to_owned()))?,
        public_url: variable(env, "PUBLIC_URL")?.trim_end_matches('/').to_owned(),
        registration,
        registration_token: optional(env, "REGISTRATION_TOKEN"),
        default_room_version: RoomVersionId::try_from(variable(env, "DEFAULT_ROOM_VERSION")?.as_str())
            .map_err(|_| Misconfigured("DEFAULT_ROOM_VERSION is not a room version".to_owned()))?,
        rate_limits: optional(env, "RATE_LIMITS").as_deref() != Some("off"),
        max_upload_bytes: variable(env, "MAX_UPLOAD_BYTES")?
            .parse()
            .map_err(|_| Misconfigured("MAX_UPLOAD_BYTES is not a number".to_owned()))?,
        support: support(env)?,
        insecure_gateways: private_addresses,
        slack_api_url: variable(env, "SLACK_API_URL")?,
        discord_api_url: variable(env, "DISCORD_API_URL")?,
        secrets: Secrets::parse(
            &variable(env, "SIGNING_KEY")?,
            &variable(env, "MASTER_KEY")?,
            &variable(env, "ADMIN_TOKEN")?,
        )
        .map_err(|error| Misconfigured(error.to_string()))?,
    };
    let switches = Switches {
        location_hint: optional(env, "LOCATION_HINT"),
        private_addresses,
        failpoints: optional(env, "FAILPOINTS").as_deref() == Some("on"),
    };
    Ok((config, switches))
}

/// Whom to ask for help: nobody unless the operator says so.
fn support(env: &Env) -> Result<Support, Misconfigured> {
    let matrix_id = optional(env, "SUPPORT_MATRIX_ID").map(UserId::parse).transpose();
    Ok(Support {
        email: optional(env, "SUPPORT_EMAIL"),
        matrix_id: matrix_id.map_err(|_| Misconfigured("SUPPORT_MATRIX_ID is not a user id".to_owned()))?,
        page: optional(env, "SUPPORT_PAGE"),
    })
}

/// A variable or secret (they are read alike) that must be there.
fn variable(env: &Env, name: &str) -> Result<String, Misconfigured> {
    optional(env, name).ok_or_else(|| Misconfigured(format!("{name} is not set")))
}

/// An empty one counts as absent.
fn optional(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty())
}
