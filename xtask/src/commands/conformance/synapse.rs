//! A Synapse on loopback with a database of its own, through `peers/synapse.sh` of the shared folder.

use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    admin::Admin,
    process::{terminate, tied},
    progress::note,
};

const START_PATIENCE: Duration = Duration::from_secs(60);

/// A Synapse that ends, with its data, when this is dropped.
pub struct Synapse {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The part after the colon of its users.
    pub server_name: String,
    child: Child,
    folder: PathBuf,
}

impl Synapse {
    /// Starts one and returns once it answers.
    pub fn start(python: &Path, shared: &Path) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = env::temp_dir().join(format!("hubbub-synapse-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let registered = folder.join("conformance.yaml");
        fs::write(&registered, super::registration())?;
        fs::write(
            folder.join("extra.yaml"),
            format!("app_service_config_files: [{:?}]\n", registered.display().to_string()),
        )?;
        let server_name = "synapse.localhost".to_owned();
        let mut command = Command::new("bash");
        command.arg(shared.join("peers/synapse.sh")).arg(&server_name).arg(&folder).arg(port.to_string());
        command.env("SYNAPSE_PY", python).env("FOREGROUND", "1");
        let child = tied(command)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("out.txt"))?)
            .stderr(File::create(folder.join("errors.txt"))?)
            .spawn()?;
        let mut synapse = Self { url: format!("http://127.0.0.1:{port}"), server_name, child, folder };
        synapse.await_answer()?;
        note(format_args!("Synapse answers at {}", synapse.url));
        Ok(synapse)
    }

    fn await_answer(&mut self) -> Result<()> {
        let client = Admin::new(&self.url, "");
        let since = Instant::now();
        while !client.is_up() {
            if since.elapsed() > START_PATIENCE || self.child.try_wait()?.is_some() {
                let errors = fs::read_to_string(self.folder.join("errors.txt")).unwrap_or_default();
                bail!("Synapse did not start:\n{errors}");
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Synapse {
    fn drop(&mut self) {
        terminate(&mut self.child);
        let _leftover = fs::remove_dir_all(&self.folder);
    }
}
