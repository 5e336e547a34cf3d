//! Events of threads that are channels of their own at the network go to the portal of the channel that the thread is
//! in. Which that is the network tells when a thread is begun; otherwise it is asked once, beside the connection.

use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::{
    database::transaction,
    login::{
        PortalEntry,
        threads::{self, ThreadRow},
    },
};

use super::LoginObject;
use crate::{
    contract::ChannelKind,
    network::{HookEvent, HookKind, RemoteError, RemoteThread},
};

/// Where an event of a channel goes.
pub(super) enum Home {
    /// To the channel's own portal.
    Channel,
    /// To the portal of the channel that this thread is in.
    Thread(RemoteThread),
    /// It may be a thread: the network knows.
    Unknown,
    /// Nobody has a use for it.
    Nowhere,
}

impl LoginObject {
    /// Where an event of a channel goes.
    pub(super) fn home_of(&self, event: &HookEvent) -> Result<Home> {
        if self.is_wanted(event)? {
            return Ok(Home::Channel);
        }
        let HookKind::ForChannel { channel, kind: None, .. } = &event.kind else { return Ok(Home::Nowhere) };
        if !self.facts().threads_are_channels || self.portals.borrow().contains_key(channel) {
            return Ok(Home::Nowhere);
        }
        match self.known_thread(channel)? {
            Some(thread) if self.has_portal(&thread.parent) => Ok(Home::Thread(thread)),
            Some(_) => Ok(Home::Nowhere),
            None => {
                let portals = self.portals.borrow();
                let channels = portals.values().filter(|one| one.kind == ChannelKind::Channel.as_str());
                Ok(if channels.into_iter().any(|one| one.active) { Home::Unknown } else { Home::Nowhere })
            }
        }
    }

    fn has_portal(&self, channel: &str) -> bool {
        self.portals.borrow().get(channel).is_some_and(|portal| portal.active)
    }

    fn known_thread(&self, channel: &str) -> Result<Option<RemoteThread>> {
        let Some(place) = self.network.place(channel) else { return Ok(None) };
        let row = threads::get(self.database.as_query(), &place)?;
        Ok(row.map(|row| RemoteThread { id: channel.to_owned(), parent: row.parent, name: row.name }))
    }

    /// What an event tells about threads of bridged channels, and is not known.
    pub(super) fn new_threads(&self, body: &str) -> Result<Vec<ThreadRow>> {
        let mut rows = Vec::new();
        for thread in self.network.threads_in(body).into_iter().filter(|thread| self.has_portal(&thread.parent)) {
            let known = self.known_thread(&thread.id)?;
            let place = self.network.place(&thread.id).filter(|_| known.as_ref() != Some(&thread));
            rows.extend(place.map(|place| ThreadRow { place, parent: thread.parent, name: thread.name }));
        }
        Ok(rows)
    }

    /// The portal of the channel that a thread is in, whose events waited until the network was asked.
    pub(super) async fn portal_of_thread(&self, channel: &str) -> Result<Option<(PortalEntry, RemoteThread)>> {
        if !self.facts().threads_are_channels {
            return Ok(None);
        }
        let thread = match self.known_thread(channel)? {
            Some(thread) => thread,
            None => self.ask_for_thread(channel).await?,
        };
        let portal = self.portals.borrow().get(&thread.parent).filter(|portal| portal.active).cloned();
        Ok(portal.map(|portal| (portal, thread)))
    }

    async fn ask_for_thread(&self, channel: &str) -> Result<RemoteThread> {
        let none = RemoteThread { id: channel.to_owned(), parent: String::new(), name: String::new() };
        let thread = match self.network.thread(&self.token()?, channel).await {
            Ok(thread) => thread.unwrap_or(none),
            // It is not for the account.
            Err(RemoteError::Refused(_)) => none,
            Err(error) => return Err(self.remote_failed(&error)),
        };
        if let Some(place) = self.network.place(channel) {
            let row = ThreadRow { place, parent: thread.parent.clone(), name: thread.name.clone() };
            transaction(self.database.as_ref(), |transaction| Ok::<_, MatrixError>(threads::put(transaction, &row)?))?;
        }
        Ok(thread)
    }
}
