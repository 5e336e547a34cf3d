//! Spaces for the headings of a network: made with the first channel under them that somebody chose, never before.

use std::collections::HashMap;

use hubbub_core::{
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use hubbub_storage::{
    database::transaction,
    login::{
        ghosts,
        places::{self, SpaceRow},
    },
};
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Value as Json, json, value::RawValue};

use super::LoginObject;
use crate::{
    contract::{PlacesCommand, PortalCommand},
    network::{HookKind, RemotePlace, rank},
};

/// Changes that wait to be looked at: more than these are left to Cron.
const MOST_CHANGES: usize = 1_000;

/// A change that was told on the connection, and the event for those that it concerns.
pub(super) struct Change {
    kind: HookKind,
    event: Option<Box<RawValue>>,
}

impl LoginObject {
    /// Reads where channels stand, when the object wakes.
    pub(super) fn load_places(&self) -> Result<()> {
        let mut known = HashMap::new();
        for (channel, path) in places::list(self.database.as_query())? {
            known.insert(channel, serde_json::from_str::<Vec<String>>(&path)?);
        }
        *self.places.borrow_mut() = known;
        let until = places::held_until(self.database.as_query())?;
        self.held_until.set(until);
        self.network.hold(until);
        Ok(())
    }

    pub(super) async fn take_places(&self, command: PlacesCommand) -> Result<Json> {
        match command {
            PlacesCommand::Space { channel, path } => {
                let space = self.space_of(&channel, &path).await?;
                Ok(json!(space))
            }
            PlacesCommand::Limits { hold_until, refused } => Ok(json!(self.take_limits(hold_until, refused)?)),
        }
    }

    async fn space_of(&self, channel: &str, path: &[RemotePlace]) -> Result<OwnedRoomId> {
        let _turn = self.locks.lock("space").await;
        let mut inner: Option<OwnedRoomId> = None;
        for place in path {
            inner = Some(self.space_at(place, inner.as_deref()).await?);
        }
        let inner = inner.ok_or_else(|| MatrixError::internal("a channel without headings has no space of its own"))?;
        let ids: Vec<String> = path.iter().map(|place| place.id.clone()).collect();
        let before = self.places.borrow().get(channel).cloned();
        if before.as_ref() != Some(&ids) {
            let text = serde_json::to_string(&ids)?;
            transaction(self.database.as_ref(), |transaction| places::put(transaction, channel, &text))?;
            self.places.borrow_mut().insert(channel.to_owned(), ids);
            for left in before.into_iter().flatten() {
                self.unlist_if_empty(&left).await?;
            }
        }
        Ok(inner)
    }

    /// The space of one heading; a reserved alias makes sure that there is only one.
    async fn space_at(&self, place: &RemotePlace, parent: Option<&RoomId>) -> Result<OwnedRoomId> {
        let known = places::find_space(self.database.as_query(), &place.id)?;
        let order = rank(place.order);
        if let Some(known) = known {
            let room = OwnedRoomId::try_from(known.room_id.clone()).map_err(MatrixError::internal)?;
            let parent = parent.map(RoomId::to_string);
            if known.parent != parent || known.rank != order {
                self.list_space(&SpaceRow { parent, rank: order, ..known.clone() }, known.parent).await?;
            }
            return Ok(room);
        }
        let owner = self.owner()?;
        let mut body = json!({
            "preset": "private_chat",
            "name": place.name,
            "creation_content": { "type": "m.space", "m.federate": false },
            "invite": [owner],
            "power_level_content_override": { "events_default": 50, "users": { owner.as_str(): 95 } },
        });
        if let (Some(parent), Some(fields)) = (parent, body.as_object_mut()) {
            let content = json!({ "via": [self.context.config.server_name], "canonical": true });
            let parent = json!([{ "type": "m.space.parent", "state_key": parent, "content": content }]);
            fields.insert("initial_state".to_owned(), parent);
        }
        let room = self.matrix.create_room(&format!("space_{}_{}", self.login_id, place.id), body).await?;
        self.matrix.bring_owner(&owner, &room).await?;
        let row = SpaceRow {
            place: place.id.clone(),
            room_id: room.to_string(),
            name: place.name.clone(),
            parent: parent.map(RoomId::to_string),
            rank: order,
        };
        self.list_space(&row, None).await?;
        Ok(room)
    }

    /// Lists a space in the one around it, and no longer in another; then notes that.
    async fn list_space(&self, row: &SpaceRow, before: Option<String>) -> Result<()> {
        if let Some(before) = before.filter(|before| row.parent.as_ref() != Some(before)) {
            self.set_child(&before, &row.room_id, &json!({})).await?;
        }
        if let Some(parent) = &row.parent {
            let child = json!({ "via": [self.context.config.server_name], "order": row.rank });
            self.set_child(parent, &row.room_id, &child).await?;
        }
        transaction(self.database.as_ref(), |transaction| places::put_space(transaction, row))?;
        Ok(())
    }

