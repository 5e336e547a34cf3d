//! Authorising and appending: the one way an event enters a room.

use hubbub_storage::{
    database::{Query, Transaction, transaction},
    room::{
        self, LIVE, RoomRow,
        events::{self, EventRow},
        followers::{self, APPSERVICE, FollowerRow, SpanRow, USER},
        state::{self, StateRow},
    },
};
use ruma::{
    EventId, OwnedEventId, OwnedUserId, UserId,
    canonical_json::{CanonicalJsonObject, CanonicalJsonValue},
    events::{StateEventType, TimelineEventType},
    state_res::{
        Event as _, auth_types_for_event, check_state_dependent_auth_rules, check_state_independent_auth_rules,
    },
};
use serde_json::value::to_raw_value;

use super::{
    Opened, RoomObject, bridged,
    event::{Draft, Pdu, Reference, Signed, canonical_object, pruned, reference_to, sign},
    join_rule::Admission,
    rebuild,
};
use crate::{
    context::AppserviceList,
    contract::room::{SendEvent, Sent},
    error::{MatrixError, Result},
    object::ALARM_DELAY_MS,
};

/// What stands before the transaction id of a redaction in its key.
pub(super) const REDACTION_SCOPE: &str = "redact|";

/// What is to be appended.
pub(super) struct New<'a> {
    /// The sender.
    pub sender: &'a UserId,
    /// The type.
    pub event_type: &'a str,
    /// The state key.
    pub state_key: Option<&'a str>,
    /// The content.
    pub content: CanonicalJsonObject,
    /// What it redacts.
    pub redacts: Option<&'a EventId>,
    /// `?ts=`; else now.
    pub timestamp: Option<i64>,
    /// `<device>|<transaction id>`.
    pub transaction_key: Option<String>,
}

impl RoomObject {
    /// Sends what a client or appservice asked for.
    pub(super) async fn send(&self, send: SendEvent) -> Result<Sent> {
        let appservices = self.appservices().await?;
        if let Some(target) = send.state_key.as_deref().filter(|_| send.event_type == "m.room.member")
            && let Ok(target) = UserId::parse(target)
        {
            self.learn_inbox(&appservices, &target).await;
        }
        let admission = self.admission_of(&send).await?;
        let sent = self.append_in_transaction(&appservices, &send, &admission)?;
        self.context.failpoints.pass("room.after_append").await;
        if send.read_your_writes {
            self.settle(&send.actor.user_id, sent.position).await?;
        } else if send.state_key.is_some() {
            self.show_in_directory(&send.event_type, sent.position).await?;
        }
        Ok(sent)
    }

    fn append_in_transaction(
        &self,
        appservices: &AppserviceList,
        send: &SendEvent,
        admission: &Admission,
    ) -> Result<Sent> {
        transaction(self.database.as_ref(), |transaction| {
            let mut opened = self.opened(transaction.as_query())?;
            // A transaction id belongs to a device and an endpoint: redactions have one of their own.
            let scope = if send.redacts.is_some() { REDACTION_SCOPE } else { "" };
            let transaction_key = send.transaction_id.as_ref().map(|id| format!("{}|{scope}{id}", send.actor.device));
            let mut content = canonical_object(send.content.get())?;
            self.check_sensible(transaction.as_query(), &opened, send, &content)?;
            if send.event_type == "m.room.member" && send.state_key.is_some() {
                self.admit(transaction.as_query(), &opened, &send.actor.user_id, admission, &mut content)?;
            }
            let redacts = redacted_by(&mut content, send, &opened)?;
            let sent = self.append(
                transaction,
                &mut opened,
                appservices,
                New {
                    sender: &send.actor.user_id,
                    event_type: &send.event_type,
                    state_key: send.state_key.as_deref(),
                    content,
                    redacts: redacts.as_deref(),
                    timestamp: send.timestamp,
                    transaction_key,
                },
            )?;
            self.save(transaction, &mut opened.row)?;
            Ok(sent)
        })
    }

