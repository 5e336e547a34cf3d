//! The bundled bridges as appservices: registrations that are part of the program.
//!
//! Each has two. The first is the bridge itself, with exclusive namespaces for its ghosts and
//! aliases; it receives in process. The second is its *double puppet*: no URL, receives nothing, and
//! is interested in exactly the users who hold a login of the bridge's network, so that it may act
//! as them (`?user_id=`, `?ts=`) when they write on the other side. Their tokens are derived from the
//! master key: nothing is stored, and nothing has to be renewed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::secrets::Secrets;
use ruma::{
    ServerName,
    api::appservice::{Namespace, Namespaces},
};

/// One bundled bridge.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// The id of its registration, like `slack`; names its AppserviceObject.
    pub id: String,
    /// The localpart of its bot.
    pub sender_localpart: String,
    /// Its namespaces.
    pub namespaces: Namespaces,
    /// Whether it receives typing and receipts.
    pub receive_ephemeral: bool,
    /// The network in D1's `bridge_logins` whose login holders the double puppet may act as.
    pub network: String,
}

impl Builtin {
    /// A bridge of the given id (also its network) whose ghosts and aliases of this server all
    /// start with `prefix`, like `_slack_`, and whose bot is `sender_localpart`.
    pub fn with_prefix(id: &str, sender_localpart: &str, prefix: &str, server_name: &ServerName) -> Self {
        let all = |sigil: &str| {
            let regex = format!("{sigil}{}.*:{}", regex::escape(prefix), regex::escape(server_name.as_str()));
            vec![Namespace::new(true, regex)]
        };
        let mut namespaces = Namespaces::new();
        namespaces.users = all("@");
        namespaces.aliases = all("#");
        Self {
            id: id.to_owned(),
            sender_localpart: sender_localpart.to_owned(),
            namespaces,
            receive_ephemeral: false,
            network: id.to_owned(),
        }
    }

    /// The id of its double puppet's registration.
    pub fn double_puppet_id(&self) -> String {
        double_puppet_id(&self.id)
    }

    /// The localpart of its double puppet's own bot, which nobody ever sees.
    pub(crate) fn double_puppet_localpart(&self) -> String {
        format!("{}_double_puppet", self.sender_localpart)
    }
}

/// The id of the double puppet's registration of the bundled bridge `id`.
pub fn double_puppet_id(id: &str) -> String {
    format!("{id}-double-puppet")
}

/// The `as_token` of a bundled registration (a bridge's id or its [`double_puppet_id`]). Derived,
/// never stored: whoever has the master key has it.
pub fn builtin_token(secrets: &Secrets, id: &str) -> String {
    let mac = secrets.mac("as-token", id.as_bytes());
    format!("as_{}", URL_SAFE_NO_PAD.encode(mac))
}
