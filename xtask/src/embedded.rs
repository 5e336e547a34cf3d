//! The embedded server: Miniflare and workerd in a child process (`xtask/embedded/server.mjs`), with the Worker and its data.
//!
//! [`Embedded::start`] serves; dropping it stops it. Tests can kill workerd ([`Embedded::kill_workerd`]), tick a cron and start
//! again on the same data.

mod options;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::json;

pub use self::options::{Options, Registration, Switch};
use crate::{
    admin::Admin,
    data_folder::{DataFolder, Identity, Running},
    process::{kill_9, read_pid},
    tools::Tools,
    workspace::root,
    wrangler_config::WranglerConfig,
};

const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(10);
const RESTART_PATIENCE: Duration = Duration::from_secs(30);
const TICK_PATIENCE: Duration = Duration::from_secs(120);
/// How much of the log an error shows.
const LOG_TAIL: u64 = 4_000;

/// A server that runs until this is dropped.
pub struct Embedded {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// Who the server is, with its secrets.
    pub identity: Identity,
    data: Arc<DataFolder>,
    child: Child,
    commands: Option<ChildStdin>,
    events: Receiver<Event>,
}

/// What `server.mjs` tells.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Migrated { binding: String, applied: Vec<String> },
    Started,
    Ticked { cron: String },
    Failed { message: String },
}

impl Embedded {
    /// Starts a server on a data folder with the Worker in `worker`, and returns once it answers. `progress` hears of each step.
    pub fn start(
        tools: &Tools,
        worker: &Path,
        data: Arc<DataFolder>,
        options: &Options,
        progress: impl Fn(&str),
    ) -> Result<Self> {
        let identity = data.identity(options.server_name.as_deref())?;
        let port = choose_port(options.port)?;
        let url = format!("http://127.0.0.1:{port}");
        let log_path = data.path().join("server.log");
        // The previous run's log is kept: it says why that one ended.
        let _first_run = fs::rename(&log_path, data.path().join("server.log.1"));

        let mut command = tools.script(&root().join("xtask/embedded/server.mjs"), &[])?;
        command
            .env("MINIFLARE_WORKERD_PATH", root().join("xtask/embedded/workerd.sh"))
            .env("HUBBUB_WORKERD", tools.workerd()?)
            .env("HUBBUB_WORKERD_PID", data.workerd_pid_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log_path)?)
            // Ctrl-C reaches this process alone, which then stops the server in order.
            .process_group(0);
        let mut child = data.lend_lock(|| command.spawn().context("Node cannot be started"))?;
        data.set_running(&Running { url: url.clone(), launcher: std::process::id(), node: child.id() })?;
        let commands = child.stdin.take();
        let events = child.stdout.take().map(listen).context("Node has no stdout")?;
        let mut server = Self { url, identity, data, child, commands, events };

        let config = options::server_options(&WranglerConfig::read()?, worker, port, &server, options)?;
        server.command(&config)?;
        progress("workerd starts");
        server.await_started(&progress).map_err(|error| server.with_log(error))?;
        server.await_answer(START_PATIENCE).map_err(|error| server.with_log(error))?;
        Ok(server)
    }

    /// The admin endpoints of this server.
    pub fn admin(&self) -> Admin {
        Admin::new(&self.url, &self.identity.admin_token)
    }

    /// The folder with its data, log and secrets.
    pub fn data_path(&self) -> &Path {
        self.data.path()
    }

    /// Whether the server's process has ended by itself.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Where the log of this run is.
    pub fn log_path(&self) -> PathBuf {
        self.data.path().join("server.log")
    }

    /// `kill -9` of workerd, as a crash would. Miniflare starts it again: see [`Embedded::await_restart`].
    pub fn kill_workerd(&self) -> Result<i32> {
        let pid = read_pid(&self.data.workerd_pid_path()).context("workerd has written no process id")?;
        kill_9(pid);
        Ok(pid)
    }

    /// Waits until a workerd other than `killed` answers.
    pub fn await_restart(&mut self, killed: i32) -> Result<()> {
        let since = Instant::now();
        while read_pid(&self.data.workerd_pid_path()) == Some(killed) {
            if since.elapsed() > RESTART_PATIENCE {
                bail!("workerd was not started again within {} s", RESTART_PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.await_answer(RESTART_PATIENCE).map_err(|error| self.with_log(error))
    }

    /// Runs a cron of `wrangler.toml` now and waits for its end.
    pub fn tick(&mut self, cron: &str) -> Result<()> {
        self.command(&json!({"do": "tick", "cron": cron}))?;
        let since = Instant::now();
        while since.elapsed() < TICK_PATIENCE {
            match self.events.recv_timeout(TICK_PATIENCE)? {
                Event::Ticked { cron: ticked } if ticked == cron => return Ok(()),
                Event::Failed { message } => bail!(message),
                Event::Ticked { .. } | Event::Migrated { .. } | Event::Started => {}
            }
        }
        bail!("the cron {cron} did not end")
    }

    /// Stops the server; its data folder, still locked, can be started again.
    pub fn stop(self) -> Arc<DataFolder> {
        Arc::clone(&self.data)
    }

    fn command(&mut self, command: &serde_json::Value) -> Result<()> {
        let stdin = self.commands.as_mut().context("the server is stopping")?;
        writeln!(stdin, "{command}").context("the server's process is gone")?;
        Ok(())
    }

    fn await_started(&mut self, progress: impl Fn(&str)) -> Result<()> {
        let since = Instant::now();
        while since.elapsed() < START_PATIENCE {
            match self.events.recv_timeout(START_PATIENCE) {
                Ok(Event::Started) => return Ok(()),
                Ok(Event::Migrated { binding, applied }) if applied.is_empty() => {
                    progress(&format!("D1 {binding} is up to date"))
                }
                Ok(Event::Migrated { binding, applied }) => {
                    progress(&format!("D1 {binding}: applied {}", applied.join(", ")))
                }
                Ok(Event::Failed { message }) => bail!(message),
                Ok(Event::Ticked { .. }) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("the server's process ended"),
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        bail!("the server did not start within {} s", START_PATIENCE.as_secs())
    }

    fn await_answer(&mut self, patience: Duration) -> Result<()> {
        let admin = self.admin();
        let since = Instant::now();
        while !admin.is_up() {
            if self.has_ended()? {
                bail!("the server's process ended");
            }
            if since.elapsed() > patience {
                bail!("the server does not answer GET /_matrix/client/versions");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn shut_down(&mut self) {
        // The end of its stdin stops the server.
        self.commands = None;
        let since = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if since.elapsed() > STOP_PATIENCE {
                let _ended = self.child.kill();
                let _ended = self.child.wait();
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.data.set_stopped();
    }

    fn with_log(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("log ({}):\n{}", self.log_path().display(), tail(&self.log_path()).unwrap_or_default()))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn listen(stdout: ChildStdout) -> Receiver<Event> {
    let (sender, events) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str(&line) else { continue };
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    events
}

/// The port that was asked for, which must be free, or any free one.
fn choose_port(asked: Option<u16>) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", asked.unwrap_or(0)));
    match (listener, asked) {
        (Ok(listener), _) => Ok(listener.local_addr()?.port()),
        (Err(_), Some(port)) => bail!("port {port} is in use: choose another one with --port"),
        (Err(error), None) => Err(error.into()),
    }
}

fn tail(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
