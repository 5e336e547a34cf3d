//! Where the room is listed, and the limits that it shares with the other portals of its login.

use hubbub_core::error::Result;
use ruma::OwnedRoomId;
use serde_json::json;

use super::PortalObject;
use crate::{
    contract::{LoginCommand, PlacesCommand},
    network::{RemoteChannel, rank},
};

impl PortalObject {
    /// The space for a channel's room: its heading's, or the whole login's.
    pub(super) async fn space_of(&self, channel: &RemoteChannel) -> Result<OwnedRoomId> {
        if channel.path.is_empty() {
            return self.ask_login(&LoginCommand::Space).await;
        }
        let (channel, path) = (self.row()?.channel, channel.path.clone());
        self.ask_login(&LoginCommand::Places(PlacesCommand::Space { channel, path })).await
    }

    /// Lists the room in a space.
    pub(super) async fn list_in(&self, space: &OwnedRoomId, channel: &RemoteChannel) -> Result<()> {
        let mut child = json!({ "via": [self.context.config.server_name] });
        if let (false, Some(fields)) = (channel.path.is_empty(), child.as_object_mut()) {
            fields.insert("order".to_owned(), rank(channel.order).into());
        }
        self.matrix.bot().send_state(space, "m.space.child", self.room_id()?.as_str(), &child, None).await?;
        Ok(())
    }

    /// The channel stands under another heading, or elsewhere under its own.
    pub(super) async fn move_room(&self, known: &RemoteChannel, now: &RemoteChannel) -> Result<()> {
        let ids = |channel: &RemoteChannel| channel.path.iter().map(|place| place.id.clone()).collect::<Vec<_>>();
        let moved = ids(known) != ids(now);
        if !moved && known.order == now.order {
            return Ok(());
        }
        let room = self.room_id()?;
        let bot = self.matrix.bot();
        // Asked before the login hears of the new place.
        let before = if moved { Some(self.space_of(known).await?) } else { None };
        let space = self.space_of(now).await?;
        self.list_in(&space, now).await?;
        if let Some(before) = before.filter(|before| *before != space) {
            let parent = json!({ "via": [self.context.config.server_name], "canonical": true });
            bot.send_state(&room, "m.space.parent", space.as_str(), &parent, None).await?;
            bot.send_state(&room, "m.space.parent", before.as_str(), &json!({}), None).await?;
            bot.send_state(&before, "m.space.child", room.as_str(), &json!({}), None).await?;
        }
        Ok(())
    }

    /// Tells the login what this object's calls came to, where that concerns the others.
    pub(super) async fn share_limits(&self) {
        let (hold_until, refused) = (self.network.held_until(), self.network.take_refused());
        if self.row.borrow().is_none() || hold_until <= self.now().max(self.told_hold.get()) && refused == 0 {
            return;
        }
        let command = LoginCommand::Places(PlacesCommand::Limits { hold_until, refused });
        match self.ask_login::<i64>(&command).await {
            Ok(until) => {
                self.told_hold.set(hold_until);
                self.hold(until);
            }
            Err(error) => tracing::info!(portal.id = %self.portal_id, "A limit was not shared: {error}"),
        }
    }

    /// No call before this moment.
    pub(super) fn hold(&self, until: i64) {
        self.told_hold.set(self.told_hold.get().max(until));
        self.network.hold(until);
    }
}
