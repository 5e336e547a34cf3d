//! Custom emoji: their pictures are copied into this server's media when a message or a reaction first shows them, and
//! found again when somebody here uses them.
//!
//! A picture that does not come within seconds delays nothing further: its name is shown, and it is tried again when
//! the emoji is seen some time later.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use hubbub_core::{
    contract::encode,
    error::{MatrixError, Result},
};
use hubbub_storage::{
    database::transaction,
    login::emoji::{self as store, EmojiRow},
};
use ruma::OwnedMxcUri;

use super::{LoginObject, pictures::NoPicture};
use crate::{
    contract::EmojiCommand,
    network::{CustomEmoji, ListedEmoji, NamedEmoji},
};

/// How often the network's list is read again for an emoji that is not in it, in milliseconds.
const LIST_MS: i64 = 600_000;

/// The most emoji of the network's list that are kept in memory.
const MOST_LISTED: usize = 20_000;

/// How long copying one picture may take, in milliseconds.
const PATIENCE_MS: u32 = 2_000;

/// How long the pictures of one message may take together, in milliseconds.
const TOGETHER_MS: i64 = 5_000;

/// When a picture is tried again that did not come, and one that never will, in milliseconds.
const LATER_MS: i64 = 600_000;
const NEVER_MS: i64 = 86_400_000;

/// Emoji of one message that are looked up.
const MOST_AT_ONCE: usize = 50;

/// The network's list as it was read last, and which pictures did not come.
#[derive(Default)]
pub(super) struct EmojiList {
    /// Emoji by their reactions' keys.
    listed: RefCell<HashMap<String, ListedEmoji>>,
    asked_at: Cell<Option<i64>>,
    /// When to try again, by key.
    missing: RefCell<HashMap<String, i64>>,
}

impl LoginObject {
    /// Carries out a command about emoji.
    pub(super) async fn take_emoji(&self, command: EmojiCommand) -> Result<Vec<u8>> {
        match command {
            EmojiCommand::Pictures { emoji } => {
                let until = self.now().saturating_add(TOGETHER_MS);
                let mut pictures = Vec::with_capacity(emoji.len());
                for (index, emoji) in emoji.iter().enumerate() {
                    let patient = index < MOST_AT_ONCE && self.now() < until;
                    pictures.push(self.emoji_picture(emoji, patient).await?);
                }
                encode(&pictures)
            }
            EmojiCommand::Find { emoji } => {
                let mut found = Vec::with_capacity(emoji.len());
                for named in emoji.iter().take(MOST_AT_ONCE) {
                    found.push(self.find_emoji(named).await?);
                }
                encode(&found)
            }
        }
    }

    /// Some emoji are others now than they were.
    pub(super) fn forget_emoji(&self, keys: &[String]) -> Result<()> {
        self.emoji.listed.borrow_mut().clear();
        self.emoji.asked_at.set(None);
        self.emoji.missing.borrow_mut().clear();
        if keys.is_empty() {
            return Ok(());
        }
        let keys = serde_json::to_string(keys)?;
        transaction(self.database.as_ref(), |transaction| Ok::<_, MatrixError>(store::forget(transaction, &keys)?))
    }

