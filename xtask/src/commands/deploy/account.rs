//! What is asked of the account through wrangler: find or create, never replace.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use crate::{
    process::{output, run},
    tools::Tools,
    workspace::root,
};

/// A Cloudflare account, as wrangler is logged in to it.
pub struct Account<'a> {
    tools: &'a Tools,
}

impl<'a> Account<'a> {
    /// The account of `wrangler login` or `CLOUDFLARE_API_TOKEN`.
    pub const fn new(tools: &'a Tools) -> Self {
        Self { tools }
    }

    /// The names of the secrets that the Worker has; none where it was never deployed.
    pub fn secrets(&self, worker: &str) -> Result<Vec<String>> {
        let listed = self.wrangler(&["secret", "list", "--name", worker, "--format", "json"])?.output()?;
        if !listed.status.success() {
            let reason =
                format!("{}{}", String::from_utf8_lossy(&listed.stdout), String::from_utf8_lossy(&listed.stderr));
            if reason.contains(&format!("Worker \"{worker}\" not found")) {
                return Ok(Vec::new());
            }
            bail!("wrangler cannot list the secrets (is it logged in? `cargo xtask wrangler login`):\n{reason}");
        }
        let secrets = json_in(&String::from_utf8_lossy(&listed.stdout))?;
        let names = secrets.as_array().context("wrangler listed no secrets")?.iter();
        Ok(names.filter_map(|secret| secret.get("name").and_then(Value::as_str)).map(str::to_owned).collect())
    }

    /// The id of a D1 database, created if it is missing.
    pub fn database(&self, name: &str) -> Result<String> {
        self.find_or_create(&["d1", "list", "--json"], &["d1", "create", name], ("name", "uuid"), name)
    }

    /// The id of a KV namespace, created if it is missing.
    pub fn namespace(&self, title: &str) -> Result<String> {
        self.find_or_create(&["kv", "namespace", "list"], &["kv", "namespace", "create", title], ("title", "id"), title)
    }

    /// An R2 bucket, created if it is missing.
    pub fn bucket(&self, name: &str) -> Result<&'static str> {
        if self.wrangler(&["r2", "bucket", "info", name, "--json"])?.output()?.status.success() {
            return Ok("exists");
        }
        output(&mut self.wrangler(&["r2", "bucket", "create", name])?)?;
        Ok("created")
    }

    /// Applies the migrations that the database lacks.
    pub fn migrate(&self, config: &Path, binding: &str) -> Result<&'static str> {
        let mut command = self.wrangler(&["d1", "migrations", "apply", binding, "--remote", "--config"])?;
        run(command.arg(config))?;
        Ok("applied")
    }

    /// Uploads the Worker together with the secrets that it lacks: without them it would not start.
    pub fn deploy(&self, config: &Path, secrets: &[(&str, &str)]) -> Result<&'static str> {
        let mut command = self.wrangler(&["deploy", "--config"])?;
        command.arg(config);
        if secrets.is_empty() {
            run(&mut command)?;
            return Ok("deployed");
        }
        // Through a pipe: the values are in no file and no argument.
        let mut child = command.args(["--secrets-file", "/dev/stdin"]).stdin(Stdio::piped()).spawn()?;
        let values: Map<String, Value> =
            secrets.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        child.stdin.take().context("wrangler has no stdin")?.write_all(Value::Object(values).to_string().as_bytes())?;
        let status = child.wait()?;
        if !status.success() {
            bail!("wrangler failed: {status}");
        }
        Ok("deployed, with new secrets")
    }

    fn find_or_create(&self, list: &[&str], create: &[&str], (label, id): (&str, &str), name: &str) -> Result<String> {
        if let Some(found) = self.find(list, label, id, name)? {
            return Ok(found);
        }
        // Its advice on what to write into wrangler.toml is not for who deploys this way.
        output(&mut self.wrangler(create)?)?;
        self.find(list, label, id, name)?.with_context(|| format!("{name} was created but is not listed"))
    }

    fn find(&self, list: &[&str], label: &str, id: &str, name: &str) -> Result<Option<String>> {
        let listed = json_in(&output(&mut self.wrangler(list)?)?)?;
        let entries = listed.as_array().context("wrangler listed nothing")?.iter();
        let mut matching = entries.filter(|entry| entry.get(label).and_then(Value::as_str) == Some(name));
        Ok(matching.next().and_then(|entry| entry.get(id)).and_then(Value::as_str).map(str::to_owned))
    }

    fn wrangler(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.tools.wrangler()?;
        // CI: it never asks.
        command.args(arguments).env("CI", "true").current_dir(root());
        Ok(command)
    }
}

/// The JSON in wrangler's output, which may begin with a banner.
fn json_in(text: &str) -> Result<Value> {
    let start = text.find(['[', '{']).context("wrangler printed no JSON")?;
    serde_json::from_str(text.get(start..).unwrap_or_default()).context("wrangler's output")
}
