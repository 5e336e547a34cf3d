//! The configuration of one deployment: the checkout's `wrangler.toml` with the ids, names and addresses of an account.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::Deployment;
use crate::{embedded::Registration, workspace::root};

/// The whole file, with absolute paths, since it lies in the data folder.
pub fn deployed(
    deployment: &Deployment,
    worker: &Path,
    registration: Registration,
    ids: &[(String, String)],
) -> Result<Value> {
    let text = fs::read_to_string(root().join("wrangler.toml"))?;
    let mut config: Map<String, Value> = toml::from_str(&text).context("wrangler.toml")?;
    config.insert("main".to_owned(), json!(worker.join("index.js")));
    // It is built already, and wrangler would look for the command's folder elsewhere.
    config.remove("build");
    for table in ["d1_databases", "kv_namespaces"] {
        for entry in config.get_mut(table).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(entry) = entry.as_object_mut() else { continue };
            absolute(entry, "migrations_dir");
            let binding = entry.get("binding").and_then(Value::as_str);
            let Some((_, id)) = ids.iter().find(|(name, _)| Some(name.as_str()) == binding) else { continue };
            let field = if table == "d1_databases" { "database_id" } else { "id" };
            entry.insert(field.to_owned(), json!(id));
        }
    }
    let vars = config.get_mut("vars").and_then(Value::as_object_mut).context("wrangler.toml has no [vars]")?;
    vars.insert("SERVER_NAME".to_owned(), json!(deployment.identity.server_name));
    vars.insert("PUBLIC_URL".to_owned(), json!(deployment.public_url));
    vars.insert("LOCATION_HINT".to_owned(), json!(deployment.location_hint));
    vars.insert("REGISTRATION".to_owned(), json!(registration.value()));
    let host = host(&deployment.public_url)?;
    if !host.ends_with(".workers.dev") {
        config.insert("routes".to_owned(), json!([{"pattern": host, "custom_domain": true}]));
        config.insert("workers_dev".to_owned(), json!(false));
    }
    Ok(Value::Object(config))
}

fn absolute(table: &mut Map<String, Value>, field: &str) {
    if let Some(path) = table.get_mut(field)
        && let Some(relative) = path.as_str()
    {
        *path = json!(root().join(relative));
    }
}

fn host(url: &str) -> Result<&str> {
    match url.strip_prefix("https://").map(|rest| rest.trim_end_matches('/')) {
        Some(host) if !host.is_empty() && !host.contains(['/', ':', '@', '?']) => Ok(host),
        _ => bail!("--public-url must be https:// and a host, such as https://matrix.example.org"),
    }
}
