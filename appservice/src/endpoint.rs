//! Where a third-party appservice is reached, as its AppserviceObject needs it.

use hubbub_core::context::Context;
use hubbub_storage::directory::appservices;
use serde::{Deserialize, Serialize};

use ruma::api::appservice::Namespaces;

use crate::tokens;

/// A registration as D1 holds it: JSON, without its tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredRegistration {
    pub(crate) url: Option<String>,
    pub(crate) sender_localpart: String,
    pub(crate) namespaces: Namespaces,
    #[serde(default)]
    pub(crate) rate_limited: Option<bool>,
    #[serde(default)]
    pub(crate) protocols: Vec<String>,
    #[serde(default)]
    pub(crate) receive_ephemeral: bool,
    #[serde(default)]
    pub(crate) unstable_ephemeral: bool,
    #[serde(default)]
    pub(crate) device_lists: bool,
    #[serde(default)]
    pub(crate) manages_devices: bool,
}

/// The address of an appservice and the token that proves to it who we are.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) hs_token: String,
    /// Whether it reads `de.sorunome.msc2409.ephemeral`.
    pub(crate) unstable_ephemeral: bool,
}

/// What is known of an appservice's address.
pub(crate) enum Lookup {
    /// There is no such registration.
    Unregistered,
    /// It registered without a URL: it wants no traffic.
    WithoutUrl,
    /// It is reached here.
    At(Endpoint),
}

/// Reads an appservice's address from D1. The error says what to log.
pub(crate) async fn load(context: &Context, id: &str) -> Result<Lookup, String> {
    let row = appservices::get(context.directory.as_ref(), id).await.map_err(|error| error.to_string())?;
    let Some(row) = row else {
        return Ok(Lookup::Unregistered);
    };
    let stored: StoredRegistration = serde_json::from_str(&row.registration).map_err(|error| error.to_string())?;
    let Some(url) = stored.url else {
        return Ok(Lookup::WithoutUrl);
    };
    let hs_token =
        tokens::decrypt(&context.config.secrets, id, &row.hs_token_enc).map_err(|error| error.to_string())?;
    Ok(Lookup::At(Endpoint { url, hs_token, unstable_ephemeral: stored.unstable_ephemeral }))
}
