//! The end of a portal with its room: everybody leaves, and it is listed nowhere any more.
//!
//! Each step may be done again, so that a deletion that stopped half-way goes on when it is asked for again.

use hubbub_core::error::Result;
use hubbub_storage::{
    directory::bridges::{self, PortalRecord},
    portal as store,
};
use ruma::{RoomId, UserId};
use serde_json::json;

use super::{PortalObject, make::Step};
use crate::matrix::is_ours;

impl PortalObject {
    /// Ends the portal and empties its room.
    pub(super) async fn delete(&self) -> Result<()> {
        let row = self.row()?;
        if !row.closed {
            self.write_quietly(|row| row.closed = true)?;
            self.drop_outbound()?;
        }
        if row.room_id.is_none() {
            return Ok(());
        }
        let room = self.room_id()?;
        self.matrix.unroute(&room).await?;
        let space = self.space_of(&self.details()?).await?;
        self.matrix.bot().send_state(&space, "m.space.child", room.as_str(), &json!({}), None).await?;
        self.matrix.bot().delete_alias(&self.matrix.alias(&self.portal_id)?).await?;
        self.empty(&room).await?;
        let record = PortalRecord {
            portal_id: &self.portal_id,
            login_id: &row.login_id,
            remote_id: &row.channel,
            kind: &row.kind,
            room_id: None,
            name: None,
        };
        let statements = vec![bridges::put_portal(&record, self.now()), bridges::delete_messages(&self.portal_id)];
        self.context.directory.batch(statements).await?;
        self.forget_room()
    }

    /// Removes everybody, the bot last.
    async fn empty(&self, room: &RoomId) -> Result<()> {
        let bot = self.matrix.bot();
        let members = match bot.joined_members(room).await {
            // The bot has left it already.
            Err(error) if error.status == 403 => return Ok(()),
            members => members?,
        };
        let bot_id = self.matrix.bot_id()?;
        for user in members.keys().filter(|user| **user != bot_id) {
            self.remove(room, user).await?;
        }
        match bot.leave(room).await {
            Err(error) if error.status != 403 => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn remove(&self, room: &RoomId, user: &UserId) -> Result<()> {
        let left = match is_ours(self.facts(), &self.context.config.server_name, user.as_str()) {
            true => self.matrix.ghost(user).leave(room).await,
            false => self.matrix.bot().kick(room, user, Some("The room is not bridged any more.")).await,
        };
        match left {
            Err(error) if error.status != 403 => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn forget_room(&self) -> Result<()> {
        self.write_with(
            |row| {
                row.room_id = None;
                row.details = None;
                row.step = Step::Describe.as_str().to_owned();
            },
            |transaction| Ok(store::forget_room(transaction)?),
        )?;
        self.inbound.borrow_mut().clear();
        self.parked.forget();
        self.incoming.forget();
        self.joined.borrow_mut().clear();
        self.has_mirror.set(false);
        self.mark_at.set(None);
        Ok(())
    }
}
