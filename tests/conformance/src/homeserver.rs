//! The homeserver under test, as the environment names it, and how accounts are made on it.

use std::{env, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{Call, User, call::client_path};

/// A homeserver reached over HTTP.
///
/// | variable | meaning |
/// |---|---|
/// | `HUBBUB_CONFORMANCE_URL` | base URL, such as `http://127.0.0.1:8787`; needed |
/// | `HUBBUB_CONFORMANCE_SERVER_NAME` | its server name; else taken from the first user id |
/// | `HUBBUB_CONFORMANCE_REGISTRATION_TOKEN` | accounts are made with `m.login.registration_token` instead of `m.login.dummy` |
/// | `HUBBUB_CONFORMANCE_AS_TOKEN` | the `as_token` of a registered application service; without it what needs one is skipped |
#[derive(Debug, Clone)]
pub struct Homeserver {
    http: reqwest::Client,
    base: String,
}

impl Homeserver {
    /// The homeserver that the environment names. Panics with what to do when it names none.
    ///
    /// Each test makes its own, since a connection pool must not outlive the runtime of the test that filled it.
    pub fn from_env() -> Self {
        let Some(base) = variable("HUBBUB_CONFORMANCE_URL") else {
            panic!(
                "HUBBUB_CONFORMANCE_URL is not set: it names the homeserver to test, such as http://127.0.0.1:8787 \
                 (`cargo xtask conformance` starts one and sets it)"
            )
        };
        Self::at(&base)
    }

    /// The homeserver at this base URL.
    pub fn at(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            // A busy workerd closes connections on which it has read nothing for five seconds, also those on which a
            // request waits to be read. A new one has fifteen.
            .pool_max_idle_per_host(0)
            .build();
        let Ok(http) = http else { panic!("the HTTP client cannot be made: {http:?}") };
        Self { http, base: base.trim_end_matches('/').to_owned() }
    }

    /// A request without a token to `/_matrix/client/v3/…`.
    pub fn call<const N: usize>(&self, method: Method, parts: [&str; N]) -> Call {
        self.path(method, &client_path(&parts))
    }

    /// A request without a token to a path that is written whole.
    pub fn path(&self, method: Method, path: &str) -> Call {
        Call {
            http: self.http.clone(),
            method,
            base: self.base.clone(),
            path: path.to_owned(),
            query: String::new(),
            token: None,
            content_type: "application/json".to_owned(),
            body: None,
        }
    }

    /// `GET` without a token.
    pub fn get<const N: usize>(&self, parts: [&str; N]) -> Call {
        self.call(Method::GET, parts)
    }

    /// `POST` without a token.
    pub fn post<const N: usize>(&self, parts: [&str; N]) -> Call {
        self.call(Method::POST, parts)
    }

    /// The `auth` object with which an account is made in one single request, without a session.
    pub fn registration_auth(&self) -> Value {
        match variable("HUBBUB_CONFORMANCE_REGISTRATION_TOKEN") {
            Some(token) => json!({"type": "m.login.registration_token", "token": token}),
            None => json!({"type": "m.login.dummy"}),
        }
    }

    /// A new account whose localpart starts with `name`.
    pub async fn register(&self, name: &str) -> User {
        let username = random_name(name);
        let password = format!("secret of {username}");
        let body = json!({"auth": self.registration_auth(), "username": username, "password": password});
        let account = self.post(["register"]).json(body).await.ok();
        User::from_answer(self, &account, &password)
    }

    /// The own user of the application service that the environment names; `None`, said aloud, where it names none.
    pub async fn appservice(&self) -> Option<User> {
        let Some(token) = variable("HUBBUB_CONFORMANCE_AS_TOKEN") else {
            println!("skipped: HUBBUB_CONFORMANCE_AS_TOKEN names no application service");
            return None;
        };
        let me = self.get(["account", "whoami"]).token(&token).await.ok();
        let me = json!({"user_id": me["user_id"], "device_id": "none", "access_token": token});
        Some(User::from_answer(self, &me, ""))
    }

    /// Logs in with a password; `extra` is merged into the request (`device_id`, say). `user` is a user id or localpart.
    pub fn login(&self, user: &str, password: &str, extra: Value) -> Call {
        let mut body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user},
            "password": password,
        });
        if let (Some(body), Value::Object(extra)) = (body.as_object_mut(), extra) {
            body.extend(extra);
        }
        self.post(["login"]).json(body)
    }

    /// The name of this server as far as the environment tells it.
    pub(crate) fn configured_name(&self) -> Option<String> {
        variable("HUBBUB_CONFORMANCE_SERVER_NAME")
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A name that no other run on the same server has used.
pub fn random_name(start: &str) -> String {
    format!("{start}-{:016x}", rand::random::<u64>())
}
