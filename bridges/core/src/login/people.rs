//! Ghosts and their names, asked of the network at most once a day.

use futures_util::future::join_all;
use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::{
    database::transaction,
    directory::bridges,
    login::{self as store, GhostRow},
};
use ruma::OwnedUserId;

use super::LoginObject;
use crate::{
    contract::{Ghost, NamedChannel, RemotePerson},
    network::{Network, RemoteError},
};

/// How long a name is taken for good.
const FRESH_MS: i64 = 86_400_000;

/// When a name is asked for again that the network did not tell.
const RETRY_MS: i64 = 600_000;

/// Names that are asked for at once.
const AT_ONCE: usize = 8;

impl<N: Network> LoginObject<N> {
    /// Makes sure that these people have ghosts with names; the login's own account is the owner.
    pub(super) async fn ghosts(&self, people: Vec<RemotePerson>) -> Result<Vec<Ghost>> {
        let mut ghosts = Vec::with_capacity(people.len());
        for chunk in people.chunks(AT_ONCE) {
            let asked = join_all(chunk.iter().map(|person| self.ghost(person))).await;
            let rows = asked.into_iter().collect::<Result<Vec<_>>>()?;
            self.keep(rows.iter().filter_map(|(_, row)| row.as_ref())).await?;
            ghosts.extend(rows.into_iter().map(|(ghost, _)| ghost));
        }
        Ok(ghosts)
    }

    /// Makes the ghost of somebody whom the network knows; whether it does. The owner needs none.
    pub(super) async fn introduce(&self, person: String) -> Result<bool> {
        if self.row()?.remote_user.as_ref() == Some(&person) {
            return Ok(false);
        }
        let person = RemotePerson { id: person, name: None };
        let Some(name) = self.ask_name(&person).await else {
            return Ok(false);
        };
        self.ghosts(vec![RemotePerson { name: Some(name), ..person }]).await?;
        Ok(true)
    }

    /// The ghost of one person, and its row when that has to be written.
    async fn ghost(&self, person: &RemotePerson) -> Result<(Ghost, Option<GhostRow>)> {
        let login = self.row()?;
        if login.remote_user.as_ref() == Some(&person.id) {
            let ghost = Ghost {
                remote_user: person.id.clone(),
                user_id: self.owner()?,
                name: login.remote_name.unwrap_or_default(),
            };
            return Ok((ghost, None));
        }
        let known = store::find_ghost(self.database.as_query(), &person.id)?;
        let fresh = known.as_ref().is_some_and(|ghost| ghost.refreshed_at > self.now().saturating_sub(FRESH_MS));
        if let (Some(known), true) = (&known, fresh) {
            return Ok((as_ghost(known)?, None));
        }
        let row = self.refresh(person, known).await?;
        Ok((as_ghost(&row)?, Some(row)))
    }

    async fn refresh(&self, person: &RemotePerson, known: Option<GhostRow>) -> Result<GhostRow> {
        let team = self.row()?.team.unwrap_or_default();
        let localpart = self.network.ghost_localpart(&team, &person.id);
        let user_id = self.matrix.user_id(&localpart)?;
        let now = self.now();
        let (name, refreshed_at) = match self.ask_name(person).await {
            Some(name) => (name, now),
            None => {
                let name = match &known {
                    Some(known) => Some(known.name.clone()),
                    None => bridges::find_ghost_name(self.context.directory.as_ref(), user_id.as_str())
                        .await
                        .unwrap_or_default(),
                };
                let retry = now.saturating_sub(FRESH_MS).saturating_add(RETRY_MS);
                (name.unwrap_or_else(|| person.id.clone()), retry)
            }
        };
        if known.is_none() {
            self.matrix.bot().ensure_registered(&localpart).await?;
        }
        if known.as_ref().map(|known| &known.name) != Some(&name) {
            let ghost = self.matrix.ghost(&user_id);
            ghost.set_displayname(Some(&name)).await?;
        }
        Ok(GhostRow { remote_user: person.id.clone(), user_id: user_id.to_string(), name, refreshed_at })
    }

