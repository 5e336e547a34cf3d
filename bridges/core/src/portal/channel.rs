//! What becomes of the channel itself: names, topics, archives, people who leave.
//!
//! Whatever the network tells of it only leads to a look at what the channel is now, and so does Cron now and then.

use hubbub_core::error::Result;
use hubbub_storage::{
    directory::bridges::{self, PortalRecord},
    portal::care,
};
use serde_json::{Value as Json, json};

use super::{PortalObject, inbound::Effect, make::OWNER_POWER};
use crate::{
    contract::RemotePerson,
    network::{RemoteChannel, RemoteError},
};

impl PortalObject {
    /// Asks what the channel is now, and has the room follow; returns its name.
    pub(super) async fn refresh(&self) -> Result<Option<String>> {
        if !self.is_active() {
            return Ok(None);
        }
        let access = self.access(Some(self.facts().channel_method)).await?;
        let Some(token) = access.token.as_ref().filter(|_| access.wait_ms == 0) else { return Ok(None) };
        match self.network.channel(&token.0, &self.row()?.channel).await {
            Ok(channel) => {
                self.follow(&channel).await?;
                if let Some(last_read) = &channel.last_read {
                    self.read_there(last_read).await?;
                }
                Ok(Some(channel.name))
            }
            Err(RemoteError::Refused(code)) if self.network.is_gone(&code) => {
                self.set_read_only(true).await?;
                Ok(None)
            }
            Err(RemoteError::BadCredentials(reason)) => {
                self.token_refused(&reason, &access).await?;
                Ok(None)
            }
            Err(error) => {
                tracing::info!(portal.id = %self.portal_id, "A channel was not described: {}", error.sentence());
                Ok(None)
            }
        }
    }

    /// As [`Self::refresh`]; what fails is made up for when Cron comes by.
    pub(super) async fn refresh_if_possible(&self) {
        if let Err(error) = self.refresh().await {
            tracing::info!(portal.id = %self.portal_id, "A channel was not described: {error}");
        }
    }

    async fn follow(&self, now: &RemoteChannel) -> Result<()> {
        let known = self.details()?;
        let is_named = !now.kind.is_private_chat();
        if is_named && now.name != known.name {
            self.rename("m.room.name", "name", &known.name, &now.name).await?;
        }
        let topic = |channel: &RemoteChannel| channel.topic.clone().unwrap_or_default();
        if topic(now) != topic(&known) {
            self.rename("m.room.topic", "topic", &topic(&known), &topic(now)).await?;
        }
        self.set_rights(now).await?;
        self.move_room(&known, now).await?;
        let same =
            (&now.name, &now.topic, &now.path, now.order) == (&known.name, &known.topic, &known.path, known.order);
        if same && now.own_only == known.own_only {
            return Ok(());
        }
        let details = serde_json::to_string(now)?;
        self.write_quietly(|row| row.details = Some(details))?;
        let row = self.row()?;
        let record = PortalRecord {
            portal_id: &self.portal_id,
            login_id: &row.login_id,
            remote_id: &row.channel,
            kind: &row.kind,
            room_id: row.room_id.as_deref(),
            name: Some(&now.name),
        };
        self.context.directory.batch(vec![bridges::put_portal(&record, self.now())]).await?;
        Ok(())
    }

    /// Gives the room another name or topic, unless its owner chose one.
    async fn rename(&self, kind: &str, field: &str, old: &str, new: &str) -> Result<()> {
        let room = self.room_id()?;
        let bot = self.matrix.bot();
        let current = bot.get_state(&room, kind, "").await?;
        let current = current.as_ref().and_then(|content| content.get(field)).and_then(Json::as_str);
        if current.unwrap_or_default() != old {
            return Ok(());
        }
        bot.send_state(&room, kind, "", &json!({ field: new }), None).await?;
        Ok(())
    }

    /// What the owner may do at the network, as the room's levels.
    pub(super) async fn set_rights(&self, now: &RemoteChannel) -> Result<()> {
        let room = self.room_id()?;
        let bot = self.matrix.bot();
        let needed: i64 = if now.own_only { OWNER_POWER.saturating_add(1) } else { 50 };
        // Only who had to be told otherwise once is asked again.
        if now.own_only != self.details()?.own_only || now.own_only {
            let levels = bot.get_state(&room, "m.room.power_levels", "").await?;
            if let Some(Json::Object(mut levels)) = levels
                && levels.get("redact").and_then(Json::as_i64).unwrap_or(50) != needed
            {
                levels.insert("redact".to_owned(), needed.into());
                bot.send_state(&room, "m.room.power_levels", "", &Json::Object(levels), None).await?;
            }
        }
        self.set_read_only(now.read_only).await
    }

    /// Nobody can write in an archived channel, one that is gone or that the owner left: nor in its room.
    async fn set_read_only(&self, read_only: bool) -> Result<()> {
        if care::get(self.database.as_query())?.read_only == read_only {
            return Ok(());
        }
        let room = self.room_id()?;
        let bot = self.matrix.bot();
        if let Some(Json::Object(mut levels)) = bot.get_state(&room, "m.room.power_levels", "").await? {
            let needed = if read_only { OWNER_POWER.saturating_add(1) } else { 0 };
            levels.insert("events_default".to_owned(), needed.into());
            bot.send_state(&room, "m.room.power_levels", "", &Json::Object(levels), None).await?;
        }
        let title = self.facts().title;
        let text = match read_only {
            true => format!(
                "At {title} nobody can write here any more, or you cannot: the channel was archived or is gone. What was said stays."
            ),
            false => format!("At {title} the channel is open again."),
        };
        self.say(&format!("read-only-{read_only}-{}", self.now()), &text, None).await?;
        let mut care = care::get(self.database.as_query())?;
        care.read_only = read_only;
        self.commit(false, |transaction| Ok(care::put(transaction, &care)?))
    }

    /// Somebody left the channel, and their ghost leaves the room.
    pub(super) async fn leave(&self, person: &RemotePerson) -> Result<Option<Effect>> {
        let ghosts = self.ghosts_of(vec![person.clone()]).await?;
        let Some(ghost) = ghosts.first() else { return Ok(None) };
        match self.matrix.ghost(&ghost.user_id).leave(&self.room_id()?).await {
            // It was not there.
            Err(error) if error.status != 403 && error.status != 404 => return Err(error.into()),
            _ => {}
        }
        self.joined.borrow_mut().remove(ghost.user_id.as_str());
        Ok(Some(Effect::Left(ghost.user_id.to_string())))
    }
}
