//! `wrangler.toml` as far as the embedded server and the deployment need it: so that bindings and schedules are written once.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::root;

/// What is read of `wrangler.toml`.
#[derive(Deserialize)]
pub struct WranglerConfig {
    /// The Worker's name. Objects are stored under it: renaming it loses them.
    pub name: String,
    /// The platform behaviour that the Worker was written for.
    pub compatibility_date: String,
    /// Extra platform behaviour.
    #[serde(default)]
    pub compatibility_flags: Vec<String>,
    /// Scheduled calls.
    pub triggers: Triggers,
    /// Plain settings, with the values of a fresh checkout.
    pub vars: BTreeMap<String, String>,
    /// Relational databases.
    pub d1_databases: Vec<D1Database>,
    /// Key-value namespaces.
    pub kv_namespaces: Vec<KvNamespace>,
    /// File stores.
    pub r2_buckets: Vec<R2Bucket>,
    /// Limits by address.
    #[serde(default)]
    pub ratelimits: Vec<RateLimit>,
    /// Objects.
    pub durable_objects: DurableObjects,
}

/// `[triggers]`
#[derive(Deserialize)]
pub struct Triggers {
    /// Cron expressions in UTC.
    pub crons: Vec<String>,
}

/// `[[d1_databases]]`
#[derive(Deserialize)]
pub struct D1Database {
    /// What the Worker calls it.
    pub binding: String,
    /// What the account calls it.
    pub database_name: String,
    /// Its SQL files, relative to the checkout.
    pub migrations_dir: String,
}

/// `[[kv_namespaces]]`
#[derive(Deserialize)]
pub struct KvNamespace {
    /// What the Worker calls it.
    pub binding: String,
}

/// `[[r2_buckets]]`
#[derive(Deserialize)]
pub struct R2Bucket {
    /// What the Worker calls it.
    pub binding: String,
    /// What the account calls it.
    pub bucket_name: String,
}

/// `[[ratelimits]]`
#[derive(Deserialize)]
pub struct RateLimit {
    /// What the Worker calls it.
    pub name: String,
    /// Limits with the same number share their counters.
    pub namespace_id: String,
    /// The limit itself.
    pub simple: serde_json::Value,
}

/// `[durable_objects]`
#[derive(Deserialize)]
pub struct DurableObjects {
    /// One a class.
    pub bindings: Vec<ObjectBinding>,
}

/// `[[durable_objects.bindings]]`
#[derive(Deserialize)]
pub struct ObjectBinding {
    /// What the Worker calls it.
    pub name: String,
    /// The class that the Worker exports. Objects are stored under it: renaming it loses them.
    pub class_name: String,
}

/// One file of `migrations/`.
#[derive(serde::Serialize)]
pub struct Migration {
    /// `NNNN_what.sql`, which is also its name in the database's list of applied ones.
    pub name: String,
    /// The whole script.
    pub sql: String,
}

impl WranglerConfig {
    /// Reads the checkout's `wrangler.toml`.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(root().join("wrangler.toml")).context("wrangler.toml")?;
        toml::from_str(&text).context("wrangler.toml")
    }
}

impl D1Database {
    /// Its migrations in the order in which they apply.
    pub fn migrations(&self) -> Result<Vec<Migration>> {
        let folder = root().join(&self.migrations_dir);
        let mut migrations = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".sql"))
            else {
                continue;
            };
            migrations.push(Migration { name: name.to_owned(), sql: fs::read_to_string(&path)? });
        }
        migrations.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(migrations)
    }
}
