//! Edits and deletions of remote messages: each reaches all events that show the message, as those who sent them.

use hubbub_core::error::Result;
use hubbub_storage::portal::{
    self as store, MappedMessage,
    changes::{self, DELETED, FILE_PARTS},
};
use ruma::{EventId, UserId};
use serde_json::{Value as Json, json, value::RawValue};

use super::{
    PortalObject,
    inbound::{Applied, Effect},
    outbound::Progress,
    show::{Part, transaction_id},
};
use crate::{
    contract::Ghost,
    matrix::is_final,
    network::{RemoteDeletion, RemoteEdit, RemoteMessage},
};

impl PortalObject {
    pub(super) async fn apply_edit(&self, edit: &RemoteEdit, raw: &RawValue) -> Result<Applied> {
        let message = &edit.message;
        let parts = changes::list_parts(self.database.as_query(), &message.place.place)?;
        let Some(first) = parts.first() else {
            return Ok(Applied::Unknown(message.place.place.clone()));
        };
        if message.edited <= first.edited {
            return Ok(Applied::Done(Vec::new()));
        }
        if self.may_echo_change(&message.id).await {
            return Ok(Applied::NotYet);
        }
        // The call that was waited for may have been this edit.
        let parts = changes::list_parts(self.database.as_query(), &message.place.place)?;
        if parts.first().is_none_or(|first| message.edited <= first.edited) {
            return Ok(Applied::Done(Vec::new()));
        }
        self.show_edit(message, edit.at, &parts, raw).await.map(Applied::Done)
    }

    /// Replaces what shows a message by what it says now.
    pub(super) async fn show_edit(
        &self,
        message: &RemoteMessage,
        at: i64,
        parts: &[MappedMessage],
        raw: &RawValue,
    ) -> Result<Vec<Effect>> {
        let names = self.names_for(raw).await?;
        let relation = self.relation_of(message)?;
        let contents = self.contents_of(message, raw, &names, relation.is_threaded());
        let place = &message.place.place;
        let mut effects =
            vec![Effect::Edited { place: place.clone(), edited: message.edited, parts: length(contents.len()) }];
        if let Some(first) = parts.first()
            && self.is_piece(first)?
        {
            let text = contents.first().and_then(|content| content.json.get("body")).and_then(Json::as_str);
            let text =
                format!("A part of this message was edited at {}: {}", self.facts().title, text.unwrap_or_default());
            let transaction = format!("piece-{}-{}", message.id, message.edited);
            self.say(&transaction, &text, Some(&first.event_id)).await?;
            return Ok(effects);
        }
        effects.extend(self.take_files_back(message, parts, raw).await?);
        effects.extend(self.take_previews_back(message, parts).await?);
        let ghosts = self.ghosts_of(vec![message.sender.clone()]).await?;
        let Some(author) = ghosts.first() else { return Ok(effects) };
        for (part, content) in (0_i64..).zip(&contents) {
            let old = parts.iter().find(|old| old.part == part);
            let ghost = match old.and_then(|old| old.sender.as_deref()) {
                Some(sender) => self.speaker(sender, &author.name)?,
                None => author.clone(),
            };
            let json = match old {
                Some(old) => replacement(&content.json, &old.event_id),
                None => content.json.clone(),
            };
            let shown = Part {
                room: self.room_id()?,
                kind: "m.room.message",
                transaction: format!("{}-e{}", transaction_id(self.facts(), message, part), message.edited),
                // A part that is new is found by the time of its message.
                sent_at: if old.is_some() { at } else { message.sent_at },
                content: &json,
            };
            let own = ghost.user_id == self.owner()?;
            let sent = self.show_part(&shown, &ghost, own).await?;
            if old.is_none() {
                effects.push(Effect::Shown(MappedMessage {
                    place: place.clone(),
                    part,
                    remote_id: message.id.clone(),
                    event_id: sent.event_id,
                    sender: Some(sent.sender.to_string()),
                    edited: message.edited,
                    thread_root: message.thread_root.clone(),
                }));
            }
        }
        for old in parts.iter().filter(|old| (length(contents.len())..FILE_PARTS).contains(&old.part)) {
            let transaction = format!("{}-e{}", transaction_id(self.facts(), message, old.part), message.edited);
            self.redact(&old.event_id, old.sender.as_deref(), &transaction).await?;
        }
        Ok(effects)
    }

