//! Where a user may search: what a search asks first ([`crate::search`]).

use hubbub_storage::user::search;
use ruma::OwnedRoomId;

use super::{UserSyncObject, account_data::ignored_user_ids};
use crate::{
    contract::{
        encode,
        search::{ScopedRoom, SearchScope, UserSearchCommand},
    },
    error::{MatrixError, Result},
};

impl UserSyncObject {
    /// Carries out what a search asks of a user.
    pub(super) fn handle_search(&self, command: &UserSearchCommand) -> Result<Vec<u8>> {
        let UserSearchCommand::Scope { caller } = command;
        let acting = self.check(caller)?;
        let rooms = search::list_known_rooms(self.query())?.into_iter().map(|room| {
            Ok(ScopedRoom {
                room_id: OwnedRoomId::try_from(room.room_id).map_err(MatrixError::internal)?,
                joined: room.membership == "join",
                newest: room.newest,
            })
        });
        encode(&SearchScope {
            device: acting.device,
            rooms: rooms.collect::<Result<_>>()?,
            ignored: ignored_user_ids(self.query())?,
        })
    }
}
