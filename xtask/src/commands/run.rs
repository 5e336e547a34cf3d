//! `cargo xtask run`: one command from a bare machine to a server that answers.

pub mod demo;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use self::demo::FakeSlack;
use super::owner_link;
use crate::{
    data_folder::{DataFolder, default_path},
    embedded::{Embedded, Options, Registration, Switch},
    progress::{note, print},
    tools::Tools,
    worker::{self, ProfileOptions},
};

/// Install what is missing, build, and serve on this machine
#[derive(Args)]
pub struct Run {
    /// The port on 127.0.0.1
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// The part after the colon of every user; fixed at the first start [default: hubbub.localhost]
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Where the server keeps its data and secrets [default: .hubbub in the checkout]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The address at which clients and webhooks reach the server, where that is not this machine's (a tunnel or a proxy)
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Who may register
    #[arg(long, value_enum, default_value_t)]
    registration: Registration,
    /// The version of rooms that ask for none, 2 to 12 [default: 12]
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(2..=12))]
    default_room_version: Option<u8>,
    /// Limits on logins and requests
    #[arg(long, value_enum, default_value_t = Switch::On)]
    rate_limits: Switch,
    /// Start a fake Slack whose people talk in a channel, bridge it, and print a login; its data is kept apart, in .hubbub/demo
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    profile: ProfileOptions,
    /// Serve a Worker that is built already, for tests of the launcher
    #[arg(long, value_name = "DIR", hide = true)]
    worker: Option<PathBuf>,
}

impl Run {
    /// Serves until Ctrl-C, SIGTERM or SIGHUP.
    pub fn run(self) -> Result<ExitCode> {
        let tools = Tools::install()?;
        let worker = match &self.worker {
            Some(folder) => folder.clone(),
            None => worker::build(&tools, self.profile.profile())?,
        };
        let path =
            self.data.clone().unwrap_or_else(|| if self.demo { default_path().join("demo") } else { default_path() });
        let data = Arc::new(DataFolder::open(&path)?);
        // Refuses a wrong name before anything is started.
        data.identity(self.server_name.as_deref())?;

        let stop = stop_signal()?;
        note(format_args!("data in {}", data.path().display()));
        let slack = if self.demo { Some(FakeSlack::start(&tools, data.path())?) } else { None };
        let mut server = Embedded::start(&tools, &worker, data, &self.options(slack.as_ref()), |text| note(text))?;
        print(format_args!("ready {}", server.url));
        match &slack {
            Some(slack) => slack.connect(&server)?.announce(&server),
            None => what_next(&server, self.registration)?,
        }
        print("\nCtrl-C stops the server; its data stays.");
        serve(&mut server, &stop)?;
        note("stopping");
        server.stop();
        Ok(ExitCode::SUCCESS)
    }

    fn options(&self, slack: Option<&FakeSlack>) -> Options {
        Options {
            port: Some(self.port),
            server_name: self.server_name.clone(),
            public_url: self.public_url.clone(),
            registration: self.registration,
            default_room_version: self.default_room_version.map(|version| version.to_string()),
            rate_limits: self.rate_limits,
            slack_api_url: slack.map(FakeSlack::api_url),
            // The fake is on loopback.
            private_addresses: if slack.is_some() { Switch::On } else { Switch::Off },
            ..Options::default()
        }
    }
}

/// A flag that the first stop signal sets; a second one ends the process at once.
fn stop_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn serve(server: &mut Embedded, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        if server.has_ended()? {
            bail!("the server ended by itself: see {}", server.log_path().display());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn what_next(server: &Embedded, registration: Registration) -> Result<()> {
    print(format_args!("\nServer name   {}", server.identity.server_name));
    print(format_args!("Homeserver    {}   (enter this address in a Matrix client)", server.url));
    print(format_args!("Log           {}", server.log_path().display()));
    if matches!(registration, Registration::Token) {
        print(format_args!("Registration  token {}", server.identity.registration_token));
    }
    let link = owner_link::request(&server.admin())?;
    if link.owner_exists {
        print("\nForgot the owner's password? `cargo xtask owner-link` makes a new one-time link.");
    } else {
        print(format_args!("\nNext: open this one-time link to choose the owner's name and password:\n  {}", link.url));
        print("Afterwards `cargo xtask slack connect start` connects Slack.");
    }
    Ok(())
}
