//! The UserKeysObject: the keys that one local user's devices publish, and the backups that only
//! they can read ([spec](https://spec.matrix.org/v1.11/client-server-api/#end-to-end-encryption)).
//!
//! `upload` takes device keys, `claim` hands one-time keys out, `show` says what others see;
//! `cross_signing` and `signatures` are about who vouches for whom, `backup` about stored room keys.
//! `news` tells the user's UserSyncObject and D1 of changes. Who may write is decided before, in
//! [`crate::user`]'s `keys`: a UserKeysObject knows no sessions.

mod backup;
mod claim;
mod cross_signing;
pub(crate) mod dehydrated;
mod news;
mod show;
mod signatures;
mod upload;

use std::{cell::Cell, rc::Rc};

use futures_util::future::LocalBoxFuture;
use hubbub_storage::{
    database::{Database, Query, Transaction, transaction},
    keys::{self, State},
    schema,
};
use ruma::{OwnedUserId, UserId};

use crate::{
    context::Context,
    contract::{encode, keys::KeysCommand},
    error::{MatrixError, Result},
    object::{ALARM_DELAY_MS, InFlight, Object},
};

/// The keys of one local user.
pub struct UserKeysObject {
    user_id: OwnedUserId,
    database: Rc<dyn Database>,
    context: Rc<Context>,
    in_flight: InFlight,
    /// Whether anything was ever written here.
    exists: Cell<bool>,
    /// Whether D1 was asked for keys that an empty object should have.
    sought: Cell<bool>,
}

impl Object for UserKeysObject {
    type Command = KeysCommand;

    fn open(name: &str, database: Rc<dyn Database>, context: Rc<Context>) -> Result<Self> {
        let user_id = UserId::parse(name).map_err(MatrixError::invalid_param)?;
        let exists = schema::version(database.as_query())? > 0;
        if exists {
            schema::migrate(database.as_ref(), keys::SCHEMA)?;
        }
        Ok(Self {
            user_id,
            database,
            context,
            in_flight: InFlight::default(),
            exists: Cell::new(exists),
            sought: Cell::new(false),
        })
    }

    fn handle(&self, command: KeysCommand) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        Box::pin(self.carry_out(command))
    }

    fn work(&self) -> LocalBoxFuture<'_, Option<i64>> {
        Box::pin(self.do_work())
    }
}

impl UserKeysObject {
    async fn carry_out(&self, command: KeysCommand) -> Result<Vec<u8>> {
        self.recover().await?;
        match command {
            KeysCommand::Upload { device_id, display_name, keys, generation } => {
                let counts = self.upload(&device_id, display_name, &keys, generation)?;
                self.context.failpoints.pass("keys.uploaded").await;
                // The caller's next `/sync` shows the new counts; if that fails, the alarm repeats it.
                self.tell_soon().await;
                encode(&counts)
            }
            KeysCommand::Query { viewer, device_ids } => encode(&self.show(&viewer, &device_ids)?),
            KeysCommand::Claim { devices } => encode(&self.claim(&devices)?),
            KeysCommand::SetCrossSigning { keys, authorised } => {
                let outcome = self.set_cross_signing(&keys, authorised)?;
                self.tell_soon().await;
                encode(&outcome)
            }
            KeysCommand::Sign { objects } => {
                let failures = self.sign(objects).await?;
                self.tell_soon().await;
                encode(&failures)
            }
            KeysCommand::SignedBy { signer, user_signing_key, objects } => {
                let failures = self.signed_by(&signer, &user_signing_key, &objects)?;
                self.tell_soon().await;
                encode(&failures)
            }
            KeysCommand::DeleteDevices { device_ids, generation } => {
                encode(&self.delete_devices(&device_ids, generation)?)
            }
            KeysCommand::RenameDevice { device_id, display_name } => {
                encode(&self.rename_device(&device_id, display_name)?)
            }
            KeysCommand::Close => encode(&self.close()?),
            KeysCommand::Backup(command) => self.handle_backup(command),
            KeysCommand::PutDehydrated { device, generation } => {
                self.put_dehydrated(&device, generation)?;
                self.tell_soon().await;
                encode(&())
            }
            KeysCommand::GetDehydrated => encode(&self.get_dehydrated()?),
            KeysCommand::Poke => {
                self.do_work().await;
                encode(&())
            }
        }
    }

    fn query(&self) -> &dyn Query {
        self.database.as_query()
    }

    /// Whether anything was ever written here: until then there is not even a table.
    fn exists(&self) -> bool {
        self.exists.get()
    }

    /// Runs a change in one transaction, in which it is also noted who must hear of it. 403
    /// `M_USER_DEACTIVATED` when the account was ended.
    fn change<T>(&self, mut work: impl FnMut(&dyn Transaction, &mut Change) -> Result<T>) -> Result<T> {
        if !self.exists() {
            schema::migrate(self.database.as_ref(), keys::SCHEMA)?;
            self.exists.set(true);
        }
        let now = self.context.clock.now();
        transaction(self.database.as_ref(), |transaction| {
            let before = keys::get(transaction.as_query())?;
            if before.closed {
                return Err(MatrixError::new(403, "M_USER_DEACTIVATED", "This account was deactivated."));
            }
            let mut change = Change { state: before.clone() };
            let value = work(transaction, &mut change)?;
            if change.state != before {
                change.state.waiting_since = match change.state.is_idle() {
                    true => None,
                    false => before.waiting_since.or(Some(now)),
                };
                keys::put(transaction, &change.state)?;
                if before.is_idle() && !change.state.is_idle() {
                    transaction.set_alarm(now + ALARM_DELAY_MS)?;
                }
            }
            Ok(value)
        })
    }
}

/// What a transaction has to note besides what it changed.
struct Change {
    state: State,
}

impl Change {
    /// The keys of a device changed, in a way that everyone who sees them must hear.
    fn device(&mut self, device_id: &str) {
        let version = self.next_version();
        self.state.list_version = version;
        self.state.unmirrored.insert(device_id.to_owned(), version);
    }

    /// The cross-signing keys, or signatures of them, changed.
    fn cross_signing(&mut self) {
        self.device(keys::mirror::CROSS_SIGNING);
    }

    /// One-time or fallback keys of a device came or went.
    fn counts(&mut self, device_id: &str) {
        let version = self.next_version();
        self.state.counts.insert(device_id.to_owned(), version);
    }

    /// 500 for what was sent before a device went and arrives after: its sender is told to repeat it,
    /// and by then knows.
    fn must_be_of(&self, generation: i64) -> Result<()> {
        if generation < self.state.generation {
            return Err(MatrixError::internal("an upload that was overtaken by the deletion of a device"));
        }
        Ok(())
    }

    fn next_version(&mut self) -> i64 {
        self.state.version += 1;
        self.state.version
    }
}
