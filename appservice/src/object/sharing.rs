//! Who comes to share a room with an appservice's users, and who shares none any more: the part of its device lists
//! ([MSC3202](https://github.com/matrix-org/matrix-spec-proposals/pull/3202)) that follows from memberships. Changed keys come by
//! `object/encryption.rs`.
//!
//! A delivery says who moved; the rooms that this object was delivered, and D1's memberships, say who is met elsewhere. D1 may be
//! seconds behind, and a room that the appservice has left still counts: both err towards a list that is kept for nothing.

use std::{collections::BTreeMap, rc::Rc};

use hubbub_core::{
    context::Appservice,
    contract::delivery::{DeliveredEvent, RoomDelivery},
    error::Result,
};
use hubbub_storage::{appservice as store, directory::memberships};
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;

use super::{AppserviceObject, encryption::Encryption};

#[derive(Deserialize)]
struct Membership {
    membership: String,
}

#[derive(Default, Deserialize)]
struct Unsigned {
    prev_content: Option<Membership>,
}

#[derive(Deserialize)]
struct MemberEvent {
    content: Membership,
    #[serde(default)]
    unsigned: Unsigned,
}

impl AppserviceObject {
    /// What a delivery means for the device lists of an appservice that wants them.
    pub(super) async fn sharing_news(&self, delivery: &RoomDelivery) -> Result<Encryption> {
        let mut news = Encryption::default();
        let moved = moved(delivery);
        if self.bridge.is_some() || moved.is_empty() {
            return Ok(news);
        }
        let appservices = self.context.appservices.list().await?;
        let wanting =
            |appservice: &&Rc<dyn Appservice>| appservice.id() == self.id && appservice.receives_device_lists();
        let Some(appservice) = appservices.iter().find(wanting) else {
            return Ok(news);
        };
        for (user_id, joins) in moved {
            // Of its own users it knows by itself.
            if appservice.is_interested_in_user(&user_id) || self.meets_elsewhere(delivery, &user_id).await? {
                continue;
            }
            if joins {
                news.changed.insert(user_id)
            } else {
                news.left.insert(user_id)
            };
        }
        Ok(news)
    }

    async fn meets_elsewhere(&self, delivery: &RoomDelivery, user_id: &UserId) -> Result<bool> {
        for room_id in memberships::joined_rooms(self.context.directory.as_ref(), user_id.as_str()).await? {
            if delivery.room_id != room_id && store::cursor(self.database.as_query(), &room_id)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Who is in the room after the delivery and was not before (`true`), or the other way round.
fn moved(delivery: &RoomDelivery) -> BTreeMap<OwnedUserId, bool> {
    let mut moved = BTreeMap::new();
    for event in delivery.events.iter().filter(|event| event.event_type == "m.room.member") {
        if let Some((user_id, joins)) = movement(event) {
            moved.insert(user_id, joins);
        }
    }
    moved
}

fn movement(event: &DeliveredEvent) -> Option<(OwnedUserId, bool)> {
    let user_id = OwnedUserId::try_from(event.state_key.as_deref()?).ok()?;
    let member: MemberEvent = serde_json::from_str(event.event.get()).ok()?;
    let is_in = |membership: &Membership| membership.membership == "join";
    let (was_in, joins) = (member.unsigned.prev_content.as_ref().is_some_and(is_in), is_in(&member.content));
    (was_in != joins).then_some((user_id, joins))
}
