//! Pictures that a network fetches without a token: an address of one picture that nobody can guess, since it is signed.
//! It opens a small version of that picture and nothing else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::secrets::{Secrets, equal};

fn mac(secrets: &Secrets, media_id: &str) -> String {
    URL_SAFE_NO_PAD.encode(secrets.mac("public-avatar", media_id.as_bytes()))
}

/// The path of a picture of this server's, by its media id: given out only for what its user shows to everybody.
#[must_use]
pub fn path(secrets: &Secrets, media_id: &str) -> String {
    format!("/_hubbub/avatars/{media_id}/{}", mac(secrets, media_id))
}

/// Whether this server made the address of which this is the last part.
#[must_use]
pub fn is_signed(secrets: &Secrets, media_id: &str, signature: &str) -> bool {
    equal(mac(secrets, media_id).as_bytes(), signature.as_bytes())
}
