//! User-interactive authentication on its way between the API and the object that decides
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#user-interactive-authentication-api)).
//!
//! A guarded command carries a [`Guard`] and answers a [`Guarded`]. What the authentication is good
//! for, the object derives from the command itself: no endpoint can name it wrongly.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::user::Caller;

/// On whose behalf a guarded command runs, and how the client authenticates it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Guard {
    /// On whose behalf.
    pub caller: Caller,
    /// `auth`; `None`: the client asks which flows there are.
    pub auth: Option<Auth>,
    /// Whether it is an appservice that may do this to its own users without more.
    #[serde(default)]
    pub trusted: bool,
}

/// `auth` of a request.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Auth {
    /// `type`: the stage that is attempted.
    pub stage: Option<String>,
    /// `session`.
    pub session: Option<String>,
    /// The user that the identifier names, as it was typed.
    pub user: Option<String>,
    /// `password`.
    pub password: Option<String>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Auth").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// The outcome of a guarded command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Guarded<T> {
    /// It was carried out.
    Done(T),
    /// The user has yet to authenticate it: the body of the 401.
    Challenge(Map<String, Json>),
}
