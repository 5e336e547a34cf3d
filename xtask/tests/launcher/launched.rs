//! `cargo xtask run` as a process of its own.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use xtask::process::read_pid;

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A data folder that is deleted after the test.
pub struct Folder(PathBuf);

/// A launcher that is killed when the test ends.
pub struct Launched {
    pub url: String,
    pub port: u16,
    child: Child,
}

/// The Worker of these tests.
pub fn worker() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worker")
}

/// `GET` of a JSON answer.
pub fn get(url: &str, path: &str) -> Value {
    let mut response = ureq::get(format!("{url}{path}")).call().expect("an answer");
    serde_json::from_str(&response.body_mut().read_to_string().expect("a body")).expect("JSON")
}

/// Waits for something that happens soon.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(15), "{what}");
        sleep(Duration::from_millis(20));
    }
}

impl Folder {
    pub fn new() -> Self {
        let count = FOLDERS.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("hubbub-launcher-{}-{count}", std::process::id())))
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("a file")
    }

    pub fn workerd(&self) -> i32 {
        read_pid(&self.0.join("workerd.pid")).expect("a process id")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _leftover = fs::remove_dir_all(&self.0);
    }
}

impl Launched {
    /// Starts a launcher on a free port, unless `arguments` name one, and waits until it is ready.
    pub fn run(folder: &Folder, arguments: &[&str]) -> Self {
        let mut child = spawn(folder, arguments);
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let ready =
            stdout.lines().map_while(Result::ok).find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let Some(url) = ready else {
            let mut reason = String::new();
            child.stderr.take().expect("stderr").read_to_string(&mut reason).expect("stderr");
            panic!("the launcher ended: {reason}");
        };
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        Self { url, port, child }
    }

    /// Starts a launcher that must refuse; returns what it says.
    pub fn refused(folder: &Folder, arguments: &[&str]) -> String {
        let output = spawn(folder, arguments).wait_with_output().expect("its end");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub fn terminate(mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::TERM).expect("a signal");
        self.child.wait().expect("its end")
    }

    pub fn kill_9(&mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("its end");
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("its end")
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

fn spawn(folder: &Folder, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("run").arg("--worker").arg(worker()).arg("--data").arg(&folder.0).args(arguments);
    if !arguments.contains(&"--port") {
        let port = TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("a port").port();
        command.args(["--port", &port.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a launcher")
}
