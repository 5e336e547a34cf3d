//! Which channels the account is in, and which of them are bridged.

use std::collections::BTreeMap;

use hubbub_core::{
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use hubbub_storage::{
    database::transaction,
    login::{self as store, PortalEntry},
};
use ruma::OwnedRoomId;

use super::LoginObject;
use crate::{
    contract::{Bridged, ChannelKind, ListedChannel, PortalCommand, Tended},
    failpoints,
    network::{RemoteChannel, RemoteError, is_called},
};

impl LoginObject {
    /// An error of the network, for a person; one about the token is noted.
    pub(super) fn remote_failed(&self, error: &RemoteError) -> MatrixError {
        if let RemoteError::BadCredentials(code) = error {
            let generation = self.row().map_or(0, |row| row.generation);
            if let Err(error) = self.token_refused(code, generation) {
                return error;
            }
        }
        let status = match error {
            RemoteError::RateLimited(_) => 429,
            RemoteError::Refused(_) | RemoteError::BadCredentials(_) => 400,
            RemoteError::NotDone(_) | RemoteError::Unknown(_) => 502,
        };
        MatrixError::new(status, "M_UNKNOWN", format!("{}: {}", self.facts().title, error.sentence()))
    }

    pub(super) async fn list(&self) -> Result<Vec<ListedChannel>> {
        let token = self.token()?;
        self.spend(self.facts().channels_method)?;
        let channels = self.network.channels(&token).await.map_err(|error| self.remote_failed(&error))?;
        channels.into_iter().map(|channel| self.listed(channel)).collect()
    }

    fn listed(&self, channel: RemoteChannel) -> Result<ListedChannel> {
        let place = channel.path.first().map(|place| place.name.clone());
        let name = match &channel.with {
            Some(person) => store::ghosts::find(self.database.as_query(), person)?
                .map_or_else(|| person.clone(), |ghost| ghost.name),
            None => channel.name,
        };
        let portals = self.portals.borrow();
        let portal = portals.get(&channel.id).filter(|portal| portal.active);
        Ok(ListedChannel {
            id: channel.id,
            name,
            kind: channel.kind,
            portal_id: portal.map(|portal| portal.portal_id.clone()),
            place,
        })
    }

    /// The channels that are bridged now, by their portals.
    pub(super) fn portal_channels(&self) -> BTreeMap<String, String> {
        let portals = self.portals.borrow();
        let active = portals.values().filter(|portal| portal.active);
        active.map(|portal| (portal.portal_id.clone(), portal.channel.clone())).collect()
    }

    /// The channels that are bridged now.
    pub(super) fn bridged_channels(&self) -> Vec<ListedChannel> {
        let portals = self.portals.borrow();
        let mut channels: Vec<_> = portals
            .values()
            .filter(|portal| portal.active)
            .map(|portal| ListedChannel {
                id: portal.channel.clone(),
                name: portal.name.clone(),
                kind: ChannelKind::from(portal.kind.as_str()),
                portal_id: Some(portal.portal_id.clone()),
                place: None,
            })
            .collect();
        channels.sort_by(|left, right| left.id.cmp(&right.id));
        channels
    }

    pub(super) async fn bridge(&self, wanted: &str) -> Result<Bridged> {
        let _turn = self.locks.lock("bridge").await;
        let portal = match self.find_portal(wanted)? {
            Some(portal) => self.activate(portal)?,
            None => self.choose(wanted).await?,
        };
        self.open(portal).await
    }

    /// Has a portal make its room.
    async fn open(&self, portal: PortalEntry) -> Result<Bridged> {
        self.context.failpoints.pass(failpoints::LOGIN_AFTER_PORTAL).await;
        let objects = self.context.objects.as_ref();
        let address = Address::new(Class::Portal, portal.portal_id.as_str());
        let open = PortalCommand::Open(self.intent(&portal)?);
        call::<()>(objects, address.clone(), &open).await?;
        let room_id: OwnedRoomId = call(objects, address, &PortalCommand::Ready).await?;
        Ok(Bridged { portal_id: portal.portal_id, room_id })
    }

    pub(super) async fn join(&self, wanted: &str) -> Result<Bridged> {
        let name = wanted.trim_start_matches('#');
        let joined = self.network.join(&self.token()?, name).await.map_err(|error| self.remote_failed(&error))?;
        let Some(channel) = joined else {
            let text = format!("There is no open channel called “{name}” at {}.", self.facts().title);
            return Err(MatrixError::not_found(text));
        };
        self.bridge_channel(&channel.id, channel.kind, &channel.name).await
    }

    pub(super) async fn open_chat(&self, wanted: &str) -> Result<Bridged> {
        let token = self.token()?;
        let people = self.network.people_named(&token, wanted).await.map_err(|error| self.remote_failed(&error))?;
        let person = match people.as_slice() {
            [(person, _)] => person,
            [] => {
                return Err(MatrixError::not_found(format!("Nobody at {} is called “{wanted}”.", self.facts().title)));
            }
            several => {
                let names: Vec<_> = several.iter().take(10).map(|(id, name)| format!("{name} ({id})")).collect();
                let text = format!("Several people are called so: {}. Say `dm` and the id.", names.join(", "));
                return Err(MatrixError::invalid_param(&text));
            }
        };
        let channel = self.network.open_chat(&token, person).await.map_err(|error| match &error {
            RemoteError::Refused(code) => {
                let text = format!("{} opens no such chat: {}", self.facts().title, self.network.explain(code));
                MatrixError::invalid_param(&text)
            }
            error => self.remote_failed(error),
        })?;
        self.bridge_channel(&channel, ChannelKind::Direct, "").await
    }

    async fn bridge_channel(&self, channel: &str, kind: ChannelKind, name: &str) -> Result<Bridged> {
        let _turn = self.locks.lock("bridge").await;
        let known = self.portals.borrow().get(channel).cloned();
        let portal = match known {
            Some(portal) => self.activate(portal)?,
            None => self.add_portal(channel, kind, name)?,
        };
        self.open(portal).await
    }

    fn find_portal(&self, wanted: &str) -> Result<Option<PortalEntry>> {
        let portals = self.portals.borrow();
        if let Some(portal) = portals.get(wanted) {
            return Ok(Some(portal.clone()));
        }
        let mut named = Vec::new();
        for portal in portals.values().filter(|portal| !portal.name.is_empty()) {
            let place = self.place_name(&portal.channel)?;
            if is_called(wanted, place.as_deref(), &portal.name) {
                named.push((place, portal));
            }
        }
        match named.as_slice() {
            [] => Ok(None),
            [(_, portal)] => Ok(Some((*portal).clone())),
            several => Err(ambiguous(several.iter().map(|(place, portal)| (place.as_deref(), &*portal.name)))),
        }
    }

    fn activate(&self, portal: PortalEntry) -> Result<PortalEntry> {
        self.token()?;
        if portal.active {
            return Ok(portal);
        }
        let portal = PortalEntry { active: true, ..portal };
        self.put_portal(&portal)?;
        Ok(portal)
    }

    /// Makes the row of a channel that the network names.
    async fn choose(&self, wanted: &str) -> Result<PortalEntry> {
        let name = wanted.trim_start_matches('#');
        let channels = self.list().await?;
        let named = |channel: &&ListedChannel| is_called(wanted, channel.place.as_deref(), &channel.name);
        let named: Vec<_> = match channels.iter().find(|channel| channel.id == wanted) {
            Some(channel) => vec![channel],
            None => channels.iter().filter(named).collect(),
        };
        if named.len() > 1 {
            return Err(ambiguous(named.iter().map(|channel| (channel.place.as_deref(), &*channel.name))));
        }
        let Some(channel) = named.first() else {
            return Err(MatrixError::not_found(format!(
                "You are in no channel called “{name}” at {}.",
                self.facts().title
            )));
        };
        // While the network answered, the first message of a chat may have made the portal.
        let existing = self.portals.borrow().get(&channel.id).cloned();
        match existing {
            Some(portal) => self.activate(portal),
            None => self.add_portal(&channel.id, channel.kind, &channel.name),
        }
    }

    pub(super) async fn unbridge(&self, wanted: &str) -> Result<()> {
        let _turn = self.locks.lock("bridge").await;
        let Some(portal) = self.find_portal(wanted)? else {
            return Err(MatrixError::not_found(format!("No bridged channel is called “{wanted}”.")));
        };
        let portal = PortalEntry { active: false, ..portal };
        self.put_portal(&portal)?;
        let address = Address::new(Class::Portal, portal.portal_id);
        call(self.context.objects.as_ref(), address, &PortalCommand::Close).await
    }

    /// As [`Self::unbridge`], and the room goes. Repeating it goes on where it stopped.
    pub(super) async fn delete_room(&self, wanted: &str) -> Result<()> {
        let _turn = self.locks.lock("bridge").await;
        let Some(portal) = self.find_portal(wanted)? else {
            return Err(MatrixError::not_found(format!("No bridged channel is called “{wanted}”.")));
        };
        let address = Address::new(Class::Portal, portal.portal_id.as_str());
        // First, so that it is found again by a command that has to go on with it.
        call::<()>(self.context.objects.as_ref(), address, &PortalCommand::Delete).await?;
        if portal.active {
            self.put_portal(&PortalEntry { active: false, ..portal })?;
        }
        Ok(())
    }

    /// Something about a channel changed: its portal looks what.
    pub(super) async fn refresh_channel(&self, channel: &str) -> Result<()> {
        let portal = self.portals.borrow().get(channel).cloned();
        let Some(portal) = portal.filter(|portal| portal.active) else { return Ok(()) };
        let address = Address::new(Class::Portal, portal.portal_id.as_str());
        let command = PortalCommand::Tend { catch_up: false };
        let tended: Tended = call(self.context.objects.as_ref(), address, &command).await?;
        self.take_name(channel, tended.name)
    }

    /// A portal knows a channel's name better.
    pub(super) fn take_name(&self, channel: &str, name: Option<String>) -> Result<()> {
        let portal = self.portals.borrow().get(channel).cloned();
        match (portal, name) {
            (Some(portal), Some(name)) if portal.name != name && !name.is_empty() => {
                self.put_portal(&PortalEntry { name, ..portal })
            }
            _ => Ok(()),
        }
    }

    /// The network gave a channel another id: the portal stays the same, and learns it first.
    pub(super) async fn rename_channel(&self, old: &str, new: &str) -> Result<()> {
        let portal = self.portals.borrow().get(old).cloned();
        let Some(portal) = portal else { return Ok(()) };
        if portal.active {
            let address = Address::new(Class::Portal, portal.portal_id.as_str());
            let command = PortalCommand::Resume { channel: new.to_owned() };
            match call::<()>(self.context.objects.as_ref(), address, &command).await {
                Err(error) if error.status != 404 => return Err(error),
                _ => {}
            }
        }
        transaction(self.database.as_ref(), |transaction| store::rename_channel(transaction, old, new))?;
        let mut portals = self.portals.borrow_mut();
        portals.remove(old);
        let channel = new.to_owned();
        portals.insert(channel.clone(), PortalEntry { channel, ..portal });
        Ok(())
    }
}

fn ambiguous<'a>(channels: impl Iterator<Item = (Option<&'a str>, &'a str)>) -> MatrixError {
    let names: Vec<_> =
        channels.take(10).map(|(place, name)| format!("{}/{name}", place.unwrap_or_default())).collect();
    MatrixError::invalid_param(format!("Several channels are called so. Say which: {}.", names.join(", ")))
}
