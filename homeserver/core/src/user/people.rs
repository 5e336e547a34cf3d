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
            PeopleCommand::SetPresence { caller, presence, status_msg } => {
                encode(&self.set_presence(&caller, &presence, status_msg)?)
            }
            PeopleCommand::GetPresence { caller, user_id } => encode(&self.get_presence(&caller, &user_id).await?),
            PeopleCommand::ShowPresence { rooms } => encode(&self.presence_for(&rooms)?),
            PeopleCommand::TakePresence { user_id, presence } => {
                encode(&self.take_presence(&user_id, presence.as_ref())?)
            }
            PeopleCommand::JoinedAmong { caller, rooms } => {
                self.check(&caller)?;
                encode(&self.joined_among(&rooms)?)
            }
            PeopleCommand::SetProfileField { caller, name, value } => {
                self.check(&caller)?;
                encode(&self.set_profile_field(name, value).await?)
            }
        }
    }

    /// Does what is left for pushers, presence and profile fields; returns when to go on.
    pub(super) async fn work_for_people(&self) -> (Option<i64>, Result<()>) {
        let fields = self.mirror_profile_fields().await;
        let mut later = Vec::new();
        let mut outcome = fields;
        for done in [self.spread_presence().await, self.push_all().await] {
            match done {
                Ok(at) => later.extend(at),
                Err(error) => outcome = Err(error),
            }
        }
        (later.into_iter().min(), outcome)
    }
}