    /// The network's name of somebody; `None` when it cannot be had now.
    async fn ask_name(&self, person: &RemotePerson) -> Option<String> {
        if let Some(name) = &person.name {
            return Some(name.clone());
        }
        let token = self.token().ok()?;
        self.take_budget(N::PERSON_METHOD).ok()?;
        match self.network.person(&token, &person.id).await {
            Ok(name) => name,
            Err(RemoteError::RateLimited(wait)) => {
                let now = self.now();
                let until = now.saturating_add(wait);
                self.buckets.block(N::PERSON_METHOD, until, now);
                None
            }
            Err(error) => {
                // A wrong token is noted; every other failure only costs the name.
                let _ = self.remote_failed(&error);
                None
            }
        }
    }

    /// Writes ghosts' rows, here and in D1.
    async fn keep(&self, rows: impl Iterator<Item = &GhostRow> + Clone) -> Result<()> {
        if rows.clone().next().is_none() {
            return Ok(());
        }
        transaction(self.database.as_ref(), |transaction| {
            for row in rows.clone() {
                store::put_ghost(transaction, row)?;
            }
            Ok::<(), MatrixError>(())
        })?;
        let team = self.row()?.team.unwrap_or_default();
        let now = self.now();
        let statements =
            rows.map(|row| bridges::put_ghost(&row.user_id, N::ID, &team, &row.remote_user, &row.name, now)).collect();
        // D1 shows a ghost that it missed when the name is asked for again.
        if let Err(error) = self.context.directory.batch(statements).await {
            tracing::warn!(login.id = %self.login_id, "D1 does not list ghosts: {error}");
        }
        Ok(())
    }

    /// Somebody changed their name at the network.
    pub(super) async fn rename_person(&self, person: &str, name: &str) -> Result<()> {
        let Some(mut ghost) = store::find_ghost(self.database.as_query(), person)? else {
            return Ok(());
        };
        if ghost.name == name {
            return Ok(());
        }
        let user_id = OwnedUserId::try_from(ghost.user_id.as_str()).map_err(MatrixError::internal)?;
        let intent = self.matrix.ghost(&user_id);
        intent.set_displayname(Some(name)).await?;
        ghost.name = name.to_owned();
        ghost.refreshed_at = self.now();
        self.keep(std::iter::once(&ghost)).await
    }

    /// Names of channels that messages name; those that cannot be had are left out.
    pub(super) async fn named_channels(&self, ids: Vec<String>) -> Result<Vec<NamedChannel>> {
        let mut channels = Vec::new();
        for id in ids {
            let portal = self.portals.borrow().get(&id).cloned();
            if let Some(portal) = portal.filter(|portal| !portal.name.is_empty()) {
                channels.push(NamedChannel {
                    id,
                    name: portal.name,
                    portal_id: portal.active.then_some(portal.portal_id),
                });
            } else if let Some(name) = self.channel_name(&id).await? {
                channels.push(NamedChannel { id, name, portal_id: None });
            }
        }
        Ok(channels)
    }

    async fn channel_name(&self, id: &str) -> Result<Option<String>> {
        let now = self.now();
        let known = store::find_channel_name(self.database.as_query(), id)?;
        if let Some((name, at)) = &known
            && *at > now.saturating_sub(FRESH_MS)
        {
            return Ok(Some(name.clone()));
        }
        let Ok(token) = self.token() else {
            return Ok(known.map(|(name, _)| name));
        };
        if self.take_budget("conversations.info").is_err() {
            return Ok(known.map(|(name, _)| name));
        }
        let Ok(channel) = self.network.channel(&token, id).await else {
            return Ok(known.map(|(name, _)| name));
        };
        transaction(self.database.as_ref(), |transaction| {
            store::put_channel_name(transaction, id, &channel.name, now)
        })?;
        Ok(Some(channel.name))
    }
}

fn as_ghost(row: &GhostRow) -> Result<Ghost> {
    Ok(Ghost {
        remote_user: row.remote_user.clone(),
        user_id: OwnedUserId::try_from(row.user_id.as_str()).map_err(MatrixError::internal)?,
        name: row.name.clone(),
    })
}
