//! What an embedded server can be started with, and how that becomes the options of `server.mjs`: bindings and schedules from
//! `wrangler.toml`, settings and secrets on top of its `[vars]`.

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::Embedded;
use crate::wrangler_config::WranglerConfig;

/// Who may register.
#[derive(Clone, Copy, Default, ValueEnum)]
pub enum Registration {
    /// Nobody.
    #[default]
    Closed,
    /// Whoever holds the registration token.
    Token,
    /// Everybody.
    Open,
}

/// A setting that is on or off.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Active.
    On,
    /// Inactive.
    Off,
}

/// How to start an embedded server.
#[derive(Clone)]
pub struct Options {
    /// `None`: any free port.
    pub port: Option<u16>,
    /// Fixed at the first start; `None`: what the data folder says.
    pub server_name: Option<String>,
    /// Where clients and webhooks reach the server; `None`: the loopback address.
    pub public_url: Option<String>,
    /// Who may register.
    pub registration: Registration,
    /// The version of rooms that name none; `None`: as in `wrangler.toml`.
    pub default_room_version: Option<String>,
    /// Limits on logins and requests.
    pub rate_limits: Switch,
    /// Slack's API, or a fake of it; `None`: as in `wrangler.toml`.
    pub slack_api_url: Option<String>,
    /// Discord's, likewise.
    pub discord_api_url: Option<String>,
    /// Lets the Worker call loopback and private addresses, for fakes on this machine.
    pub private_addresses: Switch,
    /// Lets the admin endpoints hold or break the server at named points.
    pub failpoints: Switch,
    /// Ticks the crons of `wrangler.toml`; without it only [`Embedded::tick`] does.
    pub crons: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: None,
            server_name: None,
            public_url: None,
            registration: Registration::Closed,
            default_room_version: None,
            rate_limits: Switch::On,
            slack_api_url: None,
            discord_api_url: None,
            private_addresses: Switch::Off,
            failpoints: Switch::Off,
            crons: true,
        }
    }
}

impl Options {
    /// For tests: everything on one machine, no limits, failpoints, crons only when ticked.
    pub fn for_tests() -> Self {
        Self {
            registration: Registration::Open,
            rate_limits: Switch::Off,
            private_addresses: Switch::On,
            failpoints: Switch::On,
            crons: false,
            ..Self::default()
        }
    }
}

impl Switch {
    const fn value(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

impl Registration {
    /// What the Worker reads in its settings.
    pub const fn value(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Token => "token",
            Self::Open => "open",
        }
    }
}

/// The first line that `server.mjs` reads.
pub(super) fn server_options(
    config: &WranglerConfig,
    worker: &Path,
    port: u16,
    server: &Embedded,
    options: &Options,
) -> Result<Value> {
    let data = server.data_path();
    let mut migrations = Map::new();
    for database in &config.d1_databases {
        migrations.insert(database.binding.clone(), serde_json::to_value(database.migrations()?)?);
    }
    let objects = config.durable_objects.bindings.iter();
    let allowed =
        if options.private_addresses == Switch::On { json!(["public", "private"]) } else { json!(["public"]) };
    Ok(json!({
        "name": config.name,
        "worker": worker,
        "compatibilityDate": config.compatibility_date,
        "compatibilityFlags": config.compatibility_flags,
        "host": "127.0.0.1",
        "port": port,
        "state": data.join("state"),
        "bindings": bindings(config, server, options),
        "d1": named(config.d1_databases.iter().map(|database| (&database.binding, json!(database.database_name)))),
        "kv": named(config.kv_namespaces.iter().map(|namespace| (&namespace.binding, json!(namespace.binding)))),
        "r2": named(config.r2_buckets.iter().map(|bucket| (&bucket.binding, json!(bucket.bucket_name)))),
        "objects": named(objects.map(|object| (&object.name, json!({"className": object.class_name, "useSQLite": true})))),
        "ratelimits": named(
            config.ratelimits.iter().map(|limit| (&limit.name, json!({"namespace_id": limit.namespace_id, "simple": limit.simple}))),
        ),
        // Not in wrangler.toml: Cloudflare's own network is public only.
        "publicFetch": ["PUBLIC_FETCH"],
        "publicFetchAllows": allowed,
        "migrations": migrations,
        "crons": config.triggers.crons,
        "tickCrons": options.crons,
        "cronState": data.join("crons.json").to_str().context("the data folder's name is not UTF-8")?,
    }))
}

fn bindings(config: &WranglerConfig, server: &Embedded, options: &Options) -> Value {
    let identity = &server.identity;
    let mut bindings: Map<String, Value> =
        config.vars.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut set = |name: &str, value: &str| bindings.insert(name.to_owned(), json!(value));
    set("SERVER_NAME", &identity.server_name);
    set("PUBLIC_URL", options.public_url.as_deref().unwrap_or(&server.url));
    set("REGISTRATION", options.registration.value());
    set("REGISTRATION_TOKEN", &identity.registration_token);
    set("RATE_LIMITS", options.rate_limits.value());
    set("ALLOW_PRIVATE_ADDRESSES", options.private_addresses.value());
    set("FAILPOINTS", options.failpoints.value());
    set("MASTER_KEY", &identity.master_key);
    set("SIGNING_KEY", &identity.signing_key);
    set("ADMIN_TOKEN", &identity.admin_token);
    if let Some(version) = &options.default_room_version {
        set("DEFAULT_ROOM_VERSION", version);
    }
    if let Some(url) = &options.slack_api_url {
        set("SLACK_API_URL", url);
    }
    if let Some(url) = &options.discord_api_url {
        set("DISCORD_API_URL", url);
    }
    Value::Object(bindings)
}

fn named<'a>(entries: impl Iterator<Item = (&'a String, Value)>) -> Value {
    Value::Object(entries.map(|(name, value)| (name.clone(), value)).collect())
}
