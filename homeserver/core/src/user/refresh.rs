//! Sessions: what a use of one leaves behind, and how one is renewed
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#refreshing-access-tokens)).
//!
//! A refresh puts a *pending* session beside the refreshed one. Whichever of the two is used next
//! decides: the new one ends its predecessor with both its tokens; the old refresh token, sent again
//! because the answer was lost, replaces the pending one. So a client is never left without a way in,
//! and no more than two pairs of a device live at once.

use hubbub_storage::{
    database::transaction,
    user::{
        devices,
        sessions::{self, Session},
    },
};

use super::{UserSyncObject, token};
use crate::{
    contract::user::{NewSession, SessionProof},
    error::{MatrixError, Result},
};

/// How long an access token lives that a refresh token belongs to. An hour: each refresh writes
/// rows, and a deleted device's sessions end at once all the same.
pub(super) const ACCESS_TOKEN_LIFETIME_MS: i64 = 60 * 60 * 1_000;

/// A device is noted as seen at most so often.
const SEEN_EVERY_MS: i64 = 30 * 60 * 1_000;

impl UserSyncObject {
    /// The device of a session. 401 `M_UNKNOWN_TOKEN` when it is not (or no longer) there, with
    /// `soft_logout` when only its access token expired.
    pub(super) fn session_device(&self, proof: &SessionProof) -> Result<String> {
        if !self.exists()? {
            return Err(MatrixError::unknown_token());
        }
        let hash = token::hash_secret(&proof.secret);
        let session = sessions::find(self.query(), &hash)?.ok_or_else(MatrixError::unknown_token)?;
        let now = self.context.clock.now();
        if session.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(MatrixError::new(401, "M_UNKNOWN_TOKEN", "This access token has expired; refresh it.")
                .with("soft_logout", true));
        }
        self.note_use(&session, &hash, proof.address.as_deref(), now)?;
        Ok(session.device_id)
    }

    /// Writes only on the first use of a refreshed session, and once in a while that the device was
    /// seen.
    fn note_use(&self, session: &Session, hash: &str, address: Option<&str>, now: i64) -> Result<()> {
        let seen = session.last_seen_ts.is_some_and(|at| now - at < SEEN_EVERY_MS);
        if seen && !session.pending {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| {
            if session.pending {
                sessions::confirm(transaction, &session.device_id, hash)?;
            }
            if !seen {
                devices::touch(transaction, &session.device_id, now, address.and_then(storable))?;
            }
            Ok(())
        })
    }

    /// A new pair of tokens for a refresh token; 401 `M_UNKNOWN_TOKEN` when it is none, or a newer
    /// pair was used already.
    pub(super) fn refresh(&self, secret: &str) -> Result<NewSession> {
        let refused =
            || MatrixError::new(401, "M_UNKNOWN_TOKEN", "This refresh token is not valid any more; log in again.");
        if !self.exists()? {
            return Err(refused());
        }
        let hash = token::hash_secret(secret);
        let refreshed = sessions::find_refreshable(self.query(), &hash)?.ok_or_else(refused)?;
        let tokens = self.new_tokens(true);
        transaction(self.database.as_ref(), |transaction| {
            if refreshed.pending {
                // Its refresh token is used, which ends its predecessor.
                sessions::confirm(transaction, &refreshed.device_id, &refreshed.secret_hash)?;
            }
            let now = self.context.clock.now();
            sessions::add_pending(transaction, &tokens.session(&refreshed.device_id, now), now)
        })?;
        Ok(self.issued(&tokens, &refreshed.device_id))
    }

    /// The secrets of a new session.
    pub(super) fn new_tokens(&self, refreshable: bool) -> Tokens {
        let secret = self.context.random_id();
        let refresh_secret = refreshable.then(|| self.context.random_id());
        Tokens {
            hash: token::hash_secret(&secret),
            refresh_hash: refresh_secret.as_deref().map(token::hash_secret),
            secret,
            refresh_secret,
        }
    }

    /// A session as the client gets it.
    pub(super) fn issued(&self, tokens: &Tokens, device_id: &str) -> NewSession {
        let secrets = &self.context.config.secrets;
        let refresh_token = tokens
            .refresh_secret
            .as_deref()
            .map(|secret| token::issue_for(secrets, token::Purpose::Refresh, &self.user_id, secret));
        NewSession {
            access_token: token::issue(secrets, &self.user_id, &tokens.secret),
            device_id: device_id.to_owned(),
            expires_in_ms: refresh_token.is_some().then_some(ACCESS_TOKEN_LIFETIME_MS),
            refresh_token,
        }
    }
}

/// The secrets of a new session, and the hashes that are stored.
pub(super) struct Tokens {
    secret: String,
    hash: String,
    refresh_secret: Option<String>,
    refresh_hash: Option<String>,
}

impl Tokens {
    /// What is stored of them.
    pub(super) fn session<'a>(&'a self, device_id: &'a str, now: i64) -> sessions::NewSession<'a> {
        sessions::NewSession {
            secret_hash: &self.hash,
            device_id,
            expires_at: self.refresh_hash.is_some().then_some(now + ACCESS_TOKEN_LIFETIME_MS),
            refresh_hash: self.refresh_hash.as_deref(),
        }
    }
}

/// An address worth storing: not what a platform says that knows none.
pub(super) fn storable(address: &str) -> Option<&str> {
    address.parse::<std::net::IpAddr>().is_ok().then_some(address)
}
