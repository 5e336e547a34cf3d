//! The addresses under `/_hubbub/<network>/`, which nobody can guess.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::{context::Context, secrets::equal};

use crate::network::Network;

/// The path of a login's hook. Its last segment is a MAC of the login's id, so that a forged path
/// is refused before any object is called.
pub(crate) fn hook<N: Network>(context: &Context, login_id: &str) -> String {
    format!("/_hubbub/{}/{login_id}/{}", N::ID, hook_mac::<N>(context, login_id))
}

/// Whether a hook's last segment is right for its login.
pub(crate) fn is_hook<N: Network>(context: &Context, login_id: &str, mac: &str) -> bool {
    equal(hook_mac::<N>(context, login_id).as_bytes(), mac.as_bytes())
}

fn hook_mac<N: Network>(context: &Context, login_id: &str) -> String {
    let purpose = format!("{}-hook", N::ID);
    let mac = context.config.secrets.mac(&purpose, login_id.as_bytes());
    URL_SAFE_NO_PAD.encode(mac)
}

/// A one-time link to the page that takes a login's secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The login.
    pub login_id: String,
    /// When it stops working, in milliseconds since the epoch.
    pub expires_at: i64,
    /// What the login remembers until the link was used.
    pub nonce: String,
}

impl Link {
    fn signed(&self) -> String {
        format!("{}.{}.{}", self.login_id, self.expires_at, self.nonce)
    }

    fn mac<N: Network>(&self, context: &Context) -> String {
        let purpose = format!("{}-login-link", N::ID);
        let mac = context.config.secrets.mac(&purpose, self.signed().as_bytes());
        URL_SAFE_NO_PAD.encode(mac)
    }

    /// The link's address.
    pub(crate) fn url<N: Network>(&self, context: &Context) -> String {
        format!("{}/_hubbub/{}/login/{}.{}", context.config.public_url, N::ID, self.signed(), self.mac::<N>(context))
    }

    /// Reads a link that this server made and that has not expired. Whether it was used only the
    /// login knows.
    pub(crate) fn read<N: Network>(context: &Context, text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let link = Self {
            login_id: parts.next()?.to_owned(),
            expires_at: parts.next()?.parse().ok()?,
            nonce: parts.next()?.to_owned(),
        };
        let mac = parts.next()?;
        let valid = parts.next().is_none()
            && equal(link.mac::<N>(context).as_bytes(), mac.as_bytes())
            && link.expires_at > context.clock.now();
        valid.then_some(link)
    }
}
