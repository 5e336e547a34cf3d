//! Presence on its way from one local member to the others
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#presence)). The room keeps nothing of it.

use futures_util::{StreamExt as _, stream};
use hubbub_storage::{
    database::Query,
    room::followers::{self, APPSERVICE},
};
use ruma::{OwnedUserId, UserId};

use super::{RoomObject, bridged};
use crate::{
    contract::{
        Address, Class,
        appservice::{AppserviceCommand, EncryptionNews},
        call,
        people::{PeopleCommand, Presence},
        user::UserCommand,
    },
    error::{MatrixError, Result},
};

/// In larger rooms nobody is shown: each change would wake them all.
const MOST_PEOPLE: u32 = 100;
/// How many are told at once.
const AT_ONCE: usize = 6;

/// Whether presence travels through the room: there are two local people at least, not too many,
/// and it is not bridged.
pub(super) fn has_company(query: &dyn Query) -> Result<bool> {
    let people = followers::list_joined_users(query, MOST_PEOPLE + 1)?.len();
    Ok(people >= 2 && people <= usize::try_from(MOST_PEOPLE).unwrap_or(usize::MAX) && !bridged::is_bridged(query)?)
}

impl RoomObject {
    /// Shows a member's presence to the others and returns theirs; `None`: not through this room.
    pub(super) async fn show_presence(
        &self,
        user_id: &UserId,
        presence: Option<Presence>,
    ) -> Result<Option<Vec<(OwnedUserId, Presence)>>> {
        let query = self.database.as_query();
        self.opened(query)?;
        let people = followers::list_joined_users(query, MOST_PEOPLE + 1)?;
        if !people.iter().any(|person| user_id == person.as_str()) || !has_company(query)? {
            return Ok(None);
        }
        if let Some(presence) = &presence {
            self.show_presence_to_appservices(user_id, presence).await?;
        }
        let others = people.into_iter().filter(|person| user_id != person.as_str());
        let answers: Vec<Result<Option<(OwnedUserId, Presence)>>> = stream::iter(others)
            .map(|other| self.show_presence_to(other, user_id, presence.clone()))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let shown: Result<Vec<_>> = answers.into_iter().filter_map(Result::transpose).collect();
        shown.map(Some)
    }

    /// Shows it to the appservices that follow the room and registered for ephemeral data
    /// ([spec](https://spec.matrix.org/v1.13/application-service-api/#pushing-ephemeral-data)), but for the user's own.
    async fn show_presence_to_appservices(&self, user_id: &UserId, presence: &Presence) -> Result<()> {
        for appservice in self.appservices().await?.iter() {
            if !appservice.receives()
                || !appservice.receives_ephemeral()
                || appservice.owns_user(user_id)
                || !followers::follows(self.database.as_query(), APPSERVICE, appservice.id())?
            {
                continue;
            }
            let news = EncryptionNews::Presence { user_id: user_id.to_owned(), presence: presence.clone() };
            let address = Address::new(Class::Appservice, appservice.id());
            let command = AppserviceCommand::Encryption(Box::new(news));
            let _held: i64 = call(self.context.objects.as_ref(), address, &command).await?;
        }
        Ok(())
    }

    async fn show_presence_to(
        &self,
        other: String,
        user_id: &UserId,
        presence: Option<Presence>,
    ) -> Result<Option<(OwnedUserId, Presence)>> {
        let other = OwnedUserId::try_from(other).map_err(MatrixError::internal)?;
        let take = PeopleCommand::TakePresence { user_id: user_id.to_owned(), presence };
        let command = UserCommand::People(Box::new(take));
        let theirs: Option<Presence> = call(self.context.objects.as_ref(), Address::user(&other), &command).await?;
        Ok(theirs.map(|theirs| (other, theirs)))
    }
}
