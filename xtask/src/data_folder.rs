//! The folder of one embedded server: who it is and its secrets (`config.json`), what it stores (`state/`), and the lock that
//! lets one process at a time use it.
//!
//! The lock is a file that the Node process and workerd inherit, so it is free only when the last process that could write is
//! gone.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose};
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use crate::{
    process::{command_line, is_alive, kill_9, read_pid},
    workspace::root,
};

const DEFAULT_SERVER_NAME: &str = "hubbub.localhost";
/// How long a start waits for the processes of the previous one to be gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

static LENDING: Mutex<()> = Mutex::new(());

/// Who a server is. Written once, readable by its owner alone.
#[derive(Serialize, Deserialize, Clone)]
pub struct Identity {
    /// The part after the colon of every user and alias; part of every event, so it can never change.
    pub server_name: String,
    /// Encrypts what is stored.
    pub master_key: String,
    /// Signs events, in the format of Synapse's key file.
    pub signing_key: String,
    /// Opens the admin endpoints.
    pub admin_token: String,
    /// Opens registration where it is set to `token`.
    pub registration_token: String,
}

/// Where a server that runs can be reached.
#[derive(Serialize, Deserialize)]
pub struct Running {
    /// Its address.
    pub url: String,
    /// The process of `cargo xtask`.
    pub launcher: u32,
    /// The process of Node.
    pub node: u32,
}

/// A data folder that this process holds.
pub struct DataFolder {
    path: PathBuf,
    lock: File,
    /// Deleted when it is dropped.
    temporary: bool,
}

/// The folder that is used where none is named.
pub fn default_path() -> PathBuf {
    root().join(".hubbub")
}

impl Identity {
    /// A new server's identity with fresh secrets.
    pub fn generate(server_name: Option<&str>) -> Result<Self> {
        let server_name = server_name.unwrap_or(DEFAULT_SERVER_NAME);
        check_server_name(server_name)?;
        Ok(Self {
            server_name: server_name.to_owned(),
            master_key: general_purpose::STANDARD.encode(random::<32>()?),
            signing_key: format!(
                "ed25519 a_{} {}",
                random_letters()?,
                general_purpose::STANDARD_NO_PAD.encode(random::<32>()?)
            ),
            admin_token: general_purpose::URL_SAFE_NO_PAD.encode(random::<32>()?),
            registration_token: general_purpose::URL_SAFE_NO_PAD.encode(random::<18>()?),
        })
    }

    /// Reads the identity in `path`, or makes one there. A different server name than the first one is refused.
    pub fn open(path: &Path, server_name: Option<&str>) -> Result<Self> {
        let Some(known) = read_private::<Self>(path)? else {
            let fresh = Self::generate(server_name)?;
            write_private(path, &fresh)?;
            return Ok(fresh);
        };
        match server_name {
            Some(asked) if asked != known.server_name => bail!(
                "this server is {}, and a server's name can never change: it is part of every user, room alias and event. \
                 Use another data folder (--data) for {asked}",
                known.server_name
            ),
            _ => Ok(known),
        }
    }
}

