//! Accounts, sessions and devices
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#client-authentication)).

use hubbub_storage::{
    database::{Transaction, transaction},
    schema,
    user::{self, account::Account, inbox, key_jobs, sessions},
};

use super::{
    UserSyncObject,
    account_data::ignored_user_ids,
    deactivate::deactivated_user,
    password,
    refresh::{Tokens, storable},
};
use crate::{
    contract::{
        encode,
        room::Profile,
        user::{Authenticated, LoginWith, NewDevice, NewSession, SessionProof, UserCommand},
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// Failed logins that are let through at once.
const FAILURES_ALLOWED: i64 = 5;
/// After so many milliseconds one failed login is forgiven.
const FORGIVEN_AFTER_MS: i64 = 30_000;
/// The most devices of one user.
pub(super) const MAX_DEVICES: i64 = 1_000;
/// The most bytes of a device id or a device's name.
pub(super) const MAX_DEVICE_BYTES: usize = 512;

/// Failed logins, of which one is forgiven from time to time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FailedLogins {
    count: i64,
    at: i64,
}

impl FailedLogins {
    /// How many are not forgiven yet, and since when that many.
    fn now(self, now: i64) -> Self {
        let forgiven = (now - self.at).max(0) / FORGIVEN_AFTER_MS;
        if forgiven >= self.count {
            return Self { count: 0, at: now };
        }
        Self { count: self.count - forgiven, at: self.at + forgiven * FORGIVEN_AFTER_MS }
    }

    /// 429 `M_LIMIT_EXCEEDED` when there were too many.
    fn check(self, now: i64) -> Result<()> {
        let current = self.now(now);
        if current.count < FAILURES_ALLOWED {
            return Ok(());
        }
        let wait = (current.at + FORGIVEN_AFTER_MS - now).max(1);
        Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "Too many failed logins; wait before you try again.")
            .with("retry_after_ms", wait))
    }

    fn one_more(self, now: i64) -> Self {
        let current = self.now(now);
        Self { count: current.count + 1, at: current.at }
    }
}

impl UserSyncObject {
    pub(super) async fn handle_account(&self, command: UserCommand) -> Result<Vec<u8>> {
        match command {
            UserCommand::CreateAccount { password, device, owner, appservice } => {
                let account = self.new_account(password.as_deref(), owner, appservice)?;
                encode(&self.create_account(account, device).await?)
            }
            UserCommand::Login { with, device } => encode(&self.login(&with, &device)?),
            UserCommand::SetPassword { password } => encode(&self.set_password(&password).await?),
            UserCommand::Authenticate { session, writes } => encode(&self.authenticate(&session, writes)?),
            UserCommand::Logout { session, all } => {
                self.logout(&session, all)?;
                self.tell_keys_soon().await;
                encode(&())
            }
            _ => Err(MatrixError::internal("a command that is handled elsewhere")),
        }
    }

    fn new_account(&self, password: Option<&str>, owner: bool, appservice_id: Option<String>) -> Result<Account> {
        if self.exists()? {
            return Err(user_in_use());
        }
        Ok(Account {
            owner,
            appservice_id,
            password_hash: password.map(|password| self.hash(password)).transpose()?,
            created_at: self.context.clock.now(),
            displayname: None,
            avatar_url: None,
            revision: 0,
            mirrored: -1,
            failures: 0,
            failed_at: 0,
            deactivated_at: None,
            erased: false,
        })
    }

    pub(super) fn hash(&self, password: &str) -> Result<String> {
        password::hash(password, &self.context.random_bytes())
    }

    async fn create_account(&self, account: Account, device: Option<NewDevice>) -> Result<Option<NewSession>> {
        let device = device.map(|device| self.new_session(&device)).transpose()?;
        schema::migrate(self.database.as_ref(), user::SCHEMA)?;
        let session = transaction(self.database.as_ref(), |transaction| {
            if user::account::get(transaction.as_query())?.is_some() {
                return Err(user_in_use());
            }
            user::account::put(transaction, &account)?;
            inbox::create(transaction, self.new_epoch())?;
            transaction.set_alarm(account.created_at + ALARM_DELAY_MS)?;
            device.as_ref().map(|opening| self.open_session(transaction, opening)).transpose()
        })?;
        self.context.failpoints.pass("user.account_made").await;
        self.mirror().await?;
        Ok(session)
    }

    /// A random number that tells this inbox from every other.
    fn new_epoch(&self) -> i64 {
        let [a, b, c, d, e, f] = self.context.random_bytes::<6>();
        i64::from_be_bytes([0, 0, a, b, c, d, e, f]).max(1)
    }

    fn login(&self, with: &LoginWith, device: &NewDevice) -> Result<NewSession> {
        let opening = self.new_session(device)?;
        let account = self.account()?;
        match with {
            LoginWith::Password(password) => self.check_password(account.as_ref(), password)?,
            LoginWith::Appservice(id) => {
                if account.as_ref().is_some_and(|account| account.deactivated_at.is_some()) {
                    return Err(deactivated_user());
                }
                let own =
                    account.is_some_and(|account| account.appservice_id.is_none_or(|appservice| appservice == *id));
                if !own {
                    return Err(MatrixError::forbidden("The appservice has not registered this user."));
                }
            }
            LoginWith::Token(_) if account.is_none() => {
                return Err(MatrixError::forbidden("This login token is not valid."));
            }
            // Used up together with the session's opening.
            LoginWith::Token(_) => {}
        }
        transaction(self.database.as_ref(), |transaction| {
            if let LoginWith::Token(secret) = with {
                self.take_login_token(transaction, secret)?;
            }
            self.open_session(transaction, &opening)
        })
    }

