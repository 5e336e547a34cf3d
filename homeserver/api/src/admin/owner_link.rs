//! `POST /_hubbub/admin/v1/owner-link`
//!
//! Makes a one-time link to the page that sets the owner's password; earlier ones stop working. It
//! expires after a day; only its hash is stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_core::error::Result;
use hubbub_storage::directory::{accounts, owner_links};
use serde::Serialize;

use crate::{answer::Outcome, call::Call, credentials::Admin, pages::owner::token_hash, respond};

/// How long a link can be used.
const LIFETIME_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Serialize)]
struct Body {
    url: String,
    /// Milliseconds since the epoch.
    expires_at: i64,
    /// Whether somebody owns the server already.
    exists: bool,
}

pub(crate) async fn handle(call: Call<Admin>) -> Result<Outcome> {
    let context = &call.context;
    let token = URL_SAFE_NO_PAD.encode(context.random_bytes::<32>());
    let expires_at = context.clock.now() + LIFETIME_MS;
    let directory = &*context.directory;
    owner_links::put(directory, &token_hash(&token), expires_at).await?;
    let exists = accounts::find_owner(directory).await?.is_some();
    respond::json(&Body { url: format!("{}/_hubbub/owner/{token}", context.config.public_url), expires_at, exists })
}
