//! Ghosts and their names, asked of the network at most once a day. Their pictures: [`super::pictures`].

use futures_util::future::join_all;
use hubbub_core::error::{MatrixError, Result};
use hubbub_storage::{
    database::transaction,
    directory::bridges,
    login::{
        self as store,
        ghosts::{self, GhostRow},
    },
};
use ruma::{OwnedUserId, UserId};

use super::LoginObject;
use crate::{
    contract::{Ghost, NamedChannel, RemotePerson},
    network::{RemoteError, RemoteProfile},
};

/// How long a name is taken for good.
const FRESH_MS: i64 = 86_400_000;

/// When a name is asked for again that the network did not tell.
const RETRY_MS: i64 = 600_000;

/// Names that are asked for at once.
const AT_ONCE: usize = 8;

/// How long a new ghost's first message waits for its picture, in milliseconds.
const PATIENCE_MS: u32 = 2_000;

/// Names by which one webhook or program may speak as ghosts of their own.
const MOST_NAMES: u32 = 200;

/// A ghost as it is to be written.
struct Refreshed {
    row: GhostRow,
    /// Whether it has yet to get its picture.
    owes_picture: bool,
}

impl LoginObject {
    /// Makes sure that these people have ghosts with names; the owner's own person is the owner.
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
        if self.own_person().as_ref() == Some(&person) {
            return Ok(false);
        }
        if ghosts::find(self.database.as_query(), &person)?.is_some() {
            return Ok(true);
        }
        let person = RemotePerson { id: person, name: None, picture: None };
        let Some(profile) = self.ask_profile(&person).await else {
            return Ok(false);
        };
        let user_id = self.ghost_id(&person)?;
        let made = self.show(&person, &user_id, None, (profile, self.now())).await?;
        self.keep(std::iter::once(&made)).await?;
        Ok(true)
    }

    /// The ghost of one person, and its row when that has to be written.
    async fn ghost(&self, person: &RemotePerson) -> Result<(Ghost, Option<Refreshed>)> {
        if let Some(ours) = self.ours(person)? {
            return Ok((ours, None));
        }
        let one_of_many = self.one_of_many(person)?;
        let person = one_of_many.as_ref().unwrap_or(person);
        let known = ghosts::find(self.database.as_query(), &person.id)?;
        let fresh = known.as_ref().is_some_and(|ghost| ghost.refreshed_at > self.now().saturating_sub(FRESH_MS));
        if let (Some(known), true) = (&known, fresh) {
            return Ok((as_ghost(known)?, None));
        }
        let refreshed = self.refresh(person, known).await?;
        Ok((as_ghost(&refreshed.row)?, Some(refreshed)))
    }

    /// Who is no ghost: the owner, what says the owner's words by their name, and a bot that is the login itself.
    fn ours(&self, person: &RemotePerson) -> Result<Option<Ghost>> {
        let login = self.row()?;
        let shown = |user_id, name| Some(Ghost { remote_user: person.id.clone(), user_id, name });
        if self.own_person().as_ref() == Some(&person.id) {
            return Ok(shown(self.owner()?, self.own_name()));
        }
        if !self.facts().links_owner {
            return Ok(None);
        }
        if self.network.voice_of(&person.id).is_some_and(|voice| login.team.as_deref() == Some(voice)) {
            return Ok(shown(self.owner()?, person.name.clone().unwrap_or_default()));
        }
        if login.remote_user.as_ref() == Some(&person.id) {
            return Ok(shown(self.matrix.bot_id()?, login.remote_name.unwrap_or_default()));
        }
        Ok(None)
    }

    /// Who stands for somebody new whose webhook or program has spoken by very many names already.
    fn one_of_many(&self, person: &RemotePerson) -> Result<Option<RemotePerson>> {
        let Some(voice) = self.network.voice_of(&person.id) else { return Ok(None) };
        let query = self.database.as_query();
        if ghosts::find(query, &person.id)?.is_some() || !ghosts::has_many(query, voice, MOST_NAMES)? {
            return Ok(None);
        }
        Ok(Some(RemotePerson { id: voice.to_owned(), name: person.name.clone(), picture: None }))
    }

    async fn refresh(&self, person: &RemotePerson, known: Option<GhostRow>) -> Result<Refreshed> {
        let user_id = self.ghost_id(person)?;
        let now = self.now();
        let (profile, refreshed_at) = match self.ask_profile(person).await {
            Some(profile) => (profile, now),
            None => {
                let name = match &known {
                    Some(known) => Some(known.name.clone()),
                    None => bridges::find_ghost_name(self.context.directory.as_ref(), user_id.as_str())
                        .await
                        .unwrap_or_default(),
                };
                let retry = now.saturating_sub(FRESH_MS).saturating_add(RETRY_MS);
                (RemoteProfile { name: name.unwrap_or_else(|| person.id.clone()), picture: None }, retry)
            }
        };
        self.show(person, &user_id, known, (profile, refreshed_at)).await
    }

    fn ghost_id(&self, person: &RemotePerson) -> Result<OwnedUserId> {
        let team = self.row()?.team.unwrap_or_default();
        self.matrix.user_id(&self.network.ghost_localpart(&team, &person.id))
    }

    /// Gives a ghost, which is made where it is not known, the name that its person has at the network, and at first the
    /// picture too: one that comes later is a change that every room shows.
    async fn show(
        &self,
        person: &RemotePerson,
        user_id: &UserId,
        known: Option<GhostRow>,
        (profile, refreshed_at): (RemoteProfile, i64),
    ) -> Result<Refreshed> {
        if known.is_none() {
            self.matrix.bot().ensure_registered(user_id.localpart()).await?;
        }
        if known.as_ref().map(|known| &known.name) != Some(&profile.name) {
            self.matrix.ghost(user_id).set_displayname(Some(&profile.name)).await?;
        }
        let before = known.as_ref().and_then(|known| known.picture.clone());
        let mut owes_picture = profile.picture.is_some() && profile.picture != before;
        if let (true, None, Some(url)) = (owes_picture, &known, &profile.picture) {
            owes_picture = self.take_picture(user_id, url, PATIENCE_MS).await.is_err();
        }
        let row = GhostRow {
            remote_user: person.id.clone(),
            user_id: user_id.to_string(),
            name: profile.name,
            picture: profile.picture.or(before),
            refreshed_at,
        };
        Ok(Refreshed { row, owes_picture })
    }

    /// How the network shows somebody; `None` when it cannot be had now.
    async fn ask_profile(&self, person: &RemotePerson) -> Option<RemoteProfile> {
        if let Some(name) = &person.name {
            return Some(RemoteProfile { name: name.clone(), picture: person.picture.clone() });
        }
        let token = self.token().ok()?;
        self.take_budget(self.facts().person_method).ok()?;
        match self.network.person(&token, &person.id).await {
            Ok(profile) => profile,
            Err(RemoteError::RateLimited(wait)) => {
                let now = self.now();
                let until = now.saturating_add(wait);
                self.buckets.block(self.facts().person_method, until, now);
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
    async fn keep(&self, ghosts: impl Iterator<Item = &Refreshed> + Clone) -> Result<()> {
        if ghosts.clone().next().is_none() {
            return Ok(());
        }
        let now = self.now();
        transaction(self.database.as_ref(), |transaction| {
            for Refreshed { row, owes_picture } in ghosts.clone() {
                ghosts::put(transaction, row)?;
                if let (true, Some(url)) = (*owes_picture, &row.picture) {
                    ghosts::owe_picture(transaction, &row.remote_user, url)?;
                    self.alarm.arm(transaction, now)?;
                }
            }
            Ok::<(), MatrixError>(())
        })
        .inspect_err(|_| self.alarm.forget())?;
        for Refreshed { row, .. } in ghosts.clone().filter(|ghost| ghost.owes_picture) {
            self.owe_picture(row);
        }
        let team = self.row()?.team.unwrap_or_default();
        let statements = ghosts
            .map(|Refreshed { row, .. }| {
                bridges::put_ghost(&row.user_id, self.facts().id, &team, &row.remote_user, &row.name, now)
            })
            .collect();
        // D1 shows a ghost that it missed when the name is asked for again.
        if let Err(error) = self.context.directory.batch(statements).await {
            tracing::warn!(login.id = %self.login_id, "D1 does not list ghosts: {error}");
        }
        Ok(())
    }

    /// Somebody changed their name or picture at the network.
    pub(super) async fn change_person(&self, person: &str, profile: &RemoteProfile) -> Result<()> {
        let Some(known) = ghosts::find(self.database.as_query(), person)? else {
            return Ok(());
        };
        let picture_stays = profile.picture.is_none() || profile.picture == known.picture;
        if known.name == profile.name && picture_stays {
            return Ok(());
        }
        let user_id = OwnedUserId::try_from(known.user_id.as_str()).map_err(MatrixError::internal)?;
        let person = RemotePerson { id: known.remote_user.clone(), name: None, picture: None };
        let changed = self.show(&person, &user_id, Some(known), (profile.clone(), self.now())).await?;
        self.keep(std::iter::once(&changed)).await
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
        if self.take_budget(self.facts().channel_method).is_err() {
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
