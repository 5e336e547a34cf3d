//! Pushers, tags, presence and profile fields: which file carries a [`PeopleCommand`] out, and what
//! work they leave.

use super::UserSyncObject;
use crate::{
    contract::{encode, people::PeopleCommand},
    error::Result,
};

impl UserSyncObject {
    pub(super) async fn handle_people(&self, command: PeopleCommand) -> Result<Vec<u8>> {
        match command {
            PeopleCommand::Pushers { caller } => encode(&self.list_pushers(&caller)?),
            PeopleCommand::SetPusher { caller, pusher } => encode(&self.set_pusher(&caller, &pusher).await?),
            PeopleCommand::DeletePusher { caller, app_id, pushkey } => {
                encode(&self.delete_pusher(&caller, &app_id, &pushkey).await?)
            }
            PeopleCommand::DropPusher { app_id, pushkey } => encode(&self.drop_pusher(&app_id, &pushkey)?),
            PeopleCommand::Tags { caller, room_id, operation } => {
                self.check(&caller)?;
                encode(&self.tags(&room_id, &operation)?)
            }
            _ => Err(crate::error::MatrixError::internal("not there yet")),
        }
    }

    /// Does what is left for pushers, presence and profile fields; returns when to go on.
    pub(super) async fn work_for_people(&self) -> (Option<i64>, Result<()>) {
        match self.push_all().await {
            Ok(later) => (later, Ok(())),
            Err(error) => (None, Err(error)),
        }
    }
}
