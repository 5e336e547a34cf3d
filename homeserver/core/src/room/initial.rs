//! Making a room: all its initial events in one transaction.

use hubbub_storage::{
    database::{Transaction, transaction},
    room::{
        self, RoomRow,
        events::{self, EventRow},
        followers::{self, ARCHIVE, SEARCH, SpanRow},
        state::{self, StateRow},
    },
    schema,
};
use ruma::{OwnedUserId, RoomVersionId, canonical_json::CanonicalJsonObject};

use super::{
    Opened, RoomObject,
    append::{New, new_follower},
    event::{canonical_object, event_id_of, rules_of},
    index::SEARCH_ID,
};
use crate::{
    context::AppserviceList,
    contract::room::{CreateRoom, Created, Profile},
    error::{MatrixError, Result},
};

/// The id of the archive as a follower.
pub(super) const ARCHIVE_ID: &str = "d1";

impl RoomObject {
    /// Makes the room, or finds it made; answers once the creator's inbox and D1 hold it.
    pub(super) async fn create(&self, create: CreateRoom) -> Result<Created> {
        if create.room_id != self.room_id {
            return Err(MatrixError::internal("a create command for another room"));
        }
        let appservices = self.appservices().await?;
        self.learn_inbox(&appservices, &create.creator.user_id).await;
        let made = match self.opened(self.database.as_query()) {
            Ok(opened) => opened.row,
            Err(error) if error.status == 404 => self.make(&appservices, &create)?,
            Err(error) => return Err(error),
        };
        self.context.failpoints.pass("room.after_create").await;
        self.settle(&create.creator.user_id, made.initial).await?;
        Ok(Created { epoch: made.epoch, position: made.position })
    }

    fn make(&self, appservices: &AppserviceList, create: &CreateRoom) -> Result<RoomRow> {
        let version = RoomVersionId::try_from(create.room_version.as_str()).map_err(MatrixError::invalid_param)?;
        let rules = rules_of(&version)?;
        schema::migrate(self.database.as_ref(), room::SCHEMA)?;
        transaction(self.database.as_ref(), |transaction| {
            let mut opened = Opened { row: self.first_event(transaction, create)?, rules: rules.clone() };
            let creator = &create.creator.user_id;
            let joined = member_content("join", &create.profile);
            let join = (creator.clone(), "m.room.member", creator.to_string(), joined);
            let mut append = |sender: &OwnedUserId, event_type, state_key: &str, content| {
                self.append(
                    transaction,
                    &mut opened,
                    appservices,
                    New {
                        sender,
                        event_type,
                        state_key: Some(state_key),
                        content,
                        redacts: None,
                        timestamp: None,
                        transaction_key: None,
                    },
                )
            };
            append(&join.0, join.1, &join.2, join.3)?;
            for event in &create.events {
                let content = canonical_object(event.content.get())?;
                append(creator, &event.event_type, &event.state_key, content)?;
            }
            opened.row.initial = opened.row.position;
            self.save(transaction, &mut opened.row)?;
            Ok(opened.row)
        })
    }

    /// Stores the create event that the saga signed, and archive and index as the first followers.
    fn first_event(&self, transaction: &dyn Transaction, create: &CreateRoom) -> Result<RoomRow> {
        let version = RoomVersionId::try_from(create.room_version.as_str()).map_err(MatrixError::invalid_param)?;
        let json = create.create_event.get();
        let object: CanonicalJsonObject = serde_json::from_str(json)?;
        let event_id = event_id_of(&object, &rules_of(&version)?)?.to_string();
        state::open_first_branch(transaction)?;
        events::insert(
            transaction,
            &EventRow {
                order_key: 1,
                event_id: event_id.clone(),
                event_type: "m.room.create".to_owned(),
                state_key: Some(String::new()),
                sender: create.creator.user_id.to_string(),
                pdu: json.to_owned(),
                branch: 0,
                state_before: 0,
                replaces: None,
                rejected: false,
                redacted_by: None,
                visibility: "shared".to_owned(),
                transaction_key: None,
            },
        )?;
        let entry = StateRow {
            event_type: "m.room.create".to_owned(),
            state_key: String::new(),
            event_key: 1,
            membership: None,
        };
        state::set(transaction, 0, 1, &entry)?;
        for (kind, id) in [(ARCHIVE, ARCHIVE_ID), (SEARCH, SEARCH_ID)] {
            followers::put(transaction, &new_follower(kind, id))?;
            let all = SpanRow { first: 1, last: None, snapshot: false };
            followers::open_span(transaction, kind, id, all)?;
        }
        Ok(RoomRow {
            room_id: self.room_id.to_string(),
            version: create.room_version.clone(),
            creator: create.creator.user_id.to_string(),
            epoch: 1,
            position: 1,
            initial: 0,
            branch: 0,
            state_seq: 1,
            depth: 1,
            extremities: vec![event_id],
            joined: 0,
            invited: 0,
            typing_position: 0,
            alarm_at: 0,
            listed: create.listed,
            rebuilding: false,
        })
    }
}

/// The content of a member event with the member's profile.
pub(super) fn member_content(membership: &str, profile: &Profile) -> CanonicalJsonObject {
    let mut content = CanonicalJsonObject::new();
    let mut put = |key: &str, value: &str| {
        let value = ruma::canonical_json::CanonicalJsonValue::String(value.to_owned());
        content.insert(key.to_owned(), value);
    };
    put("membership", membership);
    if let Some(displayname) = &profile.displayname {
        put("displayname", displayname);
    }
    if let Some(avatar_url) = &profile.avatar_url {
        put("avatar_url", avatar_url);
    }
    content
}
