//! How a remote message is shown: by its ghost, by the owner's double puppet, and if neither may
//! speak in the room, by the bot. No message stops those after it.

use hubbub_appservice::intent::{Intent, error::IntentError};
use hubbub_core::error::Result;
use hubbub_storage::portal::MappedMessage;
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::{Value as Json, json, value::RawValue};

use super::{PortalObject, files::FilePart, inbound::Effect, relation::Content};
use crate::{
    contract::Ghost,
    matrix::{DOUBLE_PUPPET_KEY, is_final},
    network::{NetworkFacts, RemoteMessage},
};

/// What is shown of a content that the room refuses.
const EXCERPT_CHARACTERS: usize = 1_000;

/// One event on its way into the room.
pub(super) struct Part<'a> {
    /// The room.
    pub(super) room: OwnedRoomId,
    /// The event's type.
    pub(super) kind: &'static str,
    /// The transaction id.
    pub(super) transaction: String,
    /// When it was sent, in milliseconds since the epoch.
    pub(super) sent_at: i64,
    /// The content.
    pub(super) content: &'a Json,
}

/// An event in the room, and who sent it.
pub(super) struct Sent {
    /// The event.
    pub(super) event_id: String,
    /// Its sender.
    pub(super) sender: OwnedUserId,
}

impl Part<'_> {
    /// Sends it, or another content in its place.
    pub(super) async fn send_as(&self, who: &Intent, content: &Json) -> Result<String, IntentError> {
        let sent = who.send(&self.room, self.kind, &self.transaction, content, Some(self.sent_at));
        sent.await.map(|event_id| event_id.to_string())
    }
}

impl PortalObject {
    /// Shows a message.
    pub(super) async fn show(
        &self,
        message: &RemoteMessage,
        raw: &RawValue,
        ghost: &Ghost,
        files: &[FilePart],
    ) -> Result<Vec<Effect>> {
        let own = ghost.user_id == self.owner()?;
        let names = self.names_for(raw).await?;
        self.begin_thread(message, raw).await?;
        let mut relation = self.relation_of(message)?;
        let mut effects = Vec::new();
        let contents = self.contents_of(message, raw, &names, relation.is_threaded());
        let texts = (0_i64..).zip(contents).map(|(part, content)| (part, content, None));
        let files = files.iter().map(|file| (file.part, Content::once(file.content.clone()), Some(file)));
        for (part, mut content, file) in texts.chain(files) {
            relation.put_into(&mut content);
            let shown = Part {
                room: self.room_id()?,
                kind: "m.room.message",
                transaction: transaction_id(self.facts(), message, part),
                sent_at: message.sent_at,
                content: &content.json,
            };
            let sent = self.show_part(&shown, ghost, own).await?;
            if let Some(root) = relation.thread_of(&content) {
                let (root, place) = (root.to_owned(), message.place.place.clone());
                effects.push(Effect::Replied { root, place, event_id: sent.event_id.clone() });
            }
            relation.follow(&sent.event_id);
            effects.extend(file.map(|file| file.effect(&message.place.place, &sent.event_id)));
            effects.push(Effect::Shown(MappedMessage {
                place: message.place.place.clone(),
                part,
                remote_id: message.id.clone(),
                event_id: sent.event_id,
                sender: Some(sent.sender.to_string()),
                edited: message.edited,
                thread_root: message.thread_root.clone(),
            }));
        }
        Ok(effects)
    }

    /// Sends an event as the owner or a ghost.
    pub(super) async fn show_part(&self, part: &Part<'_>, ghost: &Ghost, own: bool) -> Result<Sent> {
        if own { self.show_as_owner(part, ghost).await } else { self.show_as_ghost(part, ghost).await }
    }

    async fn show_as_ghost(&self, part: &Part<'_>, ghost: &Ghost) -> Result<Sent> {
        let who = self.matrix.ghost(&ghost.user_id);
        let joined = self.join_ghost(&ghost.user_id).await;
        // A ghost that the owner banned cannot join.
        if let Err(error) = joined
            && error.status != 403
        {
            return Err(error);
        }
        let mut sent = part.send_as(&who, part.content).await;
        if is_forbidden(&sent) && self.matrix.bring_ghost(&ghost.user_id, &part.room).await.is_ok() {
            sent = part.send_as(&who, part.content).await;
        }
        self.or_by_bot(part, &who, ghost, sent).await
    }

    async fn show_as_owner(&self, part: &Part<'_>, owner: &Ghost) -> Result<Sent> {
        let who = self.matrix.owner(&owner.user_id);
        let mut content = part.content.clone();
        if let Some(content) = content.as_object_mut() {
            content.insert(DOUBLE_PUPPET_KEY.to_owned(), self.facts().id.into());
        }
        let part = Part { content: &content, transaction: part.transaction.clone(), room: part.room.clone(), ..*part };
        let mut sent = part.send_as(&who, part.content).await;
        if is_forbidden(&sent) {
            // This isolate may not know yet that the owner holds a login. Who left is not brought
            // back by a word said elsewhere.
            self.context.appservices.forget();
            sent = part.send_as(&who, part.content).await;
        }
        self.or_by_bot(&part, &who, owner, sent).await
    }

    /// What was sent, or if it never will be, an excerpt by the same user, or by the bot.
    async fn or_by_bot(
        &self,
        part: &Part<'_>,
        who: &Intent,
        ghost: &Ghost,
        sent: Result<String, IntentError>,
    ) -> Result<Sent> {
        let as_itself = |event_id| Sent { event_id, sender: ghost.user_id.clone() };
        let error = match sent {
            Err(error) if is_final(&error) && part.kind == "m.room.message" => error,
            sent => return Ok(as_itself(sent?)),
        };
        let body = part.content.get("body").and_then(Json::as_str).unwrap_or_default();
        if error.status == 403 {
            let body = format!("{}: {body}", ghost.name);
            let notice = json!({ "msgtype": "m.notice", "body": body, "m.mentions": {} });
            let event_id = part.send_as(&self.matrix.bot(), &notice).await?;
            return Ok(Sent { event_id, sender: self.matrix.bot_id()? });
        }
        let excerpt: String = body.chars().take(EXCERPT_CHARACTERS).collect();
        let mut notice = json!({
            "msgtype": "m.notice",
            "body": format!("This {} message cannot be shown whole ({}): {excerpt}", self.facts().title, error.errcode),
            "m.mentions": {},
        });
        let puppet = part.content.get(DOUBLE_PUPPET_KEY).cloned();
        if let (Some(puppet), Some(notice)) = (puppet, notice.as_object_mut()) {
            notice.insert(DOUBLE_PUPPET_KEY.to_owned(), puppet);
        }
        Ok(as_itself(part.send_as(who, &notice).await?))
    }
}

fn is_forbidden(sent: &Result<String, IntentError>) -> bool {
    matches!(sent, Err(error) if error.status == 403)
}

/// The transaction id under which a remote message comes into the room.
pub(super) fn transaction_id(facts: &NetworkFacts, message: &RemoteMessage, part: i64) -> String {
    let base = format!("{}-{}-{}", facts.id, message.id, message.place.generation);
    if part == 0 { base } else { format!("{base}-{part}") }
}
