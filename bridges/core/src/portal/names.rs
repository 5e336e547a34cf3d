//! Whom and what messages name, asked of the login once in a while.

use std::{cell::RefCell, collections::HashMap};

use hubbub_core::error::Result;
use hubbub_storage::portal as store;
use ruma::{OwnedMxcUri, OwnedRoomOrAliasId, UserId};
use serde_json::value::RawValue;

use super::PortalObject;
use crate::{
    contract::{Ghost, LoginCommand, NamedChannel, RemotePerson},
    network::{CustomEmoji, KnownNames},
};

/// How long a name is not asked for again.
const FRESH_MS: i64 = 3_600_000;

/// More names than this are forgotten together: they are only a copy of the login's.
pub(super) const MOST_NAMES: usize = 2_000;

/// Names of people and channels, and when they were asked for.
#[derive(Default)]
pub(super) struct NameCache {
    people: RefCell<HashMap<RemotePerson, (i64, Ghost)>>,
    channels: RefCell<HashMap<String, (i64, Option<NamedChannel>)>>,
    pub(super) emoji: RefCell<HashMap<CustomEmoji, (i64, Option<OwnedMxcUri>)>>,
}

impl NameCache {
    /// Asks for every name again.
    pub(super) fn forget(&self) {
        self.people.borrow_mut().clear();
        self.channels.borrow_mut().clear();
    }
}

impl PortalObject {
    /// The ghosts of these people, in the same order.
    pub(super) async fn ghosts_of(&self, people: Vec<RemotePerson>) -> Result<Vec<Ghost>> {
        let fresh_since = self.now().saturating_sub(FRESH_MS);
        let known = |person: &RemotePerson| {
            let cache = self.names.people.borrow();
            let (at, ghost) = cache.get(person)?;
            (*at > fresh_since).then(|| ghost.clone())
        };
        let mut missing: Vec<RemotePerson> = people.iter().filter(|person| known(person).is_none()).cloned().collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() {
            let command = LoginCommand::Ghosts { people: missing.clone() };
            let ghosts: Vec<Ghost> = self.ask_login(&command).await?;
            let now = self.now();
            let mut cache = self.names.people.borrow_mut();
            if cache.len() > MOST_NAMES {
                cache.clear();
            }
            for (person, ghost) in missing.into_iter().zip(ghosts) {
                // Whom a message named itself is known by the id, too.
                let bare = RemotePerson { id: person.id.clone(), name: None, picture: None };
                cache.insert(bare, (now, ghost.clone()));
                cache.insert(person, (now, ghost));
            }
        }
        let cache = self.names.people.borrow();
        Ok(people.iter().filter_map(|person| cache.get(person).map(|(_, ghost)| ghost.clone())).collect())
    }

    /// Everything that the conversion of a message may ask for.
    pub(super) async fn names_for(&self, raw: &RawValue) -> Result<KnownNames> {
        let named = self.network.names_in(raw);
        let people = named.people.into_iter().map(|id| RemotePerson { id, name: None, picture: None }).collect();
        Ok(KnownNames {
            people: self.ghosts_of(people).await?,
            channels: self.channels_of(named.channels).await?,
            groups: self.groups_of(named.groups).await?,
            emoji: self.pictures_of(named.emoji).await?,
        })
    }

    /// Names of roles or user groups; those that cannot be had now are left out.
    async fn groups_of(&self, ids: Vec<String>) -> Result<Vec<(String, String)>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let access = self.current_access().await?;
        let Some(token) = &access.token else { return Ok(Vec::new()) };
        let channel = self.row()?.channel;
        match self.network.groups(&token.0, &channel, &ids).await {
            Ok(groups) => Ok(groups),
            Err(error) => {
                tracing::info!(portal.id = %self.portal_id, "Roles are not named: {}", error.sentence());
                Ok(Vec::new())
            }
        }
    }

    async fn channels_of(&self, ids: Vec<String>) -> Result<Vec<(String, String, Option<OwnedRoomOrAliasId>)>> {
        let fresh_since = self.now().saturating_sub(FRESH_MS);
        let missing: Vec<String> = {
            let cache = self.names.channels.borrow();
            let is_missing = |id: &&String| cache.get(*id).is_none_or(|(at, _)| *at <= fresh_since);
            ids.iter().filter(is_missing).cloned().collect()
        };
        if !missing.is_empty() {
            let command = LoginCommand::Channels { ids: missing.clone() };
            let found: Vec<NamedChannel> = self.ask_login(&command).await?;
            let now = self.now();
            let mut cache = self.names.channels.borrow_mut();
            if cache.len() > MOST_NAMES {
                cache.clear();
            }
            for id in missing {
                let channel = found.iter().find(|channel| channel.id == id).cloned();
                cache.insert(id, (now, channel));
            }
        }
        let mut channels = Vec::new();
        for id in ids {
            let cached = self.names.channels.borrow().get(&id).cloned();
            let Some((_, Some(channel))) = cached else {
                continue;
            };
            let alias = match &channel.portal_id {
                Some(portal_id) => Some(self.matrix.alias(portal_id)?.into()),
                None => None,
            };
            channels.push((id, channel.name, alias));
        }
        Ok(channels)
    }

    /// Makes sure that a ghost is in the room.
    pub(super) async fn join_ghost(&self, user: &UserId) -> Result<()> {
        if self.joined.borrow().contains(user.as_str()) {
            return Ok(());
        }
        self.matrix.bring_ghost(user, &self.room_id()?).await?;
        self.commit(false, |transaction| Ok(store::put_joined(transaction, user.as_str())?))?;
        self.joined.borrow_mut().insert(user.to_string());
        Ok(())
    }
}
