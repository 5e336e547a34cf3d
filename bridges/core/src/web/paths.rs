//! The addresses under `/_hubbub/<network>/`, which nobody can guess.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::{context::Context, secrets::equal};

use crate::network::NetworkFacts;

/// The path of a login's hook. Its last segment is a MAC of the login's id, so that a forged path
/// is refused before any object is called.
pub(crate) fn hook(facts: &NetworkFacts, context: &Context, login_id: &str) -> String {
    format!("/_hubbub/{}/{login_id}/{}", facts.id, hook_mac(facts, context, login_id))
}

/// Whether a hook's last segment is right for its login.
pub(crate) fn is_hook(facts: &NetworkFacts, context: &Context, login_id: &str, mac: &str) -> bool {
    equal(hook_mac(facts, context, login_id).as_bytes(), mac.as_bytes())
}

fn hook_mac(facts: &NetworkFacts, context: &Context, login_id: &str) -> String {
    let purpose = format!("{}-hook", facts.id);
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

    fn mac(&self, facts: &NetworkFacts, context: &Context) -> String {
        let purpose = format!("{}-login-link", facts.id);
        let mac = context.config.secrets.mac(&purpose, self.signed().as_bytes());
        URL_SAFE_NO_PAD.encode(mac)
    }

    /// The link's address.
    pub(crate) fn url(&self, facts: &NetworkFacts, context: &Context) -> String {
        format!(
            "{}/_hubbub/{}/login/{}.{}",
            context.config.public_url,
            facts.id,
            self.signed(),
            self.mac(facts, context)
        )
    }

    /// Reads a link that this server made and that has not expired. Whether it was used only the
    /// login knows.
    pub(crate) fn read(facts: &NetworkFacts, context: &Context, text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let link = Self {
            login_id: parts.next()?.to_owned(),
            expires_at: parts.next()?.parse().ok()?,
            nonce: parts.next()?.to_owned(),
        };
        let mac = parts.next()?;
        let valid = parts.next().is_none()
            && equal(link.mac(facts, context).as_bytes(), mac.as_bytes())
            && link.expires_at > context.clock.now();
        valid.then_some(link)
    }
}