    /// Refuses with 400 what the authorisation rules would refuse whoever sent it: a second create
    /// event, and since v12 power levels that list a creator.
    fn check_sensible(
        &self,
        query: &dyn Query,
        opened: &Opened,
        send: &SendEvent,
        content: &CanonicalJsonObject,
    ) -> Result<()> {
        let is_state = send.state_key.as_deref() == Some("");
        if is_state && send.event_type == "m.room.create" {
            return Err(MatrixError::bad_json("The room is created already."));
        }
        if is_state && send.event_type == "m.room.power_levels" {
            let users = content.get("users").and_then(CanonicalJsonValue::as_object);
            let listed = |creator: &OwnedUserId| users.is_some_and(|users| users.contains_key(creator.as_str()));
            if self.privileged_creators(query, opened)?.iter().any(listed) {
                return Err(MatrixError::bad_json("The power levels cannot list a creator of the room."));
            }
        }
        Ok(())
    }

    /// Writes the room's row, with an alarm armed for the deliveries that now wait. Refuses with 503 while the room
    /// is being rebuilt: what its followers hold already could be above the position given out.
    pub(super) fn save(&self, transaction: &dyn Transaction, row: &mut RoomRow) -> Result<()> {
        rebuild::refuse_while_rebuilding(row)?;
        self.save_row(transaction, row)
    }

    /// [`Self::save`] for the rebuilding itself.
    pub(super) fn save_row(&self, transaction: &dyn Transaction, row: &mut RoomRow) -> Result<()> {
        let now = self.context.clock.now();
        if row.alarm_at <= now {
            row.alarm_at = now + ALARM_DELAY_MS;
            transaction.set_alarm(row.alarm_at)?;
        }
        // Read anew after this transaction, whether it commits or not.
        self.row.take();
        Ok(room::put(transaction, row)?)
    }

    /// Authorises and appends one event. A repeated transaction id, or state that already is as
    /// asked, answers with the event that exists. The caller saves the room's row.
    pub(super) fn append(
        &self,
        transaction: &dyn Transaction,
        opened: &mut Opened,
        appservices: &AppserviceList,
        new: New<'_>,
    ) -> Result<Sent> {
        let query = transaction.as_query();
        if let Some(first) = self.already_sent(query, &new)? {
            return Ok(first);
        }
        let redacted = self.check_redaction(query, opened, &new)?;
        self.check_relation(query, &new)?;
        let auth_events = self.auth_events(query, opened, &new)?;
        let signed = self.build(query, opened, &new, &auth_events)?;
        let pdu = Pdu::parse(signed.event_id.clone(), &signed.json, false)?;
        self.authorise(query, opened, &pdu, &auth_events)?;
        let sent = self.insert(transaction, opened, &new, &signed)?;
        if let Some(target) = redacted {
            let pdu = pruned(&target.pdu, &opened.rules)?;
            events::redact(transaction, target.order_key, &pdu, sent.event_id.as_str())?;
            self.unrelate(transaction, &target)?;
        }
        self.follow(transaction, opened, appservices, &new, sent.position)?;
        Ok(sent)
    }

    fn already_sent(&self, query: &dyn Query, new: &New<'_>) -> Result<Option<Sent>> {
        if let Some(key) = &new.transaction_key
            && let Some(first) = events::find_by_transaction(query, new.sender.as_str(), key)?
        {
            return sent_of(&first).map(Some);
        }
        let Some(state_key) = new.state_key else {
            return Ok(None);
        };
        let Some(event) = events::current(query, new.event_type, state_key)? else {
            return Ok(None);
        };
        let pdu: CanonicalJsonObject = serde_json::from_str(&event.pdu)?;
        let same = event.sender == new.sender.as_str()
            && pdu.get("content").and_then(CanonicalJsonValue::as_object) == Some(&new.content);
        same.then(|| sent_of(&event)).transpose()
    }

    /// Whether the sender may redact what it names; returns the target that is to be pruned
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#redactions)).
    fn check_redaction(&self, query: &dyn Query, opened: &Opened, new: &New<'_>) -> Result<Option<EventRow>> {
        let Some(redacts) = new.redacts else {
            return Ok(None);
        };
        let target = events::get(query, redacts.as_str())?
            .ok_or_else(|| MatrixError::not_found("The event to redact is not in this room."))?;
        let own = target.sender == new.sender.as_str();
        if !own && !self.may_redact(query, opened, new.sender)? {
            return Err(MatrixError::forbidden("Your power level is too low to redact other people's events."));
        }
        // What was redacted before keeps its first redaction.
        Ok(Some(target).filter(|target| target.redacted_by.is_none()))
    }

