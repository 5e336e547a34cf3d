//! The rooms that belong to a whole login: the workspace's space, and the owner's direct chats.

use hubbub_core::error::{MatrixError, Result};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::{Value as Json, json};

use super::LoginObject;

impl LoginObject {
    /// The space of the workspace; a reserved alias makes sure that there is only one.
    pub(super) async fn space(&self) -> Result<OwnedRoomId> {
        let _turn = self.locks.lock("space").await;
        let row = self.row()?;
        if let Some(space) = row.space_id {
            return OwnedRoomId::try_from(space).map_err(MatrixError::internal);
        }
        let owner = self.owner()?;
        let alias_name = format!("space_{}", self.login_id);
        let name = row.team_name.unwrap_or_else(|| self.facts().title.to_owned());
        let body = json!({
            "preset": "private_chat",
            "name": name,
            "topic": format!("Your {} {}", self.facts().title, self.facts().words.team),
            "creation_content": { "type": "m.space", "m.federate": false },
            "invite": [owner],
            "power_level_content_override": { "events_default": 50, "users": { owner.as_str(): 95 } },
        });
        let space = self.matrix.create_room(&alias_name, body).await?;
        self.matrix.bring_owner(&owner, &space).await?;
        self.write(|row| row.space_id = Some(space.to_string()))?;
        self.refresh_icon().await;
        Ok(space)
    }

    /// Lists a room as a direct chat in the owner's account data
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#mdirect)).
    pub(super) async fn mark_direct(&self, room: &RoomId, with: &[OwnedUserId]) -> Result<()> {
        let _turn = self.locks.lock("direct").await;
        let owner = self.owner()?;
        let intent = self.matrix.owner(&owner);
        let mut direct = match intent.get_account_data(None, "m.direct").await? {
            Some(Json::Object(direct)) => direct,
            _ => serde_json::Map::new(),
        };
        let mut changed = false;
        for user in with {
            let rooms = direct.entry(user.to_string()).or_insert_with(|| Json::Array(Vec::new()));
            if let Some(rooms) = rooms.as_array_mut()
                && !rooms.iter().any(|listed| listed == room.as_str())
            {
                rooms.push(room.as_str().into());
                changed = true;
            }
        }
        if !changed {
            return Ok(());
        }
        intent.put_account_data(None, "m.direct", &Json::Object(direct)).await?;
        Ok(())
    }
}
