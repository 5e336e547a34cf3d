//! Changed keys on their way from one member to the others
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#tracking-the-device-list-for-a-user)). The
//! room keeps nothing of it: the member's object tells again until everybody took it.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::Query,
    room::{
        followers::{self, APPSERVICE},
        state,
    },
};
use ruma::{OwnedUserId, UserId};

use super::{RoomObject, bridged};
use crate::{
    contract::{
        Address, Class,
        appservice::{AppserviceCommand, EncryptionNews},
        call,
        device_lists::{DeviceListCommand, RoomSharers},
        user::UserCommand,
    },
    error::{MatrixError, Result},
};

/// How many are told at once.
const AT_ONCE: usize = 6;

/// Who is joined, if keys are shared through the room: `None` in a bridged one.
pub(super) fn sharers(query: &dyn Query) -> Result<Option<Vec<OwnedUserId>>> {
    if bridged::is_bridged(query)? {
        return Ok(None);
    }
    let members = state::current_members(query)?.into_iter();
    let joined = members.filter(|row| row.membership.as_deref() == Some("join"));
    Ok(Some(joined.filter_map(|row| OwnedUserId::try_from(row.state_key).ok()).collect()))
}

impl RoomObject {
    /// With whom a member shares keys here, and as of which position. 403 `M_FORBIDDEN` for others.
    pub(super) fn sharers(&self, user_id: &UserId) -> Result<RoomSharers> {
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        if self.membership_of(query, &opened, user_id)?.as_deref() != Some("join") {
            return Err(MatrixError::forbidden("You are not in this room."));
        }
        Ok(RoomSharers { position: opened.row.position, members: sharers(query)? })
    }

    /// Tells the others that a member's keys changed.
    pub(super) async fn tell_device_list(&self, user_id: &UserId, revision: i64) -> Result<()> {
        let query = self.database.as_query();
        let opened = self.opened(query)?;
        let is_member = self.membership_of(query, &opened, user_id)?.as_deref() == Some("join");
        if !is_member || bridged::is_bridged(query)? {
            return Ok(());
        }
        let people = followers::list_joined_users(query, u32::MAX)?;
        let others = people.into_iter().filter(|person| user_id != person.as_str());
        let told: Vec<Result<()>> = stream::iter(others)
            .map(|other| self.tell_device_list_to(other, user_id, revision))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        told.into_iter().collect::<Result<()>>()?;
        self.tell_device_list_to_appservices(user_id, revision).await
    }

    /// Tells the appservices that follow the room and registered for it
    /// ([MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)).
    async fn tell_device_list_to_appservices(&self, user_id: &UserId, revision: i64) -> Result<()> {
        let appservices = self.appservices().await?;
        let wanting =
            appservices.iter().filter(|appservice| appservice.receives() && appservice.receives_device_lists());
        for appservice in wanting {
            if !followers::follows(self.database.as_query(), APPSERVICE, appservice.id())? {
                continue;
            }
            let news = EncryptionNews::DeviceList { user_id: user_id.to_owned(), revision };
            let address = Address::new(Class::Appservice, appservice.id());
            let command = AppserviceCommand::Encryption(Box::new(news));
            let _held: i64 = call(self.context.objects.as_ref(), address, &command).await?;
        }
        Ok(())
    }

    async fn tell_device_list_to(&self, other: String, user_id: &UserId, revision: i64) -> Result<()> {
        let other = OwnedUserId::try_from(other).map_err(MatrixError::internal)?;
        let command = UserCommand::DeviceLists(DeviceListCommand::Changed { user_id: user_id.to_owned(), revision });
        call(self.context.objects.as_ref(), Address::user(&other), &command).await
    }
}