impl DataFolder {
    /// Makes the folder if need be and locks it; refuses while another server uses it.
    pub fn open(path: &Path) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| path.display().to_string())?;
        let path = path.canonicalize()?;
        let lock = OpenOptions::new().create(true).append(true).open(path.join("lock"))?;
        if lock.try_lock().is_err() {
            refuse_if_running(&path)?;
            end_leftovers(&path);
            wait_for(&lock, &path)?;
        }
        Ok(Self { path, lock, temporary: false })
    }

    /// A folder of its own that is deleted afterwards.
    pub fn temporary() -> Result<Self> {
        let name: String = random::<6>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut folder = Self::open(&env::temp_dir().join(format!("hubbub-{name}")))?;
        folder.temporary = true;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who this server is; see [`Identity::open`].
    pub fn identity(&self, server_name: Option<&str>) -> Result<Identity> {
        Identity::open(&self.path.join("config.json"), server_name)
    }

    /// Runs `spawn` so that what it starts inherits the lock.
    pub fn lend_lock<T>(&self, spawn: impl FnOnce() -> Result<T>) -> Result<T> {
        // One at a time, so that no server inherits the lock of another one.
        let _lending = LENDING.lock().unwrap_or_else(PoisonError::into_inner);
        fcntl_setfd(&self.lock, FdFlags::empty())?;
        let outcome = spawn();
        fcntl_setfd(&self.lock, FdFlags::CLOEXEC)?;
        outcome
    }

    /// Keeps the log of a temporary server, for whoever asks why a test failed.
    fn keep_log(&self) -> Result<()> {
        let folder = root().join("target/server-logs");
        fs::create_dir_all(&folder)?;
        let name = self.path.file_name().context("a folder without a name")?;
        fs::copy(self.path.join("server.log"), folder.join(name).with_extension("log"))?;
        Ok(())
    }

    /// Where workerd's process id is written.
    pub fn workerd_pid_path(&self) -> PathBuf {
        self.path.join("workerd.pid")
    }

    /// Writes down that a server runs, for the other commands.
    pub fn set_running(&self, running: &Running) -> Result<()> {
        write_private(&self.path.join("running.json"), running)
    }

    /// Takes that back.
    pub fn set_stopped(&self) {
        // Missing already is as good.
        let _missing = fs::remove_file(self.path.join("running.json"));
        let _missing = fs::remove_file(self.workerd_pid_path());
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary {
            let _log = self.keep_log();
            let _leftover = fs::remove_dir_all(&self.path);
        }
    }
}

/// The server that runs on a data folder, with its admin token.
pub fn find_running(path: &Path) -> Result<(Running, Identity)> {
    let running = read_private::<Running>(&path.join("running.json"))?
        .filter(is_launcher)
        .with_context(|| format!("no server runs on {}: start one with `cargo xtask run`", path.display()))?;
    let identity = read_private::<Identity>(&path.join("config.json"))?.context("config.json is missing")?;
    Ok((running, identity))
}

/// Reads a JSON file; `None` where there is none.
pub fn read_private<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Writes a JSON file that only its owner may read; never leaves half of one behind.
pub fn write_private(path: &Path, value: &impl Serialize) -> Result<()> {
    let staging = path.with_extension("new");
    let _leftover = fs::remove_file(&staging);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staging)?;
    file.write_all(&serde_json::to_vec_pretty(value)?)?;
    file.sync_all()?;
    fs::rename(&staging, path)?;
    Ok(())
}

fn is_launcher(running: &Running) -> bool {
    let Ok(pid) = i32::try_from(running.launcher) else { return false };
    is_alive(pid) && command_line(pid).is_some_and(|line| line.contains("xtask"))
}

fn refuse_if_running(path: &Path) -> Result<()> {
    match read_private::<Running>(&path.join("running.json"))? {
        Some(running) if is_launcher(&running) => {
            bail!("{} is in use by process {} ({})", path.display(), running.launcher, running.url)
        }
        _ => Ok(()),
    }
}

/// Ends what a killed launcher left behind. On Linux nothing is: this is for where workerd cannot be tied to its parent.
fn end_leftovers(path: &Path) {
    let node = read_private::<Running>(&path.join("running.json"))
        .ok()
        .flatten()
        .and_then(|running| i32::try_from(running.node).ok());
    let workerd = read_pid(&path.join("workerd.pid"));
    for (pid, name) in [(node, "server.mjs"), (workerd, "workerd")] {
        if let Some(pid) = pid
            && command_line(pid).is_some_and(|line| line.contains(name))
        {
            kill_9(pid);
        }
    }
}

fn wait_for(lock: &File, path: &Path) -> Result<()> {
    let since = Instant::now();
    while lock.try_lock().is_err() {
        if since.elapsed() > LOCK_PATIENCE {
            bail!("{} is in use by another process", path.display());
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The grammar of a server name: a host with an optional port.
fn check_server_name(name: &str) -> Result<()> {
    let host_character = |character: char| character.is_ascii_alphanumeric() || ".-[]:".contains(character);
    if name.is_empty() || name.len() > 230 || !name.chars().all(host_character) {
        bail!("{name:?} is no server name: expected a host, such as example.org or localhost:8787");
    }
    Ok(())
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(bytes)
}

fn random_letters() -> Result<String> {
    Ok(random::<4>()?.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}
