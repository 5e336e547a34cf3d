//! What an appservice is told of its own user: to-device messages and what is left of keys, for one that
//! encrypts without `/sync` ([MSC2409](https://github.com/matrix-org/matrix-spec-proposals/pull/2409),
//! [MSC4203](https://github.com/matrix-org/matrix-spec-proposals/pull/4203),
//! [MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)). Each only if it registered for it: messages by
//! `receive_ephemeral`, what is left of keys by `org.matrix.msc3202`.
//!
//! The devices' queues are the outbox, and the other end passes over what it had before. What the appservice's object holds is
//! deleted here if it registered for both, and so needs no `/sync`. Many a bridge that only wants receipts reads its messages
//! by `/sync`, so for one with `receive_ephemeral` alone they wait for that all the same, as MSC4203 lets servers do.

use std::rc::Rc;

use hubbub_storage::{
    database::{Transaction, transaction},
    user::{inbox, keys_news, to_device},
};

use super::UserSyncObject;
use crate::{
    context::Appservice,
    contract::{
        Address, Class,
        appservice::{AppserviceCommand, EncryptionNews, ToDeviceMessage},
        call,
        keys_news::DeviceKeyCounts,
    },
    error::Result,
    object::ALARM_DELAY_MS,
};

/// The most messages that are told together.
const MESSAGES: u32 = 100;

impl UserSyncObject {
    /// Whatever the appservice is to be told survives a crash: its users alone pay an alarm for that.
    pub(super) fn arm_for_appservice(&self, transaction: &dyn Transaction) -> Result<()> {
        if self.own_appservice()?.is_some() {
            transaction.set_alarm(self.context.clock.now() + ALARM_DELAY_MS)?;
        }
        Ok(())
    }

    /// Tells the appservice of the user what it does not know yet.
    pub(super) async fn tell_appservice(&self) -> Result<()> {
        let Some(id) = self.own_appservice()? else {
            return Ok(());
        };
        let _held = self.in_flight.lock("appservice").await;
        let counts = keys_news::list_counts(self.query(), self.lists.counts_told())?;
        let told = self.lists.messages_told().unwrap_or(-1);
        if counts.is_empty() && to_device::list_of_all(self.query(), told, 1)?.is_empty() {
            return Ok(());
        }
        let appservices = self.context.appservices.list().await?;
        let receiving = |appservice: &&Rc<dyn Appservice>| appservice.id() == id && appservice.receives();
        let Some(appservice) = appservices.iter().find(receiving) else {
            return Ok(());
        };
        match (appservice.receives_device_lists(), appservice.receives_ephemeral()) {
            (true, true) => {
                self.tell_counts(appservice).await?;
                self.hand_messages_over(appservice).await
            }
            (true, false) => self.tell_counts(appservice).await,
            (false, true) => self.tell_messages_too(appservice).await,
            (false, false) => Ok(()),
        }
    }

    /// Messages that are the appservice's alone.
    async fn hand_messages_over(&self, appservice: &Rc<dyn Appservice>) -> Result<()> {
        while let Some(through) = self.tell_messages(appservice, -1).await? {
            self.context.failpoints.pass("user.appservice_told").await;
            transaction(self.database.as_ref(), |transaction| to_device::delete_all_through(transaction, through))?;
            self.queues.forget();
        }
        Ok(())
    }

    /// Messages that `/sync` shows as well.
    async fn tell_messages_too(&self, appservice: &Rc<dyn Appservice>) -> Result<()> {
        let mut told = match self.lists.messages_told() {
            Some(told) => told,
            // Nothing here says how far it was told before: it knows.
            None => self.tell_these(appservice, Vec::new()).await?,
        };
        while let Some(through) = self.tell_messages(appservice, told).await? {
            told = through;
        }
        self.lists.set_messages_told(told);
        Ok(())
    }

    /// Tells the next messages after a position; returns that of the last one.
    async fn tell_messages(&self, appservice: &Rc<dyn Appservice>, after: i64) -> Result<Option<i64>> {
        let waiting = to_device::list_of_all(self.query(), after, MESSAGES)?;
        let Some(through) = waiting.last().map(|(_, message)| message.pos) else {
            return Ok(None);
        };
        let messages = waiting.into_iter().map(|(device_id, message)| {
            Ok(ToDeviceMessage {
                pos: message.pos,
                device_id,
                sender: message.sender,
                event_type: message.event_type,
                content: serde_json::from_str(&message.content)?,
            })
        });
        self.tell_these(appservice, messages.collect::<Result<_>>()?).await?;
        Ok(Some(through))
    }

    /// Returns through which position the appservice holds them now.
    async fn tell_these(&self, appservice: &Rc<dyn Appservice>, messages: Vec<ToDeviceMessage>) -> Result<i64> {
        let epoch = inbox::get(self.query())?.epoch;
        let news = EncryptionNews::ToDevice { user_id: self.user_id.clone(), epoch, messages };
        self.tell_news(appservice, news).await
    }

    async fn tell_counts(&self, appservice: &Rc<dyn Appservice>) -> Result<()> {
        let changed = keys_news::list_counts(self.query(), self.lists.counts_told())?;
        let Some(pos) = changed.iter().map(|(_, counts)| counts.changed_pos).max() else {
            return Ok(());
        };
        let counts = changed.into_iter().map(|(device_id, counts)| {
            Ok(DeviceKeyCounts {
                device_id: device_id.into(),
                one_time_keys: serde_json::from_str(&counts.one_time_keys)?,
                unused_fallback_keys: serde_json::from_str(&counts.fallback_keys)?,
            })
        });
        let counts = counts.collect::<Result<_>>()?;
        let epoch = inbox::get(self.query())?.epoch;
        let news = EncryptionNews::KeyCounts { user_id: self.user_id.clone(), epoch, pos, counts };
        self.tell_news(appservice, news).await?;
        self.lists.set_counts_told(pos);
        Ok(())
    }

    async fn tell_news(&self, appservice: &Rc<dyn Appservice>, news: EncryptionNews) -> Result<i64> {
        let address = Address::new(Class::Appservice, appservice.id());
        let command = AppserviceCommand::Encryption(Box::new(news));
        call(self.context.objects.as_ref(), address, &command).await
    }
}
