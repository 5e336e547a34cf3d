//! Child processes: running one to its end, and looking at or ending one by its number.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const TERMINATION_PATIENCE: Duration = Duration::from_secs(10);

/// Runs a command to its end; its failure is an error that names it.
pub fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} cannot be started"))?;
    if !status.success() {
        bail!("{name} failed: {status}");
    }
    Ok(())
}

/// Runs a command to its end and returns what it wrote to stdout.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    if !output.status.success() {
        bail!("{name} failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} did not write UTF-8"))
}

/// A command that ends with this process, even if that is killed, where the machine has `setpriv` (util-linux).
pub fn tied(command: Command) -> Command {
    let has_setpriv = Command::new("setpriv").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_setpriv.is_ok_and(|status| status.success()) {
        return command;
    }
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "TERM", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    tied
}

/// A program that prints `ready URL` once it serves; ended when this is dropped.
pub struct Served {
    child: Child,
    /// Its address.
    pub url: String,
}

impl Served {
    /// Starts it and waits for its line.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Some(url) = line.trim().strip_prefix("ready ") else {
            terminate(&mut child);
            bail!("{name} did not say that it is ready");
        };
        Ok(Self { url: url.to_owned(), child })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        terminate(&mut self.child);
    }
}

/// Ends a child in order, or by force where it does not listen.
pub fn terminate(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, Signal::TERM);
    }
    let since = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && since.elapsed() < TERMINATION_PATIENCE {
        sleep(Duration::from_millis(20));
    }
    let _ended = child.kill();
    let _ended = child.wait();
}

/// The process id that a file holds; `None` where there is no such file or number.
pub fn read_pid(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether a process with this id runs.
pub fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// The command line of a process, to recognise it before ending it: numbers are used again.
pub fn command_line(pid: i32) -> Option<String> {
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).replace('\0', " ")),
        Err(_) => output(Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()])).ok(),
    }
}

/// `kill -9`. A process that is gone already is no error.
pub fn kill_9(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _gone = kill_process(pid, Signal::KILL);
    }
}