    /// The copy of an emoji's picture; `None` when there is none (yet).
    async fn emoji_picture(&self, emoji: &CustomEmoji, patient: bool) -> Result<Option<OwnedMxcUri>> {
        let key = self.network.key_of_emoji(emoji);
        let known = || store::find(self.database.as_query(), &key).map(|row| row.map(|row| OwnedMxcUri::from(row.mxc)));
        if let Some(copy) = known()? {
            return Ok(Some(copy));
        }
        if !patient || self.emoji.missing.borrow().get(&key).is_some_and(|until| *until > self.now()) {
            return Ok(None);
        }
        // What two messages show at once is copied once.
        let _turn = self.locks.lock("emoji").await;
        if let Some(copy) = known()? {
            return Ok(Some(copy));
        }
        let known = |picture| ListedEmoji { emoji: emoji.clone(), picture, alias_of: None };
        let listed = match self.network.emoji_picture(emoji).map(known) {
            Some(listed) => Some(listed),
            None => self.listed_emoji(|listed, _| *listed == key).await?,
        };
        let outcome = match listed {
            Some(listed) => self.copy_emoji(&key, listed).await?,
            None => Err(NoPicture::Later("the network lists no such emoji".to_owned())),
        };
        let (wait, reason) = match outcome {
            Ok(copy) => return Ok(Some(copy)),
            Err(NoPicture::Later(reason)) => (LATER_MS, reason),
            Err(NoPicture::Never(reason)) => (NEVER_MS, reason),
        };
        tracing::info!(login.id = %self.login_id, "A custom emoji has no picture: {reason}");
        let mut missing = self.emoji.missing.borrow_mut();
        if missing.len() >= MOST_LISTED {
            missing.clear();
        }
        missing.insert(key, self.now().saturating_add(wait));
        Ok(None)
    }

    async fn copy_emoji(&self, key: &str, listed: ListedEmoji) -> Result<Result<OwnedMxcUri, NoPicture>> {
        let ListedEmoji { emoji, picture: url, alias_of } = listed;
        let copy = match store::find_copy(self.database.as_query(), &url)? {
            Some(copy) => OwnedMxcUri::from(copy),
            None => match self.copy_picture(&self.matrix.bot(), &url, PATIENCE_MS).await {
                Ok(copy) => copy,
                Err(none) => return Ok(Err(none)),
            },
        };
        let row = EmojiRow {
            key: key.to_owned(),
            name: emoji.name,
            id: emoji.id,
            alias_of,
            url,
            mxc: copy.to_string(),
            seen_at: self.now(),
        };
        transaction(self.database.as_ref(), |transaction| Ok::<_, MatrixError>(store::put(transaction, &row)?))?;
        Ok(Ok(copy))
    }

    /// The emoji that Matrix means: by its picture, or by its name.
    async fn find_emoji(&self, named: &NamedEmoji) -> Result<Option<CustomEmoji>> {
        if let Some(picture) = &named.picture
            && let Some(row) = store::find_by_picture(self.database.as_query(), picture.as_str())?
        {
            return Ok(Some(CustomEmoji { name: row.name, id: row.id }));
        }
        let Some(name) = &named.name else { return Ok(None) };
        let _turn = self.locks.lock("emoji").await;
        Ok(self.listed_emoji(|_, emoji| emoji.name == *name).await?.map(|listed| listed.emoji))
    }

    /// An emoji of the network's list, which is read anew for one that is not in it, though not often.
    async fn listed_emoji(&self, is_it: impl Fn(&String, &CustomEmoji) -> bool) -> Result<Option<ListedEmoji>> {
        let find = || {
            let listed = self.emoji.listed.borrow();
            listed.iter().find(|(key, one)| is_it(key, &one.emoji)).map(|(_, found)| found.clone())
        };
        let found = find();
        let recent = self.emoji.asked_at.get().is_some_and(|at| at > self.now().saturating_sub(LIST_MS));
        if found.is_some() || recent {
            return Ok(found);
        }
        let Ok(token) = self.token() else { return Ok(None) };
        self.emoji.asked_at.set(Some(self.now()));
        match self.network.list_emoji(&token).await {
            Ok(all) => {
                let all = all.into_iter().take(MOST_LISTED);
                let all = all.map(|one| (self.network.key_of_emoji(&one.emoji), one));
                *self.emoji.listed.borrow_mut() = all.collect();
            }
            Err(error) => {
                // A wrong token is noted; every other failure only costs the picture.
                let error = self.remote_failed(&error);
                tracing::info!(login.id = %self.login_id, "The custom emoji were not listed: {error}");
            }
        }
        Ok(find())
    }
}
