//! Short-lived tokens for one purpose: to log in another device once, and to prove to a third party
//! who the user is. Only hashes are stored, here, where they are used up: no copy elsewhere guards them.

use hubbub_storage::{
    database::{Transaction, transaction},
    user::credentials::{self, Grant},
};

use super::{UserSyncObject, token};
use crate::{
    contract::{
        account::ShortToken,
        uia::{Guard, Guarded},
        user::Caller,
    },
    error::{MatrixError, Result},
};

/// How long a login token lives: it is carried to another device at once.
const LOGIN_TOKEN_LIFETIME_MS: i64 = 2 * 60 * 1_000;
/// How long an OpenID token lives.
const OPENID_TOKEN_LIFETIME_MS: i64 = 60 * 60 * 1_000;
/// The most tokens of a purpose that live at once; the first to expire give way.
const MOST_GRANTS: i64 = 50;

const LOGIN: &str = "login";
const OPENID: &str = "openid";

impl UserSyncObject {
    /// A token with which another device can log in once.
    pub(super) fn login_token(&self, guard: &Guard) -> Result<Guarded<ShortToken>> {
        self.guarded(guard, "login token", || {
            self.grant(&guard.caller, token::Purpose::Login, LOGIN, LOGIN_TOKEN_LIFETIME_MS)
        })
    }

    /// Uses a login token up; 403 `M_FORBIDDEN` when it is not good any more.
    pub(super) fn take_login_token(&self, transaction: &dyn Transaction, secret: &str) -> Result<()> {
        let now = self.context.clock.now();
        if credentials::take_grant(transaction, &token::hash_secret(secret), LOGIN, now)? {
            return Ok(());
        }
        Err(MatrixError::forbidden("This login token was used already, or its time is over."))
    }

    /// A token that proves to a third party who the user is.
    pub(super) fn openid_token(&self, caller: &Caller) -> Result<ShortToken> {
        self.grant(caller, token::Purpose::OpenId, OPENID, OPENID_TOKEN_LIFETIME_MS)
    }

    /// 401 `M_UNKNOWN_TOKEN` unless the OpenID token holds.
    pub(super) fn check_openid_token(&self, secret: &str) -> Result<()> {
        let now = self.context.clock.now();
        if self.exists()? && credentials::has_grant(self.query(), &token::hash_secret(secret), OPENID, now)? {
            return Ok(());
        }
        Err(MatrixError::unknown_token())
    }

    fn grant(
        &self,
        caller: &Caller,
        purpose: token::Purpose,
        stored_purpose: &str,
        lifetime_ms: i64,
    ) -> Result<ShortToken> {
        let device_id = self.check(caller)?.device;
        let secret = self.context.random_id();
        let hash = token::hash_secret(&secret);
        let now = self.context.clock.now();
        let grant =
            Grant { secret_hash: &hash, purpose: stored_purpose, device_id: &device_id, expires_at: now + lifetime_ms };
        transaction(self.database.as_ref(), |transaction| {
            credentials::put_grant(transaction, &grant, now, MOST_GRANTS)
        })?;
        let secrets = &self.context.config.secrets;
        let token = token::issue_for(secrets, purpose, &self.user_id, &secret);
        Ok(ShortToken { token, expires_in_ms: lifetime_ms })
    }
}
