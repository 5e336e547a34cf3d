//! Pushers ([spec](https://spec.matrix.org/v1.11/client-server-api/#push-notifications)): who is told
//! what when the user is not looking.
//!
//! A pusher's row is its queue: what it has not been told yet are the unread events above its
//! cursor, so a message costs a row only once it is told, and what was read elsewhere meanwhile is
//! never told. [`next`] finds what is due, [`notification`] says it, [`deliver`] sends it.

mod deliver;
mod next;
mod notification;

use hubbub_storage::{
    database::{Query, Transaction, transaction},
    directory::pushkeys,
    user::{
        inbox,
        pushers::{self, Pusher},
        timeline,
    },
};
use ruma::OwnedUserId;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{UserSyncObject, account_data::ignored_users, unread::UnreadEvents};
use crate::{
    contract::{
        Address, call,
        people::{NewPusher, PeopleCommand},
        user::{Caller, UserCommand},
    },
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// The most pushers of one user.
const MAX_PUSHERS: usize = 100;

impl UserSyncObject {
    /// The pushers as clients see them.
    pub(super) fn list_pushers(&self, caller: &Caller) -> Result<Vec<Box<RawValue>>> {
        self.check(caller)?;
        let pushers = pushers::list(self.query())?;
        pushers.into_iter().map(|pusher| Ok(RawValue::from_string(pusher.settings)?)).collect()
    }

    /// Makes or replaces a pusher. A new one is told of what comes from now on; one that is set
    /// again goes on where it was, and is tried again at once.
    pub(super) async fn set_pusher(&self, caller: &Caller, new: &NewPusher) -> Result<()> {
        let device = self.check(caller)?.device;
        let device_id = matches!(caller, Caller::Session(_)).then_some(device);
        let is_new = transaction(self.database.as_ref(), |transaction| {
            pushers::delete_dead(transaction)?;
            let query = transaction.as_query();
            let held = pushers::get(query, &new.app_id, &new.pushkey)?;
            let is_new = held.is_none();
            if is_new && pushers::count(query)? >= MAX_PUSHERS {
                return Err(MatrixError::new(429, "M_LIMIT_EXCEEDED", "There are too many pushers; delete some."));
            }
            let now = self.context.clock.now();
            let pusher = match held {
                Some(held) => Pusher {
                    device_id: device_id.clone(),
                    settings: new.settings.get().to_owned(),
                    set_at: now,
                    failures: 0,
                    retry_at: 0,
                    ..held
                },
                None => Pusher {
                    app_id: new.app_id.clone(),
                    pushkey: new.pushkey.clone(),
                    device_id: device_id.clone(),
                    settings: new.settings.get().to_owned(),
                    set_at: now,
                    cursor_pos: inbox::get(query)?.position,
                    cursor_key: timeline::END,
                    badge: self.badge(query)?,
                    failures: 0,
                    retry_at: 0,
                },
            };
            pushers::put(transaction, &pusher)?;
            transaction.set_alarm(now + ALARM_DELAY_MS)?;
            Ok(is_new)
        })?;
        self.take_key_from_others(new, is_new).await
    }

    /// Without `append`, nobody else may go on with the same key: the phone has a new owner.
    async fn take_key_from_others(&self, new: &NewPusher, is_new: bool) -> Result<()> {
        let directory = self.context.directory.as_ref();
        let key_hash = key_hash(&new.app_id, &new.pushkey);
        let mut others = Vec::new();
        if !new.append {
            others = pushkeys::list_others(directory, &key_hash, self.user_id.as_str()).await?;
        }
        for other in &others {
            let other = OwnedUserId::try_from(other.as_str()).map_err(MatrixError::internal)?;
            let drop = PeopleCommand::DropPusher { app_id: new.app_id.clone(), pushkey: new.pushkey.clone() };
            let command = UserCommand::People(Box::new(drop));
            let () = call(self.context.objects.as_ref(), Address::user(&other), &command).await?;
        }
        if is_new || !others.is_empty() {
            pushkeys::put(directory, &key_hash, self.user_id.as_str(), !new.append).await?;
        }
        Ok(())
    }

    /// Deletes a pusher on a client's behalf.
    pub(super) async fn delete_pusher(&self, caller: &Caller, app_id: &str, pushkey: &str) -> Result<()> {
        self.check(caller)?;
        self.drop_pusher(app_id, pushkey)?;
        self.forget_key(app_id, pushkey).await;
        Ok(())
    }

    /// Deletes a pusher, if it is there.
    pub(super) fn drop_pusher(&self, app_id: &str, pushkey: &str) -> Result<()> {
        if !self.exists()? || pushers::get(self.query(), app_id, pushkey)?.is_none() {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| pushers::delete(transaction, app_id, pushkey))?;
        Ok(())
    }

    /// Tidies D1 up. A row that stays does no harm: whoever takes the key asks for what is not there.
    async fn forget_key(&self, app_id: &str, pushkey: &str) {
        let directory = self.context.directory.as_ref();
        let forgotten = pushkeys::delete(directory, &key_hash(app_id, pushkey), self.user_id.as_str()).await;
        if let Err(error) = forgotten {
            tracing::warn!(user.id = %self.user_id, "D1 still lists a push key: {error}");
        }
    }

    /// Something that pushers are told of has changed in this transaction. Writes nothing but the
    /// alarm, and that only if there is a pusher.
    pub(super) fn queue_push(&self, transaction: &dyn Transaction) -> Result<()> {
        if pushers::count(transaction.as_query())? > 0 {
            self.idle.set(false);
            transaction.set_alarm(self.context.clock.now() + ALARM_DELAY_MS)?;
        }
        Ok(())
    }

    /// What the badge of the user's application shows: unread messages, and invites.
    fn badge(&self, query: &dyn Query) -> Result<i64> {
        let mut badge: u64 = 0;
        for unread in pushers::list_unread(query)? {
            badge = badge.saturating_add(UnreadEvents::parse(&unread)?.total().notifications);
        }
        let ignored = ignored_users(query)?;
        let invites = pushers::list_inviters(query)?;
        let wanted = invites.iter().filter(|inviter| inviter.as_ref().is_none_or(|inviter| !ignored.contains(inviter)));
        badge = badge.saturating_add(u64::try_from(wanted.count()).unwrap_or_default());
        i64::try_from(badge).map_err(MatrixError::internal)
    }
}

/// How D1 knows a push key: not by itself, which is the secret to send something to the device.
fn key_hash(app_id: &str, pushkey: &str) -> String {
    let digest = Sha256::new().chain_update(app_id).chain_update([0]).chain_update(pushkey).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