    /// Refuses a wrong password with 403, and after too many of them any with 429. An account that
    /// does not exist takes the same time and gives the same answers, but stores nothing.
    pub(super) fn check_password(&self, account: Option<&Account>, password: &str) -> Result<()> {
        let now = self.context.clock.now();
        let failed = account.map_or_else(
            || *self.decoy.borrow(),
            |account| FailedLogins { count: account.failures, at: account.failed_at },
        );
        if self.context.config.rate_limits {
            failed.check(now)?;
        }
        let hash = account.and_then(|account| account.password_hash.as_deref());
        let right = password::verify(password, hash)?;
        let after = if right { FailedLogins::default() } else { failed.one_more(now) };
        match account {
            None => *self.decoy.borrow_mut() = after,
            // A login that succeeds first time writes nothing here.
            Some(account) if after.count != account.failures => {
                let account = Account { failures: after.count, failed_at: after.at, ..account.clone() };
                transaction(self.database.as_ref(), |transaction| user::account::put(transaction, &account))?;
            }
            Some(_) => {}
        }
        if right { Ok(()) } else { Err(MatrixError::forbidden("Invalid username or password.")) }
    }

    async fn set_password(&self, password: &str) -> Result<()> {
        match self.account()? {
            None => {
                let account = self.new_account(Some(password), true, None)?;
                self.create_account(account, None).await?;
            }
            Some(account) if account.deactivated_at.is_some() => return Err(deactivated_user()),
            Some(account) => {
                let account = Account { password_hash: Some(self.hash(password)?), failures: 0, ..account };
                transaction(self.database.as_ref(), |transaction| user::account::put(transaction, &account))?;
            }
        }
        Ok(())
    }

    fn authenticate(&self, session: &SessionProof, writes: bool) -> Result<Authenticated> {
        let device_id = self.session_device(session)?;
        if writes {
            self.count_write()?;
        }
        let account = self.account()?.ok_or_else(MatrixError::unknown_token)?;
        self.seen_active(&device_id)?;
        Ok(Authenticated {
            user_id: self.user_id.clone(),
            device_id,
            owner: account.owner,
            profile: Profile { displayname: account.displayname, avatar_url: account.avatar_url },
            ignored: if writes { Vec::new() } else { ignored_user_ids(self.query())? },
        })
    }

    fn logout(&self, session: &SessionProof, all: bool) -> Result<()> {
        let device_id = self.session_device(session)?;
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| {
            if all {
                key_jobs::add_all_gone(transaction, None, now)?;
                sessions::delete_all(transaction, None)?;
            } else {
                key_jobs::add_gone(transaction, std::slice::from_ref(&device_id), now)?;
                sessions::delete_devices(transaction, std::slice::from_ref(&device_id))?;
            }
            transaction.set_alarm(now + ALARM_DELAY_MS)
        })?;
        self.queues.forget();
        Ok(())
    }

    fn new_session(&self, device: &NewDevice) -> Result<Opening> {
        let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > MAX_DEVICE_BYTES);
        if too_long(&device.device_id) || too_long(&device.display_name) {
            return Err(MatrixError::invalid_param(format_args!(
                "A device id or name may have at most {MAX_DEVICE_BYTES} bytes."
            )));
        }
        let device_id = match &device.device_id {
            Some(device_id) if device_id.is_empty() => {
                return Err(MatrixError::invalid_param("A device id cannot be empty."));
            }
            Some(device_id) => device_id.clone(),
            None => self.random_device_id(),
        };
        Ok(Opening {
            tokens: self.new_tokens(device.refreshable),
            device_id,
            display_name: device.display_name.clone(),
            address: device.address.clone(),
        })
    }

    /// Ten random capital letters: short enough to be read out.
    fn random_device_id(&self) -> String {
        self.context.random_bytes::<10>().iter().map(|byte| char::from(b'A' + byte % 26)).collect()
    }

    fn open_session(&self, transaction: &dyn Transaction, opening: &Opening) -> Result<NewSession> {
        let query = transaction.as_query();
        if !sessions::has_device(query, &opening.device_id)? && sessions::count_devices(query)? >= MAX_DEVICES {
            return Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "There are too many devices; log some of them out."));
        }
        let now = self.context.clock.now();
        let session = opening.tokens.session(&opening.device_id, now);
        let address = opening.address.as_deref().and_then(storable);
        sessions::open(transaction, &session, opening.display_name.as_deref(), address, now)?;
        Ok(self.issued(&opening.tokens, &opening.device_id))
    }
}

/// A session that is about to be opened.
struct Opening {
    tokens: Tokens,
    device_id: String,
    display_name: Option<String>,
    address: Option<String>,
}

fn user_in_use() -> MatrixError {
    MatrixError::new(400, "M_USER_IN_USE", "This username is taken.")
}
