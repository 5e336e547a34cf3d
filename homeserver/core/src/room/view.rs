//! Events as a reader gets them: client format with `unsigned`.

use std::{borrow::Cow, collections::BTreeMap};

use hubbub_storage::{
    database::Query,
    room::events::{self, EventRow},
};
use ruma::canonical_json::CanonicalJsonObject;
use serde_json::{Map, Value as Json, value::RawValue};

use super::{
    Opened, RoomObject,
    append::REDACTION_SCOPE,
    event::{ClientExtras, to_client},
};
use crate::{contract::room::Actor, error::Result};

/// For whom an event is shown, and what is known of it already.
#[derive(Default)]
pub(super) struct Viewer<'a> {
    /// Who reads, to be shown their own transaction ids; `None`: nobody's.
    pub actor: Option<&'a Actor>,
    /// The reader's membership at the event.
    pub membership: Option<&'a str>,
    /// Whether `room_id` is shown.
    pub with_room_id: bool,
    /// Whether `age` is shown.
    pub with_age: bool,
    /// `m.relations`, the bundled aggregations.
    pub relations: Option<&'a Json>,
    /// The state events that those shown replaced, by order_key; `None`: to be looked up.
    pub replaced: Option<&'a BTreeMap<i64, EventRow>>,
}

impl RoomObject {
    /// The event in client format.
    pub(super) fn show(
        &self,
        query: &dyn Query,
        opened: &Opened,
        row: &EventRow,
        viewer: &Viewer<'_>,
    ) -> Result<Box<RawValue>> {
        let pdu = self.pdu_in_room(row)?;
        let mut unsigned = self.unsigned(query, opened, row, viewer.replaced)?;
        if viewer.with_age {
            let sent = i64::from(pdu.fields.origin_server_ts.get());
            unsigned.insert("age".to_owned(), (self.context.clock.now() - sent).into());
        }
        if let Some(membership) = viewer.membership {
            unsigned.insert("membership".to_owned(), membership.into());
        }
        if let Some(actor) = viewer.actor
            && row.sender == actor.user_id.as_str()
            && let Some((device, id)) = transaction_of(row)
            && device == actor.device
        {
            unsigned.insert("transaction_id".to_owned(), id.into());
        }
        if let Some(relations) = viewer.relations {
            unsigned.insert("m.relations".to_owned(), relations.clone());
        }
        to_client(
            &pdu,
            &opened.rules,
            ClientExtras { room_id: viewer.with_room_id.then_some(self.room_id.as_ref()), unsigned },
        )
    }

    /// The part of `unsigned` that is the same for everybody.
    fn unsigned(
        &self,
        query: &dyn Query,
        opened: &Opened,
        row: &EventRow,
        known: Option<&BTreeMap<i64, EventRow>>,
    ) -> Result<Map<String, Json>> {
        let mut unsigned = Map::new();
        if let Some(replaced) = row.replaces {
            let replaced = match known {
                Some(known) => known.get(&replaced).map(Cow::Borrowed),
                None => events::at(query, replaced)?.map(Cow::Owned),
            };
            // What was erased is in nobody's `prev_content` any more.
            if let Some(replaced) = replaced
                && !self.erased_users(query)?.contains_key(&replaced.sender)
            {
                let pdu: CanonicalJsonObject = serde_json::from_str(&replaced.pdu)?;
                let content = pdu.get("content").cloned();
                let content = content.map(Json::from).unwrap_or_default();
                unsigned.insert("prev_content".to_owned(), content);
                unsigned.insert("replaces_state".to_owned(), replaced.event_id.clone().into());
                unsigned.insert("prev_sender".to_owned(), replaced.sender.clone().into());
            }
        }
        if let Some(redaction) = &row.redacted_by
            && let Some(redaction) = events::get(query, redaction)?
        {
            let pdu = self.pdu_in_room(&redaction)?;
            let because = to_client(&pdu, &opened.rules, ClientExtras::default())?;
            let because: Json = serde_json::from_str(because.get())?;
            unsigned.insert("redacted_because".to_owned(), because);
        }
        Ok(unsigned)
    }
}

/// The device and transaction id that made an event.
pub(super) fn transaction_of(row: &EventRow) -> Option<(&str, &str)> {
    let (device, id) = row.transaction_key.as_deref()?.split_once('|')?;
    let is_redaction = row.event_type == "m.room.redaction";
    Some((device, id.strip_prefix(REDACTION_SCOPE).filter(|_| is_redaction).unwrap_or(id)))
}