    async fn set_child(&self, space: &str, child: &str, content: &Json) -> Result<()> {
        let space = <&RoomId>::try_from(space).map_err(MatrixError::internal)?;
        self.matrix.bot().send_state(space, "m.space.child", child, content, None).await?;
        Ok(())
    }

    /// A heading under which no chosen channel is any more is not shown.
    async fn unlist_if_empty(&self, place: &str) -> Result<()> {
        let used = self.is_used(place);
        let row = places::find_space(self.database.as_query(), place)?;
        match row {
            Some(row) if !used && row.parent.is_some() => {
                let before = row.parent.clone();
                self.list_space(&SpaceRow { parent: None, ..row }, before).await
            }
            _ => Ok(()),
        }
    }

    /// The name of the outermost heading over a channel.
    pub(super) fn place_name(&self, channel: &str) -> Result<Option<String>> {
        let outermost = self.places.borrow().get(channel).and_then(|path| path.first().cloned());
        let Some(outermost) = outermost else { return Ok(None) };
        Ok(places::find_space(self.database.as_query(), &outermost)?.map(|space| space.name))
    }

    /// Whether anything here has a use for a change.
    pub(super) fn concerns(&self, kind: &HookKind) -> Result<bool> {
        let query = self.database.as_query();
        Ok(match kind {
            HookKind::ChannelChanged { channel } => {
                self.portals.borrow().get(channel).is_some_and(|portal| portal.active)
            }
            HookKind::PlaceChanged { place, .. } => self.is_used(place),
            HookKind::PersonChanged { person, .. } => ghosts::find(query, person)?.is_some(),
            HookKind::PersonLeft { person, place } => self.is_used(place) && ghosts::find(query, person)?.is_some(),
            _ => false,
        })
    }

    fn is_used(&self, place: &str) -> bool {
        self.places.borrow().values().any(|path| path.iter().any(|id| id == place))
    }

    /// Keeps a change until its turn comes, at once. Lost with the object: Cron's look at each channel makes up for it.
    pub(super) fn remember_change(&self, kind: HookKind, body: &str) {
        let mut changes = self.changes.borrow_mut();
        if changes.len() >= MOST_CHANGES || changes.iter().any(|change| change.kind == kind) {
            return;
        }
        let event = matches!(kind, HookKind::PersonLeft { .. }).then(|| self.network.event_of(body)).flatten();
        changes.push_back(Change { kind, event });
    }

    pub(super) async fn run_changes(&self) {
        let Some(_guard) = self.changing.enter(self.now()) else { return };
        loop {
            let change = self.changes.borrow_mut().pop_front();
            let Some(change) = change else { return };
            if let Err(error) = self.follow_change(change).await {
                tracing::info!(login.id = %self.login_id, "A change was not followed: {error}");
            }
        }
    }

    async fn follow_change(&self, change: Change) -> Result<()> {
        match change.kind {
            HookKind::ChannelChanged { channel } => self.refresh_channel(&channel).await,
            HookKind::PersonChanged { person, profile } => self.change_person(&person, &profile).await,
            HookKind::PlaceChanged { place, name, order } => {
                self.follow_place(&place, name, order).await?;
                for channel in self.channels_in(&place) {
                    self.refresh_channel(&channel).await?;
                }
                Ok(())
            }
            HookKind::PersonLeft { place, .. } => {
                let Some(event) = change.event else { return Ok(()) };
                for channel in self.channels_in(&place) {
                    let portal = self.portals.borrow().get(&channel).cloned();
                    let Some(portal) = portal.filter(|portal| portal.active) else { continue };
                    let address = Address::new(Class::Portal, portal.portal_id);
                    let command = PortalCommand::Remote { events: vec![event.clone()] };
                    call::<()>(self.context.objects.as_ref(), address, &command).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn channels_in(&self, place: &str) -> Vec<String> {
        let places = self.places.borrow();
        places
            .iter()
            .filter(|(_, path)| path.iter().any(|id| id == place))
            .map(|(channel, _)| channel.clone())
            .collect()
    }

    /// A heading has another name or place now; a name that the owner gave stays.
    async fn follow_place(&self, place: &str, name: Option<String>, order: Option<i64>) -> Result<()> {
        let _turn = self.locks.lock("space").await;
        let Some(row) = places::find_space(self.database.as_query(), place)? else { return Ok(()) };
        let name = name.unwrap_or_else(|| row.name.clone());
        let order = order.map_or_else(|| row.rank.clone(), rank);
        if (&name, &order) == (&row.name, &row.rank) {
            return Ok(());
        }
        if name != row.name {
            let room = <&RoomId>::try_from(row.room_id.as_str()).map_err(MatrixError::internal)?;
            let bot = self.matrix.bot();
            let now = bot.get_state(room, "m.room.name", "").await?;
            let now = now.as_ref().and_then(|content| content.get("name")).and_then(Json::as_str);
            if now == Some(row.name.as_str()) {
                bot.send_state(room, "m.room.name", "", &json!({ "name": name }), None).await?;
            }
        }
        self.list_space(&SpaceRow { name, rank: order, ..row }, None).await
    }
}
