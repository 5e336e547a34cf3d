//! The servers under test, as the environment names them.
//!
//! | prefix | the server |
//! |---|---|
//! | `HUBBUB_` | for tests that run at once: open registration, no limits, failpoints |
//! | `HUBBUB_ALONE_` | the same, for tests that count what is billed or break everything: one at a time |
//! | `HUBBUB_STRICT_` | as a user would run it: closed registration, limits |
//!
//! Each has `…URL`, `…SERVER_NAME` and `…ADMIN_TOKEN`. `HUBBUB_SLACK_WORLDS` is what all three call in place of Slack.

use std::{env, ops::Deref, time::Duration};

use hubbub_conformance::{Homeserver, User};
use tokio::sync::{Mutex, MutexGuard};

static ALONE: Mutex<()> = Mutex::const_new(());
static REGISTRATION: Mutex<()> = Mutex::const_new(());

/// A running server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its base URL.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its Matrix side.
    pub homeserver: Homeserver,
    /// For requests that are not Matrix's.
    pub http: reqwest::Client,
    pub(crate) admin_token: String,
}

/// A server that nobody else uses while this lives.
pub struct Alone {
    server: Server,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Alone {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Server {
    /// The server that tests share.
    pub fn shared() -> Self {
        Self::named("HUBBUB_")
    }

    /// The server of one test at a time; waits until it is free.
    pub async fn alone() -> Alone {
        let turn = ALONE.lock().await;
        Alone { server: Self::named("HUBBUB_ALONE_"), _turn: turn }
    }

    /// The server as a user would run it.
    pub fn strict() -> Self {
        Self::named("HUBBUB_STRICT_")
    }

    fn named(prefix: &str) -> Self {
        let url = variable(&format!("{prefix}URL"));
        // Each test makes its own: a connection pool must not outlive the runtime of the test that filled it.
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(60)).pool_idle_timeout(Duration::from_secs(2));
        Self {
            homeserver: Homeserver::at(&url),
            http: http.build().expect("an HTTP client"),
            name: variable(&format!("{prefix}SERVER_NAME")),
            admin_token: variable(&format!("{prefix}ADMIN_TOKEN")),
            url,
        }
    }

    /// A new account. One is made at a time: hashing a password keeps workerd busy for so long that many at once would
    /// starve its sockets.
    pub async fn user(&self, name: &str) -> User {
        let _turn = REGISTRATION.lock().await;
        self.homeserver.register(name).await
    }

    /// The address of a path.
    pub fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

pub(crate) fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: `cargo xtask test --only embedded` starts the servers and sets it")
    })
}
