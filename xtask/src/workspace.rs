//! Where things are: the checkout, the cache outside it, the shared fixtures beside it.

use std::{env, path::PathBuf};

use anyhow::{Context, Result, bail};

/// The root of the checkout.
pub fn root() -> PathBuf {
    // Cargo sets this at run time; the compiled-in value serves a binary that is called directly.
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let package = if package.join("embedded").is_dir() { package } else { own };
    package.parent().map_or(package.clone(), PathBuf::from)
}

/// What is installed once and shared by all checkouts: `$HUBBUB_CACHE`, else `hubbub` in the user's cache folder.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("HUBBUB_CACHE") {
        return std::path::absolute(folder).context("HUBBUB_CACHE");
    }
    if let Some(folder) = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder).join("hubbub"));
    }
    let home = env::var_os("HOME").context("neither HUBBUB_CACHE nor XDG_CACHE_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/hubbub"))
}

/// Fixtures and peer scripts that are not part of the checkout: `$HUBBUB_SHARED`, else `../shared`; `None` where there are none.
pub fn shared() -> Option<PathBuf> {
    let folder = env::var_os("HUBBUB_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    folder.canonicalize().ok().filter(|folder| folder.is_dir())
}

/// Synapse's Python: `$SYNAPSE_PY`, else in a virtual environment under `$PEER_HOME` (default `~/peer`); `None` where it is missing.
pub fn synapse_python() -> Option<PathBuf> {
    let python = match (env::var_os("SYNAPSE_PY"), env::var_os("PEER_HOME")) {
        (Some(python), _) => PathBuf::from(python),
        (None, Some(peers)) => PathBuf::from(peers).join("synapse/bin/python"),
        (None, None) => PathBuf::from(env::var_os("HOME")?).join("peer/synapse/bin/python"),
    };
    python.is_file().then_some(python)
}

/// A Chromium to test with: `$CHROMIUM`, or Debian's.
pub fn chromium() -> Option<PathBuf> {
    let named = env::var_os("CHROMIUM").map(PathBuf::from);
    let found = named.into_iter().chain(["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(PathBuf::from));
    found.into_iter().find(|path| path.is_file())
}

/// The locked version of a crate, from `Cargo.lock`.
pub fn locked_version(package: &str) -> Result<String> {
    let path = root().join("Cargo.lock");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lock: toml::Table = text.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock lists no packages")?;
    let versions: Vec<&str> = packages
        .iter()
        .filter(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(package))
        .filter_map(|entry| entry.get("version").and_then(toml::Value::as_str))
        .collect();
    match versions.as_slice() {
        [version] => Ok((*version).to_owned()),
        [] => bail!("Cargo.lock does not name {package}"),
        several => bail!("Cargo.lock names {package} {} times", several.len()),
    }
}