    fn auth_events(&self, query: &dyn Query, opened: &Opened, new: &New<'_>) -> Result<Vec<EventRow>> {
        let types = auth_types_for_event(
            &TimelineEventType::from(new.event_type),
            new.sender,
            new.state_key,
            &to_raw_value(&new.content)?,
            &opened.rules.authorization,
        )
        .map_err(MatrixError::bad_json)?;
        let mut found = Vec::new();
        for (event_type, state_key) in types {
            found.extend(events::current(query, &event_type.to_string(), &state_key)?);
        }
        Ok(found)
    }

    fn build(&self, query: &dyn Query, opened: &Opened, new: &New<'_>, auth_events: &[EventRow]) -> Result<Signed> {
        let mut prev_events = Vec::new();
        for event_id in &opened.row.extremities {
            let row =
                events::get(query, event_id)?.ok_or_else(|| MatrixError::internal("a forward extremity is missing"))?;
            prev_events.push(self.reference(opened, &row)?);
        }
        sign(
            &self.context,
            &opened.rules,
            Draft {
                sender: new.sender,
                room_id: Some(&self.room_id),
                event_type: new.event_type,
                state_key: new.state_key,
                content: new.content.clone(),
                redacts: new.redacts,
                origin_server_ts: new.timestamp.unwrap_or_else(|| self.context.clock.now()),
                depth: opened.row.depth + 1,
                prev_events,
                auth_events: auth_events.iter().map(|row| self.reference(opened, row)).collect::<Result<_>>()?,
            },
        )
    }

    fn reference(&self, opened: &Opened, row: &EventRow) -> Result<Reference> {
        let event_id = EventId::parse(&row.event_id).map_err(MatrixError::internal)?;
        reference_to(&row.pdu, &event_id, &opened.rules)
    }

    /// The authorisation rules, against the current state, of which `auth_events` are a part
    /// ([spec](https://spec.matrix.org/v1.11/server-server-api/#authorization-rules)).
    fn authorise(&self, query: &dyn Query, opened: &Opened, pdu: &Pdu, auth_events: &[EventRow]) -> Result<()> {
        let rules = &opened.rules.authorization;
        let refuse = |reason: String| MatrixError::forbidden(format_args!("Not allowed: {reason}."));
        let fetch_event = |event_id: &EventId| {
            match auth_events.iter().find(|row| row.event_id == event_id.as_str()) {
                Some(row) => self.pdu_in_room(row).ok(),
                // Since room version 12 the create event is in the room's id instead.
                None => self.pdu_in_room(&events::get(query, event_id.as_str()).ok().flatten()?).ok(),
            }
        };
        check_state_independent_auth_rules(rules, pdu, fetch_event).map_err(refuse)?;
        let allowed = check_state_dependent_auth_rules(rules, pdu, |event_type, state_key| {
            let name = event_type.to_string();
            let known = |row: &&EventRow| row.event_type == name && row.state_key.as_deref() == Some(state_key);
            match auth_events.iter().find(known) {
                Some(row) => self.pdu_in_room(row).ok(),
                None => self.state_pdu(query, event_type, state_key).ok().flatten(),
            }
        });
        let Err(reason) = allowed else { return Ok(()) };
        match bridged::why_refused(query, &pdu.event_type().to_string())? {
            Some(why) => Err(MatrixError::forbidden(why)),
            None => Err(refuse(reason)),
        }
    }

    /// The current state event of a type and key, as the rules see it.
    pub(super) fn state_pdu(
        &self,
        query: &dyn Query,
        event_type: &StateEventType,
        state_key: &str,
    ) -> Result<Option<Pdu>> {
        let row = events::current(query, &event_type.to_string(), state_key)?;
        row.as_ref().map(|row| self.pdu_in_room(row)).transpose()
    }

    /// A stored event as the rules see it.
    pub(super) fn pdu_in_room(&self, row: &EventRow) -> Result<Pdu> {
        let event_id = OwnedEventId::try_from(row.event_id.as_str()).map_err(MatrixError::internal)?;
        Pdu::parse(event_id, &row.pdu, row.rejected)
    }

