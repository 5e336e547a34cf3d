//! Builds the Worker (`homeserver/worker`) with `worker-build`, and skips that when nothing it is made of has changed.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::{process::run, progress::step, tools::Tools, workspace::root};

/// What the Worker is made of, relative to the checkout.
const SOURCES: [&str; 6] = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "homeserver", "appservice", "bridges"];
const CRATE: &str = "homeserver/worker";

/// How the Worker is built.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build, slow to run, with debug assertions.
    Dev,
    /// What is deployed and measured.
    #[default]
    Release,
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }
}

/// The options that choose a profile.
#[derive(Args, Clone, Copy, Default)]
pub struct ProfileOptions {
    /// Build quickly, without optimisation
    #[arg(long, conflicts_with = "release")]
    dev: bool,
    /// Build as for a deployment (the default)
    #[arg(long)]
    release: bool,
}

impl ProfileOptions {
    /// The profile that was asked for.
    pub const fn profile(self) -> Profile {
        if self.dev && !self.release { Profile::Dev } else { Profile::Release }
    }
}

/// Builds the Worker if its sources changed since the last time; returns the folder with `index.js` and the wasm.
pub fn build(tools: &Tools, profile: Profile) -> Result<PathBuf> {
    let folder = root().join(CRATE).join("build").join(profile.name());
    step(&format!("Worker ({})", profile.name()), || {
        fs::create_dir_all(root().join(CRATE).join("build"))?;
        // Beside the output folder, since worker-build replaces that.
        let lock = File::create(folder.with_extension("lock"))?;
        lock.lock()?;
        let stamp = folder.with_extension("sha256");
        let sources = fingerprint()?;
        let built = fs::read_to_string(&stamp).is_ok_and(|known| known == sources);
        if built && folder.join("index.js").is_file() {
            return Ok("unchanged");
        }
        let mut command = tools.worker_build()?;
        command.arg(format!("--{}", profile.name())).current_dir(root().join(CRATE));
        command.arg("--out-dir").arg(Path::new("build").join(profile.name()));
        if profile == Profile::Dev {
            command.arg("--no-opt");
        }
        run(&mut command)?;
        if profile == Profile::Release {
            strip(tools, &folder)?;
        }
        fs::write(&stamp, sources)?;
        Ok("built")
    })?;
    Ok(folder)
}

/// Takes the functions' names out, a twelfth of what is uploaded. A panic says its place in the source all the same.
fn strip(tools: &Tools, folder: &Path) -> Result<()> {
    let program = folder.join("index_bg.wasm");
    let mut command = tools.wasm_opt();
    command.args(["--all-features", "--strip-debug", "--strip-producers"]).arg(&program).arg("-o").arg(&program);
    run(&mut command)
}

/// A hash over names and contents of everything the Worker is made of.
fn fingerprint() -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&root().join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in files {
        hash.update(path.to_string_lossy().as_bytes());
        hash.update(fs::read(&path).with_context(|| path.display().to_string())?);
        hash.update([0]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name();
        // Tests are not in the Worker; `build` is its output.
        if name == "build" || name == "tests" || name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        collect(&entry.path(), files)?;
    }
    Ok(())
}