    /// Who sends what this user once sent.
    pub(super) fn speaker(&self, user: &str, name: &str) -> Result<Ghost> {
        let user_id = UserId::parse(user).map_err(hubbub_core::error::MatrixError::internal)?;
        Ok(Ghost { remote_user: String::new(), user_id, name: name.to_owned() })
    }

    /// Whether a message is only one of several that one event became.
    fn is_piece(&self, message: &MappedMessage) -> Result<bool> {
        let row = store::find_outbound(self.database.as_query(), &message.event_id)?;
        Ok(row.is_some_and(|row| Progress::read(row.outcome.as_deref()).parts().count() > 1))
    }

    pub(super) async fn apply_deletion(&self, deletion: &RemoteDeletion) -> Result<Applied> {
        let query = self.database.as_query();
        let mut effects = Vec::new();
        let mut unknown = None;
        for id in &deletion.ids {
            if self.may_echo_change(id).await {
                return Ok(Applied::NotYet);
            }
            let Some(place) = self.network.place(id) else { continue };
            let parts = changes::list_parts(query, &place)?;
            if parts.is_empty() {
                unknown = Some(place);
                continue;
            }
            for part in parts.iter().filter(|part| part.edited < DELETED) {
                if self.others_remain(part, &deletion.ids)? {
                    continue;
                }
                let transaction = format!("{}-{id}-deleted-{}", self.facts().id, part.part);
                self.redact(&part.event_id, part.sender.as_deref(), &transaction).await?;
            }
            effects.push(Effect::Deleted(place));
        }
        match unknown {
            // What waits for one message is done for the others too.
            Some(place) if effects.is_empty() => Ok(Applied::Unknown(place)),
            _ => Ok(Applied::Done(effects)),
        }
    }

    /// Whether an event of a human became several remote messages of which some stay.
    fn others_remain(&self, message: &MappedMessage, gone: &[String]) -> Result<bool> {
        let query = self.database.as_query();
        let Some(row) = store::find_outbound(query, &message.event_id)? else { return Ok(false) };
        for (_, remote_id) in Progress::read(row.outcome.as_deref()).parts() {
            let Some(place) = self.network.place(remote_id) else { continue };
            let there = changes::list_parts(query, &place)?.iter().any(|part| part.edited < DELETED);
            if there && !gone.contains(remote_id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes an event back as its sender, or where that one may not, as the bot. What the room refuses for good is
    /// left as it is.
    pub(super) async fn redact(&self, event_id: &str, sender: Option<&str>, transaction: &str) -> Result<()> {
        let (Ok(event_id), room) = (EventId::parse(event_id), self.room_id()?) else { return Ok(()) };
        let bot = self.matrix.bot();
        let who = match sender.and_then(|sender| UserId::parse(sender).ok()) {
            Some(user) if user == self.matrix.bot_id()? => bot.clone(),
            Some(user) if user == self.owner()? => {
                // The room tells of it, and it must not go out.
                self.sending.took_back(event_id.as_str());
                self.matrix.owner(&user)
            }
            Some(user) => self.matrix.ghost(&user),
            None => bot.clone(),
        };
        let mut outcome = who.redact(&room, &event_id, transaction, None).await;
        if matches!(&outcome, Err(error) if error.status == 403) {
            outcome = bot.redact(&room, &event_id, transaction, None).await;
        }
        match outcome {
            Err(error) if is_final(&error) => {
                tracing::info!(portal.id = %self.portal_id, "An event cannot be taken back: {error}");
                Ok(())
            }
            outcome => Ok(outcome.map(|_| ())?),
        }
    }
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// An edit of an event ([spec](https://spec.matrix.org/v1.11/client-server-api/#event-replacements)). Whom it mentions
/// stands in the new content alone: an edit pings nobody again.
pub(crate) fn replacement(content: &Json, event_id: &str) -> Json {
    let mut edit = content.clone();
    if let Some(fields) = edit.as_object_mut() {
        for key in ["body", "formatted_body"] {
            let starred = fields.get(key).and_then(Json::as_str).map(|text| format!("* {text}"));
            if let Some(starred) = starred {
                fields.insert(key.to_owned(), starred.into());
            }
        }
        fields.insert("m.new_content".to_owned(), content.clone());
        fields.insert("m.mentions".to_owned(), json!({}));
        fields.insert("m.relates_to".to_owned(), json!({ "rel_type": "m.replace", "event_id": event_id }));
    }
    edit
}