    fn insert(
        &self,
        transaction: &dyn Transaction,
        opened: &mut Opened,
        new: &New<'_>,
        signed: &Signed,
    ) -> Result<Sent> {
        let row = &mut opened.row;
        row.position += 1;
        let order_key = if row.initial == 0 { row.position } else { LIVE + row.position };
        let event = EventRow {
            order_key,
            event_id: signed.event_id.to_string(),
            event_type: new.event_type.to_owned(),
            state_key: new.state_key.map(ToOwned::to_owned),
            sender: new.sender.to_string(),
            pdu: signed.json.clone(),
            branch: row.branch,
            state_before: row.state_seq,
            replaces: None,
            rejected: false,
            redacted_by: None,
            visibility: self.visibility_in_force(transaction.as_query())?,
            transaction_key: new.transaction_key.clone(),
        };
        self.place(transaction, row, event, new)?;
        Ok(Sent { event_id: signed.event_id.clone(), position: row.position })
    }

    /// Stores an event at the end of the graph, with the state that it sets.
    pub(super) fn place(
        &self,
        transaction: &dyn Transaction,
        row: &mut RoomRow,
        mut event: EventRow,
        new: &New<'_>,
    ) -> Result<()> {
        let replaced = match new.state_key {
            Some(state_key) => state::current(transaction.as_query(), new.event_type, state_key)?,
            None => None,
        };
        event.replaces = replaced.as_ref().map(|replaced| replaced.event_key);
        events::insert(transaction, &event)?;
        self.relate(transaction, &event, &new.content)?;
        if let Some(state_key) = new.state_key.filter(|_| !event.rejected) {
            let entry = StateRow {
                event_type: new.event_type.to_owned(),
                state_key: state_key.to_owned(),
                event_key: event.order_key,
                membership: membership_in(new.event_type, &new.content),
            };
            state::set(transaction, row.branch, event.order_key, &entry)?;
            row.state_seq = event.order_key;
            count(row, replaced.and_then(|row| row.membership), entry.membership);
        }
        row.depth += 1;
        row.extremities = vec![event.event_id];
        Ok(())
    }

    /// Opens, closes and marks the spans of those whom the event concerns.
    pub(super) fn follow(
        &self,
        transaction: &dyn Transaction,
        opened: &Opened,
        appservices: &AppserviceList,
        new: &New<'_>,
        position: i64,
    ) -> Result<()> {
        let target = new.state_key.filter(|_| new.event_type == "m.room.member").and_then(|id| UserId::parse(id).ok());
        let after = membership_in(new.event_type, &new.content);
        let before = self.membership_before(transaction.as_query(), opened, new)?;
        if let (Some(target), Some(after)) = (&target, &after)
            && self.has_inbox(appservices, target)
        {
            follow_user(transaction, target, before.as_deref(), after, position)?;
        }
        for appservice in appservices.iter().filter(|one| one.receives()) {
            let interest = |user: &UserId| appservice.is_interested_in_user(user);
            let joins = |membership: Option<&str>| i64::from(membership == Some("join"));
            let change = match &target {
                Some(target) if interest(target) => joins(after.as_deref()) - joins(before.as_deref()),
                _ => 0,
            };
            let named = interest(new.sender)
                || target.as_deref().is_some_and(interest)
                || appservice.is_interested_in_room(&self.room_id)
                || aliases_in(new).any(|alias| appservice.is_interested_in_alias(&alias));
            follow_appservice(
                transaction,
                appservice.id(),
                Interest { change, named, lasting: named && target.is_none() && !interest(new.sender) },
                position,
            )?;
        }
        Ok(())
    }

    fn membership_before(&self, query: &dyn Query, opened: &Opened, new: &New<'_>) -> Result<Option<String>> {
        let Some(state_key) = new.state_key.filter(|_| new.event_type == "m.room.member") else {
            return Ok(None);
        };
        let row = &opened.row;
        let before = state::at(query, row.branch, row.state_seq - 1, "m.room.member", state_key)?;
        Ok(before.and_then(|row| row.membership))
    }
}

/// What an event means to an appservice.
struct Interest {
    /// How many of its users joined (or, negative, left) by the event.
    change: i64,
    /// Whether the event names one of its users, aliases or rooms.
    named: bool,
    /// Whether the room concerns it from here on even without members.
    lasting: bool,
}

fn follow_user(
    transaction: &dyn Transaction,
    user_id: &UserId,
    before: Option<&str>,
    after: &str,
    position: i64,
) -> Result<()> {
    let id = user_id.as_str();
    if followers::get(transaction.as_query(), USER, id)?.is_none() {
        followers::put(transaction, &new_follower(USER, id))?;
    }
    let joined = before == Some("join");
    match (joined, after == "join") {
        (true, true) => {}
        (true, false) => followers::close_span(transaction, USER, id, position)?,
        (false, joins) => {
            if joins {
                room::set_forgotten(transaction, id, false)?;
            }
            let span = SpanRow { first: position, last: (!joins).then_some(position), snapshot: joins };
            followers::open_span(transaction, USER, id, span)?;
        }
    }
    Ok(())
}

fn follow_appservice(transaction: &dyn Transaction, id: &str, interest: Interest, position: i64) -> Result<()> {
    let known = followers::get(transaction.as_query(), APPSERVICE, id)?;
    if known.is_none() && !interest.named {
        return Ok(());
    }
    let is_new = known.is_none();
    let mut follower = known.unwrap_or_else(|| new_follower(APPSERVICE, id));
    let spans = followers::spans(transaction.as_query(), APPSERVICE, id, position - 1)?;
    let open = spans.iter().any(|span| span.last.is_none());
    let members = follower.members + interest.change + i64::from(interest.lasting && !open);
    if members != follower.members || is_new {
        follower.members = members;
        followers::put(transaction, &follower)?;
    }
    let span = |last| SpanRow { first: position, last, snapshot: false };
    match (open, members > 0) {
        (false, true) => followers::open_span(transaction, APPSERVICE, id, span(None))?,
        (false, false) if interest.named => {
            followers::open_span(transaction, APPSERVICE, id, span(Some(position)))?;
        }
        (true, false) => followers::close_span(transaction, APPSERVICE, id, position)?,
        _ => {}
    }
    Ok(())
}

pub(super) fn new_follower(kind: &str, id: &str) -> FollowerRow {
    FollowerRow { kind: kind.to_owned(), id: id.to_owned(), epoch: 0, position: 0, members: 0 }
}

/// The redaction's target, and the content with what the room version wants in it.
fn redacted_by(content: &mut CanonicalJsonObject, send: &SendEvent, opened: &Opened) -> Result<Option<OwnedEventId>> {
    if send.event_type != "m.room.redaction" || send.state_key.is_some() {
        return Ok(None);
    }
    if let Some(redacts) = &send.redacts {
        if opened.rules.redaction.content_field_redacts {
            let value = CanonicalJsonValue::String(redacts.to_string());
            content.insert("redacts".to_owned(), value);
        }
        return Ok(Some(redacts.clone()));
    }
    let named = content.get("redacts").and_then(CanonicalJsonValue::as_str);
    named
        .filter(|_| opened.rules.redaction.content_field_redacts)
        .map(|id| OwnedEventId::try_from(id).map_err(MatrixError::bad_json))
        .transpose()
}

fn sent_of(event: &EventRow) -> Result<Sent> {
    Ok(Sent {
        event_id: OwnedEventId::try_from(event.event_id.as_str()).map_err(MatrixError::internal)?,
        position: event.position().unwrap_or_default(),
    })
}

fn membership_in(event_type: &str, content: &CanonicalJsonObject) -> Option<String> {
    (event_type == "m.room.member").then(|| content.get("membership")?.as_str().map(ToOwned::to_owned)).flatten()
}

fn count(row: &mut RoomRow, before: Option<String>, after: Option<String>) {
    for (membership, change) in [(before, -1), (after, 1)] {
        match membership.as_deref() {
            Some("join") => row.joined += change,
            Some("invite") => row.invited += change,
            _ => {}
        }
    }
}

/// The aliases that an `m.room.canonical_alias` event names.
fn aliases_in<'a>(new: &'a New<'_>) -> impl Iterator<Item = ruma::OwnedRoomAliasId> + 'a {
    let content = (new.event_type == "m.room.canonical_alias").then_some(&new.content);
    let main = content.and_then(|content| content.get("alias"));
    let others = content.and_then(|content| content.get("alt_aliases")?.as_array()).unwrap_or_default();
    main.into_iter().chain(others).filter_map(|alias| ruma::RoomAliasId::parse(alias.as_str()?).ok())
}
